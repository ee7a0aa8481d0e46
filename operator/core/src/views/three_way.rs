//! The patch that `kubectl apply` sends: what the file says, and null for what the file said when it was last applied and says no more.

use serde_json::{Map, Value, json};

/// Where `kubectl apply` remembers what it last applied.
pub const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// The merge patch of an object that is there. One that was never applied this way loses nothing.
#[must_use]
pub fn patch(file: &Value, live: &Value) -> Value {
    let last = live["metadata"]["annotations"][LAST_APPLIED].as_str();
    let last: Option<Value> = last.and_then(|text| serde_json::from_str(text).ok());
    with_removals(&as_sent(file), &last.unwrap_or_default())
}

/// The file as `kubectl apply` sends it: its annotations are always a map, so that an empty one which it remembers is no difference, and
/// hold none of kubectl's own.
fn as_sent(file: &Value) -> Value {
    let mut file = file.clone();
    let annotations = &mut file["metadata"]["annotations"];
    match annotations.as_object_mut() {
        Some(all) => drop(all.remove(LAST_APPLIED)),
        None => *annotations = json!({}),
    }
    file
}

fn with_removals(file: &Value, last: &Value) -> Value {
    let (Value::Object(wanted), Value::Object(former)) = (file, last) else { return file.clone() };
    let gone = former.keys().filter(|key| !wanted.contains_key(*key)).map(|key| (key.clone(), Value::Null));
    let kept =
        wanted.iter().map(|(key, value)| (key.clone(), former.get(key).map_or_else(|| value.clone(), |old| with_removals(value, old))));
    Value::Object(gone.chain(kept).collect())
}

/// What a merge patch makes of an object.
#[must_use]
pub fn merged(object: &Value, patch: &Value) -> Value {
    let Value::Object(changes) = patch else { return patch.clone() };
    let mut fields = object.as_object().cloned().unwrap_or_else(Map::new);
    for (key, change) in changes {
        match change {
            Value::Null => drop(fields.remove(key)),
            change => drop(fields.insert(key.clone(), merged(object.get(key).unwrap_or(&Value::Null), change))),
        }
    }
    Value::Object(fields)
}
