//! The only place of decisions: what is to be done next for one tenant, from what is known of it.
//!
//! [`step`] is total and pure. Whoever carries a step out takes a new snapshot afterwards and asks again, until everything is
//! [`Step::Settled`]. The operator does so against the API server; the commands `plan` and `adopt`, tests and the benchmark's bare
//! client do so on the snapshot itself.

use std::{collections::BTreeSet, time::Duration};

use crate::{
    api::{AgencyTenantStatus, HostedSystemStatus},
    children::manifests::Manifests,
    model::{
        audit::AuditRecord,
        outcome::Outcome,
        settings::Settings,
        snapshot::{Question, Snapshot},
    },
    plan::{
        Plan,
        diff::{Change, NamespaceChanges, diff, failures, not_written},
        ending,
        finalizers::{Finalizers, missing_finalizers, release},
        intent::intent,
        inventory::Inventory,
        plan,
        questions::questions,
        tags,
    },
    status::{StatusInput, ahead::status_ahead, system, tenant},
};

/// The controller manager puts a changed quota into force within moments; a status that told of them would flap.
const ENFORCED_WITHIN: Duration = Duration::from_secs(5);

/// Figures of use are written at most so often.
const USE_INTERVAL: Duration = Duration::from_mins(1);

/// What is to be done next for one tenant.
#[derive(Debug)]
pub enum Step {
    /// Something would follow from what the store does not know: ask the API server itself before.
    Ask(Vec<Question>),
    /// Put our finalizer on objects that are about to get children.
    AddFinalizers(Finalizers),
    /// Write the tenant's status before anything follows from it.
    WriteAhead {
        /// The status.
        status: Box<AgencyTenantStatus>,
        /// What of it goes to the audit log.
        records: Vec<AuditRecord>,
        /// Whether another tenant might be about to take the same domains or the same room: then it is decided alone.
        exclusive: bool,
    },
    /// Write children.
    Apply(Vec<NamespaceChanges>),
    /// Nothing, for so long: what was written is about to come into force, and the news that it is comes sooner.
    Wait(Duration),
    /// Nothing is left to write but what became of it.
    Settled(Box<Settled>),
}

/// What became of a tenant.
#[derive(Debug, Default)]
pub struct Settled {
    /// The tenant's status, where it is to be written.
    pub tenant: Option<AgencyTenantStatus>,
    /// Statuses that are to be written, by the place of their system in the snapshot.
    pub systems: Vec<(usize, HostedSystemStatus)>,
    /// Objects that may go, once the statuses are written.
    pub release: Finalizers,
    /// What failed.
    pub outcome: Outcome,
    /// Questions about pods whose answers stay remembered.
    pub looked_at: BTreeSet<Question>,
    /// When to look again, if nothing happens before.
    pub action: Action,
}

/// When to look at a tenant again, if nothing happens before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Action {
    /// When something happens.
    #[default]
    AwaitChange,
    /// After this time.
    RequeueAfter(Duration),
    /// Soon, and ever later as long as it fails; not before this time.
    Retry(Duration),
}

/// Decides what is to be done next.
#[must_use]
pub fn step(snapshot: &Snapshot, settings: &Settings) -> Step {
    next_step(snapshot, settings, &mut Manifests::default())
}

