//! Where two objects differ, beyond what the API server writes into each.

use serde_json::{Map, Value};

/// Fields that the API server fills in, each with its value.
const DEFAULTS: [(&str, &str); 7] = [
    ("conversion", r#"{"strategy":"None"}"#),
    ("failurePolicy", r#""Fail""#),
    ("matchPolicy", r#""Equivalent""#),
    ("namespaceSelector", "{}"),
    ("objectSelector", "{}"),
    ("priority", "0"),
    ("scope", r#""*""#),
];

/// The path of the first field of which only one has a value, or each another.
pub(super) fn difference(one: &Value, other: &Value) -> Option<String> {
    first(&plain(one), &plain(other), "")
}

/// A value without what stands for nothing: empty lists, and defaults.
fn plain(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields = fields.iter().map(|(key, value)| (key.clone(), plain(value)));
            Value::Object(fields.filter(|(key, value)| !says_nothing(key, value)).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(plain).collect()),
        // Kustomize breaks lines of folded expressions anew.
        Value::String(text) => Value::String(text.split_whitespace().collect::<Vec<_>>().join(" ")),
        Value::Number(number) => number.as_f64().map_or(Value::Null, Value::from),
        other => other.clone(),
    }
}

fn says_nothing(key: &str, value: &Value) -> bool {
    let is_default = |(known, default): &(&str, &str)| {
        *known == key && serde_json::from_str::<Value>(default).is_ok_and(|default| plain(&default) == *value)
    };
    value.is_null() || value.as_array().is_some_and(Vec::is_empty) || DEFAULTS.iter().any(is_default)
}

fn first(one: &Value, other: &Value, path: &str) -> Option<String> {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            let all = one.keys().chain(other.keys().filter(|key| !one.contains_key(*key)));
            let field = |of: &Map<String, Value>, key: &str| of.get(key).cloned().unwrap_or_default();
            all.into_iter().find_map(|key| first(&field(one, key), &field(other, key), &format!("{path}.{key}")))
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            one.iter().zip(other).enumerate().find_map(|(index, (one, other))| first(one, other, &format!("{path}[{index}]")))
        }
        _ => (one != other).then(|| path.trim_start_matches('.').to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_first_field_that_differs_is_named() {
        let policy = |expression: &str| json!({ "validations": [{ "expression": "true" }, { "expression": expression }] });
        assert_eq!(difference(&policy("false"), &policy("true")).as_deref(), Some("validations[1].expression"));
        assert_eq!(difference(&policy("false"), &policy("false")), None);
        assert_eq!(difference(&json!({}), &json!({ "matchConditions": [{ "name": "exempt" }] })).as_deref(), Some("matchConditions"));
        assert_eq!(difference(&json!({ "verbs": ["get"] }), &json!({ "verbs": ["get", "list"] })).as_deref(), Some("verbs"));
    }

    #[test]
    fn what_the_api_server_fills_in_is_no_difference() {
        let filled = json!({ "failurePolicy": "Fail", "matchConstraints": { "matchPolicy": "Equivalent", "namespaceSelector": {} } });
        assert_eq!(difference(&json!({ "matchConstraints": {} }), &filled), None);
        assert_eq!(difference(&json!({ "maximum": 1 }), &json!({ "maximum": 1.0 })), None);
        assert_eq!(difference(&json!({ "subresources": { "status": {} } }), &json!({})).as_deref(), Some("subresources"));
        assert_eq!(difference(&json!({}), &json!({ "failurePolicy": "Ignore" })).as_deref(), Some("failurePolicy"));
    }
}
