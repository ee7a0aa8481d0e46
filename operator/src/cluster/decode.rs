//! Objects as the API server sends them, read for the caches.

use govcloud_core::{
    children::TABLE,
    model::{
        names::{NamespaceName, TenantName},
        observed::ChildKey,
        snapshot::{Root, Unreadable},
    },
    plan::last_applied,
};
use kube::{Resource, ResourceExt};
use serde::de::DeserializeOwned;

use super::{object::Object, streams::Source};

/// The tenant in whose name an object stands.
pub(super) fn tenant_of(source: Source, object: &Object) -> TenantName {
    match source {
        Source::Tenants => TenantName::new(object.name_any()),
        // Not before `--`: a hosted system in a workload namespace is nobody's, and must be told so.
        Source::Systems => TenantName::new(object.namespace().unwrap_or_default()),
        Source::FailedCreates | Source::PriorityClasses | Source::RuntimeClasses | Source::ApiServer(_) => {
            NamespaceName::new(object.namespace().unwrap_or_default()).tenant()
        }
        Source::Children(index) => child_key(index, object).tenant(),
    }
}

pub(super) fn system_key(object: &Object) -> (NamespaceName, String) {
    (NamespaceName::new(object.namespace().unwrap_or_default()), object.name_any())
}

pub(super) fn child_key(index: usize, object: &Object) -> ChildKey {
    let name = object.name_any();
    let namespace = if TABLE[index].is_namespace() { name.clone() } else { object.namespace().unwrap_or_default() };
    ChildKey { namespace: NamespaceName::new(namespace), kind: index, name: name.into() }
}

/// Resource versions are ordered numbers on every supported server; elsewhere the last one to come counts as newer.
pub(super) fn is_newer(version: &str, than: &str) -> bool {
    match (version.parse::<u64>(), than.parse::<u64>()) {
        (Ok(version), Ok(than)) => version > than,
        _ => version != than,
    }
}

pub(super) fn root<Spec: DeserializeOwned, Status: DeserializeOwned + Default>(object: &Object) -> Root<Spec, Status> {
    let metadata = object.meta();
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    Root {
        name: text(&metadata.name),
        namespace: text(&metadata.namespace),
        uid: text(&metadata.uid),
        resource_version: text(&metadata.resource_version),
        generation: metadata.generation.unwrap_or_default(),
        created: metadata.creation_timestamp.as_ref().map(|time| time.0.to_string()).unwrap_or_default(),
        deleting: metadata.deletion_timestamp.is_some(),
        finalizers: metadata.finalizers.clone().unwrap_or_default(),
        holds: object.holds(),
        last_applied: object.annotations().get(last_applied::ANNOTATION).and_then(|note| last_applied::without_ours(note)),
        spec: serde_path_to_error::deserialize(&object.json()["spec"]).map_err(|error| unreadable(&error)),
        status: Status::deserialize(&object.json()["status"]).unwrap_or_default(),
    }
}

pub(super) fn unreadable(error: &serde_path_to_error::Error<serde_json::Error>) -> Unreadable {
    let path = error.path().to_string();
    let field = if path == "." { "spec".to_owned() } else { format!("spec.{path}") };
    Unreadable { field, complaint: error.inner().to_string() }
}