/// The same for a caller that goes on until all is settled: `manifests` keeps what was built for this tenant under these settings. What is
/// decided does not depend on it.
#[must_use]
pub fn next_step(snapshot: &Snapshot, settings: &Settings, manifests: &mut Manifests) -> Step {
    let asked = questions(snapshot);
    if !asked.is_empty() {
        return Step::Ask(asked);
    }
    if let Some(missing) = missing_finalizers(snapshot) {
        return Step::AddFinalizers(missing);
    }
    let intent = intent(snapshot, settings);
    let inventory = Inventory::new(&snapshot.observed, intent.identity(snapshot));
    let plan = plan(snapshot, &intent, &inventory, settings, manifests);
    if let Some((status, records)) = status_ahead(snapshot, &intent, &plan) {
        return Step::WriteAhead { status: Box::new(status), records, exclusive: intent.is_exclusive(snapshot) };
    }
    let about_pods: Vec<_> = [tags::questions(snapshot, &inventory, &intent), ending::questions(snapshot, &inventory, &plan)].concat();
    let due: Vec<_> = about_pods.iter().filter(|(_, due)| *due).map(|(question, _)| question.clone()).collect();
    if !due.is_empty() {
        return Step::Ask(due);
    }
    let changes = diff(snapshot, &plan, &inventory);
    let mut outcome = failures(&changes);
    let finished = &snapshot.progress.finished;
    let is_due = |space: &NamespaceChanges| space.changes.iter().any(Change::writes) && !finished.namespaces.contains_key(&space.namespace);
    if changes.iter().any(is_due) {
        return Step::Apply(changes.into_iter().filter(is_due).collect());
    }
    outcome.add(finished.clone());
    outcome.add(not_written(&changes, &outcome));
    if let Some(wait) = enforcement_due(snapshot, &inventory, &plan).filter(|_| !outcome.failed()) {
        return Step::Wait(wait);
    }
    let input = StatusInput { snapshot, intent: &intent, inventory: &inventory, plan: &plan, outcome: &outcome };
    Step::Settled(Box::new(settled(&input, about_pods.into_iter().map(|(question, _)| question).collect())))
}

/// How long to wait yet for the controller manager, none when it is done or has had its time.
fn enforcement_due(snapshot: &Snapshot, inventory: &Inventory, plan: &Plan) -> Option<Duration> {
    let in_force = plan.namespaces.iter().all(|space| inventory.of(&space.namespace).has_live_quota());
    ENFORCED_WITHIN.checked_sub(snapshot.since_write.filter(|_| !in_force)?)
}

fn settled(input: &StatusInput, looked_at: BTreeSet<Question>) -> Settled {
    let StatusInput { snapshot, intent, plan, outcome, .. } = input;
    let systems: Vec<_> = snapshot.systems.iter().map(|root| system::status(input, root)).collect();
    let tenant = snapshot.tenant.as_ref().map(|root| tenant::status(input, root, &systems));
    let use_due = use_due(snapshot, tenant.as_ref(), &systems);
    let action = action(input, use_due);
    let release = release(snapshot, intent, plan, outcome);
    let is_late = |differs_in_use_only: bool| use_due.is_some() && differs_in_use_only;
    let changed = snapshot.tenant.as_ref().zip(tenant);
    let changed = changed.filter(|(root, new)| root.status != *new && !is_late(tenant::differ_in_use_only(&root.status, new)));
    let told = systems.into_iter().enumerate().filter(|(place, new)| {
        let old = &snapshot.systems[*place].status;
        old != new && !is_late(system::differ_in_use_only(old, new))
    });
    Settled { tenant: changed.map(|(_, status)| status), systems: told.collect(), release, outcome: (*outcome).clone(), looked_at, action }
}

/// When the new figures of use may be written, if somewhere they are all that is new.
fn use_due(snapshot: &Snapshot, tenant: Option<&AgencyTenantStatus>, systems: &[HostedSystemStatus]) -> Option<Duration> {
    let of_tenant = snapshot.tenant.as_ref().zip(tenant).is_some_and(|(root, new)| tenant::differ_in_use_only(&root.status, new));
    let of_system = || snapshot.systems.iter().zip(systems).any(|(root, new)| system::differ_in_use_only(&root.status, new));
    USE_INTERVAL.checked_sub(snapshot.since_status?).filter(|_| of_tenant || of_system())
}

fn action(input: &StatusInput, use_due: Option<Duration>) -> Action {
    // What is uninstalled may be put back, and a right be given, without a word about this tenant.
    if input.snapshot.crds.ending || !input.snapshot.blind.is_empty() {
        return Action::Retry(Duration::ZERO);
    }
    if input.outcome.failed() || !input.snapshot.finalizer_rejections.is_empty() {
        return Action::Retry(input.outcome.retry_after().unwrap_or_default());
    }
    let expires = input.expires_in().map(|seconds| Duration::from_secs(seconds + 1));
    use_due.into_iter().chain(expires).min().map_or(Action::AwaitChange, Action::RequeueAfter)
}
