//! Counts of objects that a quota names.

use govcloud::api::objects::OBJECT_CAPS;
use serde_json::{Value, json};

use super::{
    decisions::{APPOINTMENTS, HEALTH},
    world::{object, settle, system, with_home},
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
