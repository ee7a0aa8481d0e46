//! Which namespaces a tenant has or is to have, and what is to become of each: before anything is handed out.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    api::{DeletionPolicy, Stage, hosted_system::WithinSystem},
    model::{
        amounts::{Amounts, Follows},
        names::{NamespaceName, SystemName},
        namespace::Access,
        observed::{Entry, NAMESPACE, QuotaState},
        ownership::{Ownership, namespace_entry},
        snapshot::{Snapshot, SystemRoot},
        tenant::{System, Tenant},
    },
    plan::{intent::Intent, ledger::Ledger, quota::ShareRequest, target::Goal},
};

/// One namespace that is planned.
#[derive(Clone, Debug)]
pub(super) struct Site {
    pub namespace: NamespaceName,
    /// Its system, none for the home namespace.
    pub system: Option<SystemName>,
    pub display_name: String,
    pub access: Access,
    /// Whether its system is in service.
    pub running: bool,
    /// Whether its pods reach each other.
    pub within_system: WithinSystem,
    pub goal: Goal,
    /// Whether a namespace that was there before may be taken over.
    pub adopts: bool,
    /// The share that it asks for; for a closed one, what is left of it.
    pub wanted: Amounts,
    /// Keys of it that it does not name.
    pub follows: Follows,
}

impl Site {
    /// What it asks of the tenant's total.
    pub fn share_request(&self) -> Option<ShareRequest> {
        Some(ShareRequest {
            system: self.system.clone()?,
            namespace: self.namespace.clone(),
            wanted: self.wanted.clone(),
            follows: self.follows.clone(),
            serves: self.access != Access::Closed,
            admits_pods: self.access == Access::Open,
        })
    }
}

/// The namespaces of one tenant.
pub(super) struct Sites {
    pub home: Option<Site>,
    /// In order of precedence.
    pub workloads: Vec<Site>,
    /// Kept as they are.
    pub untouched: Vec<NamespaceName>,
}

pub(super) fn sites(
    snapshot: &Snapshot,
    intent: &Intent,
    tenant: &Tenant,
    quotas: &BTreeMap<NamespaceName, QuotaState>,
    ledger: Option<&Ledger>,
) -> Sites {
    let survey = Survey { snapshot, tenant, quotas, ledger };
    // What is declared in a namespace that is not this tenant's home is not this tenant's.
    let is_home = survey.is_own(&tenant.name.home());
    let declared: Vec<_> = intent.systems.iter().zip(&snapshot.systems).filter(|_| is_home).collect();
    let mut served: Vec<&System> = declared.iter().filter_map(|((_, system), _)| system.as_ref().ok()).collect();
    served.sort_by_key(|system| (&system.created, &system.name));
    let broken = declared.iter().filter(|((_, system), _)| system.is_err());
    let broken = broken.filter_map(|((name, _), root)| survey.unserved(name, root));
    let (left_behind, untouched) = survey.undeclared(intent);
    let workloads = served.into_iter().filter_map(|system| survey.workload(system)).chain(broken).chain(left_behind).collect();
    Sites { home: survey.home(), workloads, untouched }
}

struct Survey<'a> {
    snapshot: &'a Snapshot,
    tenant: &'a Tenant,
    quotas: &'a BTreeMap<NamespaceName, QuotaState>,
    ledger: Option<&'a Ledger>,
}

