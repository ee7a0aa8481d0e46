//! The annotations of a namespace hold 256 KiB. The largest contract fits and leaves room for others; and whatever others write there,
//! nothing that is deleted is held up.

use serde_json::{Value, json};

use crate::cluster::{Person, admin, find_condition, pod_yaml, shared};

/// What the API server admits of one object, keys and values together.
const ANNOTATIONS: usize = 256 << 10;
/// What is left to others at least.
const OTHERS: usize = 48 << 10;

async fn annotated(admin: &Person, namespace: &str) -> usize {
    let object = admin.get("Namespace", "", namespace).await;
    let annotations = object["metadata"]["annotations"].as_object().unwrap();
    annotations.iter().map(|(key, value)| key.len() + value.as_str().unwrap().len()).sum()
}

/// A program of the platform writes so many bytes to a namespace.
async fn stuff(admin: &Person, namespace: &str, bytes: usize) {
    let annotation = json!({"metadata": {"annotations": {"platform.example/text": "x".repeat(bytes)}}});
    admin.patch("Namespace", "", namespace, annotation).await;
}

fn egress() -> Value {
    let entry = |number: usize| {
        let ports: Vec<usize> = (0..16).map(|port| 50_000 + port).collect();
        json!({"cidr": format!("203.0.113.{number}/32"), "ports": ports, "protocol": "UDP", "reason": "𠮷".repeat(128)})
    };
    json!({"egress": (0..64).map(entry).collect::<Vec<_>>()})
}

/// Lists at the bounds of the schema, in the characters that take most bytes.
fn largest() -> Value {
    let names = |count: usize, bytes: usize| (0..count).map(|number| format!("{number:02}{}", "a".repeat(bytes - 2))).collect::<Vec<_>>();
    let member = |number: usize| json!({"kind": "User", "name": format!("{number:02}{}", "\\".repeat(251)), "role": "Deployer"});
    let label = "a".repeat(60);
    let domains: Vec<_> = (0..32).map(|number| format!("d{number}.{label}.{label}.{label}.largest.example.gov.cn")).collect();
    let registries = ["registry.example.gov.cn/base".to_owned()].into_iter();
    let registries: Vec<_> = registries.chain((1..32).map(|number| format!("r.example/{number:02}{}", "a".repeat(188)))).collect();
    json!({
        "displayName": "𠮷".repeat(64),
        "members": (0..64).map(member).collect::<Vec<_>>(),
        "network": egress(),
        "domains": domains,
        "images": {"registries": registries, "requireDigest": "Never"},
        "allow": {"storageClasses": names(32, 253), "ingressClasses": names(32, 253), "priorityClasses": names(32, 253), "runtimeClasses": names(32, 253)},
    })
}

#[tokio::test]
async fn the_largest_contract_is_served_and_leaves_room_for_others() {
    let admin = admin().await;
    admin.tenant_with_systems("largest", &["web"]).await;
    admin.patch("AgencyTenant", "", "largest", json!({"spec": largest()})).await;
    admin.tenant_ready("largest").await;
    admin.system_ready("largest", "web").await;
    admin.apply(&pod_yaml("largest--web", "admitted")).await;
    for namespace in ["largest", "largest--web"] {
        let bytes = annotated(&admin, namespace).await;
        assert!(bytes < ANNOTATIONS - OTHERS, "{namespace}: {bytes}");
        stuff(&admin, namespace, OTHERS).await;
    }
    admin.patch("AgencyTenant", "", "largest", json!({"spec": {"displayName": "政".repeat(64)}})).await;
    admin.tenant_ready("largest").await;
    assert_eq!(admin.get("Namespace", "", "largest").await["metadata"]["annotations"]["govcloud.io/display-name"], "政".repeat(64));
}

#[tokio::test]
async fn whoever_fills_a_namespace_holds_up_no_deletion() {
    let admin = admin().await;
    admin.tenant_with_systems("stuffed", &["kept", "removed", "last"]).await;
    admin.patch("HostedSystem", "stuffed", "removed", json!({"spec": {"deletionPolicy": "Delete"}})).await;
    admin.system_ready("stuffed", "removed").await;
    for namespace in ["stuffed", "stuffed--kept", "stuffed--removed", "stuffed--last"] {
        stuff(&admin, namespace, ANNOTATIONS - OTHERS).await;
    }
    let mut wider = largest();
    wider.as_object_mut().unwrap().remove("domains");
    wider["members"] = admin.get("AgencyTenant", "", "stuffed").await["spec"]["members"].clone();
    admin.patch("AgencyTenant", "", "stuffed", json!({ "spec": wider })).await;
    let failed = |tenant: Option<&Value>| {
        tenant.is_some_and(|tenant| {
            let provisioned = find_condition(tenant, "Provisioned");
            provisioned["status"] == "False" && provisioned["message"].as_str().unwrap().contains("262144")
        })
    };
    admin.until("it does not fit, and that is told", "AgencyTenant", "", "stuffed", failed).await;

    let owner = shared().person("wang", &["stuffed-owners"]).await;
    let uid = admin.get("HostedSystem", "stuffed", "removed").await["metadata"]["uid"].clone();
    owner.patch("HostedSystem", "stuffed", "removed", json!({"metadata": {"annotations": {"govcloud.io/confirm-delete": uid}}})).await;
    for system in ["kept", "removed"] {
        owner.delete("HostedSystem", "stuffed", system).await;
        admin.gone("HostedSystem", "stuffed", system).await;
    }
    admin.gone("Namespace", "", "stuffed--removed").await;
    admin.delete("AgencyTenant", "", "stuffed").await;
    admin.gone("AgencyTenant", "", "stuffed").await;
    for namespace in ["stuffed", "stuffed--kept", "stuffed--last"] {
        let text = admin.get("Namespace", "", namespace).await["metadata"]["annotations"]["platform.example/text"].clone();
        assert_eq!(text.as_str().map(str::len), Some(ANNOTATIONS - OTHERS), "{namespace} keeps what is not the operator's");
    }
}
