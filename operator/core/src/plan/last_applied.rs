//! What `kubectl apply` noted of an object that was applied as it had been read. Pure.
//!
//! `kubectl` takes off what its note names and the next file does not. So a note with the operator's finalizer, or with what the API
//! server writes, keeps every later file from being applied.

use serde_json::Value;

use crate::model::names::FINALIZER;

/// Where `kubectl` notes what it applied.
pub const ANNOTATION: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// What the API server writes into the metadata of an object.
const WRITTEN: [&str; 5] = ["creationTimestamp", "generation", "managedFields", "resourceVersion", "uid"];

/// The note without the operator's finalizer and what the API server writes; none where it does not name the finalizer.
#[must_use]
pub fn without_ours(note: &str) -> Option<String> {
    let mut noted: Value = Some(note).filter(|note| note.contains(FINALIZER)).and_then(|note| serde_json::from_str(note).ok())?;
    let metadata = noted.get_mut("metadata")?.as_object_mut()?;
    let finalizers = metadata.get_mut("finalizers")?.as_array_mut()?;
    let named = finalizers.len();
    finalizers.retain(|finalizer| finalizer != FINALIZER);
    if finalizers.len() == named {
        return None;
    }
    if finalizers.is_empty() {
        metadata.remove("finalizers");
    }
    metadata.retain(|field, _| !WRITTEN.contains(&field.as_str()));
    noted.as_object_mut()?.remove("status");
    Some(noted.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_note_loses_what_no_file_says() {
        let cleared = |note: Value| without_ours(&note.to_string()).map(|note| serde_json::from_str::<Value>(&note).unwrap());
        let read = json!({
            "metadata": { "name": "web", "uid": "u", "resourceVersion": "7", "finalizers": ["govcloud.io/hold"], "labels": { "a": "b" } },
            "spec": { "status": "1" }, "status": { "stage": "Running" },
        });
        assert_eq!(cleared(read), Some(json!({ "metadata": { "name": "web", "labels": { "a": "b" } }, "spec": { "status": "1" } })));
        let foreign = json!({ "metadata": { "finalizers": ["example.com/a", "govcloud.io/hold"] } });
        assert_eq!(cleared(foreign), Some(json!({ "metadata": { "finalizers": ["example.com/a"] } })));
        for untouched in [
            json!({ "metadata": { "name": "web", "uid": "u" } }),
            json!({ "metadata": { "finalizers": ["example.com/a"] }, "spec": { "displayName": "govcloud.io/hold" } }),
            json!({ "metadata": { "finalizers": "govcloud.io/hold" } }),
            json!(["govcloud.io/hold"]),
        ] {
            assert_eq!(cleared(untouched.clone()), None, "{untouched}");
        }
        assert_eq!(without_ours("govcloud.io/hold {"), None);
    }
}
