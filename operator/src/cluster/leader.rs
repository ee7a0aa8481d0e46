//! Holding the lease: reads and writes its record as `lease.rs` decides, and tells the rest of the operator whether it may
//! write. Whoever loses the lease ends; there is no way back to standing by.

use std::{
    hash::{BuildHasher, RandomState},
    time::{Duration, Instant},
};

use anyhow::anyhow;
use govcloud_core::model::names::{ANNOTATION_SETTINGS, LEASE_NAME};
use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::MicroTime,
    jiff::Timestamp,
};
use kube::{Api, api::ObjectMeta};
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};
use tracing::{debug, info, warn};

use super::{
    connection::{Connection, post_params},
    fence::LeaderState,
    lease::{Candidate, Lost, Moment, RENEW_DEADLINE},
};
use crate::error::Error;

/// Time between two renewals.
const RENEW_INTERVAL: Duration = Duration::from_secs(2);
/// Time between two looks of whoever stands by.
const READ_INTERVAL: Duration = Duration::from_secs(1);
/// Time after which a leader tries again what failed.
const RETRY: Duration = Duration::from_millis(500);
/// Longest wait for an answer: a renewal can fail twice and still be in time.
const LEASE_TIMEOUT: Duration = Duration::from_secs(2);

/// This process among those that would lead.
pub struct Election {
    connection: Connection,
    leases: Api<Lease>,
    candidate: Candidate,
    began: Instant,
    /// Metadata of the record, with the version that the next write is conditional on.
    metadata: ObjectMeta,
    /// The operator's settings, for commands to read.
    settings: String,
    /// Whether the record is known as it is, but for what others may write. Not after a write whose answer is missing.
    known: bool,
    state: watch::Sender<LeaderState>,
}

impl Election {
    /// A new candidate for the lease in the operator's own namespace; whoever holds it writes its settings into it.
    pub fn new(connection: Connection, state: watch::Sender<LeaderState>, settings: String) -> Self {
        let leases = Api::default_namespaced(connection.client.clone());
        let me = identity();
        info!(lease = LEASE_NAME, namespace = connection.client.default_namespace(), identity = me, "waiting for the lease");
        connection.metrics.leads(LEASE_NAME, false);
        let candidate = Candidate::new(me);
        let metadata = ObjectMeta::default();
        Self { connection, leases, candidate, began: Instant::now(), metadata, settings, known: false, state }
    }

    /// Stands by, then leads, and returns only when the lease is lost: then the process has to end. May be dropped at any time
    /// and called again.
    pub async fn run(&mut self) -> anyhow::Error {
        loop {
            if let Some(why) = self.candidate.lost(self.now()) {
                return self.step_down(&why);
            }
            let began = self.now();
            let result = timeout(self.left(LEASE_TIMEOUT), self.attempt()).await;
            let result = result.unwrap_or(Err(Error::TimedOut(LEASE_TIMEOUT)));
            let pause = match (&result, self.candidate.leads()) {
                (_, false) => READ_INTERVAL,
                (Ok(()), true) => (began + RENEW_INTERVAL).saturating_sub(self.now()),
                (Err(_), true) => RETRY,
            };
            self.note(result);
            if self.candidate.lost(self.now()).is_none() {
                sleep(self.left(pause)).await;
            }
        }
    }

    /// Gives the lease back, if it is held, so that another need not wait for its end. Nothing more is written from here on.
    pub async fn release(&mut self) {
        self.shut();
        match timeout(LEASE_TIMEOUT, self.give_up()).await {
            Ok(Ok(true)) => info!("released the lease"),
            Ok(Ok(false)) => {}
            Ok(Err(error)) => warn!(%error, "could not release the lease; another replica waits until it expires"),
            Err(_) => warn!("could not release the lease in time; another replica waits until it expires"),
        }
    }

    /// Reads the record unless it is known, and writes it where it may.
    async fn attempt(&mut self) -> Result<(), Error> {
        if !self.known {
            self.look().await?;
        }
        let sent = self.now();
        let Some(spec) = self.candidate.next_record(sent, &time()) else {
            self.known = false;
            return Ok(());
        };
        let led = self.candidate.leads();
        let written = match self.write(spec).await {
            // Another replica wrote first, as happens when two stand by for the same moment.
            Err(error) if error.is_code(409) && !led => {
                debug!(%error, "another replica wrote the lease first");
                return Ok(());
            }
            written => written?,
        };
        self.candidate.wrote(written, sent, self.now());
        let until = self.candidate.until().map(|until| self.began + until);
        self.state.send_modify(|state| state.until = until);
        if !led {
            info!(identity = self.candidate.me(), "acquired the lease, leading");
            self.connection.metrics.leads(LEASE_NAME, true);
        }
        Ok(())
    }

