//! `govcloud doctor`: green where all is well, and for each thing that is broken by hand a line with what was seen and what to do. The
//! cases share a cluster of their own, one after the other, and each mends what it broke.

use std::{
    path::PathBuf,
    process::Command,
    sync::OnceLock,
    time::{Duration, Instant},
};

use acceptance::{ControlPlane, Operator, manifests, programs, request, workspace};
use serde_json::{Value, json};
use tokio::{
    sync::{Mutex, MutexGuard},
    task::spawn_blocking,
    time::sleep,
};

use crate::cluster::{PATIENCE, Person, pod_yaml, system_yaml, tenant_yaml};

struct World {
    plane: ControlPlane,
    operator: Option<Operator>,
    program: PathBuf,
}

/// A finding of the report.
#[derive(Clone, Debug)]
struct Finding {
    check: String,
    verdict: String,
    message: String,
    cure: String,
}

async fn prepare() -> World {
    let plane = spawn_blocking(ControlPlane::start).await.unwrap().unwrap_or_else(|error| panic!("{error:#}"));
    let client = plane.client().await.unwrap();
    programs::install(&client).await.unwrap();
    Operator::install(&plane).await.unwrap();
    request::appoint(&client).await.unwrap();
    let program = spawn_blocking(Operator::build).await.unwrap().unwrap();
    let operator = Operator::start_program(&plane, &program).await.unwrap();
    let admin = Person { client };
    admin.apply(&tenant_yaml("examined")).await;
    admin.tenant_ready("examined").await;
    admin.apply(&system_yaml("examined", "web")).await;
    admin.system_ready("examined", "web").await;
    admin.apply(&pod_yaml("examined--web", "web")).await;
    World { plane, operator: Some(operator), program }
}

/// The cluster, for one case at a time.
async fn world() -> (MutexGuard<'static, World>, Person) {
    static WORLD: OnceLock<Mutex<World>> = OnceLock::new();
    crate::times::take();
    let get = || WORLD.get_or_init(|| Mutex::new(tokio::runtime::Runtime::new().unwrap().block_on(prepare())));
    let world = spawn_blocking(get).await.unwrap().lock().await;
    let admin = Person { client: world.plane.client().await.unwrap() };
    (world, admin)
}

impl World {
    /// Runs the command; what it printed and its exit code.
    fn run(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let mut command = Command::new(&self.program);
        command.arg("doctor").args(arguments).env("KUBECONFIG", self.plane.kubeconfig());
        let output = command.output().unwrap();
        (output.status.code(), format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)))
    }

    fn findings(&self, arguments: &[&str]) -> (Option<i32>, Vec<Finding>) {
        let (code, text) = self.run(&[arguments, &["--output", "json"]].concat());
        let report: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        let field = |finding: &Value, name: &str| finding[name].as_str().unwrap_or_default().to_owned();
        let read = |finding: &Value| Finding {
            check: field(finding, "check"),
            verdict: field(finding, "verdict"),
            message: field(finding, "message"),
            cure: field(finding, "cure"),
        };
        (code, report["findings"].as_array().unwrap().iter().map(read).collect())
    }

    /// Waits until all is well but for the network plugin, which such a cluster has not.
    async fn until_well(&self) {
        let begun = Instant::now();
        loop {
            let (code, findings) = self.findings(&[]);
            let unwell: Vec<_> = findings.iter().filter(|found| found.verdict != "OK" && found.check != "NetworkPlugin").collect();
            if unwell.is_empty() {
                assert_eq!(code, Some(0));
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "{unwell:#?}");
            sleep(Duration::from_millis(200)).await;
        }
    }

    /// Waits until a finding says this, with a cure; a failure tells by the exit code.
    async fn until_told(&self, verdict: &str, check: &str, message: &str, cure: &str) {
        let begun = Instant::now();
        loop {
            let (code, findings) = self.findings(&[]);
            let says = |found: &&Finding| found.check == check && found.verdict == verdict && found.message.contains(message);
            if let Some(found) = findings.iter().find(says) {
                assert!(found.cure.contains(cure), "{found:?}");
                assert!(verdict != "FAIL" || code == Some(1), "{code:?}");
                return;
            }
            let unwell: Vec<_> = findings.iter().filter(|found| found.verdict != "OK").collect();
            assert!(begun.elapsed() < PATIENCE, "{unwell:#?}");
            sleep(Duration::from_millis(200)).await;
        }
    }
}

/// A file of the chart.
fn shipped(path: &str) -> String {
    std::fs::read_to_string(workspace().join("charts/govcloud").join(path)).unwrap()
}

