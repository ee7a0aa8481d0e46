//! What is sent to change an object that is there: our part of it, on condition that it is still the one that was read.

use kube::api::Patch;
use serde_json::Value;

use super::object::Object;
use crate::{
    error::Error,
    names::{LABEL_TENANT_UID, NamespaceName, is_ours},
    plan::desired::Desired,
};

/// The tenant that a namespace's mark names, empty where it names none.
pub(super) fn owner_of(object: &Value) -> String {
    object["metadata"]["labels"][LABEL_TENANT_UID].as_str().unwrap_or_default().to_owned()
}

/// Says whose a namespace is instead, and what can be done about it.
pub(super) fn not_ours(namespace: &NamespaceName, owner: &str) -> Error {
    if owner.is_empty() {
        return Error::Stranger(format!(
            "namespace {namespace} exists and is not this tenant's: it has no label govcloud.io/tenant-uid; it is left alone. Save what is in it and delete it, or choose another name"
        ));
    }
    Error::Orphan(format!(
        "namespace {namespace} exists and is not this tenant's, OrphanOf({owner}): it belongs to the tenant with that UID; it is left alone. \
         To take it over with all that is in it, set spec.adopt of agencytenant/{} to {owner}",
        namespace.tenant()
    ))
}

/// The planned object with the version that was read, and with labels and annotations that mean nothing to us.
pub(super) fn with_foreign_labels(desired: &Desired, live: &Object) -> Value {
    let mut object = desired.object.clone();
    let live = live.json();
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

/// Our own content, labels and annotations; null for those of ours that are not planned, and for whatever else decides over the
/// object's life.
pub(super) fn own_part(desired: &Desired, live: &Object) -> Patch<Value> {
    let live = live.json();
    let mut patch = desired.object.clone();
    for field in ["uid", "resourceVersion"] {
        patch["metadata"][field] = live["metadata"][field].clone();
    }
    for field in ["ownerReferences", "finalizers"] {
        patch["metadata"][field] = Value::Null;
    }
    for field in ["labels", "annotations"] {
        let surplus = live["metadata"][field].as_object().into_iter().flatten().filter(|(key, _)| is_ours(key));
        for (key, _) in surplus {
            if desired.object["metadata"][field].get(key).is_none() {
                patch["metadata"][field][key] = Value::Null;
            }
        }
    }
    Patch::Merge(patch)
}
