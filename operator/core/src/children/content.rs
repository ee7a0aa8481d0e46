//! What of an object counts when desired and live are compared: a canonical form, and its hash.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::{Map, Value, json};

use crate::model::names::is_ours;

/// Hash of a value; the same in every run of the same program. Fields that are null or an empty list count as absent, as the
/// API server leaves them out. Empty objects count: `podSelector: {}` and no `podSelector` are two different rules.
pub(super) fn hash(value: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    feed(value, &mut hasher);
    hasher.finish()
}

fn feed(value: &Value, hasher: &mut DefaultHasher) {
    match value {
        Value::Null => hasher.write_u8(0),
        Value::Bool(yes) => (1_u8, yes).hash(hasher),
        Value::Number(number) => (2_u8, number).hash(hasher),
        Value::String(text) => (3_u8, text).hash(hasher),
        Value::Array(items) => {
            (4_u8, items.len()).hash(hasher);
            for item in items {
                feed(item, hasher);
            }
        }
        Value::Object(fields) => {
            let kept = fields.iter().filter(|(_, field)| !field.is_null() && field.as_array().is_none_or(|list| !list.is_empty()));
            for (name, field) in kept {
                (5_u8, name).hash(hasher);
                feed(field, hasher);
            }
            hasher.write_u8(6);
        }
    }
}

/// Our own labels and annotations, and whatever else decides over the object's life. Finalizers of a namespace are those of programs of
/// the platform, which work in it.
pub(super) fn marks(object: &Value, is_namespace: bool) -> Value {
    let metadata = &object["metadata"];
    let ours = |field: &str| -> Map<String, Value> {
        let all = metadata[field].as_object().into_iter().flatten();
        all.filter(|(key, _)| is_ours(key)).map(|(key, value)| (key.clone(), value.clone())).collect()
    };
    json!({
        "labels": ours("labels"),
        "annotations": ours("annotations"),
        "ownerReferences": metadata["ownerReferences"],
        "finalizers": if is_namespace { &Value::Null } else { &metadata["finalizers"] },
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
        let with = |labels: Value| hash(&marks(&json!({"metadata": {"labels": labels}}), true));
        assert_eq!(with(json!({"team": "a"})), with(json!({})));
        assert_ne!(with(json!({"pod-security.kubernetes.io/enforce": "privileged"})), with(json!({})));
    }

    #[test]
    fn a_finalizer_counts_but_on_a_namespace() {
        let with = |finalizers: Value, is_namespace| hash(&marks(&json!({"metadata": {"finalizers": finalizers}}), is_namespace));
        assert_ne!(with(json!(["stranger.example/hold"]), false), with(json!([]), false));
        assert_eq!(with(json!(["stranger.example/hold"]), true), with(json!([]), true));
    }
}
