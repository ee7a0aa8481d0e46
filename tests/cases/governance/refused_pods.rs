//! Workloads whose pods are refused say nothing themselves; their system's status does.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;

use crate::cluster::admin;

const DEPLOYMENT: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: unable--web}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: main, image: 'registry.example.gov.cn/base/web:1'}]
";

#[tokio::test]
async fn a_system_whose_pods_are_refused_says_so_and_by_whom() {
    let admin = admin().await;
    admin.tenant_with_systems("unable", &["web"]).await;
    admin.until_condition("HostedSystem", "unable", "web", "PodsAdmitted", "True", "NoneRefused").await;
    // The template is admitted; Pod Security refuses the pod.
    admin.apply(DEPLOYMENT).await;
    let told = admin.until_condition("HostedSystem", "unable", "web", "PodsAdmitted", "False", "FailedCreate").await;
    assert!(told.contains("ReplicaSet web-") && told.contains("violates PodSecurity \"restricted:latest\""), "{told}");
    assert!(!told.contains("pods \"web-"), "the name of a pod, another at each try, would make it flap: {told}");
    let status = admin.get("HostedSystem", "unable", "web").await["status"].clone();
    assert_eq!(crate::cluster::find_condition(&json!({ "status": status }), "Ready")["status"], "True", "a pipeline waits for it");
}

/// A Deployment that is admitted by Pod Security, with these resources of its container.
fn deployment(namespace: &str, replicas: u8, resources: &Value) -> String {
    format!(
        "
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web, namespace: {namespace}}}
spec:
  replicas: {replicas}
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec:
      automountServiceAccountToken: false
      securityContext: {{runAsNonRoot: true, seccompProfile: {{type: RuntimeDefault}}}}
      containers:
      - name: main
        image: registry.example.gov.cn/base/web:1
        securityContext: {{allowPrivilegeEscalation: false, capabilities: {{drop: [ALL]}}}}
        resources: {resources}
"
    )
}

#[tokio::test]
async fn a_pod_above_the_default_limit_is_told_once_with_the_field_to_change_and_until_it_is_changed() {
    let admin = admin().await;
    admin.tenant_with_systems("greedy", &["web"]).await;
    // The default limit is 512Mi. Each try names another pod.
    admin.apply(&deployment("greedy--web", 1, &json!({"requests": {"memory": "1Gi"}}))).await;
    let told = admin.until_condition("HostedSystem", "greedy", "web", "PodsAdmitted", "False", "FailedCreate").await;
    for words in ["memory limit of 512Mi", "spec.containerDefaults.default of agencytenant/greedy", "LimitRange govcloud-defaults"] {
        assert!(told.contains(words), "{words}: {told}");
    }
    let version = admin.get("HostedSystem", "greedy", "web").await["metadata"]["resourceVersion"].clone();
    let tries = async || admin.names("Event", "greedy--web").await.len();
    let before = tries().await;
    sleep(Duration::from_secs(6)).await;
    assert!(tries().await > before, "the controller did not try again");
    assert_eq!(admin.get("HostedSystem", "greedy", "web").await["metadata"]["resourceVersion"], version, "told again for the same cause");

    admin.apply(&deployment("greedy--web", 1, &json!({"requests": {"memory": "1Gi"}, "limits": {"memory": "1Gi"}}))).await;
    admin.until_condition("HostedSystem", "greedy", "web", "PodsAdmitted", "True", "NoneRefused").await;
}

#[tokio::test]
async fn of_a_deployment_the_cause_of_the_latest_revision_is_told() {
    let admin = admin().await;
    admin.tenant_with_systems("revised", &["web"]).await;
    admin.apply(&DEPLOYMENT.replace("unable", "revised")).await;
    let told = admin.until_condition("HostedSystem", "revised", "web", "PodsAdmitted", "False", "FailedCreate").await;
    assert!(told.contains("violates PodSecurity"), "{told}");
    // The next revision mends that and is refused for another cause. The former one goes on to ask for its pod.
    admin.apply(&deployment("revised--web", 1, &json!({"requests": {"memory": "1Gi"}}))).await;
    let is_latest = |system: Option<&Value>| {
        let told = system.map(|system| crate::cluster::find_condition(system, "PodsAdmitted")["message"].as_str().unwrap_or_default());
        told.is_some_and(|told| told.contains("memory limit of 512Mi") && !told.contains("PodSecurity"))
    };
    admin.until("the latest cause alone is told", "HostedSystem", "revised", "web", is_latest).await;
    admin.apply(&deployment("revised--web", 1, &json!({"requests": {"memory": "1Gi"}, "limits": {"memory": "1Gi"}}))).await;
    admin.until_condition("HostedSystem", "revised", "web", "PodsAdmitted", "True", "NoneRefused").await;
}

#[tokio::test]
async fn a_full_share_is_told_with_its_numbers_until_there_is_room_and_then_again() {
    let admin = admin().await;
    admin.tenant_with_systems("crowded", &["web"]).await;
    let share = |pods: u8| json!({"spec": {"resources": {"guaranteed": {"pods": pods}}}});
    admin.patch("HostedSystem", "crowded", "web", share(1)).await;
    let holds = |system: Option<&Value>| system.is_some_and(|system| system["status"]["granted"]["pods"] == "1");
    admin.until("the share is one pod", "HostedSystem", "crowded", "web", holds).await;
    admin.apply(&deployment("crowded--web", 2, &json!({}))).await;
    let told = admin.until_condition("HostedSystem", "crowded", "web", "PodsAdmitted", "False", "FailedCreate").await;
    for words in ["requested: pods=1, used: pods=1, limited: pods=1", "raise spec.resources.guaranteed[pods]", "maxSurge: 0"] {
        assert!(told.contains(words), "{words}: {told}");
    }
    // What is wanted fits: no pod is missing any more.
    admin.apply(&deployment("crowded--web", 1, &json!({}))).await;
    admin.until_condition("HostedSystem", "crowded", "web", "PodsAdmitted", "True", "NoneRefused").await;
    admin.apply(&deployment("crowded--web", 2, &json!({}))).await;
    admin.until_condition("HostedSystem", "crowded", "web", "PodsAdmitted", "False", "FailedCreate").await;
    // What is gone lacks nothing.
    admin.delete("Deployment", "crowded--web", "web").await;
    admin.until_condition("HostedSystem", "crowded", "web", "PodsAdmitted", "True", "NoneRefused").await;
}
