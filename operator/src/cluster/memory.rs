//! What the operator has done and found lately and no watch tells: when a tenant was last written, and its pods by tag.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use govcloud_core::model::{
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
            snapshot.tags = remembered.tags.clone();
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

    /// Keeps what was found in these namespaces, and forgets the rest.
    pub fn keep_tags(&self, tenant: &TenantName, mut tags: BTreeMap<NamespaceName, Tags>, namespaces: &[NamespaceName]) {
        tags.retain(|namespace, _| namespaces.contains(namespace));
        let mut memory = self.all();
        if !tags.is_empty() || memory.contains_key(tenant) {
            memory.entry(tenant.clone()).or_default().tags = tags;
        }
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<TenantName, Remembered>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
