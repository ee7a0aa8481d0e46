//! Counts of objects that a namespace may hold: the defaults, and the names by which a contract raises them.

use std::collections::BTreeMap;

/// One kind of object whose number is bounded.
#[derive(Clone, Copy, Debug)]
pub struct ObjectCap {
    /// Name in `spec.objects`.
    pub name: &'static str,
    /// Key of the `ResourceQuota`.
    pub key: &'static str,
    /// Objects in one namespace where the contract says nothing.
    pub default: i32,
}

/// The most that a contract may ask for of any kind: so many small objects an API server still lists well.
pub const MAX_OBJECTS: i32 = 10_000;

const fn cap(name: &'static str, key: &'static str, default: i32) -> ObjectCap {
    ObjectCap { name, key, default }
}

/// Every kind that is bounded, so that nobody fills the API server's store. A team with some hundred services meets none of the
/// defaults: they leave room for ten releases that Helm keeps of each, and ten old `ReplicaSets` of each Deployment. Kinds of
/// Kubernetes itself only: while the controller manager does not know a custom kind yet, a quota on its count refuses every one.
pub const OBJECT_CAPS: [ObjectCap; 20] = [
    cap("configmaps", "configmaps", 500),
    cap("secrets", "secrets", 1500),
    cap("services", "services", 200),
    cap("loadbalancers", "services.loadbalancers", 60),
    cap("nodeports", "services.nodeports", 60),
    cap("replicationcontrollers", "replicationcontrollers", 20),
    cap("serviceaccounts", "count/serviceaccounts", 200),
    cap("deployments", "count/deployments.apps", 200),
    cap("replicasets", "count/replicasets.apps", 2200),
    cap("statefulsets", "count/statefulsets.apps", 100),
    cap("daemonsets", "count/daemonsets.apps", 40),
    cap("cronjobs", "count/cronjobs.batch", 100),
    cap("jobs", "count/jobs.batch", 500),
    cap("ingresses", "count/ingresses.networking.k8s.io", 200),
    cap("networkpolicies", "count/networkpolicies.networking.k8s.io", 100),
    cap("leases", "count/leases.coordination.k8s.io", 200),
    cap("horizontalpodautoscalers", "count/horizontalpodautoscalers.autoscaling", 200),
    cap("poddisruptionbudgets", "count/poddisruptionbudgets.policy", 200),
    cap("roles", "count/roles.rbac.authorization.k8s.io", 100),
    cap("rolebindings", "count/rolebindings.rbac.authorization.k8s.io", 100),
];

/// Counts by name of the kind, in `spec.objects`.
pub type Objects = BTreeMap<String, i32>;
