//! Pods by tag of a system that goes into service are told of, as long as there are some.

use serde_json::{Value, json};

use crate::cluster::{admin, system_yaml, tenant_yaml};

/// A Deployment of one pod that Pod Security admits. It is replaced at once, since nothing ever starts a pod here.
fn deployment(image: &str) -> String {
    format!(
        "
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web, namespace: tagged--web}}
spec:
  replicas: 1
  strategy: {{type: Recreate}}
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec:
      securityContext: {{runAsNonRoot: true, seccompProfile: {{type: RuntimeDefault}}}}
      containers:
      - name: main
        image: {image}
        securityContext: {{allowPrivilegeEscalation: false, capabilities: {{drop: [ALL]}}}}
"
    )
}

#[tokio::test]
async fn a_system_that_goes_into_service_with_pods_by_tag_says_which_until_they_are_deployed_by_digest() {
    let admin = admin().await;
    admin.apply(&tenant_yaml("tagged").replace("requireDigest: Never", "requireDigest: Running")).await;
    admin.tenant_ready("tagged").await;
    admin.apply(&system_yaml("tagged", "web").replace("Running", "Testing")).await;
    admin.system_ready("tagged", "web").await;
    admin.apply(&deployment("registry.example.gov.cn/base/web:1")).await;
    let has_pod = |set: Option<&Value>| set.is_some_and(|set| set["status"]["replicas"] == 1);
    admin.until("its pod", "Deployment", "tagged--web", "web", has_pod).await;
    admin.until_condition("HostedSystem", "tagged", "web", "PodsAdmitted", "True", "NoneRefused").await;

    let stage = |stage: &str| json!({"spec": {"stage": stage}});
    admin.patch("HostedSystem", "tagged", "web", stage("Running")).await;
    let told = admin.until_condition("HostedSystem", "tagged", "web", "PodsAdmitted", "True", "TagsInUse").await;
    for words in ["pods of 1 workload have", "ReplicaSet web-", "agencytenant/tagged", "deploy them by digest"] {
        assert!(told.contains(words), "{words}: {told}");
    }
    admin.patch("HostedSystem", "tagged", "web", stage("Testing")).await;
    admin.until_condition("HostedSystem", "tagged", "web", "PodsAdmitted", "True", "NoneRefused").await;

    // A suspended system is not in service: what is admitted in test may be deployed.
    let later = |tag: u8| {
        let text = deployment(&format!("registry.example.gov.cn/base/web:{tag}"));
        text.replace("name: web, namespace", "name: later, namespace").replace("replicas: 1", "replicas: 0")
    };
    admin.patch("HostedSystem", "tagged", "web", stage("Suspended")).await;
    admin.until_condition("HostedSystem", "tagged", "web", "Ready", "True", "Suspended").await;
    admin.apply(&later(1)).await;

    admin.patch("HostedSystem", "tagged", "web", stage("Running")).await;
    admin.until_condition("HostedSystem", "tagged", "web", "PodsAdmitted", "True", "TagsInUse").await;
    let refused = admin.try_apply(&later(2)).await.unwrap_err();
    assert!(refused.contains("rule image-digests: spec.template.spec.containers[main].image"), "{refused}");
    admin.apply(&deployment(&format!("registry.example.gov.cn/base/web@sha256:{}", "0".repeat(64)))).await;
    admin.until_condition("HostedSystem", "tagged", "web", "PodsAdmitted", "True", "NoneRefused").await;
}
