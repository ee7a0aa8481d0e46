//! What is sent to change an object that is there: our part of it, on condition that it is still the one that was read.

use serde_json::Value;

use super::desired::Desired;
use crate::model::names::{LABEL_TENANT_UID, is_ours};

/// The tenant that a namespace's mark names, empty where it names none.
#[must_use]
pub fn owner_of(object: &Value) -> String {
    object["metadata"]["labels"][LABEL_TENANT_UID].as_str().unwrap_or_default().to_owned()
}

/// The planned object with the version that was read, and with labels and annotations that mean nothing to us.
#[must_use]
pub fn with_foreign_labels(desired: &Desired, live: &Value) -> Value {
    let mut object = desired.object.clone();
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
/// object's life. Finalizers of a namespace are those of programs of the platform, and stay.
#[must_use]
pub fn own_part(desired: &Desired, live: &Value) -> Value {
    let mut patch = desired.object.clone();
    for field in ["uid", "resourceVersion"] {
        patch["metadata"][field] = live["metadata"][field].clone();
    }
    patch["metadata"]["ownerReferences"] = Value::Null;
    if !desired.kind.is_namespace() {
        patch["metadata"]["finalizers"] = Value::Null;
    }
    for field in ["labels", "annotations"] {
        let surplus = live["metadata"][field].as_object().into_iter().flatten().filter(|(key, _)| is_ours(key));
        for (key, _) in surplus {
            if desired.object["metadata"][field].get(key).is_none() {
                patch["metadata"][field][key] = Value::Null;
            }
        }
    }
    patch
}
