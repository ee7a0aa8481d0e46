//! Intent → plan: what should exist in each of the tenant's namespaces, and what may be done to it. Pure: no client, no
//! clock; the same snapshot always gives the same plan.

mod checks;
pub mod conflicts;
pub mod contract;
pub mod cures;
pub mod diff;
pub mod ending;
pub mod finalizers;
pub mod foreign;
pub mod intent;
pub mod last_applied;
pub mod ledger;
pub mod questions;
pub mod quota;
mod site;
pub mod spec_diff;
pub mod tags;
mod target;

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
};

use crate::{
    children::{children, entrance, member_words, repeatable},
    model::{
        amounts::{Amounts, amounts},
        api_server,
        names::{NamespaceName, TenantName},
        namespace::{Access, Space, TenantAccess},
        observed::{NAMESPACE, Observed, QuotaState, inside},
        ownership::{Identity, Ownership, namespace_entry},
        settings::Settings,
        snapshot::Snapshot,
        tenant::Tenant,
    },
    plan::{
        intent::Intent,
        ledger::Ledger,
        quota::{Allocation, Grant, QuotaInput, ShareRequest, allocate},
        site::{Site, Sites},
    },
};

pub use target::{Goal, NamespacePlan, Plan, Tolerance};

/// Plans one tenant. Nothing is planned, hence nothing touched, for a tenant that is missing or cannot be served; but its
/// Owners have access to their own `AgencyTenant` from the first request on.
#[must_use]
pub fn plan(snapshot: &Snapshot, intent: &Intent, settings: &Settings) -> Plan {
    let Some(root) = snapshot.tenant.as_ref().filter(|_| !snapshot.crds.ending && snapshot.blind.is_empty()) else {
        return Plan::default();
    };
    let mut plan = match &intent.tenant {
        Some(Ok(tenant)) => served_plan(snapshot, intent, tenant, settings),
        _ => Plan { identity: Identity { uid: root.uid.clone(), adopts: String::new() }, ..Plan::default() },
    };
    plan.entrance = cluster_scoped(intent, root.deleting, &snapshot.name, &plan.identity);
    plan
}

/// The cluster-scoped objects of a tenant; nothing is said of them where nobody knows who its members are.
fn cluster_scoped(intent: &Intent, deleting: bool, tenant: &TenantName, identity: &Identity) -> Option<NamespacePlan> {
    let members = intent.spec_editors.as_deref()?;
    let desired = if members.is_empty() { Vec::new() } else { entrance(&TenantAccess { tenant, identity, members }) };
    let goal = if deleting { Goal::Close } else { Goal::Serve };
    Some(NamespacePlan {
        namespace: NamespaceName::cluster(),
        system: None,
        desired,
        goal,
        adopts: false,
        drained: true,
        tolerance: Tolerance::default(),
        api_server_unknown: false,
    })
}

fn served_plan(snapshot: &Snapshot, intent: &Intent, tenant: &Tenant, settings: &Settings) -> Plan {
    let quotas: BTreeMap<NamespaceName, QuotaState> =
        tenant.identity.quotas(&snapshot.observed).map(|(namespace, quota)| (namespace.clone(), quota.clone())).collect();
    let served = served(snapshot);
    let ledger = recorded_ledger(snapshot);
    let Sites { mut home, workloads, untouched } = site::sites(snapshot, intent, tenant, &quotas, ledger.as_ref());
    let namespaces = namespaces(snapshot, tenant);
    let declared = intent.systems.iter().map(|(name, _)| name.clone());
    let known_systems = namespaces.iter().filter_map(NamespaceName::system).chain(declared).collect();
    let input = QuotaInput {
        tenant: &tenant.name,
        wanted: &tenant.quota,
        served: &served,
        ledger: ledger.as_ref(),
        quotas: &quotas,
        uncounted: namespaces
            .iter()
            .find(|namespace| !is_ending(snapshot, namespace) && quotas.get(namespace).is_none_or(|quota| !quota.counted)),
        known_systems: &known_systems,
    };
    let claims: Vec<ShareRequest> = workloads.iter().filter_map(Site::share_request).collect();
    let allocation = allocate(&input, &claims);
    let open = workloads.iter().filter(|site| site.access != Access::Closed);
    let pipelines: BTreeSet<NamespaceName> = open.map(|site| site.namespace.clone()).collect();
    let space = |site: &Site| space(snapshot, tenant, settings, site, &pipelines, &quotas, &allocation);
    let workloads: Vec<NamespacePlan> = workloads.iter().map(space).collect();
    let all_closed = workloads.iter().all(|space| space.goal == Goal::Close && space.drained);
    if let Some(home) = home.as_mut().filter(|home| home.goal == Goal::Remove && !all_closed) {
        home.goal = Goal::Close; // the last to go, since it holds the systems' declarations
    }
    let namespaces = home.as_ref().map(space).into_iter().chain(workloads).collect();
    let members = tenant.members.iter().map(member_words).collect();
    let former = intent.former.iter().cloned().collect();
    Plan { namespaces, entrance: None, allocation, identity: tenant.identity.clone(), members, former, untouched }
}

