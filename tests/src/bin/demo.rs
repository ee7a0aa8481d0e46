//! `cargo demo`: the municipal cloud on a real Kubernetes control plane, from one command.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use acceptance::progress::{Activity, Steps};
use acceptance::request::{self, plugin};
use acceptance::rollout::{Rollout, State};
use acceptance::{ControlPlane, Operator, manifests, programs, tables};
use anyhow::{Context, Result, anyhow};
use clap::Parser;
use kube::ResourceExt;
use kube::core::DynamicObject;
use tokio::signal::unix::{SignalKind, signal};

/// Brings a folder of agencies and systems up on a Kubernetes control plane of its own, or on a cluster
/// that you have, and shows what came of it.
#[derive(Parser)]
struct Arguments {
    /// Stop when all is Ready (exit 0), or when the time is up (exit 1 with the reasons)
    #[arg(long)]
    once: bool,
    /// Time for everything to become Ready, counted from when the control plane is up
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    timeout: u64,
    /// Kubeconfig of a cluster to use instead of starting one
    #[arg(long, value_name = "PATH", env = acceptance::control_plane::KUBECONFIG_VARIABLE)]
    kubeconfig: Option<PathBuf>,
    /// Folder with agencies and systems [default: examples/beijing of this checkout]
    #[arg(long, value_name = "DIR")]
    examples: Option<PathBuf>,
}

/// What the demo leaves running: the operator ends before the control plane does.
struct Cloud {
    operator: Operator,
    plane: ControlPlane,
    rollout: Rollout,
}

#[tokio::main]
async fn main() -> ExitCode {
    match demo(&Arguments::parse()).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn demo(arguments: &Arguments) -> Result<ExitCode> {
    let cloud = tokio::select! {
        cloud = bring_up(arguments) => cloud?,
        // Dropping what there is so far stops it.
        interrupted = interrupt() => return interrupted.map(|()| ExitCode::from(130)),
    };
    let all_ready = show(&cloud.rollout);
    if !arguments.once {
        show_how_to_go_on(&cloud.plane);
        interrupt().await?;
        println!("stopping");
    }
    cloud.operator.stop().await?;
    if arguments.once && !all_ready {
        println!("the logs are in {}", cloud.plane.stop_and_keep_logs().display());
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

async fn bring_up(arguments: &Arguments) -> Result<Cloud> {
    // What can fail on its own comes first.
    let examples = arguments.examples.clone().unwrap_or_else(|| acceptance::workspace().join("examples/beijing"));
    let mut rollout = Rollout::read(&examples)?;
    let building = Activity::new("building the operator");
    let program = tokio::task::spawn_blocking(Operator::build).await??;
    drop(building);

    let began = Instant::now();
    let plane = control_plane(arguments.kubeconfig.clone()).await?;
    println!("control plane up in {}", seconds(began.elapsed()));
    let deadline = Instant::now() + Duration::from_secs(arguments.timeout);
    match run_on(&plane, &program, &mut rollout, deadline).await {
        Ok(operator) => Ok(Cloud { operator, plane, rollout }),
        Err(error) => Err(anyhow!("{error:#}\nthe logs are in {}", plane.stop_and_keep_logs().display())),
    }
}

async fn run_on(plane: &ControlPlane, program: &Path, rollout: &mut Rollout, deadline: Instant) -> Result<Operator> {
    let began = Instant::now();
    if plane.is_local() {
        programs::install(&plane.client().await?).await?;
    }
    Operator::install(plane).await?;
    let operator = Operator::start_program(plane, program).await?;
    println!("operator installed and ready in {}; its log is {}", seconds(began.elapsed()), operator.log().display());
    for name in rollout.requests().map(|item| item.wanted.clone()).collect::<Vec<_>>() {
        walk_through(plane, program, &name).await?;
    }
    rollout.leave_requests_out();
    roll_out(plane, rollout, deadline).await?;
    Ok(operator)
}

/// One agency asks as anybody may: three people, none of them an administrator of the cluster.
async fn walk_through(plane: &ControlPlane, program: &Path, wanted: &DynamicObject) -> Result<()> {
    let name = wanted.name_any();
    request::appoint(&plane.client().await?).await?;
    request::ask(plane, wanted).await?;
    let (asks, decides, looks) = (request::REQUESTER.user, request::APPROVER.user, request::AUDITOR.user);
    println!("\n{asks} asks: kubectl create -f {name}.yaml; kubectl govcloud my\n{}", plugin(plane, program, request::REQUESTER, &["my"])?);
    let arguments = ["approve", &name, "--yes", "--reason", "within this year's plan"];
    println!("\n{decides} decides: kubectl govcloud approve {name}\n{}", plugin(plane, program, request::APPROVER, &arguments)?);
    println!("\n{looks} looks: agencytenant/{name} is Ready: {}\n", request::see_ready(plane, &name).await?);
    Ok(())
}

async fn control_plane(kubeconfig: Option<PathBuf>) -> Result<ControlPlane> {
    tokio::task::spawn_blocking(move || match kubeconfig.filter(|path| !path.as_os_str().is_empty()) {
        Some(path) => ControlPlane::existing(&path),
        None => ControlPlane::start(),
    })
    .await?
}

async fn roll_out(plane: &ControlPlane, rollout: &mut Rollout, deadline: Instant) -> Result<()> {
    let client = plane.client().await?;
    let mut steps = Steps::new(rollout.items().count());
    let left = deadline.saturating_duration_since(Instant::now());
    rollout
        .run(&client, left, |now| {
            let (tenants, systems) = (ready(now.tenants.values()), ready(now.systems.values()));
            let text = format!("agencies Ready {tenants}/{}, systems Ready {systems}/{}", now.tenants.len(), now.systems.len());
            steps.set(tenants + systems, text);
        })
        .await
}

fn ready<'a>(items: impl Iterator<Item = &'a acceptance::rollout::Item>) -> usize {
    items.filter(|item| item.state() == State::Ready).count()
}

/// Prints the tables and the totals; whether all is Ready.
fn show(rollout: &Rollout) -> bool {
    println!("\n{}\n\n{}\n", tables::agencies(rollout), tables::systems(rollout));
    let (tenants, systems) = (ready(rollout.tenants.values()), ready(rollout.systems.values()));
    println!(
        "{tenants} of {} agencies and {systems} of {} systems Ready after {}",
        rollout.tenants.len(),
        rollout.systems.len(),
        seconds(rollout.took)
    );
    let mut all_ready = true;
    for (item, reason, message) in rollout.not_ready() {
        all_ready = false;
        println!("not Ready: {}: {reason}: {message}", manifests::describe(&item.wanted));
    }
    all_ready
}

fn show_how_to_go_on(plane: &ControlPlane) {
    println!("\nexport KUBECONFIG={}", plane.kubeconfig().display());
    if !is_on_path("kubectl") && plane.is_local() {
        println!("alias kubectl='{}'    # there is no kubectl on the PATH", command_line(&plane.kubectl()));
    }
    println!("kubectl get govcloud --all-namespaces\n\nCtrl-C stops everything.");
}

fn command_line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

fn is_on_path(program: &str) -> bool {
    env::var_os("PATH").is_some_and(|path| env::split_paths(&path).any(|folder: PathBuf| Path::new(&folder).join(program).is_file()))
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

/// Waits for Ctrl-C, the end of the terminal or a polite kill.
async fn interrupt() -> Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
    let mut hangup = signal(SignalKind::hangup()).context("listening for SIGHUP")?;
    tokio::select! {
        pressed = tokio::signal::ctrl_c() => pressed.context("listening for Ctrl-C")?,
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
    }
    Ok(())
}
