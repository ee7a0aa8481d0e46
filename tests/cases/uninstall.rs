//! Removing the custom resource definitions removes nothing else.

use acceptance::ControlPlane;
use serde_json::json;

use crate::cluster::{Cluster, pod_yaml};

#[tokio::test]
async fn deleting_a_definition_lets_go_of_its_objects_and_touches_nothing_else() {
    let cluster = Cluster::start(ControlPlane::start).await.unwrap(); // never a cluster of somebody's
    let admin = cluster.admin().await;
    admin.tenant_with_systems("stays", &["web"]).await;
    admin.patch("HostedSystem", "stays", "web", json!({"spec": {"deletion": "Delete"}})).await;
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
