//! Status of an `AgencyTenant`.

use crate::{
    api::{
        AgencyTenantStatus, DeletionPolicy, HostedSystemStatus, Stage,
        approval::{Approval, Contract, TenantStage},
        conditions::{find, kind, reason},
        history::{HistoryEntry, HistoryEvent},
        tenant_status::{QuotaFigures, Summary, SystemCounts},
    },
    model::{
        amounts::{self, Amount, Amounts, resources},
        names::NamespaceName,
        observed::Remaining,
        root::TenantRoot,
    },
    plan::{
        contract::{Approvals, Request},
        history::{self, made},
        ledger::entries,
    },
    status::{
        StatusInput, being_deleted,
        conditions::{NewCondition, conditions, stalled, summary},
        stop::stop_words,
        system::list,
    },
};

/// Judges the tenant; `systems` are the statuses of this round, in the order of the snapshot.
#[must_use]
pub fn status(input: &StatusInput, root: &TenantRoot, systems: &[HostedSystemStatus]) -> AgencyTenantStatus {
    let served = matches!(input.intent.tenant, Some(Ok(_))) && !input.plan.namespaces.is_empty();
    let quota = if served { Some(figures(input)) } else { root.status.quota.clone() };
    AgencyTenantStatus {
        observed_generation: root.generation,
        stage: input.intent.approvals.as_ref().map(|approvals| approvals.stage),
        approval: root.status.approval.clone(),
        contract_generation: root.status.contract_generation,
        contract: root.status.contract.clone(),
        declined: root.status.declined.clone(),
        reviewed_quota: root.status.reviewed_quota.clone(),
        history: root.status.history.clone(),
        former_members: root.status.former_members.clone(),
        summary: Some(short(quota.as_ref(), systems)),
        quota,
        grants: if served { Some(entries(&input.plan.allocation.ledger)) } else { root.status.grants.clone() },
        systems: Some(counts(input)),
        conditions: conditions(&root.status.conditions, judge(input, root, systems), root.generation, &input.snapshot.time()),
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
            // What is given stands in `quota` too.
            *summary = Summary { systems: std::mem::take(&mut summary.systems), ..Summary::default() };
        }
        status
    };
    one != other && without_use(one) == without_use(other)
}

fn judge(input: &StatusInput, root: &TenantRoot, systems: &[HostedSystemStatus]) -> Vec<NewCondition> {
    let (accepted, approved) = (accepted(input), approved(input, root));
    let stalled = stalled_by(input, root, &accepted, &approved);
    let checks = [accepted, approved, provisioned(input, root), within_budget(input)];
    let ready = ready(input, root, &checks, systems);
    checks.into_iter().chain([ready, stalled]).collect()
}

/// The first cause that waiting does not cure.
fn stalled_by(input: &StatusInput, root: &TenantRoot, accepted: &NewCondition, approved: &NewCondition) -> NewCondition {
    let home = input.snapshot.name.home();
    let rejected = approved.reason == reason::REJECTED;
    let cause = accepted
        .cause()
        .or_else(|| approved.cause().filter(|_| rejected))
        .or_else(|| input.stalling_failure(&home))
        .or_else(|| stuck(input, root).and_then(|(namespace, _)| input.held_by_finalizers(namespace)));
    stalled(cause)
}

/// The first namespace of a deleted tenant whose deletion takes longer than usual, and what remains in it.
fn stuck<'a>(input: &StatusInput<'a>, root: &TenantRoot) -> Option<(&'a NamespaceName, Remaining)> {
    let mut namespaces = input.plan.namespaces.iter().map(|space| &space.namespace).filter(|_| root.deleting);
    namespaces.find_map(|namespace| input.remaining(namespace).map(|remaining| (namespace, remaining)))
}

fn provisioned(input: &StatusInput, root: &TenantRoot) -> NewCondition {
    match &input.intent.tenant {
        Some(Err(_)) if root.status.contract.is_none() => access_condition(input),
        Some(Err(problems)) => NewCondition::unknown(
            kind::PROVISIONED,
            reason::INVALID,
            format!("the contract is not valid, so nothing is changed: {}", list(problems)),
        ),
        _ => match (input.provisioned(&input.snapshot.name.home()), access_condition(input)) {
            (NewCondition { holds: Some(true), .. }, shut @ NewCondition { holds: Some(false), .. }) => shut,
            (judged, _) => with_untouched(judged, &input.plan.untouched),
        },
    }
}

fn ready(input: &StatusInput, root: &TenantRoot, checks: &[NewCondition], systems: &[HostedSystemStatus]) -> NewCondition {
    if root.deleting && !input.snapshot.crds.ending {
        let stuck = stuck(input, root).map_or_else(String::new, |(namespace, left)| format!("; {}", being_deleted(namespace, Some(&left))));
        let message = format!("the tenant is being deleted: its namespaces are closed first{stuck}");
        return NewCondition::no(kind::READY, reason::DELETING, message);
    }
    let well = match input.intent.approvals.as_ref().map(|approvals| approvals.stage) {
        Some(TenantStage::Suspended) => reason::SUSPENDED,
        _ => reason::READY,
    };
    let ready = systems.iter().filter(|status| is_ready(status)).count();
    summary(checks, well, format!("the contract is in force; {ready} of {} hosted systems are ready", systems.len()))
}

