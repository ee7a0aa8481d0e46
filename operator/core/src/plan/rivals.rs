//! Where tenants are in each other's way: domains that overlap, and requests without number.

use crate::{
    api::{
        AgencyTenantSpec,
        agency_tenant::{Member, Role},
        approval::{Contract, Decision},
    },
    model::snapshot::{Rival, TenantRoot},
};

/// Requests of the same asker that nobody has decided yet. What is asked for beyond is not looked at.
pub const MAX_OPEN_REQUESTS: usize = 5;

/// In which way another tenant goes before this one, if in any.
#[must_use]
pub fn rival(mine: &TenantRoot, other: &TenantRoot) -> Option<Rival> {
    let spec = mine.spec.as_ref().ok().filter(|_| mine.name != other.name)?;
    let taken = |domain: &String| {
        let here = (right(mine, domain), age(mine));
        let there = claimed(other).find(|theirs| overlap(domain, theirs) && (right(other, theirs), age(other)) < here)?;
        Some((domain.clone(), there.clone()))
    };
    let domains = spec.domains.iter().find_map(taken);
    let asked = || other.spec.as_ref().is_ok_and(|other| asker(spec).is_some() && asker(spec) == asker(other));
    let open = is_open(mine) && is_open(other) && age(other) < age(mine) && asked();
    (domains.is_some() || open).then(|| Rival { tenant: other.name.clone(), domains, open })
}

/// The tenants to which a change of this one makes a difference.
pub fn concerned<'a>(
    others: impl Iterator<Item = &'a TenantRoot>,
    old: Option<&TenantRoot>,
    new: Option<&TenantRoot>,
) -> impl Iterator<Item = &'a TenantRoot> {
    others.filter(move |other| old.and_then(|old| rival(other, old)) != new.and_then(|new| rival(other, new)))
}

/// The open requests of the same asker that go before, where they are so many that this one is not looked at.
#[must_use]
pub fn crowd(rivals: &[Rival]) -> Option<Vec<&str>> {
    let open: Vec<&str> = rivals.iter().filter(|rival| rival.open).map(|rival| rival.tenant.as_str()).collect();
    (open.len() >= MAX_OPEN_REQUESTS).then_some(open)
}

/// The older the smaller; of the same age, by name.
fn age(root: &TenantRoot) -> (&str, &str) {
    (&root.created, &root.name)
}

/// By which right a tenant claims a domain, the strongest first: its contract, an approval, a wish.
fn right(root: &TenantRoot, domain: &String) -> u8 {
    let holds = root.status.contract.as_ref().and_then(Contract::spec).is_some_and(|spec| spec.domains.contains(domain));
    if holds { 0 } else { 2 - u8::from(is_approved(root)) }
}

/// Domains of the contract, and of the request once it is approved.
fn claimed(root: &TenantRoot) -> impl Iterator<Item = &String> {
    let contract = root.status.contract.as_ref().and_then(Contract::spec);
    let request = root.spec.as_ref().ok().filter(|_| is_approved(root));
    contract.into_iter().chain(request).flat_map(|spec| &spec.domains)
}

fn is_approved(root: &TenantRoot) -> bool {
    let decided = root.status.approval.as_ref().filter(|approval| approval.generation == root.generation);
    decided.is_some_and(|approval| approval.decision == Decision::Approved) || root.spec.as_ref().is_ok_and(|spec| spec.preapproved)
}

/// Whether it waits for its first approval; what was rejected does not.
fn is_open(root: &TenantRoot) -> bool {
    let decided = root.status.approval.as_ref().filter(|approval| approval.generation == root.generation);
    let rejected = decided.is_some_and(|approval| approval.decision == Decision::Rejected);
    root.status.contract.is_none() && !is_approved(root) && !rejected && !root.deleting
}

/// Who asks stands first, as Owner: so a policy has it of everybody who asks for oneself.
fn asker(spec: &AgencyTenantSpec) -> Option<&Member> {
    spec.members.first().filter(|member| member.role == Role::Owner)
}

/// Whether two domains are the same, or one is below the other.
fn overlap(one: &str, other: &str) -> bool {
    let below = |inner: &str, outer: &str| inner.strip_suffix(outer).is_some_and(|rest| rest.ends_with('.'));
    one == other || below(one, other) || below(other, one)
}
