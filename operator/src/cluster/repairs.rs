//! Repairs of the same object in a row: the first happen at once, later ones wait ever longer, so that a program that keeps changing an
//! object does not set the operator's pace. A change of what is wanted in a namespace is no repair, and all in it begins anew.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use govcloud_core::{
    children::difference::Contender,
    model::{
        names::{NamespaceName, TenantName},
        observed::ChildKey,
    },
};
use parking_lot::Mutex;

use super::backoff::Backoff;
use crate::error::Error;

/// Repairs that come at once.
const FREE_REPAIRS: u32 = 5;
/// Waits before a further one.
const BACKOFF: Backoff = Backoff { first: Duration::from_millis(500), longest: Duration::from_secs(10) };
/// Repairs of an object that nobody changed for so long begin anew.
const FORGET_AFTER: Duration = Duration::from_mins(1);
/// Records below which dropping old ones is not worth the while.
const SWEEP_ABOVE: usize = 256;

/// The last repairs.
#[derive(Default)]
pub struct Repairs(Mutex<Records>);

#[derive(Default)]
struct Records {
    /// A namespace in the name of a tenant, since objects in cluster scope have none of their own.
    by_namespace: HashMap<(TenantName, NamespaceName), Space>,
    /// Beyond so many, old ones are dropped.
    tidy_at: usize,
}

/// What was written in one namespace while the same was wanted there.
struct Space {
    wanted: u64,
    last: Instant,
    by_object: HashMap<ChildKey, Record>,
}

struct Record {
    count: u32,
    last: Instant,
    /// What another program keeps changing, where that is known.
    contender: Option<Contender>,
}

fn place(key: &ChildKey) -> (TenantName, NamespaceName) {
    (key.tenant(), key.namespace.clone())
}

impl Repairs {
    /// Says whether the object may be written now, while this is wanted in its namespace. `undone` says what another program does to it.
    ///
    /// # Errors
    /// `RepairThrottled`, as long as it must wait.
    pub fn allow(&self, key: &ChildKey, wanted: u64, now: Instant, undone: &str) -> Result<(), Error> {
        let records = self.0.lock();
        let space = records.by_namespace.get(&place(key)).filter(|space| space.wanted == wanted);
        let Some(record) = space.and_then(|space| space.by_object.get(key)).filter(|record| record.count > FREE_REPAIRS) else {
            return Ok(());
        };
        let wait = BACKOFF.after(record.count - FREE_REPAIRS - 1);
        if now.saturating_duration_since(record.last) >= wait {
            return Ok(());
        }
        let named = record.contender.as_ref().map(|other| format!("{} keeps changing {}", other.program, other.field));
        Err(Error::RepairThrottled(named.unwrap_or_else(|| undone.to_owned())))
    }

    /// Notes who changed an object that is about to be repaired once more.
    pub fn blame(&self, key: &ChildKey, contender: impl FnOnce() -> Contender) {
        let mut records = self.0.lock();
        let space = records.by_namespace.get_mut(&place(key));
        if let Some(record) = space.and_then(|space| space.by_object.get_mut(key)) {
            record.contender = Some(contender());
        }
    }

