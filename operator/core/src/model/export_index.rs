//! The exports of all tenants, by who reads them: no lookup and no change walks over all tenants.
//!
//! A tenant reads the claims that go before its own, of domains that overlap its own, and the older open requests of its
//! requester. Of both it reads no more than is judged and told, however many there are.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound::{Excluded, Unbounded},
    sync::Arc,
};

use crate::model::{
    amounts::{Amounts, add, subtract},
    exports::{Age, Claim, Exports, MAX_SHOWN_REQUESTS, Requester},
    names::TenantName,
};

/// Claims that a tenant reads for each of its domains. One is enough to be in its way; the others are told beside it.
const MAX_CLAIMS: usize = 8;

/// The exports of all tenants.
#[derive(Debug, Default)]
pub struct ExportIndex {
    exports: BTreeMap<TenantName, Arc<Exports>>,
    /// Claims that others read.
    held: ByDomain<Claim>,
    /// Tenants that read claims.
    readers: ByDomain<TenantName>,
    /// Open requests, the oldest first.
    requests: BTreeMap<Requester, BTreeSet<Age>>,
    /// The sum of all totals.
    promised: Amounts,
}

impl ExportIndex {
    /// What other tenants show to this one.
    #[must_use]
    pub fn read(&self, tenant: &TenantName) -> Vec<Arc<Exports>> {
        let Some(mine) = self.exports.get(tenant) else { return Vec::new() };
        let mut others: BTreeSet<&TenantName> = BTreeSet::new();
        for (domain, right) in &mine.domains {
            let claim = mine.claim(*right);
            let before = self.held.overlapping(domain).flat_map(|claims| claims.range(..&claim));
            others.extend(before.map(|claim| &claim.age.tenant).filter(|other| *other != tenant).take(MAX_CLAIMS));
        }
        let requests = mine.requester.as_ref().and_then(|requester| self.requests.get(requester));
        let older = requests.into_iter().flat_map(|requests| requests.range(..&mine.age).take(MAX_SHOWN_REQUESTS));
        others.extend(older.map(|age| &age.tenant));
        others.into_iter().filter_map(|other| self.exports.get(other).cloned()).collect()
    }

    /// The sum of the totals of all other tenants.
    #[must_use]
    pub fn promised_to_others(&self, tenant: &TenantName) -> Amounts {
        let mut sum = self.promised.clone();
        self.exports.get(tenant).into_iter().for_each(|mine| subtract(&mut sum, &mine.total));
        sum
    }

    /// Takes in what a tenant shows from now on, nothing where it is gone. Returns the tenants that read what changed.
    pub fn update(&mut self, tenant: &TenantName, new: Option<Exports>) -> BTreeSet<TenantName> {
        let old = self.exports.get(tenant).cloned();
        if old.as_deref() == new.as_ref() {
            return BTreeSet::new();
        }
        let new = new.map(Arc::new);
        let mut affected = self.affected(old.as_deref(), new.as_deref());
        old.as_deref().into_iter().for_each(|old| self.remove(old));
        match new {
            Some(new) => {
                self.insert(&new);
                affected.extend(self.affected(Some(&new), old.as_deref()));
                self.exports.insert(tenant.clone(), new);
            }
            None => drop(self.exports.remove(tenant)),
        }
        affected.remove(tenant);
        affected
    }

    /// The tenants that read what one shows and the other doesn't, where the one is in the index.
    fn affected(&self, one: Option<&Exports>, other: Option<&Exports>) -> BTreeSet<TenantName> {
        let Some(one) = one else { return BTreeSet::new() };
        let other = other.filter(|other| other.age == one.age);
        let changed = one.held().filter(|(domain, right)| other.is_none_or(|other| other.domains.get(*domain) != Some(right)));
        let mut affected: BTreeSet<TenantName> =
            changed.flat_map(|(domain, _)| self.readers.overlapping(domain)).flatten().cloned().collect();
        if other.is_none_or(|other| other.requester != one.requester) {
            affected.extend(self.behind(one));
        }
        affected
    }

    /// The tenants that read the open request of this one: none where it is not among the oldest.
    fn behind(&self, exports: &Exports) -> impl Iterator<Item = TenantName> {
        let requests = exports.requester.as_ref().and_then(|requester| self.requests.get(requester));
        let read = requests.filter(|requests| requests.iter().take(MAX_SHOWN_REQUESTS).any(|age| *age == exports.age));
        read.into_iter().flat_map(|requests| requests.range((Excluded(&exports.age), Unbounded))).map(|age| age.tenant.clone())
    }

    fn insert(&mut self, exports: &Exports) {
        add(&mut self.promised, &exports.total);
        for domain in exports.domains.keys() {
            self.readers.insert(domain, exports.age.tenant.clone());
        }
        for (domain, right) in exports.held() {
            self.held.insert(domain, exports.claim(right));
        }
        if let Some(requester) = &exports.requester {
            self.requests.entry(requester.clone()).or_default().insert(exports.age.clone());
        }
    }

    fn remove(&mut self, exports: &Exports) {
        subtract(&mut self.promised, &exports.total);
        for domain in exports.domains.keys() {
            self.readers.remove(domain, &exports.age.tenant);
        }
        for (domain, right) in exports.held() {
            self.held.remove(domain, &exports.claim(right));
        }
        if let Some(requester) = &exports.requester {
            remove(&mut self.requests, requester, &exports.age);
        }
    }
}

/// Values by domain. A key has the labels in reverse, each with a dot behind it, so that all domains below one stand after it.
#[derive(Debug)]
struct ByDomain<Value>(BTreeMap<String, BTreeSet<Value>>);

impl<Value> Default for ByDomain<Value> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<Value: Ord> ByDomain<Value> {
    fn insert(&mut self, domain: &str, value: Value) {
        self.0.entry(key(domain)).or_default().insert(value);
    }

    fn remove(&mut self, domain: &str, value: &Value) {
        remove(&mut self.0, &key(domain), value);
    }

    /// The values of the domains above this one, of itself, and of those below it.
    fn overlapping(&self, domain: &str) -> impl Iterator<Item = &BTreeSet<Value>> + use<'_, Value> {
        let key = key(domain);
        let above: Vec<_> = key.match_indices('.').filter_map(|(end, _)| self.0.get(&key[..=end])).collect();
        let after = self.0.range::<str, _>((Excluded(key.as_str()), Unbounded));
        above.into_iter().chain(after.take_while(move |(other, _)| other.starts_with(&key)).map(|(_, values)| values))
    }
}

fn key(domain: &str) -> String {
    domain.rsplit('.').flat_map(|label| [label, "."]).collect()
}

fn remove<Key: Ord, Value: Ord>(sets: &mut BTreeMap<Key, BTreeSet<Value>>, key: &Key, value: &Value) {
    if let Some(set) = sets.get_mut(key) {
        set.remove(value);
        if set.is_empty() {
            sets.remove(key);
        }
    }
}
