//! Deployment tools of the platform: as members, over requests of people, and with everything in one apply.

use acceptance::request::REQUESTER;
use serde_json::{Value, json};

use super::{approval, approved, approver, decide, kubectl_as_requester, request_yaml, requester};
use crate::cluster::{admin, shared, system_yaml, tenant_yaml};

/// Applies a file as `kubectl apply` does; returns what kubectl says.
fn apply(yaml: &str, arguments: &[&str]) -> String {
    let file = tempfile::NamedTempFile::with_suffix(".yaml").unwrap();
    std::fs::write(file.path(), yaml).unwrap();
    shared().kubectl(&[&["apply", "-f", file.path().to_str().unwrap()], arguments].concat())
}

#[tokio::test]
async fn an_account_of_the_platform_that_the_operator_is_told_of_is_an_owner_once_approved() {
    let admin = admin().await;
    // The operator of the cases runs with --account-namespace argocd.
    let member = |namespace: &str| {
        let account = format!("[{{\"kind\":\"ServiceAccount\",\"namespace\":{namespace:?},\"name\":\"controller\",\"role\":\"Owner\"}},");
        move |name: &str| tenant_yaml(name).replace("  preapproved: true\n", "").replace("  members: [", &format!("  members: {account}"))
    };
    admin.apply(&member("argocd")("synced")).await;
    admin.until_condition("AgencyTenant", "", "synced", "Approved", "False", "Requested").await;
    let argocd =
        shared().person("system:serviceaccount:argocd:controller", &["system:serviceaccounts", "system:serviceaccounts:argocd"]).await;
    assert!(!argocd.may("create", "govcloud.io", "hostedsystems", "synced").await, "nothing before an approval");
    let li = approver().await;
    decide(&li, "synced", approval("Approved", 1)).await.unwrap();
    admin.tenant_ready("synced").await;
    argocd.until_may("create", "govcloud.io", "hostedsystems", "synced").await;
    argocd.apply(&system_yaml("synced", "web")).await;
    admin.system_ready("synced", "web").await;
    argocd.until_may("create", "apps", "deployments", "synced--web").await;
    argocd.patch("AgencyTenant", "", "synced", json!({ "spec": { "displayName": "另一个" } })).await;
    admin.until_condition("AgencyTenant", "", "synced", "Approved", "False", "ChangePending").await;

    admin.apply(&member("elsewhere")("unsynced")).await;
    let told = admin.until_condition("AgencyTenant", "", "unsynced", "Accepted", "False", "Invalid").await;
    assert!(told.contains("a ServiceAccount of namespace elsewhere") && told.contains("--account-namespace"), "{told}");
    let refused = admin.try_apply(&member("synced--web")("foreign")).await.unwrap_err();
    assert!(refused.contains("a ServiceAccount of another agency's namespace"), "{refused}");
}

#[tokio::test]
async fn whoever_writes_over_a_request_that_waits_is_warned_and_the_record_says_so() {
    let (admin, wang) = (admin().await, requester().await);
    approved(&admin, "overwritten").await;
    let original = request_yaml("overwritten").replace("  members:", "  preapproved: true\n  members:");
    let silent = apply(&original, &["--server-side", "--force-conflicts"]);
    assert!(!silent.contains("Warning"), "nothing waits: {silent}");
    admin.until_condition("AgencyTenant", "", "overwritten", "Approved", "True", "Preapproved").await;
    wang.patch("AgencyTenant", "", "overwritten", json!({ "spec": { "preapproved": false, "quota": { "pods": "500" } } })).await;
    admin.until_condition("AgencyTenant", "", "overwritten", "Approved", "False", "ChangePending").await;
    let own = json!({ "spec": { "quota": { "pods": "501" } } }).to_string();
    let own = kubectl_as_requester(&["patch", "agencytenant", "overwritten", "--type=merge", "-p", &own]);
    assert!(own.contains("patched") && !own.contains("Warning"), "one's own request: {own}");
    admin
        .until("it is the request now", "AgencyTenant", "", "overwritten", |tenant| {
            tenant.is_some_and(|tenant| tenant["status"]["observedGeneration"] == tenant["metadata"]["generation"])
        })
        .await;
    let told = apply(&original.replace("pods: 400", "pods: 399"), &["--server-side", "--force-conflicts"]);
    for words in ["Warning", "takes the place of generation 4", REQUESTER.user, "kubectl govcloud history overwritten"] {
        assert!(told.contains(words), "{words}: {told}");
    }
    let told = admin.until_condition("AgencyTenant", "", "overwritten", "Approved", "True", "Preapproved").await;
    assert!(told.contains("it takes the place of the request of requester-wang (generation 4)"), "{told}");
}

#[tokio::test]
async fn an_agency_with_its_namespace_and_its_systems_comes_by_one_apply() {
    let admin = admin().await;
    let namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: at-once, annotations: {govcloud.io/adopt-into: at-once}}\n";
    let tenant = tenant_yaml("at-once").replace("  members:", "  adoptNamespace: true\n  members:");
    let yaml = [namespace.to_owned(), tenant, system_yaml("at-once", "web"), system_yaml("at-once", "api")].join("---\n");
    let told = apply(&yaml, &["--server-side"]);
    assert_eq!(told.matches("serverside-applied").count(), 4, "{told}");
    admin.tenant_ready("at-once").await;
    for system in ["web", "api"] {
        admin.system_ready("at-once", system).await;
    }
    // From then on the namespace is the operator's, and no manifest names it.
    let again = apply(yaml.strip_prefix(namespace).unwrap(), &["--server-side"]);
    assert!(again.matches("serverside-applied").count() == 3 && !again.contains("rror"), "{again}");
    let tenant: Value = admin.get("AgencyTenant", "", "at-once").await;
    assert_eq!(tenant["status"]["summary"]["systems"], "2/2");
}
