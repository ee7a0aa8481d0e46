//! What a snapshot comes to when everything that follows from it succeeds: the operator's own decisions, carried out on the snapshot
//! itself. Controllers are taken to be done at once, and nothing of anybody else happens meanwhile.

use std::collections::BTreeSet;

use serde_json::json;

use crate::{
    api::{Resources, approval::Approval},
    children::{desired::Desired, manifests::Manifests},
    model::{
        ending::Ending,
        names::{FINALIZER, NamespaceName},
        observed::ChildKey,
        root::Root,
        settings::Settings,
        snapshot::{Question, Snapshot},
        tags::Tags,
    },
    plan::{
        Plan,
        contract::Request,
        diff::{Change, NamespaceChanges},
        intent::{Intent, intent},
        inventory::Inventory,
        plan,
    },
    step::{Step, step},
};

/// Steps that a plan takes at most; creating, closing and removing a tenant take less.
const STEPS: usize = 40;

/// One tenant, once all is done.
#[derive(Debug)]
pub struct Foreseen {
    /// As it is then.
    pub snapshot: Snapshot,
    /// What is asked for then.
    pub intent: Intent,
    /// What should be then, which is also what is.
    pub plan: Plan,
    /// Namespaces whose pods are ended on the way.
    pub emptied: BTreeSet<NamespaceName>,
}

impl Foreseen {
    /// What is in its namespaces then.
    #[must_use]
    pub fn inventory(&self) -> Inventory<'_> {
        Inventory::new(&self.snapshot.observed, self.intent.identity(&self.snapshot))
    }
}

/// Decides and carries out until nothing is left to be done but telling of it.
#[must_use]
pub fn foresee(mut snapshot: Snapshot, settings: &Settings) -> Foreseen {
    let mut emptied = BTreeSet::new();
    enforce_quotas(&mut snapshot);
    for _ in 0..STEPS {
        let next = step(&snapshot, settings);
        match &next {
            Step::Settled(_) | Step::Wait(_) => break,
            Step::Apply(changes) => {
                let evicts = |space: &&NamespaceChanges| space.changes.iter().any(|change| matches!(change, Change::DeletePods));
                emptied.extend(changes.iter().filter(evicts).map(|space| space.namespace.clone()));
            }
            _ => {}
        }
        carry_out(&mut snapshot, next);
    }
    let intent = intent(&snapshot, settings);
    let plan =
        plan(&snapshot, &intent, &Inventory::new(&snapshot.observed, intent.identity(&snapshot)), settings, &mut Manifests::default());
    Foreseen { snapshot, intent, plan, emptied }
}

/// The controller manager puts every quota into force at once.
fn enforce_quotas(snapshot: &mut Snapshot) {
    for entry in snapshot.observed.values_mut().filter(|entry| entry.quota.as_ref().is_some_and(|quota| !quota.enforced)) {
        if let Some(quota) = &mut entry.quota {
            quota.enforced = true;
        }
    }
}

/// Takes an open request to be approved, as an approver does; what needs no approval stays as it is.
pub fn approve(snapshot: &mut Snapshot, settings: &Settings) {
    let approvals = intent(snapshot, settings).approvals;
    let open = approvals.is_some_and(|approvals| !approvals.stopped && matches!(approvals.request, Request::Pending));
    let Some(tenant) = snapshot.tenant.as_mut().filter(|_| open) else { return };
    tenant.status.approval = Some(Approval::granting(tenant.generation, Resources::new()));
}

/// Carries a step out on the snapshot itself: everything succeeds, quotas are in force and pods are gone at once, and what the
/// API server is asked is as the snapshot says.
pub fn carry_out(snapshot: &mut Snapshot, step: Step) {
    match step {
        Step::Ask(questions) => {
            for question in questions {
                if let Question::PodsByTag(namespace) = &question {
                    let tags = Tags { looked: snapshot.now.as_second(), enforced: true, workloads: Some(BTreeSet::new()) };
                    snapshot.tags.insert(namespace.clone(), tags);
                }
                if let Question::PodsLeft(namespace) = &question {
                    let none = Ending { looked: snapshot.now.as_second(), pods: Some(0), ..Ending::default() };
                    snapshot.ending.insert(namespace.clone(), none);
                }
                snapshot.answered.insert(question);
            }
        }
        Step::AddFinalizers(missing) => {
            snapshot.tenant.iter_mut().filter(|_| missing.tenant).for_each(|root| add_finalizer(root));
            snapshot.systems.iter_mut().filter(|root| missing.systems.contains(&root.name)).for_each(|root| add_finalizer(root));
        }
        Step::WriteAhead { status, .. } => snapshot.tenant.iter_mut().for_each(|root| root.status = (*status).clone()),
        Step::Apply(changes) => changes.iter().for_each(|space| change(snapshot, space)),
        Step::Wait(_) => {}
        Step::Settled(settled) => {
            if let (Some(root), Some(status)) = (&mut snapshot.tenant, settled.tenant) {
                root.status = status;
            }
            for (place, status) in settled.systems {
                snapshot.systems[place].status = status;
            }
        }
    }
}

fn add_finalizer<Spec, Status>(root: &mut Root<Spec, Status>) {
    if !root.finalizers.iter().any(|finalizer| finalizer == FINALIZER) {
        root.finalizers.push(FINALIZER.to_owned());
    }
    (root.holds, root.last_applied) = (true, None);
}

fn change(snapshot: &mut Snapshot, space: &NamespaceChanges) {
    for change in &space.changes {
        match change {
            Change::Create(desired) | Change::Update { desired, .. } => write(snapshot, desired),
            Change::Delete { key, .. } => drop(snapshot.observed.remove(key)),
            Change::Disable { key, .. } => switch(snapshot, key, Some(true)),
            Change::Restore { key, .. } => switch(snapshot, key, None),
            Change::DeletePods => end_pods(snapshot, &space.namespace),
            Change::Remove { .. } => snapshot.observed.retain(|key, _| key.namespace != space.namespace),
            Change::Keep(_) => {}
        }
    }
}

/// A network policy of others loses its effect, or has it again.
fn switch(snapshot: &mut Snapshot, key: &ChildKey, restorable: Option<bool>) {
    if let Some(entry) = snapshot.observed.get_mut(key) {
        entry.exposes.clear();
        entry.restorable = restorable;
    }
}

fn write(snapshot: &mut Snapshot, desired: &Desired) {
    let before = snapshot.observed.get(&desired.key());
    let mut object = desired.object.clone();
    object["metadata"]["uid"] =
        json!(before.map_or_else(|| format!("{}/{}", desired.namespace, desired.name), |entry| entry.uid.to_string()));
    let mut entry = desired.kind.entry(&object);
    entry.created = before.map_or_else(|| snapshot.now.as_second(), |entry| entry.created);
    if let Some(quota) = &mut entry.quota {
        quota.used = before.and_then(|entry| entry.quota.as_ref()).map(|quota| quota.used.clone()).unwrap_or_default();
        quota.hard = quota.wanted.clone();
        (quota.live, quota.enforced, quota.counted) = (true, true, true);
    }
    snapshot.observed.insert(desired.key(), entry.into());
}

/// What is left is what volumes take.
fn end_pods(snapshot: &mut Snapshot, namespace: &NamespaceName) {
    let here = snapshot.observed.iter_mut().filter(|(key, _)| key.namespace == *namespace);
    for quota in here.filter_map(|(_, entry)| entry.quota.as_mut()) {
        quota.used.retain(|key, _| key.contains("storage") || key == "persistentvolumeclaims");
    }
}
