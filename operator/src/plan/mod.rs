//! Intent → plan: what should exist in each of the tenant's namespaces, and what may be done to it. Pure: no client, no
//! clock; the same snapshot always gives the same plan.

pub mod amount;
pub mod desired;
pub mod diff;
pub mod intent;
pub mod outcome;
pub mod quota;
pub mod release;
pub mod settings;
pub mod snapshot;

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    api::{Deletion, Stage},
    children::{children, namespace_index},
    names::{NamespaceName, QUOTA, SystemName},
    plan::{
        amount::Amounts,
        desired::{Access, Desired, Space},
        intent::{Intent, System, Tenant},
        quota::{Allocation, Claim, hand_out},
        settings::Settings,
        snapshot::{Entry, Observed, QuotaState, Snapshot},
    },
};

/// Everything that should be so for one tenant.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// The namespaces, home first. None where nothing may be touched.
    pub spaces: Vec<SpacePlan>,
    /// The tenant's total, handed out.
    pub allocation: Allocation,
}

/// One namespace as it should be.
#[derive(Clone, Debug)]
pub struct SpacePlan {
    /// Its name.
    pub namespace: NamespaceName,
    /// Its system, none for the home namespace.
    pub system: Option<SystemName>,
    /// Its children, itself among them.
    pub desired: Vec<Desired>,
    /// What is to become of it.
    pub goal: Goal,
    /// Whether its quota admits no pod and counts none.
    pub drained: bool,
}

/// What is to become of a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// It serves.
    Serve,
    /// It is kept, closed and without pods.
    Close,
    /// It is closed, then deleted.
    Remove,
}

impl Plan {
    /// The plan of one namespace.
    #[must_use]
    pub fn space(&self, namespace: &NamespaceName) -> Option<&SpacePlan> {
        self.spaces.iter().find(|space| &space.namespace == namespace)
    }
}

/// Plans one tenant. Nothing is planned, hence nothing touched, for a tenant that is missing or cannot be served.
#[must_use]
pub fn plan(snapshot: &Snapshot, intent: &Intent, settings: &Settings) -> Plan {
    let Some(Ok(tenant)) = &intent.tenant else { return Plan::default() };
    if snapshot.uninstalling || !snapshot.blind.is_empty() {
        return Plan::default();
    }
    let planner = Planner { snapshot, tenant, settings, quotas: quotas(&snapshot.observed, &tenant.uid) };
    // What is declared in a namespace that is not this tenant's home is not this tenant's.
    let is_home = planner.own(&tenant.name.home()).is_some();
    let systems: Vec<&System> = intent.systems.iter().filter(|_| is_home).filter_map(|(_, system)| system.as_ref().ok()).collect();
    let allocation = planner.allocate(&systems);
    let workloads = systems.iter().filter_map(|system| planner.workload(system, &allocation));
    let workloads: Vec<SpacePlan> = workloads.chain(planner.unserved(intent)).chain(planner.left_behind(intent)).collect();
    let spaces = planner.home(&workloads).into_iter().chain(workloads).collect();
    Plan { spaces, allocation }
}

/// Quotas by namespace, of those that are the tenant's.
fn quotas(observed: &Observed, tenant_uid: &str) -> BTreeMap<NamespaceName, QuotaState> {
    let quota = |(key, entry): (&snapshot::ChildKey, &Entry)| {
        let state = entry.quota.as_ref().filter(|_| key.name == QUOTA)?;
        let own = diff::namespace_entry(observed, &key.namespace).is_some_and(|namespace| namespace.tenant_uid == tenant_uid);
        own.then(|| (key.namespace.clone(), QuotaState::clone(state)))
    };
    observed.iter().filter_map(quota).collect()
}

struct Planner<'a> {
    snapshot: &'a Snapshot,
    tenant: &'a Tenant,
    settings: &'a Settings,
    quotas: BTreeMap<NamespaceName, QuotaState>,
}

