//! How a tenant's total is handed out to its systems: guaranteed shares, in order of creation.
//!
//! The sum of what the namespaces hold never exceeds the total. A namespace holds the largest of what its quota wants, what
//! admission enforces, what is used and what the ledger promises it, so a lowering counts only when it shows.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    model::{
        amounts::{self, Amount, Amounts, Follows, STANDARD_KEYS},
        names::{NamespaceName, SystemName, TenantName},
        observed::QuotaState,
    },
    plan::ledger::{Ledger, Share},
};

/// What one system is to hold of the total.
#[derive(Clone, Debug)]
pub struct ShareRequest {
    /// The system.
    pub system: SystemName,
    /// Its workload namespace.
    pub namespace: NamespaceName,
    /// The share it asks for, or what it is left with where it does not serve.
    pub wanted: Amounts,
    /// Keys of it that it does not name.
    pub follows: Follows,
    /// Whether it serves; else it asks for nothing new.
    pub serves: bool,
    /// Whether its quota admits pods; a suspended system's does not, and they stay promised to it.
    pub admits_pods: bool,
}

/// The answer to a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grant {
    /// What the system holds from now on.
    pub hard: Amounts,
    /// The ledger's entry for which its quota is written.
    pub epoch: i64,
    /// Why it does not hold all that it asks for.
    pub waiting: Option<String>,
    /// Whether waiting is useless: it asks for more than the whole total has.
    pub exceeds: bool,
}

/// What is known before anything is handed out.
#[derive(Clone, Copy, Debug)]
pub struct QuotaInput<'a> {
    /// The tenant.
    pub tenant: &'a TenantName,
    /// The tenant's quota.
    pub wanted: &'a Amounts,
    /// The total that its status shows.
    pub served: &'a Amounts,
    /// The ledger that its status shows; none where it was lost, and then everything stays as it is.
    pub ledger: Option<&'a Ledger>,
    /// The quotas of all of the tenant's namespaces, whether they ask for a share or not.
    pub quotas: &'a BTreeMap<NamespaceName, QuotaState>,
    /// A namespace of which nobody knows what it uses. As long as there is one, nothing is raised.
    pub uncounted: Option<&'a NamespaceName>,
    /// Systems that are declared or have a namespace. The ledger's entries of others are given up.
    pub known_systems: &'a BTreeSet<SystemName>,
}

/// A total, handed out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allocation {
    /// The total that is served.
    pub total: Amounts,
    /// Why a lowered total is not served yet.
    pub lowering: Option<String>,
    /// Sum of what the namespaces hold.
    pub allocated: Amounts,
    /// The answers, by system.
    pub grants: BTreeMap<SystemName, Grant>,
    /// The ledger from now on.
    pub ledger: Ledger,
}

/// Hands the total out; `requests` come in order of precedence.
#[must_use]
pub fn allocate(input: &QuotaInput, requests: &[ShareRequest]) -> Allocation {
    let every_key = keys(input.wanted, requests.iter().filter(|request| request.serves));
    let found = input.ledger.is_none().then(|| found(input, &every_key));
    let ledger = input.ledger.or(found.as_ref()).unwrap_or(const { &Ledger::new() });
    let mut reserved = reserve(input, ledger, requests, &every_key);
    let mut sum = total_of(reserved.values());
    let served = if found.is_some() { &sum.clone() } else { input.served };
    let mut allocation = Allocation::default();
    for request in requests {
        let own = reserved.entry(request.namespace.clone()).or_default();
        let request = &without_unasked(input, request, own, &sum);
        let mut grant = grant(input, request, own, &sum);
        let share = enter(input, ledger, request, &grant, &every_key);
        grant.epoch = share.epoch.max(input.quotas.get(&request.namespace).map_or(0, |quota| quota.epoch));
        if !share.hard.is_empty() {
            allocation.ledger.insert(request.system.clone(), share);
        }
        for key in &every_key {
            let raised = amounts::of(own, key).max(amounts::of(&grant.hard, key));
            let more = raised.minus(amounts::of(own, key));
            own.insert(key.clone(), raised);
            *sum.entry(key.clone()).or_default() = amounts::of(&sum, key).plus(more);
        }
        allocation.grants.insert(request.system.clone(), grant);
    }
    (allocation.total, allocation.lowering) = serve(input.wanted, served, &sum, &every_key);
    allocation.allocated = sum;
    keep_others(input, ledger, &mut allocation);
    allocation
}

