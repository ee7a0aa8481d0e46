//! `govcloud run`: starts the watches, hands tenants to workers, and stops when told to.

use std::{net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use anyhow::{Context as _, bail};
use govcloud_core::model::settings::Settings;
use kube::{Client, Config};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::mpsc,
    task::JoinSet,
};
use tracing::{error, info, warn};

use super::{
    apply::ChildWriter,
    connection::Connection,
    events::{events, tell},
    fence::Fence,
    guard_rails::watch_over,
    health::{Health, probe},
    http::{Pages, pages},
    kubernetes_version,
    leader::Election,
    memory::Memory,
    metrics::Metrics,
    queue::Queue,
    reconcile::Context,
    status_writer::StatusWriter,
    store::Store,
    streams::Source,
    watch::Stream,
    workloads::follow_refused,
};

/// Longest wait for the running reconciles at the end.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(8);

/// Longest silence of a connection. The API server ends each watch earlier.
const READ_TIMEOUT: Duration = Duration::from_secs(75);

/// How the operator runs.
#[derive(Clone, Debug)]
pub struct Options {
    /// The cluster, and as whom.
    pub config: Config,
    /// Address of `/livez`, `/readyz` and `/metrics`.
    pub listen: SocketAddr,
    /// Tenants that are reconciled at the same time.
    pub workers: usize,
    /// Settings of the cluster.
    pub settings: Settings,
}

/// Runs until SIGTERM or SIGINT: stands by, with a filled store, and leads when the lease is free.
///
/// # Errors
/// What kept it from starting, no cluster configuration or no free port, or from going on: a lost lease.
pub async fn run(options: Options) -> anyhow::Result<()> {
    let client = client(options.config)?;
    kubernetes_version::check(&client).await?;
    let (requeue, triggers) = mpsc::unbounded_channel();
    let (store, health, metrics) = (Arc::new(Store::new(requeue.clone())), Arc::<Health>::default(), Metrics::default());
    let (state, fence) = Fence::new();
    let connection = Connection { client: client.clone(), metrics: metrics.clone(), fence: fence.clone() };
    let mut election = Election::new(connection.clone(), state, serde_json::to_string(&options.settings)?);
    let (events, to_tell) = events();
    let memory: Arc<Memory> = Arc::default();
    let status_writer = StatusWriter::new(connection.clone(), store.clone(), events, memory.clone());
    let child_writer = ChildWriter { connection: connection.clone(), store: store.clone(), repairs: Arc::default() };
    let settings = Arc::new(options.settings);
    let context = Context {
        connection: connection.clone(),
        store: store.clone(),
        health: health.clone(),
        child_writer,
        status_writer: status_writer.clone(),
        settings,
        memory,
        claiming: Arc::default(),
    };

    let listener = TcpListener::bind(options.listen).await.with_context(|| format!("cannot listen on {}", options.listen))?;
    info!(address = %listener.local_addr()?, "serving /livez, /readyz and /metrics");
    let shown = Pages { store: store.clone(), health: health.clone(), fence, status_writer, metrics: metrics.clone() };
    let mut background = JoinSet::new();
    background.spawn(async move {
        if let Err(cause) = axum::serve(listener, pages(shown)).await {
            error!(error = %cause, "the HTTP server of /livez, /readyz and /metrics stopped");
        }
    });
    background.spawn(probe(connection.clone(), health.clone()));
    background.spawn(watch_over(connection.clone(), health.clone()));
    for source in Source::all() {
        let (client, store, health, metrics) = (client.clone(), store.clone(), health.clone(), metrics.clone());
        background.spawn(Stream { client, source, store, health, news: requeue.clone(), metrics }.follow());
    }
    background.spawn(follow_refused(client.clone(), store.clone()));
    let mut stop = pin!(stopped()?);
    let mut queue = Queue::new(context, metrics, options.workers);
    background.spawn(tell(connection, to_tell, queue.active()));
    tokio::select! {
        () = queue.work(triggers) => {}
        () = &mut stop => {}
        lost = election.run() => return Err(told(lost)),
        // Without one of its watches it would decide wrongly: it ends, and its Deployment starts it again.
        _ = background.join_next() => {
            election.release().await; // from here on nothing is written
            bail!("a watch or the HTTP server stopped unexpectedly");
        }
    }
    info!("stopping; waiting for running reconciles");
    tokio::select! {
        finished = tokio::time::timeout(SHUTDOWN_TIMEOUT, queue.finish_all()) => if finished.is_err() {
            warn!("some reconciles did not finish in time; the next leader finishes them");
        },
        lost = election.run() => return Err(told(lost)),
    }
    election.release().await;
    Ok(())
}

/// The last line of the log says why, in the form of the log.
fn told(lost: anyhow::Error) -> anyhow::Error {
    error!(error = %lost, "lost the lease");
    lost
}

fn client(mut config: Config) -> anyhow::Result<Client> {
    config.default_retry = false; // the queue backs off by itself, for each tenant
    config.read_timeout = Some(READ_TIMEOUT); // a watch whose connection died without a word
    let agent = format!("govcloud/{}", env!("CARGO_PKG_VERSION"));
    config.headers.push((axum::http::header::USER_AGENT, agent.parse()?));
    Client::try_from(config).context("the configuration of the cluster is invalid")
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
