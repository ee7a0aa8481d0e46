//! Our finalizer: on every object before it gets children, until its namespaces are in the state that `deletionPolicy` asks for.

use crate::{
    model::{
        names::{FINALIZER, SystemName},
        outcome::Outcome,
        root::Root,
        snapshot::Snapshot,
    },
    plan::{Goal, NamespacePlan, Plan, intent::Intent},
};

/// Objects that are to get our finalizer, or to lose it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Finalizers {
    /// The tenant itself.
    pub tenant: bool,
    /// Hosted systems, by name.
    pub systems: Vec<String>,
}

/// The objects that still need our finalizer before anything is created for them, as far as the API server takes it.
#[must_use]
pub fn missing_finalizers(snapshot: &Snapshot) -> Option<Finalizers> {
    let tenant = snapshot.tenant.as_ref().filter(|_| !snapshot.crds.ending)?;
    let rejections = &snapshot.finalizer_rejections;
    let systems = snapshot.systems.iter().filter(|root| needs_finalizer(root) && !rejections.systems.contains_key(&root.name));
    let missing = Finalizers {
        tenant: needs_finalizer(tenant) && rejections.tenant.is_none(),
        systems: systems.map(|root| root.name.clone()).collect(),
    };
    (missing != Finalizers::default()).then_some(missing)
}

fn needs_finalizer<Spec, Status>(root: &Root<Spec, Status>) -> bool {
    !root.deleting && (!is_held(root) || root.spec.is_ok() && (!root.holds || root.last_applied.is_some()))
}

/// Decides what may go after this round.
#[must_use]
pub fn release(snapshot: &Snapshot, intent: &Intent, plan: &Plan, outcome: &Outcome) -> Finalizers {
    let systems =
        snapshot.systems.iter().filter(|root| root.deleting && is_held(root) && system_may_go(&root.name, snapshot, intent, plan, outcome));
    let tenant = snapshot.tenant.as_ref().filter(|root| root.deleting && is_held(root));
    Finalizers {
        systems: systems.map(|root| root.name.clone()).collect(),
        tenant: tenant.is_some_and(|_| tenant_may_go(snapshot, intent, plan, outcome)),
    }
}

fn system_may_go(name: &str, snapshot: &Snapshot, intent: &Intent, plan: &Plan, outcome: &Outcome) -> bool {
    let orphan = intent.tenant.is_none();
    if snapshot.crds.ending || orphan {
        return true;
    }
    if !can_judge(snapshot, intent) {
        return false;
    }
    let namespace = snapshot.name.workload(&SystemName::new(name));
    plan.namespace(&namespace).is_none_or(|space| is_closed(space, outcome))
}

fn tenant_may_go(snapshot: &Snapshot, intent: &Intent, plan: &Plan, outcome: &Outcome) -> bool {
    snapshot.crds.ending
        || (can_judge(snapshot, intent) && plan.namespaces.iter().chain(&plan.tenant_access).all(|space| is_closed(space, outcome)))
}

fn can_judge(snapshot: &Snapshot, intent: &Intent) -> bool {
    snapshot.blind.is_empty() && matches!(intent.tenant, Some(Ok(_)))
}

/// Kept, closed, empty, and nothing was left to do.
fn is_closed(space: &NamespacePlan, outcome: &Outcome) -> bool {
    let settled = outcome.namespaces.get(&space.namespace).is_none_or(|result| result.failures.is_empty());
    space.goal == Goal::Close && space.drained && settled
}

fn is_held<Spec, Status>(root: &Root<Spec, Status>) -> bool {
    root.finalizers.iter().any(|finalizer| finalizer == FINALIZER)
}
