//! Plan × observed → changes: what must be written so that the plan holds, and nothing else.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

use crate::{
    api::conditions::reason,
    children::{Rank, TABLE, desired::Desired},
    model::{
        amounts::{Amount, of},
        names::NamespaceName,
        observed::ChildKey,
        outcome::{Failure, NamespaceOutcome, Outcome},
        ownership::{Ownership, not_ours},
        snapshot::Snapshot,
    },
    plan::{
        Goal, NamespacePlan, Plan,
        foreign::{Verdict, verdict},
        inventory::{Found, Inventory},
    },
};

/// One step towards the plan.
#[derive(Clone, Debug)]
pub enum Change {
    /// It does not exist.
    Create(Arc<Desired>),
    /// It exists with other content.
    Update {
        /// As it should be.
        desired: Arc<Desired>,
        /// As it was seen.
        seen: Seen,
        /// Whether it may let in only whom it lets in already, because its namespace is not guarded yet.
        narrows: bool,
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
    /// A network policy that others wrote opens what may not be open now: it stays and selects no pod.
    Disable {
        /// Where it is.
        key: ChildKey,
        /// As it was seen.
        seen: Seen,
        /// Why.
        cause: String,
    },
    /// It may have effect again.
    Restore {
        /// Where it is.
        key: ChildKey,
        /// As it was seen.
        seen: Seen,
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
            Self::Delete { .. } | Self::Disable { .. } | Self::Restore { .. } | Self::Keep(_) => Some(Rank::Isolation),
            Self::DeletePods | Self::Remove { .. } => None,
        }
    }

    /// Whether it lets somebody in who was not in before, whatever else it does.
    #[must_use]
    pub fn lets_in(&self) -> bool {
        matches!(self, Self::Create(desired) if desired.kind.rank == Rank::Access)
    }

    /// Whether carrying it out writes to the API server.
    #[must_use]
    pub fn writes(&self) -> bool {
        !matches!(self, Self::Keep(_))
    }
}

/// The changes of one namespace.
#[derive(Clone, Debug)]
pub struct NamespaceChanges {
    /// Its name.
    pub namespace: NamespaceName,
    /// Whether a namespace that was there before may be taken over.
    pub adopts: bool,
    /// A hash of all that is wanted in it: what is written again while this stays is a repair.
    pub wanted: u64,
    /// What to do in it.
    pub changes: Vec<Change>,
    /// A failure that is known before anything is written: it belongs to somebody else, or nobody may be let in yet.
    pub failure: Option<Failure>,
}

/// Failures that the plan itself finds, before anything is written.
#[must_use]
pub fn failures(changes: &[NamespaceChanges]) -> Outcome {
    outcome(changes, |space| space.failure.clone())
}

/// Namespaces in which changes remain when a reconcile ends, though nothing failed there: what had to be left out a moment ago may be
/// allowed by now, and the next reconcile writes it.
#[must_use]
pub fn not_written(changes: &[NamespaceChanges], told: &Outcome) -> Outcome {
    let message = "not all of its objects are written yet; the operator tries again";
    outcome(changes, |space| {
        let is_left = space.changes.iter().any(|change| change.writes() && change.rank().is_some());
        let is_new = is_left && told.failure(&space.namespace).is_none();
        is_new.then(|| failure("Namespace", space.namespace.as_str(), reason::PROGRESSING, message.to_owned(), false))
    })
}

fn outcome(changes: &[NamespaceChanges], failure: impl Fn(&NamespaceChanges) -> Option<Failure>) -> Outcome {
    let failures = changes.iter().filter_map(|space| Some((space.namespace.clone(), vec![failure(space)?])));
    Outcome { namespaces: failures.map(|(namespace, failures)| (namespace, NamespaceOutcome { failures, ..Default::default() })).collect() }
}

/// Compares a plan with what is there.
#[must_use]
pub fn diff(snapshot: &Snapshot, plan: &Plan, inventory: &Inventory) -> Vec<NamespaceChanges> {
    plan.namespaces.iter().chain(&plan.tenant_access).map(|space| changes(snapshot, plan, space, inventory)).collect()
}

fn changes(snapshot: &Snapshot, plan: &Plan, space: &NamespacePlan, inventory: &Inventory) -> NamespaceChanges {
    let found = inventory.of(&space.namespace);
    let (namespace, adopts, is_cluster) = (space.namespace.clone(), space.adopts, space.namespace.is_cluster());
    let wanted = wanted(space);
    let conflict = |owner| NamespaceChanges {
        failure: Some(failure("Namespace", namespace.as_str(), conflict_reason(owner), not_ours(&namespace, owner), true)),
        changes: Vec::new(),
        namespace: namespace.clone(),
        adopts,
        wanted,
    };
    match found.ownership {
        Ownership::Foreign => return conflict(None),
        Ownership::Orphaned(owner) => return conflict(Some(owner)),
        // Names of objects in cluster scope are ours alone; whatever bears one is made as planned.
        Ownership::Absent | Ownership::Ours => {}
    }
    if found.entry.is_some_and(|entry| entry.deleting) {
        return NamespaceChanges { namespace, adopts, wanted, changes: Vec::new(), failure: None }; // Kubernetes empties it
    }
    // Whatever is remembered of what was in a namespace that is gone, is gone with it.
    let is_absent = !is_cluster && found.entry.is_none();
    let towards = |desired: &Arc<Desired>| if is_absent { Change::Create(desired.clone()) } else { towards(desired, inventory) };
    let mut changes: Vec<Change> = space.desired.iter().map(towards).collect();
    if !is_absent {
        changes.extend(prune(plan, space, inventory));
    }
    if space.goal != Goal::Serve && !is_cluster && !changes.iter().any(isolates) {
        changes.extend(close(space, &found));
    }
    let failure = withhold(snapshot, &namespace, &found, &mut changes);
    NamespaceChanges { namespace, adopts, wanted, changes, failure }
}

