//! The writes of an agency's setup, taken from the operator's own pure part, so that the bare client writes exactly what the
//! operator does: the plan is carried out on paper until it holds.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use govcloud_core::{
    children::{Rank, desired::Desired},
    model::{
        approval_policies::ApprovalPolicies,
        names::{FINALIZER, NamespaceName, TenantName},
        root::Root,
        settings::Settings,
        snapshot::Snapshot,
    },
    plan::diff::{Change, NamespaceChanges},
    step::{Step, step},
    views::foresight::carry_out,
};
use kube::core::{ApiResource, DynamicObject};
use kube::{CustomResourceExt, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::load::Agency;

/// Stands for the UID of the tenant until the API server has given it one.
pub const UID: &str = "00000000-0000-4000-8000-000000000000";
/// Stands for the version that the API server gives a created object.
pub const VERSION: &str = "created-resource-version";

/// When everything of the load was created, on paper.
const CREATED: &str = "2026-01-01T00:00:00Z";
/// More rounds than this mean that the plan never holds.
const ROUNDS: usize = 20;

/// An object to create, and the status that it gets.
pub struct Write {
    /// Path of its collection.
    pub collection: String,
    /// Its name.
    pub name: String,
    /// What is sent to create it.
    pub body: String,
    /// What is sent to give it its status.
    pub status: Option<String>,
}

/// One namespace: itself, then the guards, then access.
pub struct Space {
    pub namespace: Write,
    pub guards: Vec<Write>,
    pub access: Vec<Write>,
}

/// All writes of an agency.
pub struct Setup {
    pub tenant: Write,
    pub home: Space,
    pub systems: Vec<(Write, Space)>,
}

/// The writes that set an agency up.
pub fn setup(agency: &Agency) -> Result<Setup> {
    let mut paper = Paper { snapshot: snapshot(agency)?, created: BTreeMap::new() };
    paper.settle().with_context(|| format!("planning the setup of {}", agency.name()))?;
    let tenant_kind = govcloud_core::api::AgencyTenant::api_resource();
    let system_kind = govcloud_core::api::HostedSystem::api_resource();
    let name = TenantName::new(agency.name());
    let status = &paper.snapshot.tenant.as_ref().context("there is no tenant")?.status;
    let tenant = root_write(&tenant_kind, &agency.tenant, &json!(status))?;
    let mut systems = Vec::new();
    for (object, root) in agency.systems.iter().zip(&paper.snapshot.systems) {
        let namespace = name.workload(&govcloud_core::model::names::SystemName::new(object.name_any()));
        systems.push((root_write(&system_kind, object, &json!(root.status))?, space(paper.created.remove(&namespace))?));
    }
    let mut at_home = paper.created.remove(&name.home()).unwrap_or_default();
    at_home.extend(paper.created.remove(&NamespaceName::cluster()).unwrap_or_default());
    Ok(Setup { tenant, home: space(Some(at_home))?, systems })
}

/// An agency as the operator sees it when nothing of it is there yet.
struct Paper {
    snapshot: Snapshot,
    created: BTreeMap<NamespaceName, Vec<Desired>>,
}

impl Paper {
    fn settle(&mut self) -> Result<()> {
        let settings = settings();
        for _ in 0..ROUNDS {
            let next = step(&self.snapshot, &settings);
            match &next {
                Step::Settled(settled) if settled.tenant.is_none() && settled.systems.is_empty() => return Ok(()),
                Step::Apply(changes) => self.note(changes)?,
                _ => {}
            }
            carry_out(&mut self.snapshot, next);
        }
        bail!("the plan does not hold after {ROUNDS} rounds")
    }

    fn note(&mut self, changes: &[NamespaceChanges]) -> Result<()> {
        for change in changes.iter().flat_map(|space| &space.changes) {
            match change {
                Change::Create(desired) => self.created.entry(desired.namespace.clone()).or_default().push(Desired::clone(desired)),
                Change::Keep(_) => {}
                other => bail!("a setup only creates, but the plan asks for {other:?}"),
            }
        }
        Ok(())
    }
}

/// What the harness tells `govcloud run`, and what it has when it is told nothing.
fn settings() -> Settings {
    Settings {
        dns_namespace: "kube-system".into(),
        dns_selector: [("k8s-app".to_owned(), "kube-dns".to_owned())].into(),
        dns_port: 53,
        dns_caches: Vec::new(),
        cluster_ranges: ["10.0.0.0/8", "172.16.0.0/12"].into_iter().filter_map(|range| range.parse().ok()).collect(),
        ingress_controllers: ["public=ingress-nginx", "internal=ingress-internal/app.kubernetes.io/name=traefik"]
            .iter()
            .filter_map(|controller| controller.parse().ok())
            .collect(),
        platform_programs: "monitoring".parse().into_iter().collect(),
        platform_images: vec!["registry.example.gov.cn/platform/mesh".into()],
        account_namespaces: vec!["argocd".into()],
        approval_policies: ApprovalPolicies { egress: "198.18.7.0/24".parse().into_iter().collect(), ..ApprovalPolicies::default() },
    }
}

fn snapshot(agency: &Agency) -> Result<Snapshot> {
    Ok(Snapshot {
        tenant: Some(root(&agency.tenant)?.into()),
        systems: agency.systems.iter().map(|system| Ok(root(system)?.into())).collect::<Result<_>>()?,
        ..Snapshot::new(TenantName::new(agency.name()), CREATED.parse()?)
    })
}

fn root<Spec: DeserializeOwned, Status: Default>(object: &DynamicObject) -> Result<Root<Spec, Status>> {
    Ok(Root {
        name: object.name_any(),
        namespace: object.namespace().unwrap_or_default(),
        uid: UID.into(),
        resource_version: "1".into(),
        generation: 1,
        created: CREATED.into(),
        deleting: false,
        confirmed: false,
        finalizers: vec![FINALIZER.into()],
        holds: true,
        last_applied: None,
        requested_by: None,
        spec: Ok(serde_json::from_value(object.data["spec"].clone()).context("reading a spec of the load")?),
        status: Status::default(),
    })
}

fn root_write(kind: &ApiResource, object: &DynamicObject, status: &Value) -> Result<Write> {
    let name = object.name_any();
    let mut told = json!({
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "metadata": { "name": name, "resourceVersion": VERSION },
        "status": status,
    });
    if let Some(namespace) = object.namespace() {
        told["metadata"]["namespace"] = json!(namespace);
    }
    let collection = DynamicObject::url_path(kind, object.metadata.namespace.as_deref());
    Ok(Write { collection, name, body: serde_json::to_string(object)?, status: Some(told.to_string()) })
}

fn space(created: Option<Vec<Desired>>) -> Result<Space> {
    let (mut namespace, mut guards, mut access) = (None, Vec::new(), Vec::new());
    for desired in created.context("a namespace is missing in the plan")? {
        let write = child_write(&desired);
        match desired.kind.rank {
            Rank::Namespace => namespace = Some(write),
            Rank::Isolation => guards.push(write),
            Rank::Access => access.push(write),
        }
    }
    Ok(Space { namespace: namespace.context("a namespace is missing in the plan")?, guards, access })
}

fn child_write(desired: &Desired) -> Write {
    let within = (!desired.kind.is_namespace() && !desired.namespace.is_cluster()).then(|| desired.namespace.as_str());
    let primed = desired.kind.initial_status.map(|initial_status| {
        let mut object = desired.object.clone();
        object["metadata"]["resourceVersion"] = json!(VERSION);
        object["status"] = initial_status(&desired.object, true);
        object.to_string()
    });
    let collection = DynamicObject::url_path(&desired.kind.resource(), within);
    Write { collection, name: desired.name.clone(), body: desired.object.to_string(), status: primed }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::load::{Size, agencies};

    #[test]
    fn a_setup_is_what_the_plan_creates_and_nothing_twice() {
        let agency = agencies(Size { tenants: 1, systems: 2 }).unwrap().remove(0);
        let setup = setup(&agency).unwrap();
        let kinds =
            |writes: &[Write]| writes.iter().map(|write| write.collection.rsplit('/').next().unwrap().to_owned()).collect::<Vec<_>>();
        assert_eq!(kinds(&setup.home.guards), ["networkpolicies", "resourcequotas", "limitranges", "clusterroles", "clusterroles"]);
        assert_eq!(setup.home.access.len(), 6, "three roles, the pipelines, and two ways to the tenant itself");
        let (system, space) = &setup.systems[1];
        assert_eq!(system.collection, "/apis/govcloud.io/v1alpha1/namespaces/agency-0001/hostedsystems");
        assert_eq!(space.namespace.name, "agency-0001--system-002");
        assert_eq!(kinds(&space.guards), ["networkpolicies", "resourcequotas", "limitranges", "serviceaccounts"]);
        assert!(space.guards[1].status.as_ref().unwrap().contains(r#""used":{"#), "a fresh quota is counted");
        assert!(space.access.iter().all(|binding| binding.body.contains(UID)), "every child names its tenant");
        let ready = |status: &Option<String>| status.as_ref().unwrap().contains(r#""reason":"Ready","status":"True","type":"Ready""#);
        assert!(ready(&system.status) && ready(&setup.tenant.status), "{:?}", system.status);
    }
}
