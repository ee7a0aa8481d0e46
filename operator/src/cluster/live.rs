//! What one person may see of tenants, read once and with their own rights: for commands that show what would be. Nothing here writes;
//! what may not be read is noted, and told.

mod of_the_cluster;

use std::collections::{BTreeMap, BTreeSet};

use govcloud_core::{
    api::part_of_selector,
    children::TABLE,
    model::{
        names::{ANNOTATION_ADOPT_INTO, ANNOTATION_CONTRACT, LABEL_TENANT, LABEL_TENANT_UID, NamespaceName, SystemName, TenantName},
        observed::NAMESPACE,
        snapshot::Snapshot,
    },
    views::{
        defaults::DefaultClasses,
        guard_rails::{GuardRails, Subject},
    },
};
use k8s_openapi::{api::core::v1::Namespace, jiff::Timestamp};
use kube::{
    Api, Client, ResourceExt,
    api::{ListParams, Patch, PatchParams},
    core::{ApiResource, GroupVersionKind},
};
use serde_json::{Value, json};
use tokio::sync::mpsc::unbounded_channel;

use super::{object::Object, store::Store, streams::Source, watch::resource};
use crate::error::Error;

/// Kinds of objects on which the guard rails have a say: group, version, kind, plural.
const JUDGED: [(&str, &str, &str, &str); 10] = [
    ("", "v1", "Pod", "pods"),
    ("apps", "v1", "Deployment", "deployments"),
    ("apps", "v1", "StatefulSet", "statefulsets"),
    ("apps", "v1", "DaemonSet", "daemonsets"),
    ("batch", "v1", "Job", "jobs"),
    ("batch", "v1", "CronJob", "cronjobs"),
    ("", "v1", "Service", "services"),
    ("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims"),
    ("networking.k8s.io", "v1", "Ingress", "ingresses"),
    ("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies"),
];

/// What was read.
pub struct Live {
    client: Client,
    /// As it is.
    now: Store,
    /// With the objects of the files in the place of their namesakes.
    then: Store,
    /// Objects of the files, by kind, namespace and name.
    replaced: BTreeSet<(Source, String, String)>,
    /// Namespaces that carry no tenant's mark, with the tenant that their annotation agrees to.
    strangers: BTreeMap<NamespaceName, String>,
    /// Copies of contracts on home namespaces, for a tenant whose status has none.
    kept: BTreeMap<TenantName, (String, String)>,
    /// Tenants that may not be read, so that nobody knows whether they exist.
    hidden: BTreeSet<TenantName>,
    /// What the API server puts into objects that name no class.
    defaults: DefaultClasses,
    /// What could not be read, and why.
    unread: BTreeSet<String>,
}

impl Live {
    /// Nothing is read yet.
    #[must_use]
    pub fn new(client: Client) -> Self {
        let store = || Store::new(unbounded_channel().0);
        let (now, then) = (store(), store());
        let (replaced, strangers, kept, hidden, defaults, unread) = Default::default();
        Self { client, now, then, replaced, strangers, kept, hidden, defaults, unread }
    }

    /// Puts an object of the two kinds in the place of its namesake.
    ///
    /// # Errors
    /// Where it is no object at all.
    pub fn replace(&mut self, kind: &str, object: &Value) -> Result<(), Error> {
        let source = if kind == "AgencyTenant" { Source::Tenants } else { Source::Systems };
        let object = Object::new(object)?;
        self.then.take(source, &object);
        self.replaced.insert((source, object.namespace().unwrap_or_default(), object.name_any()));
        Ok(())
    }

    /// Reads all tenants, since their domains and requests concern each other, or where that is not allowed the ones that are named.
    ///
    /// # Errors
    /// Where the API server does not answer.
    pub async fn tenants(&mut self, names: &BTreeSet<TenantName>) -> Result<(), Error> {
        let api = Api::<Object>::all_with(self.client.clone(), &resource(Source::Tenants));
        let all = api.list(&ListParams::default()).await.map(|list| list.items);
        if let Some(tenants) = self.readable("agencytenants of others, so whether domains overlap", all)? {
            for tenant in &tenants {
                self.take(Source::Tenants, tenant);
            }
            return Ok(());
        }
        for name in names {
            let found = api.get_opt(name.as_str()).await;
            match self.readable(&format!("agencytenant/{name}"), found)? {
                Some(Some(tenant)) => self.take(Source::Tenants, &tenant),
                Some(None) => {}
                None => drop(self.hidden.insert(name.clone())),
            }
        }
        Ok(())
    }

    /// Reads all tenants.
    ///
    /// # Errors
    /// Where that is not allowed, or the API server does not answer.
    pub async fn all_tenants(&mut self) -> Result<(), Error> {
        let api = Api::<Object>::all_with(self.client.clone(), &resource(Source::Tenants));
        for tenant in api.list(&ListParams::default()).await?.items {
            self.now.take(Source::Tenants, &tenant);
        }
        Ok(())
    }

