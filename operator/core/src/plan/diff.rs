//! Plan × observed → changes: what must be written so that the plan holds, and nothing else.

use crate::{
    api::conditions::reason,
    children::{Rank, TABLE, desired::Desired},
    model::{
        amounts::{Amount, of},
        names::NamespaceName,
        observed::ChildKey,
        outcome::{Failure, NamespaceOutcome, Outcome},
        ownership::{Ownership, not_ours},
    },
    plan::{
        Goal, NamespacePlan, Plan,
        foreign::cause,
        inventory::{Found, Inventory},
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
        /// As it was seen.
        seen: Seen,
    },
    /// It is as it should be.
    Keep(ChildKey),
    /// It should not exist.
    Delete {
        /// Where it is.
        key: ChildKey,
        /// UID that was seen.
        uid: String,
        /// Whether somebody's finalizer holds it back, though it goes on to apply.
        held: bool,
        /// Why, where others wrote it.
        cause: Option<String>,
    },
    /// The namespace is another's.
    Conflict {
        /// UID of the tenant that its label names, none where it names none.
        owner: Option<String>,
    },
    /// End the pods of a closed namespace whose quota admits no new ones.
    DeletePods,
    /// Delete the namespace, empty of pods, with everything in it.
    Remove {
        /// UID that was seen.
        uid: String,
    },
}

/// The object that a change was decided upon.
#[derive(Clone, Debug)]
pub struct Seen {
    /// UID.
    pub uid: String,
    /// Hash of the content that the operator defines.
    pub hash: u64,
    /// Whether it is a namespace whose mark does not say that it is ours, so that its quota must.
    pub doubtful: bool,
}

impl Change {
    /// When it is carried out; none for what comes after everything else. Taking away comes with the guards.
    #[must_use]
    pub fn rank(&self) -> Option<Rank> {
        match self {
            Self::Create(desired) | Self::Update { desired, .. } => Some(desired.kind.rank),
            Self::Conflict { .. } => Some(Rank::Namespace),
            Self::Delete { .. } | Self::Keep(_) => Some(Rank::Isolation),
            Self::DeletePods | Self::Remove { .. } => None,
        }
    }

    /// Whether carrying it out writes to the API server.
    #[must_use]
    pub fn writes(&self) -> bool {
        !matches!(self, Self::Keep(_) | Self::Conflict { .. })
    }
}

/// The changes of one namespace.
#[derive(Clone, Debug)]
pub struct NamespaceChanges {
    /// Its name.
    pub namespace: NamespaceName,
    /// Whether a namespace that was there before may be taken over.
    pub adopts: bool,
    /// What to do in it.
    pub changes: Vec<Change>,
}

/// What is to be told of changes beside what became of writing them: namespaces that are somebody else's.
#[must_use]
pub fn conflicts(changes: &[NamespaceChanges]) -> Outcome {
    let failure = |space: &NamespaceChanges| {
        let owner = space.changes.iter().find_map(|change| match change {
            Change::Conflict { owner } => Some(owner.as_deref()),
            _ => None,
        })?;
        let failures = vec![Failure {
            kind: "Namespace",
            name: space.namespace.to_string(),
            reason: if owner.is_some() { reason::ORPHAN_OF } else { reason::CONFLICT },
            message: not_ours(&space.namespace, owner),
            stalled: true,
            stale: false,
            retry_after: None,
        }];
        Some((space.namespace.clone(), NamespaceOutcome { failures, ..NamespaceOutcome::default() }))
    };
    Outcome { namespaces: changes.iter().filter_map(failure).collect() }
}

/// Compares a plan with what is there.
#[must_use]
pub fn diff(plan: &Plan, inventory: &Inventory) -> Vec<NamespaceChanges> {
    let of = |space: &NamespacePlan| NamespaceChanges {
        namespace: space.namespace.clone(),
        adopts: space.adopts,
        changes: changes(plan, space, inventory),
    };
    plan.namespaces.iter().chain(&plan.entrance).map(of).collect()
}

fn changes(plan: &Plan, space: &NamespacePlan, inventory: &Inventory) -> Vec<Change> {
    let found = inventory.of(&space.namespace);
    let is_cluster = space.namespace.is_cluster();
    match found.ownership {
        // Names of this form are ours alone; whatever bears one is made as planned.
        _ if is_cluster => {}
        // Whatever else is remembered of it was in one that is gone.
        Ownership::Absent => return space.desired.iter().cloned().map(Change::Create).collect(),
        Ownership::Foreign => return vec![Change::Conflict { owner: None }],
        Ownership::Orphaned(owner) => return vec![Change::Conflict { owner: Some(owner.to_owned()) }],
        Ownership::Ours => {}
    }
    if found.entry.is_some_and(|entry| entry.deleting) {
        return Vec::new(); // Kubernetes empties it; nothing can be written any more
    }
    let mut changes: Vec<Change> = space.desired.iter().map(|desired| towards(desired, inventory)).collect();
    changes.extend(prune(plan, space, inventory));
    if space.goal != Goal::Serve && !is_cluster {
        changes.extend(close(space, &found));
    }
    changes
}

fn towards(desired: &Desired, inventory: &Inventory) -> Change {
    match inventory.observed.get(&desired.key()) {
        None => Change::Create(desired.clone()),
        Some(entry) if entry.hash == desired.hash => Change::Keep(desired.key()),
        Some(entry) => {
            let doubtful = desired.kind.is_namespace() && !inventory.identity.claims(&entry.tenant_uid);
            Change::Update { desired: desired.clone(), seen: Seen { uid: entry.uid.to_string(), hash: entry.hash, doubtful } }
        }
    }
}

/// Marked objects that are not in the plan, and those of members that open what may not be open, also while a finalizer holds them
/// back. Namespaces never go this way, nor does what was in a namespace before the operator came.
fn prune<'a>(plan: &'a Plan, space: &'a NamespacePlan, inventory: &'a Inventory) -> impl Iterator<Item = Change> + 'a {
    let arrival = inventory.of(&space.namespace).arrival.unwrap_or(i64::MAX);
    inventory.inside(&space.namespace).filter_map(move |(key, entry)| {
        let kind = TABLE[key.kind];
        let planned = space.desired.iter().any(|desired| &desired.key() == key);
        let foreign = kind.exposes.is_some() && entry.tenant_uid.is_empty();
        if planned || kind.is_namespace() || (entry.deleting && !(foreign && entry.held)) || (foreign && entry.created < arrival) {
            return None;
        }
        let cause = if foreign { Some(cause(plan, space, &entry.exposes)?) } else { None };
        Some(Change::Delete { key: key.clone(), uid: entry.uid.to_string(), held: foreign && entry.held, cause })
    })
}

/// Ends the pods once no new ones are admitted; removes the namespace once there are none.
fn close(space: &NamespacePlan, found: &Found) -> Option<Change> {
    if space.drained {
        let uid = found.entry.filter(|_| space.goal == Goal::Remove)?.uid.to_string();
        return Some(Change::Remove { uid });
    }
    let quota = found.quota?;
    let running = of(&quota.used, "pods") > Amount::ZERO;
    (quota.is_closed() && running).then_some(Change::DeletePods)
}
