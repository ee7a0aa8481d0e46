//! Command line: one file per subcommand.

mod adopt;
mod approve;
mod crds;
mod files;
mod my;
mod plan;
mod run;

use std::{
    io::{IsTerminal, Write, stdin, stdout},
    process::ExitCode,
};

use anyhow::{Context, bail};
use clap::{Parser, Subcommand};
use govcloud_core::{api::approval::Decision, model::settings::Settings};
use kube::Client;

/// GovCloud: runs a government's shared private cloud on Kubernetes.
#[derive(Parser)]
#[command(name = "govcloud", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Approve the request of a tenant, or end an emergency stop. Shows the request first.
    Approve(approve::Arguments),
    /// Reject the request of a tenant. The contract in force stays.
    Reject(approve::Arguments),
    /// Stop a tenant in an emergency: its network is closed and no new pod is admitted until somebody approves the tenant again.
    Suspend(approve::Arguments),
    /// List the tenants of which you are an Owner.
    My,
    /// Show what applying files with tenants and systems would change. Writes nothing.
    Plan(plan::Arguments),
    /// Hand an existing namespace over to the tenant or system of the same name. Shows first what that changes.
    Adopt(adopt::Arguments),
    /// Write the custom resource definitions, one YAML file each.
    Crds(crds::Arguments),
    /// Print the operator's own `ClusterRole`s.
    Role,
    /// Run the operator, for the cluster that KUBECONFIG names or, in a pod, for the cluster of that pod.
    Run(run::Arguments),
}

impl Cli {
    /// Runs the chosen subcommand to its end. Whatever it could not do it says in words for the person at the terminal.
    #[must_use]
    pub fn execute(self) -> ExitCode {
        let done = |result: anyhow::Result<()>| result.map(|()| ExitCode::SUCCESS);
        // These say by 1 that there is a difference.
        let fails_with = if matches!(self.command, Command::Plan(_) | Command::Adopt(_)) { 2 } else { 1 };
        let result = match self.command {
            Command::Approve(arguments) => done(approve::decide(&arguments, Decision::Approved)),
            Command::Reject(arguments) => done(approve::decide(&arguments, Decision::Rejected)),
            Command::Suspend(arguments) => done(approve::decide(&arguments, Decision::Suspended)),
            Command::My => done(my::list()),
            Command::Plan(arguments) => plan::show(&arguments),
            Command::Adopt(arguments) => adopt::adopt(&arguments),
            Command::Crds(arguments) => done(crds::write(&arguments)),
            Command::Role => done(crds::print_role()),
            Command::Run(arguments) => done(run::run(&arguments)),
        };
        result.unwrap_or_else(|error| {
            eprintln!("Error: {error:#}");
            ExitCode::from(fails_with)
        })
    }
}

/// The settings that `govcloud run` would take from the environment of this command.
fn settings() -> anyhow::Result<Settings> {
    match Cli::try_parse_from(["govcloud", "run"])?.command {
        Command::Run(arguments) => Ok(arguments.settings()),
        _ => bail!("the operator's settings cannot be read"),
    }
}

/// Asks whoever is at the terminal; where nobody is, `instead` says how to go on without.
fn confirmed(question: &str, instead: &str) -> anyhow::Result<bool> {
    if !stdin().is_terminal() {
        bail!("the standard input is not a terminal, so nobody can confirm this; review it, then add {instead}");
    }
    print!("{question} Type yes to confirm: ");
    stdout().flush()?;
    let mut answer = String::new();
    stdin().read_line(&mut answer)?;
    Ok(answer.trim() == "yes")
}

/// The API server of the current context.
async fn client() -> anyhow::Result<Client> {
    Client::try_default().await.context("no cluster is configured: set KUBECONFIG, or run in a pod")
}
