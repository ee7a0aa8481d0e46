//! Request, approval, contract: what of a tenant's spec is served from now on, and what is still asked for.

use crate::{
    api::{
        AgencyTenantSpec, AgencyTenantStatus, Resources,
        approval::{Approval, Contract, Decision, TenantStage},
        history::{HistoryEntry, HistoryEvent},
    },
    model::{
        amounts::{Amounts, amounts, of},
        approval_policies::ApprovalPolicies,
        root::TenantRoot,
        snapshot::ContractBackup,
        tenant::Problem,
    },
    plan::{approval_policies, narrowing::narrows, quota, spec_diff::difference},
};

/// Where a tenant stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Approvals {
    /// The contract with its generation; none before the first approval.
    pub contract: Option<(i64, Contract)>,
    /// Why the contract becomes another one now; none where it stays as the status has it.
    pub takes_on: Option<Grounds>,
    /// How what is asked for differs from what was served until now, one difference a line.
    pub differences: Vec<String>,
    /// Amounts of the spec's quota that an approver declined.
    pub declined: Resources,
    /// The quota that a person approved last, where policies have approved more since.
    pub reviewed_quota: Option<Resources>,
    /// Whether an approver has stopped the tenant.
    pub stopped: bool,
    /// The stage that the status shows.
    pub stage: TenantStage,
    /// What is to be said of the request.
    pub request: Request,
}

/// Why a spec becomes the contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Grounds {
    /// The platform wrote it.
    Platform,
    /// An approver approved it.
    Approver,
    /// It only takes away.
    Narrower,
    /// Policies of the platform approve it; their names, as the history has them.
    Policies(String),
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// It is the contract.
    Granted,
    /// It waits for a decision.
    Pending,
    /// It needs no decision, and cannot be served.
    Invalid,
    /// It was approved, and cannot be served.
    Unserved(Approval),
    /// It was rejected, by whom and why.
    Rejected(Approval),
}

/// What is known beside the tenant itself.
#[derive(Clone, Copy, Debug)]
pub struct Circumstances<'a> {
    /// The copy of the contract, where the status has none.
    pub backup: Option<&'a ContractBackup>,
    /// What is wrong with the request.
    pub problems: &'a [Problem],
    /// What needs no person.
    pub policies: &'a ApprovalPolicies,
    /// The sum of the totals of all other tenants.
    pub promised: &'a Amounts,
}

/// Says where a tenant stands.
#[must_use]
pub fn approvals(root: &TenantRoot, circumstances: Circumstances) -> Approvals {
    let before = current(root, circumstances.backup);
    let served = before.as_ref().and_then(|(_, contract)| contract.spec());
    let asked = root.spec.as_ref().ok().filter(|_| !root.deleting).map(|spec| asked_for(&root.status, root.generation, served, spec));
    let stopped_before = before.is_some() && is_stopped(root, circumstances.backup);
    let (request, takes_on) = match &asked {
        Some(asked) => judge(root, served, asked, stopped_before, circumstances),
        None => (Request::Granted, None), // nothing is asked
    };
    let differs = asked.as_ref().filter(|asked| served != Some(*asked));
    let differences = differs.map_or_else(Vec::new, |asked| difference(served, asked));
    let declined = match (&root.spec, &asked) {
        (Ok(spec), Some(asked)) if takes_on.is_some() => declined(spec, asked),
        _ => root.status.declined.clone(),
    };
    let reviewed_quota = match (&takes_on, &root.status.reviewed_quota) {
        (Some(Grounds::Approver | Grounds::Platform), _) => None,
        (Some(Grounds::Policies(_)), None) => served.map(|served| served.quota.clone()),
        (_, reviewed) => reviewed.clone(),
    };
    let becomes = asked.as_ref().filter(|_| takes_on.is_some()).map(|asked| (root.generation, Contract::of(asked)));
    let contract = becomes.or(before);
    let stopped = contract.is_some() && is_stopped(root, circumstances.backup);
    let suspended = stopped || contract.as_ref().and_then(|(_, contract)| contract.spec()).is_some_and(|spec| spec.suspended);
    let stage = match (&contract, &request) {
        _ if root.deleting => TenantStage::Terminating,
        (None, Request::Rejected(_)) => TenantStage::Rejected,
        (None, _) => TenantStage::Requested,
        (Some(_), _) if suspended => TenantStage::Suspended,
        (Some(_), _) => TenantStage::Active,
    };
    Approvals { contract, takes_on, differences, declined, reviewed_quota, stopped, stage, request }
}

/// The spec with the amounts that are asked for: an approver may grant less, and what was declined is not asked for again.
pub(super) fn asked_for(
    status: &AgencyTenantStatus,
    generation: i64,
    served: Option<&AgencyTenantSpec>,
    spec: &AgencyTenantSpec,
) -> AgencyTenantSpec {
    let mut asked = spec.clone();
    let is_grant = |approval: &&Approval| approval.decision == Decision::Approved && approval.generation == generation;
    let granted = status.approval.as_ref().filter(is_grant).map(|approval| &approval.quota);
    for (key, amount) in &mut asked.quota {
        let less = granted.and_then(|quota| quota.get(key));
        let declined = || status.declined.get(key).filter(|declined| *declined == amount);
        if let Some(less) = less.or_else(|| declined().and_then(|_| served?.quota.get(key))) {
            amount.clone_from(less);
        }
    }
    asked
}

