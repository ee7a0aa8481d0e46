//! What no schema can see: the cluster's own addresses, the namespace that an object is in. And what nobody should see: labels
//! and annotations of the custom resources on anything else.

use serde_json::{Value, json};

use crate::cluster::{Person, admin, system_yaml, tenant_yaml};

/// Every object that the operator made for a tenant, as it is but for the copy of the contract.
async fn children(admin: &Person, namespaces: &[&str]) -> Vec<Value> {
    let mut found = Vec::new();
    for namespace in namespaces {
        let mut object = admin.get("Namespace", "", namespace).await;
        object["metadata"]["annotations"]["govcloud.io/contract"].take();
        for field in ["resourceVersion", "managedFields"] {
            object["metadata"][field].take();
        }
        found.push(object);
        for kind in ["NetworkPolicy", "ResourceQuota", "LimitRange", "RoleBinding", "ServiceAccount"] {
            for name in admin.names(kind, namespace).await {
                found.push(admin.get(kind, namespace, &name).await);
            }
        }
    }
    found
}

fn egress(cidr: &str) -> Value {
    json!({"spec": {"network": {"egress": [{"cidr": cidr, "ports": [443], "reason": "省级平台"}]}}})
}

#[tokio::test]
async fn egress_into_the_cluster_is_named_and_until_corrected_every_child_stays_as_it_is() {
    let admin = admin().await;
    admin.tenant_with_systems("inward", &["web"]).await;
    let namespaces = ["inward", "inward--web"];
    let before = children(&admin, &namespaces).await;
    let mut edit = egress("10.96.0.0/16");
    edit["spec"]["podSecurity"] = json!("baseline");
    edit["spec"]["members"] = json!([]);
    admin.patch("AgencyTenant", "", "inward", edit).await;
    let message = admin.until_condition("AgencyTenant", "", "inward", "Accepted", "False", "Invalid").await;
    for word in ["spec.network.egress[10.96.0.0/16].cidr", "10.0.0.0/8", "remove this entry", "the approved contract stays in force"] {
        assert!(message.contains(word), "{word} in {message}");
    }
    admin.until_condition("AgencyTenant", "", "inward", "Stalled", "True", "Invalid").await;
    admin.system_ready("inward", "web").await;
    assert_eq!(before, children(&admin, &namespaces).await);

    admin.patch("AgencyTenant", "", "inward", egress("203.0.113.0/24")).await;
    admin.tenant_ready("inward").await;
    admin.system_ready("inward", "web").await;
    let policy = admin.get("NetworkPolicy", "inward--web", "govcloud-isolation").await;
    assert_eq!(policy["spec"]["egress"][2]["to"][0]["ipBlock"], json!({"cidr": "203.0.113.0/24"}));
    let namespace = admin.get("Namespace", "", "inward--web").await;
    assert_eq!(namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"], "baseline");
    assert!(admin.look("RoleBinding", "inward--web", "govcloud-owner").await.is_none());
}

#[tokio::test]
async fn a_range_around_the_cluster_is_served_without_the_cluster() {
    let admin = admin().await;
    admin.tenant_with_systems("around", &["web"]).await;
    admin.patch("AgencyTenant", "", "around", egress("0.0.0.0/0")).await;
    admin.tenant_ready("around").await;
    let policy = admin.get("NetworkPolicy", "around--web", "govcloud-isolation").await;
    let block = &policy["spec"]["egress"][2]["to"][0]["ipBlock"];
    assert_eq!(*block, json!({"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8", "172.16.0.0/12", "169.254.0.0/16"]}));
}

#[tokio::test]
async fn a_system_outside_of_a_home_namespace_is_told_where_it_is() {
    let admin = admin().await;
    admin.tenant_with_systems("homely", &["homeless"]).await;
    admin.apply(&system_yaml("default", "homeless")).await;
    let message = admin.until_condition("HostedSystem", "default", "homeless", "Accepted", "False", "NoTenant").await;
    for words in ["'default' is not the home namespace of an AgencyTenant", "create the system in its agency's home namespace"] {
        assert!(message.contains(words), "{message}");
    }
    assert!(admin.look("Namespace", "", "default--homeless").await.is_none());
    admin.delete("HostedSystem", "default", "homeless").await;
    admin.gone("HostedSystem", "default", "homeless").await;
    let refused = admin.try_apply(&system_yaml("homely--homeless", "homeless")).await.unwrap_err();
    assert!(refused.contains("rule system-place") && refused.contains("in the home namespace \"homely\""), "{refused}");
    admin.system_ready("homely", "homeless").await;
}

/// 50 labels of the greatest length, an annotation of 200 KiB, and marks that are the operator's alone.
fn huge() -> Value {
    let label = |number: usize| (format!("huge.example/{number:063}"), json!("x".repeat(63)));
    let mut labels: serde_json::Map<_, _> = (0..50).map(label).collect();
    labels.insert("govcloud.io/tenant".into(), json!("huge-other"));
    labels.insert("pod-security.kubernetes.io/enforce".into(), json!("privileged"));
    json!({"labels": labels, "annotations": {"huge.example/text": "政".repeat(200 * 1024 / 3)}})
}

#[tokio::test]
async fn huge_labels_and_annotations_change_nothing_on_the_children() {
    let admin = admin().await;
    admin.tenant_with_systems("huge", &["before"]).await;
    let namespaces = ["huge", "huge--before"];
    let before = children(&admin, &namespaces).await;
    // The unit is in no child; with it there is a generation to wait for.
    admin.patch("AgencyTenant", "", "huge", json!({"metadata": huge(), "spec": {"responsibleUnit": "另一中心"}})).await;
    admin.patch("HostedSystem", "huge", "before", json!({"metadata": huge(), "spec": {"protectionLevel": 2}})).await;
    admin.tenant_ready("huge").await;
    admin.system_ready("huge", "before").await;
    assert_eq!(before, children(&admin, &namespaces).await);

    let mut created = super::changed(&system_yaml("huge", "after"), "{}");
    super::merge(&mut created["metadata"], &huge());
    super::create(&admin, &created, false).await.unwrap();
    admin.system_ready("huge", "after").await;
    assert_eq!(admin.get("HostedSystem", "huge", "after").await["metadata"]["labels"].as_object().unwrap().len(), 52);
    for child in children(&admin, &["huge--after"]).await {
        let text = child["metadata"].to_string().replace("huge.example.gov.cn", "its domain");
        assert!(!["huge.example", "huge-other", "privileged"].iter().any(|word| text.contains(word)), "{text}");
    }
}

#[tokio::test]
async fn a_tenant_that_was_never_acceptable_gets_nothing_until_it_is() {
    let admin = admin().await;
    let yaml = tenant_yaml("never-yet");
    let inward = yaml.clone() + "  network: {egress: [{cidr: 172.16.0.0/16, ports: [443], reason: r}]}\n";
    admin.apply(&inward).await;
    admin.until_condition("AgencyTenant", "", "never-yet", "Ready", "False", "Invalid").await;
    assert!(admin.look("Namespace", "", "never-yet").await.is_none());
    admin.apply(&yaml).await;
    admin.tenant_ready("never-yet").await;
}
