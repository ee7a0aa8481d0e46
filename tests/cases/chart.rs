//! The chart, as administrators install, upgrade and remove it with both versions of Helm. A node that runs no container says that the
//! operator's pods are ready; the operator itself runs beside the cluster, under the account that the chart made.

mod removal;

use std::{collections::BTreeMap, fs};

use acceptance::{ControlPlane, Helm, Operator, audit, manifests, workspace};
use kube::ResourceExt;
use serde_json::{Value, json};
use tokio::task::spawn_blocking;

use self::removal::{removed_altogether, removed_and_put_back};
use crate::{cluster::Person, times};

pub const INSTALL: [&str; 7] = ["install", "govcloud", "--namespace", "govcloud-system", "--wait", "--timeout", "60s"];
pub const UPGRADE: [&str; 7] = ["upgrade", "govcloud", "--namespace", "govcloud-system", "--wait", "--timeout", "60s"];

/// A control plane with nothing on it but the namespace that the administrator made, at the strictest Pod Security level.
pub async fn empty_cluster() -> (ControlPlane, Person) {
    times::take();
    let plane = spawn_blocking(|| ControlPlane::start().unwrap_or_else(|error| panic!("{error:#}"))).await.unwrap();
    let admin = Person { client: plane.client().await.unwrap() };
    let labels = "{pod-security.kubernetes.io/enforce: restricted}";
    admin.apply(&format!("{{apiVersion: v1, kind: Namespace, metadata: {{name: govcloud-system, labels: {labels}}}}}")).await;
    (plane, admin)
}

/// What Helm wrote from a position of the audit log on, in its order, as verb and resource.
fn written(plane: &ControlPlane, position: u64) -> Vec<String> {
    let requests = audit::requests_since(plane.audit_log().unwrap(), position).unwrap();
    let by_helm = requests.into_iter().filter(|request| request.user_agent.starts_with("Helm/") && request.is_write());
    by_helm.map(|request| format!("{} {}", request.verb, request.object_ref.unwrap_or_default().resource)).collect()
}

/// Runs a command of Helm with the chart.
fn chart(plane: &ControlPlane, helm: &Helm, arguments: &[&str]) -> Result<String, String> {
    helm.chart(plane, arguments).map_err(|error| format!("{error:#}"))
}

async fn with(helm: fn() -> anyhow::Result<Helm>) {
    let helm = &spawn_blocking(helm).await.unwrap().unwrap_or_else(|error| panic!("{error:#}"));
    let (plane, admin) = &empty_cluster().await;
    installed_in_order(plane, helm);
    let operator = Operator::start(plane).await.unwrap_or_else(|error| panic!("{error:#}"));
    admin.tenant_with_systems("charted", &["web"]).await;

    changed_only_where_values_are(plane, helm, admin).await;
    refused(plane, helm);
    drop(operator);
    removed_and_put_back(plane, helm, admin).await;
    let operator = Operator::start(plane).await.unwrap_or_else(|error| panic!("{error:#}"));
    removed_altogether(plane, helm, admin).await;
    drop(operator);
}

/// Policies come before roles and these before the operator, and the operator's pods are admitted.
fn installed_in_order(plane: &ControlPlane, helm: &Helm) {
    let printed = chart(plane, helm, &INSTALL).unwrap();
    assert!(printed.contains("kubectl get govcloud --all-namespaces"), "{printed}");
    let written = written(plane, 0);
    let places = |resources: &[&str]| {
        let is_one = |index: &usize| resources.iter().any(|resource| written[*index].ends_with(&format!(" {resource}")));
        let places: Vec<usize> = (0..written.len()).filter(is_one).collect();
        (places[0], places[places.len() - 1])
    };
    let order: [&[&str]; 4] = [
        &["customresourcedefinitions"],
        &["validatingadmissionpolicies", "validatingadmissionpolicybindings"],
        &["clusterroles", "clusterrolebindings"],
        &["deployments"],
    ];
    for pair in order.windows(2) {
        assert!(places(pair[0]).1 < places(pair[1]).0, "{pair:?}: {written:#?}");
    }
}

/// An upgrade with the same values changes nothing; one with other settings rolls the operator out and leaves the policies as they are.
async fn changed_only_where_values_are(plane: &ControlPlane, helm: &Helm, admin: &Person) {
    let before = versions(admin).await;
    let deployed = admin.get("Deployment", "govcloud-system", "govcloud-operator").await;
    chart(plane, helm, &UPGRADE).unwrap();
    let again = admin.get("Deployment", "govcloud-system", "govcloud-operator").await;
    assert_eq!((versions(admin).await, &again["metadata"]["generation"]), (before.clone(), &deployed["metadata"]["generation"]));

    let auditors = r#"bindings.auditAdmin=[{"kind":"Group","name":"charted-checks"}]"#;
    chart(plane, helm, &[&UPGRADE[..], &["--set", "config.workers=4", "--set-json", auditors]].concat()).unwrap();
    let after = admin.get("Deployment", "govcloud-system", "govcloud-operator").await;
    assert_ne!(deployed["metadata"]["generation"], after["metadata"]["generation"]);
    assert_eq!(versions(admin).await, before);
    let config = admin.get("ConfigMap", "govcloud-system", "govcloud-operator").await;
    assert_eq!(config["data"]["config.yaml"], "workers: 4\n");
    let auditor = Person { client: plane.client_as("li", &["charted-checks"]).await.unwrap() };
    auditor.until_may("list", "govcloud.io", "agencytenants", "").await;
}

