//! Whose a namespace is that the API server says is there.

use govcloud_core::{
    children::merge::owner_of,
    model::{
        names::{ANNOTATION_ADOPT_INTO, NamespaceName},
        ownership::{orphaned, takeover},
    },
};
use serde_json::Value;

use crate::error::Error;

/// Says whose a namespace is instead, and what can be done about it.
pub(super) fn not_ours(namespace: &NamespaceName, owner: &str) -> Error {
    if owner.is_empty() {
        return Error::Stranger(takeover(namespace, "", false).err().unwrap_or_default());
    }
    Error::Orphan(orphaned(namespace, owner))
}

/// Whether a namespace of somebody else may be taken over, as far as it and the contract or the system say so.
pub(super) fn agreed(namespace: &NamespaceName, live: &Value, declared: bool) -> Result<(), Error> {
    let owner = owner_of(live);
    if !owner.is_empty() {
        return Err(not_ours(namespace, &owner));
    }
    let annotation = live["metadata"]["annotations"][ANNOTATION_ADOPT_INTO].as_str().unwrap_or_default();
    takeover(namespace, annotation, declared).map_err(Error::Stranger)
}
