//! What an agency's workloads may name of the shared cluster: images, classes, kinds of Services. The operator writes it to the
//! agency's namespaces, where the guard rails read it.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rules;

/// Registries of container images, and whether images must name a digest.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Images {
    /// Registries from which images may be pulled, each as a host, optionally with the first segments of a path; at most 32.
    /// Default: none, and no pod is admitted. Example: `[registry.example.gov.cn/health]`.
    #[serde(default)]
    #[schemars(length(max = 32), inner(length(min = 1, max = 200)), extend("x-kubernetes-list-type" = "set"))]
    #[x_kube(validation = rules::registries())]
    pub registries: Vec<String>,
    /// Which systems must name their images by digest (`@sha256:...`), so that what was tested is what runs. Default: Running.
    #[serde(default)]
    pub require_digest: RequireDigest,
}

/// Which systems must name their images by digest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = super::values::note)]
pub enum RequireDigest {
    /// No system.
    Never,
    /// Systems in stage Running; in other stages images may name a tag.
    #[default]
    Running,
    /// Every system.
    Always,
}

impl RequireDigest {
    /// Whether the images of a system must name a digest.
    #[must_use]
    pub fn applies(self, running: bool) -> bool {
        match self {
            Self::Never => false,
            Self::Running => running,
            Self::Always => true,
        }
    }

    /// The name as written in a contract.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Never => "Never",
            Self::Running => "Running",
            Self::Always => "Always",
        }
    }
}

/// Classes of the cluster and types of Services that the agency may use. What is not listed is refused. All names together have at
/// most 32768 characters.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::names_together())]
pub struct Allow {
    /// `StorageClasses` for volumes. Default: none, and no volume is admitted. Example: `[standard]`.
    #[serde(default)]
    #[schemars(length(max = 32), inner(length(min = 1, max = 253)), extend("x-kubernetes-list-type" = "set"))]
    #[x_kube(validation = rules::class_names())]
    pub storage_classes: Vec<String>,
    /// `IngressClasses` for hostnames. Default: none, and no Ingress is admitted. Example: `[public]`.
    #[serde(default)]
    #[schemars(length(max = 32), inner(length(min = 1, max = 253)), extend("x-kubernetes-list-type" = "set"))]
    #[x_kube(validation = rules::class_names())]
    pub ingress_classes: Vec<String>,
    /// `PriorityClasses` for pods; none of Kubernetes' own `system-` ones. Default: none. Example: `[citizen-facing]`.
    #[serde(default)]
    #[schemars(length(max = 32), inner(length(min = 1, max = 253)), extend("x-kubernetes-list-type" = "set"))]
    #[x_kube(validation = rules::class_names())]
    pub priority_classes: Vec<String>,
    /// `RuntimeClasses` for pods. Default: none. Example: `[gvisor]`.
    #[serde(default)]
    #[schemars(length(max = 32), inner(length(min = 1, max = 253)), extend("x-kubernetes-list-type" = "set"))]
    #[x_kube(validation = rules::class_names())]
    pub runtime_classes: Vec<String>,
    /// Pools of nodes for pods, each as the label `key=value` of its nodes; at most 32. Pods may select nodes by this label (`nodeSelector`,
    /// or node affinity with operator `In`) and tolerate the taint of the same key and value (operator `Equal`, any effect). Where a
    /// pool's taint differs from its label, list both. An empty value, `key=`, stands for a label or taint that has none; operator
    /// `Exists` is then allowed too. Default: none, and pods run on the nodes without such a taint. Example: `[pool=gpu]`.
    #[serde(default)]
    #[schemars(length(max = 32), inner(length(min = 2, max = 381)), extend("x-kubernetes-list-type" = "set"))]
    #[x_kube(validation = rules::node_pools())]
    pub node_pools: Vec<String>,
    /// Types of Services. Default: `[ClusterIP]`.
    #[serde(default = "cluster_ip")]
    #[schemars(length(max = 3), extend("x-kubernetes-list-type" = "set"))]
    pub service_types: Vec<ServiceType>,
}

impl Default for Allow {
    fn default() -> Self {
        let none = Vec::new;
        Self {
            storage_classes: none(),
            ingress_classes: none(),
            priority_classes: none(),
            runtime_classes: none(),
            node_pools: none(),
            service_types: cluster_ip(),
        }
    }
}

fn cluster_ip() -> Vec<ServiceType> {
    vec![ServiceType::ClusterIP]
}

/// Type of a Service. `ExternalName` is not available.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = super::values::note)]
pub enum ServiceType {
    /// Reachable inside the cluster.
    ClusterIP,
    /// Reachable at a port of every node.
    NodePort,
    /// Reachable at an address of its own.
    LoadBalancer,
}

impl ServiceType {
    /// The name as written in a Service.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ClusterIP => "ClusterIP",
            Self::NodePort => "NodePort",
            Self::LoadBalancer => "LoadBalancer",
        }
    }
}