/// The amounts that the spec names and the contract does not have.
fn declined(spec: &AgencyTenantSpec, contract: &AgencyTenantSpec) -> Resources {
    let differing = spec.quota.iter().filter(|(key, amount)| contract.quota.get(*key) != Some(*amount));
    differing.map(|(key, amount)| (key.clone(), amount.clone())).collect()
}

/// What becomes of a request, and why it becomes the contract.
///
/// | decision on this generation | valid, and preapproved, approved, narrower or small | is the contract | becomes |
/// |---|---|---|---|
/// | rejected | any | yes | granted; nothing changes |
/// | rejected | any | no | rejected |
/// | any other, or none | yes | any | granted, and the contract from now on |
/// | any other, or none | no | yes | granted; nothing changes |
/// | approved | no: it is not valid | no | unserved |
/// | none | no: it is not valid, and preapproved | no | invalid |
/// | none | no | no | pending |
fn judge(
    root: &TenantRoot,
    served: Option<&AgencyTenantSpec>,
    asked: &AgencyTenantSpec,
    stopped: bool,
    Circumstances { problems, policies, promised, .. }: Circumstances,
) -> (Request, Option<Grounds>) {
    let decided = root.decision();
    let rejected = rejection(root);
    let by = |wanted: Decision| decided.filter(|approval| approval.decision == wanted);
    let is_current = served == Some(asked);
    let small = || {
        // Where a person has spoken last against the agency, a person decides.
        let refused = root.status.approval.as_ref().is_some_and(|approval| approval.decision == Decision::Rejected);
        let from = served.filter(|_| !stopped && !refused && decided.is_none())?;
        if asked.quota.iter().any(|(key, amount)| root.status.declined.contains_key(key) && from.quota.get(key) != Some(amount)) {
            return None;
        }
        let reviewed = root.status.reviewed_quota.as_ref().unwrap_or(&from.quota);
        approval_policies::approving(from, asked, &allocated(root), policies, reviewed, promised).map(Grounds::Policies)
    };
    let grounds = || match () {
        () if asked.preapproved => Some(Grounds::Platform),
        () if by(Decision::Approved).is_some() => Some(Grounds::Approver),
        () if served.is_some_and(|from| narrows(from, asked, &allocated(root))) => Some(Grounds::Narrower),
        () => small(),
    };
    match (rejected, by(Decision::Approved)) {
        (Some(_), _) if is_current => (Request::Granted, None),
        (Some(approval), _) => (Request::Rejected(approval), None),
        _ if let Some(grounds) = grounds().filter(|_| problems.is_empty()) => {
            // Nothing is new where this generation is the contract already.
            let is_new = !is_current || root.status.contract_generation != Some(root.generation);
            (Request::Granted, Some(grounds).filter(|_| is_new))
        }
        _ if is_current => (Request::Granted, None),
        (None, Some(approval)) => (Request::Unserved(approval.clone()), None),
        (None, None) if asked.preapproved => (Request::Invalid, None),
        (None, None) => (Request::Pending, None),
    }
}

/// The rejection of the present generation. A stop that came after it, and its end, leave it as it was.
fn rejection(root: &TenantRoot) -> Option<Approval> {
    let decision = root.decision()?;
    if decision.decision == Decision::Rejected {
        return Some(decision.clone());
    }
    let about_request = |entry: &&HistoryEntry| matches!(entry.event, HistoryEvent::Approved | HistoryEvent::Rejected);
    let last = root.status.history.iter().rev().filter(|entry| entry.generation == root.generation).find(about_request)?;
    let HistoryEntry { time, by, generation, reason, .. } = last.clone();
    let is_stop = matches!(decision.decision, Decision::Suspended | Decision::Resumed);
    (is_stop && last.event == HistoryEvent::Rejected).then(|| Approval {
        decision: Decision::Rejected,
        generation,
        by,
        reason,
        quota: Resources::new(),
        time: Some(time),
    })
}

impl Approvals {
    /// Whether it differs from what the status shows, so that it is told before anything follows from it.
    #[must_use]
    pub fn is_new(&self, root: &TenantRoot) -> bool {
        let shown = root.status.contract.as_ref().map(|contract| (root.status.contract_generation.unwrap_or_default(), contract));
        self.contract.as_ref().map(|(generation, contract)| (*generation, contract)) != shown
    }
}

/// How the spec of this generation differs from what is served, one difference a line; what an approver declined is not asked for again.
#[must_use]
pub fn differences(status: &AgencyTenantStatus, generation: i64, spec: &AgencyTenantSpec) -> Vec<String> {
    let served = status.contract.as_ref().and_then(Contract::spec);
    difference(served, &asked_for(status, generation, served, spec))
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
        Some(Decision::Approved | Decision::Resumed) => false,
        Some(Decision::Rejected) | None => {
            root.status.stage == Some(TenantStage::Suspended) && !served.spec().is_some_and(|spec| spec.suspended)
        }
    }
}

fn allocated(root: &TenantRoot) -> Amounts {
    root.status.quota.as_ref().and_then(|figures| amounts(&figures.allocated).ok()).unwrap_or_default()
}

/// Where less is asked for than the systems hold by the status, one amount a line.
#[must_use]
pub fn below_held(root: &TenantRoot) -> Vec<String> {
    let Ok(spec) = &root.spec else { return Vec::new() };
    let served = root.status.contract.as_ref().and_then(Contract::spec);
    let wanted = amounts(&asked_for(&root.status, root.generation, served, spec).quota).unwrap_or_default();
    allocated(root).iter().filter_map(|(key, held)| quota::below_held(key, of(&wanted, key), *held)).collect()
}
