//! Lists of objects, with the rights of whoever calls.

use govcloud_core::views::doctor::Read;
use kube::{
    Api, Client,
    api::ListParams,
    core::{ApiResource, GroupVersionKind},
};
use serde_json::Value;

use crate::{cluster::object::Object, error::Error};

/// A kind of version v1.
pub(super) fn resource(group: &str, kind: &str, plural: &str) -> ApiResource {
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, "v1", kind), plural)
}

/// Objects of a kind; a namespace of none is all.
pub(super) async fn list(
    client: &Client,
    resource: &ApiResource,
    namespace: Option<&str>,
    parameters: &ListParams,
) -> Result<Read<Vec<Value>>, Error> {
    let api: Api<Object> = match namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, resource),
        None => Api::all_with(client.clone(), resource),
    };
    let listed = readable(api.list(parameters).await)?;
    Ok(listed.map(|list| list.items.iter().map(|object| object.json().clone()).collect()))
}

/// An answer, or what the API server said instead of one.
pub(super) fn readable<T>(answer: kube::Result<T>) -> Result<Read<T>, Error> {
    match answer.map_err(Error::from) {
        Ok(found) => Ok(Ok(found)),
        // A kind whose definition is missing has no objects, and that is told where definitions are.
        Err(error @ Error::Refused { code, .. }) if code != 401 => Ok(Err(error.to_string())),
        Err(error) => Err(error),
    }
}
