//! Changes → outcome: the only writer of children. Namespaces in parallel; within one, rank after rank.

use std::sync::Arc;

use futures::{StreamExt, future::join_all, stream};
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api,
    api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams, Preconditions},
};
use serde_json::{Map, Value, json};

use super::{
    cache::{Cache, Source},
    connection::{Connection, dynamic, patch as patch_by_us, post},
    decode::json,
};
use crate::{
    children::{Kind, Rank, TABLE, Write},
    error::Error,
    names::{FIELD_MANAGER, LABEL_TENANT_UID, NamespaceName, is_ours},
    plan::{
        desired::Desired,
        diff::{Change, SpaceChanges},
        outcome::{Failure, Outcome, SpaceOutcome},
        snapshot::ChildKey,
    },
};

/// Namespaces of one tenant that are written at the same time.
const NAMESPACES_AT_ONCE: usize = 8;

/// Kinds that must be as planned before pods are ended or a namespace is removed.
const CLOSING: [&str; 3] = ["Namespace", "NetworkPolicy", "ResourceQuota"];

/// Writes children.
#[derive(Clone)]
pub struct Writer {
    /// Way to the API server.
    pub connection: Connection,
    /// Takes in what was written.
    pub cache: Arc<Cache>,
}

impl Writer {
    /// Carries out the changes; a namespace or child that fails does not stop the others.
    pub async fn apply(&self, changes: Vec<SpaceChanges>) -> Outcome {
        let spaces = stream::iter(changes).map(|space| async move { (space.namespace.clone(), self.space(space).await) });
        Outcome { spaces: spaces.buffer_unordered(NAMESPACES_AT_ONCE).collect().await }
    }

    async fn space(&self, space: SpaceChanges) -> SpaceOutcome {
        let mut outcome = SpaceOutcome::default();
        let mut found = Found { fresh: false, guarded: true };
        let mut rest = space.changes;
        for rank in [Rank::Namespace, Rank::Guard, Rank::Access] {
            let (mut now, later): (Vec<_>, Vec<_>) = rest.into_iter().partition(|change| rank_of(change) == Some(rank));
            rest = later;
            if rank == Rank::Guard && !outcome.failures.is_empty() {
                return outcome; // nothing is created in a namespace that is not ours
            }
            if rank == Rank::Access && !self.is_guarded(&space.namespace, &now, &mut outcome) {
                found.guarded = false;
                now.retain(|change| !matches!(change, Change::Create(_)));
            }
            for result in join_all(now.iter().map(|change| self.carry_out(&space.namespace, change, found))).await {
                found.fresh |= rank == Rank::Namespace && matches!(result, Ok(Done::Created(_)));
                record(&mut outcome, result);
            }
        }
        // What cannot be written beside the guards does not keep pods alive.
        let closed = |outcome: &SpaceOutcome| !outcome.failures.iter().any(|failure| CLOSING.contains(&failure.kind));
        for change in &rest {
            if closed(&outcome) {
                record(&mut outcome, self.carry_out(&space.namespace, change, found).await);
            }
        }
        outcome
    }

    /// Whether somebody may be let in: every guard is as planned, and admission enforces the quota.
    fn is_guarded(&self, namespace: &NamespaceName, access: &[Change], outcome: &mut SpaceOutcome) -> bool {
        if !access.is_empty() && outcome.failures.is_empty() && !self.cache.quota_is_enforced(namespace) {
            outcome.failures.push(failure("RoleBinding", "all", &Error::QuotaNotLive));
        }
        outcome.failures.is_empty()
    }

    async fn carry_out(&self, namespace: &NamespaceName, change: &Change, found: Found) -> Result<Done, Failure> {
        match change {
            Change::Keep(_) => Ok(Done::Nothing),
            Change::Conflict { owner } => Err(failure("Namespace", namespace.as_str(), &stranger(namespace, owner))),
            Change::Create(desired) => {
                self.create(desired, found.fresh).await.map_err(|error| failure(desired.kind.kind, &desired.name, &error))
            }
            Change::Update { desired, uid } => {
                self.update(desired, uid, found.guarded).await.map_err(|error| failure(desired.kind.kind, &desired.name, &error))
            }
            Change::Delete { key, uid } => {
                let kind = TABLE[key.kind];
                let done = self.delete(kind, &key.namespace, &key.name, uid).await;
                done.map_err(|error| failure(kind.kind, &key.name, &error)).inspect(|_| self.cache.going(key))
            }
            Change::Evict => self.evict(namespace).await.map_err(|error| failure("Pod", "all", &error)),
            Change::Remove { uid } => {
                let kind = TABLE[crate::children::namespace_index()];
                let done = self.delete(kind, namespace, namespace.as_str(), uid).await;
                done.map(|_| Done::Nothing).map_err(|error| failure(kind.kind, namespace.as_str(), &error))
            }
        }
    }

