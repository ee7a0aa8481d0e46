//! Tenants that wait, and those at work: news first come first served, failures after ever longer waits, one tenant never twice at once.

use std::{
    collections::{HashMap, HashSet},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use futures::StreamExt;
use govcloud_core::{model::names::TenantName, step::Action};
use kube::runtime::scheduler::{ScheduleRequest, scheduler};
use parking_lot::Mutex;
use tokio::{
    sync::{mpsc, watch},
    task::{self, JoinSet},
    time::Instant,
};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tracing::{debug, info, warn};

use super::{
    backoff::Backoff,
    metrics::Metrics,
    reconcile::{Context, reconcile},
    store::{Store, Wanted},
};
use crate::error::Error;

/// Waits before a tenant that failed is tried again.
const RETRY: Backoff = Backoff { first: Duration::from_millis(100), longest: Duration::from_secs(15) };
/// News of a tenant that failed is looked at after this time at the latest, and after as much as it would be tried again.
const REQUEUE_DELAY: Duration = Duration::from_secs(1);

/// The queue and its workers.
pub struct Queue {
    context: Context,
    metrics: Metrics,
    workers: usize,
    running: JoinSet<Result<Action, Error>>,
    busy: HashMap<task::Id, (TenantName, Wanted)>,
    failing: Arc<Mutex<HashMap<TenantName, Failing>>>,
    /// Tenants with news that wait for a worker; for the metric alone.
    due: Arc<Mutex<HashSet<TenantName>>>,
    /// How many are at work, for those who wait until there are none.
    active: watch::Sender<usize>,
}

/// A tenant that failed.
struct Failing {
    times: u32,
    /// News is not looked at before, unless it is that something else is wanted.
    rests_until: Instant,
    /// The API server wants nothing before, whatever is news.
    kept_off_until: Instant,
    /// What was wanted when it failed.
    wanted: Wanted,
}

impl Queue {
    /// A queue with so many workers.
    pub fn new(context: Context, metrics: Metrics, workers: usize) -> Self {
        let (running, busy, active) = (JoinSet::new(), HashMap::new(), watch::Sender::new(0));
        Self { context, metrics, workers, running, busy, failing: Arc::default(), due: Arc::default(), active }
    }

    /// How many tenants are at work, from now on.
    pub fn active(&self) -> watch::Receiver<usize> {
        self.active.subscribe()
    }

    /// Works for ever; may be dropped at any time, and then [`Queue::finish_all`] ends what is running.
    pub async fn work(&mut self, triggers: mpsc::UnboundedReceiver<TenantName>) {
        let (schedule, scheduled) = mpsc::unbounded_channel();
        let (due, failing, store) = (self.due.clone(), self.failing.clone(), self.context.store.clone());
        let now = |message: TenantName| {
            due.lock().insert(message.clone());
            let run_at = rests(&failing, &store, &message).unwrap_or_else(Instant::now);
            ScheduleRequest { message, run_at }
        };
        let requests = futures::stream::select(UnboundedReceiverStream::new(triggers).map(now), UnboundedReceiverStream::new(scheduled));
        let mut waiting = pin!(scheduler(requests));
        while !self.context.health.is_settled() {
            // Nothing is compared before everything that can be seen has been seen.
            let _ = tokio::time::timeout(Duration::from_millis(20), waiting.as_mut().hold().next()).await;
        }
        info!("caches are synced");
        // A replica that stands by keeps what it hears, once for each tenant.
        tokio::select! {
            () = self.context.connection.fence.led() => {}
            _ = async { waiting.as_mut().hold().next().await } => {}
        }
        loop {
            let (busy, full) = (&self.busy, self.running.len() >= self.workers);
            tokio::select! {
                Some(tenant) = async { waiting.as_mut().hold_unless(|tenant| !full && !busy.values().any(|(other, _)| other == tenant)).next().await } => match rests(&self.failing, &self.context.store, &tenant) {
                    // News that came while it was at work.
                    Some(run_at) => if schedule.send(ScheduleRequest { message: tenant, run_at }).is_err() {
                        return;
                    },
                    None => self.start(tenant),
                },
                Some(done) = self.running.join_next_with_id(), if !self.running.is_empty() => {
                    if let Some(request) = self.finish(done) && schedule.send(request).is_err() {
                        return;
                    }
                }
            }
            self.active.send_replace(self.running.len());
            self.metrics.queue(self.running.len(), self.due.lock().len());
        }
    }

    /// Waits for the reconciles that are running.
    pub async fn finish_all(&mut self) {
        while self.running.join_next().await.is_some() {}
    }

    fn start(&mut self, tenant: TenantName) {
        self.due.lock().remove(&tenant);
        let at_work = (tenant.clone(), self.context.store.wanted(&tenant));
        let (context, metrics) = (self.context.clone(), self.metrics.clone());
        let task = self.running.spawn(async move {
            let begin = Instant::now();
            let result = reconcile(&context, &tenant).await;
            let word = match &result {
                Ok(Action::Retry(_)) => "requeue",
                Ok(Action::RequeueAfter(_)) => "requeue_after",
                Ok(Action::AwaitChange) => "success",
                Err(_) => "error",
            };
            debug!(%tenant, result = word, "reconciled");
            metrics.reconciled(word, begin.elapsed().as_secs_f64());
            result
        });
        self.busy.insert(task.id(), at_work);
    }

    /// Notes the end of a reconcile and says when to look again.
    fn finish(&mut self, done: Result<(task::Id, Result<Action, Error>), task::JoinError>) -> Option<ScheduleRequest<TenantName>> {
        let (id, result) = match done {
            Ok((id, result)) => (id, result),
            Err(panic) => (panic.id(), Err(Error::Panicked(panic.to_string()))),
        };
        let (tenant, wanted) = self.busy.remove(&id)?;
        if let Err(cause) = &result {
            warn!(%tenant, error = %cause, "reconcile failed, trying again");
        }
        let now = Instant::now();
        let wait = match result {
            Ok(Action::AwaitChange) => None,
            Ok(Action::RequeueAfter(wait)) => Some(wait),
            Ok(Action::Retry(least)) => return Some(self.back_off(tenant, &wanted, now, least)),
            Err(error) => return Some(self.back_off(tenant, &wanted, now, error.retry_after().unwrap_or_default())),
        };
        self.failing.lock().remove(&tenant);
        wait.map(|wait| ScheduleRequest { message: tenant, run_at: now + wait })
    }

    /// Counts the failure: when to try again.
    fn back_off(&self, tenant: TenantName, wanted: &Wanted, now: Instant, least: Duration) -> ScheduleRequest<TenantName> {
        let mut failing = self.failing.lock();
        let anew = || Failing { times: 0, rests_until: now, kept_off_until: now, wanted: wanted.clone() };
        let record = failing.entry(tenant.clone()).or_insert_with(anew);
        if record.wanted != *wanted {
            *record = anew();
        }
        let wait = RETRY.after(record.times);
        record.times += 1;
        record.rests_until = now + wait.min(REQUEUE_DELAY).max(least);
        record.kept_off_until = now + least;
        ScheduleRequest { message: tenant, run_at: now + wait.max(least) }
    }
}

/// Until when a tenant that failed is left alone, if that is yet to come. Whoever changes what is wanted, above all who stops it, does not
/// wait for what failed.
fn rests(failing: &Mutex<HashMap<TenantName, Failing>>, store: &Store, tenant: &TenantName) -> Option<Instant> {
    let failing = failing.lock();
    let record = failing.get(tenant).filter(|record| record.rests_until > Instant::now())?;
    let until = if record.wanted == store.wanted(tenant) { record.rests_until } else { record.kept_off_until };
    Some(until).filter(|until| *until > Instant::now())
}
