//! A cluster that does exactly what it is told: changes become observed objects.

use std::sync::Arc;

use govcloud::{
    api::{AgencyTenant, AgencyTenantStatus, HostedSystem, HostedSystemStatus},
    names::{FINALIZER, NamespaceName, TenantName},
    plan::{
        Plan,
        amount::Amount,
        desired::Desired,
        diff::{Change, SpaceChanges, diff},
        intent::intent,
        plan,
        settings::Settings,
        snapshot::{Definitions, Root, Snapshot, SystemRoot, TenantRoot, Unreadable},
    },
    status::tenant::beforehand,
};
use serde_json::json;

pub fn settings() -> Settings {
    Settings {
        dns_namespace: "kube-system".into(),
        dns_selector: [("k8s-app".to_owned(), "kube-dns".to_owned())].into(),
        dns_port: 53,
        dns_caches: Vec::new(),
        cluster_ranges: ["10.96.0.0/12".parse().unwrap(), "10.244.0.0/16".parse().unwrap()].into(),
        ingress_controllers: vec!["public=ingress-nginx/app.kubernetes.io/name=ingress-nginx".parse().unwrap()],
        platform_programs: vec!["monitoring".parse().unwrap()],
        platform_images: vec!["registry.example.gov.cn/platform/mesh".into()],
    }
}

/// An `AgencyTenant` from YAML, written by the platform, as the cache would hold it.
pub fn tenant(yaml: &str) -> TenantRoot {
    let mut object: AgencyTenant = serde_yaml::from_str(yaml).unwrap();
    object.spec.preapproved = true;
    root(object.metadata.name.unwrap(), String::new(), Ok(object.spec), AgencyTenantStatus::default())
}

/// A `HostedSystem` from YAML, as the cache would hold it.
pub fn system(yaml: &str) -> SystemRoot {
    let object: HostedSystem = serde_yaml::from_str(yaml).unwrap();
    let namespace = object.metadata.namespace.unwrap();
    root(object.metadata.name.unwrap(), namespace, Ok(object.spec), HostedSystemStatus::default())
}

pub fn unreadable(field: &str, complaint: &str) -> Unreadable {
    Unreadable { field: field.into(), complaint: complaint.into() }
}

pub fn root<Spec, Status>(name: String, namespace: String, spec: Result<Spec, Unreadable>, status: Status) -> Root<Spec, Status> {
    let uid = format!("uid-of-{namespace}-{name}");
    let created = "2026-01-01T00:00:00Z".to_owned();
    let finalizers = vec![FINALIZER.to_owned()];
    let (resource_version, generation, deleting, holds, last_applied) = ("1".into(), 1, false, true, None);
    Root { name, namespace, uid, resource_version, generation, created, deleting, finalizers, holds, last_applied, spec, status }
}

pub fn snapshot(tenant: TenantRoot, systems: Vec<SystemRoot>) -> Snapshot {
    let name = TenantName::new(tenant.name.as_str());
    Snapshot {
        name,
        tenant: Some(tenant),
        kept: None,
        former: None,
        rivals: Vec::new(),
        pod_classes: Arc::default(),
        refusals: Default::default(),
        systems,
        observed: Default::default(),
        api_server: ["10.96.0.1:443", "192.0.2.7:6443"].map(|server| server.parse().unwrap()).into(),
        blind: Vec::new(),
        definitions: Definitions::default(),
        refused: Default::default(),
        tags: Default::default(),
        ending: Default::default(),
    }
}

/// A tenant whose home namespace is there.
pub fn with_home(yaml: &str, systems: Vec<SystemRoot>) -> Snapshot {
    let mut seen = snapshot(tenant(yaml), Vec::new());
    settle(&mut seen);
    seen.systems = systems;
    seen
}

/// The plan of a snapshot and the changes that it asks for.
pub fn decide(snapshot: &Snapshot) -> (Plan, Vec<SpaceChanges>) {
    let plan = plan(snapshot, &intent(snapshot, &settings()), &settings());
    let changes = diff(&plan, &snapshot.observed);
    (plan, changes)
}

/// Carries changes out. Quotas are in force at once.
pub fn carry_out(snapshot: &mut Snapshot, changes: &[SpaceChanges]) {
    for space in changes {
        for change in &space.changes {
            match change {
                Change::Create(desired) | Change::Update { desired, .. } => write(snapshot, desired),
                Change::Delete { key, .. } => drop(snapshot.observed.remove(key)),
                Change::Evict => set_pods(snapshot, &space.namespace, 0),
                Change::Remove { .. } => snapshot.observed.retain(|key, _| key.namespace != space.namespace),
                Change::Keep(_) | Change::Conflict { .. } => {}
            }
        }
    }
}

fn write(snapshot: &mut Snapshot, desired: &Desired) {
    let mut object = desired.object.clone();
    let old = snapshot.observed.get(&desired.key());
    object["metadata"]["uid"] =
        json!(old.map_or_else(|| format!("uid-{}-{}", desired.namespace, desired.name), |entry| entry.uid.to_string()));
    let mut entry = desired.kind.entry(&object);
    if let Some(quota) = &mut entry.quota {
        quota.used = old.and_then(|entry| entry.quota.as_ref()).map(|quota| quota.used.clone()).unwrap_or_default();
        quota.hard = quota.wanted.clone();
        (quota.live, quota.enforced, quota.counted) = (true, true, true);
    }
    snapshot.observed.insert(desired.key(), entry);
}

/// So many pods run in a namespace.
pub fn set_pods(snapshot: &mut Snapshot, namespace: &NamespaceName, pods: u32) {
    for (_, entry) in snapshot.observed.iter_mut().filter(|(key, _)| key.namespace == *namespace) {
        if let Some(quota) = &mut entry.quota {
            match pods {
                0 => drop(quota.used.remove("pods")),
                _ => drop(quota.used.insert("pods".into(), Amount::whole(pods))),
            }
        }
    }
}

/// Decides and carries out until nothing is left to write; returns the last plan.
pub fn settle(snapshot: &mut Snapshot) -> Plan {
    for _ in 0..12 {
        let (plan, changes) = decide(snapshot);
        if let Some(status) = beforehand(snapshot, &intent(snapshot, &settings()), &plan) {
            snapshot.tenant.as_mut().unwrap().status = status;
            continue;
        }
        if !changes.iter().flat_map(|space| &space.changes).any(Change::writes) {
            return plan;
        }
        carry_out(snapshot, &changes);
    }
    panic!("the plan does not settle");
}

/// The planned manifest of a child.
pub fn object<'a>(plan: &'a Plan, namespace: &str, kind: &str, name: &str) -> Option<&'a serde_json::Value> {
    let space = if namespace.is_empty() { plan.entrance.as_ref()? } else { plan.space(&NamespaceName::new(namespace))? };
    space.desired.iter().find(|desired| desired.kind.kind == kind && desired.name == name).map(|desired| &desired.object)
}
