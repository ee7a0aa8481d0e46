//! What a tenant shows to others: the only path from one tenant to another.

use std::collections::BTreeMap;

use crate::{
    api::{
        AgencyTenantSpec,
        agency_tenant::{Role, SubjectKind},
        approval::{Contract, Decision},
    },
    model::{
        amounts::{Amounts, amounts},
        names::TenantName,
        root::TenantRoot,
    },
};

/// Requests of the same requester that nobody has decided yet. What is asked for beyond is not looked at.
pub const MAX_OPEN_REQUESTS: usize = 5;
/// Requests of the same requester that the requester sees; those beyond the ones above are shown with the reason why nobody looks at them.
pub const MAX_SHOWN_REQUESTS: usize = 20;

/// What one tenant shows to others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exports {
    /// How old the tenant is, and its name.
    pub age: Age,
    /// The domains that it claims, and by which right.
    pub domains: BTreeMap<String, Right>,
    /// The total of its contract, in sum with others what the cloud has promised.
    pub total: Amounts,
    /// Who asks for it, as long as nobody has decided its first request.
    pub requester: Option<Requester>,
}

/// The older the smaller; of the same age, by name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Age {
    /// `metadata.creationTimestamp`.
    pub created: String,
    /// Name of the tenant.
    pub tenant: TenantName,
}

/// By which right a tenant claims a domain, the strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Right {
    /// The contract has it.
    Contract,
    /// The spec has it, and is approved.
    Approval,
    /// The spec has it.
    Wish,
}

/// Of claims of the same domain, the smallest holds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Claim {
    /// The right.
    pub right: Right,
    /// Of the same right, the older holds.
    pub age: Age,
}

/// Who asks for a tenant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Requester {
    /// Kind of subject.
    pub kind: SubjectKind,
    /// Namespace of a `ServiceAccount`.
    pub namespace: String,
    /// Name of the subject.
    pub name: String,
}

impl Exports {
    /// What this tenant shows.
    #[must_use]
    pub fn of(root: &TenantRoot) -> Self {
        let spec = root.spec.as_ref().ok();
        let decision = root.decision().map(|approval| approval.decision);
        let is_approved = decision == Some(Decision::Approved) || spec.is_some_and(|spec| spec.preapproved);
        let is_open = root.status.contract.is_none() && !is_approved && decision != Some(Decision::Rejected) && !root.deleting;
        let asked = if is_approved { Right::Approval } else { Right::Wish };
        let claims = |spec: Option<&AgencyTenantSpec>, right| -> Vec<(String, Right)> {
            spec.into_iter().flat_map(|spec| &spec.domains).map(|domain| (domain.clone(), right)).collect()
        };
        let mut domains: BTreeMap<String, Right> = claims(spec, asked).into_iter().collect();
        let contract = root.status.contract.as_ref().and_then(Contract::spec);
        domains.extend(claims(contract, Right::Contract));
        Self {
            age: Age { created: root.created.clone(), tenant: TenantName::new(root.name.as_str()) },
            domains,
            total: total(contract, root),
            requester: spec.filter(|_| is_open).and_then(requester),
        }
    }

    /// By which right it claims this domain, and since when.
    #[must_use]
    pub fn claim(&self, right: Right) -> Claim {
        Claim { right, age: self.age.clone() }
    }

    /// The domains that others may not have beside it. What it only wishes is in nobody's way.
    pub fn held(&self) -> impl Iterator<Item = (&str, Right)> {
        self.domains.iter().filter(|(_, right)| **right != Right::Wish).map(|(domain, right)| (domain.as_str(), *right))
    }
}

/// The total of the contract or, as long as it cannot be lowered to that, the higher one that is served.
fn total(contract: Option<&AgencyTenantSpec>, root: &TenantRoot) -> Amounts {
    let mut total = contract.and_then(|contract| amounts(&contract.quota).ok()).unwrap_or_default();
    let served = root.status.quota.as_ref().and_then(|figures| amounts(&figures.total).ok()).unwrap_or_default();
    for (key, amount) in served {
        let promised = total.entry(key).or_default();
        *promised = amount.max(*promised);
    }
    total
}

/// Whoever asks stands first, as Owner: a policy makes sure of that for everybody who asks for oneself.
fn requester(spec: &AgencyTenantSpec) -> Option<Requester> {
    let first = spec.members.first().filter(|member| member.role == Role::Owner)?;
    Some(Requester { kind: first.kind, namespace: first.namespace.clone(), name: first.name.clone() })
}

/// Whether two domains are the same, or one is below the other.
#[must_use]
pub fn overlap(one: &str, other: &str) -> bool {
    let below = |inner: &str, outer: &str| inner.strip_suffix(outer).is_some_and(|rest| rest.ends_with('.'));
    one == other || below(one, other) || below(other, one)
}
