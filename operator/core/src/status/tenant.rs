//! Status of an `AgencyTenant`.

use crate::{
    api::{
        AgencyTenantStatus, HostedSystemStatus, Stage,
        approval::{Approval, Decision, TenantStage},
        conditions::{find, kind, reason},
        tenant_status::{QuotaFigures, Summary, SystemCounts},
    },
    model::{
        amounts::{self, Amount, Amounts, resources},
        names::NamespaceName,
        snapshot::TenantRoot,
    },
    plan::{contract::Request, ledger::entries},
    status::{
        Facts, being_deleted,
        conditions::{Judgement, conditions, stalled, summary},
        system::list,
    },
};

/// Judges the tenant; `systems` are the statuses of this round, in the order of the snapshot.
#[must_use]
pub fn status(facts: &Facts, root: &TenantRoot, systems: &[HostedSystemStatus]) -> AgencyTenantStatus {
    let served = matches!(facts.intent.tenant, Some(Ok(_))) && !facts.plan.spaces.is_empty();
    let quota = if served { Some(figures(facts)) } else { root.status.quota.clone() };
    AgencyTenantStatus {
        observed_generation: root.generation,
        stage: facts.intent.standing.as_ref().map(|standing| standing.stage),
        approval: root.status.approval.clone(),
        contract_generation: root.status.contract_generation,
        contract: root.status.contract.clone(),
        former_members: root.status.former_members.clone(),
        summary: Some(short(quota.as_ref(), systems)),
        quota,
        grants: if served { Some(entries(&facts.plan.allocation.ledger)) } else { root.status.grants.clone() },
        systems: Some(counts(facts)),
        conditions: conditions(&root.status.conditions, judge(facts, root, systems), root.generation, &facts.time()),
    }
}

/// Whether two statuses differ in nothing but figures of use, which may be written late.
#[must_use]
pub fn differ_in_use_only(one: &AgencyTenantStatus, other: &AgencyTenantStatus) -> bool {
    let without_use = |status: &AgencyTenantStatus| {
        let mut status = status.clone();
        if let Some(quota) = &mut status.quota {
            quota.used.clear();
        }
        if let Some(summary) = &mut status.summary {
            summary.cpu.clear();
            summary.memory.clear();
        }
        status
    };
    one != other && without_use(one) == without_use(other)
}

fn judge(facts: &Facts, root: &TenantRoot, systems: &[HostedSystemStatus]) -> Vec<Judgement> {
    let accepted = accepted(facts);
    let approved = approved(facts, root);
    let home = facts.snapshot.name.home();
    let rejected = approved.reason == reason::REJECTED && root.status.contract.is_none();
    let refused = [(&accepted, accepted.holds == Some(false)), (&approved, rejected)];
    let cause = refused.into_iter().find(|(_, is_so)| *is_so).map(|(judgement, _)| (judgement.reason, judgement.message.clone()));
    let failure = facts.outcome.failure(&home).filter(|failure| failure.stalled);
    let cause = cause.or_else(|| failure.map(|failure| (failure.reason, failure.sentence(&home))));
    let namespaces = facts.plan.spaces.iter().map(|space| &space.namespace);
    let stuck =
        namespaces.filter(|_| root.deleting).find_map(|namespace| facts.remaining(namespace).map(|remaining| (namespace, remaining)));
    let cause = cause.or_else(|| stuck.as_ref().and_then(|(namespace, _)| facts.held_by_finalizers(namespace)));
    let provisioned = match &facts.intent.tenant {
        Some(Err(_)) if root.status.contract.is_none() => door(facts),
        Some(Err(problems)) => Judgement::unknown(
            kind::PROVISIONED,
            reason::INVALID,
            format!("the contract is not valid, so nothing is changed: {}", list(problems)),
        ),
        _ => match (facts.provisioned(&home), door(facts)) {
            (Judgement { holds: Some(true), .. }, shut @ Judgement { holds: Some(false), .. }) => shut,
            (judged, _) => with_untouched(judged, &facts.plan.untouched),
        },
    };
    let served = root.status.contract.is_some() && approved.reason != reason::STOPPED;
    let mut judged = vec![accepted, provisioned, within_budget(facts)];
    let pending = if approved.holds == Some(true) { String::new() } else { format!("; {}: see condition Approved", approved.reason) };
    // A contract is served whatever else is asked for; without one, the approval is what is waited for.
    judged.insert(1, approved);
    let ready = systems.iter().filter(|status| is_ready(status)).count();
    judged.push(if root.deleting {
        let stuck = stuck.map_or_else(String::new, |(namespace, remaining)| format!("; {}", being_deleted(namespace, Some(&remaining))));
        Judgement::no(kind::READY, reason::DELETING, format!("the tenant is being deleted: its namespaces are closed first{stuck}"))
    } else {
        let counted: Vec<_> = judged.iter().filter(|judgement| !(served && judgement.kind == kind::APPROVED)).cloned().collect();
        let well = match facts.intent.standing.as_ref().map(|standing| standing.stage) {
            Some(TenantStage::Suspended) => reason::SUSPENDED,
            _ => reason::READY,
        };
        summary(&counted, well, format!("the contract is in force; {ready} of {} hosted systems are ready{pending}", systems.len()))
    });
    judged.push(stalled(cause));
    judged
}

