//! `govcloud run`: starts the watches, hands tenants to workers, and stops when told to.

use std::{collections::HashMap, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use anyhow::Context as _;
use futures::StreamExt;
use kube::{
    Client, Config,
    runtime::scheduler::{ScheduleRequest, scheduler},
};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::mpsc,
    task::{self, JoinSet},
    time::Instant,
};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tracing::{debug, error, info, warn};

use super::{
    apply::Writer,
    cache::{Cache, Source},
    connection::Connection,
    http::{Health, pages},
    metrics::Metrics,
    reconcile::{Context, Next, reconcile},
    report::Report,
    watch::follow,
};
use crate::{error::Error, names::TenantName, plan::settings::Settings};

/// First and longest wait before a tenant that failed is tried again.
const RETRY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_mins(1));
/// Longest wait for the running reconciles at the end.
const GRACE: Duration = Duration::from_secs(10);

/// How the operator runs.
#[derive(Clone, Debug)]
pub struct Options {
    /// Address of `/livez`, `/readyz` and `/metrics`.
    pub listen: SocketAddr,
    /// Tenants that are reconciled at the same time.
    pub workers: usize,
    /// Settings of the cluster.
    pub settings: Settings,
}

/// Runs until SIGTERM or SIGINT.
///
/// # Errors
/// What kept it from starting: no cluster configuration, no free port.
pub async fn run(options: Options) -> anyhow::Result<()> {
    let client = client().await?;
    let (cache, metrics) = (Arc::new(Cache::default()), Metrics::default());
    let connection = Connection { client: client.clone(), metrics: metrics.clone() };
    let report = Report::new(connection.clone(), cache.clone());
    let writer = Writer { connection: connection.clone(), cache: cache.clone() };
    let settings = Arc::new(options.settings);
    let context = Context { connection, cache: cache.clone(), writer, report: report.clone(), settings };

    let listener = TcpListener::bind(options.listen).await.with_context(|| format!("cannot listen on {}", options.listen))?;
    info!(address = %listener.local_addr()?, "serving /livez, /readyz and /metrics");
    let health = Health { cache: cache.clone(), report, metrics: metrics.clone() };
    let (news, heard) = mpsc::unbounded_channel();
    let mut background = JoinSet::new();
    background.spawn(async move {
        if let Err(cause) = axum::serve(listener, pages(health)).await {
            error!(error = %cause, "the health pages ended");
        }
    });
    for source in Source::all() {
        background.spawn(follow(client.clone(), source, cache.clone(), news.clone(), metrics.clone()));
    }
    let mut stop = pin!(stopped()?);
    let mut queue =
        Queue { context, metrics, workers: options.workers, running: JoinSet::new(), busy: HashMap::new(), failures: HashMap::new() };
    tokio::select! {
        () = queue.work(heard) => {}
        () = &mut stop => {}
    }
    info!("stopping: finishing {} tenants", queue.running.len());
    if tokio::time::timeout(GRACE, async { while queue.running.join_next().await.is_some() {} }).await.is_err() {
        warn!("some tenants were left in the middle; the next start finishes them");
    }
    Ok(())
}

async fn client() -> anyhow::Result<Client> {
    let mut config = Config::infer().await.context("no cluster: set KUBECONFIG, or run inside of a pod")?;
    config.default_retry = false; // the queue backs off by itself, for each tenant
    let agent = format!("govcloud/{}", env!("CARGO_PKG_VERSION"));
    config.headers.push((axum::http::header::USER_AGENT, agent.parse()?));
    Client::try_from(config).context("the cluster's configuration cannot be used")
}

/// Resolves at SIGTERM or SIGINT.
fn stopped() -> anyhow::Result<impl Future<Output = ()>> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// Tenants that wait, and those at work: one tenant never twice at once.
struct Queue {
    context: Context,
    metrics: Metrics,
    workers: usize,
    running: JoinSet<Result<Next, Error>>,
    busy: HashMap<task::Id, TenantName>,
    failures: HashMap<TenantName, u32>,
}

impl Queue {
    async fn work(&mut self, heard: mpsc::UnboundedReceiver<TenantName>) {
        let (again, later) = mpsc::unbounded_channel();
        let now = |message| ScheduleRequest { message, run_at: Instant::now() };
        let requests = futures::stream::select(UnboundedReceiverStream::new(heard).map(now), UnboundedReceiverStream::new(later));
        let mut waiting = pin!(scheduler(requests));
        while !self.context.cache.is_settled() {
            // Nothing is compared before everything that can be seen has been seen.
            let _ = tokio::time::timeout(Duration::from_millis(20), waiting.as_mut().hold().next()).await;
        }
        info!("caches are synced");
        loop {
            let (busy, full) = (&self.busy, self.running.len() >= self.workers);
            tokio::select! {
                Some(tenant) = async { waiting.as_mut().hold_unless(|tenant| !full && !busy.values().any(|other| other == tenant)).next().await } => self.start(tenant),
                Some(done) = self.running.join_next_with_id(), if !self.running.is_empty() => {
                    if let Some(request) = self.finish(done) && again.send(request).is_err() {
                        return;
                    }
                }
            }
            self.metrics.queue(self.running.len(), self.failures.len());
        }
    }

    fn start(&mut self, tenant: TenantName) {
        let name = tenant.clone();
        let (context, metrics) = (self.context.clone(), self.metrics.clone());
        let task = self.running.spawn(async move {
            let begin = Instant::now();
            let result = reconcile(&context, &tenant).await;
            let word = match &result {
                Ok(Next::Retry) => "requeue",
                Ok(Next::After(_)) => "requeue_after",
                Ok(Next::News) => "success",
                Err(_) => "error",
            };
            debug!(%tenant, result = word, "reconciled");
            metrics.reconciled(word, begin.elapsed().as_secs_f64());
            result
        });
        self.busy.insert(task.id(), name);
    }

    /// Notes the end of a reconcile and says when to look again.
    fn finish(&mut self, done: Result<(task::Id, Result<Next, Error>), task::JoinError>) -> Option<ScheduleRequest<TenantName>> {
        let (id, result) = match done {
            Ok((id, result)) => (id, result.map_err(|cause| cause.to_string())),
            Err(panic) => (panic.id(), Err(format!("it ended abnormally: {panic}"))),
        };
        let tenant = self.busy.remove(&id)?;
        if let Err(cause) = &result {
            warn!(%tenant, error = cause, "reconcile failed, trying again");
        }
        let wait = match result {
            Ok(Next::News) => None,
            Ok(Next::After(wait)) => Some(wait),
            Ok(Next::Retry) | Err(_) => {
                let failures = self.failures.entry(tenant.clone()).or_default();
                *failures += 1;
                let factor = 2_u32.saturating_pow((*failures - 1).min(16));
                return Some(ScheduleRequest { message: tenant, run_at: Instant::now() + RETRY.0.saturating_mul(factor).min(RETRY.1) });
            }
        };
        self.failures.remove(&tenant);
        wait.map(|wait| ScheduleRequest { message: tenant, run_at: Instant::now() + wait })
    }
}
