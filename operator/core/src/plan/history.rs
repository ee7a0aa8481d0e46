//! What is new in a tenant's history: who asked, who decided, and when the contract changes.

use crate::{
    api::{
        approval::{Approval, Contract, Decision},
        history::{CHANGE_BYTES, HistoryEntry, HistoryEvent, MAX_CHANGES, MAX_ENTRIES},
    },
    model::{audit::AuditRecord, root::TenantRoot, text},
    plan::{
        contract::{Approvals, Grounds, Request},
        spec_diff::difference,
    },
};

/// Bytes of a name that an entry keeps.
const NAME_BYTES: usize = 253;

/// What is to be recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    /// The history with the new entries.
    pub history: Vec<HistoryEntry>,
    /// The decision with the time at which it is recorded.
    pub approval: Option<Approval>,
    /// The new entries with all that they change, for the log.
    pub records: Vec<AuditRecord>,
}

/// What is new, if anything; `now` is the time.
#[must_use]
pub fn recording(root: &TenantRoot, approvals: &Approvals, now: &str) -> Option<Recording> {
    let status = &root.status;
    let news: Vec<News> = [requested(root, approvals), decided(root, approvals), changed(root, approvals)].into_iter().flatten().collect();
    if news.is_empty() {
        return None;
    }
    let (mut history, mut records) = (status.history.clone(), Vec::new());
    for News { event, by, generation, reason, changes } in news {
        let number = history.last().map_or(0, |last| last.number) + 1;
        let makes = matches!(event, HistoryEvent::Approved | HistoryEvent::ContractChanged);
        let in_force = makes && approvals.takes_on.is_some() && generation == root.generation;
        let by = by[..by.floor_char_boundary(NAME_BYTES)].to_owned();
        let entry = HistoryEntry { number, time: now.to_owned(), event, by, generation, in_force, reason, changes: shortened(&changes) };
        records.push(AuditRecord::new(root, &entry, changes));
        history.push(entry);
    }
    let is_new = undecided(root).is_some();
    let approval =
        status.approval.clone().map(|approval| if is_new { Approval { time: Some(now.to_owned()), ..approval } } else { approval });
    while history.len() > MAX_ENTRIES {
        history.remove(superfluous(&history, root.generation));
    }
    Some(Recording { history, approval, records })
}

/// The entry that made the contract in force.
#[must_use]
pub fn made(history: &[HistoryEntry]) -> Option<&HistoryEntry> {
    history.iter().rev().find(|entry| entry.in_force)
}

/// The entry that suspended the tenant by its spec, as far as the history has it.
#[must_use]
pub fn suspension(history: &[HistoryEntry]) -> Option<&HistoryEntry> {
    let suspends = |entry: &&HistoryEntry| entry.changes.iter().any(|line| line == "suspended: yes" || line == "suspended: no becomes yes");
    history.iter().rev().filter(|entry| entry.in_force).find(suspends)
}

/// The request that nobody has decided yet: its oldest entry and its newest.
fn open_request(history: &[HistoryEntry]) -> Option<(&HistoryEntry, &HistoryEntry)> {
    let about_requests = history.iter().rev().filter(|entry| !matches!(entry.event, HistoryEvent::Suspended | HistoryEvent::Resumed));
    let mut open = about_requests.take_while(|entry| entry.event == HistoryEvent::Requested);
    let newest = open.next()?;
    Some((open.last().unwrap_or(newest), newest))
}

/// The entries of the present generation's request, as long as nobody has decided: the oldest of it and the newest.
#[must_use]
pub fn waiting(root: &TenantRoot) -> Option<(&HistoryEntry, &HistoryEntry)> {
    open_request(&root.status.history).filter(|(_, newest)| newest.generation == root.generation)
}

struct News {
    event: HistoryEvent,
    by: String,
    generation: i64,
    reason: String,
    changes: Vec<String>,
}

impl News {
    /// About the spec as it is now, by who wrote it.
    fn of(root: &TenantRoot, event: HistoryEvent, reason: String, changes: &[String]) -> Self {
        let by = root.requested_by.clone().unwrap_or_default();
        Self { event, by, generation: root.generation, reason, changes: changes.to_vec() }
    }
}

/// A request is recorded once, also when it is decided by the time it is seen.
fn requested(root: &TenantRoot, approvals: &Approvals) -> Option<News> {
    let asks = match (&approvals.request, &approvals.takes_on) {
        (Request::Granted, Some(grounds)) => {
            matches!(grounds, Grounds::Approver | Grounds::Policies(_)) && !approvals.differences.is_empty()
        }
        (Request::Granted | Request::Invalid, _) => false,
        (Request::Rejected(_), _) => undecided(root).is_some(),
        _ => root.spec.is_ok(),
    };
    let is_known = |entry: &HistoryEntry| entry.event == HistoryEvent::Requested && entry.generation == root.generation;
    // Not what an approver has granted of it already.
    let lessened = || root.decision().is_some_and(|approval| !approval.quota.is_empty());
    let changes = || match &root.spec {
        Ok(spec) if lessened() => difference(root.status.contract.as_ref().and_then(Contract::spec), spec),
        _ => approvals.differences.clone(),
    };
    (asks && !root.status.history.iter().any(is_known)).then(|| News::of(root, HistoryEvent::Requested, String::new(), &changes()))
}

