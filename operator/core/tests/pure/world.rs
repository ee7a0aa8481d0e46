//! A cluster that does exactly what it is told: changes become observed objects.

use govcloud_core::{
    api::{
        AgencyTenant, AgencyTenantStatus, HostedSystem, HostedSystemStatus, Resources,
        approval::{Approval, Decision},
        conditions::reason,
    },
    children::manifests::Manifests,
    model::{
        amounts::Amount,
        approval_policies::ApprovalPolicies,
        names::{FINALIZER, NamespaceName, TenantName},
        outcome::Failure,
        root::{Root, SystemRoot, TenantRoot, Unreadable},
        settings::Settings,
        shared::Shared,
        snapshot::Snapshot,
    },
    plan::{
        Plan,
        diff::{NamespaceChanges, diff},
        intent::intent,
        inventory::Inventory,
        plan,
    },
    step::{Step, step},
    views::foresight,
};

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
        account_namespaces: vec!["argocd".into()],
        approval_policies: ApprovalPolicies::default(),
    }
}

/// An `AgencyTenant` from YAML, written by the platform, as the cache would hold it.
pub fn tenant(yaml: &str) -> TenantRoot {
    let mut object: AgencyTenant = serde_yaml::from_str(yaml).unwrap();
    object.spec.preapproved = true;
    root(object.metadata.name.unwrap(), String::new(), Ok(object.spec), AgencyTenantStatus::default())
}

/// A `HostedSystem` from YAML, as the cache would hold it.
pub fn system(yaml: &str) -> Shared<SystemRoot> {
    let object: HostedSystem = serde_yaml::from_str(yaml).unwrap();
    let namespace = object.metadata.namespace.unwrap();
    root(object.metadata.name.unwrap(), namespace, Ok(object.spec), HostedSystemStatus::default()).into()
}

/// A write that the API server did not take.
pub fn failure(kind: &'static str) -> Failure {
    let (name, message) = ("x".into(), "the API server is busy".into());
    Failure { kind, name, reason: reason::UNAVAILABLE, message, stalled: false, stale: false, retry_after: None }
}

pub fn unreadable(field: &str, complaint: &str) -> Unreadable {
    Unreadable { field: field.into(), complaint: complaint.into() }
}

pub fn root<Spec, Status>(name: String, namespace: String, spec: Result<Spec, Unreadable>, status: Status) -> Root<Spec, Status> {
    let uid = format!("uid-of-{namespace}-{name}");
    let created = "2026-01-01T00:00:00Z".to_owned();
    let finalizers = vec![FINALIZER.to_owned()];
    let (resource_version, generation, holds, last_applied) = ("1".into(), 1, true, None);
    let (deleting, confirmed) = (false, true); // a deletion, if it comes, is asked for
    Root {
        name,
        namespace,
        uid,
        resource_version,
        generation,
        created,
        deleting,
        confirmed,
        requested_by: Some("wang".into()),
        finalizers,
        holds,
        last_applied,
        spec,
        status,
    }
}

/// A decision that the operator has not recorded yet.
pub fn approval(decision: Decision, generation: i64, reason: &str) -> Approval {
    Approval { decision, generation, by: "li".into(), reason: reason.into(), quota: Resources::new(), time: None }
}

pub fn snapshot(tenant: TenantRoot, systems: Vec<Shared<SystemRoot>>) -> Snapshot {
    let name = TenantName::new(tenant.name.as_str());
    Snapshot {
        tenant: Some(tenant.into()),
        systems,
        api_server: ["10.96.0.1:443", "192.0.2.7:6443"].map(|server| server.parse().unwrap()).into(),
        ..Snapshot::new(name, "2026-01-02T00:00:00Z".parse().unwrap())
    }
}

/// A tenant whose home namespace is there.
pub fn with_home(yaml: &str, systems: Vec<Shared<SystemRoot>>) -> Snapshot {
    let mut seen = snapshot(tenant(yaml), Vec::new());
    settle(&mut seen);
    seen.systems = systems;
    seen
}

/// The plan of a snapshot and the changes that it asks for.
pub fn decide(snapshot: &Snapshot) -> (Plan, Vec<NamespaceChanges>) {
    let plan = plan_with(snapshot, &settings());
    let changes = diff(snapshot, &plan, &inventory(snapshot));
    (plan, changes)
}

/// The plan of a snapshot under these settings.
pub fn plan_with(snapshot: &Snapshot, settings: &Settings) -> Plan {
    plan(snapshot, &intent(snapshot, settings), &inventory(snapshot), settings, &mut Manifests::default())
}

/// What a snapshot holds of its tenant's namespaces.
pub fn inventory(snapshot: &Snapshot) -> Inventory<'_> {
    Inventory::new(&snapshot.observed, intent(snapshot, &settings()).identity(snapshot))
}

/// Carries changes out. Quotas are in force at once.
pub fn carry_out(snapshot: &mut Snapshot, changes: &[NamespaceChanges]) {
    foresight::carry_out(snapshot, Step::Apply(changes.to_vec()));
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
    let foreseen = foresight::foresee(snapshot.clone(), &settings());
    let tags = std::mem::take(&mut snapshot.tags); // nobody has looked for pods
    *snapshot = Snapshot { tags, ..foreseen.snapshot };
    assert!(matches!(step(snapshot, &settings()), Step::Settled(_) | Step::Ask(_)), "the plan does not settle");
    foreseen.plan
}

/// The planned manifest of a child.
pub fn object<'a>(plan: &'a Plan, namespace: &str, kind: &str, name: &str) -> Option<&'a serde_json::Value> {
    let space = if namespace.is_empty() { plan.tenant_access.as_ref()? } else { plan.namespace(&NamespaceName::new(namespace))? };
    space.desired.iter().find(|desired| desired.kind.kind == kind && desired.name == name).map(|desired| &desired.object)
}