/// The ledger that says what the quotas hold.
fn found(input: &QuotaInput, keys: &BTreeSet<String>) -> Ledger {
    let entry = |(namespace, quota): (&NamespaceName, &QuotaState)| Some((namespace.system()?, Share::found(quota, holding(quota, keys))));
    input.quotas.iter().filter_map(entry).collect()
}

/// What counts as taken in each namespace: what its quota holds or may be raised to.
fn reserve(input: &QuotaInput, ledger: &Ledger, requests: &[ShareRequest], keys: &BTreeSet<String>) -> BTreeMap<NamespaceName, Amounts> {
    let mut reserved: BTreeMap<NamespaceName, Amounts> =
        input.quotas.iter().map(|(namespace, quota)| (namespace.clone(), holding(quota, keys))).collect();
    let others = ledger
        .iter()
        .filter(|(system, _)| input.known_systems.contains(system) && requests.iter().all(|request| request.system != **system));
    for (system, share) in others {
        let entry = reserved.entry(input.tenant.workload(system)).or_default();
        for (key, amount) in &share.hard {
            let more = amounts::of(entry, key).max(*amount);
            entry.insert(key.clone(), more);
        }
    }
    for request in requests {
        let entry = reserved.entry(request.namespace.clone()).or_default();
        let kept = ledger.get(&request.system).map(|share| share.kept(&request.wanted, input.quotas.get(&request.namespace), entry));
        for (key, amount) in kept.into_iter().flatten() {
            let more = amounts::of(entry, &key).max(amount);
            entry.insert(key, more);
        }
    }
    reserved
}

/// What follows grows when the total changes, though its system asks for no more than it holds. Where there is no room for that, it
/// stays as it is held and keeps no system waiting.
fn without_unasked(input: &QuotaInput, request: &ShareRequest, own: &Amounts, sum: &Amounts) -> ShareRequest {
    let mut request = request.clone();
    for (key, named) in &request.follows {
        let (want, has) = (amounts::of(&request.wanted, key), amounts::of(own, key));
        let asked = amounts::of(&request.wanted, named) > amounts::of(own, named);
        let fits = input.uncounted.is_none() && want.minus(has).plus(amounts::of(sum, key)) <= amounts::of(input.wanted, key);
        if want > has && has > Amount::ZERO && !asked && !fits {
            request.wanted.insert(key.clone(), has);
        }
    }
    request
}

fn grant(input: &QuotaInput, request: &ShareRequest, own: &Amounts, sum: &Amounts) -> Grant {
    if !request.serves {
        return Grant { hard: request.wanted.clone(), ..Grant::default() };
    }
    // Not the keys of others: what nobody but they ask for is not this system's to be refused.
    let keys = keys(input.wanted, [request].into_iter());
    match input.uncounted {
        Some(namespace) if raises(request, own) => {
            let hard = keys.iter().map(|key| (key.clone(), amounts::of(&request.wanted, key).min(amounts::of(own, key)))).collect();
            let waiting = Some(format!("the usage of namespace {namespace} has not been counted yet; no share is raised until then"));
            Grant { hard, waiting, ..Grant::default() }
        }
        _ => answer(request, own, input.wanted, sum, &keys),
    }
}

/// The ledger's next entry.
fn enter(input: &QuotaInput, ledger: &Ledger, request: &ShareRequest, grant: &Grant, keys: &BTreeSet<String>) -> Share {
    let quota = input.quotas.get(&request.namespace);
    let held = quota.map(|quota| holding(quota, keys)).unwrap_or_default();
    let target: Amounts = grant.hard.iter().filter(|(key, _)| keys.contains(*key)).map(|(key, amount)| (key.clone(), *amount)).collect();
    let mut written = target.clone();
    if !request.admits_pods {
        written.remove("pods");
    }
    let before = ledger.get(&request.system).cloned().unwrap_or_default();
    before.next(&target, &written, quota, &held)
}

/// Entries of systems that nothing is planned for stay.
fn keep_others(input: &QuotaInput, ledger: &Ledger, allocation: &mut Allocation) {
    for (system, share) in ledger {
        if input.known_systems.contains(system) && !allocation.grants.contains_key(system) {
            allocation.ledger.insert(system.clone(), share.clone());
        }
    }
}

