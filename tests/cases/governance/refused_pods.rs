//! Workloads whose pods are refused say nothing themselves; their system's status does.

use serde_json::json;

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
    admin.until_condition("HostedSystem", "unable", "web", "Available", "True", "NoneRefused").await;
    // The template is admitted; Pod Security refuses the pod.
    admin.apply(DEPLOYMENT).await;
    let told = admin.until_condition("HostedSystem", "unable", "web", "Available", "False", "FailedCreate").await;
    assert!(told.contains("ReplicaSet web-") && told.contains("violates PodSecurity \"restricted:latest\""), "{told}");
    assert!(!told.contains("pods \"web-"), "the name of a pod, another at each try, would make it flap: {told}");
    let status = admin.get("HostedSystem", "unable", "web").await["status"].clone();
    assert_eq!(crate::cluster::find_condition(&json!({ "status": status }), "Ready")["status"], "True", "a pipeline waits for it");
}