/// The total that the tenant's status shows.
fn served(snapshot: &Snapshot) -> Amounts {
    let figures = snapshot.tenant.as_ref().and_then(|root| root.status.quota.as_ref());
    figures.and_then(|figures| amounts(&figures.total).ok()).unwrap_or_default()
}

/// The ledger that the tenant's status shows.
#[must_use]
pub fn recorded_ledger(snapshot: &Snapshot) -> Option<Ledger> {
    snapshot.tenant.as_ref()?.status.grants.as_deref().map(ledger::read)
}

/// Whether a namespace is being deleted: it takes nothing new in, and Kubernetes deletes its quota before the rest. What the ledger
/// has for it stays reserved until it is gone.
fn is_ending(snapshot: &Snapshot, namespace: &NamespaceName) -> bool {
    namespace_entry(&snapshot.observed, namespace).is_some_and(|entry| entry.deleting)
}

/// The tenant's namespaces that exist.
fn namespaces(snapshot: &Snapshot, tenant: &Tenant) -> BTreeSet<NamespaceName> {
    let namespaces = snapshot.observed.keys().filter(|key| key.kind == NAMESPACE).map(|key| &key.namespace);
    namespaces.filter(|namespace| tenant.identity.owner(&snapshot.observed, namespace) == Ownership::Ours).cloned().collect()
}

/// Where the API server is. While nobody can see it, it is where it was when the home namespace was last written.
fn api_server<'a>(snapshot: &'a Snapshot, tenant: &Tenant) -> Cow<'a, [SocketAddr]> {
    if !snapshot.api_server.is_empty() {
        return Cow::Borrowed(&snapshot.api_server);
    }
    let home = tenant.name.home();
    let known = namespace_entry(&snapshot.observed, &home).filter(|_| tenant.identity.owner(&snapshot.observed, &home) == Ownership::Ours);
    known.map(|home| Cow::Owned(api_server::read(&home.api_server))).unwrap_or_default()
}

fn space(
    snapshot: &Snapshot,
    tenant: &Tenant,
    settings: &Settings,
    site: &Site,
    pipelines: &BTreeSet<NamespaceName>,
    quotas: &BTreeMap<NamespaceName, QuotaState>,
    allocation: &Allocation,
) -> NamespacePlan {
    let none = Grant::default();
    let grant = site.system.as_ref().and_then(|system| allocation.grants.get(system)).unwrap_or(&none);
    let api_server = api_server(snapshot, tenant);
    let space = Space {
        tenant,
        settings,
        pod_classes: &snapshot.pod_classes,
        namespace: site.namespace.clone(),
        system: site.system.clone(),
        display_name: site.display_name.clone(),
        access: site.access,
        running: site.running,
        within_system: site.within_system,
        api_server: &api_server,
        pipelines: if site.system.is_none() { pipelines.iter().cloned().collect() } else { Vec::new() },
        hard: grant.hard.clone(),
        epoch: grant.epoch,
    };
    NamespacePlan {
        namespace: site.namespace.clone(),
        system: site.system.clone(),
        desired: children(&space),
        goal: site.goal,
        adopts: site.adopts,
        drained: quotas.get(&site.namespace).is_some_and(QuotaState::is_drained),
        tolerance: tolerance(&space, &snapshot.observed),
        api_server_unknown: space.reaches_api_server() && snapshot.api_server.is_empty(),
    }
}

/// Where nobody enters any more, what members wrote lets nobody in. A suspended system's network is closed whatever its Owners opened.
fn tolerance(space: &Space, observed: &Observed) -> Tolerance {
    let foreign = inside(observed, &space.namespace).any(|(_, entry)| !entry.exposes.is_empty());
    let repeatable = if foreign { repeatable(space.settings) } else { BTreeMap::new() };
    Tolerance { access: space.access != Access::Closed, network: space.access != Access::Suspended, repeatable }
}