    async fn look(&mut self) -> Result<(), Error> {
        let found = self.connection.unfenced("get", "leases", LEASE_TIMEOUT, self.leases.get_opt(LEASE_NAME)).await?;
        let before = self.candidate.holder().to_owned();
        self.metadata = found.as_ref().map(|lease| lease.metadata.clone()).unwrap_or_default();
        self.candidate.saw(found.map(|lease| lease.spec.unwrap_or_default()), self.now());
        self.known = true;
        let holder = self.candidate.holder();
        if holder != before && holder != self.candidate.me() && !holder.is_empty() {
            info!(leader = holder, "another replica leads, standing by");
        }
        Ok(())
    }

    /// Creates or replaces the record, on condition that it is still as it was read.
    async fn write(&mut self, spec: LeaseSpec) -> Result<LeaseSpec, Error> {
        self.known = false; // whatever becomes of this, until its answer is here
        let mut lease = Lease { metadata: self.metadata.clone(), spec: Some(spec) };
        lease.metadata.annotations.get_or_insert_default().insert(ANNOTATION_SETTINGS.into(), self.settings.clone());
        let written = if lease.metadata.resource_version.is_some() {
            self.connection.unfenced("update", "leases", LEASE_TIMEOUT, self.leases.replace(LEASE_NAME, &post_params(), &lease)).await?
        } else {
            lease.metadata.name = Some(LEASE_NAME.into());
            self.connection.unfenced("create", "leases", LEASE_TIMEOUT, self.leases.create(&post_params(), &lease)).await?
        };
        self.metadata = written.metadata;
        self.known = true;
        Ok(written.spec.unwrap_or_default())
    }

    /// Empties the holder, if it is this process; it may be without having been told so.
    async fn give_up(&mut self) -> Result<bool, Error> {
        loop {
            if !self.known {
                self.look().await?;
            }
            let Some(spec) = self.candidate.farewell(&time()) else { return Ok(false) };
            match self.write(spec).await {
                Err(error) if error.is_code(409) => {} // a renewal whose answer was not waited for
                other => return other.map(|_| true),
            }
        }
    }

    /// Tells of a failure once, and that it is over.
    fn note(&self, result: Result<(), Error>) {
        let failure = result.err().map(|error| error.to_string());
        let before = self.state.borrow().failure.clone();
        match &failure {
            Some(message) if before.as_ref() != Some(message) => warn!(error = message, "the lease cannot be read or written"),
            Some(message) => debug!(error = message, "the lease cannot be read or written"),
            None if before.is_some() => info!("the lease can be read and written again"),
            None => {}
        }
        self.state.send_modify(|state| {
            state.looked |= failure.is_none();
            state.failure = failure;
        });
    }

    fn step_down(&self, why: &Lost) -> anyhow::Error {
        self.shut();
        let place = format!("lease {}/{LEASE_NAME}", self.connection.client.default_namespace());
        match why {
            Lost::Taken(holder) if holder.is_empty() => {
                anyhow!("{place} was taken from this replica and nobody holds it; this replica stops")
            }
            Lost::Taken(holder) => anyhow!("{place} is held by {holder} now; this replica no longer leads and stops"),
            Lost::NotRenewed => {
                let last = self.state.borrow().failure.clone().unwrap_or_else(|| "the process stood still".to_owned());
                anyhow!("{place} was not renewed within {} s: {last}; this replica no longer leads and stops", RENEW_DEADLINE.as_secs())
            }
        }
    }

    fn shut(&self) {
        self.state.send_modify(|state| state.until = None);
        self.connection.metrics.leads(LEASE_NAME, false);
    }

    /// So long, but not beyond the moment at which a lease that is not renewed ends.
    fn left(&self, wanted: Duration) -> Duration {
        self.candidate.until().map_or(wanted, |until| until.saturating_sub(self.now()).min(wanted))
    }

    fn now(&self) -> Moment {
        self.began.elapsed()
    }
}

/// For the eyes of people; nothing is decided by it.
fn time() -> MicroTime {
    MicroTime(Timestamp::now())
}

/// The pod's or the machine's name, and something that no other process has: a restarted one must not take the record of its
/// predecessor for its own.
fn identity() -> String {
    let machine = || hostname::get().ok().and_then(|name| name.into_string().ok());
    let name = std::env::var("POD_NAME").ok().filter(|name| !name.is_empty()).or_else(machine);
    // Its keys come from the operating system's source of randomness.
    let random = RandomState::new().hash_one(std::process::id());
    format!("{}_{random:016x}", name.as_deref().unwrap_or("govcloud"))
}