    /// Each tenant that was read, as it is.
    #[must_use]
    pub fn present(&self) -> Vec<Snapshot> {
        let now = Timestamp::now();
        self.now.tenants().iter().map(|name| self.now.snapshot(name, now)).collect()
    }

    /// Reads a tenant's systems, and what is in its namespaces.
    ///
    /// # Errors
    /// Where the API server does not answer.
    pub async fn tenant(&mut self, name: &TenantName) -> Result<(), Error> {
        let (home, systems) = (name.home(), resource(Source::Systems));
        let list = Api::<Object>::namespaced_with(self.client.clone(), home.as_str(), &systems).list(&ListParams::default()).await;
        for system in self.readable(&format!("hostedsystems in namespace {home}"), list)?.into_iter().flatten() {
            self.take(Source::Systems, &system);
        }
        let declared = self.snapshots(name).into_iter().flat_map(|snapshot| snapshot.systems);
        let mut namespaces: BTreeSet<NamespaceName> = declared.map(|root| name.workload(&SystemName::new(root.name.as_str()))).collect();
        namespaces.insert(home);
        self.namespaces(name, namespaces).await
    }

    async fn namespaces(&mut self, tenant: &TenantName, mut names: BTreeSet<NamespaceName>) -> Result<(), Error> {
        let api = Api::<Object>::all_with(self.client.clone(), &resource(Source::Children(NAMESPACE)));
        let labelled = api.list(&ListParams::default().labels(&format!("{LABEL_TENANT}={tenant}"))).await;
        // Without that right one sees those by name, and misses those of systems that are not declared any more.
        if let Some(found) = self.readable(&format!("namespaces of {tenant} beside those of its declared systems"), labelled)? {
            names.extend(found.iter().map(|namespace| NamespaceName::new(namespace.name_any())));
        }
        for name in names {
            let found = api.get_opt(name.as_str()).await;
            let Some(namespace) = self.readable(&format!("namespace {name}"), found)?.flatten() else { continue };
            if namespace.labels().contains_key(LABEL_TENANT) {
                self.take(Source::Children(NAMESPACE), &namespace);
                self.keep(tenant, &name, &namespace);
                self.children(&name).await?;
            } else {
                let agreed = namespace.annotations().get(ANNOTATION_ADOPT_INTO).cloned().unwrap_or_default();
                self.strangers.insert(name, agreed);
            }
        }
        Ok(())
    }

    fn keep(&mut self, tenant: &TenantName, name: &NamespaceName, namespace: &Object) {
        let uid = namespace.labels().get(LABEL_TENANT_UID).cloned();
        let copy = namespace.annotations().get(ANNOTATION_CONTRACT).cloned();
        if let Some(found) = uid.zip(copy).filter(|_| *name == tenant.home()) {
            self.kept.insert(tenant.clone(), found);
        }
    }

    async fn children(&mut self, namespace: &NamespaceName) -> Result<(), Error> {
        for (index, kind) in TABLE.iter().enumerate() {
            if kind.is_namespace() || matches!(kind.build, govcloud_core::children::Build::TenantAccess(_)) {
                continue;
            }
            let parameters = if kind.exposes.is_some() { ListParams::default() } else { ListParams::default().labels(LABEL_TENANT) };
            let list = Api::<Object>::namespaced_with(self.client.clone(), namespace.as_str(), &kind.resource()).list(&parameters).await;
            for child in self.readable(&format!("{} in namespace {namespace}", kind.plural), list)?.into_iter().flatten() {
                self.take(Source::Children(index), &child);
            }
        }
        Ok(())
    }

    /// A tenant as it is, and with the objects of the files.
    #[must_use]
    pub fn snapshots(&self, name: &TenantName) -> [Snapshot; 2] {
        [&self.now, &self.then].map(|store| {
            let mut snapshot = store.snapshot(name, Timestamp::now());
            let lost = snapshot.tenant.as_ref().filter(|root| root.status.contract.is_none());
            let copy = lost.and_then(|root| self.kept.get(name).filter(|(uid, _)| *uid == root.uid));
            snapshot.kept = copy.and_then(|(_, text)| serde_json::from_str(text).ok());
            snapshot
        })
    }

    /// Whether a tenant may not be read, so that nobody knows whether it exists.
    #[must_use]
    pub fn hides(&self, tenant: &TenantName) -> bool {
        self.hidden.contains(tenant)
    }

    /// Namespaces that are there and carry no tenant's mark.
    #[must_use]
    pub fn strangers(&self) -> &BTreeMap<NamespaceName, String> {
        &self.strangers
    }

    /// What could not be read, a line each.
    pub fn unread(&self) -> impl Iterator<Item = &String> {
        self.unread.iter()
    }

