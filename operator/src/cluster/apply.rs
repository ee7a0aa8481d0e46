//! Changes → outcome: the only writer of children. Namespaces in parallel; within one, rank after rank.

use std::{sync::Arc, time::Instant};

use futures::{StreamExt, future::join_all, stream};
use govcloud_core::{
    children::{
        Kind, Rank, TABLE, WriteMode,
        desired::Desired,
        difference::contender,
        merge::{own_part, owner_of, with_foreign_labels},
    },
    model::{
        names::{LABEL_TENANT, LABEL_TENANT_UID, NamespaceName, QUOTA},
        observed::{ChildKey, NAMESPACE},
        outcome::{Failure, Fate, NamespaceOutcome, Outcome, Removed},
    },
    plan::diff::{Change, NamespaceChanges, Seen},
};
use k8s_openapi::api::core::v1::{Pod, ResourceQuota};
use kube::{
    Api, Resource, ResourceExt,
    api::{DeleteParams, ListParams, Patch, Preconditions},
};
use serde_json::Value;

use super::{
    connection::{Connection, patch as patch_params, post_params},
    object::Object,
    repairs::Repairs,
    store::Store,
    streams::Source,
    takeover::{agreed, foreign},
};
use crate::error::Error;

/// Namespaces of one tenant that are written at the same time.
const NAMESPACES_AT_ONCE: usize = 8;

/// Why a policy is deleted that was to be kept without effect.
const NO_ROOM: &str = "the network of a suspended system is closed both ways, and the policy is too large to be kept with an annotation; \
                       apply the policy again when the system is no longer suspended";

/// Writes children.
#[derive(Clone)]
pub struct ChildWriter {
    /// Way to the API server.
    pub connection: Connection,
    /// Takes in what was written.
    pub store: Arc<Store>,
    /// What was put right lately.
    pub repairs: Arc<Repairs>,
}

impl ChildWriter {
    /// Carries out the changes; a namespace or child that fails does not stop the others.
    pub async fn apply(&self, changes: Vec<NamespaceChanges>) -> Outcome {
        let spaces = stream::iter(changes).map(|space| async move { (space.namespace.clone(), self.namespace(space).await) });
        Outcome { namespaces: spaces.buffer_unordered(NAMESPACES_AT_ONCE).collect().await }
    }

    async fn namespace(&self, space: NamespaceChanges) -> NamespaceOutcome {
        let mut outcome = NamespaceOutcome::default();
        let mut state = NamespaceState { fresh: false, guarded: true, adopts: space.adopts, wanted: space.wanted };
        let absent = space.changes.iter().any(|change| matches!(change, Change::Create(desired) if desired.kind.is_namespace()));
        let mut rest = space.changes;
        for rank in [Some(Rank::Namespace), Some(Rank::Isolation), Some(Rank::Access), None] {
            if rank == Some(Rank::Isolation) && absent && !outcome.failures.is_empty() {
                return outcome; // nothing is created in a namespace that is not ours
            }
            let (mut now, later): (Vec<_>, Vec<_>) = rest.into_iter().partition(|change| change.rank() == rank);
            rest = later;
            if rank == Some(Rank::Access) && !outcome.failures.is_empty() {
                state.guarded = false;
                now.retain(|change| !change.lets_in());
            }
            let results = join_all(now.iter().map(|change| self.carry_out(&space.namespace, change, state))).await;
            for (change, result) in now.iter().zip(results) {
                state.fresh |= rank == Some(Rank::Namespace) && matches!(result, Ok(Done::Created(_)));
                outcome.removed.extend(result.as_ref().ok().and_then(|done| removed(change, *done)));
                record(&mut outcome, result);
            }
        }
        outcome
    }

