//! The life of a tenant in steps, each of which is done to a tenant of its own.

use acceptance::manifests;
use futures::future::join_all;
use serde_json::Value;

use super::Faulty;
use crate::cluster::{Person, pod_yaml, system_yaml, tenant_yaml};

/// Something that somebody does to a tenant, and to its system `web` where one is meant.
#[derive(Clone, Copy, Debug)]
pub enum Act {
    /// Creates it.
    Create,
    /// Declares systems.
    Declare(&'static [&'static str]),
    /// Starts a pod.
    Start,
    /// Writes a network policy, as an Owner does, that opens more than the namespace.
    Open,
    /// Merges a patch into the tenant.
    Tenant(&'static str),
    /// Merges a patch into the system.
    System(&'static str),
    /// Deletes the tenant.
    DeleteTenant,
    /// Deletes the system.
    DeleteSystem,
}

/// A step: how its tenant comes to where it begins, and what is done then.
#[derive(Debug)]
pub struct Step {
    /// What it is.
    pub name: &'static str,
    /// What is done and served before.
    pub begin: &'static [Act],
    /// What is done at last.
    pub act: Act,
}

use Act::{Create, Declare, DeleteSystem, DeleteTenant, Open, Start, System, Tenant};

const fn step(name: &'static str, begin: &'static [Act], act: Act) -> Step {
    Step { name, begin, act }
}

const NEW: &[Act] = &[];
const EMPTY: &[Act] = &[Create];
const SERVING: &[Act] = &[Create, Declare(&["web"])];
const BUSY: &[Act] = &[Create, Declare(&["web"]), Start];
const OPENED: &[Act] = &[Create, Declare(&["web"]), Start, Open];
const SUSPENDED: &[Act] = &[Create, Declare(&["web"]), Open, System(r#"{"spec": {"stage": "Suspended"}}"#)];
const RETIRED: &[Act] = &[Create, Declare(&["web"]), System(r#"{"spec": {"stage": "Retired"}}"#)];
const FLEETING: &[Act] = &[Create, Declare(&["web"]), System(r#"{"spec": {"deletionPolicy": "Delete"}}"#), Start];
const ALL_FLEETING: &[Act] = &[
    Create,
    Declare(&["web"]),
    System(r#"{"spec": {"deletionPolicy": "Delete"}}"#),
    Tenant(r#"{"spec": {"deletionPolicy": "Delete"}}"#),
    Start,
];

const OWN_POLICY: &str = "
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: own-dns, namespace: NAMESPACE}
spec: {podSelector: {matchLabels: {app: web}}, egress: [{to: [{namespaceSelector: {}, podSelector: {matchLabels: {k8s-app: kube-dns}}}], ports: [{port: 53, protocol: UDP}]}]}
";

/// Every step.
pub static STEPS: [Step; 24] = [
    step("a tenant is created", NEW, Create),
    step("three systems are declared", EMPTY, Declare(&["app", "db", "web"])),
    step("a tenant gets another name", SERVING, Tenant(r#"{"spec": {"displayName": "改名委员会"}}"#)),
    step("others are members", SERVING, Tenant(r#"{"spec": {"members": [{"kind": "Group", "name": "others", "role": "Owner"}]}}"#)),
    step("the total is raised", SERVING, Tenant(r#"{"spec": {"quota": {"requests.cpu": "80", "pods": 500}}}"#)),
    step("the total is lowered", SERVING, Tenant(r#"{"spec": {"quota": {"requests.cpu": "10", "pods": 80}}}"#)),
    step(
        "containers get other defaults",
        SERVING,
        Tenant(r#"{"spec": {"containerDefaults": {"default": {"cpu": "1", "memory": "1Gi"}}}}"#),
    ),
    step("systems may reach each other", SERVING, Tenant(r#"{"spec": {"network": {"betweenSystems": "Allow"}}}"#)),
    step(
        "a way out is opened",
        SERVING,
        Tenant(r#"{"spec": {"network": {"egress": [{"cidr": "203.0.113.0/24", "ports": [443], "reason": "省级平台"}]}}}"#),
    ),
    step("the level of Pod Security is lowered", SERVING, Tenant(r#"{"spec": {"podSecurity": "baseline"}}"#)),
    step("the home is to go with the tenant", SERVING, Tenant(r#"{"spec": {"deletionPolicy": "Delete"}}"#)),
    step("a system gets another name", SERVING, System(r#"{"spec": {"displayName": "改名系统"}}"#)),
    step("a system is suspended", OPENED, System(r#"{"spec": {"stage": "Suspended"}}"#)),
    step("a suspended system runs again", SUSPENDED, System(r#"{"spec": {"stage": "Running"}}"#)),
    step("a share is raised", SERVING, System(r#"{"spec": {"resources": {"guaranteed": {"requests.cpu": "16"}}}}"#)),
    step("a share is lowered", SERVING, System(r#"{"spec": {"resources": {"guaranteed": {"requests.cpu": "2"}}}}"#)),
    step("a namespace is to go with its system", SERVING, System(r#"{"spec": {"deletionPolicy": "Delete"}}"#)),
    step("a system is retired", BUSY, System(r#"{"spec": {"stage": "Retired"}}"#)),
    step("a retired system runs again", RETIRED, System(r#"{"spec": {"stage": "Running"}}"#)),
    step("a system is deleted and its namespace kept", BUSY, DeleteSystem),
    step("a system is deleted with its namespace", FLEETING, DeleteSystem),
    step("a tenant is deleted and its namespaces kept", BUSY, DeleteTenant),
    step("a tenant is deleted with its own namespace", ALL_FLEETING, DeleteTenant),
    step("a tenant is deleted before it has a system", EMPTY, DeleteTenant),
];

impl Act {
    /// Does it to one tenant.
    pub async fn perform(self, admin: &Person, tenant: &str) {
        match self {
            Create => apply(admin, "AgencyTenant", "", &tenant_yaml(tenant)).await,
            Declare(systems) => {
                for system in systems {
                    apply(admin, "HostedSystem", tenant, &system_yaml(tenant, system)).await;
                }
            }
            Start => {
                let namespace = format!("{tenant}--web");
                apply(admin, "Pod", &namespace, &pod_yaml(&namespace, "running")).await;
            }
            Open => {
                let namespace = format!("{tenant}--web");
                apply(admin, "NetworkPolicy", &namespace, &OWN_POLICY.replace("NAMESPACE", &namespace)).await;
            }
            Tenant(patch) => admin.patch("AgencyTenant", "", tenant, read(patch)).await,
            System(patch) => admin.patch("HostedSystem", tenant, "web", read(patch)).await,
            DeleteTenant => admin.delete("AgencyTenant", "", tenant).await,
            DeleteSystem => admin.delete("HostedSystem", tenant, "web").await,
        }
    }
}

/// Brings each tenant to where its step begins.
pub async fn begin(faulty: &Faulty, admin: &Person, tenants: &[(String, &Step)]) {
    for place in 0..tenants.iter().map(|(_, step)| step.begin.len()).max().unwrap_or_default() {
        let due: Vec<(String, Act)> = tenants.iter().filter_map(|(tenant, step)| Some((tenant.clone(), *step.begin.get(place)?))).collect();
        join_all(due.iter().map(|(tenant, act)| act.perform(admin, tenant))).await;
        let names: Vec<String> = due.into_iter().map(|(tenant, _)| tenant).collect();
        faulty.settled(admin, &names).await;
    }
}

fn read(patch: &str) -> Value {
    serde_json::from_str(patch).unwrap()
}

async fn apply(admin: &Person, kind: &str, namespace: &str, yaml: &str) {
    for object in manifests::parse(yaml).unwrap() {
        manifests::apply_to(&admin.api(kind, namespace), &object, "case").await.unwrap_or_else(|error| panic!("{error:#}"));
    }
}