    async fn create(&self, desired: &Desired, fresh: bool) -> Result<Done, Error> {
        if desired.kind.write == Write::Shared {
            return self.server_side_apply(desired).await;
        }
        let api = self.api(desired.kind, &desired.namespace);
        let object = dynamic(desired.object.clone())?;
        let created = match self.connection.request("create", desired.kind.plural, api.create(&post(), &object)).await {
            Err(error) if error.is_code(409) => return self.take_over(desired).await,
            other => other?,
        };
        let Some(prime) = desired.kind.prime else { return self.settle(desired, &created, Done::Created(1)) };
        let mut live = created.clone();
        live.data["status"] = prime(&json(&created), fresh);
        let primed = self.connection.request("update", desired.kind.plural, api.replace_status(&desired.name, &post(), &live)).await;
        let live = match primed {
            // The controller manager was faster; what it wrote is in force.
            Err(error) if error.is_code(409) => self.connection.request("get", desired.kind.plural, api.get(&desired.name)).await?,
            other => other?,
        };
        self.settle(desired, &live, Done::Created(2))
    }

    /// Something of that name exists. In a namespace of ours the names of guards are ours; a namespace must prove it.
    async fn take_over(&self, desired: &Desired) -> Result<Done, Error> {
        let api = self.api(desired.kind, &desired.namespace);
        let live = self.connection.request("get", desired.kind.plural, api.get(&desired.name)).await?;
        self.replace(desired, live).await
    }

    async fn update(&self, desired: &Desired, uid: &str, guarded: bool) -> Result<Done, Error> {
        if desired.kind.write == Write::Shared {
            return self.server_side_apply(desired).await;
        }
        let api = self.api(desired.kind, &desired.namespace);
        let live = self.connection.request("get", desired.kind.plural, api.get(&desired.name)).await?;
        if desired.kind.is_namespace() && live.metadata.uid.as_deref() != Some(uid) {
            return Err(Error::Refused { code: 409, message: format!("namespace {} was created anew meanwhile", desired.name) });
        }
        if let Some(narrow) = desired.kind.narrow.filter(|_| !guarded) {
            let object = narrow(&desired.object, &json(&live));
            let narrowed = Desired { hash: desired.kind.hash(&object), object, ..desired.clone() };
            let is_so = desired.kind.hash(&json(&live)) == narrowed.hash;
            return if is_so { Ok(Done::Nothing) } else { self.replace(&narrowed, live).await };
        }
        self.replace(desired, live).await
    }

    /// Makes a live object as it should be, on condition that it is still the one that was read.
    async fn replace(&self, desired: &Desired, live: DynamicObject) -> Result<Done, Error> {
        let api = self.api(desired.kind, &desired.namespace);
        let plural = desired.kind.plural;
        if desired.kind.is_namespace() {
            let patch = namespace_patch(desired, &live)?;
            let patched = self.connection.request("patch", plural, api.patch(&desired.name, &patch_by_us(), &patch)).await?;
            return self.settle(desired, &patched, Done::Changed);
        }
        let merged = dynamic(with_foreign_labels(desired, &live))?;
        match self.connection.request("update", plural, api.replace(&desired.name, &post(), &merged)).await {
            // The role of a binding cannot be changed: only a new binding helps. A guard is never taken away for that.
            Err(error) if error.is_code(422) && desired.kind.rank == Rank::Access => {
                self.delete(desired.kind, &desired.namespace, &desired.name, live.metadata.uid.as_deref().unwrap_or_default()).await?;
                let created = self.connection.request("create", plural, api.create(&post(), &dynamic(desired.object.clone())?)).await?;
                self.settle(desired, &created, Done::Created(2))
            }
            other => self.settle(desired, &other?, Done::Changed),
        }
    }

    async fn server_side_apply(&self, desired: &Desired) -> Result<Done, Error> {
        let api = self.api(desired.kind, &desired.namespace);
        let (by_us, patch) = (PatchParams::apply(FIELD_MANAGER).force(), Patch::Apply(&desired.object));
        let applied = self.connection.request("apply", desired.kind.plural, api.patch(&desired.name, &by_us, &patch)).await?;
        self.settle(desired, &applied, Done::Changed)
    }

