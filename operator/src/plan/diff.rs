//! Plan × observed → changes: what must be written so that the plan holds, and nothing else.

use crate::{
    children::{TABLE, namespace_index},
    names::NamespaceName,
    plan::{
        Goal, Plan, SpacePlan,
        desired::Desired,
        snapshot::{ChildKey, Entry, Observed},
    },
};

/// One step towards the plan.
#[derive(Clone, Debug)]
pub enum Change {
    /// It does not exist.
    Create(Desired),
    /// It exists with other content.
    Update {
        /// As it should be.
        desired: Desired,
        /// UID that was seen.
        uid: String,
    },
    /// It is as it should be.
    Keep(ChildKey),
    /// It should not exist.
    Delete {
        /// Where it is.
        key: ChildKey,
        /// UID that was seen.
        uid: String,
    },
    /// The namespace is another's.
    Conflict {
        /// UID of the tenant that its label names, empty where it names none.
        owner: String,
    },
    /// End the pods of a closed namespace whose quota admits no new ones.
    Evict,
    /// Delete the namespace, empty of pods, with everything in it.
    Remove {
        /// UID that was seen.
        uid: String,
    },
}

impl Change {
    /// Whether carrying it out writes to the API server.
    #[must_use]
    pub fn writes(&self) -> bool {
        !matches!(self, Self::Keep(_) | Self::Conflict { .. })
    }
}

/// The changes of one namespace.
#[derive(Clone, Debug)]
pub struct SpaceChanges {
    /// Its name.
    pub namespace: NamespaceName,
    /// What to do in it.
    pub changes: Vec<Change>,
}

/// Compares a plan with what is there.
#[must_use]
pub fn diff(plan: &Plan, tenant_uid: &str, observed: &Observed) -> Vec<SpaceChanges> {
    let of = |space: &SpacePlan| SpaceChanges { namespace: space.namespace.clone(), changes: space_changes(space, tenant_uid, observed) };
    plan.spaces.iter().map(of).collect()
}

/// What is known of a namespace itself.
#[must_use]
pub fn namespace_entry<'a>(observed: &'a Observed, namespace: &NamespaceName) -> Option<&'a Entry> {
    observed.get(&ChildKey { namespace: namespace.clone(), kind: namespace_index(), name: namespace.as_str().to_owned() })
}

fn space_changes(space: &SpacePlan, tenant_uid: &str, observed: &Observed) -> Vec<Change> {
    let own = namespace_entry(observed, &space.namespace);
    match own {
        // Whatever else is remembered of it was in one that is gone.
        None => return space.desired.iter().cloned().map(Change::Create).collect(),
        Some(entry) if entry.tenant_uid != tenant_uid => return vec![Change::Conflict { owner: entry.tenant_uid.clone() }],
        Some(entry) if entry.deleting => return Vec::new(), // Kubernetes empties it; nothing can be written any more
        _ => {}
    }
    let mut changes: Vec<Change> = space.desired.iter().map(|desired| towards(desired, observed)).collect();
    changes.extend(prune(space, observed));
    if space.goal != Goal::Serve {
        changes.extend(close(space, own, observed));
    }
    changes
}

fn towards(desired: &Desired, observed: &Observed) -> Change {
    match observed.get(&desired.key()) {
        None => Change::Create(desired.clone()),
        Some(entry) if entry.hash == desired.hash => Change::Keep(desired.key()),
        Some(entry) => Change::Update { desired: desired.clone(), uid: entry.uid.clone() },
    }
}

/// Marked objects that are not in the plan. Namespaces never go this way.
fn prune<'a>(space: &'a SpacePlan, observed: &'a Observed) -> impl Iterator<Item = Change> + 'a {
    let first = ChildKey { namespace: space.namespace.clone(), kind: 0, name: String::new() };
    let here = observed.range(first..).take_while(|(key, _)| key.namespace == space.namespace);
    let stale = here.filter(|(key, entry)| {
        let planned = space.desired.iter().any(|desired| &desired.key() == *key);
        !planned && !entry.deleting && TABLE.get(key.kind).is_some_and(|kind| !kind.is_namespace())
    });
    stale.map(|(key, entry)| Change::Delete { key: key.clone(), uid: entry.uid.clone() })
}

/// Ends the pods once no new ones are admitted; removes the namespace once there are none.
fn close(space: &SpacePlan, own: Option<&Entry>, observed: &Observed) -> Option<Change> {
    if space.drained {
        let uid = own.filter(|_| space.goal == Goal::Remove)?.uid.clone();
        return Some(Change::Remove { uid });
    }
    let quota = space.desired.iter().find_map(|desired| observed.get(&desired.key())?.quota.as_ref())?;
    let zero = super::amount::Amount::ZERO;
    let closed = quota.hard.get("pods") == Some(&zero);
    let running = quota.used.get("pods").is_some_and(|pods| *pods > zero);
    (closed && running).then_some(Change::Evict)
}
