//! The quota of a tenant in two futures: what is handed out, what waits, and what is used beyond it.

use super::foresight::Foreseen;
use crate::{
    model::amounts::{Amount, of},
    plan::{Goal, inventory::Inventory, quota::Grant},
};

/// What there is to say, a line each; nothing where nothing changes and nothing waits.
#[must_use]
pub fn lines(before: &Foreseen, after: &Foreseen) -> Vec<String> {
    let (old, new) = (&before.plan.allocation, &after.plan.allocation);
    let totals = new.total.iter().filter(|(key, total)| {
        **total > Amount::ZERO && (of(&old.total, key) != **total || of(&old.allocated, key) != of(&new.allocated, key))
    });
    let totals = totals.map(|(key, total)| {
        let handed = of(&new.allocated, key);
        let free = total.minus(handed);
        let [total, handed, free, former] = [*total, handed, free, of(&old.allocated, key)].map(|amount| amount.text(key));
        format!("{key}: {handed} of {total} handed out, {free} free (now {former})")
    });
    let serves = |system| after.plan.namespaces.iter().any(|space| space.system.as_ref() == Some(system) && space.goal == Goal::Serve);
    let systems = new.grants.iter().filter(|(system, _)| serves(system));
    let systems = systems.filter_map(|(system, grant)| share(system.as_str(), old.grants.get(system), grant));
    let lowering = new
        .lowering
        .iter()
        .map(|numbers| format!("the former total stays in force until the systems hold no more than the new one: {numbers}"));
    totals.chain(systems).chain(lowering).chain(used_beyond(&after.inventory()).collect::<Vec<_>>()).collect()
}

fn share(system: &str, former: Option<&Grant>, grant: &Grant) -> Option<String> {
    if let Some(numbers) = &grant.waiting {
        return Some(format!("hostedsystem/{system} waits: {numbers}"));
    }
    let changed = grant.hard.iter().filter_map(|(key, amount)| {
        let before = former.map_or(Amount::ZERO, |former| of(&former.hard, key));
        (before != *amount).then(|| format!("{key}: {} becomes {}", before.text(key), amount.text(key)))
    });
    let changed: Vec<String> = changed.collect();
    (!changed.is_empty()).then(|| format!("hostedsystem/{system} fits: {}", changed.join("; ")))
}

/// What runs goes on, and nothing new is admitted until less is used.
fn used_beyond(inventory: &Inventory) -> impl Iterator<Item = String> {
    inventory.quotas().flat_map(|(namespace, quota)| {
        let beyond = quota.used.iter().filter(|(key, used)| **used > of(&quota.wanted, key));
        beyond.map(move |(key, used)| {
            let [used, hard] = [*used, of(&quota.wanted, key)].map(|amount| amount.text(key));
            format!("namespace {namespace}: {key}: {used} is used and {hard} allowed; what runs goes on, and nothing new is admitted until less is used")
        })
    })
}
