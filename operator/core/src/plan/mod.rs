//! Intent → plan: what should exist in each of the tenant's namespaces, and what may be done to it. Pure: no client, no
//! clock; the same snapshot always gives the same plan.

pub mod approval_policies;
mod checks;
pub mod conflicts;
pub mod contract;
pub mod cures;
pub mod diff;
pub mod ending;
pub mod finalizers;
pub mod foreign;
pub mod history;
pub mod intent;
pub mod inventory;
pub mod last_applied;
pub mod ledger;
mod namespaces;
pub mod narrowing;
pub mod questions;
pub mod quota;
pub mod spec_diff;
pub mod tags;
mod target;

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::Arc,
};

use crate::{
    children::{manifests::Manifests, member_words, repeatable, tenant_access},
    model::{
        amounts::{Amounts, amounts},
        api_server,
        names::{NamespaceName, TenantName},
        namespace::{Access, ChildInput, Namespace, TenantAccess},
        observed::QuotaState,
        ownership::Identity,
        settings::Settings,
        snapshot::Snapshot,
        tenant::Tenant,
    },
    plan::{
        intent::Intent,
        inventory::Inventory,
        ledger::Ledger,
        namespaces::{NamespaceTarget, Targets, targets},
        quota::{Allocation, Grant, QuotaInput, ShareRequest, allocate},
    },
};

pub use target::{Goal, NamespacePlan, Plan, Tolerance};

/// Plans one tenant. Nothing is planned, hence nothing touched, for a tenant that is missing or cannot be served; but its
/// Owners have access to their own `AgencyTenant` from the first request on.
#[must_use]
pub fn plan(snapshot: &Snapshot, intent: &Intent, inventory: &Inventory, settings: &Settings, manifests: &mut Manifests) -> Plan {
    let Some(root) = snapshot.tenant.as_ref().filter(|_| !snapshot.crds.ending && snapshot.blind.is_empty()) else {
        return Plan::default();
    };
    let mut plan = match &intent.tenant {
        Some(Ok(tenant)) => served_plan(snapshot, intent, tenant, inventory, settings, manifests),
        _ => Plan::default(),
    };
    plan.tenant_access = cluster_scoped(intent, root.deleting, &snapshot.name, &inventory.identity);
    plan
}