fn accepted(input: &StatusInput) -> NewCondition {
    match &input.intent.request {
        Some(problems) if !problems.is_empty() => {
            let kept = if input.intent.approvals.as_ref().is_some_and(|approvals| approvals.contract.is_some()) {
                "; until this is corrected, the approved contract stays in force"
            } else {
                "; until this is corrected, nothing is created"
            };
            NewCondition::no(kind::ACCEPTED, reason::INVALID, format!("{}{kept}", list(problems)))
        }
        _ => NewCondition::yes(kind::ACCEPTED, reason::ACCEPTED, format!("the spec is valid{}", input.without_ingress())),
    }
}

/// Whether the spec is the contract; if not, what it would change and who decides.
fn approved(input: &StatusInput, root: &TenantRoot) -> NewCondition {
    let Some(approvals) = &input.intent.approvals else {
        return NewCondition::unknown(kind::APPROVED, reason::PROGRESSING, "the spec has not been processed yet");
    };
    let no = |reason, message| NewCondition::no(kind::APPROVED, reason, message);
    match &approvals.request {
        _ if approvals.stopped => no(reason::STOPPED, stopped(root, approvals, matches!(input.intent.tenant, Some(Ok(_))))),
        Request::Rejected(approval) => {
            let kept = if approvals.contract.is_some() { "; the former contract stays in force" } else { "" };
            no(reason::REJECTED, format!("{}{kept}; edit the spec to make a new request", told(approval, "rejected")))
        }
        Request::Unserved(approval) => {
            let cure = "but is not valid: see condition Accepted; correct the spec, and have it approved again";
            no(reason::INVALID, format!("{}, {cure}", told(approval, "approved")))
        }
        Request::Invalid => no(
            reason::INVALID,
            format!("generation {} needs no approval but is not valid: see condition Accepted; correct the spec", root.generation),
        ),
        Request::Pending => {
            let (reason, kept) = match &approvals.contract {
                Some((generation, _)) => (reason::CHANGE_PENDING, format!("; generation {generation} stays in force until then")),
                None => (reason::REQUESTED, String::new()),
            };
            no(reason, format!("{}{kept}. Asked for: {}", waiting(root), approvals.differences.join("; ")))
        }
        Request::Granted if root.spec.as_ref().is_ok_and(|spec| spec.preapproved) => {
            let overwritten = made(&root.status.history).filter(|entry| entry.generation == root.generation);
            let overwritten =
                overwritten.and_then(|entry| entry.reason.split_once("; ")).map_or_else(String::new, |(_, what)| format!("; {what}"));
            NewCondition::yes(
                kind::APPROVED,
                reason::PREAPPROVED,
                format!("spec.preapproved is true, so no approval is needed{overwritten}"),
            )
        }
        Request::Granted => NewCondition::yes(kind::APPROVED, reason::APPROVED, contract_words(root)),
    }
}

/// By whom, when and why a generation was decided on.
fn told(approval: &Approval, decided: &str) -> String {
    let since = approval.time.as_ref().map_or_else(String::new, |time| format!(" at {time}"));
    let why = if approval.reason.is_empty() { "no reason given" } else { &approval.reason };
    format!("generation {} was {decided} by {}{since} ({why})", approval.generation, approval.by)
}

/// Who stopped the tenant, and what waits meanwhile.
fn stopped(root: &TenantRoot, approvals: &Approvals, is_served: bool) -> String {
    let name = &root.name;
    if !is_served {
        return format!(
            "{}, but the contract is not valid, so nothing is changed and its network is as it was: correct what condition Accepted or \
             Provisioned names",
            stop_words(&root.status)
        );
    }
    let waits = if approvals.request == Request::Pending { format!("; {}", waiting(root)) } else { String::new() };
    format!(
        "{}: the network of all systems is closed and no new pod is admitted, until an approver ends the stop (kubectl govcloud resume {name}) or \
         approves a generation{waits}",
        stop_words(&root.status)
    )
}

/// Since when the present generation waits, and who asked for it.
fn waiting(root: &TenantRoot) -> String {
    match history::waiting(root) {
        Some((first, HistoryEntry { by, .. })) if !by.is_empty() => {
            format!("generation {} of {by} waits for an approver since {}", root.generation, first.time)
        }
        Some((first, _)) => format!("generation {} waits for an approver since {}", root.generation, first.time),
        None => format!("generation {} waits for an approver", root.generation),
    }
}

