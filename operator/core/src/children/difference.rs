//! Where a live object differs from what is planned of it, and who wrote that: so that a person knows which program to stop.

use serde_json::{Map, Value};

use super::desired::Desired;
use crate::model::names::FIELD_MANAGER;

/// A field that another program changes, and who that is: `field manager "x" keeps changing spec.egress`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contender {
    /// The field. Example: `metadata.labels[govcloud.io/system]`.
    pub field: String,
    /// The program, by the name under which it wrote the field, where that is another than the operator's.
    pub program: String,
}

/// The first field of a live object that is not as planned, with whoever wrote it last by its `managedFields`.
#[must_use]
pub fn contender(desired: &Desired, live: &Value, managed_fields: &Value) -> Contender {
    let path = difference(desired, live).unwrap_or_default();
    let field = if path.is_empty() { "the object".to_owned() } else { text(&path) };
    let program = last_writer(managed_fields, &path).map_or("another program".to_owned(), |name| format!("field manager \"{name}\""));
    Contender { field, program }
}

/// The first field that counts and differs: put as planned, it changes the hash of the content.
fn difference(desired: &Desired, live: &Value) -> Option<Vec<String>> {
    let mut paths = Vec::new();
    differences(live, &desired.object, &mut Vec::new(), &mut paths);
    let hash = desired.kind.hash(live);
    paths.into_iter().find(|path| {
        let mut tried = live.clone();
        let wanted = path.iter().fold(&desired.object, |value, key| &value[key]);
        put(&mut tried, path, wanted);
        desired.kind.hash(&tried) != hash
    })
}

fn differences(live: &Value, wanted: &Value, path: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
    let (Some(live_fields), Some(wanted_fields)) = (live.as_object(), wanted.as_object()) else {
        if live != wanted {
            found.push(path.clone());
        }
        return;
    };
    let added = live_fields.keys().filter(|key| !wanted_fields.contains_key(*key));
    for key in wanted_fields.keys().chain(added) {
        path.push(key.clone());
        differences(&live[key], &wanted[key], path, found);
        path.pop();
    }
}

fn put(object: &mut Value, path: &[String], wanted: &Value) {
    let Some((last, parents)) = path.split_last() else { return };
    let parent = parents.iter().fold(object, |value, key| &mut value[key]);
    match parent.as_object_mut() {
        Some(fields) if wanted.is_null() => drop(fields.remove(last)),
        _ => parent[last] = wanted.clone(),
    }
}

fn text(path: &[String]) -> String {
    path.iter().fold(String::new(), |text, key| match key.chars().all(|letter| letter.is_ascii_alphanumeric()) {
        true if text.is_empty() => key.clone(),
        true => format!("{text}.{key}"),
        false => format!("{text}[{key}]"),
    })
}

/// The manager that wrote a field last, if that was another than the operator.
fn last_writer<'a>(managed_fields: &'a Value, path: &[String]) -> Option<&'a str> {
    let entries = managed_fields.as_array().into_iter().flatten();
    let others = entries.filter(|entry| entry["manager"] != FIELD_MANAGER && owns(entry["fieldsV1"].as_object(), path));
    others.max_by_key(|entry| entry["time"].as_str())?["manager"].as_str()
}

/// Whether a field, or a parent that is written as a whole, is among those of an entry.
fn owns(fields: Option<&Map<String, Value>>, path: &[String]) -> bool {
    let Some((key, rest)) = path.split_first() else { return false };
    match fields.and_then(|fields| fields.get(&format!("f:{key}"))).and_then(Value::as_object) {
        Some(inner) => rest.is_empty() || inner.is_empty() || owns(Some(inner), rest),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn whoever_wrote_a_field_last_is_told_by_the_parent_that_was_written_as_a_whole_too() {
        let path = |text: &str| text.split('.').map(ToOwned::to_owned).collect::<Vec<_>>();
        let entry = |manager: &str, time: &str, fields: Value| json!({ "manager": manager, "time": time, "fieldsV1": fields });
        let managed = json!([
            entry("old", "2026-01-01T00:00:00Z", json!({ "f:spec": { "f:hard": { "f:pods": {} } } })),
            entry("new", "2026-01-02T00:00:00Z", json!({ "f:spec": { "f:hard": { "f:pods": {} } } })),
            entry("govcloud", "2026-01-03T00:00:00Z", json!({ "f:spec": { "f:hard": { "f:pods": {} }, "f:policyTypes": {} } })),
            entry("whole", "2026-01-01T00:00:00Z", json!({ "f:spec": { "f:podSelector": {} } })),
        ]);
        assert_eq!(last_writer(&managed, &path("spec.hard.pods")), Some("new"));
        assert_eq!(last_writer(&managed, &path("spec.podSelector.matchLabels")), Some("whole"));
        for nobody in ["spec.policyTypes", "spec.egress", "metadata.labels"] {
            assert_eq!(last_writer(&managed, &path(nobody)), None, "{nobody}");
        }
        assert_eq!(last_writer(&managed, &[]), None);
    }

    #[test]
    fn a_field_is_written_as_in_other_messages() {
        let path = ["metadata", "labels", "govcloud.io/system"].map(ToOwned::to_owned);
        assert_eq!(text(&path), "metadata.labels[govcloud.io/system]");
        assert_eq!(text(&["spec".to_owned(), "egress".to_owned()]), "spec.egress");
    }
}
