//! The guard rails themselves are missing, or not in force yet.

use std::collections::BTreeSet;

use acceptance::{Operator, manifests, workspace};
use govcloud_core::model::names::POLICIES;
use kube::{ResourceExt, api::DeleteParams};

use crate::{
    alone::Alone,
    cluster::{system_yaml, tenant_yaml},
};

#[test]
fn every_policy_of_the_chart_is_proven_to_deny_or_only_warns() {
    let objects = manifests::read(&workspace().join("charts/govcloud/policies")).unwrap();
    let named = |actions: &str| {
        let bindings = objects.iter().filter(|object| object.data["spec"]["validationActions"] == serde_json::json!([actions]));
        bindings.map(ResourceExt::name_any).collect::<BTreeSet<_>>()
    };
    assert_eq!(named("Deny"), POLICIES.into_iter().map(str::to_owned).collect());
    assert_eq!(named("Warn"), BTreeSet::from(["govcloud-images-warning", "govcloud-requests-warning"].map(str::to_owned)));
    assert_eq!(objects.len(), 2 * (POLICIES.len() + 2), "a policy and a binding each");
}

#[tokio::test]
async fn nobody_is_let_in_before_every_policy_is_in_force() {
    let alone = Alone::turn().await;
    let admin = alone.admin().await;
    for (kind, name) in [("ValidatingAdmissionPolicy", "govcloud-images"), ("ValidatingAdmissionPolicyBinding", "govcloud-services")] {
        admin.api(kind, "").delete(name, &DeleteParams::default()).await.unwrap();
    }
    let operator = Operator::launch(alone.plane, alone.program).await.unwrap();
    let named = |name: &'static str| {
        let operator = &operator;
        async move {
            let begin = std::time::Instant::now();
            loop {
                let page = operator.get("/readyz").await.map(|(_, text)| text).unwrap_or_default();
                if page.contains(name) {
                    return page;
                }
                assert!(begin.elapsed() < crate::cluster::PATIENCE, "{page}");
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        }
    };
    let page = named("govcloud-images is missing").await;
    assert!(page.contains("ValidatingAdmissionPolicy govcloud-images is missing; apply the chart's policies"), "{page}");

    admin.apply(&tenant_yaml("unrailed")).await;
    let told = admin.until_condition("AgencyTenant", "", "unrailed", "Provisioned", "False", "PolicyNotActive").await;
    assert!(told.contains("members get no access") && told.contains("govcloud-images"), "{told}");
    assert!(admin.names("NetworkPolicy", "unrailed").await.contains(&"govcloud-isolation".to_owned()), "it is isolated all the same");
    assert!(admin.names("RoleBinding", "unrailed").await.is_empty());
    assert!(admin.look("ClusterRoleBinding", "", "govcloud:tenant:unrailed").await.is_none());

    let policies = std::fs::read_to_string(workspace().join("charts/govcloud/policies/images.yaml")).unwrap();
    admin.apply(&policies).await;
    let page = named("govcloud-services is missing").await;
    assert!(page.contains("ValidatingAdmissionPolicyBinding govcloud-services"), "{page}");
    assert!(admin.names("RoleBinding", "unrailed").await.is_empty());
    // Those of an older version do not do either: what this one lets members do may rest on its own.
    let policies = std::fs::read_to_string(workspace().join("charts/govcloud/policies/services.yaml")).unwrap();
    admin.apply(&policies.replace(concat!("/version: ", env!("CARGO_PKG_VERSION")), "/version: 0.1.9")).await;
    let page = named("govcloud-services is of version 0.1.9").await;
    assert!(page.contains("apply the policies of its chart"), "{page}");
    assert!(admin.names("RoleBinding", "unrailed").await.is_empty());
    admin.apply(&policies).await;
    admin.tenant_ready("unrailed").await;
    admin.apply(&system_yaml("unrailed", "web")).await;
    admin.system_ready("unrailed", "web").await;
    assert!(!admin.names("RoleBinding", "unrailed").await.is_empty());
    operator.stop().await.unwrap();
}
