//! The benchmark: what the operator costs beside the limit, which is a bare client that makes the same writes.
//!
//! Both work on a fresh control plane of their own, that has had the same time to come to rest, and both are measured by the
//! same watch: from the first create of an agency until it shows everything Ready.
//! Unlike the rest of the harness this knows the operator's pure part: the limit is taken from its plan.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use futures::channel::mpsc;
use futures::future::OptionFuture;
use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use govcloud_core::api::{AgencyTenant, HostedSystem};
use kube::api::PostParams;
use kube::core::DynamicObject;
use kube::{Client, CustomResourceExt};
use tokio::time::sleep;

use crate::{ControlPlane, Operator, manifests, progress::Activity};

mod admission;
mod drift;
mod figures;
mod load;
mod observer;
mod processes;
mod profile;
mod raw;
mod requests;
mod writes;

pub use figures::Figures;
pub use load::Size;

use figures::{Machine, Restart, Run};
use load::Agency;
use observer::Observer;
use requests::{Log, Requests};

/// A control plane that has just started is busy with itself.
const COMES_TO_REST: Duration = Duration::from_secs(10);
/// Memory is read when what the setup needed for a moment has been given back.
const MEMORY_AFTER: Duration = Duration::from_secs(5);
/// Figures of use are written up to a minute after the last change, and belong to the setup; what is written later is not.
const USE_IS_WRITTEN_WITHIN: Duration = Duration::from_secs(65);
const IDLE: Duration = Duration::from_mins(1);
const AFTER_RESTART: Duration = Duration::from_secs(15);

/// Runs the whole benchmark; a profile of the API server goes to the file, if one is named.
///
/// # Errors
/// When something does not build or start, or not all becomes Ready; with the reasons.
pub async fn run(size: Size, profile: Option<&Path>) -> Result<Figures> {
    let building = Activity::new("building the operator");
    let program = tokio::task::spawn_blocking(Operator::build).await??;
    drop(building);
    let agencies = load::agencies(size)?;
    let load = processes::load()?;
    let (raw, kubernetes) = on_a_plane(async |plane| by_bare_client(plane, &agencies).await).await?;
    let machine = Machine::here(kubernetes, load)?;
    on_a_plane(async |plane| by_operator(plane, &program, &agencies, Before { size, machine, raw }, profile).await).await
}

async fn on_a_plane<T>(work: impl AsyncFnOnce(&ControlPlane) -> Result<T>) -> Result<T> {
    let plane = tokio::task::spawn_blocking(ControlPlane::start).await??;
    match work(&plane).await {
        Ok(done) => Ok(done),
        Err(error) => Err(anyhow!("{error:#}\nthe logs are in {}", plane.stop_and_keep_logs().display())),
    }
}

async fn by_bare_client(plane: &ControlPlane, agencies: &[Agency]) -> Result<(Run, String)> {
    let _activity = Activity::new("setting up with a bare client");
    Operator::install(plane).await?;
    let setups = agencies.iter().map(writes::setup).collect::<Result<_>>()?;
    sleep(COMES_TO_REST).await;
    let client = plane.client().await?;
    let observer = Observer::open(&client, agencies).await?;
    let log = Log::from_now(audit_log(plane)?)?;
    let bare = plane.client().await?;
    let measure = Measure::begin()?;
    // The observer has a client of its own in both runs, so that it takes no connection from the one that is measured.
    tokio::try_join!(raw::set_up(&bare, setups), observer.until_ready(|_| ()))?;
    let (seconds, cpu_seconds) = measure.end()?;
    let version = client.apiserver_version().await.context("asking for Kubernetes' version")?;
    Ok((Run { seconds, cpu_seconds, requests: log.requests(requests::Client::Harness)? }, version.git_version))
}

/// What is known before the operator's turn.
struct Before {
    size: Size,
    machine: Machine,
    raw: Run,
}