impl Survey<'_> {
    fn home(&self) -> Option<Site> {
        let namespace = self.tenant.name.home();
        if self.tenant.deleting && !self.is_own(&namespace) {
            return None;
        }
        let (access, goal) = match (self.tenant.deleting, self.tenant.deletion_policy) {
            (false, _) => (Access::Members, Goal::Serve),
            (true, DeletionPolicy::Delete) => (Access::Closed, Goal::Remove),
            (true, DeletionPolicy::Retain) => (Access::Closed, Goal::Close),
        };
        let display_name = self.tenant.display_name.clone();
        let (within_system, adopts) = (WithinSystem::default(), self.tenant.adopts_namespace);
        Some(Site {
            namespace,
            system: None,
            display_name,
            access,
            running: false,
            within_system,
            goal,
            adopts,
            wanted: Amounts::new(),
            follows: Follows::new(),
        })
    }

    fn workload(&self, system: &System) -> Option<Site> {
        let namespace = self.tenant.name.workload(&system.name);
        let leaving = system.deleting || self.tenant.deleting;
        let goal = match (leaving, system.deletion_policy, system.stage) {
            (true, DeletionPolicy::Delete, _) => Goal::Remove,
            (true, DeletionPolicy::Retain, _) | (false, _, Stage::Retired) => Goal::Close,
            (false, _, _) => Goal::Serve,
        };
        if leaving && !self.is_own(&namespace) {
            return None;
        }
        let wanted = if system.stage == Stage::Retired { self.storage_held(&namespace) } else { system.wanted.clone() };
        let (name, display_name, access) = (Some(system.name.clone()), system.display_name.clone(), Access::of(system.stage));
        let (running, within_system, adopts) = (system.running, system.within_system, system.adopts_namespace);
        let follows = system.follows.clone();
        Some(Site { namespace, system: name, display_name, access, running, within_system, goal, adopts, wanted, follows })
    }

    /// A namespace whose system is there and cannot be served: its share and its stage stay, the tenant's contract goes on.
    /// Where nobody knows its stage any more, it stays as it is.
    fn unserved(&self, name: &SystemName, root: &SystemRoot) -> Option<Site> {
        let namespace = self.tenant.name.workload(name);
        let entry = self.own(&namespace)?;
        let stage = if self.tenant.deleting { Stage::Retired } else { root.status.stage? };
        let running = stage == Stage::Running;
        let (access, goal) = match stage {
            Stage::Testing | Stage::Running if self.tenant.suspended => (Access::Suspended, Goal::Serve),
            Stage::Retired => (Access::Closed, Goal::Close),
            stage => (Access::of(stage), Goal::Serve),
        };
        let wanted = if access == Access::Closed { self.storage_held(&namespace) } else { self.share_held(&namespace, name) };
        let (display_name, within_system, system) = (entry.display_name.to_string(), entry.within_system, Some(name.clone()));
        Some(Site { namespace, system, display_name, access, running, within_system, goal, adopts: false, wanted, follows: Follows::new() })
    }

    /// Namespaces whose system is not declared: those whose system was deleted are closed and kept, those whose system may
    /// only not be declared yet stay untouched.
    fn undeclared(&self, intent: &Intent) -> (Vec<Site>, Vec<NamespaceName>) {
        let declared: BTreeSet<&SystemName> = intent.systems.iter().map(|(name, _)| name).collect();
        let namespaces = self.snapshot.observed.iter().filter(|(key, _)| key.kind == NAMESPACE);
        let (mut closed, mut untouched) = (Vec::new(), Vec::new());
        for (key, entry) in namespaces {
            let Some(system) = key.namespace.system().filter(|system| !declared.contains(system)) else { continue };
            if !self.is_own(&key.namespace) {
                continue;
            }
            let former = !self.tenant.identity.adopts.is_empty() && *entry.tenant_uid == *self.tenant.identity.adopts;
            let awaited = entry.created < self.snapshot.crds.created;
            if (former || awaited) && !self.tenant.deleting {
                untouched.push(key.namespace.clone());
                continue;
            }
            closed.push(Site {
                namespace: key.namespace.clone(),
                system: Some(system),
                display_name: entry.display_name.to_string(),
                access: Access::Closed,
                running: false,
                within_system: WithinSystem::default(),
                goal: Goal::Close,
                adopts: false,
                wanted: self.storage_held(&key.namespace),
                follows: Follows::new(),
            });
        }
        (closed, untouched)
    }

    fn is_own(&self, namespace: &NamespaceName) -> bool {
        self.tenant.identity.owner(&self.snapshot.observed, namespace) == Ownership::Ours
    }

    fn own(&self, namespace: &NamespaceName) -> Option<&Entry> {
        namespace_entry(&self.snapshot.observed, namespace).filter(|_| self.is_own(namespace))
    }

    /// The share that a system holds, whatever it asks for: as the ledger says, or its quota where that was lost.
    fn share_held(&self, namespace: &NamespaceName, system: &SystemName) -> Amounts {
        match self.ledger.and_then(|ledger| ledger.get(system)) {
            Some(share) => share.hard.clone(),
            None => self.quotas.get(namespace).map(|quota| (*quota.wanted).clone()).unwrap_or_default(),
        }
    }

    /// What a closed namespace still occupies: its volumes.
    fn storage_held(&self, namespace: &NamespaceName) -> Amounts {
        let Some(quota) = self.quotas.get(namespace) else { return Amounts::new() };
        let volumes = |key: &str| key.ends_with("requests.storage") || key.ends_with("persistentvolumeclaims");
        let known = if quota.counted { &quota.used } else { &*quota.wanted };
        known.iter().filter(|(key, _)| volumes(key)).map(|(key, amount)| (key.clone(), *amount)).collect()
    }
}
