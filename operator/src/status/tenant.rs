//! Status of an `AgencyTenant`.

use crate::{
    api::{
        AgencyTenantStatus, HostedSystemStatus, Stage,
        agency_tenant::{QuotaFigures, Summary, SystemCounts},
    },
    names::NamespaceName,
    plan::{
        Plan,
        amount::{self, Amount, Amounts, resources},
        ledger,
        ledger::{entries, rises},
        snapshot::{Snapshot, TenantRoot},
    },
    status::{
        Facts,
        conditions::{Judgement, conditions, kind, reason, stalled, summary},
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
        summary: Some(short(quota.as_ref(), systems)),
        quota,
        grants: if served { Some(entries(&facts.plan.allocation.ledger)) } else { root.status.grants.clone() },
        systems: Some(counts(facts)),
        conditions: conditions(&root.status.conditions, judge(facts, root, systems), root.generation, facts.now),
    }
}

/// What must be told before any of it is handed out: a ledger in which something rises, and the total that covers it.
#[must_use]
pub fn beforehand(snapshot: &Snapshot, plan: &Plan) -> Option<AgencyTenantStatus> {
    let root = snapshot.tenant.as_ref().filter(|_| !plan.spaces.is_empty())?;
    if !rises(&ledger(snapshot).unwrap_or_default(), &plan.allocation.ledger) {
        return None;
    }
    let mut status = root.status.clone();
    let some = plan.allocation.total.iter().filter(|(_, amount)| **amount > Amount::ZERO);
    let mut figures = status.quota.take().unwrap_or_default();
    figures.total = resources(&some.map(|(key, amount)| (key.clone(), *amount)).collect());
    status.quota = Some(figures);
    status.grants = Some(entries(&plan.allocation.ledger));
    Some(status)
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
    let accepted = match &facts.intent.tenant {
        Some(Err(problems)) => {
            Judgement::no(kind::ACCEPTED, reason::INVALID, format!("{}; until then everything is kept as it is", list(problems)))
        }
        _ => Judgement::yes(kind::ACCEPTED, reason::ACCEPTED, "the spec can be served"),
    };
    let home = facts.snapshot.name.home();
    let cause = (accepted.holds == Some(false)).then(|| (accepted.reason, accepted.message.clone()));
    let failure = facts.outcome.failure(&home).filter(|failure| failure.stalled);
    let cause = cause.or_else(|| failure.map(|failure| (failure.reason, failure.sentence(&home))));
    let provisioned = match &facts.intent.tenant {
        Some(Err(_)) => Judgement::unknown(kind::PROVISIONED, reason::INVALID, "the spec cannot be served; everything is kept as it is"),
        _ => with_untouched(facts.provisioned(&home), &facts.plan.untouched),
    };
    let mut judged = vec![accepted, provisioned, within_budget(facts)];
    let ready = systems.iter().filter(|status| is_ready(status)).count();
    judged.push(if root.deleting {
        Judgement::no(kind::READY, reason::DELETING, "the tenant is being deleted: its namespaces close")
    } else {
        summary(&judged, reason::READY, format!("the home namespace is there; {ready} of {} hosted systems are ready", systems.len()))
    });
    judged.push(stalled(cause));
    judged
}

/// Namespaces of which nothing is planned are told, or nobody would know why they are as they are.
fn with_untouched(mut judged: Judgement, untouched: &[NamespaceName]) -> Judgement {
    if !untouched.is_empty() {
        let names: Vec<&str> = untouched.iter().map(NamespaceName::as_str).collect();
        judged.message = format!(
            "{}; kept as they are until their systems are declared again, which also closes them as Retired: {}",
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
        _ if facts.plan.spaces.is_empty() => {
            Judgement::unknown(kind::QUOTA_WITHIN_BUDGET, reason::PROGRESSING, "nothing is handed out in this state")
        }
        Some(numbers) => Judgement::no(
            kind::QUOTA_WITHIN_BUDGET,
            reason::LOWERING_PENDING,
            format!(
                "{numbers}; the former total is served until systems give up so much, so lower or retire some, or raise spec.quota again"
            ),
        ),
        None if waiting > 0 => Judgement::yes(
            kind::QUOTA_WITHIN_BUDGET,
            reason::WITHIN_BUDGET,
            format!("hosted systems that wait for a share that is not free: {waiting}"),
        ),
        None => Judgement::yes(kind::QUOTA_WITHIN_BUDGET, reason::WITHIN_BUDGET, "every share fits the total"),
    }
}

fn is_ready(status: &HostedSystemStatus) -> bool {
    status.conditions.iter().any(|condition| condition.kind == kind::READY && condition.status == "True")
}

/// Figures of the keys that the tenant's total names, and of others that are not 0.
fn figures(facts: &Facts) -> QuotaFigures {
    let mut used = Amounts::new();
    for (_, quota) in facts.plan.identity.quotas(&facts.snapshot.observed) {
        amount::add(&mut used, &quota.used);
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
