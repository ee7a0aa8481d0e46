//! Repairs of the same object in a row: the first happen at once, later ones wait ever longer, so that a program that keeps changing an
//! object does not set the operator's pace.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use govcloud_core::model::observed::ChildKey;
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
    by_object: HashMap<ChildKey, Record>,
    /// Beyond so many, old ones are dropped.
    tidy_at: usize,
}

struct Record {
    purpose: u64,
    count: u32,
    last: Instant,
}

impl Repairs {
    /// Says whether the object may be written now. What it is written for counts: another purpose is no repair.
    ///
    /// # Errors
    /// `RepairThrottled`, as long as it must wait.
    pub fn allow(&self, key: &ChildKey, purpose: u64, now: Instant) -> Result<(), Error> {
        let records = self.0.lock();
        let Some(record) = records.by_object.get(key).filter(|record| record.purpose == purpose && record.count > FREE_REPAIRS) else {
            return Ok(());
        };
        let wait = BACKOFF.after(record.count - FREE_REPAIRS - 1);
        if now.saturating_duration_since(record.last) < wait { Err(Error::RepairThrottled) } else { Ok(()) }
    }

    /// Notes that the object was written.
    pub fn note(&self, key: ChildKey, purpose: u64, now: Instant) {
        let mut records = self.0.lock();
        if records.by_object.len() > records.tidy_at.max(SWEEP_ABOVE) {
            records.by_object.retain(|_, record| now.saturating_duration_since(record.last) < FORGET_AFTER);
            records.tidy_at = 2 * records.by_object.len();
        }
        let record = records.by_object.entry(key).or_insert(Record { purpose, count: 0, last: now });
        if record.purpose != purpose || now.saturating_duration_since(record.last) >= FORGET_AFTER {
            *record = Record { purpose, count: 0, last: now };
        }
        record.count += 1;
        record.last = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use govcloud_core::model::names::NamespaceName;

    fn key() -> ChildKey {
        ChildKey { namespace: NamespaceName::new("health--web"), kind: 1, name: "govcloud-isolation".into() }
    }

    /// Repairs at once for as long as that is allowed; how many there were within so many seconds.
    fn immediate_repairs(seconds: u64) -> u32 {
        let (repairs, begin) = (Repairs::default(), Instant::now());
        let tries = (0..seconds * 100).map(|hundredths| begin + Duration::from_millis(hundredths * 10));
        let allowed = |now: &Instant| repairs.allow(&key(), 7, *now).inspect(|()| repairs.note(key(), 7, *now)).is_ok();
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
            let key = ChildKey { name: number.to_string().into(), ..key() };
            repairs.note(key, 7, begin + FORGET_AFTER * u32::try_from(number / SWEEP_ABOVE).unwrap());
        }
        let known = repairs.0.lock().by_object.len();
        assert!((SWEEP_ABOVE..=2 * SWEEP_ABOVE).contains(&known), "{known}");
    }

    #[test]
    fn another_purpose_and_a_quiet_minute_begin_anew() {
        let (repairs, now) = (Repairs::default(), Instant::now());
        for _ in 0..9 {
            repairs.note(key(), 7, now);
        }
        assert!(matches!(repairs.allow(&key(), 7, now), Err(Error::RepairThrottled)));
        assert!(repairs.allow(&key(), 8, now).is_ok());
        assert!(repairs.allow(&key(), 7, now + BACKOFF.longest).is_ok());
        repairs.note(key(), 7, now + FORGET_AFTER);
        assert!(repairs.allow(&key(), 7, now + FORGET_AFTER).is_ok());
    }
}
