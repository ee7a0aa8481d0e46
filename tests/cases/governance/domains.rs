//! No two agencies hold the same domain.

use serde_json::json;

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
