//! How often events that anybody writes are news of a tenant: members may write events, and each could otherwise make a status.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use govcloud_core::model::names::TenantName;

/// Events of a tenant are news at most so often.
const INTERVAL: Duration = Duration::from_secs(10);

/// When each tenant's events were news last, and whose are still to be.
#[derive(Default)]
pub(super) struct Pace {
    last: BTreeMap<TenantName, Instant>,
    late: BTreeSet<TenantName>,
}

impl Pace {
    /// Whether this is news at once; else it will be later.
    pub fn admits(&mut self, tenant: &TenantName, now: Instant) -> bool {
        let admitted = !self.rests(tenant, now);
        if admitted {
            self.last.insert(tenant.clone(), now);
        } else {
            self.late.insert(tenant.clone());
        }
        admitted
    }

    /// The tenants whose events have become news by now.
    pub fn due(&mut self, now: Instant) -> BTreeSet<TenantName> {
        self.last.retain(|_, last| now.duration_since(*last) < INTERVAL);
        let resting = self.late.iter().filter(|tenant| self.last.contains_key(*tenant)).cloned().collect();
        let due = std::mem::replace(&mut self.late, resting);
        let due: BTreeSet<TenantName> = due.difference(&self.late).cloned().collect();
        self.last.extend(due.iter().map(|tenant| (tenant.clone(), now)));
        due
    }

    /// Whether events wait to be news.
    pub fn is_late(&self) -> bool {
        !self.late.is_empty()
    }

    fn rests(&self, tenant: &TenantName, now: Instant) -> bool {
        self.last.get(tenant).is_some_and(|last| now.duration_since(*last) < INTERVAL)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_many_events_there_are_they_are_news_once_in_an_interval_and_none_is_lost() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        let [one, other] = ["one", "other"].map(TenantName::new);
        assert!(pace.admits(&one, start));
        for second in 1..10 {
            assert!(!pace.admits(&one, start + Duration::from_secs(second)));
            assert!(pace.due(start + Duration::from_secs(second)).is_empty());
        }
        assert!(pace.admits(&other, start), "another tenant's");
        assert_eq!(pace.due(start + INTERVAL), BTreeSet::from([one.clone()]));
        assert!(!pace.admits(&one, start + INTERVAL), "it was news just now");
        assert!(pace.due(start + INTERVAL).is_empty());
        assert_eq!(pace.due(start + INTERVAL * 2), BTreeSet::from([one]));
        assert!(pace.due(start + INTERVAL * 4).is_empty());
    }
}