    async fn carry_out(&self, namespace: &NamespaceName, change: &Change, state: NamespaceState) -> Result<Done, Failure> {
        match change {
            Change::Keep(_) => Ok(Done::Nothing),
            Change::Create(desired) => {
                let key = desired.key();
                let created = self.in_turn(&key, state, "another program keeps deleting it", self.create(desired, state));
                created.await.map_err(|error| failure(desired.kind.kind, &desired.name, &error))
            }
            Change::Update { desired, seen, narrows } => {
                let key = desired.key();
                let write = self.update(desired, seen, *narrows || !state.guarded);
                let updated = self.in_turn(&key, state, "another program keeps changing it", write);
                updated.await.map_err(|error| failure(desired.kind.kind, &desired.name, &error))
            }
            Change::Delete { key, uid, held, .. } => {
                let kind = TABLE[key.kind];
                let write = self.prune(key, uid, *held);
                let state = NamespaceState { fresh: false, ..state };
                let done = self.in_turn(key, state, "another program keeps creating it", write).await;
                done.map_err(|error| failure(kind.kind, &key.name, &error)).inspect(|_| self.store.going(key, uid))
            }
            Change::Disable { key, seen, .. } => self.switch(key, state, self.disable(key, seen)).await,
            Change::Restore { key, seen } => self.switch(key, state, self.restore(key, seen)).await,
            Change::DeletePods => self.delete_pods(namespace).await.map_err(|error| failure("Pod", "all", &error)),
            Change::Remove { uid } => {
                let kind = TABLE[NAMESPACE];
                let done = self.delete(kind, namespace, namespace.as_str(), uid).await;
                done.map(|_| Done::Nothing).map_err(|error| failure(kind.kind, namespace.as_str(), &error))
            }
        }
    }

    /// Writes an object of others, as above.
    async fn switch(
        &self,
        key: &ChildKey,
        state: NamespaceState,
        write: impl Future<Output = Result<Done, Error>>,
    ) -> Result<Done, Failure> {
        let state = NamespaceState { fresh: false, ..state };
        let done = self.in_turn(key, state, "another program keeps changing it", write).await;
        done.map_err(|error| failure(TABLE[key.kind].kind, &key.name, &error))
    }

    /// Writes unless somebody undoes it again and again. What is in a namespace of this very round is no repair.
    async fn in_turn(
        &self,
        key: &ChildKey,
        state: NamespaceState,
        undone: &'static str,
        write: impl Future<Output = Result<Done, Error>>,
    ) -> Result<Done, Error> {
        if state.fresh {
            return write.await;
        }
        self.repairs.allow(key, state.wanted, Instant::now(), undone)?;
        let done = write.await;
        if matches!(done, Ok(Done::Changed | Done::Deleted | Done::Created(_)) | Err(Error::Contested(_))) {
            self.repairs.note(key, state.wanted, Instant::now());
        }
        done
    }

    async fn create(&self, desired: &Desired, state: NamespaceState) -> Result<Done, Error> {
        let api = self.api(desired.kind, &desired.namespace);
        let object = Object::new(&desired.object)?;
        let created = match self.connection.request("create", desired.kind.plural, api.create(&post_params(), &object)).await {
            Err(error) if error.is_code(409) => return self.take_over(desired, state.adopts).await,
            other => other?,
        };
        let Some(initial_status) = desired.kind.initial_status else { return self.settle(desired, &created, Done::Created(1)) };
        let mut live = created.json().clone();
        live["status"] = initial_status(created.json(), state.fresh);
        let live = Object::new(&live)?;
        let primed = self.connection.request("update", desired.kind.plural, api.replace_status(&desired.name, &post_params(), &live)).await;
        let live = match primed {
            // The controller manager was faster; what it wrote is in force.
            Err(error) if error.is_code(409) => self.connection.request("get", desired.kind.plural, api.get(&desired.name)).await?,
            other => other?,
        };
        self.settle(desired, &live, Done::Created(2))
    }

    /// Something of that name exists. In a namespace of ours the names of guards are ours; a namespace must prove it, or both sides
    /// must have said that it is to be taken over.
    async fn take_over(&self, desired: &Desired, adopts: bool) -> Result<Done, Error> {
        let live = self.get(desired).await?;
        if desired.kind.is_namespace() {
            let owner = owner_of(live.json());
            if owner != owner_of(&desired.object) && !(owner.is_empty() && self.is_proven(desired).await?) {
                agreed(&desired.namespace, live.json(), adopts)?;
            }
        }
        if owner_of(live.json()) == owner_of(&desired.object) && live.labels().contains_key(LABEL_TENANT) {
            // Ours, and its watch has not said so yet: what was decided without knowing of it, is decided anew.
            self.store.take(Source::Children(desired.index), &live);
            return Err(Error::Stale);
        }
        self.replace(desired, live).await
    }