    /// The cluster's guard rails; none where they may not be read.
    ///
    /// # Errors
    /// Where the API server does not answer.
    pub async fn guard_rails(&mut self) -> Result<GuardRails, Error> {
        let kind = GroupVersionKind::gvk("admissionregistration.k8s.io", "v1", "ValidatingAdmissionPolicy");
        let api = Api::<Object>::all_with(self.client.clone(), &ApiResource::from_gvk(&kind));
        let list = api.list(&ListParams::default().labels(&part_of_selector())).await;
        let found = self.readable("validatingadmissionpolicies, so whether running objects would be admitted", list)?;
        let policies: Vec<Value> = found.into_iter().flatten().map(|policy| policy.json().clone()).collect();
        Ok(GuardRails::read(&policies))
    }

    /// What is in a namespace and is not the operator's, of the kinds on which the guard rails have a say.
    ///
    /// # Errors
    /// Where the API server does not answer.
    pub async fn objects(&mut self, namespace: &NamespaceName) -> Result<Vec<Subject>, Error> {
        let kinds = JUDGED
            .map(|(group, version, kind, plural)| ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural));
        self.subjects(namespace, &kinds).await
    }

    /// Everything of the kinds that the operator writes into a namespace.
    ///
    /// # Errors
    /// Where the API server does not answer.
    pub async fn namesakes(&mut self, namespace: &NamespaceName) -> Result<Vec<Subject>, Error> {
        let inside =
            TABLE.iter().filter(|kind| !kind.is_namespace() && !matches!(kind.build, govcloud_core::children::Build::TenantAccess(_)));
        let kinds: Vec<ApiResource> = inside.map(|kind| kind.resource()).collect();
        self.subjects(namespace, &kinds).await
    }

    async fn subjects(&mut self, namespace: &NamespaceName, kinds: &[ApiResource]) -> Result<Vec<Subject>, Error> {
        let mut subjects = Vec::new();
        for kind in kinds {
            let list = Api::<Object>::namespaced_with(self.client.clone(), namespace.as_str(), kind).list(&ListParams::default()).await;
            let found = self.readable(&format!("{} in namespace {namespace}", kind.plural), list)?;
            let others = found.into_iter().flatten().filter(|object| !object.labels().contains_key(LABEL_TENANT));
            subjects.extend(others.map(|object| {
                let mut json = object.json().clone();
                // The items of a list do not say what they are.
                (json["apiVersion"], json["kind"]) = (json!(kind.api_version), json!(kind.kind));
                let mut subject = Subject { plural: kind.plural.clone(), object: json };
                self.defaults.complete(&mut subject);
                subject
            }));
        }
        Ok(subjects)
    }

    /// What Pod Security says of the pods in a namespace under other labels: the API server lists those that violate them as warnings
    /// of a dry run.
    ///
    /// # Errors
    /// Where the API server does not answer.
    pub async fn pod_security(&mut self, namespace: &NamespaceName, labels: &Value) -> Result<Vec<String>, Error> {
        let parameters = PatchParams { dry_run: true, ..PatchParams::default() };
        let patch = Patch::Merge(json!({ "metadata": { "labels": labels } }));
        let warnings = warnings(&self.client, namespace.as_str(), &parameters, &patch).await;
        let told = self.readable(&format!("whether pods in namespace {namespace} violate Pod Security"), warnings)?;
        Ok(told.unwrap_or_default())
    }

    fn take(&self, source: Source, object: &Object) {
        self.now.take(source, object);
        if !self.replaced.contains(&(source, object.namespace().unwrap_or_default(), object.name_any())) {
            self.then.take(source, object);
        }
    }

    /// An answer; none, with a note, where one may not ask.
    fn readable<T>(&mut self, what: &str, answer: kube::Result<T>) -> Result<Option<T>, Error> {
        match answer.map_err(Error::from) {
            Ok(found) => Ok(Some(found)),
            Err(error @ Error::Refused { .. }) => {
                self.unread.insert(format!("{what}: {error}"));
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

/// Sends a patch of a namespace and returns the warnings of the answer, which the client's own calls drop.
async fn warnings(client: &Client, name: &str, parameters: &PatchParams, patch: &Patch<Value>) -> kube::Result<Vec<String>> {
    let mut request = kube::core::Request::new(<Namespace as kube::Resource>::url_path(&(), None))
        .patch(name, parameters, patch)
        .map_err(kube::Error::BuildRequest)?;
    request.headers_mut().insert(axum::http::header::ACCEPT, axum::http::HeaderValue::from_static("application/json"));
    let answer = client.send(request.map(kube::client::Body::from)).await?;
    let (parts, body) = answer.into_parts();
    if !parts.status.is_success() {
        let body = body.collect_bytes().await?;
        let status = serde_json::from_slice::<kube::core::Status>(&body).unwrap_or_default();
        return Err(kube::Error::Api(Box::new(status)));
    }
    let told = parts.headers.get_all(axum::http::header::WARNING).iter().filter_map(|value| value.to_str().ok());
    // 299 - "text"
    Ok(told.filter_map(|line| Some(line.split_once('"')?.1.strip_suffix('"')?.replace("\\\"", "\""))).collect())
}
