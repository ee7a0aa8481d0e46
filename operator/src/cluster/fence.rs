//! Whether this process may write: told by whoever holds the lease, asked before every write.

use std::time::Instant;

use tokio::sync::watch;

/// Whether this process may write, for all who do.
#[derive(Clone)]
pub struct Fence(watch::Receiver<LeaderState>);

/// How this process stands.
#[derive(Default)]
pub struct LeaderState {
    /// Until when the lease is held for certain.
    pub(super) until: Option<Instant>,
    /// Whether the record has been read at all.
    pub(super) looked: bool,
    /// Why the record could not be read or written last.
    pub(super) failure: Option<String>,
}

impl Fence {
    /// Shut as yet; the other end is for whoever competes for the lease.
    pub fn new() -> (watch::Sender<LeaderState>, Self) {
        let (state, fence) = watch::channel(LeaderState::default());
        (state, Self(fence))
    }

    /// Whether the lease is held at this moment, for certain.
    pub fn may_write(&self) -> bool {
        self.0.borrow().until.is_some_and(|until| Instant::now() < until)
    }

    /// Resolves once this process leads.
    pub async fn led(&self) {
        // The election lives as long as the process.
        let _ = self.0.clone().wait_for(|state| state.until.is_some()).await;
    }

    /// What keeps this process from leading as well as from standing by.
    pub fn complaint(&self) -> Option<String> {
        let state = self.0.borrow();
        let failure = state.failure.as_deref().or((!state.looked).then_some("not looked at yet"));
        failure.map(|failure| format!("leases: {failure}"))
    }
}