/// The cluster-scoped objects of a tenant; nothing is said of them where nobody knows who its members are.
fn cluster_scoped(intent: &Intent, deleting: bool, tenant: &TenantName, identity: &Identity) -> Option<NamespacePlan> {
    let members = intent.tenant_readers.as_deref()?;
    let desired = if members.is_empty() {
        Vec::new()
    } else {
        let withdrawable = !deleting && intent.approvals.as_ref().is_some_and(|approvals| approvals.contract.is_none());
        let access = TenantAccess { tenant, identity, members, withdrawable, overlooked: intent.overlooked };
        tenant_access(&access).into_iter().map(Arc::new).collect()
    };
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

fn served_plan(
    snapshot: &Snapshot,
    intent: &Intent,
    tenant: &Tenant,
    inventory: &Inventory,
    settings: &Settings,
    manifests: &mut Manifests,
) -> Plan {
    let ledger = recorded_ledger(snapshot);
    let Targets { mut home, workloads, untouched } = targets(snapshot, intent, tenant, inventory, ledger.as_ref());
    let allocation = allocation(snapshot, intent, tenant, inventory, ledger.as_ref(), &workloads);
    let builder =
        Builder { snapshot, tenant, inventory, settings, allocation: &allocation, api_server: &api_server(snapshot, tenant, inventory) };
    let open = workloads.iter().filter(|target| target.namespace.access != Access::Closed);
    let pipelines: BTreeSet<NamespaceName> = open.map(|target| target.namespace.name.clone()).collect();
    let workloads: Vec<NamespacePlan> = workloads.iter().map(|target| builder.namespace(target, Vec::new(), manifests)).collect();
    let all_closed = workloads.iter().all(|space| space.goal == Goal::Close && space.drained);
    if let Some(home) = home.as_mut().filter(|home| home.goal == Goal::Remove && !all_closed) {
        home.goal = Goal::Close; // the last to go, since it holds the systems' declarations
    }
    let home = home.map(|target| builder.namespace(&target, pipelines.into_iter().collect(), manifests));
    let namespaces = home.into_iter().chain(workloads).collect();
    let members = tenant.members.iter().map(member_words).collect();
    let former = intent.former.iter().cloned().collect();
    Plan { namespaces, tenant_access: None, allocation, members, former, untouched }
}

/// Hands the tenant's total out to its workload namespaces.
fn allocation(
    snapshot: &Snapshot,
    intent: &Intent,
    tenant: &Tenant,
    inventory: &Inventory,
    ledger: Option<&Ledger>,
    workloads: &[NamespaceTarget],
) -> Allocation {
    let quotas: BTreeMap<NamespaceName, QuotaState> =
        inventory.quotas().map(|(namespace, quota)| (namespace.clone(), quota.clone())).collect();
    let declared = intent.systems.iter().map(|(name, _)| name.clone());
    // One that is being deleted takes nothing new in, and Kubernetes deletes its quota before the rest. What the ledger has for it stays
    // reserved until it is gone.
    let mut staying = inventory.ours().filter(|(_, entry)| !entry.deleting).map(|(namespace, _)| namespace);
    let input = QuotaInput {
        tenant: &tenant.name,
        wanted: &tenant.quota,
        served: &served(snapshot),
        ledger,
        quotas: &quotas,
        uncounted: staying.find(|namespace| quotas.get(namespace).is_none_or(|quota| !quota.counted)),
        known_systems: &inventory.ours().filter_map(|(namespace, _)| namespace.system()).chain(declared).collect(),
    };
    let requests: Vec<ShareRequest> = workloads.iter().filter_map(NamespaceTarget::share_request).collect();
    allocate(&input, &requests)
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

/// Where the API server is. While nobody can see it, it is where it was when the home namespace was last written.
fn api_server<'a>(snapshot: &'a Snapshot, tenant: &Tenant, inventory: &Inventory) -> Cow<'a, [SocketAddr]> {
    if !snapshot.api_server.is_empty() {
        return Cow::Borrowed(&snapshot.api_server);
    }
    let home = inventory.of(&tenant.name.home()).ours();
    home.map(|home| Cow::Owned(api_server::read(&home.api_server))).unwrap_or_default()
}

/// What the plans of all of a tenant's namespaces are made from.
struct Builder<'a> {
    snapshot: &'a Snapshot,
    tenant: &'a Tenant,
    inventory: &'a Inventory<'a>,
    settings: &'a Settings,
    allocation: &'a Allocation,
    api_server: &'a [SocketAddr],
}

impl Builder<'_> {
    fn namespace(&self, target: &NamespaceTarget, pipelines: Vec<NamespaceName>, manifests: &mut Manifests) -> NamespacePlan {
        let (namespace, none) = (&target.namespace, Grant::default());
        let grant = namespace.system.as_ref().and_then(|system| self.allocation.grants.get(system)).unwrap_or(&none);
        let input = ChildInput {
            namespace,
            tenant: self.tenant,
            settings: self.settings,
            pod_classes: &self.snapshot.pod_classes,
            api_server: self.api_server,
            pipelines,
            hard: grant.hard.clone(),
            epoch: grant.epoch,
        };
        NamespacePlan {
            namespace: namespace.name.clone(),
            system: namespace.system.clone(),
            desired: manifests.of(&input),
            goal: target.goal,
            adopts: target.adopts,
            drained: self.inventory.of(&namespace.name).quota.is_some_and(QuotaState::is_drained),
            tolerance: self.tolerance(namespace),
            api_server_unknown: input.reaches_api_server() && self.snapshot.api_server.is_empty(),
        }
    }

    /// Where nobody enters any more, what members wrote lets nobody in. A suspended system's network is closed whatever its Owners
    /// opened.
    fn tolerance(&self, namespace: &Namespace) -> Tolerance {
        let foreign = self.inventory.inside(&namespace.name).any(|(_, entry)| !entry.exposes.is_empty());
        let repeatable = if foreign { repeatable(self.settings) } else { BTreeMap::new() };
        Tolerance { access: namespace.access != Access::Closed, network: namespace.access != Access::Suspended, repeatable }
    }
}
