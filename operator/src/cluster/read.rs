//! Objects for commands that show them, read with the rights of whoever calls. Nothing here writes.

use kube::{Api, Client, api::ListParams, core::ApiResource};
use serde_json::Value;

use super::{object::Object, streams::Source, watch::resource};

/// Objects of one kind.
#[derive(Clone)]
pub struct Reader(Api<Object>);

impl Reader {
    /// All `AgencyTenants`.
    #[must_use]
    pub fn tenants(client: &Client) -> Self {
        Self(Api::all_with(client.clone(), &resource(Source::Tenants)))
    }

    /// The `HostedSystems` in a namespace.
    #[must_use]
    pub fn systems(client: &Client, namespace: &str) -> Self {
        Self(Api::namespaced_with(client.clone(), namespace, &resource(Source::Systems)))
    }

    /// All `HostedSystems`.
    #[must_use]
    pub fn all_systems(client: &Client) -> Self {
        Self(Api::all_with(client.clone(), &resource(Source::Systems)))
    }

    /// A kind of Kubernetes; without a namespace those of all.
    #[must_use]
    pub fn of<K: kube::Resource<DynamicType = ()>>(client: &Client, namespace: Option<&str>) -> Self {
        let resource = ApiResource::erase::<K>(&());
        Self(match namespace {
            Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
            None => Api::all_with(client.clone(), &resource),
        })
    }

    /// One object, without its `managedFields`.
    ///
    /// # Errors
    /// What the API server answers instead, or that it does not.
    pub async fn get(&self, name: &str) -> kube::Result<Option<Value>> {
        Ok(self.0.get_opt(name).await?.map(Object::into_json))
    }

    /// All objects, or those that are selected, without their `managedFields`.
    ///
    /// # Errors
    /// What the API server answers instead, or that it does not.
    pub async fn list(&self, parameters: &ListParams) -> kube::Result<Vec<Value>> {
        Ok(self.0.list(parameters).await?.items.into_iter().map(Object::into_json).collect())
    }
}