/// Puts an object back as a file of the chart has it.
async fn restore(admin: &Person, kind: &str, name: &str, path: &str) {
    let objects = manifests::parse(&shipped(path)).unwrap();
    let is_it =
        |object: &&kube::core::DynamicObject| object.types.as_ref().unwrap().kind == kind && object.metadata.name.as_deref() == Some(name);
    let mut object = serde_json::to_value(objects.iter().find(is_it).unwrap()).unwrap();
    if let Some(found) = admin.look(kind, "", name).await {
        object["metadata"]["resourceVersion"] = found["metadata"]["resourceVersion"].clone();
        let api = admin.api(kind, "");
        api.replace(name, &Default::default(), &serde_json::from_value(object).unwrap()).await.unwrap();
    } else {
        admin.apply(&object.to_string()).await;
    }
}

#[tokio::test]
async fn all_is_well_and_told_line_by_line() {
    let (world, _admin) = world().await;
    world.until_well().await;
    let (code, text) = world.run(&[]);
    assert_eq!(code, Some(0), "{text}");
    for line in [
        "OK    Kubernetes     v1.",
        "OK    Policies       all 17 are there, as version ",
        "OK    Permissions    the operator's account may do all that its roles say",
        "OK    DNS            name servers in namespace kube-system with labels k8s-app=kube-dns: 1",
        "OK    Quotas         the status of all 2 is what the pods add up to",
        "WARN  NetworkPlugin  no DaemonSet of a network plugin is known to enforce NetworkPolicies\n                     cure: ",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
}

#[tokio::test]
async fn what_one_may_not_read_is_unknown_and_no_failure() {
    let (world, _admin) = world().await;
    let (code, findings) = world.findings(&["--as", "nobody-special"]);
    assert_eq!(code, Some(0), "{findings:#?}");
    let of = |check: &str| findings.iter().find(|found| found.check == check).unwrap();
    assert_eq!(of("Kubernetes").verdict, "OK");
    for check in ["Definitions", "Policies", "Permissions", "Leader", "DNS", "Quotas", "Namespaces"] {
        let found = of(check);
        assert!(found.verdict == "WARN" && found.message.starts_with("unknown: ") && !found.cure.is_empty(), "{found:?}");
    }
}

#[tokio::test]
async fn a_definition_that_was_changed() {
    let (world, admin) = world().await;
    let (kind, name) = ("CustomResourceDefinition", "hostedsystems.govcloud.io");
    let mut definition = admin.get(kind, "", name).await;
    definition["spec"]["versions"][0]["additionalPrinterColumns"] = Value::Null;
    admin.patch(kind, "", name, json!({"spec": {"versions": definition["spec"]["versions"]}})).await;
    let told = "hostedsystems.govcloud.io is not as version";
    world.until_told("FAIL", "Definitions", told, "apply the chart of version").await;
    restore(&admin, kind, name, "definitions/hostedsystems.yaml").await;
    world.until_well().await;
}

#[tokio::test]
async fn a_policy_that_is_missing() {
    let (world, admin) = world().await;
    admin.delete("ValidatingAdmissionPolicy", "", "govcloud-secrets").await;
    world.until_told("FAIL", "Policies", "ValidatingAdmissionPolicy govcloud-secrets is missing", "apply the chart of version").await;
    restore(&admin, "ValidatingAdmissionPolicy", "govcloud-secrets", "policies/secrets.yaml").await;
    world.until_well().await;
}

#[tokio::test]
async fn a_policy_that_exempts_somebody() {
    let (world, admin) = world().await;
    let (kind, name) = ("ValidatingAdmissionPolicy", "govcloud-services");
    let mut conditions = admin.get(kind, "", name).await["spec"]["matchConditions"].as_array().cloned().unwrap_or_default();
    conditions.push(json!({"name": "exempt", "expression": "request.userInfo.username != 'owner-wu'"}));
    admin.patch(kind, "", name, json!({"spec": {"matchConditions": conditions}})).await;
    world.until_told("FAIL", "Policies", "govcloud-services is not as version", "apply the chart of version").await;
    restore(&admin, kind, name, "policies/services.yaml").await;
    world.until_well().await;
}

#[tokio::test]
async fn a_binding_that_only_audits() {
    let (world, admin) = world().await;
    let (kind, name) = ("ValidatingAdmissionPolicyBinding", "govcloud-claims");
    admin.patch(kind, "", name, json!({"spec": {"validationActions": ["Audit"]}})).await;
    world.until_told("FAIL", "Policies", "spec.validationActions[0] differs", "apply the chart of version").await;
    world.until_told("FAIL", "Policies", "govcloud-claims exists but is not in force", "apply the chart of version").await;
    restore(&admin, kind, name, "policies/claims.yaml").await;
    world.until_well().await;
}

#[tokio::test]
async fn a_role_that_was_widened() {
    let (world, admin) = world().await;
    let (kind, name) = ("ClusterRole", "govcloud:owner:base");
    let mut rules = admin.get(kind, "", name).await["rules"].as_array().cloned().unwrap();
    rules.push(json!({"apiGroups": [""], "resources": ["pods/proxy"], "verbs": ["get"]}));
    admin.patch(kind, "", name, json!({"rules": rules})).await;
    world.until_told("FAIL", "Roles", "govcloud:owner:base is not as version", "apply the chart of version").await;
    restore(&admin, kind, name, "roles/owner.yaml").await;
    world.until_well().await;
}

#[tokio::test]
async fn nobody_may_approve() {
    let (world, admin) = world().await;
    let (kind, name) = ("ClusterRoleBinding", request::APPROVER.group);
    let before = admin.get(kind, "", name).await;
    admin.patch(kind, "", name, json!({"subjects": null})).await;
    world.until_told("WARN", "Bindings", "nobody but administrators of the cluster may approve a tenant", "bindings.securityAdmin").await;
    admin.patch(kind, "", name, json!({"subjects": before["subjects"]})).await;
    world.until_well().await;
}

#[tokio::test]
async fn a_right_that_the_operator_lost() {
    let (world, admin) = world().await;
    let (kind, name) = ("ClusterRole", "govcloud-operator");
    let mut rules = admin.get(kind, "", name).await["rules"].as_array().cloned().unwrap();
    rules.retain(|rule| rule["resources"] != json!(["limitranges"]));
    admin.patch(kind, "", name, json!({"rules": rules})).await;
    world.until_told("FAIL", "Permissions", "the operator's account may not ", "ClusterRoles govcloud-operator").await;
    let (_, findings) = world.findings(&[]);
    let denied = findings.iter().find(|found| found.check == "Permissions").unwrap();
    assert!(denied.message.contains("create limitranges"), "{denied:?}");
    restore(&admin, kind, name, "roles/operator.yaml").await;
    world.until_well().await;
}

#[tokio::test]
async fn no_replica_is_ready() {
    let (world, admin) = world().await;
    let labels = json!({"app.kubernetes.io/name": "govcloud", "app.kubernetes.io/component": "operator"});
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "charted", "namespace": "govcloud-system", "labels": labels},
        "spec": {"replicas": 2, "selector": {"matchLabels": labels}, "template": {
            "metadata": {"labels": labels},
            "spec": {"nodeSelector": {"nowhere": "true"}, "containers": [{"name": "operator", "image": "registry.example.gov.cn/govcloud:1"}]},
        }},
    });
    admin.apply(&deployment.to_string()).await;
    let told = "0 of 2 replicas of Deployment govcloud-system/charted are ready: ";
    world.until_told("FAIL", "Replicas", told, "kubectl -n govcloud-system describe pods").await;
    admin.patch("Deployment", "govcloud-system", "charted", json!({"spec": {"template": {"spec": {"nodeSelector": null}}}})).await;
    world.until_well().await;
    let (_, text) = world.run(&[]);
    assert!(text.contains("2 of 2 replicas of Deployment govcloud-system/charted are ready"), "{text}");
    admin.delete("Deployment", "govcloud-system", "charted").await;
}

