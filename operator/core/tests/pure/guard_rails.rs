//! Policies as a cluster may have them beside those that are shipped: which of them judge an object, and in which words.

use govcloud_core::views::{
    guard_rails::{GuardRails, Subject},
    refusals::refusals,
};
use serde_json::{Value, json};

/// A policy about new pods that refuses everything.
fn policy() -> Value {
    json!({
        "metadata": { "name": "strict" },
        "spec": {
            "matchConstraints": { "resourceRules": [{ "apiGroups": [""], "resources": ["pods"], "operations": ["CREATE"] }] },
            "validations": [{ "expression": "false", "message": "no pods" }],
        },
    })
}

fn pods(names: &[&str]) -> Vec<Subject> {
    let pod = |name: &&str| json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": name }, "spec": {} });
    names.iter().map(|name| Subject { plural: "pods".into(), object: pod(name) }).collect()
}

/// What a policy says of a pod in a namespace with label `a`.
fn told(policy: Value) -> Vec<String> {
    let namespace = json!({ "metadata": { "name": "health", "labels": { "a": "1" } } });
    refusals(&GuardRails::read(&[policy]), &pods(&["web"]), None, &namespace).lines
}

#[test]
fn a_policy_judges_in_the_namespaces_that_it_selects() {
    for (key, operator, judges) in
        [("a", "Exists", true), ("b", "Exists", false), ("a", "DoesNotExist", false), ("b", "DoesNotExist", true), ("a", "In", false)]
    {
        let mut policy = policy();
        policy["spec"]["matchConstraints"]["namespaceSelector"]["matchExpressions"] = json!([{ "key": key, "operator": operator }]);
        assert_eq!(!told(policy).is_empty(), judges, "{key} {operator}");
    }
}

#[test]
fn a_policy_judges_the_creates_of_the_kinds_that_it_is_about() {
    for (field, value, judges) in [
        ("apiGroups", json!(["*"]), true),
        ("apiGroups", json!(["apps"]), false),
        ("resources", json!(["services", "pods"]), true),
        ("resources", json!(["services"]), false),
        ("operations", json!(["*"]), true),
        ("operations", json!(["UPDATE"]), false),
        ("resourceNames", json!(["web"]), false),
    ] {
        let mut policy = policy();
        policy["spec"]["matchConstraints"]["resourceRules"][0][field] = value.clone();
        assert_eq!(!told(policy).is_empty(), judges, "{field} {value}");
    }
}

#[test]
fn an_expression_without_words_leaves_the_message_to_be_told() {
    for (expression, words) in [("'pod ' + object.metadata.name", "pod web"), ("''", "no pods"), ("object.spec.absent", "no pods")] {
        let mut policy = policy();
        policy["spec"]["validations"][0]["messageExpression"] = json!(expression);
        assert_eq!(told(policy), [format!("pod web: {words}")], "{expression}");
    }
}

#[test]
fn three_objects_of_one_complaint_are_named_and_further_ones_counted() {
    let rails = GuardRails::read(&[policy()]);
    let namespace = json!({ "metadata": { "name": "health" } });
    for (names, told) in [(&["a", "b", "c"][..], "pod a, b, c: no pods"), (&["a", "b", "c", "d"], "pod a, b, c and 1 more: no pods")] {
        assert_eq!(refusals(&rails, &pods(names), None, &namespace).lines, [told]);
    }
}
