//! The schema teaches and is bounded: `kubectl explain` has a text for every field, and no value is without limit.

use serde_json::Value;

fn schemas() -> Vec<(String, Value)> {
    let crds = serde_json::to_value(govcloud_core::api::crds()).unwrap();
    let of = |definition: &Value| {
        let kind = definition["spec"]["names"]["kind"].as_str().unwrap().to_owned();
        (kind, definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone())
    };
    crds.as_array().unwrap().iter().map(of).collect()
}

fn walk(path: &str, schema: &Value, visit: &mut impl FnMut(&str, &Value)) {
    visit(path, schema);
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        walk(&format!("{path}.{name}"), field, visit);
    }
    for (step, inner) in [("[]", &schema["items"]), ("{}", &schema["additionalProperties"])] {
        if inner.is_object() {
            walk(&format!("{path}{step}"), inner, visit);
        }
    }
}

#[test]
fn every_field_of_the_spec_says_what_it_is_and_its_default_or_an_example() {
    for (kind, schema) in schemas() {
        let mut fields = 0;
        walk(&format!("{kind}.spec"), &schema["properties"]["spec"], &mut |path, field| {
            fields += 1;
            let text = field["description"].as_str().unwrap_or_default();
            let is_entry = path.ends_with("[]") || path.ends_with("{}") || !path.contains(".spec.");
            assert!(is_entry || text.len() > 20, "{path} has no description");
            let teaches = ["Example: ", "Default: "].iter().any(|word| text.contains(word));
            assert!(is_entry || teaches, "{path}: '{text}' gives neither a default nor an example");
            assert!(!text.contains('\n') || text.contains("\n\n"), "{path} has lines that kubectl explain breaks oddly");
        });
        assert!(fields > 8, "{kind} has only {fields} fields");
    }
}

#[test]
fn every_string_list_and_map_is_bounded() {
    for (kind, schema) in schemas() {
        for part in ["spec", "status"] {
            walk(&format!("{kind}.{part}"), &schema["properties"][part], &mut |path, field| {
                let bounded = |key: &str| field.get(key).is_some();
                match field["type"].as_str() {
                    Some("string") => assert!(bounded("maxLength") || bounded("enum"), "{path} is an unbounded string"),
                    Some("array") => assert!(bounded("maxItems"), "{path} is an unbounded list"),
                    Some("object") if bounded("additionalProperties") => assert!(bounded("maxProperties"), "{path} is an unbounded map"),
                    _ => {}
                }
            });
        }
    }
}

#[test]
fn an_object_that_no_operator_has_seen_says_so() {
    for (kind, schema) in schemas() {
        assert_eq!(schema["properties"]["status"]["default"]["observedGeneration"], -1, "{kind}");
    }
}

#[test]
fn the_shipped_definitions_are_what_the_types_and_rules_say() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crds");
    let definitions = govcloud_core::api::crds();
    assert_eq!(definitions.len(), std::fs::read_dir(&folder).unwrap().count());
    for definition in definitions {
        let text = std::fs::read_to_string(folder.join(format!("{}.yaml", definition.spec.names.plural))).unwrap();
        let shipped: Value = serde_yaml::from_str(&text).unwrap();
        assert!(shipped == serde_json::to_value(&definition).unwrap(), "{} is stale", definition.spec.names.plural);
    }
}

#[test]
fn what_the_operator_alone_writes_has_no_rules_that_each_write_of_a_status_would_evaluate() {
    for (kind, schema) in schemas() {
        let rules = |part: &str| {
            let mut found = Vec::new();
            walk(part, &schema["properties"][part], &mut |path, field| {
                found.extend(field.get("x-kubernetes-validations").is_some().then(|| path.to_owned()));
            });
            found
        };
        assert!(!rules("spec").is_empty(), "{kind}");
        let of_the_operator: Vec<_> = rules("status").into_iter().filter(|path| !path.starts_with("status.approval")).collect();
        assert!(of_the_operator.is_empty(), "{kind}: {of_the_operator:?}");
    }
}

#[test]
fn every_enum_says_what_each_of_its_values_means() {
    for (kind, schema) in schemas() {
        let mut enums = 0;
        walk(&kind, &schema, &mut |path, field| {
            let values: Vec<&str> = field["enum"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            enums += usize::from(!values.is_empty());
            let text = field["description"].as_str().unwrap_or_default();
            let mut lines = text.split("\n\nPossible enum values:\n").nth(1).unwrap_or_default().lines();
            for value in &values {
                let line = lines.next().unwrap_or_default();
                let meaning = line.strip_prefix(&format!(" - `\"{value}\"` ")).unwrap_or_default();
                assert!(meaning.len() > 3 && meaning.ends_with('.'), "{path}: '{line}' does not say what {value} means");
            }
            assert_eq!(lines.next(), None, "{path} tells of a value that it does not take");
            let title = field["title"].as_str().unwrap_or_default();
            assert!(!title.contains("enum values"), "{path}: {title}");
        });
        assert!(enums >= 4, "{kind} has only {enums} enums");
    }
}
