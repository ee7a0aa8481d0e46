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
    let listed = match readable(api.list(parameters).await) {
        // Without its definition a kind has no objects.
        Err(Error::Refused { code: 404, .. }) => return Ok(Ok(Vec::new())),
        listed => listed?,
    };
    Ok(listed.map(|list| list.items.iter().map(|object| object.json().clone()).collect()))
}

/// An answer, or what the API server said instead of one. That nobody is logged in, or that there is no such kind, is an error.
pub(super) fn readable<T>(answer: kube::Result<T>) -> Result<Read<T>, Error> {
    match answer.map_err(Error::from) {
        Ok(found) => Ok(Ok(found)),
        Err(error @ Error::Refused { code, .. }) if !matches!(code, 401 | 404) => Ok(Err(error.to_string())),
        Err(error) => Err(error),
    }
}