/// Who approved the contract, and what of the spec is not in it.
fn contract_words(root: &TenantRoot) -> String {
    let words = match made(&root.status.history) {
        Some(HistoryEntry { event: HistoryEvent::Approved, generation, by, time, reason, .. }) => {
            let why = if reason.is_empty() { String::new() } else { format!(" ({reason})") };
            format!("generation {generation} was approved by {by} at {time}{why}")
        }
        Some(HistoryEntry { generation, time, reason, .. }) => format!("generation {generation} is in force since {time}: {reason}"),
        None => "this spec is approved".to_owned(),
    };
    let contract = root.status.contract.as_ref().and_then(Contract::spec);
    let less = root.status.declined.iter().map(|(key, asked)| {
        let granted = contract.and_then(|contract| contract.quota.get(key)).map_or("0", |amount| amount.as_str());
        format!("{key} {granted} and not {}", asked.as_str())
    });
    let less: Vec<String> = less.collect();
    if less.is_empty() { words } else { format!("{words}; it has less than spec.quota names: {}", less.join(", ")) }
}

/// Before anything is served, what there is to be seen is the way to the request itself.
fn access_condition(input: &StatusInput) -> NewCondition {
    match input.outcome.failure(&NamespaceName::cluster()) {
        Some(failure) => NewCondition::no(kind::PROVISIONED, failure.reason, failure.sentence(&NamespaceName::cluster())),
        None => NewCondition::unknown(kind::PROVISIONED, reason::REQUESTED, "nothing is created before the request is approved"),
    }
}

/// Namespaces of which nothing is planned are told, or nobody would know why they are as they are.
fn with_untouched(mut judged: NewCondition, untouched: &[NamespaceName]) -> NewCondition {
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

fn within_budget(input: &StatusInput) -> NewCondition {
    let allocation = &input.plan.allocation;
    let waiting = allocation.grants.values().filter(|grant| grant.waiting.is_some()).count();
    match &allocation.lowering {
        _ if input.plan.namespaces.is_empty() => NewCondition::unknown(
            kind::QUOTA_WITHIN_BUDGET,
            reason::PROGRESSING,
            "no contract is applied at present, so no quota is handed out",
        ),
        Some(numbers) => NewCondition::no(
            kind::QUOTA_WITHIN_BUDGET,
            reason::LOWERING_PENDING,
            format!(
                "{numbers}; the former total stays in force until the systems hold no more than that: lower the shares of some, retire some, or raise spec.quota again"
            ),
        ),
        None if waiting > 0 => NewCondition::yes(
            kind::QUOTA_WITHIN_BUDGET,
            reason::WITHIN_BUDGET,
            format!("{waiting} hosted systems wait for a share that is not free; their condition QuotaGranted has the numbers"),
        ),
        None => NewCondition::yes(kind::QUOTA_WITHIN_BUDGET, reason::WITHIN_BUDGET, "the shares of all systems fit into the total"),
    }
}

fn is_ready(status: &HostedSystemStatus) -> bool {
    find(&status.conditions, kind::READY).is_some_and(|condition| condition.status == "True")
}

/// Figures of the keys that the tenant's total names, and of others that are not 0.
fn figures(input: &StatusInput) -> QuotaFigures {
    let mut used = Amounts::new();
    for (_, quota) in input.inventory.quotas() {
        amounts::add(&mut used, &quota.used);
    }
    let allocation = &input.plan.allocation;
    let named = |key: &String| allocation.total.get(key).is_some_and(|total| *total > Amount::ZERO);
    let shown =
        |amounts: &Amounts| resources(&amounts.iter().filter(|(key, _)| named(key)).map(|(key, amount)| (key.clone(), *amount)).collect());
    QuotaFigures { total: shown(&allocation.total), allocated: shown(&allocation.allocated), used: shown(&used) }
}

fn short(quota: Option<&QuotaFigures>, systems: &[HostedSystemStatus]) -> Summary {
    let of = |key: &str| quota.map(|figures| figures_of(figures, key)).unwrap_or_default();
    let ready = systems.iter().filter(|status| is_ready(status)).count();
    let (cpu, cpu_percent, cpu_used_percent) = of("requests.cpu");
    let (memory, memory_percent, memory_used_percent) = of("requests.memory");
    let systems = format!("{ready}/{}", systems.len());
    Summary { systems, cpu, cpu_percent, cpu_used_percent, memory, memory_percent, memory_used_percent }
}

/// One key as text, and what is given and used of it in percent.
fn figures_of(figures: &QuotaFigures, key: &str) -> (String, i64, i64) {
    let [used, given, total] = [&figures.used, &figures.allocated, &figures.total].map(|amounts| {
        let text = amounts.get(key).map_or("0", |quantity| quantity.as_str());
        (text, Amount::parse(text).unwrap_or_default())
    });
    let percent = |part: Amount| i64::try_from(part.percent_of(total.1)).unwrap_or(i64::MAX);
    (format!("{}/{}/{}", used.0, given.0, total.0), percent(given.1), percent(used.1))
}

/// Systems by wanted stage.
fn counts(input: &StatusInput) -> SystemCounts {
    let mut counts = SystemCounts::default();
    for root in &input.snapshot.systems {
        counts.total += 1;
        counts.deletes_volumes += i32::from(root.spec.as_ref().is_ok_and(|spec| spec.deletion_policy == DeletionPolicy::Delete));
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