    /// Whether the quota in a namespace whose mark was taken off still says that it is ours.
    async fn is_proven(&self, desired: &Desired) -> Result<bool, Error> {
        let quotas = Api::<ResourceQuota>::namespaced(self.connection.client.clone(), desired.namespace.as_str());
        let quota = self.connection.request("get", "resourcequotas", quotas.get_opt(QUOTA)).await?;
        let owner = quota.and_then(|quota| quota.metadata.labels?.remove(LABEL_TENANT_UID)).unwrap_or_default();
        Ok(!owner.is_empty() && owner == owner_of(&desired.object))
    }

    async fn update(&self, desired: &Desired, seen: &Seen, narrows: bool) -> Result<Done, Error> {
        let live = match self.get(desired).await {
            Err(error) if error.is_code(404) => return Err(Error::Stale), // its watch is about to say so
            other => other?,
        };
        let content = live.json();
        if live.meta().uid.as_deref() != Some(&seen.uid) || desired.kind.hash(content) != seen.hash {
            // Decided upon something else, above all a raise of a quota.
            self.store.take(Source::Children(desired.index), &live);
            return Err(Error::Stale);
        }
        if seen.doubtful && !self.is_proven(desired).await? {
            return Err(foreign(&desired.namespace, content));
        }
        if let Some(without_new_subjects) = desired.kind.without_new_subjects.filter(|_| narrows) {
            let object = without_new_subjects(&desired.object, content);
            let narrowed = Desired { hash: desired.kind.hash(&object), object, ..desired.clone() };
            let is_so = desired.kind.hash(content) == narrowed.hash;
            return if is_so { Ok(Done::Nothing) } else { self.replace(&narrowed, live).await };
        }
        self.replace(desired, live).await
    }

    /// Makes a live object as it should be, on condition that it is still the one that was read.
    async fn replace(&self, desired: &Desired, live: Object) -> Result<Done, Error> {
        self.repairs.blame(&desired.key(), || contender(desired, live.json(), &live.managed_fields()));
        let api = self.api(desired.kind, &desired.namespace);
        let plural = desired.kind.plural;
        if desired.kind.write != WriteMode::Replace {
            let patch = Patch::Merge(own_part(desired, live.json()));
            let patched = self.connection.request("patch", plural, api.patch(&desired.name, &patch_params(), &patch)).await?;
            return self.settle(desired, &patched, Done::Changed);
        }
        let merged = Object::new(&with_foreign_labels(desired, live.json()))?;
        match self.connection.request("update", plural, api.replace(&desired.name, &post_params(), &merged)).await {
            // The role of a binding cannot be changed: only a new binding helps. A guard is never taken away for that.
            Err(error)
                if error.is_code(422) && desired.kind.rank == Rank::Access && live.json()["roleRef"] != desired.object["roleRef"] =>
            {
                self.delete(desired.kind, &desired.namespace, &desired.name, live.meta().uid.as_deref().unwrap_or_default()).await?;
                let created = self.connection.request("create", plural, api.create(&post_params(), &Object::new(&desired.object)?)).await?;
                self.settle(desired, &created, Done::Created(2))
            }
            other => self.settle(desired, &other?, Done::Changed),
        }
    }

    async fn get(&self, desired: &Desired) -> Result<Object, Error> {
        let api = self.api(desired.kind, &desired.namespace);
        self.connection.request("get", desired.kind.plural, api.get(&desired.name)).await
    }

    /// An object that a finalizer holds back would go on to let in or open, so its finalizers are taken off before.
    pub(super) async fn prune(&self, key: &ChildKey, uid: &str, held: bool) -> Result<Done, Error> {
        let kind = TABLE[key.kind];
        if held {
            let api = self.api(kind, &key.namespace);
            let live = self.connection.request("get", kind.plural, api.get_opt(&key.name)).await?;
            if let Some(live) = live.filter(|live| live.meta().uid.as_deref() == Some(uid)) {
                let mut released = live.json().clone();
                released["metadata"]["finalizers"] = Value::Null;
                self.connection.request("update", kind.plural, api.replace(&key.name, &post_params(), &Object::new(&released)?)).await?;
            }
        }
        self.delete(kind, &key.namespace, &key.name, uid).await
    }