/// What a share leaves out follows what it names, in the proportion of the tenant's total: a limit its request, and ephemeral
/// storage, where the total names it, the memory. Returns the whole share, and which keys follow.
#[must_use]
pub fn with_following(mut named: Amounts, total: &Amounts) -> (Amounts, Follows) {
    let mut follows = Follows::new();
    let mut follow = |key: &str, from: &str| {
        if let (Some(share), None) = (named.get(from), named.get(key)) {
            let following = share.in_proportion(amounts::of(total, key), amounts::of(total, from), key);
            named.insert(key.to_owned(), following);
            let named = follows.get(from).cloned().unwrap_or_else(|| from.to_owned());
            follows.insert(key.to_owned(), named);
        }
    };
    let (scratch, limit) = ("requests.ephemeral-storage", "limits.ephemeral-storage");
    if total.contains_key(scratch) {
        follow(scratch, "requests.memory");
    }
    follow("limits.cpu", "requests.cpu");
    follow("limits.memory", "requests.memory");
    if total.contains_key(limit) {
        follow(limit, scratch);
    }
    (named, follows)
}

fn keys<'a>(wanted: &Amounts, requests: impl Iterator<Item = &'a ShareRequest>) -> BTreeSet<String> {
    let named = requests.flat_map(|request| request.wanted.keys());
    STANDARD_KEYS.into_iter().map(String::from).chain(wanted.keys().chain(named).cloned()).collect()
}

fn holding(quota: &QuotaState, keys: &BTreeSet<String>) -> Amounts {
    let largest = |key: &String| {
        let amounts = [&*quota.wanted, &*quota.hard, &quota.used].map(|amounts| amounts::of(amounts, key));
        amounts.into_iter().max().unwrap_or_default()
    };
    keys.iter().map(|key| (key.clone(), largest(key))).collect()
}

fn total_of<'a>(amounts: impl Iterator<Item = &'a Amounts>) -> Amounts {
    amounts.fold(Amounts::new(), |mut sum, more| {
        amounts::add(&mut sum, more);
        sum
    })
}

/// Whether the request is above what the namespace holds.
fn raises(request: &ShareRequest, own: &Amounts) -> bool {
    request.wanted.iter().any(|(key, want)| *want > amounts::of(own, key))
}

/// Grants a request whole, or leaves the system what it has.
fn answer(request: &ShareRequest, own: &Amounts, total: &Amounts, sum: &Amounts, keys: &BTreeSet<String>) -> Grant {
    let short = |key: &&String| {
        let (want, has) = (amounts::of(&request.wanted, key), amounts::of(own, key));
        want > has && want.minus(has).plus(amounts::of(sum, key)) > amounts::of(total, key)
    };
    let hard = |limit: &dyn Fn(&str) -> Amount| keys.iter().map(|key| (key.clone(), limit(key))).collect();
    match keys.iter().filter(short).map(|key| shortage(request, own, total, sum, key)).reduce(|all, one| format!("{all}; {one}")) {
        None => Grant { hard: hard(&|key| amounts::of(&request.wanted, key)), ..Grant::default() },
        Some(why) => Grant {
            hard: hard(&|key| amounts::of(&request.wanted, key).min(amounts::of(own, key))),
            waiting: Some(why),
            exceeds: keys.iter().filter(short).any(|key| amounts::of(&request.wanted, key) > amounts::of(total, key)),
            epoch: 0,
        },
    }
}

fn shortage(request: &ShareRequest, own: &Amounts, total: &Amounts, sum: &Amounts, key: &str) -> String {
    let text = |amount: Amount| amount.text(key);
    let others = amounts::of(sum, key).minus(amounts::of(own, key));
    let free = amounts::of(total, key).minus(others);
    format!(
        "{key}: {} wanted, {} free (total {}, held by others {})",
        text(amounts::of(&request.wanted, key)),
        text(free),
        text(amounts::of(total, key)),
        text(others),
    )
}

/// The total to serve, key by key: the wanted one where what is held fits into it, else the one served so far.
fn serve(wanted: &Amounts, served: &Amounts, sum: &Amounts, keys: &BTreeSet<String>) -> (Amounts, Option<String>) {
    let mut total = Amounts::new();
    let mut pending = Vec::new();
    for key in keys {
        let (want, held) = (amounts::of(wanted, key), amounts::of(sum, key));
        pending.extend(below_held(key, want, held));
        total.insert(key.clone(), if held > want { want.max(amounts::of(served, key)) } else { want });
    }
    (total, (!pending.is_empty()).then(|| pending.join("; ")))
}

/// That the wanted total is below what the systems hold, if so: until they hold no more, the former total stays in force.
#[must_use]
pub fn below_held(key: &str, wanted: Amount, held: Amount) -> Option<String> {
    let words = || format!("spec.quota[{key}]: {} is below the {} that the systems hold", wanted.text(key), held.text(key));
    (held > wanted).then(words)
}

#[cfg(test)]
mod tests;
