//! Who leads: decided from the record of the lease and from when this process first saw it in its present form. Clocks of
//! two machines are never compared: the times in the record are for people.
//!
//! No client and no clock here. A [`Moment`] is the time since the process began, by a clock that never goes back. It
//! goes on while the process is halted; it may stand still while the whole machine sleeps, and then a sleeper knows nothing
//! of the time that it missed until it looks at the record. What it writes until then is caught by the version and UID that
//! its writes carry.

use std::time::Duration;

use k8s_openapi::{api::coordination::v1::LeaseSpec, apimachinery::pkg::apis::meta::v1::MicroTime};

/// A record that nobody has renewed for so long is free to take.
pub const LEASE_DURATION: Duration = Duration::from_secs(10);
/// So long after the last renewal was *sent* its holder may write; shorter than the lease, so that it has ended before
/// anybody else begins.
pub const RENEW_DEADLINE: Duration = Duration::from_secs(7);
/// A released record lasts no longer than this, as client-go has it: for candidates that overlook the empty holder.
const RELEASED: Duration = Duration::from_secs(1);

/// Time since the process began.
pub type Moment = Duration;

/// The record, as this process saw it last.
#[derive(Debug, Default)]
pub struct Observation {
    /// What it says; after it was deleted, what it said before.
    spec: Option<LeaseSpec>,
    /// Whether there is no such object.
    missing: bool,
    /// When it was first seen in this form.
    since: Moment,
}

/// What a candidate may do about the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// There is none: create it.
    Create,
    /// It is free: take it.
    Take,
    /// It is one's own: renew it.
    Renew,
    /// It is somebody else's, or may be.
    Wait,
}

/// What becomes of a record that was observed like this.
pub fn decide(seen: &Observation, now: Moment, me: &str) -> Decision {
    let holder = seen.holder();
    if !holder.is_empty() && holder != me && now < seen.since + seen.lasts() {
        // A record that vanished is its holder's as long as that one may believe so.
        return Decision::Wait;
    }
    match seen {
        Observation { spec: None, .. } | Observation { missing: true, .. } => Decision::Create,
        _ if holder == me => Decision::Renew,
        _ => Decision::Take,
    }
}

impl Observation {
    /// Takes in what the API server said at this moment; `None` is the absence of the object.
    pub fn see(&mut self, spec: Option<LeaseSpec>, now: Moment) {
        let same = if spec.is_some() { !self.missing && self.spec == spec } else { self.missing };
        if !same {
            self.since = now;
        }
        self.missing = spec.is_none();
        self.spec = spec.or(self.spec.take());
    }

    /// Whoever holds it, or held it last; empty when it was released or never seen.
    pub fn holder(&self) -> &str {
        self.spec.as_ref().and_then(|spec| spec.holder_identity.as_deref()).unwrap_or_default()
    }

    fn lasts(&self) -> Duration {
        let seconds = self.spec.as_ref().and_then(|spec| spec.lease_duration_seconds);
        seconds.and_then(|seconds| u64::try_from(seconds).ok()).filter(|seconds| *seconds > 0).map_or(LEASE_DURATION, Duration::from_secs)
    }
}

/// Why a leader leads no longer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lost {
    /// The record names another, or nobody.
    Taken(String),
    /// It was not renewed in time.
    NotRenewed,
}

/// One process that would like to lead.
#[derive(Debug)]
pub struct Candidate {
    me: String,
    seen: Observation,
    /// When the last write that made or kept it leader was sent.
    renewed: Option<Moment>,
}

impl Candidate {
    /// A candidate by this name, which no other process may ever have.
    pub fn new(me: String) -> Self {
        Self { me, seen: Observation::default(), renewed: None }
    }

    /// Takes in what was read.
    pub fn saw(&mut self, spec: Option<LeaseSpec>, now: Moment) {
        self.seen.see(spec, now);
    }

    /// Takes in that a record of its own was accepted, which it sent at that moment. From then on it leads.
    pub fn wrote(&mut self, spec: LeaseSpec, sent: Moment, now: Moment) {
        self.seen.see(Some(spec), now);
        self.renewed = Some(sent);
    }

    /// Its own name.
    pub fn me(&self) -> &str {
        &self.me
    }

    /// Whoever holds the record.
    pub fn holder(&self) -> &str {
        self.seen.holder()
    }

    /// Whether it has led; see [`Candidate::lost`] for whether it still does.
    pub fn leads(&self) -> bool {
        self.renewed.is_some()
    }

    /// Until when it may write; none before it leads.
    pub fn until(&self) -> Option<Moment> {
        self.renewed.map(|sent| sent + RENEW_DEADLINE)
    }

    /// Why it leads no longer. There is no way back: it has to end.
    pub fn lost(&self, now: Moment) -> Option<Lost> {
        let until = self.until()?;
        if self.seen.holder() != self.me {
            return Some(Lost::Taken(self.seen.holder().to_owned()));
        }
        (now >= until).then_some(Lost::NotRenewed)
    }

    /// The record to write now, if it may write one. The time is what people will read in it.
    pub fn next_record(&self, now: Moment, time: &MicroTime) -> Option<LeaseSpec> {
        let old = self.seen.spec.clone().unwrap_or_default();
        let (acquired, transitions) = match decide(&self.seen, now, &self.me) {
            _ if self.lost(now).is_some() => return None,
            Decision::Wait => return None,
            Decision::Create => (None, 0),
            Decision::Take => (None, old.lease_transitions.unwrap_or_default().saturating_add(1)),
            Decision::Renew => (old.acquire_time.clone(), old.lease_transitions.unwrap_or_default()),
        };
        Some(LeaseSpec {
            holder_identity: Some(self.me.clone()),
            lease_duration_seconds: Some(seconds(LEASE_DURATION)),
            lease_transitions: Some(transitions),
            acquire_time: acquired.or_else(|| Some(time.clone())),
            renew_time: Some(time.clone()),
            ..old
        })
    }

    /// The record that gives it back, if it is one's own.
    pub fn farewell(&self, time: &MicroTime) -> Option<LeaseSpec> {
        let old = self.seen.spec.as_ref().filter(|_| !self.seen.missing && self.seen.holder() == self.me)?;
        Some(LeaseSpec {
            holder_identity: Some(String::new()),
            lease_duration_seconds: Some(seconds(RELEASED)),
            acquire_time: Some(time.clone()),
            renew_time: Some(time.clone()),
            ..old.clone()
        })
    }
}

fn seconds(duration: Duration) -> i32 {
    i32::try_from(duration.as_secs()).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests;
