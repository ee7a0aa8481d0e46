//! Objects as the API server sends them, read for the store.

use govcloud_core::{
    children::TABLE,
    model::{
        names::{ANNOTATION_CONFIRM_DELETE, ANNOTATION_REQUESTED_BY},
        observed::tenant_of_child,
        root::{Root, Unreadable},
    },
    plan::last_applied,
};
use kube::{Resource, ResourceExt};
use serde::de::DeserializeOwned;

use super::{object::Object, streams::Source};

/// Where an object is: its namespace, empty where it has none, and its name. A Namespace is in itself.
pub(super) type Place<'a> = (&'a str, &'a str);

pub(super) fn place(source: Source, object: &Object) -> Place<'_> {
    let [namespace, name] = [&object.meta().namespace, &object.meta().name].map(|text| text.as_deref().unwrap_or_default());
    match source {
        Source::Children(kind) if TABLE[kind].is_namespace() => (name, name),
        _ => (namespace, name),
    }
}

/// The tenant in whose name an object stands, by its place.
pub(super) fn tenant_at(source: Source, (namespace, name): Place<'_>) -> &str {
    match source {
        Source::Tenants => name,
        // Not before `--`: a hosted system in a workload namespace is nobody's, and must be told so.
        Source::Systems => namespace,
        _ => tenant_of_child(namespace, name),
    }
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
        confirmed: metadata.uid.is_some() && object.annotations().get(ANNOTATION_CONFIRM_DELETE) == metadata.uid.as_ref(),
        requested_by: object.annotations().get(ANNOTATION_REQUESTED_BY).cloned(),
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
