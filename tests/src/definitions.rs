//! What a later version of a custom resource definition may not take back, beside what crdify compares: names, versions that are served, and
//! validation rules. An object that was admitted once is admitted again, whatever of it is changed later.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// What the later definition takes back, a line each. `harmless` are rules that refuse nothing that was admitted before.
#[must_use]
pub fn taken_back(old: &Value, new: &Value, harmless: &[&str]) -> Vec<String> {
    let name = old["metadata"]["name"].as_str().unwrap_or_default();
    let mut lines: Vec<String> = ["/metadata/name", "/spec/group", "/spec/names"]
        .into_iter()
        .filter(|path| old.pointer(path) != new.pointer(path))
        .map(|path| format!("{name}: {path} changed"))
        .collect();
    for (version, old) in versions(old) {
        let Some(new) = versions(new).get(version).copied() else {
            lines.push(format!("{name}: version {version} is no longer served"));
            continue;
        };
        if old["subresources"] != new["subresources"] {
            lines.push(format!("{name}: subresources of {version} changed"));
        }
        let (old, new) = (rules(&old["schema"]["openAPIV3Schema"]), rules(&new["schema"]["openAPIV3Schema"]));
        for (path, known) in old {
            let added = new.get(&path).into_iter().flatten().filter(|rule| !known.contains(*rule) && !harmless.contains(rule));
            lines.extend(added.map(|rule| format!("{name}: {version}{path} has a new rule: {rule}")));
        }
    }
    lines
}

/// The definition without its validation rules, for which crdify has no check.
#[must_use]
pub fn without_rules(definition: &Value) -> Value {
    let mut definition = definition.clone();
    strip(&mut definition);
    definition
}

fn strip(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.remove(RULES);
            fields.values_mut().for_each(strip);
        }
        Value::Array(items) => items.iter_mut().for_each(strip),
        _ => {}
    }
}

const RULES: &str = "x-kubernetes-validations";

/// The versions that are served, by name.
fn versions(definition: &Value) -> BTreeMap<&str, &Value> {
    let all = definition["spec"]["versions"].as_array().into_iter().flatten();
    all.filter(|version| version["served"] == true).filter_map(|version| Some((version["name"].as_str()?, version))).collect()
}

/// The rules of each place in a schema. A place without rules counts, too: its first one refuses as well.
fn rules(schema: &Value) -> BTreeMap<String, BTreeSet<&str>> {
    let mut found = BTreeMap::new();
    gather(schema, "", &mut found);
    found
}

fn gather<'a>(schema: &'a Value, path: &str, found: &mut BTreeMap<String, BTreeSet<&'a str>>) {
    let rules = schema[RULES].as_array().into_iter().flatten();
    found.insert(path.to_owned(), rules.filter_map(|rule| rule["rule"].as_str()).collect());
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        gather(field, &format!("{path}.{name}"), found);
    }
    for inner in ["items", "additionalProperties"].into_iter().filter(|inner| schema[inner].is_object()) {
        gather(&schema[inner], &format!("{path}[*]"), found);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const RULE: &str = "self.size() < 3";

    fn definition() -> Value {
        json!({
            "metadata": {"name": "things.example.org"},
            "spec": {"group": "example.org", "names": {"kind": "Thing"}, "versions": [{
                "name": "v1",
                "served": true,
                "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": {"properties": {"list": {"items": {"type": "string"}, RULES: [{"rule": RULE, "message": "m"}]}}}},
            }]},
        })
    }

    /// What a change of one place takes back.
    fn changed(path: &str, value: Value) -> Vec<String> {
        let mut new = definition();
        *new.pointer_mut(path).unwrap() = value;
        taken_back(&definition(), &new, &["harmless"])
    }

    #[test]
    fn each_breach_is_told() {
        let rules = "/spec/versions/0/schema/openAPIV3Schema/properties/list/x-kubernetes-validations";
        let items = "/spec/versions/0/schema/openAPIV3Schema/properties/list/items";
        for (path, value, told) in [
            ("/metadata/name", json!("others.example.org"), "/metadata/name changed"),
            ("/spec/group", json!("example.com"), "/spec/group changed"),
            ("/spec/names", json!({"kind": "Other"}), "/spec/names changed"),
            ("/spec/versions", json!([]), "version v1 is no longer served"),
            ("/spec/versions/0/served", json!(false), "version v1 is no longer served"),
            ("/spec/versions/0/subresources", json!({}), "subresources of v1 changed"),
            (rules, json!([{"rule": "self.size() < 2"}]), "v1.list has a new rule: self.size() < 2"),
            (items, json!({"type": "string", RULES: [{"rule": "false"}]}), "v1.list[*] has a new rule: false"),
        ] {
            assert_eq!(changed(path, value), [format!("things.example.org: {told}")], "{path}");
        }
    }

    #[test]
    fn what_refuses_nothing_is_no_breach() {
        let list = "/spec/versions/0/schema/openAPIV3Schema/properties/list";
        let rules = &format!("{list}/x-kubernetes-validations");
        let fields = "/spec/versions/0/schema/openAPIV3Schema/properties";
        let with_a_new_field = json!({
            "list": definition().pointer(list),
            "new": {RULES: [{"rule": "false"}]},
        });
        for (path, value) in [
            (rules.as_str(), json!([])),
            (rules, json!([{"rule": RULE, "message": "in other words"}])),
            (rules, json!([{"rule": RULE}, {"rule": "harmless"}])),
            (fields, with_a_new_field),
        ] {
            assert_eq!(changed(path, value.clone()), [""; 0], "{value}");
        }
    }
}