/// The decision that the history does not have yet.
fn undecided(root: &TenantRoot) -> Option<&Approval> {
    let mut decisions = root.status.history.iter().rev().filter(|entry| entry.event.is_decision() && !entry.is_by_policy());
    let last = decisions.next();
    root.status.approval.as_ref().filter(|approval| !last.is_some_and(|entry| is_of(entry, approval)))
}

/// Whether an entry records this decision.
fn is_of(entry: &HistoryEntry, approval: &Approval) -> bool {
    entry.event == approval.decision.into()
        && (entry.generation, &entry.by, &entry.reason) == (approval.generation, &approval.by, &approval.reason)
        && approval.time.as_ref() == Some(&entry.time)
}

fn decided(root: &TenantRoot, approvals: &Approvals) -> Option<News> {
    let approval = undecided(root)?;
    let is_of_request = approval.generation == root.generation && matches!(approval.decision, Decision::Approved | Decision::Rejected);
    let asked =
        |key: &String| root.spec.as_ref().ok()?.quota.get(key).map(|amount| format!("quota[{key}]: {} was asked for", amount.as_str()));
    let less = approval.quota.keys().filter(|_| is_of_request).filter_map(asked);
    Some(News {
        event: approval.decision.into(),
        by: approval.by.clone(),
        generation: approval.generation,
        reason: approval.reason.clone(),
        changes: approvals.differences.iter().filter(|_| is_of_request).cloned().chain(less).collect(),
    })
}

/// A contract that changes by something else than the decision of this moment, or a request that is taken back.
fn changed(root: &TenantRoot, approvals: &Approvals) -> Option<News> {
    let open = open_request(&root.status.history).map(|(_, newest)| newest).filter(|request| request.generation < root.generation);
    let grounds = approvals.takes_on.as_ref()?;
    // An Owner who takes a request back cannot say that the platform wrote it.
    if approvals.differences.iter().all(|line| open.is_some() && line == "preapproved: yes becomes no") {
        return open.map(|request| News::of(root, HistoryEvent::Withdrawn, format!("takes back generation {}", request.generation), &[]));
    }
    let instead = open.map_or_else(String::new, |request| format!("; {}", takes_the_place(request)));
    let changed = |why: &str| News::of(root, HistoryEvent::ContractChanged, format!("{why}{instead}"), &approvals.differences);
    match grounds {
        Grounds::Policies(names) => {
            Some(News { by: names.clone(), ..News::of(root, HistoryEvent::Approved, String::new(), &approvals.differences) })
        }
        Grounds::Platform => Some(changed("the spec is preapproved")),
        Grounds::Narrower => Some(changed("the change only takes away")),
        Grounds::Approver if undecided(root).is_some() => None,
        Grounds::Approver => {
            let by = root.status.approval.as_ref().map(|approval| approval.by.clone()).unwrap_or_default();
            Some(News { by, ..changed("the generation was approved before and is valid now") })
        }
    }
}

/// That a change took the place of a request which nobody had decided.
fn takes_the_place(request: &HistoryEntry) -> String {
    let by = if request.by.is_empty() { String::new() } else { format!(" of {}", request.by) };
    format!("it takes the place of the request{by} (generation {}), which nobody had decided", request.generation)
}

/// What an entry keeps of a difference.
fn shortened(changes: &[String]) -> Vec<String> {
    let more = changes.len().saturating_sub(MAX_CHANGES);
    let first = changes.iter().take(MAX_CHANGES).map(|line| text::shortened(line, CHANGE_BYTES));
    first.chain((more > 0).then(|| format!("and {more} more"))).collect()
}

/// Which entry goes first. An agency must not be able to push out what others decided, nor what the contract rests on.
fn superfluous(history: &[HistoryEntry], generation: i64) -> usize {
    let kept = made(history).map(|entry| entry.number);
    let weight = |entry: &HistoryEntry| match entry.event {
        _ if Some(entry.number) == kept => 3,
        HistoryEvent::Requested if entry.generation == generation => 3,
        HistoryEvent::Requested | HistoryEvent::Withdrawn => 0,
        HistoryEvent::ContractChanged => 1,
        _ if entry.is_by_policy() => 1,
        _ => 2,
    };
    let newest = history.len() - 1;
    (0..newest).min_by_key(|place| (weight(&history[*place]), *place)).unwrap_or_default()
}
