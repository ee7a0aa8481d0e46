//! Which namespaces a tenant has or is to have, and what is to become of each: before anything is handed out.

use std::collections::BTreeSet;

use crate::{
    api::{DeletionPolicy, Stage, hosted_system::WithinSystem},
    model::{
        amounts::{Amounts, Follows},
        names::{NamespaceName, SystemName},
        namespace::{Access, Namespace},
        observed::Entry,
        root::SystemRoot,
        snapshot::Snapshot,
        tenant::{System, Tenant},
    },
    plan::{intent::Intent, inventory::Inventory, ledger::Ledger, quota::ShareRequest, target::Goal},
};

/// One namespace that is planned.
#[derive(Clone, Debug)]
pub(super) struct NamespaceTarget {
    pub namespace: Namespace,
    pub goal: Goal,
    /// Whether a namespace that was there before may be taken over.
    pub adopts: bool,
    /// The share that it asks for; for a closed one, what is left of it.
    pub wanted: Amounts,
    /// Keys of it that it does not name.
    pub follows: Follows,
}

impl NamespaceTarget {
    /// What it asks of the tenant's total.
    pub fn share_request(&self) -> Option<ShareRequest> {
        Some(ShareRequest {
            system: self.namespace.system.clone()?,
            namespace: self.namespace.name.clone(),
            wanted: self.wanted.clone(),
            follows: self.follows.clone(),
            serves: self.namespace.access != Access::Closed,
            admits_pods: self.namespace.access == Access::Open,
        })
    }
}

/// The namespaces of one tenant.
pub(super) struct Targets {
    pub home: Option<NamespaceTarget>,
    /// In order of precedence.
    pub workloads: Vec<NamespaceTarget>,
    /// Kept as they are.
    pub untouched: Vec<NamespaceName>,
}

pub(super) fn targets(snapshot: &Snapshot, intent: &Intent, tenant: &Tenant, inventory: &Inventory, ledger: Option<&Ledger>) -> Targets {
    let survey = Survey { snapshot, tenant, inventory, ledger };
    // What is declared in a namespace that is not this tenant's home is not this tenant's.
    let is_home = inventory.of(&tenant.name.home()).is_ours();
    let declared: Vec<_> = intent.systems.iter().zip(&snapshot.systems).filter(|_| is_home).collect();
    let mut served: Vec<&System> = declared.iter().filter_map(|((_, system), _)| system.as_ref().ok()).collect();
    served.sort_by_key(|system| (&system.created, &system.name));
    let broken = declared.iter().filter(|((_, system), _)| system.is_err());
    let broken = broken.filter_map(|((name, _), root)| survey.unserved(name, root));
    let (left_behind, untouched) = survey.undeclared(intent);
    let workloads = served.into_iter().filter_map(|system| survey.workload(system)).chain(broken).chain(left_behind).collect();
    Targets { home: survey.home(), workloads, untouched }
}

struct Survey<'a> {
    snapshot: &'a Snapshot,
    tenant: &'a Tenant,
    inventory: &'a Inventory<'a>,
    ledger: Option<&'a Ledger>,
}