/// Versions of what protects the tenants and lets their members in.
async fn versions(admin: &Person) -> Vec<Value> {
    let mut versions = Vec::new();
    for (kind, name) in [
        ("CustomResourceDefinition", "hostedsystems.govcloud.io"),
        ("ValidatingAdmissionPolicy", "govcloud-tenants"),
        ("ValidatingAdmissionPolicyBinding", "govcloud-tenants"),
        ("ClusterRole", "govcloud:owner:base"),
        ("ClusterRoleBinding", "govcloud-operator"),
    ] {
        let metadata = &admin.get(kind, "", name).await["metadata"];
        // Kubernetes writes the status of policies and definitions.
        versions.push(metadata.get("generation").unwrap_or(&metadata["resourceVersion"]).clone());
    }
    versions
}

/// Values that are wrong change nothing.
fn refused(plane: &ControlPlane, helm: &Helm) {
    for (value, words) in [
        ("confg.workers=4", "confg"),
        ("config.worker=4", "worker"),
        ("config.workers=0", "workers"),
        ("config.clusterRanges={here}", "clusterRanges"),
        ("podLabels.app\\.kubernetes\\.io/name=other", "podLabels"),
        ("image.digest=sha256:12", "digest"),
        ("bindings.admin[0].kind=User", "admin"),
        ("serviceMonitor.interval=often", "interval"),
        ("prometheusRule.labels.app\\.kubernetes\\.io/name=other", "labels"),
        ("bindings.platform[0].kind=ServiceAccount,bindings.platform[0].name=argo", "bindings"),
    ] {
        let refused = chart(plane, helm, &[&UPGRADE[..], &["--set", value]].concat()).expect_err(value);
        assert!(refused.contains("don't meet the specifications of the schema") && refused.contains(words), "{value}: {refused}");
    }
    // There the policies would take it for one of Kubernetes' own controllers.
    let refused = chart(plane, helm, &["template", "govcloud", "--kube-version", "1.37.0", "--namespace", "kube-system"]).unwrap_err();
    assert!(refused.contains("install with --namespace govcloud-system"), "{refused}");
}

#[tokio::test]
async fn helm_4_installs_upgrades_and_removes_the_chart() {
    with(Helm::four).await;
}

#[tokio::test]
async fn helm_3_installs_upgrades_and_removes_the_chart() {
    with(Helm::three).await;
}

/// Objects of a YAML text by kind and name, those of lists each by itself, without what tells Helm to keep them.
pub fn objects(text: &str) -> BTreeMap<(String, String), Value> {
    let mut found = BTreeMap::new();
    for object in manifests::parse(text).unwrap() {
        let kind = object.types.as_ref().unwrap().kind.clone();
        let name = object.name_any();
        let mut object = serde_json::to_value(object).unwrap();
        if let Some(items) = object["items"].as_array() {
            let items = items.iter().map(|item| serde_yaml::to_string(item).unwrap());
            found.extend(objects(&items.collect::<Vec<_>>().join("---\n")));
            continue;
        }
        let metadata = object["metadata"].as_object_mut().unwrap();
        metadata.retain(|key, value| key != "annotations" || *value != json!({"helm.sh/resource-policy": "keep"}));
        found.insert((kind, name), object);
    }
    found
}