    async fn delete(&self, kind: &Kind, namespace: &NamespaceName, name: &str, uid: &str) -> Result<Done, Error> {
        let condition = Preconditions { uid: Some(uid.to_owned()), resource_version: None };
        let parameters = DeleteParams { preconditions: Some(condition), ..DeleteParams::background() };
        match self.connection.request("delete", kind.plural, self.api(kind, namespace).delete(name, &parameters)).await {
            Err(error) if error.is_code(404) => Ok(Done::Gone),
            other => other.map(|_| Done::Changed),
        }
    }

    async fn delete_pods(&self, namespace: &NamespaceName) -> Result<Done, Error> {
        let pods: Api<Pod> = Api::namespaced(self.connection.client.clone(), namespace.as_str());
        self.connection
            .request("deletecollection", "pods", pods.delete_collection(&DeleteParams::default(), &ListParams::default()))
            .await?;
        Ok(Done::Nothing) // pods take their time; the quota tells when they are gone
    }

    /// Takes the answer in, and sees whether the object is now as it should be.
    fn settle(&self, desired: &Desired, answer: &Object, done: Done) -> Result<Done, Error> {
        self.store.take(Source::Children(desired.index), answer);
        if desired.kind.hash(answer.json()) == desired.hash {
            return Ok(done);
        }
        Err(Error::Contested(contender(desired, answer.json(), &answer.managed_fields())))
    }

    pub(super) fn api(&self, kind: &Kind, namespace: &NamespaceName) -> Api<Object> {
        self.connection.api(&kind.resource(), if kind.is_namespace() { "" } else { namespace.as_str() })
    }
}

/// What a namespace was found to be in this round.
#[derive(Clone, Copy)]
struct NamespaceState {
    /// This very round created it, so nothing can be in it.
    fresh: bool,
    /// All that guards it is written, so somebody may be let in.
    guarded: bool,
    /// The contract or the system takes over a namespace that was there before.
    adopts: bool,
    /// A hash of what is wanted in it.
    wanted: u64,
}

/// What a change came to.
#[derive(Clone, Copy)]
pub(super) enum Done {
    /// There was nothing to write, or it shows later.
    Nothing,
    /// An object that was there was written, or deleted.
    Changed,
    /// An object that was to be deleted or changed is gone already.
    Gone,
    /// An object that was to be changed was deleted instead.
    Deleted,
    /// A new object, with so many writes.
    Created(usize),
}

/// What a change did to an object of the members' own.
fn removed(change: &Change, done: Done) -> Option<Removed> {
    let (key, uid, fate, cause) = match (change, done) {
        (Change::Delete { key, uid, cause: Some(cause), .. }, Done::Changed) => (key, uid, Fate::Deleted, cause.as_str()),
        (Change::Disable { key, seen, cause }, Done::Changed) => (key, &seen.uid, Fate::Disabled, cause.as_str()),
        (Change::Disable { key, seen, .. }, Done::Deleted) => (key, &seen.uid, Fate::Deleted, NO_ROOM),
        (Change::Restore { key, seen }, Done::Changed) => (key, &seen.uid, Fate::Restored, ""),
        _ => return None,
    };
    Some(Removed { kind: key.kind, name: key.name.to_string(), uid: uid.clone(), fate, cause: cause.to_owned() })
}

fn record(outcome: &mut NamespaceOutcome, result: Result<Done, Failure>) {
    match result {
        Ok(Done::Nothing) => {}
        Ok(Done::Changed | Done::Gone | Done::Deleted) => outcome.written += 1,
        Ok(Done::Created(writes)) => outcome.written += writes,
        Err(failure) => outcome.failures.push(failure),
    }
}

fn failure(kind: &'static str, name: &str, error: &Error) -> Failure {
    Failure {
        kind,
        name: name.to_owned(),
        reason: error.reason(),
        message: error.to_string(),
        stalled: error.is_stalled(),
        stale: error.is_stale(),
        retry_after: error.retry_after(),
    }
}