impl Survey<'_> {
    fn home(&self) -> Option<NamespaceTarget> {
        let name = self.tenant.name.home();
        if self.tenant.deleting && !self.inventory.of(&name).is_ours() {
            return None;
        }
        let (access, goal) = match (self.tenant.deleting, self.tenant.deletion_policy) {
            (false, _) => (Access::Members, Goal::Serve),
            (true, DeletionPolicy::Delete) => (Access::Closed, Goal::Remove),
            (true, DeletionPolicy::Retain) => (Access::Closed, Goal::Close),
        };
        let display_name = self.tenant.display_name.clone();
        let retained_since = self.retained_since(&name, self.tenant.deleting && goal == Goal::Close);
        let within_system = WithinSystem::default();
        let namespace = Namespace { name, system: None, display_name, access, running: false, within_system, retained_since };
        let adopts = self.tenant.adopts_namespace;
        Some(NamespaceTarget { namespace, goal, adopts, wanted: Amounts::new(), follows: Follows::new() })
    }

    fn workload(&self, system: &System) -> Option<NamespaceTarget> {
        let name = self.tenant.name.workload(&system.name);
        let leaving = system.deleting || self.tenant.deleting;
        let goal = match (leaving, system.deletion_policy, system.stage) {
            (true, DeletionPolicy::Delete, _) => Goal::Remove,
            (true, DeletionPolicy::Retain, _) | (false, _, Stage::Retired) => Goal::Close,
            (false, _, _) => Goal::Serve,
        };
        if leaving && !self.inventory.of(&name).is_ours() {
            return None;
        }
        let wanted = if system.stage == Stage::Retired { self.storage_held(&name) } else { system.wanted.clone() };
        let retained_since = self.retained_since(&name, leaving && goal == Goal::Close);
        let namespace = Namespace {
            name,
            system: Some(system.name.clone()),
            display_name: system.display_name.clone(),
            access: Access::of(system.stage),
            running: system.running,
            within_system: system.within_system,
            retained_since,
        };
        Some(NamespaceTarget { namespace, goal, adopts: system.adopts_namespace, wanted, follows: system.follows.clone() })
    }

    /// A namespace whose system is there and cannot be served: its share and its stage stay, the tenant's contract goes on.
    /// Where nobody knows its stage any more, it stays as it is.
    fn unserved(&self, system: &SystemName, root: &SystemRoot) -> Option<NamespaceTarget> {
        let name = self.tenant.name.workload(system);
        let entry = self.inventory.of(&name).ours()?;
        let stage = if self.tenant.deleting { Stage::Retired } else { root.status.stage? };
        let (access, goal) = match stage {
            Stage::Testing | Stage::Running if self.tenant.suspended => (Access::Suspended, Goal::Serve),
            Stage::Retired => (Access::Closed, Goal::Close),
            stage => (Access::of(stage), Goal::Serve),
        };
        let wanted = if access == Access::Closed { self.storage_held(&name) } else { self.share_held(&name, system) };
        let retained_since = self.retained_since(&name, goal == Goal::Close && (self.tenant.deleting || root.deleting));
        let namespace = Namespace {
            name,
            system: Some(system.clone()),
            display_name: entry.display_name.to_string(),
            access,
            running: stage == Stage::Running,
            within_system: entry.within_system,
            retained_since,
        };
        Some(NamespaceTarget { namespace, goal, adopts: false, wanted, follows: Follows::new() })
    }

    /// Namespaces whose system is not declared: those whose system was deleted are closed and kept, those whose system may
    /// only not be declared yet stay untouched.
    fn undeclared(&self, intent: &Intent) -> (Vec<NamespaceTarget>, Vec<NamespaceName>) {
        let declared: BTreeSet<&SystemName> = intent.systems.iter().map(|(name, _)| name).collect();
        let (mut closed, mut untouched) = (Vec::new(), Vec::new());
        for (name, entry) in self.inventory.ours() {
            let Some(system) = name.system().filter(|system| !declared.contains(system)) else { continue };
            if self.is_awaited(entry) && !self.tenant.deleting {
                untouched.push(name.clone());
            } else {
                closed.push(self.left_behind(name, system, entry));
            }
        }
        (closed, untouched)
    }

    /// Whether the system of a namespace may yet be declared: its tenant was taken over, or the definitions were installed anew.
    fn is_awaited(&self, entry: &Entry) -> bool {
        let former = self.tenant.identity.adopts.as_deref() == Some(&*entry.tenant_uid);
        former || entry.created < self.snapshot.crds.created
    }

    fn left_behind(&self, name: &NamespaceName, system: SystemName, entry: &Entry) -> NamespaceTarget {
        let namespace = Namespace {
            name: name.clone(),
            system: Some(system),
            display_name: entry.display_name.to_string(),
            access: Access::Closed,
            running: false,
            within_system: WithinSystem::default(),
            retained_since: self.retained_since(name, true),
        };
        NamespaceTarget { namespace, goal: Goal::Close, adopts: false, wanted: self.storage_held(name), follows: Follows::new() }
    }

    /// Since when a namespace is kept though its tenant or system was deleted: from the first time that the operator sees so.
    fn retained_since(&self, namespace: &NamespaceName, is_retained: bool) -> Option<i64> {
        let known = self.inventory.of(namespace).ours().map(|entry| entry.retained_since).filter(|since| *since > 0);
        is_retained.then(|| known.unwrap_or_else(|| self.snapshot.now.as_second()))
    }

    /// The share that a system holds, whatever it asks for: as the ledger says, or its quota where that was lost.
    fn share_held(&self, namespace: &NamespaceName, system: &SystemName) -> Amounts {
        match self.ledger.and_then(|ledger| ledger.get(system)) {
            Some(share) => share.hard.clone(),
            None => self.inventory.of(namespace).quota.map(|quota| (*quota.wanted).clone()).unwrap_or_default(),
        }
    }

    /// What a closed namespace still occupies: its volumes.
    fn storage_held(&self, namespace: &NamespaceName) -> Amounts {
        let Some(quota) = self.inventory.of(namespace).quota else { return Amounts::new() };
        let volumes = |key: &str| key.ends_with("requests.storage") || key.ends_with("persistentvolumeclaims");
        let known = if quota.counted { &quota.used } else { &*quota.wanted };
        known.iter().filter(|(key, _)| volumes(key)).map(|(key, amount)| (key.clone(), *amount)).collect()
    }
}
