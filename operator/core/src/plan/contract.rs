//! Request, approval, contract: what of a tenant's spec is served from now on, and what is still asked for.

use crate::{
    api::{
        AgencyTenantSpec,
        agency_tenant::{BetweenSystems, Egress, KubernetesApi, PodSecurity, Role},
        approval::{Approval, Contract, Decision, TenantStage},
    },
    model::{
        amounts::{Amounts, amounts, of},
        root::TenantRoot,
        snapshot::ContractBackup,
        tenant::Problem,
    },
    plan::{quota, spec_diff::difference},
};

/// Where a tenant stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Approvals {
    /// The contract with its generation; none before the first approval.
    pub contract: Option<(i64, Contract)>,
    /// Whether an approver has stopped the tenant.
    pub stopped: bool,
    /// The stage that the status shows.
    pub stage: TenantStage,
    /// What is to be said of the request.
    pub request: Request,
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// It is the contract.
    Granted,
    /// It waits for a decision, and this is how it differs from the contract, one difference a line.
    Pending(Vec<String>),
    /// It was approved, and cannot be served.
    Unserved(Approval),
    /// It was rejected, by whom and why.
    Rejected(Approval),
}

/// Says where a tenant stands, when its request has these problems.
#[must_use]
pub fn approvals(root: &TenantRoot, backup: Option<&ContractBackup>, problems: &[Problem]) -> Approvals {
    let before = current(root, backup);
    let (request, takes_on) = match root.spec.as_ref() {
        Ok(spec) if !root.deleting => judge(root, before.as_ref().map(|(_, contract)| contract), spec, problems),
        _ => (Request::Granted, None), // nothing is asked
    };
    let contract = takes_on.map(|spec| (root.generation, Contract::of(spec))).or(before);
    let stopped = contract.is_some() && is_stopped(root, backup);
    let suspended = stopped || contract.as_ref().and_then(|(_, contract)| contract.spec()).is_some_and(|spec| spec.suspended);
    let stage = match (&contract, &request) {
        _ if root.deleting => TenantStage::Terminating,
        (None, Request::Rejected(_)) => TenantStage::Rejected,
        (None, _) => TenantStage::Requested,
        (Some(_), _) if suspended => TenantStage::Suspended,
        (Some(_), _) => TenantStage::Active,
    };
    Approvals { contract, stopped, stage, request }
}

/// What becomes of a request, and the spec that becomes the contract by it.
///
/// | decision on this generation | valid, and preapproved, approved or narrower | is the contract | becomes |
/// |---|---|---|---|
/// | rejected | any | yes | granted; nothing changes |
/// | rejected | any | no | rejected |
/// | any other, or none | yes | any | granted, and the contract from now on |
/// | any other, or none | no | yes | granted; nothing changes |
/// | approved | no: it is not valid | no | unserved |
/// | none | no | no | pending |
fn judge<'a>(
    root: &TenantRoot,
    contract: Option<&Contract>,
    spec: &'a AgencyTenantSpec,
    problems: &[Problem],
) -> (Request, Option<&'a AgencyTenantSpec>) {
    let decided = root.decision();
    let by = |wanted: Decision| decided.filter(|approval| approval.decision == wanted);
    let served = contract.and_then(Contract::spec);
    let is_current = served == Some(spec);
    let may_change =
        || spec.preapproved || by(Decision::Approved).is_some() || served.is_some_and(|from| narrows(from, spec, &allocated(root)));
    match (by(Decision::Rejected), by(Decision::Approved)) {
        (Some(_), _) if is_current => (Request::Granted, None),
        (Some(approval), _) => (Request::Rejected(approval.clone()), None),
        _ if problems.is_empty() && may_change() => (Request::Granted, Some(spec)),
        _ if is_current => (Request::Granted, None),
        (None, Some(approval)) => (Request::Unserved(approval.clone()), None),
        (None, None) => (Request::Pending(differences(contract, spec)), None),
    }
}

impl Approvals {
    /// Whether it differs from what the status shows, so that it is told before anything follows from it.
    #[must_use]
    pub fn is_new(&self, root: &TenantRoot) -> bool {
        let shown = root.status.contract.as_ref().map(|contract| (root.status.contract_generation.unwrap_or_default(), contract));
        self.contract.as_ref().map(|(generation, contract)| (*generation, contract)) != shown
    }
}