impl Planner<'_> {
    fn allocate(&self, systems: &[&System]) -> Allocation {
        let mut serving: Vec<&&System> = systems.iter().filter(|system| system.stage != Stage::Retired).collect();
        serving.sort_by_key(|system| (&system.created, &system.name));
        let claim = |system: &&&System| Claim {
            system: system.name.clone(),
            namespace: self.tenant.name.workload(&system.name),
            wanted: system.wanted.clone(),
            promised: system.promised.clone(),
        };
        let claims: Vec<Claim> = serving.iter().map(claim).collect();
        hand_out(&self.tenant.quota, &self.served(), &claims, &self.quotas, self.uncounted())
    }

    /// A namespace of the tenant of which nobody knows what it uses: its quota was taken away or is not counted yet.
    fn uncounted(&self) -> Option<&NamespaceName> {
        let namespaces = self.snapshot.observed.iter().filter(|(key, _)| key.kind == namespace_index());
        let mut own = namespaces.filter(|(_, entry)| entry.tenant_uid == self.tenant.uid).map(|(key, _)| &key.namespace);
        own.find(|namespace| self.quotas.get(namespace).is_none_or(|quota| !quota.is_counted()))
    }

    /// The total that the tenant's status shows.
    fn served(&self) -> Amounts {
        let figures = self.snapshot.tenant.as_ref().and_then(|root| root.status.quota.as_ref());
        figures.and_then(|figures| amount::amounts(&figures.total).ok()).unwrap_or_default()
    }

    fn workload(&self, system: &System, allocation: &Allocation) -> Option<SpacePlan> {
        let namespace = self.tenant.name.workload(&system.name);
        let leaving = system.deleting || self.tenant.deleting;
        let goal = match (leaving, system.deletion, system.stage) {
            (true, Deletion::Delete, _) => Goal::Remove,
            (true, Deletion::Retain, _) | (false, _, Stage::Retired) => Goal::Close,
            (false, _, _) => Goal::Serve,
        };
        if leaving && self.own(&namespace).is_none() {
            return None;
        }
        let hard = match allocation.grants.get(&system.name) {
            Some(grant) => grant.hard.clone(),
            None => self.storage_held(&namespace),
        };
        Some(self.space(namespace, Some(system.name.clone()), &system.display_name, Access::of(system.stage), hard, goal))
    }

    /// Namespaces whose system is there and cannot be served: their shares and their stage stay, the tenant's contract goes on.
    fn unserved(&self, intent: &Intent) -> Vec<SpacePlan> {
        let broken = intent.systems.iter().zip(&self.snapshot.systems).filter(|((_, system), _)| system.is_err());
        let keep = |((name, _), root): (&(SystemName, _), &snapshot::SystemRoot)| {
            let namespace = self.tenant.name.workload(name);
            let entry = self.own(&namespace)?;
            let stage = root.status.stage.unwrap_or_default();
            let (access, goal) = if self.tenant.deleting || stage == Stage::Retired {
                (Access::Closed, Goal::Close)
            } else {
                (Access::of(stage), Goal::Serve)
            };
            let hard = match goal {
                Goal::Serve => self.share_held(&namespace, root),
                Goal::Close | Goal::Remove => self.storage_held(&namespace),
            };
            Some(self.space(namespace, Some(name.clone()), &entry.display_name, access, hard, goal))
        };
        broken.filter_map(keep).collect()
    }

    /// The share that a system holds, whatever it asks for: as its quota says, or its status where that was taken away.
    fn share_held(&self, namespace: &NamespaceName, root: &snapshot::SystemRoot) -> Amounts {
        let granted = || root.status.granted.as_ref().and_then(|granted| amount::amounts(granted).ok());
        self.quotas.get(namespace).map(|quota| quota.wanted.clone()).or_else(granted).unwrap_or_default()
    }

    /// Namespaces of this tenant whose system is gone: kept, and closed.
    fn left_behind(&self, intent: &Intent) -> Vec<SpacePlan> {
        let declared: BTreeSet<&SystemName> = intent.systems.iter().map(|(name, _)| name).collect();
        let namespaces = self.snapshot.observed.iter().filter(|(key, _)| key.kind == namespace_index());
        let close = |(key, entry): (&snapshot::ChildKey, &Entry)| {
            let system = key.namespace.system().filter(|system| !declared.contains(system) && entry.tenant_uid == self.tenant.uid)?;
            let hard = self.storage_held(&key.namespace);
            Some(self.space(key.namespace.clone(), Some(system), &entry.display_name, Access::Closed, hard, Goal::Close))
        };
        namespaces.filter_map(close).collect()
    }

    fn home(&self, workloads: &[SpacePlan]) -> Option<SpacePlan> {
        let namespace = self.tenant.name.home();
        let (access, goal) = match (self.tenant.deleting, self.tenant.deletion) {
            (false, _) => (Access::Members, Goal::Serve),
            (true, Deletion::Delete) if workloads.iter().all(|space| space.goal == Goal::Close && space.drained) => {
                (Access::Closed, Goal::Remove)
            }
            (true, _) => (Access::Closed, Goal::Close),
        };
        if self.tenant.deleting && self.own(&namespace).is_none() {
            return None;
        }
        Some(self.space(namespace, None, &self.tenant.display_name, access, Amounts::new(), goal))
    }

    fn space(
        &self,
        namespace: NamespaceName,
        system: Option<SystemName>,
        display_name: &str,
        access: Access,
        hard: Amounts,
        goal: Goal,
    ) -> SpacePlan {
        let quota = self.quotas.get(&namespace);
        let none = |amounts: &Amounts| amounts.get("pods") == Some(&amount::Amount::ZERO);
        let drained = quota.is_some_and(|quota| none(&quota.hard) && none(&quota.used));
        let space = Space {
            tenant: self.tenant,
            settings: self.settings,
            namespace: namespace.clone(),
            system: system.clone(),
            display_name: display_name.to_owned(),
            access,
            hard,
        };
        SpacePlan { namespace, system, desired: children(&space), goal, drained }
    }

    /// The namespace, if it exists and is this tenant's.
    fn own(&self, namespace: &NamespaceName) -> Option<&Entry> {
        diff::namespace_entry(&self.snapshot.observed, namespace).filter(|entry| entry.tenant_uid == self.tenant.uid)
    }

    /// What a closed namespace still occupies: its volumes.
    fn storage_held(&self, namespace: &NamespaceName) -> Amounts {
        let Some(quota) = self.quotas.get(namespace) else { return Amounts::new() };
        let volumes = |key: &str| key.ends_with("requests.storage") || key.ends_with("persistentvolumeclaims");
        let known = if quota.used.is_empty() { &quota.wanted } else { &quota.used };
        known.iter().filter(|(key, _)| volumes(key)).map(|(key, amount)| (key.clone(), *amount)).collect()
    }
}
