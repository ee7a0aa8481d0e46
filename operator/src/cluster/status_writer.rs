//! Status → API server, and events: the only writer of the two kinds, that is of their status and their finalizers.

use std::{collections::BTreeMap, sync::Arc};

use futures::future::join_all;
use govcloud_core::{
    api::{AgencyTenantStatus, Condition, HostedSystemStatus, conditions::reason},
    model::{
        audit::AuditRecord,
        names::{FINALIZER, SystemName, TenantName},
        outcome::{Fate, Outcome},
        root::Root,
        snapshot::Snapshot,
    },
    plan::{finalizers::Finalizers, last_applied},
    step::{Action, Settled},
};
use k8s_openapi::api::core::v1::ObjectReference;
use kube::{Api, Resource, ResourceExt, api::Patch};
use parking_lot::{Mutex, MutexGuard};
use serde::Serialize;
use serde_json::json;

use super::{
    audit,
    connection::{Connection, patch as patch_params, post_params},
    events::Events,
    memory::Memory,
    object::Object,
    store::Store,
    streams::{Source, plural},
    watch::resource,
};
use crate::error::Error;

/// Writes status, finalizers and events.
#[derive(Clone)]
pub struct StatusWriter {
    connection: Connection,
    store: Arc<Store>,
    events: Events,
    memory: Arc<Memory>,
    /// What the API server forbids, by tenant.
    forbidden: Arc<Mutex<BTreeMap<TenantName, String>>>,
}

impl StatusWriter {
    /// A writer in the operator's name.
    pub fn new(connection: Connection, store: Arc<Store>, events: Events, memory: Arc<Memory>) -> Self {
        Self { connection, store, events, memory, forbidden: Arc::default() }
    }

    /// Puts our finalizer on what will get children, and notes in the snapshot where the API server does not let us.
    pub async fn add_finalizers(&self, snapshot: &mut Snapshot, missing: &Finalizers) -> Result<(), Error> {
        if let Some(tenant) = snapshot.tenant.as_ref().filter(|_| missing.tenant) {
            snapshot.finalizer_rejections.tenant = rejection(self.add_finalizer(Source::Tenants, tenant).await)?;
        }
        let systems = snapshot.systems.iter().filter(|root| missing.systems.contains(&root.name));
        let added = join_all(systems.map(async |root| (root.name.clone(), self.add_finalizer(Source::Systems, root).await))).await;
        for (name, result) in added {
            snapshot.finalizer_rejections.systems.extend(rejection(result)?.map(|words| (name, words)));
        }
        Ok(())
    }

    /// Takes our finalizer off what may go.
    async fn release(&self, snapshot: &Snapshot, release: &Finalizers) -> Result<(), Error> {
        let systems = snapshot.systems.iter().filter(|root| release.systems.contains(&root.name));
        for result in join_all(systems.map(|root| self.remove_finalizer(Source::Systems, root))).await {
            result?;
        }
        match &snapshot.tenant {
            Some(tenant) if release.tenant => self.remove_finalizer(Source::Tenants, tenant).await,
            _ => Ok(()),
        }
    }

    /// Writes what became of a tenant, and lets go what may go.
    pub async fn settle(&self, snapshot: &Snapshot, settled: &Settled) -> Result<Action, Error> {
        self.note(&snapshot.name, &settled.outcome);
        let told = self.statuses(snapshot, settled.tenant.as_ref(), &settled.systems).await;
        if settled.release != Finalizers::default() {
            // The status that was just written has raised the version that a finalizer's removal is conditional on.
            self.release(&self.store.snapshot(&snapshot.name, snapshot.now), &settled.release).await?;
        }
        told.map(|()| settled.action)
    }

    async fn statuses(
        &self,
        snapshot: &Snapshot,
        tenant: Option<&AgencyTenantStatus>,
        systems: &[(usize, HostedSystemStatus)],
    ) -> Result<(), Error> {
        let writes = systems.iter().map(|(place, status)| (&snapshot.systems[*place], status)).map(async |(root, status)| {
            self.status(Source::Systems, root, status).await?;
            self.announce(Source::Systems, root, &root.status.conditions, &status.conditions);
            Ok::<_, Error>(())
        });
        let first_error = join_all(writes).await.into_iter().find_map(Result::err);
        if let (Some(root), Some(status)) = (&snapshot.tenant, tenant) {
            self.status(Source::Tenants, root, status).await?;
            self.announce(Source::Tenants, root, &root.status.conditions, &status.conditions);
        }
        if tenant.is_some() || !systems.is_empty() {
            self.memory.told(&snapshot.name);
        }
        first_error.map_or(Ok(()), Err)
    }

    /// Makes known what was decided before anything follows from it: in the audit log first, so that it has each record at least once.
    pub async fn publish(&self, snapshot: &Snapshot, status: &AgencyTenantStatus, records: &[AuditRecord]) -> Result<(), Error> {
        let Some(root) = &snapshot.tenant else { return Ok(()) };
        audit::log(records);
        self.status(Source::Tenants, root, status).await?;
        for record in records {
            if let Ok(object) = reference(Source::Tenants, root, json!({})) {
                self.events.recorded(object.object_ref(&resource(Source::Tenants)), record);
            }
        }
        Ok(())
    }