#[tokio::test]
async fn no_replica_leads_and_changes_wait() {
    let (mut world, admin) = world().await;
    world.operator.take().unwrap().stop().await.unwrap();
    admin.patch("AgencyTenant", "", "examined", json!({"spec": {"displayName": "Examined again"}})).await;
    world.until_told("FAIL", "Leader", "no replica leads: Lease govcloud-system/govcloud-operator has no holder", "kubectl").await;
    world.until_told("FAIL", "Progress", "has not seen the latest change of agencytenant/examined", "the log of the replica").await;
    world.operator = Some(Operator::start_program(&world.plane, &world.program).await.unwrap());
    world.until_well().await;
}

#[tokio::test]
async fn a_network_plugin_that_enforces_nothing_and_one_that_does() {
    let (world, admin) = world().await;
    let set = |name: &str| {
        let labels = json!({"app": name});
        json!({
            "apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": name, "namespace": "kube-system"},
            "spec": {"selector": {"matchLabels": labels}, "template": {
                "metadata": {"labels": labels},
                "spec": {"tolerations": [{"operator": "Exists"}], "containers": [{"name": "agent", "image": format!("registry.example.gov.cn/{name}:1")}]},
            }},
        })
    };
    admin.apply(&set("kube-flannel-ds").to_string()).await;
    let told = "DaemonSet kube-system/kube-flannel-ds enforces no NetworkPolicies, so agencies are not isolated";
    world.until_told("FAIL", "NetworkPlugin", told, "Cilium or Calico").await;
    admin.apply(&set("cilium").to_string()).await;
    world.until_told("OK", "NetworkPlugin", "DaemonSet kube-system/cilium enforces NetworkPolicies", "").await;
    admin.delete("DaemonSet", "kube-system", "kube-flannel-ds").await;
    admin.delete("DaemonSet", "kube-system", "cilium").await;
}

