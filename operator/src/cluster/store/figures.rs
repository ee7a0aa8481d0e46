//! What the metrics tell of the store.

use std::collections::BTreeMap;

use govcloud_core::api::{Condition, Stage, approval::TenantStage};

use super::contents::Contents;

/// Tenants or systems whose condition has the same status and reason.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Judged {
    /// Of which kind they are.
    pub resource: &'static str,
    /// Type of the condition.
    pub condition: String,
    /// Its status.
    pub status: String,
    /// Its reason.
    pub reason: String,
}

/// What there is, in numbers.
pub struct Figures {
    /// Number of objects: tenants, systems, children.
    pub objects: [(&'static str, usize); 3],
    /// Agency tenants by stage.
    pub tenants: BTreeMap<&'static str, usize>,
    /// Hosted systems by the stage that holds.
    pub systems: BTreeMap<&'static str, usize>,
    /// Tenants and systems by the conditions in their status.
    pub conditions: BTreeMap<Judged, usize>,
}

impl Figures {
    pub(super) fn of(contents: &Contents) -> Self {
        let shards = || contents.shards.values();
        let systems = || shards().flat_map(|shard| shard.systems.values());
        Self {
            objects: [
                ("agencytenants", shards().filter(|shard| shard.root.is_some()).count()),
                ("hostedsystems", systems().count()),
                ("children", shards().map(|shard| shard.children.len()).sum()),
            ],
            tenants: count(
                shards().filter_map(|shard| shard.root.as_ref()).map(|root| root.status.stage.map_or("None", TenantStage::as_str)),
            ),
            systems: count(systems().map(|root| root.status.stage.map_or("None", Stage::as_str))),
            conditions: count(all_conditions(contents)).into_iter().map(|(key, number)| (judged(key), number)).collect(),
        }
    }
}

/// A condition in words that are not copied until all are counted.
type Key<'a> = (&'static str, &'a str, &'a str, &'a str);

fn judged((resource, condition, status, reason): Key) -> Judged {
    Judged { resource, condition: condition.to_owned(), status: status.to_owned(), reason: reason.to_owned() }
}

fn all_conditions(contents: &Contents) -> impl Iterator<Item = Key<'_>> {
    let roots = contents.shards.values().flat_map(|shard| {
        let of_tenant = shard.root.iter().map(|root| ("agencytenants", &root.status.conditions));
        of_tenant.chain(shard.systems.values().map(|root| ("hostedsystems", &root.status.conditions)))
    });
    roots.flat_map(|(resource, conditions)| conditions.iter().map(move |condition| key(resource, condition)))
}

fn key<'a>(resource: &'static str, condition: &'a Condition) -> Key<'a> {
    (resource, &condition.kind, &condition.status, &condition.reason)
}

fn count<Key: Ord>(keys: impl Iterator<Item = Key>) -> BTreeMap<Key, usize> {
    let mut counts = BTreeMap::new();
    for key in keys {
        *counts.entry(key).or_default() += 1;
    }
    counts
}
