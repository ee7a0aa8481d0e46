//! How one spec of a tenant differs from another, in words: for whoever decides, and for whoever waits.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::api::AgencyTenantSpec;

/// One line for each difference; against nothing, all that is asked for beside the defaults.
#[must_use]
pub fn difference(from: Option<&AgencyTenantSpec>, to: &AgencyTenantSpec) -> Vec<String> {
    let value = |spec: &AgencyTenantSpec| serde_json::to_value(spec).unwrap_or_default();
    let defaults = || {
        let mut defaults = value(&AgencyTenantSpec::default());
        if let Some(fields) = defaults.as_object_mut() {
            fields.retain(|_, value| !is_nothing(value));
        }
        defaults
    };
    let mut lines = between(&from.map_or_else(defaults, value), &value(to));
    lines.sort_by_key(|line| FIRST.iter().position(|field| line.starts_with(field)).unwrap_or(FIRST.len()));
    lines
}

/// Fields that stand first, because a record keeps the first lines only: what decides over access and limits.
const FIRST: [&str; 9] = ["suspended", "preapproved", "podSecurity", "members", "images", "domains", "network", "allow", "quota"];

/// The same for any two objects.
#[must_use]
pub fn between(from: &Value, to: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    compare("", from, to, &mut lines);
    lines
}

fn compare(path: &str, from: &Value, to: &Value, lines: &mut Vec<String>) {
    match (from, to) {
        _ if from == to || is_nothing(from) && is_nothing(to) => {}
        (Value::Object(_) | Value::Null, Value::Object(new)) => fields(path, from.as_object().unwrap_or(&Map::new()), new, lines),
        (Value::Array(_) | Value::Null, Value::Array(new)) => items(path, from.as_array().map_or(&[][..], Vec::as_slice), new, lines),
        (Value::Null, _) => lines.push(format!("{path}: {}", text(to))),
        (_, Value::Null) => lines.push(format!("{path}: {} is removed", text(from))),
        _ => lines.push(format!("{path}: {} becomes {}", text(from), text(to))),
    }
}

fn fields(path: &str, from: &Map<String, Value>, to: &Map<String, Value>, lines: &mut Vec<String>) {
    let names: BTreeSet<&String> = from.keys().chain(to.keys()).collect();
    for name in names {
        let inner = if path == "quota" { format!("{path}[{name}]") } else { format!("{path}.{name}").trim_start_matches('.').to_owned() };
        compare(&inner, from.get(name).unwrap_or(&Value::Null), to.get(name).unwrap_or(&Value::Null), lines);
    }
}

fn items(path: &str, from: &[Value], to: &[Value], lines: &mut Vec<String>) {
    let before = lines.len();
    for item in to.iter().filter(|item| !from.contains(item)) {
        match from.iter().find(|old| is_same(old, item)) {
            Some(old) => lines.push(format!("{path}: {} becomes {}", text(old), text(item))),
            None => lines.push(format!("{path}: {} is added", text(item))),
        }
    }
    for item in from.iter().filter(|item| !to.iter().any(|new| is_same(item, new))) {
        lines.push(format!("{path}: {} is removed", text(item)));
    }
    if lines.len() == before {
        lines.push(format!("{path}: the order changes"));
    }
}

/// Whether two items of a list are about the same subject or range.
fn is_same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            ["kind", "namespace", "name", "cidr"].iter().all(|key| one.get(*key) == other.get(*key)) && protocol(one) == protocol(other)
        }
        _ => one == other,
    }
}

/// Protocol of a range; an absent one means TCP.
fn protocol(item: &Map<String, Value>) -> &str {
    item.get("protocol").and_then(Value::as_str).unwrap_or("TCP")
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Array(items) => items.is_empty(),
        Value::String(text) => text.is_empty(),
        Value::Object(fields) => fields.values().all(is_nothing),
        _ => false,
    }
}

/// A value as people would say it.
fn text(value: &Value) -> String {
    let field = |name: &str| value[name].as_str().unwrap_or_default();
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(", "),
        Value::Object(fields) if fields.contains_key("kind") && fields.contains_key("name") => {
            let place = if field("namespace").is_empty() { String::new() } else { format!("{}/", field("namespace")) };
            let role = if field("role").is_empty() { String::new() } else { format!(" as {}", field("role")) };
            format!("{} {place}{}{role}", field("kind"), field("name"))
        }
        Value::Object(fields) if fields.contains_key("cidr") => {
            format!("{} {} ports {} ({})", field("cidr"), protocol(fields), text(&value["ports"]), field("reason"))
        }
        other => other.to_string(),
    }
}