fn accepted(facts: &Facts) -> Judgement {
    match &facts.intent.request {
        Some(problems) if !problems.is_empty() => {
            let kept = if facts.intent.standing.as_ref().is_some_and(|standing| standing.contract.is_some()) {
                "; until this is corrected, the approved contract stays in force"
            } else {
                "; until this is corrected, nothing is created"
            };
            Judgement::no(kind::ACCEPTED, reason::INVALID, format!("{}{kept}", list(problems)))
        }
        _ => Judgement::yes(kind::ACCEPTED, reason::ACCEPTED, format!("the spec is valid{}", facts.without_ingress())),
    }
}

/// Whether the spec is the contract; if not, what it would change and who decides.
fn approved(facts: &Facts, root: &TenantRoot) -> Judgement {
    let Some(standing) = &facts.intent.standing else {
        return Judgement::unknown(kind::APPROVED, reason::PROGRESSING, "the spec has not been processed yet");
    };
    let by = root.status.approval.as_ref().filter(|approval| approval.decision != Decision::Rejected);
    let why = |approval: &Approval| if approval.reason.is_empty() { "no reason given" } else { &approval.reason }.to_owned();
    match (&standing.request, by) {
        _ if standing.stopped => {
            let words = by.map_or("an approver".to_owned(), |approval| format!("{} ({})", approval.by, why(approval)));
            let message = format!(
                "stopped by {words}: the network of all systems is closed and no new pod is admitted, until an approver approves a generation"
            );
            Judgement::no(kind::APPROVED, reason::STOPPED, message)
        }
        (Request::Rejected(approval), _) => {
            let kept = if standing.contract.is_some() { "; the former contract stays in force" } else { "" };
            let message = format!(
                "generation {} was rejected by {}: {}{kept}; edit the spec to make a new request",
                approval.generation,
                approval.by,
                why(approval)
            );
            Judgement::no(kind::APPROVED, reason::REJECTED, message)
        }
        (Request::Unserved(approval), _) => {
            let message = format!(
                "generation {} was approved by {} but is not valid: see condition Accepted; correct the spec, and have it approved again",
                approval.generation, approval.by
            );
            Judgement::no(kind::APPROVED, reason::INVALID, message)
        }
        (Request::Pending(lines), _) => {
            let (reason, kept) = match &standing.contract {
                Some((generation, _)) => (reason::CHANGE_PENDING, format!("; generation {generation} stays in force until then")),
                None => (reason::REQUESTED, String::new()),
            };
            let message = format!("generation {} waits for an approver{kept}. Asked for: {}", root.generation, lines.join("; "));
            Judgement::no(kind::APPROVED, reason, message)
        }
        (Request::Granted, _) if root.spec.as_ref().is_ok_and(|spec| spec.preapproved) => {
            Judgement::yes(kind::APPROVED, reason::PREAPPROVED, "spec.preapproved is true, so no approval is needed")
        }
        (Request::Granted, Some(approval)) => {
            Judgement::yes(kind::APPROVED, reason::APPROVED, format!("generation {} was approved by {}", approval.generation, approval.by))
        }
        (Request::Granted, None) => Judgement::yes(kind::APPROVED, reason::APPROVED, "this spec is approved"),
    }
}

