//! Which part of an object is compared with what is desired, and its hash.

use std::hash::{DefaultHasher, Hash, Hasher as _};

use serde_json::Value;

/// The part of an object that the operator defines.
#[derive(Clone, Copy, Debug)]
pub enum Content {
    /// These fields, as JSON pointers.
    Fields(&'static [&'static str]),
    /// A form that is the same for all ways in which the API server may write it.
    Canonical(fn(&Value) -> Value),
}

/// Hashes parts of an object; the same in every run of the same program. Fields that are null or an empty list count as absent, as the
/// API server leaves them out. Empty objects count: `podSelector: {}` and no `podSelector` are two different rules.
#[derive(Default)]
pub(super) struct Hasher(DefaultHasher);

impl Hasher {
    pub fn finish(&self) -> u64 {
        self.0.finish()
    }

    /// The labels and annotations that count, and whatever else decides over the object's life. Finalizers of a namespace are those of
    /// programs of the platform, which work in it.
    pub fn marks(&mut self, object: &Value, is_namespace: bool, counts: impl Fn(&str) -> bool) {
        let metadata = &object["metadata"];
        for field in ["labels", "annotations"] {
            self.fields(metadata[field].as_object().into_iter().flatten().filter(|(key, _)| counts(key)));
        }
        self.value(without_empty(&metadata["ownerReferences"]));
        self.value(if is_namespace { &Value::Null } else { without_empty(&metadata["finalizers"]) });
    }

    pub fn content(&mut self, object: &Value, content: Content) {
        match content {
            Content::Fields(pointers) => {
                for pointer in pointers {
                    self.value(object.pointer(pointer).map_or(&Value::Null, without_empty));
                }
            }
            Content::Canonical(form) => self.value(&form(object)),
        }
    }

    pub fn value(&mut self, value: &Value) {
        match value {
            Value::Null => self.0.write_u8(0),
            Value::Bool(yes) => (1_u8, yes).hash(&mut self.0),
            Value::Number(number) => (2_u8, number).hash(&mut self.0),
            Value::String(text) => (3_u8, text).hash(&mut self.0),
            Value::Array(items) => {
                (4_u8, items.len()).hash(&mut self.0);
                for item in items {
                    self.value(item);
                }
            }
            Value::Object(fields) => self.fields(fields.iter()),
        }
    }

    fn fields<'a>(&mut self, fields: impl Iterator<Item = (&'a String, &'a Value)>) {
        for (name, field) in fields.filter(|(_, field)| !without_empty(field).is_null()) {
            (5_u8, name).hash(&mut self.0);
            self.value(field);
        }
        self.0.write_u8(6);
    }
}

/// An empty list is the same as none.
fn without_empty(value: &Value) -> &Value {
    if value.as_array().is_some_and(Vec::is_empty) { &Value::Null } else { value }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::names::is_ours;

    fn hash(feed: impl FnOnce(&mut Hasher)) -> u64 {
        let mut hasher = Hasher::default();
        feed(&mut hasher);
        hasher.finish()
    }

    fn spec(value: &Value) -> u64 {
        hash(|hasher| hasher.content(&json!({ "spec": value }), Content::Fields(&["/spec"])))
    }

    fn marks(metadata: &Value, is_namespace: bool) -> u64 {
        hash(|hasher| hasher.marks(&json!({ "metadata": metadata }), is_namespace, is_ours))
    }

    #[test]
    fn an_absent_list_is_an_empty_list_but_an_empty_rule_is_a_rule() {
        assert_eq!(spec(&json!({"egress": [], "x": null})), spec(&json!({})));
        assert_ne!(spec(&json!({"egress": [{}]})), spec(&json!({})));
        assert_ne!(spec(&json!({"podSelector": {}})), spec(&json!({"namespaceSelector": {}})));
    }

    #[test]
    fn foreign_labels_do_not_count_and_ours_do() {
        let with = |labels: Value| marks(&json!({ "labels": labels }), true);
        assert_eq!(with(json!({"team": "a"})), with(json!({})));
        assert_ne!(with(json!({"pod-security.kubernetes.io/enforce": "privileged"})), with(json!({})));
    }

    #[test]
    fn a_finalizer_counts_but_on_a_namespace() {
        let with = |finalizers: Value, is_namespace| marks(&json!({ "finalizers": finalizers }), is_namespace);
        assert_ne!(with(json!(["stranger.example/hold"]), false), with(json!([]), false));
        assert_eq!(with(json!(["stranger.example/hold"]), true), with(json!([]), true));
    }

    #[test]
    fn fields_are_told_apart_by_their_place_and_a_list_that_is_empty_is_no_field() {
        let content = |object: Value| hash(|hasher| hasher.content(&object, Content::Fields(&["/a", "/b"])));
        assert_ne!(content(json!({"a": ["x"]})), content(json!({"b": ["x"]})));
        assert_eq!(content(json!({"a": [], "c": 1})), content(json!({})));
    }
}