async fn by_operator(plane: &ControlPlane, program: &Path, agencies: &[Agency], before: Before, profile: Option<&Path>) -> Result<Figures> {
    let Before { size, machine, raw } = before;
    Operator::install(plane).await?;
    let log = Log::from_now(audit_log(plane)?)?;
    let operator = Operator::start_program(plane, program).await?;
    sleep(COMES_TO_REST).await;
    let profile = OptionFuture::from(profile.map(|file| profile::api_server(plane, file)));
    let ((seconds, cpu_seconds), _) = tokio::try_join!(set_up(plane, agencies), profile.map(Option::transpose))?;
    sleep(MEMORY_AFTER).await;
    let (rss_mib, rss_peak_mib) = processes::operator_memory()?;
    Log::until_quiet(audit_log(plane)?).await?;
    let run = Run { seconds, cpu_seconds, requests: log.requests(requests::Client::Operator)? };

    let idle = idle(audit_log(plane)?).await?;
    let (operator, restart) = restart(plane, program, operator).await?;
    let activity = Activity::new("letting objects drift");
    let drift = drift::measure(&plane.client().await?, &load::namespaces(size)).await?;
    drop(activity);
    operator.stop().await?;
    let activity = Activity::new("creating pods with and without the guard rails");
    let first = agencies.first().context("there is no agency")?;
    let system = load::namespaces(size).into_iter().find(|namespace| namespace.contains("--")).context("there is no system")?;
    let admission = admission::measure(plane, &first.name(), &system).await?;
    drop(activity);
    Ok(Figures { size, machine, raw, operator: run, rss_mib, rss_peak_mib, idle, restart, drift, admission })
}

async fn set_up(plane: &ControlPlane, agencies: &[Agency]) -> Result<(f64, BTreeMap<String, f64>)> {
    let _activity = Activity::new("setting up with the operator");
    let observer = Observer::open(&plane.client().await?, agencies).await?;
    let (homes, appeared) = mpsc::unbounded();
    let measure = Measure::begin()?;
    let tell = |home| drop(homes.unbounded_send(home));
    tokio::try_join!(create_roots(plane.client().await?, agencies, appeared), observer.until_ready(tell))?;
    measure.end()
}

/// Creates the agencies, and the systems of each as soon as its home namespace is there.
async fn create_roots(client: Client, agencies: &[Agency], homes: mpsc::UnboundedReceiver<String>) -> Result<()> {
    let mut waiting: BTreeMap<String, &[DynamicObject]> = agencies.iter().map(|agency| (agency.name(), &agency.systems[..])).collect();
    let systems = homes.filter_map(move |home| futures::future::ready(waiting.remove(&home))).take(agencies.len());
    let roots = stream::iter(agencies).map(|agency| &agency.tenant).chain(systems.map(stream::iter).flatten());
    let create = |object: &DynamicObject| {
        let namespace = object.metadata.namespace.as_deref();
        let kind = namespace.map_or_else(AgencyTenant::api_resource, |_| HostedSystem::api_resource());
        let (api, object) = (manifests::api_for(&client, &kind, namespace), object.clone());
        async move {
            let created = api.create(&PostParams::default(), &object).await;
            created.map(drop).with_context(|| format!("creating {}", manifests::describe(&object)))
        }
    };
    roots.map(create).buffer_unordered(raw::AGENCIES_AT_ONCE).try_collect().await
}

async fn idle(log: &Path) -> Result<Requests> {
    let _activity = Activity::new("waiting for silence, then listening to it; two minutes");
    sleep(USE_IS_WRITTEN_WITHIN).await;
    Log::until_quiet(log).await?;
    let log = Log::from_now(log)?;
    sleep(IDLE).await;
    log.requests(requests::Client::Operator)
}

async fn restart(plane: &ControlPlane, program: &Path, operator: Operator) -> Result<(Operator, Restart)> {
    let _activity = Activity::new("restarting the operator");
    operator.stop().await?;
    let log = Log::from_now(audit_log(plane)?)?;
    let operator = Operator::start_program(plane, program).await?;
    sleep(AFTER_RESTART.saturating_sub(operator.ready_after())).await;
    let (rss_mib, _) = processes::operator_memory()?;
    let requests = log.requests(requests::Client::Operator)?;
    let synced = operator.ready_after();
    Ok((operator, Restart { synced, rss_mib, requests }))
}

fn audit_log(plane: &ControlPlane) -> Result<&Path> {
    plane.audit_log().context("the control plane has no audit log")
}

/// A stretch of time, and what the processes spend in it.
struct Measure {
    begin: Instant,
    cpu_seconds: BTreeMap<String, f64>,
}

impl Measure {
    fn begin() -> Result<Self> {
        let cpu_seconds = processes::cpu_seconds()?;
        Ok(Self { begin: Instant::now(), cpu_seconds })
    }

    fn end(self) -> Result<(f64, BTreeMap<String, f64>)> {
        let seconds = self.begin.elapsed().as_secs_f64();
        Ok((seconds, processes::spent(&self.cpu_seconds, &processes::cpu_seconds()?)))
    }
}
