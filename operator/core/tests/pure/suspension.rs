//! Network policies of members through a suspension and back: what has no effect for a while, and what comes back when.

use std::collections::BTreeMap;

use govcloud_core::{
    children::suspended,
    model::snapshot::Snapshot,
    plan::diff::Change,
    views::{changes::rows, foresight::foresee},
};
use serde_json::{Value, json};

use super::{
    decisions::{APPOINTMENTS, conditions, messages},
    foreign::{deleted, disabled, put, world},
    world::{decide, settings, system},
};

/// What of others is to have effect again.
fn restored(seen: &Snapshot) -> Vec<String> {
    let changes = decide(seen).1.into_iter().flat_map(|space| space.changes);
    changes.filter_map(|change| if let Change::Restore { key, .. } = change { Some(key.name.to_string()) } else { None }).collect()
}

/// A policy of members that opens a range, as a suspension leaves it.
fn ineffective() -> Value {
    suspended(
        &json!({"metadata": {"name": "theirs"}, "spec": {"podSelector": {}, "egress": [{"to": [{"ipBlock": {"cidr": "203.0.113.0/24"}}]}]}}),
    )
}

#[test]
fn an_ineffective_policy_opens_nothing_and_comes_back_when_the_system_runs() {
    let with = |stage: &str, policy: Value| {
        let mut seen = world(stage);
        put(&mut seen, "NetworkPolicy", "theirs", policy);
        seen
    };
    for (stage, comes_back) in [("Running", true), ("Testing", true), ("Suspended", false), ("Retired", false)] {
        let seen = with(stage, ineffective());
        assert_eq!(!restored(&seen).is_empty(), comes_back, "{stage}");
        assert!(disabled(&seen).is_empty() && deleted(&seen).is_empty(), "{stage}");
        let told = (conditions(&seen).1, messages(&seen).1);
        assert!(told.0["Isolated"] == "True Isolated" && !told.1["Isolated"].to_string().contains("theirs"), "{stage}: {told:?}");
    }
    // What was there before the operator came, as after a restore from a backup, comes back too; what is being deleted does not.
    let mut before = with("Running", ineffective());
    before.observed.values_mut().for_each(|entry| entry.created = if entry.restorable.is_some() { 50 } else { 100 });
    assert_eq!(restored(&before), ["theirs"]);
    before.observed.values_mut().filter(|entry| entry.restorable.is_some()).for_each(|entry| (entry.deleting, entry.held) = (true, true));
    assert!(restored(&before).is_empty());
    // A selector that somebody of the platform wrote meanwhile opens the network: it goes once more.
    let mut other = ineffective();
    other["spec"]["podSelector"] = json!({});
    assert_eq!(disabled(&with("Suspended", other.clone())).len(), 1);
    assert_eq!(restored(&with("Running", other)), ["theirs"]);
}

#[test]
fn a_policy_whose_selector_cannot_be_read_stays_as_it_is_and_is_told() {
    for stage in ["Running", "Suspended"] {
        let mut seen = world(stage);
        let mut policy = ineffective();
        policy["metadata"]["annotations"]["govcloud.io/suspended-pod-selector"] = json!("{app: web}");
        put(&mut seen, "NetworkPolicy", "theirs", policy);
        assert!(restored(&seen).is_empty() && disabled(&seen).is_empty() && deleted(&seen).is_empty());
        let isolated = messages(&seen).1["Isolated"].to_string();
        assert!(isolated.contains("suspended-pod-selector cannot be read: theirs; delete them and apply them again"), "{isolated}");
    }
}

#[test]
fn a_plan_says_which_policies_a_suspension_makes_ineffective() {
    let mut open = ineffective();
    open["spec"]["podSelector"] = json!({});
    open["metadata"]["annotations"] = Value::Null;
    for (from, to, policy, what) in [("Running", "Suspended", open, "suspended"), ("Suspended", "Running", ineffective(), "restored")] {
        let mut before = world(from);
        put(&mut before, "NetworkPolicy", "theirs", policy);
        let mut after = before.clone();
        after.systems = vec![system(&APPOINTMENTS.replace("Running", to))];
        let told = rows(&foresee(before, &settings()), &foresee(after, &settings()), &BTreeMap::new());
        let told: Vec<_> = told.iter().filter(|row| row.object == "networkpolicy/theirs").map(|row| row.what).collect();
        assert_eq!(told, [what]);
    }
}
