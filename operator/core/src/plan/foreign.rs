//! What others wrote in a tenant's namespaces: what stays, what goes, what has no effect for a while, and why.
//!
//! The operator does not see who wrote an object, so it is judged by what members could have written at all. What they could not is
//! an administrator's or a platform program's, and stays, whatever becomes of the namespace.

use std::collections::BTreeSet;

use crate::{
    api::{
        agency_tenant::{Member, SubjectKind},
        approval::Contract,
    },
    children::{EXPOSES_NETWORK, member_words},
    model::{
        names::{DEPLOYER, NamespaceName},
        observed::Entry,
        snapshot::Snapshot,
    },
    plan::{
        contract::Approvals,
        inventory::Inventory,
        target::{NamespacePlan, Plan},
    },
};

/// Former members that are remembered. Their bindings are deleted soon after they leave, so older ones have none left.
const MAX_FORMER: usize = 256;

/// What becomes of an object that others wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes, and why.
    Delete(String),
    /// It stays and may have no effect, and why.
    Disable(String),
    /// It has effect again.
    Restore,
}

/// What becomes of an object that others wrote; none where it stays as it is. What was in a namespace before the operator came is
/// not changed, unless the operator did so already. In a closed namespace no pods are left that a policy could apply to, so there
/// it waits for the system to come back.
#[must_use]
pub fn verdict(plan: &Plan, space: &NamespacePlan, entry: &Entry, was_there: bool) -> Option<Verdict> {
    let is_of_the_platform = was_there || entry.exposes.iter().any(|opened| is_of_the_platform(plan, space, opened));
    let objected = entry.exposes.iter().filter(|_| !is_of_the_platform).find_map(|opened| Some((opened, objection(plan, space, opened)?)));
    match objected {
        Some((opened, cause)) if is_of_the_network(opened) => Some(Verdict::Disable(cause)),
        Some((_, cause)) => Some(Verdict::Delete(cause)),
        None => {
            let applies = space.tolerance.network && space.tolerance.access && !entry.deleting;
            (applies && entry.restorable == Some(true)).then_some(Verdict::Restore)
        }
    }
}

fn is_of_the_network(opened: &str) -> bool {
    opened.split('/').next() == Some(EXPOSES_NETWORK)
}

/// Network policies that a suspension made ineffective and that cannot be put back.
#[must_use]
pub fn unreadable<'a>(space: &NamespacePlan, inventory: &Inventory<'a>) -> Vec<&'a str> {
    inventory.inside(&space.namespace).filter(|(_, entry)| entry.restorable == Some(false)).map(|(key, _)| &*key.name).collect()
}

/// Whether members could never have written this.
fn is_of_the_platform(plan: &Plan, space: &NamespacePlan, opened: &str) -> bool {
    match opened.split_once('/') {
        None => false,
        Some((EXPOSES_NETWORK, _)) => !space.tolerance.repeatable.contains_key(opened),
        Some(("ServiceAccount", account)) => {
            let namespace = account.split('/').next().unwrap_or_default();
            NamespaceName::new(namespace).tenant() != space.namespace.tenant()
        }
        Some((_, name)) => name.starts_with("system:") || !(plan.members.contains(opened) || plan.former.contains(opened)),
    }
}

/// Whether this lets in nobody but workloads of the namespace itself, whose pods end where members have no access. A group of all its
/// accounts is one of them: `deployer` is deleted where members have no access.
fn is_of_a_workload(space: &NamespacePlan, opened: &str) -> bool {
    let account = opened.strip_prefix("ServiceAccount/").and_then(|account| account.split_once('/'));
    account.is_some_and(|(namespace, name)| namespace == space.namespace.as_str() && name != DEPLOYER)
}

fn objection(plan: &Plan, space: &NamespacePlan, opened: &str) -> Option<String> {
    let tolerance = &space.tolerance;
    match opened.split_once('/').map_or(opened, |(kind, _)| kind) {
        EXPOSES_NETWORK if tolerance.network || tolerance.repeatable.get(opened) == Some(&false) => None,
        EXPOSES_NETWORK => Some("the network of a suspended system is closed both ways".into()),
        _ if is_of_a_workload(space, opened) => None,
        _ if !tolerance.access => Some(
            "members have no access to the namespace of a retired or deleted system; apply the binding again when the system runs".into(),
        ),
        _ if plan.former.contains(opened) => {
            let (kind, name) = opened.split_once('/')?;
            Some(format!(
                "{kind} {name} is no longer a member of the agency; apply the binding without that subject, or add it to \
                 spec.members of agencytenant/{} and have that approved",
                space.namespace.tenant()
            ))
        }
        _ => None,
    }
}

/// Network policies of others that stay and may open more than the operator's own: those of an administrator or of a program of the
/// platform, and those that were there before the operator came.
#[must_use]
pub fn wider<'a>(plan: &Plan, space: &NamespacePlan, inventory: &Inventory<'a>) -> Vec<&'a str> {
    let arrival = inventory.of(&space.namespace).arrival.unwrap_or(i64::MAX);
    let opens_more = |entry: &Entry, opened: &str| {
        if space.tolerance.network {
            entry.created < arrival || is_of_the_platform(plan, space, opened)
        } else {
            space.tolerance.repeatable.get(opened) != Some(&false)
        }
    };
    let wider = inventory
        .inside(&space.namespace)
        .filter(|(_, entry)| entry.exposes.iter().filter(|opened| is_of_the_network(opened)).any(|opened| opens_more(entry, opened)));
    wider.map(|(key, _)| &*key.name).collect()
}

/// Users and groups that were members, oldest first, by the contract that is about to be in force: those that its status remembers,
/// those that the change leaves out, and those of the tenant whose namespaces are taken over.
#[must_use]
pub fn former_members(snapshot: &Snapshot, approvals: &Approvals) -> Vec<String> {
    let Some(status) = snapshot.tenant.as_ref().map(|root| &root.status) else { return Vec::new() };
    let people = |contract: &Contract| contract.spec().map_or_else(Vec::new, |spec| people(&spec.members));
    let current: BTreeSet<String> = approvals.contract.iter().flat_map(|(_, contract)| people(contract)).collect();
    let mut former = status.former_members.clone();
    let before = status.contract.iter().chain(snapshot.former.iter().map(|kept| &kept.spec));
    for person in before.flat_map(people) {
        if !former.contains(&person) {
            former.push(person);
        }
    }
    former.retain(|person| !current.contains(person));
    former.drain(..former.len().saturating_sub(MAX_FORMER));
    former
}

/// Accounts are left out: an agency may bind any of its own.
fn people(members: &[Member]) -> Vec<String> {
    members.iter().filter(|member| member.kind != SubjectKind::ServiceAccount).map(member_words).collect()
}