/// With `GOVCLOUD_ACCEPT_CHART=1` the files are written anew.
#[tokio::test]
async fn the_kustomization_brings_what_the_chart_does() {
    let helm = spawn_blocking(Helm::four).await.unwrap().unwrap_or_else(|error| panic!("{error:#}"));
    let plane = &crate::cluster::shared().plane;
    let mutation = "admissionregistration.k8s.io/v1/MutatingAdmissionPolicy"; // which the cluster of the cases has
    let template = ["template", "govcloud", "--namespace", "govcloud-system", "--api-versions", mutation];
    for (source, file) in [("3-members", "members"), ("4-operator", "operator")] {
        let printed = helm.chart(plane, &[&template[..], &["--show-only", &format!("templates/{source}.yaml")]].concat()).unwrap();
        let printed = printed.split_once(".yaml\n").unwrap().1;
        let file = workspace().join(format!("charts/govcloud/plain/{file}.yaml"));
        if std::env::var_os("GOVCLOUD_ACCEPT_CHART").is_some() {
            fs::write(&file, printed).unwrap();
        }
        let found = fs::read_to_string(&file).unwrap_or_default();
        assert_eq!(found, printed, "GOVCLOUD_ACCEPT_CHART=1 writes {} anew", file.display());
    }
    let rendered = objects(&helm.chart(plane, &template).unwrap());
    let output = plane.kubectl().arg("kustomize").arg(workspace().join("charts/govcloud")).output().unwrap();
    let mut plain = objects(&String::from_utf8(output.stdout).unwrap());
    let namespace = plain.remove(&("Namespace".to_owned(), "govcloud-system".to_owned())).unwrap();
    assert_eq!(namespace["metadata"]["labels"], json!({"pod-security.kubernetes.io/enforce": "restricted"}));
    assert_eq!(rendered.keys().collect::<Vec<_>>(), plain.keys().collect::<Vec<_>>());
    for (key, object) in rendered {
        assert_eq!(normal(&object), normal(&plain[&key]), "{key:?}");
    }
}

#[tokio::test]
async fn values_that_are_not_the_defaults_reach_what_is_installed() {
    let helm = spawn_blocking(Helm::four).await.unwrap().unwrap_or_else(|error| panic!("{error:#}"));
    let plane = &crate::cluster::shared().plane;
    let template = ["template", "govcloud", "--namespace", "govcloud-system"];
    let printed = |values: &[&str]| helm.chart(plane, &[&template[..], values].concat()).unwrap();
    let rendered = |values: &[&str]| objects(&printed(values));
    let operator = |kind: &str| (kind.to_owned(), "govcloud-operator".to_owned());
    let definition = ("CustomResourceDefinition".to_owned(), "agencytenants.govcloud.io".to_owned());

    let plain = rendered(&[]);
    assert!(plain[&operator("NetworkPolicy")]["spec"].get("ingress").is_none(), "nobody reaches the operator");
    assert!(plain.contains_key(&operator("PodDisruptionBudget")) && plain.contains_key(&definition));

    let digest = format!("sha256:{}", "0".repeat(64));
    let collector = r#"config.metricsCollectors=[{"namespace":"2024","labels":{"app":"prometheus"}}]"#;
    let ranges = "networkPolicy.apiServerRanges={10.0.0.1/32},networkPolicy.apiServerPorts={8443}";
    let set =
        rendered(&["--set-json", collector, "--set", ranges, "--set", &format!("image.digest={digest},replicas=3,podLabels.team=cloud")]);
    let network = &set[&operator("NetworkPolicy")]["spec"];
    let from = json!([{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "2024"}},
        "podSelector": {"matchLabels": {"app": "prometheus"}}}]);
    assert_eq!(network["ingress"], json!([{"ports": [{"port": "http", "protocol": "TCP"}], "from": from}]));
    let to = json!([{"ipBlock": {"cidr": "10.0.0.1/32"}}]);
    assert_eq!(network["egress"], json!([{"ports": [{"port": 8443, "protocol": "TCP"}], "to": to}]));
    let deployment = &set[&operator("Deployment")]["spec"];
    let image = format!("registry.example.gov.cn/govcloud/govcloud@{digest}");
    assert_eq!((&deployment["replicas"], &deployment["template"]["spec"]["containers"][0]["image"]), (&json!(3), &json!(image)));
    assert_eq!(deployment["template"]["metadata"]["labels"]["team"], "cloud");
    let checksum = |objects: &BTreeMap<(String, String), Value>| {
        objects[&operator("Deployment")]["spec"]["template"]["metadata"]["annotations"]["checksum/config"].clone()
    };
    assert_ne!(checksum(&plain), checksum(&set), "other settings roll the operator out");

    let without = rendered(&["--set", "crds.install=false,podDisruptionBudget.enabled=false,networkPolicy.enabled=false"]);
    for key in [definition, operator("PodDisruptionBudget"), operator("NetworkPolicy")] {
        assert!(!without.contains_key(&key), "{key:?}");
    }
    assert!(without.contains_key(&operator("Deployment")));
    let kept = |values: &[&str]| printed(values).matches("helm.sh/resource-policy: keep").count();
    assert_eq!(
        (kept(&[]), kept(&["--set", "crds.keep=false"])),
        (5, 3),
        "policies, roles and bindings stay, and if wanted the definitions"
    );
}

/// A value without what kustomize changes in writing: breaks of lines in expressions, and 1.0 for 1.
fn normal(value: &Value) -> Value {
    match value {
        Value::String(text) => json!(text.split_whitespace().collect::<Vec<_>>().join(" ")),
        Value::Number(number) => json!(number.as_f64()),
        Value::Array(items) => items.iter().map(normal).collect(),
        Value::Object(fields) => fields.iter().map(|(key, value)| (key.clone(), normal(value))).collect(),
        other => other.clone(),
    }
}
