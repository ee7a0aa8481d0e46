//! What becomes of a network policy that members wrote while their system is suspended: it stays, selects no pod, and keeps its own
//! selector in an annotation until the system runs again.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use serde_json::{Map, Value, json};

use crate::model::{
    names::{ANNOTATION_POD_SELECTOR, LABEL_SUSPENDED},
    observed::Entry,
};

/// The same policy with a selector that selects no pod, whatever its labels: none has a label and has it not.
#[must_use]
pub fn suspended(policy: &Value) -> Value {
    let selector = &policy["spec"]["podSelector"];
    let kept = if selector.is_null() { json!({}) } else { selector.clone() };
    let mut suspended = policy.clone();
    suspended["metadata"]["annotations"][ANNOTATION_POD_SELECTOR] = json!(kept.to_string());
    suspended["spec"]["podSelector"] = json!({
        "matchLabels": { LABEL_SUSPENDED: "true" },
        "matchExpressions": [{ "key": LABEL_SUSPENDED, "operator": "DoesNotExist" }],
    });
    suspended
}

/// The policy as it was before; none where the annotation is not there or cannot be read. A selector that somebody has written
/// meanwhile stays.
#[must_use]
pub fn restored(policy: &Value) -> Option<Value> {
    let kept = kept(policy)?;
    let selector = if selects_nothing(policy) { selector(kept)? } else { policy["spec"]["podSelector"].clone() };
    let mut restored = policy.clone();
    restored["spec"]["podSelector"] = selector;
    let annotations = restored["metadata"]["annotations"].as_object_mut().into_iter();
    annotations.for_each(|annotations| drop(annotations.remove(ANNOTATION_POD_SELECTOR)));
    if restored["metadata"]["annotations"].as_object().is_some_and(Map::is_empty) {
        restored["metadata"]["annotations"] = Value::Null;
    }
    Some(restored)
}

/// Whether the policy selects no pod, as [`suspended`] leaves it, whatever else was added to its selector since.
pub(super) fn selects_nothing(policy: &Value) -> bool {
    let selector = &policy["spec"]["podSelector"];
    let mut expressions = selector["matchExpressions"].as_array().into_iter().flatten();
    selector["matchLabels"][LABEL_SUSPENDED] == "true"
        && expressions.any(|one| one["key"] == LABEL_SUSPENDED && one["operator"] == "DoesNotExist")
}

pub(super) fn observe(policy: &Value, entry: &mut Entry) {
    entry.restorable = kept(policy).map(|_| restored(policy).is_some());
}

fn kept(policy: &Value) -> Option<&str> {
    policy["metadata"]["annotations"][ANNOTATION_POD_SELECTOR].as_str()
}

/// What is not wholly a selector is none: fields that nobody knows would be left out, which selects more.
fn selector(text: &str) -> Option<Value> {
    let value: Value = serde_json::from_str(text).ok()?;
    let selector: LabelSelector = serde_json::from_value(value.clone()).ok()?;
    (serde_json::to_value(selector).ok()? == value).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(selector: &Value) -> Value {
        json!({"metadata": {"name": "web", "uid": "u", "annotations": {"team": "a"}}, "spec": {"podSelector": selector, "ingress": [{}]}})
    }

    #[test]
    fn a_suspended_policy_selects_nothing_and_comes_back_as_it_was() {
        for selector in [
            json!({}),
            json!({"matchLabels": {"app": "web"}}),
            json!({"matchExpressions": [{"key": "app", "operator": "In", "values": ["web", "db"]}, {"key": "b", "operator": "Exists"}]}),
        ] {
            let before = policy(&selector);
            let during = suspended(&before);
            assert!(!selects_nothing(&before) && selects_nothing(&during), "{during}");
            assert_eq!(during["spec"]["ingress"], before["spec"]["ingress"]);
            assert_eq!(restored(&during), Some(before));
        }
        let mut bare = json!({"metadata": {"name": "web"}, "spec": {"podSelector": {}}});
        bare["metadata"]["annotations"] = Value::Null;
        assert_eq!(restored(&suspended(&bare)), Some(bare));
    }

    #[test]
    fn what_a_tool_adds_to_the_selector_selects_nothing_and_another_selector_stays() {
        let mut merged = suspended(&policy(&json!({})));
        merged["spec"]["podSelector"]["matchLabels"]["app"] = json!("web");
        assert!(selects_nothing(&merged));
        assert_eq!(restored(&merged), Some(policy(&json!({}))));
        let mut other = suspended(&policy(&json!({"matchLabels": {"app": "web"}})));
        other["spec"]["podSelector"] = json!({"matchLabels": {"app": "db"}});
        assert!(!selects_nothing(&other));
        assert_eq!(restored(&other), Some(policy(&json!({"matchLabels": {"app": "db"}}))));
        for half in [
            json!({"matchLabels": {LABEL_SUSPENDED: "true"}}),
            json!({"matchExpressions": [{"key": LABEL_SUSPENDED, "operator": "DoesNotExist"}]}),
        ] {
            assert!(!selects_nothing(&policy(&half)), "{half}");
        }
    }

    #[test]
    fn an_annotation_that_is_no_selector_is_not_read() {
        for text in [
            "",
            "{",
            "null",
            "[]",
            "\"a\"",
            r#"{"matchLabel": {"app": "web"}}"#,
            r#"{"matchLabels": {"app": 1}}"#,
            r#"{"matchExpressions": [{"key": "a"}]}"#,
        ] {
            let mut policy = suspended(&policy(&json!({})));
            policy["metadata"]["annotations"][ANNOTATION_POD_SELECTOR] = json!(text);
            assert_eq!(restored(&policy), None, "{text}");
            let mut entry = Entry::default();
            observe(&policy, &mut entry);
            assert_eq!(entry.restorable, Some(false), "{text}");
        }
        let mut entry = Entry::default();
        observe(&policy(&json!({})), &mut entry);
        assert_eq!((restored(&policy(&json!({}))), entry.restorable), (None, None));
    }
}
