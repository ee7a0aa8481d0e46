//! Containers that a program of the platform adds to pods: admitted where the operator's settings name their images, and only there.

use std::time::{Duration, Instant};

use kube::api::{DynamicObject, PostParams};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::cluster::{PATIENCE, Person, admin, pod_yaml, shared, system_yaml, tenant_yaml};

/// Adds a proxy to the pods of two namespaces, as a mesh does; in the second one from an image that no setting names.
const MESH: &str = "
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicy
metadata: {name: mesh-proxy}
spec:
  failurePolicy: Fail
  reinvocationPolicy: Never
  matchConstraints:
    namespaceSelector: {matchExpressions: [{key: kubernetes.io/metadata.name, operator: In, values: [meshed--web, meshed--other]}]}
    resourceRules: [{apiGroups: [''], apiVersions: [v1], operations: [CREATE], resources: [pods]}]
  mutations:
  - patchType: JSONPatch
    jsonPatch:
      expression: >-
        [JSONPatch{op: 'add', path: '/spec/containers/-', value: Object.spec.containers{name: 'proxy',
        image: 'registry.example.gov.cn/platform/' + (request.namespace == 'meshed--web' ? 'mesh' : 'mesh-other') + '/proxy:1',
        securityContext: Object.spec.containers.securityContext{allowPrivilegeEscalation: false,
        capabilities: Object.spec.containers.securityContext.capabilities{drop: ['ALL']}}}}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicyBinding
metadata: {name: mesh-proxy}
spec: {policyName: mesh-proxy}
";

fn deployment(namespace: &str) -> String {
    format!(
        "
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web, namespace: {namespace}}}
spec:
  replicas: 1
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec:
      automountServiceAccountToken: false
      securityContext: {{runAsNonRoot: true, runAsUser: 1000, seccompProfile: {{type: RuntimeDefault}}}}
      containers:
      - name: main
        image: registry.example.gov.cn/base/web@{}
        securityContext: {{allowPrivilegeEscalation: false, capabilities: {{drop: [ALL]}}}}
",
        digest()
    )
}

fn digest() -> String {
    format!("sha256:{}", "0".repeat(64))
}

/// Waits until the API server, which learns of the mesh by a watch, adds the proxy.
async fn until_proxied(admin: &Person) {
    admin.until("is there", "ServiceAccount", "meshed--web", "default", |account| account.is_some()).await;
    let pod: DynamicObject =
        serde_yaml::from_str(&pod_yaml("meshed--web", "proxied").replace("web:1", &format!("web@{}", digest()))).unwrap();
    let dry_run = PostParams { dry_run: true, ..PostParams::default() };
    let begin = Instant::now();
    while admin.api("Pod", "meshed--web").create(&dry_run, &pod).await.unwrap().data["spec"]["containers"][1].is_null() {
        assert!(begin.elapsed() < PATIENCE, "no proxy is added");
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_sidecar_of_the_platform_is_admitted_where_its_image_is_named_and_refused_where_it_is_not() {
    let admin = admin().await;
    admin.apply(MESH).await;
    admin.apply(&tenant_yaml("meshed").replace("requireDigest: Never", "requireDigest: Always")).await;
    admin.tenant_ready("meshed").await;
    for system in ["web", "other"] {
        admin.apply(&system_yaml("meshed", system)).await;
        admin.system_ready("meshed", system).await;
    }
    until_proxied(&admin).await;
    let owner = shared().person("olga", &["meshed-owners"]).await;
    owner.apply(&deployment("meshed--web")).await;
    let has_pod = |set: Option<&Value>| set.is_some_and(|set| set["status"]["replicas"] == 1);
    admin.until("its pod", "Deployment", "meshed--web", "web", has_pod).await;
    let pods = admin.api("Pod", "meshed--web").list(&Default::default()).await.unwrap().items;
    let images: Vec<&Value> = pods.iter().map(|pod| &pod.data["spec"]["containers"][1]["image"]).collect();
    assert_eq!(images, [&json!("registry.example.gov.cn/platform/mesh/proxy:1")], "the proxy was added before the guard rails judged");
    admin.until_condition("HostedSystem", "meshed", "web", "PodsAdmitted", "True", "NoneRefused").await;

    owner.apply(&deployment("meshed--other")).await;
    let told = admin.until_condition("HostedSystem", "meshed", "other", "PodsAdmitted", "False", "FailedCreate").await;
    for words in [
        "rule images: spec.containers[proxy].image: \"registry.example.gov.cn/platform/mesh-other/proxy:1\" is not under a registry",
        "name its image in --platform-image",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
}
