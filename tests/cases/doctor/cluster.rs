//! What is broken of the cluster around the product, and of its quotas and namespaces.

use std::time::Duration;

use acceptance::{Operator, programs};
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::world;
use crate::cluster::{PATIENCE, tenant_yaml};

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
    world.until_well("once it was mended").await;
    let port = json!([{"op": "replace", "path": "/spec/template/spec/containers/0/ports", "value": [{"containerPort": 5353}]}]);
    let patch = kube::api::Patch::Json::<()>(serde_json::from_value(port).unwrap());
    admin.api("Deployment", "kube-system").patch("coredns", &Default::default(), &patch).await.unwrap();
    world.until_told("FAIL", "DNS", "has port 53; they have 5353", "dnsPort").await;
    programs::install(&admin.client).await.unwrap();
    world.until_well("once it was mended").await;
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
    world.until_well("once it was mended").await;
}

#[tokio::test]
async fn a_node_outside_of_the_clusters_ranges() {
    let (world, admin) = world().await;
    admin.apply("{apiVersion: v1, kind: Node, metadata: {name: outside}, spec: {podCIDR: 192.0.2.0/24, podCIDRs: [192.0.2.0/24]}}").await;
    let told = "not in the cluster's ranges: pods of a node 192.0.2.0/24";
    world.until_told("FAIL", "ClusterRanges", told, "clusterRanges").await;
    admin.delete("Node", "", "outside").await;
    world.until_well("once it was mended").await;
}

#[tokio::test]
async fn no_default_storage_class() {
    let (world, admin) = world().await;
    let default = |value: Value| json!({"metadata": {"annotations": {"storageclass.kubernetes.io/is-default-class": value}}});
    admin.patch("StorageClass", "", "standard", default(json!("false"))).await;
    world.until_told("WARN", "StorageClass", "no StorageClass is the default", "kubectl annotate storageclass").await;
    admin.patch("StorageClass", "", "standard", default(json!("true"))).await;
    world.until_well("once it was mended").await;
}

#[tokio::test]
async fn a_quota_that_counts_no_more() {
    let (world, admin) = world().await;
    let quota = |used: &str| json!({"status": {"used": {"pods": used}}});
    let api = admin.api("ResourceQuota", "examined--web");
    let write = async |used| {
        api.patch_status("govcloud-quota", &Default::default(), &kube::api::Patch::Merge(quota(used))).await.unwrap();
    };
    // The quota controller counts everything anew every few minutes.
    let told = "not true in namespace examined--web (pods is 3, and its pods add up to 1)";
    let begun = std::time::Instant::now();
    loop {
        write("3").await;
        let (code, findings) = world.findings(&[]);
        let quotas = findings.iter().find(|found| found.check == "Quotas").unwrap();
        if quotas.verdict == "FAIL" {
            assert!(code == Some(1) && quotas.message.contains(told) && quotas.cure.contains("kube-controller-manager"), "{quotas:?}");
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "{quotas:?}");
    }
    write("1").await;
    world.until_well("once it was mended").await;
}

#[tokio::test]
async fn a_namespace_without_its_tenant() {
    let (world, admin) = world().await;
    admin.apply("{apiVersion: v1, kind: Namespace, metadata: {name: left, labels: {govcloud.io/tenant: left}}}").await;
    let told = "agencytenant left does not exist, and these namespaces of it are left: left";
    world.until_told("WARN", "Namespaces", told, "kubectl delete namespace").await;
    admin.delete("Namespace", "", "left").await;
    world.until_well("once it was mended").await;
}

#[tokio::test]
async fn a_tenant_that_is_stalled_and_a_namespace_without_isolation() {
    let (mut world, admin) = world().await;
    admin.apply("{apiVersion: v1, kind: Namespace, metadata: {name: taken}}").await;
    admin.apply(&tenant_yaml("taken")).await;
    world.until_told("FAIL", "Tenants", "stalled (Conflict): agencytenant/taken", "kubectl describe").await;
    admin.delete("AgencyTenant", "", "taken").await;
    admin.gone("AgencyTenant", "", "taken").await;
    admin.delete("Namespace", "", "taken").await;
    world.operator.take().unwrap().stop().await.unwrap();
    admin.delete("NetworkPolicy", "examined--web", "govcloud-isolation").await;
    // A namespace that is younger than a minute may still be set up.
    let created = admin.get("Namespace", "", "examined--web").await["metadata"]["creationTimestamp"].clone();
    let age = Timestamp::now().duration_since(created.as_str().unwrap().parse().unwrap());
    sleep(Duration::from_secs(61).saturating_sub(age.unsigned_abs())).await;
    world.until_told("FAIL", "Namespaces", "without NetworkPolicy govcloud-isolation: namespaces examined--web", "Provisioned").await;
    world.operator = Some(Operator::start_program(&world.plane, &world.program).await.unwrap());
    world.until_well("once the operator runs").await;
}

#[tokio::test]
async fn an_api_service_that_does_not_answer() {
    let (world, admin) = world().await;
    let service = json!({
        "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": {"name": "v1.absent.example.org"},
        "spec": {"group": "absent.example.org", "version": "v1", "groupPriorityMinimum": 100, "versionPriority": 100,
            "service": {"name": "absent", "namespace": "kube-system"}},
    });
    admin.apply(&service.to_string()).await;
    world.until_told("FAIL", "APIServices", "not available: v1.absent.example.org", "kubectl get apiservices").await;
    admin.delete("APIService", "", "v1.absent.example.org").await;
    world.until_well("once it was mended").await;
}
