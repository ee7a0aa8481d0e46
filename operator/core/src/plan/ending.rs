//! Pods that keep a namespace from being deleted, or a system from being retired. Pure: the pods and the time are arguments.
//!
//! Kubernetes deletes the pods of a namespace first and says nothing of them in its conditions; and a quota no longer counts a pod that
//! should have ended. So they are listed.

use crate::{
    api::Stage,
    model::{
        ending::INTERVAL,
        names::NamespaceName,
        snapshot::{Question, Snapshot},
    },
    plan::{Goal, NamespacePlan, Plan, inventory::Inventory},
};

/// The question about pods of each namespace whose pods are to have ended, with whether it is to be asked now.
#[must_use]
pub fn questions(snapshot: &Snapshot, inventory: &Inventory, plan: &Plan) -> Vec<(Question, bool)> {
    let ending = plan.namespaces.iter().filter(|space| must_be_empty(snapshot, inventory, space));
    let due = |namespace: &NamespaceName| {
        snapshot.ending.get(namespace).is_none_or(|known| known.look_again_at().is_some_and(|time| time <= snapshot.now.as_second()))
    };
    ending.map(|space| (Question::PodsLeft(space.namespace.clone()), due(&space.namespace))).collect()
}

fn must_be_empty(snapshot: &Snapshot, inventory: &Inventory, space: &NamespacePlan) -> bool {
    let Some(entry) = inventory.of(&space.namespace).entry else { return false };
    if entry.deleting {
        return entry
            .remaining
            .as_ref()
            .is_some_and(|remaining| remaining.messages.is_empty() && snapshot.now.as_second() >= remaining.since + INTERVAL);
    }
    let Some(system) = space.system.as_ref().filter(|_| space.goal == Goal::Close && space.drained) else { return false };
    // Before a system is told to be retired.
    snapshot.systems.iter().any(|root| root.name == system.as_str() && root.status.stage.is_some_and(|stage| stage != Stage::Retired))
}
