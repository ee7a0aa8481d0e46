//! Counts of objects that a quota names.

use govcloud_core::{
    api::objects::OBJECT_CAPS,
    model::{
        names::{NamespaceName, SystemName},
        observed::NAMESPACE,
        snapshot::Snapshot,
    },
};
use serde_json::{Value, json};

use super::{
    decisions::{APPOINTMENTS, HEALTH},
    world::{decide, object, settle, system, with_home},
};

/// What the quotas of home and workload namespace say, where the contract has these fields beside the others.
fn quotas(fields: &str) -> [Value; 2] {
    let mut seen = with_home(&format!("{HEALTH}{fields}"), vec![system(APPOINTMENTS)]);
    let plan = settle(&mut seen);
    ["health", "health--appointments"]
        .map(|namespace| object(&plan, namespace, "ResourceQuota", "govcloud-quota").unwrap()["spec"]["hard"].clone())
}

#[test]
fn every_kind_has_its_default_and_nothing_else_is_counted_by_number() {
    for hard in quotas("") {
        for cap in OBJECT_CAPS {
            let expected = if ["nodeports", "loadbalancers"].contains(&cap.name) { 0 } else { cap.default };
            assert_eq!(hard[cap.key], expected.to_string(), "{}", cap.name);
        }
        let known = |key: &String| OBJECT_CAPS.iter().any(|cap| cap.key == key);
        let others: Vec<&String> = hard.as_object().unwrap().keys().filter(|key| !known(key)).collect();
        assert_eq!(
            others,
            ["limits.cpu", "limits.memory", "persistentvolumeclaims", "pods", "requests.cpu", "requests.memory", "requests.storage"]
        );
    }
}

#[test]
fn a_raised_count_holds_in_each_namespace_and_a_lower_one_never() {
    for hard in quotas("  objects: {services: 300, secrets: 100}\n") {
        assert_eq!((&hard["services"], &hard["secrets"], &hard["configmaps"]), (&json!("300"), &json!("1500"), &json!("500")));
    }
}

#[test]
fn ports_of_nodes_are_there_for_load_balancers_and_none_without_either_type() {
    let table = [
        ("[ClusterIP]", "{}", ["0", "0"]),
        ("[ClusterIP]", "{loadbalancers: 70, nodeports: 70}", ["0", "0"]),
        ("[NodePort]", "{}", ["0", "60"]),
        ("[NodePort]", "{loadbalancers: 70}", ["0", "70"]),
        ("[LoadBalancer]", "{}", ["60", "60"]),
        ("[LoadBalancer]", "{loadbalancers: 70}", ["70", "70"]),
        ("[LoadBalancer]", "{nodeports: 500}", ["60", "500"]),
    ];
    for (types, objects, expected) in table {
        let [_, hard] = quotas(&format!("  allow: {{serviceTypes: {types}}}\n  objects: {objects}\n"));
        assert_eq!(
            ["services.loadbalancers", "services.nodeports"].map(|key| &hard[key]),
            expected.map(|text| json!(text)).each_ref(),
            "{types} {objects}"
        );
    }
}

/// Kubernetes deletes the quota of a namespace that is being deleted before all that a finalizer holds back.
#[test]
fn a_deletion_that_hangs_holds_no_share_of_another_system_up_and_gives_nothing_of_its_own_away() {
    let other = APPOINTMENTS.replace("name: appointments", "name: records");
    let mut seen = with_home(HEALTH, vec![system(APPOINTMENTS), system(&other)]);
    settle(&mut seen);
    let ending = NamespaceName::new("health--appointments");
    seen.systems[0].deleting = true;
    seen.observed.retain(|key, entry| {
        entry.deleting |= key.namespace == ending;
        key.namespace != ending || key.kind == NAMESPACE
    });
    let granted = |seen: &Snapshot, cpu: &str| {
        let mut seen = seen.clone();
        seen.systems[1] = system(&other.replace("requests.cpu: 8", &format!("requests.cpu: {cpu}")));
        decide(&seen).0.allocation.grants[&SystemName::new("records")].clone()
    };
    assert_eq!(granted(&seen, "9").waiting, None);
    let waiting = granted(&seen, "40").waiting.unwrap();
    assert!(waiting.contains("requests.cpu: 40 wanted, 32 free (total 40, held by others 8)"), "{waiting}");
}
