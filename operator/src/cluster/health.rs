//! How the operator is doing: whether each stream lives, the API server answers, and the guard rails are in force.

use std::{sync::Arc, time::Duration};

use parking_lot::{Mutex, MutexGuard};
use tokio::time::sleep;

use super::{
    connection::Connection,
    streams::{Source, Streams},
};
use crate::error::Error;

/// Time between two probes.
const PROBE_INTERVAL: Duration = Duration::from_secs(10);
/// Longest wait for the answer to one.
const PROBE_TIMEOUT: Duration = Duration::from_secs(3);

/// What `/readyz` tells of, and what is waited for before anybody is let in.
#[derive(Default)]
pub struct Health {
    state: Mutex<State>,
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
        self.state().streams.listed(source)
    }

    /// Notes that a stream lives.
    pub fn alive(&self, source: Source) {
        self.state().streams.alive(source);
    }

    /// Notes that a stream failed. Whether the operator has just lost sight.
    pub fn failed(&self, source: Source, forbidden: bool, message: String) -> bool {
        self.state().streams.failed(source, forbidden, message)
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

    /// Why the operator does not see all that it manages, a line each.
    pub fn blind(&self) -> Vec<String> {
        self.state().streams.blind()
    }

    /// Whether each watch is in step with the API server, by its resource.
    pub fn synced(&self) -> Vec<(&'static str, bool)> {
        self.state().streams.synced()
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
        let answer = tokio::time::timeout(PROBE_TIMEOUT, connection.client.apiserver_version()).await;
        health.answered(match answer {
            Ok(Ok(_)) => None,
            Ok(Err(error)) => Some(Error::from(error).to_string()),
            Err(_) => Some(Error::TimedOut(PROBE_TIMEOUT).to_string()),
        });
        sleep(PROBE_INTERVAL).await;
    }
}