#[tokio::test]
async fn settings_that_do_not_find_the_name_servers() {
    let (world, admin) = world().await;
    admin.delete("Deployment", "kube-system", "coredns").await;
    let told = "no pod is in namespace kube-system with labels k8s-app=kube-dns, so agencies' pods resolve no name";
    world.until_told("FAIL", "DNS", told, "dnsSelector").await;
    programs::install(&admin.client).await.unwrap();
    world.until_well().await;
    let port = json!([{"op": "replace", "path": "/spec/template/spec/containers/0/ports", "value": [{"containerPort": 5353}]}]);
    let patch = kube::api::Patch::Json::<()>(serde_json::from_value(port).unwrap());
    admin.api("Deployment", "kube-system").patch("coredns", &Default::default(), &patch).await.unwrap();
    world.until_told("FAIL", "DNS", "has port 53; they have 5353", "dnsPort").await;
    programs::install(&admin.client).await.unwrap();
    world.until_well().await;
}

#[tokio::test]
async fn a_program_of_the_settings_that_is_not_there() {
    let (world, admin) = world().await;
    admin.delete("Namespace", "", "monitoring").await;
    admin.gone("Namespace", "", "monitoring").await;
    let told = "program of the platform: namespace monitoring does not exist";
    world.until_told("FAIL", "Programs", told, "metricsCollectors").await;
    admin.delete("IngressClass", "", "internal").await;
    world.until_told("WARN", "Programs", "ingress class internal of the settings does not exist", "create it").await;
    programs::install(&admin.client).await.unwrap();
    world.until_well().await;
}

#[tokio::test]
async fn a_node_outside_of_the_clusters_ranges() {
    let (world, admin) = world().await;
    admin.apply("{apiVersion: v1, kind: Node, metadata: {name: outside}, spec: {podCIDR: 192.0.2.0/24, podCIDRs: [192.0.2.0/24]}}").await;
    let told = "not in the cluster's ranges: pods of a node 192.0.2.0/24";
    world.until_told("FAIL", "ClusterRanges", told, "clusterRanges").await;
    admin.delete("Node", "", "outside").await;
    world.until_well().await;
}

#[tokio::test]
async fn no_default_storage_class() {
    let (world, admin) = world().await;
    let default = |value: Value| json!({"metadata": {"annotations": {"storageclass.kubernetes.io/is-default-class": value}}});
    admin.patch("StorageClass", "", "standard", default(json!("false"))).await;
    world.until_told("WARN", "StorageClass", "no StorageClass is the default", "kubectl annotate storageclass").await;
    admin.patch("StorageClass", "", "standard", default(json!("true"))).await;
    world.until_well().await;
}

#[tokio::test]
async fn a_quota_that_counts_no_more() {
    let (world, admin) = world().await;
    let quota = |used: &str| json!({"status": {"used": {"pods": used}}});
    let api = admin.api("ResourceQuota", "examined--web");
    let write = async |used| {
        api.patch_status("govcloud-quota", &Default::default(), &kube::api::Patch::Merge(quota(used))).await.unwrap();
    };
    write("3").await;
    let told = "not true in namespace examined--web (pods is 3, and its pods add up to 1)";
    world.until_told("FAIL", "Quotas", told, "restart kube-controller-manager").await;
    write("1").await;
    world.until_well().await;
}

#[tokio::test]
async fn a_namespace_without_its_tenant() {
    let (world, admin) = world().await;
    admin.apply("{apiVersion: v1, kind: Namespace, metadata: {name: left, labels: {govcloud.io/tenant: left}}}").await;
    let told = "agencytenant left does not exist, and these namespaces of it are left: left";
    world.until_told("WARN", "Namespaces", told, "kubectl delete namespace").await;
    admin.delete("Namespace", "", "left").await;
    world.until_well().await;
}
