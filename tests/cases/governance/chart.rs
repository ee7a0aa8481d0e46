//! What a chart brings along, RBAC objects aside, is a Deployer's and a pipeline's to deploy, as Helm does it: one object after the other,
//! with its own record of the release.

use kube::api::DeleteParams;
use serde_json::Value;

use crate::cluster::{Person, admin, shared};

/// What `helm create` scaffolds, with the values that the restricted Pod Security level asks for, and what usual charts add to it.
/// NAME and NAMESPACE are filled in.
const CHART: &str = include_str!("chart.yaml");
/// What a chart must leave to an Owner.
const ACCESS: &str = "
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: NAME, namespace: NAMESPACE}
rules: [{apiGroups: [''], resources: [configmaps], verbs: [get]}]
";

fn rendered(text: &str, name: &str) -> String {
    text.replace("NAMESPACE", "charts--web").replace("NAME", name)
}

async fn account() -> Person {
    let groups = ["system:serviceaccounts", "system:serviceaccounts:charts--web"];
    shared().person("system:serviceaccount:charts--web:deployer", &groups).await
}

#[tokio::test]
async fn a_deployer_and_a_pipeline_deploy_what_charts_contain() {
    let admin = admin().await;
    admin.tenant_with_systems("charts", &["web"]).await;
    let deployers = [("person", shared().person("ci-charts", &[]).await), ("pipeline", account().await)];
    for (name, deployer) in &deployers {
        for document in rendered(CHART, name).split("\n---\n") {
            deployer.apply(document).await;
        }
        let available = |object: Option<&Value>| object.is_some_and(|object| object["status"]["availableReplicas"] == 2);
        deployer.until("the release runs", "Deployment", "charts--web", name, available).await;
        let refused = deployer.try_apply(&rendered(ACCESS, name)).await.unwrap_err();
        assert!(refused.contains("cannot patch resource \"roles\""), "{refused}");
        // A hook's pod is taken away by whoever put it there, as Helm does before the next one.
        deployer.api("Pod", "charts--web").delete(&format!("{name}-test-connection"), &DeleteParams::default()).await.unwrap();
    }
    let owner = shared().person("wang", &["charts-owners"]).await;
    owner.apply(&rendered(ACCESS, "whole")).await;
}