    /// Tells, on the system or the tenant whose namespace it is, what of the members' own was changed or deleted, and why.
    pub fn removals(&self, snapshot: &Snapshot, outcome: &Outcome) {
        for (namespace, removed) in
            outcome.namespaces.iter().flat_map(|(name, space)| space.removed.iter().map(move |removed| (name, removed)))
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
            let what = format!("{} {} in {namespace}", kind.kind, removed.name);
            let note = match removed.fate {
                Fate::Deleted => format!("{what} was deleted: {}", removed.cause),
                Fate::Disabled => format!(
                    "{what} selects no pod for now: {}; the operator restores its podSelector when the system is no longer suspended",
                    removed.cause
                ),
                Fate::Restored => format!("{what} has its own podSelector again: the system is no longer suspended"),
            };
            let object = ObjectReference {
                api_version: Some(kind.api_version),
                kind: Some(kind.kind),
                namespace: Some(namespace.to_string()),
                name: Some(removed.name.clone()),
                uid: Some(removed.uid.clone()),
                ..ObjectReference::default()
            };
            if let Ok(about) = about {
                self.events.changed(about, object, removed.fate, note);
            }
        }
    }

    /// Remembers what the API server forbids for `/readyz`.
    fn note(&self, name: &TenantName, outcome: &Outcome) {
        let failures = outcome.namespaces.values().flat_map(|space| &space.failures);
        let forbidden = failures.filter(|failure| failure.reason == reason::FORBIDDEN).map(|failure| failure.message.clone()).next();
        let mut all = self.all_forbidden();
        match forbidden {
            Some(message) => drop(all.insert(name.clone(), message)),
            None => drop(all.remove(name)),
        }
    }

    /// What the API server forbids, a line for each different refusal.
    pub fn forbidden(&self) -> Vec<String> {
        let mut messages: Vec<String> = self.all_forbidden().values().cloned().collect();
        messages.sort();
        messages.dedup();
        messages
    }

    fn all_forbidden(&self) -> MutexGuard<'_, BTreeMap<TenantName, String>> {
        self.forbidden.lock()
    }

    async fn status<Spec, Status>(&self, source: Source, root: &Root<Spec, Status>, status: &impl Serialize) -> Result<(), Error> {
        let object = reference(source, root, json!({ "status": status }))?;
        let api = self.api(source, &root.namespace);
        match self.connection.request("update", plural(source), api.replace_status(&root.name, &post_params(), &object)).await {
            Ok(written) => drop(self.store.take(source, &written)),
            Err(error) if error.is_code(404) => {} // it is gone, and needs no status
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// By server-side apply, so that the finalizer is ours also where others wrote it before: then their next apply leaves it.
    async fn add_finalizer<Spec, Status>(&self, source: Source, root: &Root<Spec, Status>) -> Result<(), Error> {
        let mut object = reference(source, root, json!({}))?.json().clone();
        object["metadata"]["finalizers"] = json!([FINALIZER]);
        if let Some(note) = &root.last_applied {
            object["metadata"]["annotations"] = json!({ last_applied::ANNOTATION: note });
        }
        // What is there must be of the schema's types for an apply.
        let (patch, parameters) = if root.spec.is_ok() {
            (Patch::Apply(object), patch_params().force())
        } else {
            object["metadata"]["finalizers"] = json!(root.finalizers.iter().map(String::as_str).chain([FINALIZER]).collect::<Vec<_>>());
            (Patch::Merge(object), patch_params())
        };
        let api = self.api(source, &root.namespace);
        let written = self.connection.request("patch", plural(source), api.patch(&root.name, &parameters, &patch)).await?;
        self.store.take(source, &written);
        Ok(())
    }

    async fn remove_finalizer<Spec, Status>(&self, source: Source, root: &Root<Spec, Status>) -> Result<(), Error> {
        let finalizers: Vec<&str> = root.finalizers.iter().map(String::as_str).filter(|finalizer| *finalizer != FINALIZER).collect();
        let patch = json!({ "metadata": { "uid": root.uid, "resourceVersion": root.resource_version, "finalizers": finalizers } });
        let api = self.api(source, &root.namespace);
        let written = self.connection.request("patch", plural(source), api.patch(&root.name, &patch_params(), &Patch::Merge(patch))).await;
        match written {
            // Without its last finalizer it is gone already, and its watch may have said so before this answer came.
            Ok(written) if written.meta().deletion_timestamp.is_some() && written.finalizers().is_empty() => Ok(()),
            Ok(written) => {
                self.store.take(source, &written);
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

/// The words of an API server that does not take a finalizer.
fn rejection(result: Result<(), Error>) -> Result<Option<String>, Error> {
    match result {
        Ok(()) => Ok(None),
        Err(Error::Refused { code: 400 | 403 | 422, message, .. }) => Ok(Some(message)),
        Err(error) => Err(error),
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
    Object::new(&object)
}