fn wanted(space: &NamespacePlan) -> u64 {
    let mut hasher = DefaultHasher::new();
    for desired in &space.desired {
        (desired.index, &desired.name, desired.purpose).hash(&mut hasher);
    }
    hasher.finish()
}

fn conflict_reason(owner: Option<&str>) -> &'static str {
    if owner.is_some() { reason::ORPHAN_OF } else { reason::CONFLICT }
}

fn failure(kind: &'static str, name: &str, reason: &'static str, message: String, stalled: bool) -> Failure {
    Failure { kind, name: name.to_owned(), reason, message, stalled, stale: false, retry_after: None }
}

/// Whether it is to be written before pods are ended or the namespace is removed.
fn isolates(change: &Change) -> bool {
    matches!(change, Change::Create(desired) | Change::Update { desired, .. } if desired.kind.isolates)
}

/// Leaves out what grants access until the guard rails are in force and admission enforces the quota; removed members lose access at
/// once. Returns the reason, unless it is only that changes of this namespace are written before.
fn withhold(snapshot: &Snapshot, namespace: &NamespaceName, found: &Found, changes: &mut Vec<Change>) -> Option<Failure> {
    if !changes.iter().any(|change| change.rank() == Some(Rank::Access)) {
        return None;
    }
    let is_written_before = changes.iter().any(|change| change.writes() && change.rank().is_some_and(|rank| rank < Rank::Access));
    let unguarded = snapshot.unguarded.as_ref().map(|missing| {
        let message = format!("members get no access before the policies of the chart are in force: {missing}");
        failure("RoleBinding", "all", reason::POLICY_NOT_ACTIVE, message, false)
    });
    let uncounted = (!namespace.is_cluster() && !found.quota.is_some_and(|quota| quota.enforced)).then(|| {
        let message = "the quota is not enforced yet, so members get no access; if this lasts, check that kube-controller-manager runs";
        failure("RoleBinding", "all", reason::QUOTA_NOT_LIVE, message.to_owned(), false)
    });
    let cause = unguarded.or(uncounted)?;
    changes.retain(|change| !change.lets_in());
    for change in changes {
        if let Change::Update { desired, narrows, .. } = change {
            *narrows = desired.kind.rank == Rank::Access;
        }
    }
    (!is_written_before).then_some(cause)
}

fn towards(desired: &Arc<Desired>, inventory: &Inventory) -> Change {
    match inventory.observed.get(&desired.key()) {
        None => Change::Create(desired.clone()),
        Some(entry) if entry.hash == desired.hash => Change::Keep(desired.key()),
        Some(entry) => {
            let doubtful = desired.kind.is_namespace() && !inventory.identity.claims(&entry.tenant_uid);
            let seen = Seen { uid: entry.uid.to_string(), hash: entry.hash, doubtful };
            Change::Update { desired: desired.clone(), seen, narrows: false }
        }
    }
}

/// Marked objects that are not in the plan, and those of members that open what may not be open, also while a finalizer holds them
/// back. Namespaces never go this way.
fn prune<'a>(plan: &'a Plan, space: &'a NamespacePlan, inventory: &'a Inventory) -> impl Iterator<Item = Change> + 'a {
    let arrival = inventory.of(&space.namespace).arrival.unwrap_or(i64::MAX);
    inventory.inside(&space.namespace).filter_map(move |(key, entry)| {
        let kind = TABLE[key.kind];
        let planned = space.desired.iter().any(|desired| &desired.key() == key);
        let foreign = kind.exposes.is_some() && entry.tenant_uid.is_empty();
        if planned || kind.is_namespace() || (entry.deleting && !(foreign && entry.held)) {
            return None;
        }
        let (key, uid) = (key.clone(), entry.uid.to_string());
        if !foreign {
            return Some(Change::Delete { key, uid, held: false, cause: None });
        }
        let seen = |uid| Seen { uid, hash: entry.hash, doubtful: false };
        Some(match verdict(plan, space, entry, entry.created < arrival)? {
            Verdict::Delete(cause) => Change::Delete { key, uid, held: entry.held, cause: Some(cause) },
            Verdict::Disable(cause) => Change::Disable { key, seen: seen(uid), cause },
            Verdict::Restore => Change::Restore { key, seen: seen(uid) },
        })
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
