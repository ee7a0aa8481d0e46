//! Changes of an object: merged, or put at a JSON pointer.

use serde_json::{Map, Value, json};

/// Keys that begin with a slash are pointers: null removes, `-` appends, what is missing on the way is made. All others are merged
/// before.
pub fn changed(object: &Value, change: &Value) -> Value {
    let mut object = object.clone();
    let (pointers, merged): (Map<_, _>, Map<_, _>) = change
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, value)| (key.clone(), value.clone()))
        .partition(|(key, _)| key.starts_with('/'));
    merge(&mut object, &Value::Object(merged));
    for (pointer, value) in pointers {
        let steps: Vec<String> = pointer.split('/').skip(1).map(|step| step.replace("~1", "/")).collect();
        put(&mut object, &steps, value);
    }
    object
}

fn merge(object: &mut Value, change: &Value) {
    let Value::Object(change) = change else {
        *object = change.clone();
        return;
    };
    if !object.is_object() {
        *object = json!({});
    }
    for (key, value) in change {
        match value {
            Value::Null => drop(object.as_object_mut().unwrap().remove(key)),
            value => merge(&mut object[key], value),
        }
    }
}

fn put(object: &mut Value, steps: &[String], value: Value) {
    let Some((step, rest)) = steps.split_first() else {
        *object = value;
        return;
    };
    let index = step.parse::<usize>();
    if step == "-" || index.is_ok() && object.is_array() {
        if object.is_null() {
            *object = json!([]);
        }
        let list = object.as_array_mut().unwrap_or_else(|| panic!("{step} is no place in {value}"));
        let index = index.unwrap_or(list.len());
        if index == list.len() {
            list.push(Value::Null);
        }
        put(&mut list[index], rest, value);
    } else if rest.is_empty() && value.is_null() {
        object.as_object_mut().unwrap().remove(step);
    } else {
        put(&mut object[step.as_str()], rest, value);
    }
}