    async fn delete(&self, kind: &Kind, namespace: &NamespaceName, name: &str, uid: &str) -> Result<Done, Error> {
        let condition = Preconditions { uid: Some(uid.to_owned()), resource_version: None };
        let parameters = DeleteParams { preconditions: Some(condition), ..DeleteParams::background() };
        match self.connection.request("delete", kind.plural, self.api(kind, namespace).delete(name, &parameters)).await {
            Err(error) if error.is_code(404) => Ok(Done::Nothing),
            other => other.map(|_| Done::Changed),
        }
    }

    async fn evict(&self, namespace: &NamespaceName) -> Result<Done, Error> {
        let pods: Api<Pod> = Api::namespaced(self.connection.client.clone(), namespace.as_str());
        self.connection
            .request("deletecollection", "pods", pods.delete_collection(&DeleteParams::default(), &ListParams::default()))
            .await?;
        Ok(Done::Nothing) // pods take their time; the quota tells when they are gone
    }

    /// Takes the answer in, and sees whether the object is now as it should be.
    fn settle(&self, desired: &Desired, answer: &DynamicObject, done: Done) -> Result<Done, Error> {
        self.cache.take(Source::Children(desired.index), answer);
        if desired.kind.hash(&json(answer)) == desired.hash { Ok(done) } else { Err(Error::Contested) }
    }

    fn api(&self, kind: &Kind, namespace: &NamespaceName) -> Api<DynamicObject> {
        self.connection.api(&kind.resource(), if kind.is_namespace() { "" } else { namespace.as_str() })
    }
}

/// What a namespace was found to be in this round.
#[derive(Clone, Copy)]
struct Found {
    /// This very round created it, so nothing can be in it.
    fresh: bool,
    /// Its guards are in place, so somebody may be let in.
    guarded: bool,
}

/// What a change came to.
#[derive(Clone, Copy)]
enum Done {
    /// There was nothing to write, or it shows later.
    Nothing,
    /// An object that was there was written, or deleted.
    Changed,
    /// A new object, with so many writes.
    Created(usize),
}

/// When a change is carried out; none for what comes after everything else. Taking away comes with the guards.
fn rank_of(change: &Change) -> Option<Rank> {
    match change {
        Change::Create(desired) | Change::Update { desired, .. } => Some(desired.kind.rank),
        Change::Conflict { .. } => Some(Rank::Namespace),
        Change::Delete { .. } | Change::Keep(ChildKey { .. }) => Some(Rank::Guard),
        Change::Evict | Change::Remove { .. } => None,
    }
}

fn record(outcome: &mut SpaceOutcome, result: Result<Done, Failure>) {
    match result {
        Ok(Done::Nothing) => {}
        Ok(Done::Changed) => outcome.written += 1,
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
        stale: error.is_code(409),
    }
}

fn stranger(namespace: &NamespaceName, owner: &str) -> Error {
    let whose =
        if owner.is_empty() { "it carries no tenant's mark".to_owned() } else { format!("it belongs to the tenant with UID {owner}") };
    Error::Stranger(format!(
        "namespace {namespace} exists and is not this tenant's: {whose}; it is left alone. Save what is in it and delete it, or choose another name"
    ))
}

/// The planned object with the version that was read, and with labels and annotations that mean nothing to us.
fn with_foreign_labels(desired: &Desired, live: &DynamicObject) -> Value {
    let mut object = desired.object.clone();
    let live = json(live);
    for field in ["labels", "annotations"] {
        let foreign = live["metadata"][field].as_object().into_iter().flatten().filter(|(key, _)| !is_ours(key));
        for (key, value) in foreign {
            object["metadata"][field][key] = value.clone();
        }
    }
    for field in ["uid", "resourceVersion"] {
        object["metadata"][field] = live["metadata"][field].clone();
    }
    object
}

/// Our own labels and annotations, and null for those of ours that are not planned.
fn namespace_patch(desired: &Desired, live: &DynamicObject) -> Result<Patch<Value>, Error> {
    let live = json(live);
    let owner = live["metadata"]["labels"][LABEL_TENANT_UID].as_str().unwrap_or_default();
    if desired.object["metadata"]["labels"][LABEL_TENANT_UID].as_str() != Some(owner) {
        return Err(stranger(&desired.namespace, owner));
    }
    let mut metadata = json!({ "uid": live["metadata"]["uid"], "resourceVersion": live["metadata"]["resourceVersion"] });
    for field in ["labels", "annotations"] {
        let surplus = live["metadata"][field].as_object().into_iter().flatten().filter(|(key, _)| is_ours(key));
        let mut patch: Map<String, Value> = surplus.map(|(key, _)| (key.clone(), Value::Null)).collect();
        patch.extend(desired.object["metadata"][field].as_object().cloned().unwrap_or_default());
        metadata[field] = Value::Object(patch);
    }
    Ok(Patch::Merge(json!({ "metadata": metadata })))
}
