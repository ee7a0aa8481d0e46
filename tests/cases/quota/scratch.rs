//! Ephemeral storage: counted where the agency's total names it, and nobody's business elsewhere.

use serde_json::{Value, json};

use super::containers::{container, pod, try_pod};
use crate::cluster::{admin, shared, system_yaml, tenant_yaml};

const STATED: &str = "{requests: {ephemeral-storage: 100Mi}, limits: {ephemeral-storage: 600Mi}}";

#[tokio::test]
async fn a_pod_that_states_ephemeral_storage_is_admitted_where_the_total_does_not_name_it() {
    let admin = admin().await;
    admin.tenant_with_systems("unscratched", &["web"]).await;
    let hard = admin.get("ResourceQuota", "unscratched--web", "govcloud-quota").await["spec"]["hard"].clone();
    assert_eq!((&hard["requests.ephemeral-storage"], &hard["limits.ephemeral-storage"]), (&Value::Null, &Value::Null));
    let deployer = shared().person("ci-unscratched", &[]).await;
    for resources in [STATED, "{requests: {ephemeral-storage: 100Gi}}", "{limits: {ephemeral-storage: 100Gi}}", "{}"] {
        let made = try_pod(&deployer, "unscratched--web", pod(&[container("main", resources)])).await;
        assert!(made.is_ok(), "{resources}: {made:?}");
    }
    let made = try_pod(&deployer, "unscratched--web", pod(&[container("main", "{}")])).await.unwrap();
    assert_eq!(made["spec"]["containers"][0]["resources"]["limits"]["ephemeral-storage"], Value::Null, "nothing is added");
}

#[tokio::test]
async fn where_the_total_names_it_each_container_counts_and_shares_follow_the_memory() {
    let admin = admin().await;
    let named = "requests.ephemeral-storage: 80Gi, limits.ephemeral-storage: 160Gi, pods: 400}";
    admin.apply(&tenant_yaml("scratched").replace("pods: 400}", named)).await;
    admin.tenant_ready("scratched").await;
    // A fortieth of the agency's memory.
    admin.apply(&system_yaml("scratched", "web").replace("requests.memory: 32Gi", "requests.memory: 4Gi")).await;
    admin.apply(&system_yaml("scratched", "own").replace("pods: 60", "pods: 60, requests.ephemeral-storage: 7Gi")).await;
    for system in ["web", "own"] {
        admin.system_ready("scratched", system).await;
    }
    let hard = |quota: &Value| [&quota["requests.ephemeral-storage"], &quota["limits.ephemeral-storage"]].map(Value::clone);
    let [web, own] = ["scratched--web", "scratched--own"].map(hard_of);
    assert_eq!(hard(&web.await), [json!("2Gi"), json!("4Gi")]);
    assert_eq!(hard(&own.await), [json!("7Gi"), json!("14Gi")], "a share that names it is as it says");

    let deployer = shared().person("ci-scratched", &[]).await;
    let made = try_pod(&deployer, "scratched--web", pod(&[container("main", "{}")])).await.unwrap();
    let resources = &made["spec"]["containers"][0]["resources"];
    assert_eq!(resources["requests"]["ephemeral-storage"], "64Mi");
    assert_eq!(resources["limits"]["ephemeral-storage"], "512Mi");
    for admitted in
        [STATED, "{requests: {ephemeral-storage: 500Mi}}", "{limits: {ephemeral-storage: 10Mi}}", "{limits: {ephemeral-storage: 2Gi}}"]
    {
        let made = try_pod(&deployer, "scratched--web", pod(&[container("main", admitted)])).await;
        assert!(made.is_ok(), "{admitted}: {made:?}");
    }
    let beyond = pod(&[container("main", "{limits: {ephemeral-storage: 5Gi}}")]);
    let refused = try_pod(&deployer, "scratched--web", beyond).await.unwrap_err();
    assert!(refused.contains("exceeded quota: govcloud-quota") && refused.contains("limits.ephemeral-storage=5Gi"), "{refused}");
    let nine: Vec<_> = (0..9).map(|number| container(&format!("main-{number}"), "{}")).collect();
    let refused = try_pod(&deployer, "scratched--web", pod(&nine)).await.unwrap_err();
    assert!(refused.contains("limits.ephemeral-storage=4608Mi"), "what states nothing is counted: {refused}");
}

async fn hard_of(namespace: &str) -> Value {
    admin().await.get("ResourceQuota", namespace, "govcloud-quota").await["spec"]["hard"].clone()
}
