//! Where tenants are in each other's way: domains that overlap, and too many open requests of one requester.

use crate::model::{
    exports::{Exports, MAX_OPEN_REQUESTS, MAX_SHOWN_REQUESTS, Right, overlap},
    names::TenantName,
    root::TenantRoot,
    snapshot::Snapshot,
};

/// A domain that another tenant holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimConflict {
    /// The other tenant.
    pub tenant: TenantName,
    /// The domain that is asked for.
    pub domain: String,
    /// The domain of the other that it overlaps.
    pub theirs: String,
}

/// The domains of a tenant's spec that others hold, one for each of the others.
#[must_use]
pub fn claim_conflicts(snapshot: &Snapshot, root: &TenantRoot) -> Vec<ClaimConflict> {
    let Ok(spec) = &root.spec else { return Vec::new() };
    let mine = Exports::of(root);
    snapshot.exports.iter().filter_map(|other| claim_conflict(&mine, &spec.domains, other)).collect()
}

/// The first of these domains that another tenant holds.
#[must_use]
pub fn claim_conflict(mine: &Exports, domains: &[String], other: &Exports) -> Option<ClaimConflict> {
    let held = |domain: &String| {
        let claim = mine.claim(mine.domains.get(domain).copied().unwrap_or(Right::Wish));
        let (theirs, _) = other.held().find(|(theirs, right)| overlap(domain, theirs) && other.claim(*right) < claim)?;
        Some(ClaimConflict { tenant: other.age.tenant.clone(), domain: domain.clone(), theirs: theirs.to_owned() })
    };
    domains.iter().filter(|_| mine.age.tenant != other.age.tenant).find_map(held)
}

/// The older open requests of the same requester, where they are so many that this one is not looked at.
#[must_use]
pub fn over_request_limit(snapshot: &Snapshot) -> Option<Vec<&str>> {
    let before = older_requests(snapshot);
    (before.len() >= MAX_OPEN_REQUESTS).then_some(before)
}

/// Whether even whoever asks sees nothing of the request: so many are open that each further one would cost roles and bindings for nothing.
#[must_use]
pub fn is_hidden(snapshot: &Snapshot) -> bool {
    older_requests(snapshot).len() >= MAX_SHOWN_REQUESTS
}

fn older_requests(snapshot: &Snapshot) -> Vec<&str> {
    let Some(mine) = snapshot.tenant.as_ref().map(|root| Exports::of(root)) else { return Vec::new() };
    let is_before = |other: &&Exports| mine.requester.is_some() && other.requester == mine.requester && other.age < mine.age;
    snapshot.exports.iter().map(AsRef::as_ref).filter(is_before).map(|other| other.age.tenant.as_str()).collect()
}
