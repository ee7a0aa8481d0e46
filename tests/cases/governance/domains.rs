//! No two agencies hold the same domain.

use acceptance::request::APPROVER;
use kube::api::PostParams;
use serde_json::json;

use super::{approval, approver, decide, request_yaml, requester, run_plugin};
use crate::cluster::{admin, tenant_yaml};

#[tokio::test]
async fn of_two_agencies_with_the_same_domain_the_later_is_told_until_the_first_gives_it_up() {
    let admin = admin().await;
    let yaml = |name: &str, domain: &str| tenant_yaml(name).replace(&format!("{name}.example.gov.cn"), domain);
    admin.apply(&yaml("first-come", "shared.example.gov.cn")).await;
    admin.tenant_ready("first-come").await;
    admin.apply(&yaml("late-come", "www.shared.example.gov.cn")).await;
    let told = admin.until_condition("AgencyTenant", "", "late-come", "Accepted", "False", "Invalid").await;
    for words in ["spec.domains[www.shared.example.gov.cn]", "agencytenant/first-come", "shared.example.gov.cn"] {
        assert!(told.contains(words), "{words}: {told}");
    }
    assert!(admin.look("Namespace", "", "late-come").await.is_none());
    admin.patch("AgencyTenant", "", "first-come", json!({"spec": {"domains": ["first-come.example.gov.cn"]}})).await;
    admin.tenant_ready("late-come").await;
    let namespace = admin.get("Namespace", "", "late-come").await;
    assert_eq!(namespace["metadata"]["annotations"]["govcloud.io/domains"], "www.shared.example.gov.cn");
}

#[tokio::test]
async fn of_two_that_ask_for_the_same_domain_the_other_is_told_when_one_is_approved() {
    let (admin, wang, li) = (admin().await, requester().await, approver().await);
    for name in ["wished-first", "wished-too"] {
        let yaml = request_yaml(name).replace(&format!("{name}.example.gov.cn"), "wished.example.gov.cn");
        let object = acceptance::manifests::parse(&yaml).unwrap().remove(0);
        wang.api("AgencyTenant", "").create(&PostParams::default(), &object).await.unwrap();
        admin.until_condition("AgencyTenant", "", name, "Approved", "False", "Requested").await;
        admin.until_condition("AgencyTenant", "", name, "Accepted", "True", "Accepted").await;
    }
    decide(&li, "wished-first", approval("Approved", 1)).await.unwrap();
    admin.tenant_ready("wished-first").await;
    let told = admin.until_condition("AgencyTenant", "", "wished-too", "Accepted", "False", "Invalid").await;
    assert!(told.contains("agencytenant/wished-first holds"), "{told}");
    // The plugin approves no such request. Who approves it all the same is told what is wrong, and its Owner may correct it.
    let refused = run_plugin(APPROVER, &["approve", "wished-too", "--yes"]).await.unwrap_err();
    for words in ["generation 1 of agencytenant/wished-too is not valid, so it is not approved", "agencytenant/wished-first holds"] {
        assert!(refused.contains(words), "{words}: {refused}");
    }
    assert!(admin.get("AgencyTenant", "", "wished-too").await["status"]["approval"].is_null());
    decide(&li, "wished-too", approval("Approved", 1)).await.unwrap();
    let told = admin.until_condition("AgencyTenant", "", "wished-too", "Approved", "False", "Invalid").await;
    assert!(told.contains("but is not valid: see condition Accepted"), "{told}");
    wang.patch("AgencyTenant", "", "wished-too", json!({"spec": {"domains": ["another.example.gov.cn"]}})).await;
    admin.until_condition("AgencyTenant", "", "wished-too", "Accepted", "True", "Accepted").await;
}
