//! What the metrics tell of the store.

use std::collections::BTreeMap;

use govcloud_core::api::{Condition, Stage, approval::TenantStage};

use super::{
    Store,
    contents::{Contents, Shard},
};

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

impl Store {
    /// Number of objects: tenants, systems, children.
    pub fn sizes(&self) -> [(&'static str, usize); 3] {
        let contents = self.contents();
        let sum = |size: fn(&Shard) -> usize| contents.shards.values().map(size).sum();
        [
            ("agencytenants", sum(|shard| usize::from(shard.root.is_some()))),
            ("hostedsystems", sum(|shard| shard.systems.len())),
            ("children", sum(|shard| shard.children.len())),
        ]
    }

    /// Agency tenants by stage.
    pub fn tenant_stages(&self) -> BTreeMap<&'static str, usize> {
        let contents = self.contents();
        let roots = contents.shards.values().filter_map(|shard| shard.root.as_ref());
        count(roots.map(|root| root.status.stage.map_or("None", TenantStage::as_str)))
    }

    /// Hosted systems by stage that holds.
    pub fn system_stages(&self) -> BTreeMap<&'static str, usize> {
        let contents = self.contents();
        let roots = contents.shards.values().flat_map(|shard| shard.systems.values());
        count(roots.map(|root| root.status.stage.map_or("None", Stage::as_str)))
    }

    /// Tenants and systems by the conditions in their status.
    pub fn conditions(&self) -> Vec<(Judged, usize)> {
        let contents = self.contents();
        let judged = count(
            all_conditions(&contents)
                .map(|(resource, condition)| (resource, condition.kind.as_str(), condition.status.as_str(), condition.reason.as_str())),
        );
        let owned = |((resource, condition, status, reason), number): ((_, &str, &str, &str), _)| {
            (Judged { resource, condition: condition.to_owned(), status: status.to_owned(), reason: reason.to_owned() }, number)
        };
        judged.into_iter().map(owned).collect()
    }
}

fn all_conditions(contents: &Contents) -> impl Iterator<Item = (&'static str, &Condition)> {
    contents.shards.values().flat_map(|shard| {
        let of_tenant = shard.root.iter().flat_map(|root| &root.status.conditions).map(|condition| ("agencytenants", condition));
        let of_systems = shard.systems.values().flat_map(|root| &root.status.conditions).map(|condition| ("hostedsystems", condition));
        of_tenant.chain(of_systems)
    })
}

fn count<Key: Ord>(keys: impl Iterator<Item = Key>) -> BTreeMap<Key, usize> {
    let mut counts = BTreeMap::new();
    for key in keys {
        *counts.entry(key).or_default() += 1;
    }
    counts
}
