//! Whose a namespace is that the API server says is there.

use govcloud_core::{
    children::merge::owner_of,
    model::{
        names::{ANNOTATION_ADOPT_INTO, NamespaceName},
        ownership::{not_ours, takeover},
    },
};
use serde_json::Value;

use crate::error::Error;

/// What a namespace is that is not ours.
pub(super) fn foreign(namespace: &NamespaceName, live: &Value) -> Error {
    let owner = owner_of(live);
    match owner.as_str() {
        "" => Error::ForeignNamespace(not_ours(namespace, None)),
        owner => Error::Orphan(not_ours(namespace, Some(owner))),
    }
}

/// Whether a namespace of somebody else may be taken over, as far as it and the contract or the system say so.
pub(super) fn agreed(namespace: &NamespaceName, live: &Value, declared: bool) -> Result<(), Error> {
    if !owner_of(live).is_empty() {
        return Err(foreign(namespace, live));
    }
    let annotation = live["metadata"]["annotations"][ANNOTATION_ADOPT_INTO].as_str().unwrap_or_default();
    takeover(namespace, annotation, declared).map_err(Error::ForeignNamespace)
}
