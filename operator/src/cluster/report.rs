//! Status → API server, and events: the only writer of the two kinds, that is of their status and their finalizers.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use futures::future::join_all;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::{Api, Resource, ResourceExt, api::Patch};
use serde::Serialize;
use serde_json::json;

use super::{
    cache::Cache,
    connection::{Connection, patch as patch_by_us, post},
    events::Events,
    object::Object,
    streams::{Source, plural},
    watch::resource,
};
use crate::{
    api::{AgencyTenantStatus, Condition, HostedSystemStatus},
    error::Error,
    names::{FINALIZER, SystemName, TenantName},
    plan::{
        last_applied,
        outcome::Outcome,
        release::{Release, wants_hold},
        snapshot::{Root, Snapshot},
    },
    status::{conditions::reason, tenant::differ_in_use_only},
};

/// Figures of use are written at most so often.
const USE_INTERVAL: Duration = Duration::from_mins(1);

/// Writes status, finalizers and events.
#[derive(Clone)]
pub struct Report {
    connection: Connection,
    cache: Arc<Cache>,
    events: Events,
    memory: Arc<Mutex<Memory>>,
}

#[derive(Default)]
struct Memory {
    use_written: BTreeMap<TenantName, Instant>,
    forbidden: BTreeMap<TenantName, String>,
}

/// What became of holding.
#[derive(Default)]
pub struct Held {
    /// Whether anything was written.
    pub written: bool,
    /// Objects that the API server does not let us hold, by name, and its words; no name is the tenant's.
    pub refused: BTreeMap<String, String>,
}

