//! Questions → answers: what only the API server knows, because the store may lag behind it or does not keep it.

use govcloud_core::{
    model::{
        ending::{Ending, read},
        names::{ANNOTATION_CONTRACT, LABEL_TENANT, LABEL_TENANT_UID, NamespaceName, TenantName},
        observed::NAMESPACE,
        ownership::namespace_entry,
        snapshot::{ContractBackup, Question, Snapshot},
        tags::Tags,
    },
    plan::tags::by_tag,
};
use k8s_openapi::{api::core::v1::Pod, apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition};
use kube::{Api, ResourceExt, api::ListParams, core::ApiResource};
use tracing::{debug, warn};

use super::{
    object::Object,
    reconcile::Context,
    streams::{Source, plural},
    watch::resource,
};
use crate::error::Error;

/// Definitions without which nothing may be destroyed.
const DEFINITIONS: [&str; 2] = ["agencytenants.govcloud.io", "hostedsystems.govcloud.io"];

/// Pods that are listed of a namespace that is to have none; more are not told of.
const MAX_LEFT: u32 = 500;

impl Context {
    /// Asks, and puts the answers into the snapshot. Whether it holds: where something is there that the store did not know, the
    /// store knows it now, and a new snapshot must be taken.
    ///
    /// # Errors
    /// Where the API server does not answer.
    pub(super) async fn ask(&self, snapshot: &mut Snapshot, questions: Vec<Question>) -> Result<bool, Error> {
        for question in questions {
            let holds = match &question {
                Question::Contract { uid } => {
                    snapshot.kept = self.copy_of_contract(&snapshot.name, uid).await?;
                    true
                }
                Question::FormerContract { uid } => {
                    snapshot.former = self.copy_of_contract(&snapshot.name, uid).await?;
                    true
                }
                Question::Crds => {
                    self.crds(snapshot).await?;
                    true
                }
                // Systems of a tenant that is gone are let go at once, as nobody's.
                Question::Tenant => !self.refresh(&snapshot.name).await?,
                // Its namespace must not be closed before.
                Question::System(system) => !self.is_there(Source::Systems, snapshot.name.as_str(), system.as_str(), |_| true).await?,
                // The ledger gives an entry up with its namespace.
                Question::Namespace(namespace) => {
                    let is_marked = |found: &Object| found.labels().contains_key(LABEL_TENANT);
                    !self.is_there(Source::Children(NAMESPACE), "", namespace.as_str(), is_marked).await?
                }
                Question::PodsByTag(namespace) => {
                    let found = self.pods_by_tag(snapshot, namespace).await;
                    snapshot.tags.insert(namespace.clone(), found);
                    self.memory.found_pods(snapshot);
                    true
                }
                Question::PodsLeft(namespace) => {
                    let found = self.pods_left(namespace, snapshot.now.as_second()).await;
                    snapshot.ending.insert(namespace.clone(), found);
                    self.memory.found_pods(snapshot);
                    true
                }
            };
            if !holds {
                return Ok(false);
            }
            snapshot.answered.insert(question);
        }
        Ok(true)
    }

    /// The copy of the contract, if the home namespace is that of the tenant with this UID.
    async fn copy_of_contract(&self, tenant: &TenantName, uid: &str) -> Result<Option<ContractBackup>, Error> {
        let namespaces = self.connection.api(&resource(Source::Children(NAMESPACE)), "");
        let home = self.connection.request("get", "namespaces", namespaces.get_opt(tenant.as_str())).await?;
        let own = home.filter(|home| home.labels().get(LABEL_TENANT_UID).is_some_and(|owner| owner == uid));
        let text = own.and_then(|home| home.annotations().get(ANNOTATION_CONTRACT).cloned());
        Ok(text.and_then(|text| {
            serde_json::from_str(&text)
                .inspect_err(|error| warn!(%error, "the copy of the contract in annotation govcloud.io/contract cannot be parsed"))
                .ok()
        }))
    }

    /// Nothing destructive may follow from a definition that is being removed, or was only just put back.
    async fn crds(&self, snapshot: &mut Snapshot) -> Result<(), Error> {
        let crds: Api<CustomResourceDefinition> = Api::all(self.connection.client.clone());
        for definition in DEFINITIONS {
            match self.connection.request("get", "customresourcedefinitions", crds.get_opt(definition)).await {
                Ok(found) => {
                    let metadata = found.map(|found| found.metadata);
                    snapshot.crds.ending |= metadata.as_ref().is_none_or(|metadata| metadata.deletion_timestamp.is_some());
                    let created = metadata.and_then(|metadata| metadata.creation_timestamp).map_or(0, |time| time.0.as_second());
                    snapshot.crds.created = snapshot.crds.created.max(created);
                }
                Err(error @ Error::Refused { code: 401 | 403, .. }) => snapshot.blind.push(error.to_string()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Takes in the tenant as the API server has it, which its watch may not have said yet. Whether there is one.
    ///
    /// # Errors
    /// Where the API server does not answer.
    pub(super) async fn refresh(&self, name: &TenantName) -> Result<bool, Error> {
        self.is_there(Source::Tenants, "", name.as_str(), |_| true).await
    }

    /// Whether an object is there that counts. If so, the store knows it from now on.
    async fn is_there(&self, source: Source, namespace: &str, name: &str, counts: fn(&Object) -> bool) -> Result<bool, Error> {
        let api = self.connection.api(&resource(source), namespace);
        let found = self.connection.request("get", plural(source), api.get_opt(name)).await?.filter(counts);
        if let Some(found) = &found {
            self.store.take(source, found);
        }
        Ok(found.is_some())
    }

    /// Where pods may not be listed, nothing is told of them.
    async fn pods_by_tag(&self, snapshot: &Snapshot, namespace: &NamespaceName) -> Tags {
        let enforced = namespace_entry(&snapshot.observed, namespace).is_some_and(|entry| entry.requires_digests);
        let pods = self.pods(namespace, &ListParams::default()).await;
        let is_of_the_platform = |image: &str| self.settings.is_of_the_platform(image);
        let workloads = pods.map(|pods| by_tag(namespace, pods.iter().map(Object::json), is_of_the_platform));
        Tags { looked: snapshot.now.as_second(), enforced, workloads }
    }

    async fn pods_left(&self, namespace: &NamespaceName, now: i64) -> Ending {
        let pods = self.pods(namespace, &ListParams::default().limit(MAX_LEFT)).await;
        pods.map_or_else(|| Ending { looked: now, ..Ending::default() }, |pods| read(pods.iter().map(Object::json), now))
    }

    /// The pods of a namespace, where they can be listed.
    async fn pods(&self, namespace: &NamespaceName, parameters: &ListParams) -> Option<Vec<Object>> {
        let pods = self.connection.api(&ApiResource::erase::<Pod>(&()), namespace.as_str());
        let listed = self.connection.request("list", "pods", pods.list(parameters)).await;
        listed.inspect_err(|error| debug!(%namespace, %error, "pods cannot be listed")).ok().map(|pods| pods.items)
    }
}
