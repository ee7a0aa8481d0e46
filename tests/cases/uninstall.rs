//! Removing the custom resource definitions removes nothing else.

use acceptance::ControlPlane;
use serde_json::json;

use crate::cluster::{Cluster, pod_yaml, system_yaml, tenant_yaml};

#[tokio::test]
async fn deleting_a_definition_lets_go_of_its_objects_and_touches_nothing_else() {
    let cluster = Cluster::start(ControlPlane::start).await.unwrap(); // never a cluster of somebody's
    let admin = cluster.admin().await;
    admin.tenant_with_systems("stays", &["web"]).await;
    admin.patch("HostedSystem", "stays", "web", json!({"spec": {"deletionPolicy": "Delete"}})).await;
    admin.system_ready("stays", "web").await;
    admin.apply(&pod_yaml("stays--web", "running")).await;
    let version = |object: &serde_json::Value| object["metadata"]["resourceVersion"].clone();
    let policy = version(&admin.get("NetworkPolicy", "stays--web", "govcloud-isolation").await);
    let binding = version(&admin.get("RoleBinding", "stays--web", "govcloud-owner").await);

    admin.delete("CustomResourceDefinition", "", "hostedsystems.govcloud.io").await;
    admin.gone("CustomResourceDefinition", "", "hostedsystems.govcloud.io").await;

    // The tenant is looked at again after the definition is gone, and still nothing follows from its systems' absence.
    admin.patch("AgencyTenant", "", "stays", json!({"spec": {"displayName": "改名"}})).await;
    admin.until_condition("AgencyTenant", "", "stays", "Provisioned", "Unknown", "Uninstalling").await;
    assert_eq!(admin.names("Pod", "stays--web").await, ["running"]);
    assert_eq!(version(&admin.get("NetworkPolicy", "stays--web", "govcloud-isolation").await), policy);
    assert_eq!(version(&admin.get("RoleBinding", "stays--web", "govcloud-owner").await), binding);
}

#[tokio::test]
async fn what_is_declared_again_after_the_definitions_were_is_taken_back_as_it_was() {
    let cluster = Cluster::start(ControlPlane::start).await.unwrap();
    let admin = cluster.admin().await;
    let tenants = ["first", "second"];
    for tenant in tenants {
        admin.tenant_with_systems(tenant, &["db", "web"]).await;
        admin.apply(&pod_yaml(&format!("{tenant}--web"), "running")).await;
    }
    let namespaces = ["first", "first--db", "first--web", "second", "second--db", "second--web"];
    let uids = || async {
        let mut uids = Vec::new();
        for namespace in namespaces {
            uids.push(admin.get("Namespace", "", namespace).await["metadata"]["uid"].clone());
        }
        uids
    };
    let guards = || async {
        let mut versions = Vec::new();
        for namespace in namespaces {
            for (kind, name) in [("NetworkPolicy", "govcloud-isolation"), ("RoleBinding", "govcloud-owner")] {
                versions.push(admin.get(kind, namespace, name).await["metadata"]["resourceVersion"].clone());
            }
        }
        versions
    };
    let (before, guarded) = (uids().await, guards().await);
    let former: Vec<String> = futures::future::join_all(tenants.map(|tenant| admin.get("AgencyTenant", "", tenant)))
        .await
        .iter()
        .map(|tenant| tenant["metadata"]["uid"].as_str().unwrap().to_owned())
        .collect();

    let definitions = ["agencytenants.govcloud.io", "hostedsystems.govcloud.io"];
    for definition in definitions {
        admin.delete("CustomResourceDefinition", "", definition).await;
    }
    for definition in definitions {
        admin.gone("CustomResourceDefinition", "", definition).await;
    }
    assert_eq!(guards().await, guarded, "something was touched while the definitions went");

    acceptance::Operator::install(&cluster.plane).await.unwrap();
    for (tenant, uid) in tenants.iter().zip(&former) {
        admin.apply(&(tenant_yaml(tenant) + &format!("  adoptTenantUID: {uid}\n"))).await;
        admin.tenant_ready(tenant).await;
    }
    // Not all are declared again at the same moment; what is not yet stays as it was.
    for system in ["web", "db"] {
        for tenant in tenants {
            assert_eq!(admin.names("Pod", &format!("{tenant}--web")).await, ["running"]);
            assert!(admin.look("RoleBinding", &format!("{tenant}--{system}"), "govcloud-owner").await.is_some());
            admin.apply(&system_yaml(tenant, system)).await;
        }
    }
    for tenant in tenants {
        admin.system_ready(tenant, "web").await;
        admin.system_ready(tenant, "db").await;
        assert_eq!(admin.names("Pod", &format!("{tenant}--web")).await, ["running"]);
    }
    assert_eq!(uids().await, before);
}

#[tokio::test]
async fn systems_whose_definition_alone_was_put_back_are_waited_for() {
    let cluster = Cluster::start(ControlPlane::start).await.unwrap();
    let admin = cluster.admin().await;
    admin.tenant_with_systems("waits", &["web"]).await;
    admin.apply(&pod_yaml("waits--web", "running")).await;
    admin.delete("CustomResourceDefinition", "", "hostedsystems.govcloud.io").await;
    admin.gone("CustomResourceDefinition", "", "hostedsystems.govcloud.io").await;
    acceptance::Operator::install(&cluster.plane).await.unwrap();

    admin.patch("AgencyTenant", "", "waits", json!({"spec": {"displayName": "改名"}})).await;
    let message = admin.until_condition("AgencyTenant", "", "waits", "Provisioned", "True", "Provisioned").await;
    assert!(message.contains("waits--web"), "{message}");
    assert_eq!(admin.names("Pod", "waits--web").await, ["running"]);
    assert!(admin.look("RoleBinding", "waits--web", "govcloud-owner").await.is_some());
    admin.apply(&system_yaml("waits", "web")).await;
    admin.system_ready("waits", "web").await;
    assert_eq!(admin.names("Pod", "waits--web").await, ["running"]);
}