    /// Notes that the object was written.
    pub fn note(&self, key: &ChildKey, wanted: u64, now: Instant) {
        let mut records = self.0.lock();
        if records.by_namespace.len() > records.tidy_at.max(SWEEP_ABOVE) {
            records.by_namespace.retain(|_, space| now.saturating_duration_since(space.last) < FORGET_AFTER);
            records.tidy_at = 2 * records.by_namespace.len();
        }
        let new = || Space { wanted, last: now, by_object: HashMap::new() };
        let space = records.by_namespace.entry(place(key)).or_insert_with(new);
        if space.wanted != wanted {
            *space = new();
        }
        space.last = now;
        space.by_object.retain(|_, record| now.saturating_duration_since(record.last) < FORGET_AFTER);
        let record = space.by_object.entry(key.clone()).or_insert(Record { count: 0, last: now, contender: None });
        record.count += 1;
        record.last = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> ChildKey {
        ChildKey { namespace: NamespaceName::new("health--web"), kind: 1, name: "govcloud-isolation".into() }
    }

    fn words(repairs: &Repairs, wanted: u64, now: Instant) -> Option<String> {
        repairs.allow(&key(), wanted, now, "another program keeps deleting it").err().map(|error| error.to_string())
    }

    /// Repairs at once for as long as that is allowed; how many there were within so many seconds.
    fn immediate_repairs(seconds: u64) -> u32 {
        let (repairs, begin) = (Repairs::default(), Instant::now());
        let tries = (0..seconds * 100).map(|hundredths| begin + Duration::from_millis(hundredths * 10));
        let allowed = |now: &Instant| repairs.allow(&key(), 7, *now, "").inspect(|()| repairs.note(&key(), 7, *now)).is_ok();
        u32::try_from(tries.filter(allowed).count()).unwrap()
    }

    #[test]
    fn repairs_of_the_same_object_back_off() {
        assert_eq!(immediate_repairs(1), FREE_REPAIRS + 2);
        assert_eq!(immediate_repairs(60), FREE_REPAIRS + 10, "0.5 + 1 + 2 + 4 + 8 s, then every 10 s");
    }

    #[test]
    fn old_records_are_dropped_once_they_are_many() {
        let (repairs, begin) = (Repairs::default(), Instant::now());
        for number in 0..3 * SWEEP_ABOVE {
            let key = ChildKey { namespace: NamespaceName::new(format!("health--{number}")), ..key() };
            repairs.note(&key, 7, begin + FORGET_AFTER * u32::try_from(number / SWEEP_ABOVE).unwrap());
        }
        let known = repairs.0.lock().by_namespace.len();
        assert!((SWEEP_ABOVE..=2 * SWEEP_ABOVE).contains(&known), "{known}");
    }

    #[test]
    fn another_wish_for_the_namespace_and_a_quiet_minute_begin_anew() {
        let (repairs, now) = (Repairs::default(), Instant::now());
        let many = || (0..9).for_each(|_| repairs.note(&key(), 7, now));
        many();
        assert!(words(&repairs, 7, now).is_some());
        assert_eq!(words(&repairs, 8, now), None);
        assert_eq!(words(&repairs, 7, now + BACKOFF.longest), None);
        // Another object of the namespace is written because something else is wanted, and then the former is wanted again.
        let beside = ChildKey { kind: 0, name: "health--web".into(), ..key() };
        repairs.note(&beside, 8, now);
        repairs.note(&beside, 7, now);
        assert_eq!(words(&repairs, 7, now), None, "what was written for the former wish does not count any more");
        many();
        repairs.note(&key(), 7, now + FORGET_AFTER);
        assert_eq!(words(&repairs, 7, now + FORGET_AFTER), None);
    }

    #[test]
    fn in_cluster_scope_one_tenant_does_not_count_for_another() {
        let (repairs, now) = (Repairs::default(), Instant::now());
        let access = |tenant: &str| ChildKey {
            namespace: NamespaceName::cluster(),
            kind: 6,
            name: format!("{}{tenant}", govcloud_core::model::names::TENANT_ROLE_PREFIX).into(),
        };
        for _ in 0..9 {
            repairs.note(&access("health"), 7, now);
            repairs.note(&access("water"), 8, now);
        }
        assert!(repairs.allow(&access("health"), 7, now, "").is_err() && repairs.allow(&access("water"), 8, now, "").is_err());
    }

    #[test]
    fn whoever_changes_an_object_again_and_again_is_named_with_the_field() {
        let (repairs, now) = (Repairs::default(), Instant::now());
        let insistent = || Contender { field: "spec.egress".into(), program: "field manager \"x\"".into() };
        repairs.blame(&key(), || unreachable!("nothing was repaired yet"));
        (0..9).for_each(|_| repairs.note(&key(), 7, now));
        let told = words(&repairs, 7, now).unwrap();
        assert!(told.starts_with("another program keeps deleting it; the operator restores it at growing intervals"), "{told}");
        repairs.blame(&key(), insistent);
        let told = words(&repairs, 7, now).unwrap();
        assert!(told.starts_with("field manager \"x\" keeps changing spec.egress; the operator"), "{told}");
    }
}