impl Held {
    fn note(&mut self, name: &str, result: Result<(), Error>) -> Result<(), Error> {
        match result {
            Ok(()) => self.written = true,
            Err(Error::Refused { code: 400 | 403 | 422, message, .. }) => drop(self.refused.insert(name.to_owned(), message)),
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

impl Report {
    /// A reporter in the operator's name.
    pub fn new(connection: Connection, cache: Arc<Cache>, events: Events) -> Self {
        Self { connection, cache, events, memory: Arc::default() }
    }

    /// Puts our finalizer on what will get children.
    pub async fn hold(&self, snapshot: &Snapshot) -> Result<Held, Error> {
        let mut held = Held::default();
        let Some(tenant) = snapshot.tenant.as_ref().filter(|_| !snapshot.definitions.ending) else { return Ok(held) };
        if wants_hold(tenant) {
            held.note("", self.put_hold(Source::Tenants, tenant).await)?;
        }
        let systems: Vec<_> = snapshot.systems.iter().filter(|root| wants_hold(root)).collect();
        let results = join_all(systems.iter().map(|root| self.put_hold(Source::Systems, root))).await;
        for (root, result) in systems.iter().zip(results) {
            held.note(&root.name, result)?;
        }
        Ok(held)
    }

    /// Takes our finalizer off what may go.
    pub async fn release(&self, snapshot: &Snapshot, release: &Release) -> Result<(), Error> {
        let systems = snapshot.systems.iter().filter(|root| release.systems.contains(&root.name));
        for result in join_all(systems.map(|root| self.take_hold(Source::Systems, root))).await {
            result?;
        }
        match &snapshot.tenant {
            Some(tenant) if release.tenant => self.take_hold(Source::Tenants, tenant).await,
            _ => Ok(()),
        }
    }

    /// Writes the statuses that differ. Returns when figures of use are due, if they wait.
    pub async fn statuses(
        &self,
        snapshot: &Snapshot,
        tenant: Option<AgencyTenantStatus>,
        systems: Vec<HostedSystemStatus>,
    ) -> Result<Option<Duration>, Error> {
        let writes =
            snapshot.systems.iter().zip(&systems).filter(|(root, status)| root.status != **status).map(|(root, status)| async move {
                self.status(Source::Systems, root, status).await?;
                self.announce(Source::Systems, root, &root.status.conditions, &status.conditions);
                Ok::<_, Error>(())
            });
        let mut first_error = None;
        for result in join_all(writes).await {
            first_error = first_error.or(result.err());
        }
        let mut due = None;
        if let (Some(root), Some(status)) = (&snapshot.tenant, tenant) {
            due = self.use_due(&snapshot.name, &root.status, &status);
            if due.is_none() && root.status != status {
                self.status(Source::Tenants, root, &status).await?;
                self.announce(Source::Tenants, root, &root.status.conditions, &status.conditions);
                self.memory().use_written.insert(snapshot.name.clone(), Instant::now());
            }
        }
        first_error.map_or(Ok(due), Err)
    }

    /// Makes a raised total known before any of it is handed out.
    pub async fn publish(&self, snapshot: &Snapshot, status: &AgencyTenantStatus) -> Result<(), Error> {
        match &snapshot.tenant {
            Some(root) => self.status(Source::Tenants, root, status).await,
            None => Ok(()),
        }
    }

    /// Tells, on the system or the tenant whose namespace it is, what of the members' own was deleted, and why.
    pub fn removals(&self, snapshot: &Snapshot, outcome: &Outcome) {
        for (namespace, removed) in outcome.spaces.iter().flat_map(|(name, space)| space.removed.iter().map(move |removed| (name, removed)))
        {
            let system =
                snapshot.systems.iter().find(|root| Some(root.name.as_str()) == namespace.system().as_ref().map(SystemName::as_str));
            let about = match (system, &snapshot.tenant) {
                (Some(root), _) => reference(Source::Systems, root, json!({})).map(|object| object.object_ref(&resource(Source::Systems))),
                (None, Some(root)) => {
                    reference(Source::Tenants, root, json!({})).map(|object| object.object_ref(&resource(Source::Tenants)))
                }
                (None, None) => continue,
            };
            let kind = resource(Source::Children(removed.kind));
            let note = format!("{} {} in {namespace} was deleted: {}", kind.kind, removed.name, removed.cause);
            let deleted = ObjectReference {
                api_version: Some(kind.api_version),
                kind: Some(kind.kind),
                namespace: Some(namespace.to_string()),
                name: Some(removed.name.clone()),
                uid: Some(removed.uid.clone()),
                ..ObjectReference::default()
            };
            if let Ok(about) = about {
                self.events.removed(about, deleted, note);
            }
        }
    }

    /// Remembers what the API server forbids for `/readyz`.
    pub fn note(&self, name: &TenantName, outcome: &Outcome) {
        let failures = outcome.spaces.values().flat_map(|space| &space.failures);
        let forbidden = failures.filter(|failure| failure.reason == reason::FORBIDDEN).map(|failure| failure.message.clone()).next();
        let mut memory = self.memory();
        match forbidden {
            Some(message) => drop(memory.forbidden.insert(name.clone(), message)),
            None => drop(memory.forbidden.remove(name)),
        }
    }

    /// What the API server forbids, a line for each different refusal.
    pub fn forbidden(&self) -> Vec<String> {
        let mut messages: Vec<String> = self.memory().forbidden.values().cloned().collect();
        messages.sort();
        messages.dedup();
        messages
    }

    fn memory(&self) -> std::sync::MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When the new figures may be written, if they are all that is new.
    fn use_due(&self, name: &TenantName, old: &AgencyTenantStatus, new: &AgencyTenantStatus) -> Option<Duration> {
        let since = self.memory().use_written.get(name).map(Instant::elapsed)?;
        USE_INTERVAL.checked_sub(since).filter(|_| differ_in_use_only(old, new))
    }

    async fn status<Spec, Status>(&self, source: Source, root: &Root<Spec, Status>, status: &impl Serialize) -> Result<(), Error> {
        let object = reference(source, root, json!({ "status": status }))?;
        let api = self.api(source, &root.namespace);
        match self.connection.request("update", plural(source), api.replace_status(&root.name, &post(), &object)).await {
            Ok(written) => drop(self.cache.take(source, &written)),
            Err(error) if error.is_code(404) => {} // it is gone, and needs no status
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// By server-side apply, so that the finalizer is ours also where others wrote it before: then their next apply leaves it.
    async fn put_hold<Spec, Status>(&self, source: Source, root: &Root<Spec, Status>) -> Result<(), Error> {
        let mut object = reference(source, root, json!({}))?.json().clone();
        object["metadata"]["finalizers"] = json!([FINALIZER]);
        if let Some(note) = &root.last_applied {
            object["metadata"]["annotations"] = json!({ last_applied::ANNOTATION: note });
        }
        // What is there must be of the schema's types for an apply.
        let (patch, parameters) = if root.spec.is_ok() {
            (Patch::Apply(object), patch_by_us().force())
        } else {
            object["metadata"]["finalizers"] = json!(root.finalizers.iter().map(String::as_str).chain([FINALIZER]).collect::<Vec<_>>());
            (Patch::Merge(object), patch_by_us())
        };
        let api = self.api(source, &root.namespace);
        let written = self.connection.request("patch", plural(source), api.patch(&root.name, &parameters, &patch)).await?;
        self.cache.take(source, &written);
        Ok(())
    }

    async fn take_hold<Spec, Status>(&self, source: Source, root: &Root<Spec, Status>) -> Result<(), Error> {
        let finalizers: Vec<&str> = root.finalizers.iter().map(String::as_str).filter(|finalizer| *finalizer != FINALIZER).collect();
        let patch = json!({ "metadata": { "uid": root.uid, "resourceVersion": root.resource_version, "finalizers": finalizers } });
        let api = self.api(source, &root.namespace);
        let written = self.connection.request("patch", plural(source), api.patch(&root.name, &patch_by_us(), &Patch::Merge(patch))).await;
        match written {
            // Without its last finalizer it is gone already, and its watch may have said so before this answer came.
            Ok(written) if written.meta().deletion_timestamp.is_some() && written.finalizers().is_empty() => Ok(()),
            Ok(written) => {
                self.cache.take(source, &written);
                Ok(())
            }
            Err(error) if error.is_code(404) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn announce<Spec, Status>(&self, source: Source, root: &Root<Spec, Status>, old: &[Condition], new: &[Condition]) {
        if let Ok(object) = reference(source, root, json!({})) {
            self.events.announce(object.object_ref(&resource(source)), old, new);
        }
    }

    fn api(&self, source: Source, namespace: &str) -> Api<Object> {
        self.connection.api(&resource(source), namespace)
    }
}

/// The object's type and place, with the version that was read, and what is to be said of it.
fn reference<Spec, Status>(source: Source, root: &Root<Spec, Status>, mut object: serde_json::Value) -> Result<Object, Error> {
    let resource = resource(source);
    object["apiVersion"] = json!(resource.api_version);
    object["kind"] = json!(resource.kind);
    object["metadata"] = json!({ "name": root.name, "uid": root.uid, "resourceVersion": root.resource_version });
    if !root.namespace.is_empty() {
        object["metadata"]["namespace"] = json!(root.namespace);
    }
    Object::new(object)
}
