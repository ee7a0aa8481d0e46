//! What of an object counts when desired and live are compared: a canonical form, and its hash.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::{Map, Value, json};

use crate::names::is_ours;

/// Hash of a value in canonical form; the same in every run of the same program.
pub(super) fn hash(value: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    normalised(value).to_string().hash(&mut hasher);
    hasher.finish()
}

/// Canonical form: fields that are null or an empty list are left out, as the API server leaves them out. Empty objects
/// stay: `podSelector: {}` and no `podSelector` are two different rules.
fn normalised(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields.iter().filter(|(_, field)| !field.is_null() && field.as_array().is_none_or(|list| !list.is_empty()));
            Value::Object(kept.map(|(name, field)| (name.clone(), normalised(field))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(normalised).collect()),
        other => other.clone(),
    }
}

/// Our own labels and annotations, and whatever else decides over the object's life.
pub(super) fn marks(object: &Value) -> Value {
    let metadata = &object["metadata"];
    let ours = |field: &str| -> Map<String, Value> {
        let all = metadata[field].as_object().into_iter().flatten();
        all.filter(|(key, _)| is_ours(key)).map(|(key, value)| (key.clone(), value.clone())).collect()
    };
    json!({
        "labels": ours("labels"),
        "annotations": ours("annotations"),
        "ownerReferences": metadata["ownerReferences"],
        "finalizers": metadata["finalizers"],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absent_list_is_an_empty_list_but_an_empty_rule_is_a_rule() {
        assert_eq!(hash(&json!({"egress": [], "x": null})), hash(&json!({})));
        assert_ne!(hash(&json!({"egress": [{}]})), hash(&json!({})));
        assert_ne!(hash(&json!({"podSelector": {}})), hash(&json!({"namespaceSelector": {}})));
    }

    #[test]
    fn foreign_labels_do_not_count_and_ours_do() {
        let with = |labels: Value| hash(&marks(&json!({"metadata": {"labels": labels}})));
        assert_eq!(with(json!({"team": "a"})), with(json!({})));
        assert_ne!(with(json!({"pod-security.kubernetes.io/enforce": "privileged"})), with(json!({})));
    }

    #[test]
    fn a_finalizer_counts() {
        let with = |finalizers: Value| hash(&marks(&json!({"metadata": {"finalizers": finalizers}})));
        assert_ne!(with(json!(["stranger.example/hold"])), with(json!([])));
    }
}
