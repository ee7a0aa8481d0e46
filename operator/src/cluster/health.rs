//! How the operator is doing: whether each stream lives, the API server answers, and the guard rails are in force.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use parking_lot::{Mutex, MutexGuard};
use tokio::{sync::Notify, time::sleep};

use super::{
    connection::Connection,
    streams::{Source, Streams},
};
use crate::error::Error;

/// Time between two probes, and the longest wait for one.
const PROBE: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(3));

/// What `/readyz` tells of, and what is waited for before anybody is let in.
#[derive(Default)]
pub struct Health {
    state: Mutex<State>,
    /// Wakes those who wait for a stream.
    listed: Notify,
}

#[derive(Default)]
struct State {
    streams: Streams,
    /// Why the API server did not answer last.
    unreachable: Option<String>,
    /// Whether the guard rails are in force: not looked at yet, or what is missing.
    guard_rails: Option<Result<(), String>>,
}

impl Health {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// Notes that a stream has listed. Whether it saw nothing before.
    pub fn listed(&self, source: Source) -> bool {
        let was_blind = self.state().streams.listed(source);
        self.listed.notify_waiters();
        was_blind
    }

    /// Notes that a stream lives.
    pub fn alive(&self, source: Source) {
        self.state().streams.alive(source);
    }

    /// Notes that a stream failed. Whether the operator has just lost sight.
    pub fn failed(&self, source: Source, forbidden: bool, message: String) -> bool {
        let lost_sight = self.state().streams.failed(source, forbidden, message);
        self.listed.notify_waiters();
        lost_sight
    }

    /// Notes whether the API server answers; a silent one does not end its watches.
    fn answered(&self, failure: Option<String>) {
        self.state().unreachable = failure;
    }

    /// Notes whether the guard rails are in force, or what is missing.
    pub fn guarded(&self, found: Result<(), String>) {
        self.state().guard_rails = Some(found);
    }

    /// What keeps the guard rails from being known to be in force, if anything.
    pub fn guard_rails(&self) -> Option<String> {
        match &self.state().guard_rails {
            Some(found) => found.clone().err(),
            None => Some("the guard rails have not been looked at yet".to_owned()),
        }
    }

    /// Whether every stream has listed or will not before somebody grants it.
    pub fn is_settled(&self) -> bool {
        let state = self.state();
        Source::all().all(|source| state.streams.is_settled(source))
    }

    /// Resolves when these streams have listed or will not before somebody grants it.
    pub async fn settled(&self, sources: &BTreeSet<Source>) {
        loop {
            let listed = self.listed.notified();
            let is_settled = |source: &Source| self.state().streams.is_settled(*source);
            if sources.iter().all(is_settled) {
                return;
            }
            listed.await;
        }
    }

    /// Why the operator does not see all that it manages, a line each.
    pub fn blind(&self) -> Vec<String> {
        self.state().streams.blind()
    }

    /// What keeps the operator from being ready, a line each.
    pub fn complaints(&self) -> Vec<String> {
        let guard_rails = self.guard_rails();
        let state = self.state();
        state.unreachable.clone().into_iter().chain(guard_rails).chain(state.streams.complaints()).collect()
    }
}

/// Asks the API server every now and then whether it is there.
pub async fn probe(connection: Connection, health: Arc<Health>) {
    loop {
        let answer = tokio::time::timeout(PROBE.1, connection.client.apiserver_version()).await;
        health.answered(match answer {
            Ok(Ok(_)) => None,
            Ok(Err(error)) => Some(Error::from(error).to_string()),
            Err(_) => Some(Error::TimedOut(PROBE.1).to_string()),
        });
        sleep(PROBE.0).await;
    }
}
