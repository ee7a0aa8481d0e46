//! What the operator has done and found lately and no watch tells: when a tenant was last written, and the pods that were looked for.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use govcloud_core::model::{
    ending::Ending,
    names::{NamespaceName, TenantName},
    outcome::Outcome,
    snapshot::Snapshot,
    tags::Tags,
};

/// What is remembered, by tenant.
#[derive(Default)]
pub struct Memory(Mutex<BTreeMap<TenantName, Remembered>>);

#[derive(Default)]
struct Remembered {
    /// When a child was written last.
    written: Option<Instant>,
    /// When the status was written last.
    told: Option<Instant>,
    /// Pods by tag. Forgotten where no digests are required any more, so that they are looked for when they are again.
    tags: BTreeMap<NamespaceName, Tags>,
    /// Pods in namespaces that are to have none.
    ending: BTreeMap<NamespaceName, Ending>,
}

impl Memory {
    /// Fills in what is remembered of a tenant, or forgets it with the tenant.
    pub fn recall(&self, snapshot: &mut Snapshot) {
        let mut memory = self.all();
        if snapshot.tenant.is_none() && snapshot.observed.is_empty() {
            memory.remove(&snapshot.name);
        } else if let Some(remembered) = memory.get(&snapshot.name) {
            snapshot.since_write = remembered.written.map(|time| time.elapsed());
            snapshot.since_status = remembered.told.map(|time| time.elapsed());
            snapshot.tags.clone_from(&remembered.tags);
            snapshot.ending.clone_from(&remembered.ending);
        }
    }

    /// Notes what became of changes.
    pub fn written(&self, tenant: &TenantName, outcome: &Outcome) {
        if outcome.written() > 0 {
            self.all().entry(tenant.clone()).or_default().written = Some(Instant::now());
        }
    }

    /// Notes that a tenant's status was written.
    pub fn told(&self, tenant: &TenantName) {
        self.all().entry(tenant.clone()).or_default().told = Some(Instant::now());
    }

    /// Keeps which pods were found in these namespaces, and forgets the rest.
    pub fn keep_pods(&self, snapshot: Snapshot, namespaces: &BTreeSet<NamespaceName>) {
        let Snapshot { name, mut tags, mut ending, .. } = snapshot;
        tags.retain(|namespace, _| namespaces.contains(namespace));
        ending.retain(|namespace, _| namespaces.contains(namespace));
        let mut memory = self.all();
        if !tags.is_empty() || !ending.is_empty() || memory.contains_key(&name) {
            let remembered = memory.entry(name).or_default();
            (remembered.tags, remembered.ending) = (tags, ending);
        }
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<TenantName, Remembered>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
