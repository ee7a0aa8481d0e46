//! One tenant, once along the straight line: snapshot, step, execute. What is to be done is decided in `govcloud_core::step`.

use std::{sync::Arc, time::Duration};

use govcloud_core::{
    children::manifests::Manifests,
    model::{names::TenantName, settings::Settings, snapshot::Snapshot},
    step::{Action, Step, next_step},
};
use k8s_openapi::jiff::Timestamp;

use super::{apply::ChildWriter, connection::Connection, health::Health, memory::Memory, status_writer::StatusWriter, store::Store};
use crate::error::Error;

/// Finalizers, a status ahead and each rank take a round, and so does each question; many more mean that somebody writes against us.
const ROUNDS: usize = 16;

/// What a reconcile works with.
#[derive(Clone)]
pub struct Context {
    /// Way to the API server.
    pub connection: Connection,
    /// What the watches have seen.
    pub store: Arc<Store>,
    /// How the streams are doing.
    pub health: Arc<Health>,
    /// Writer of children.
    pub child_writer: ChildWriter,
    /// Writer of status.
    pub status_writer: StatusWriter,
    /// Settings of the cluster.
    pub settings: Arc<Settings>,
    /// What was done and found before, and is not in the store.
    pub memory: Arc<Memory>,
    /// Held while a contract claims domains or room that another one might be about to claim.
    pub claiming: Arc<tokio::sync::Mutex<()>>,
}

/// Brings one tenant to its plan and tells how that went.
///
/// # Errors
/// What kept the two kinds themselves from being read or written. Failures of children are in their status instead.
pub async fn reconcile(context: &Context, name: &TenantName) -> Result<Action, Error> {
    let (mut snapshot, mut turn, mut manifests) = (context.snapshot(name), None, Manifests::default());
    for _ in 0..ROUNDS {
        match next_step(&snapshot, &context.settings, &mut manifests) {
            Step::Ask(questions) => {
                if context.ask(&mut snapshot, questions).await? {
                    continue; // with the answers in the same snapshot
                }
            }
            Step::AddFinalizers(missing) => {
                context.status_writer.add_finalizers(&mut snapshot, &missing).await?;
            }
            // Of two tenants that claim the same domain or room, the later must see that the earlier one has it.
            Step::WriteAhead { exclusive: true, .. } if turn.is_none() => turn = Some(context.claiming.lock().await),
            Step::WriteAhead { status, records, .. } => {
                match context.status_writer.publish(&snapshot, &status, &records).await {
                    Err(error) if error.is_stale() => drop(context.refresh(name).await?),
                    other => other?,
                }
                turn = None;
            }
            Step::Apply(changes) => {
                turn = None; // another tenant was first, and nothing is claimed
                let outcome = context.child_writer.apply(changes).await;
                context.status_writer.removals(&snapshot, &outcome);
                context.memory.written(name, &outcome);
                snapshot.progress.note(outcome);
            }
            Step::Wait(time) => return Ok(Action::RequeueAfter(time)),
            Step::Settled(settled) => {
                context.memory.keep_pods(name, &settled.looked_at);
                context.memory.keep_refused(name, &settled.outcome);
                return context.status_writer.settle(&snapshot, &settled).await;
            }
        }
        let Snapshot { progress, finalizer_rejections, .. } = snapshot;
        snapshot = Snapshot { progress, finalizer_rejections, ..context.snapshot(name) };
    }
    Ok(Action::Retry(Duration::ZERO))
}

impl Context {
    fn snapshot(&self, name: &TenantName) -> Snapshot {
        let blind = self.health.blind();
        let mut snapshot = Snapshot { blind, ..self.store.snapshot(name, Timestamp::now()) };
        self.memory.recall(&mut snapshot);
        snapshot.unguarded = self.health.guard_rails();
        snapshot
    }
}
