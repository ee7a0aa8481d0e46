//! What the operator has done and found lately and no watch tells: when a tenant was last written, and the pods that were looked for.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use govcloud_core::{
    api::conditions::reason,
    model::{
        ending::Ending,
        names::{NamespaceName, TenantName},
        outcome::Outcome,
        snapshot::{Question, Snapshot},
        tags::Tags,
    },
};
use parking_lot::{Mutex, MutexGuard};

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
    /// Since when the API server refuses an object, by namespace.
    refused: BTreeMap<NamespaceName, Instant>,
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
            snapshot.refused_for = remembered.refused.iter().map(|(namespace, since)| (namespace.clone(), since.elapsed())).collect();
            snapshot.tags.clone_from(&remembered.tags);
            snapshot.ending.clone_from(&remembered.ending);
        }
    }

    /// Notes what became of changes.
    pub fn written(&self, tenant: &TenantName, outcome: &Outcome) {
        let (mut memory, now) = (self.all(), Instant::now());
        let remembered = memory.entry(tenant.clone()).or_default();
        if outcome.written() > 0 {
            remembered.written = Some(now);
        }
        for (namespace, space) in &outcome.namespaces {
            if space.failures.iter().any(|failure| failure.reason == reason::REFUSED) {
                remembered.refused.entry(namespace.clone()).or_insert(now);
            } else {
                remembered.refused.remove(namespace);
            }
        }
    }

    /// Forgets since when objects are refused, where none is any more.
    pub fn keep_refused(&self, tenant: &TenantName, outcome: &Outcome) {
        if let Some(remembered) = self.all().get_mut(tenant) {
            let is_refused = |namespace: &NamespaceName| {
                let space = outcome.namespaces.get(namespace);
                space.is_some_and(|space| space.failures.iter().any(|failure| failure.reason == reason::REFUSED))
            };
            remembered.refused.retain(|namespace, _| is_refused(namespace));
        }
    }

    /// Notes that a tenant's status was written.
    pub fn told(&self, tenant: &TenantName) {
        self.all().entry(tenant.clone()).or_default().told = Some(Instant::now());
    }

    /// Notes what was found of a tenant's pods.
    pub fn found_pods(&self, snapshot: &Snapshot) {
        let mut memory = self.all();
        let remembered = memory.entry(snapshot.name.clone()).or_default();
        remembered.tags.clone_from(&snapshot.tags);
        remembered.ending.clone_from(&snapshot.ending);
    }

    /// Forgets what was found of pods, but where that is still asked.
    pub fn keep_pods(&self, tenant: &TenantName, asked: &BTreeSet<Question>) {
        if let Some(remembered) = self.all().get_mut(tenant) {
            remembered.tags.retain(|namespace, _| asked.contains(&Question::PodsByTag(namespace.clone())));
            remembered.ending.retain(|namespace, _| asked.contains(&Question::PodsLeft(namespace.clone())));
        }
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<TenantName, Remembered>> {
        self.0.lock()
    }
}
