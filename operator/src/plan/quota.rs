//! How a tenant's total is handed out to its systems: guaranteed shares, in order of creation.
//!
//! The sum of what the namespaces hold never exceeds the total. A namespace holds the largest of what its quota wants,
//! what admission enforces and what is used, so a lowering counts only when it shows.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    names::{NamespaceName, SystemName},
    plan::{
        amount::{self, Amount, Amounts},
        snapshot::QuotaState,
    },
};

/// Keys that every quota carries, whether the total names them or not.
pub const STANDARD_KEYS: [&str; 8] = [
    "requests.cpu",
    "requests.memory",
    "limits.cpu",
    "limits.memory",
    "requests.storage",
    "requests.ephemeral-storage",
    "limits.ephemeral-storage",
    "pods",
];

/// What one system wants of the total.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The system.
    pub system: SystemName,
    /// Its workload namespace.
    pub namespace: NamespaceName,
    /// The share it asks for.
    pub wanted: Amounts,
    /// The share that it was last granted; kept for it while its quota is closed.
    pub promised: Amounts,
}

/// The answer to a claim.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grant {
    /// What the system holds from now on.
    pub hard: Amounts,
    /// Why it does not hold all that it asks for.
    pub waiting: Option<String>,
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
}

/// Hands the total out.
///
/// `wanted` is the tenant's quota, `served` the total that its status shows, `claims` come in order of precedence,
/// `held` are the quotas of all of the tenant's namespaces, claimed or not. As long as a namespace is `uncounted`, nobody
/// knows what is left, and nothing is raised.
#[must_use]
pub fn hand_out(
    wanted: &Amounts,
    served: &Amounts,
    claims: &[Claim],
    held: &BTreeMap<NamespaceName, QuotaState>,
    uncounted: Option<&NamespaceName>,
) -> Allocation {
    let every_key = keys(wanted, claims);
    let mut reserved: BTreeMap<&NamespaceName, Amounts> =
        held.iter().map(|(namespace, quota)| (namespace, holding(quota, &every_key))).collect();
    for claim in claims {
        let entry = reserved.entry(&claim.namespace).or_default();
        for key in &every_key {
            let promised = amount::of(&claim.promised, key).min(amount::of(&claim.wanted, key));
            entry.insert(key.clone(), amount::of(entry, key).max(promised));
        }
    }
    let mut sum = total_of(reserved.values());
    let mut grants = BTreeMap::new();
    for claim in claims {
        let own = reserved.entry(&claim.namespace).or_default();
        // Not the keys of others: what nobody but they claim is not this system's to be refused.
        let keys = keys(wanted, std::slice::from_ref(claim));
        let grant = match uncounted {
            Some(namespace) if raises(claim, own) => {
                let hard = keys.iter().map(|key| (key.clone(), amount::of(&claim.wanted, key).min(amount::of(own, key)))).collect();
                Grant { hard, waiting: Some(format!("nothing is raised before the use of namespace {namespace} is counted")) }
            }
            _ => answer(claim, own, wanted, &sum, &keys),
        };
        for key in &every_key {
            let raised = amount::of(own, key).max(amount::of(&grant.hard, key));
            let more = raised.minus(amount::of(own, key));
            own.insert(key.clone(), raised);
            *sum.entry(key.clone()).or_default() = amount::of(&sum, key).plus(more);
        }
        grants.insert(claim.system.clone(), grant);
    }
    let (total, lowering) = serve(wanted, served, &sum, &every_key);
    Allocation { total, lowering, allocated: sum, grants }
}

/// Where only the request of a resource is claimed, its limit follows in the proportion of the tenant's total.
#[must_use]
pub fn with_limits(mut claimed: Amounts, total: &Amounts) -> Amounts {
    for resource in ["cpu", "memory", "ephemeral-storage"] {
        let (request, limit) = (format!("requests.{resource}"), format!("limits.{resource}"));
        if let (Some(share), None) = (claimed.get(&request), claimed.get(&limit)) {
            let following = share.in_proportion(amount::of(total, &limit), amount::of(total, &request), &limit);
            claimed.insert(limit, following);
        }
    }
    claimed
}

fn keys(wanted: &Amounts, claims: &[Claim]) -> BTreeSet<String> {
    let claimed = claims.iter().flat_map(|claim| claim.wanted.keys());
    STANDARD_KEYS.into_iter().map(String::from).chain(wanted.keys().chain(claimed).cloned()).collect()
}

fn holding(quota: &QuotaState, keys: &BTreeSet<String>) -> Amounts {
    let largest = |key: &String| {
        let amounts = [&quota.wanted, &quota.hard, &quota.used].map(|amounts| amount::of(amounts, key));
        amounts.into_iter().max().unwrap_or_default()
    };
    keys.iter().map(|key| (key.clone(), largest(key))).collect()
}

fn total_of<'a>(amounts: impl Iterator<Item = &'a Amounts>) -> Amounts {
    amounts.fold(Amounts::new(), |mut sum, more| {
        amount::add(&mut sum, more);
        sum
    })
}

/// Whether the claim is above what the namespace holds.
fn raises(claim: &Claim, own: &Amounts) -> bool {
    claim.wanted.iter().any(|(key, want)| *want > amount::of(own, key))
}

/// Grants a claim whole, or leaves the system what it has.
fn answer(claim: &Claim, own: &Amounts, total: &Amounts, sum: &Amounts, keys: &BTreeSet<String>) -> Grant {
    let short = |key: &&String| {
        let (want, has) = (amount::of(&claim.wanted, key), amount::of(own, key));
        want > has && want.minus(has).plus(amount::of(sum, key)) > amount::of(total, key)
    };
    let hard = |limit: &dyn Fn(&str) -> Amount| keys.iter().map(|key| (key.clone(), limit(key))).collect();
    match keys.iter().filter(short).map(|key| shortage(claim, own, total, sum, key)).reduce(|all, one| format!("{all}; {one}")) {
        None => Grant { hard: hard(&|key| amount::of(&claim.wanted, key)), waiting: None },
        Some(why) => Grant { hard: hard(&|key| amount::of(&claim.wanted, key).min(amount::of(own, key))), waiting: Some(why) },
    }
}

fn shortage(claim: &Claim, own: &Amounts, total: &Amounts, sum: &Amounts, key: &str) -> String {
    let text = |amount: Amount| amount.text(key);
    let others = amount::of(sum, key).minus(amount::of(own, key));
    let free = amount::of(total, key).minus(others);
    format!(
        "{key}: {} wanted, {} free (total {}, held by others {})",
        text(amount::of(&claim.wanted, key)),
        text(free),
        text(amount::of(total, key)),
        text(others),
    )
}

/// The total to serve, key by key: the wanted one where what is held fits into it, else the one served so far.
fn serve(wanted: &Amounts, served: &Amounts, sum: &Amounts, keys: &BTreeSet<String>) -> (Amounts, Option<String>) {
    let mut total = Amounts::new();
    let mut pending = Vec::new();
    for key in keys {
        let (want, held) = (amount::of(wanted, key), amount::of(sum, key));
        if held > want {
            pending.push(format!("spec.quota[{key}]: {} is below the {} that the systems hold", want.text(key), held.text(key)));
        }
        total.insert(key.clone(), if held > want { want.max(amount::of(served, key)) } else { want });
    }
    (total, (!pending.is_empty()).then(|| pending.join("; ")))
}

#[cfg(test)]
mod tests;