/// How a request differs from what is served, one difference a line.
#[must_use]
pub fn differences(contract: Option<&Contract>, spec: &AgencyTenantSpec) -> Vec<String> {
    difference(contract.and_then(Contract::spec), spec)
}

/// The contract as the status has it or, where that was lost, the copy.
fn current(root: &TenantRoot, backup: Option<&ContractBackup>) -> Option<(i64, Contract)> {
    let shown = root.status.contract.clone().map(|contract| (root.status.contract_generation.unwrap_or_default(), contract));
    shown.or_else(|| backup.map(|backup| (backup.generation, backup.spec.clone())))
}

/// An emergency stop holds until an approval, also where the status was lost with the decision in it: then the copy says so, and
/// after that the stage, unless the contract that was served suspends by itself.
fn is_stopped(root: &TenantRoot, backup: Option<&ContractBackup>) -> bool {
    let Some(served) = &root.status.contract else { return backup.is_some_and(|backup| backup.stopped) };
    match root.status.approval.as_ref().map(|approval| approval.decision) {
        Some(Decision::Suspended) => true,
        Some(Decision::Approved) => false,
        Some(Decision::Rejected) | None => {
            root.status.stage == Some(TenantStage::Suspended) && !served.spec().is_some_and(|spec| spec.suspended)
        }
    }
}

fn allocated(root: &TenantRoot) -> Amounts {
    root.status.quota.as_ref().and_then(|figures| amounts(&figures.allocated).ok()).unwrap_or_default()
}

/// Where a spec asks for less than the systems hold by the status, one amount a line.
#[must_use]
pub fn below_held(root: &TenantRoot, spec: &AgencyTenantSpec) -> Vec<String> {
    let wanted = amounts(&spec.quota).unwrap_or_default();
    allocated(root).iter().filter_map(|(key, held)| quota::below_held(key, of(&wanted, key), *held)).collect()
}

/// Whether a change only takes away what may be taken away without approval; `held` is what the systems hold.
#[must_use]
pub fn narrows(from: &AgencyTenantSpec, to: &AgencyTenantSpec, held: &Amounts) -> bool {
    let mut widened = to.clone();
    if to.suspended {
        widened.suspended = from.suspended;
    }
    if !to.preapproved {
        widened.preapproved = from.preapproved;
    }
    if !to.adopt_namespace {
        widened.adopt_namespace = from.adopt_namespace;
    }
    if to.network.between_systems == BetweenSystems::Deny {
        widened.network.between_systems = from.network.between_systems;
    }
    if to.network.kubernetes_api == KubernetesApi::Deny {
        widened.network.kubernetes_api = from.network.kubernetes_api;
    }
    if to.pod_security == PodSecurity::Restricted {
        widened.pod_security = from.pod_security;
    }
    let granted: Vec<Egress> = from.network.egress.iter().map(Egress::with_protocol).collect();
    if to.network.egress.iter().all(|exit| granted.contains(&exit.with_protocol())) {
        widened.network.egress.clone_from(&from.network.egress);
    }
    if to.images.registries.iter().all(|registry| from.images.registries.contains(registry)) {
        widened.images.registries.clone_from(&from.images.registries);
    }
    let mut leaving = from.members.iter().filter(|member| !to.members.contains(member));
    if leaving.all(|member| member.role != Role::Owner) && to.members.iter().all(|member| from.members.contains(member)) {
        widened.members.clone_from(&from.members);
    }
    if lowers(from, to, held) {
        widened.quota.clone_from(&from.quota);
    }
    widened == *from
}

/// Whether no amount is above the former one or below what is held.
fn lowers(from: &AgencyTenantSpec, to: &AgencyTenantSpec, held: &Amounts) -> bool {
    let (Ok(old), Ok(new)) = (amounts(&from.quota), amounts(&to.quota)) else { return false };
    new.keys().all(|key| old.contains_key(key)) && old.keys().all(|key| of(&new, key) <= of(&old, key) && of(&new, key) >= of(held, key))
}
