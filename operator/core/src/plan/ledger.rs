//! The ledger of a tenant: what each of its systems may hold at most. It is what makes two operators at once safe.
//!
//! Its sum never exceeds the total being served, and no quota holds more than its entry. Each entry has an epoch, and each
//! quota says for which epoch it was last written. Two rules follow:
//!
//! - A quota is raised only while its entry's epoch is ahead of its own, and takes that epoch on with the same write. So a
//!   raise always comes after a write of the ledger, with the ledger's resourceVersion.
//! - An entry is lowered only when the quota shows the entry's epoch, is in force below and what is used fits. So no raise
//!   that was decided before can still come: its resourceVersion is no longer the quota's.

use std::collections::BTreeMap;

use crate::{
    api::tenant_status::GrantEntry,
    model::{
        amounts::{Amount, Amounts, amounts, of, resources},
        names::SystemName,
        observed::QuotaState,
    },
};

/// Entries by system.
pub type Ledger = BTreeMap<SystemName, Share>;

/// One entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// Grows with each raise.
    pub epoch: i64,
    /// The most that the system's quota may hold.
    pub hard: Amounts,
}

/// Reads the ledger as it stands in the status; what is unreadable of it counts as not there.
#[must_use]
pub fn read(entries: &[GrantEntry]) -> Ledger {
    let share = |entry: &GrantEntry| Share { epoch: entry.epoch, hard: amounts(&entry.hard).unwrap_or_default() };
    entries.iter().map(|entry| (SystemName::new(entry.system.as_str()), share(entry))).collect()
}

/// The ledger as it stands in the status.
#[must_use]
pub fn entries(ledger: &Ledger) -> Vec<GrantEntry> {
    let entry = |(system, share): (&SystemName, &Share)| GrantEntry {
        system: system.to_string(),
        epoch: share.epoch,
        hard: resources(&share.hard),
    };
    ledger.iter().map(entry).collect()
}

/// Whether the next ledger must be written before any quota follows it: something in it is raised.
#[must_use]
pub fn rises(from: &Ledger, to: &Ledger) -> bool {
    to.iter().any(|(system, next)| {
        let raised = |before: &Share| next.epoch > before.epoch || next.hard.iter().any(|(key, amount)| *amount > of(&before.hard, key));
        from.get(system).is_none_or(raised)
    })
}

impl Share {
    /// An entry for what a quota holds already: where the ledger was lost, everything stays as it is.
    #[must_use]
    pub fn found(quota: &QuotaState, holding: Amounts) -> Self {
        Self { epoch: quota.epoch, hard: some(holding) }
    }

    /// What is left of the entry of a system that wants so much: what its quota holds and, as long as a raise that was decided
    /// before could still come, all of it.
    #[must_use]
    pub fn kept(&self, wanted: &Amounts, shown: Option<&QuotaState>, held: &Amounts) -> Amounts {
        let settled = shown.is_some_and(|quota| quota.counted && quota.epoch >= self.epoch);
        let kept = |(key, old): (&String, &Amount)| {
            let least = if settled { of(wanted, key).max(of(held, key)) } else { *old };
            (key.clone(), least.min(*old))
        };
        self.hard.iter().map(kept).collect()
    }

    /// The next entry of a system that is to hold `target`. `shown` is its quota, which is to be `written` as that, `held` what
    /// the quota holds. One that does not show may still come, so nothing is lowered without it.
    #[must_use]
    pub fn next(&self, target: &Amounts, written: &Amounts, shown: Option<&QuotaState>, held: &Amounts) -> Self {
        let mut hard = target.clone();
        for (key, kept) in self.kept(target, shown, held) {
            let amount = of(&hard, &key).max(kept);
            hard.insert(key, amount);
        }
        let hard = some(hard);
        let above = |amounts: &Amounts, below: &Amounts| amounts.iter().any(|(key, amount)| *amount > of(below, key));
        // Where the quota is not raised it need not know that the entry was.
        let raised = match shown {
            None => above(&hard, &self.hard),
            Some(quota) => above(written, &quota.wanted) && (above(&hard, &self.hard) || quota.epoch >= self.epoch),
        };
        let last = self.epoch.max(shown.map_or(0, |quota| quota.epoch));
        Self { epoch: if raised { last + 1 } else { self.epoch }, hard }
    }
}

fn some(amounts: Amounts) -> Amounts {
    amounts.into_iter().filter(|(_, amount)| *amount > Amount::ZERO).collect()
}

#[cfg(test)]
mod tests;