/// Before anything is served, what there is to be seen is the way to the request itself.
fn door(facts: &Facts) -> Judgement {
    match facts.outcome.failure(&NamespaceName::cluster()) {
        Some(failure) => Judgement::no(kind::PROVISIONED, failure.reason, failure.sentence(&NamespaceName::cluster())),
        None => Judgement::unknown(kind::PROVISIONED, reason::REQUESTED, "nothing is created before the request is approved"),
    }
}

/// Namespaces of which nothing is planned are told, or nobody would know why they are as they are.
fn with_untouched(mut judged: Judgement, untouched: &[NamespaceName]) -> Judgement {
    if !untouched.is_empty() {
        let names: Vec<&str> = untouched.iter().map(NamespaceName::as_str).collect();
        judged.message = format!(
            "{}; not changed until their systems are declared again (declare them with stage Retired to close them): {}",
            judged.message,
            names.join(", ")
        );
    }
    judged
}

fn within_budget(facts: &Facts) -> Judgement {
    let allocation = &facts.plan.allocation;
    let waiting = allocation.grants.values().filter(|grant| grant.waiting.is_some()).count();
    match &allocation.lowering {
        _ if facts.plan.spaces.is_empty() => Judgement::unknown(
            kind::QUOTA_WITHIN_BUDGET,
            reason::PROGRESSING,
            "no contract is applied at present, so no quota is handed out",
        ),
        Some(numbers) => Judgement::no(
            kind::QUOTA_WITHIN_BUDGET,
            reason::LOWERING_PENDING,
            format!(
                "{numbers}; the former total stays in force until the systems hold no more than that: lower the shares of some, retire some, or raise spec.quota again"
            ),
        ),
        None if waiting > 0 => Judgement::yes(
            kind::QUOTA_WITHIN_BUDGET,
            reason::WITHIN_BUDGET,
            format!("{waiting} hosted systems wait for a share that is not free; their condition QuotaGranted has the numbers"),
        ),
        None => Judgement::yes(kind::QUOTA_WITHIN_BUDGET, reason::WITHIN_BUDGET, "the shares of all systems fit into the total"),
    }
}

fn is_ready(status: &HostedSystemStatus) -> bool {
    find(&status.conditions, kind::READY).is_some_and(|condition| condition.status == "True")
}

/// Figures of the keys that the tenant's total names, and of others that are not 0.
fn figures(facts: &Facts) -> QuotaFigures {
    let mut used = Amounts::new();
    for (_, quota) in facts.plan.identity.quotas(&facts.snapshot.observed) {
        amounts::add(&mut used, &quota.used);
    }
    let allocation = &facts.plan.allocation;
    let named = |key: &String| allocation.total.get(key).is_some_and(|total| *total > Amount::ZERO);
    let shown =
        |amounts: &Amounts| resources(&amounts.iter().filter(|(key, _)| named(key)).map(|(key, amount)| (key.clone(), *amount)).collect());
    QuotaFigures { total: shown(&allocation.total), allocated: shown(&allocation.allocated), used: shown(&used) }
}

fn short(quota: Option<&QuotaFigures>, systems: &[HostedSystemStatus]) -> Summary {
    let of = |key: &str| {
        let text = |amounts: &crate::api::Resources| amounts.get(key).map_or("0", |quantity| quantity.as_str()).to_owned();
        quota.map(|figures| format!("{}/{}", text(&figures.used), text(&figures.total))).unwrap_or_default()
    };
    let ready = systems.iter().filter(|status| is_ready(status)).count();
    Summary { systems: format!("{ready}/{}", systems.len()), cpu: of("requests.cpu"), memory: of("requests.memory") }
}

/// Systems by wanted stage.
fn counts(facts: &Facts) -> SystemCounts {
    let mut counts = SystemCounts::default();
    for root in &facts.snapshot.systems {
        counts.total += 1;
        match root.spec.as_ref().map(|spec| spec.stage) {
            Ok(Stage::Testing) => counts.testing += 1,
            Ok(Stage::Running) => counts.running += 1,
            Ok(Stage::Suspended) => counts.suspended += 1,
            Ok(Stage::Retired) => counts.retired += 1,
            Err(_) => {}
        }
    }
    counts
}
