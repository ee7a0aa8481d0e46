//! What is broken of the product itself: its definitions, policies, roles and rights, and the operator.

use acceptance::{Operator, request, workspace};
use serde_json::{Value, json};

use super::world;

#[tokio::test]
async fn a_definition_that_was_changed() {
    let (world, admin) = world().await;
    let (kind, name) = ("CustomResourceDefinition", "hostedsystems.govcloud.io");
    let mut definition = admin.get(kind, "", name).await;
    definition["spec"]["versions"][0]["additionalPrinterColumns"] = Value::Null;
    admin.patch(kind, "", name, json!({"spec": {"versions": definition["spec"]["versions"]}})).await;
    let told = world.until_told("FAIL", "Definitions", "hostedsystems.govcloud.io is not as version", "kubectl replace -f").await;
    world.cure(&told).await;
}

#[tokio::test]
async fn a_policy_that_is_missing() {
    let (world, admin) = world().await;
    admin.delete("ValidatingAdmissionPolicy", "", "govcloud-secrets").await;
    let told =
        world.until_told("FAIL", "Policies", "ValidatingAdmissionPolicy govcloud-secrets is missing", "kubectl apply --server-side").await;
    world.cure(&told).await;
}

#[tokio::test]
async fn a_policy_that_exempts_somebody() {
    let (world, admin) = world().await;
    let (kind, name) = ("ValidatingAdmissionPolicy", "govcloud-services");
    let mut conditions = admin.get(kind, "", name).await["spec"]["matchConditions"].as_array().cloned().unwrap_or_default();
    conditions.push(json!({"name": "exempt", "expression": "request.userInfo.username != 'owner-wu'"}));
    admin.patch(kind, "", name, json!({"spec": {"matchConditions": conditions}})).await;
    let told = world.until_told("FAIL", "Policies", "govcloud-services is not as version", "kubectl replace -f").await;
    world.cure(&told).await;
}

#[tokio::test]
async fn a_binding_that_only_audits() {
    let (world, admin) = world().await;
    let (kind, name) = ("ValidatingAdmissionPolicyBinding", "govcloud-claims");
    admin.patch(kind, "", name, json!({"spec": {"validationActions": ["Audit"]}})).await;
    world.until_told("FAIL", "Policies", "govcloud-claims exists but is not in force", "see the other findings").await;
    let told = world.until_told("FAIL", "Policies", "spec.validationActions[0] differs", "kubectl replace -f").await;
    world.cure(&told).await;
}

#[tokio::test]
async fn a_role_that_was_widened() {
    let (world, admin) = world().await;
    let (kind, name) = ("ClusterRole", "govcloud:owner:base");
    let mut rules = admin.get(kind, "", name).await["rules"].as_array().cloned().unwrap();
    rules.push(json!({"apiGroups": [""], "resources": ["pods/proxy"], "verbs": ["get"]}));
    admin.patch(kind, "", name, json!({"rules": rules})).await;
    let told = world.until_told("FAIL", "Roles", "govcloud:owner:base is not as version", "kubectl replace -f").await;
    world.cure(&told).await;
}

#[tokio::test]
async fn nobody_may_approve() {
    let (world, admin) = world().await;
    let (kind, name) = ("ClusterRoleBinding", request::APPROVER.group);
    let before = admin.get(kind, "", name).await;
    admin.patch(kind, "", name, json!({"subjects": null})).await;
    world
        .until_told(
            "WARN",
            "Bindings",
            "ClusterRoles govcloud:security-admin and govcloud:platform are bound to nobody",
            "bindings.securityAdmin",
        )
        .await;
    admin.patch(kind, "", name, json!({"subjects": before["subjects"]})).await;
    world.until_well("once it was mended").await;
}

#[tokio::test]
async fn a_right_that_the_operator_lost() {
    let (world, admin) = world().await;
    let (kind, name) = ("ClusterRole", "govcloud-operator");
    let mut rules = admin.get(kind, "", name).await["rules"].as_array().cloned().unwrap();
    rules.retain(|rule| rule["resources"] != json!(["limitranges"]));
    admin.patch(kind, "", name, json!({"rules": rules})).await;
    let account = "ServiceAccount govcloud-system/govcloud-operator, the operator's, may not ";
    let denied = world.until_told("FAIL", "Permissions", account, "ClusterRoles govcloud-operator").await;
    assert!(denied.message.contains("create limitranges"), "{denied:?}");
    let told = world.until_told("FAIL", "Roles", "ClusterRole govcloud-operator is not as version", "kubectl replace -f").await;
    world.cure(&told).await;
}

#[tokio::test]
async fn no_replica_is_ready() {
    let (world, admin) = world().await;
    let labels = json!({"app.kubernetes.io/name": "govcloud", "app.kubernetes.io/component": "operator"});
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "charted", "namespace": "govcloud-system", "labels": labels},
        "spec": {"replicas": 2, "selector": {"matchLabels": labels}, "template": {
            "metadata": {"labels": labels},
            "spec": {"serviceAccountName": "govcloud-operator", "nodeSelector": {"nowhere": "true"}, "containers": [{"name": "operator", "image": "registry.example.gov.cn/govcloud:1"}]},
        }},
    });
    admin.apply(&deployment.to_string()).await;
    let told = "0 of 2 replicas of Deployment govcloud-system/charted are ready: ";
    world.until_told("FAIL", "Replicas", told, "kubectl -n govcloud-system describe pods").await;
    admin.patch("Deployment", "govcloud-system", "charted", json!({"spec": {"template": {"spec": {"nodeSelector": null}}}})).await;
    world.until_well("once it was mended").await;
    let (_, text) = world.run(&[]);
    assert!(text.contains("2 of 2 replicas of Deployment govcloud-system/charted are ready"), "{text}");
    admin.delete("Deployment", "govcloud-system", "charted").await;
}

#[tokio::test]
async fn no_replica_leads_and_changes_wait() {
    let (mut world, admin) = world().await;
    world.operator.take().unwrap().stop().await.unwrap();
    admin.patch("AgencyTenant", "", "examined", json!({"spec": {"displayName": "Examined again"}})).await;
    world.until_told("FAIL", "Leader", "no replica leads: Lease govcloud-system/govcloud-operator has no holder", "kubectl").await;
    world.until_told("FAIL", "Progress", "has not seen the latest change of agencytenant/examined", "the log of the replica").await;
    world.operator = Some(Operator::start_program(&world.plane, &world.program).await.unwrap());
    world.until_well("once it was mended").await;
}

/// Kustomize writes the same objects with other line breaks in them.
#[tokio::test]
async fn what_the_kustomization_brings_is_well() {
    let (world, admin) = world().await;
    let chart = workspace().join("charts/govcloud");
    let output = world.plane.kubectl().args(["apply", "--server-side", "--force-conflicts", "-k"]).arg(chart).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    world.until_well("with the kustomization").await;
    admin.delete("Deployment", "govcloud-system", "govcloud-operator").await;
}
