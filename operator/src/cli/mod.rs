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
use kube::Client;

use crate::{api::approval::Decision, plan::settings::Settings};

/// GovCloud: runs a government's shared private cloud on Kubernetes.
#[derive(Parser)]
#[command(name = "govcloud", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Approve what a tenant asks for, and end an emergency stop; shows the request first.
    Approve(approve::Arguments),
    /// Reject what a tenant asks for; what is served stays.
    Reject(approve::Arguments),
    /// Stop a tenant in an emergency: its network is closed and no new pod admitted, until somebody approves it.
    Suspend(approve::Arguments),
    /// List the tenants whose Owner you are.
    My,
    /// Show what applying files of tenants and systems would change, before anybody applies them; writes nothing.
    Plan(plan::Arguments),
    /// Hand a namespace that was there before to the tenant or system of its name; shows first what that changes in it.
    Adopt(adopt::Arguments),
    /// Write the custom resource definitions, one YAML file each.
    Crds(crds::Arguments),
    /// Print the operator's own `ClusterRole`s.
    Role,
    /// Run the operator against the cluster of KUBECONFIG, or of the pod that it is in.
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
        bail!("there is nobody to ask; add {instead} when you have seen this");
    }
    print!("{question} Write yes: ");
    stdout().flush()?;
    let mut answer = String::new();
    stdin().read_line(&mut answer)?;
    Ok(answer.trim() == "yes")
}

/// The API server of the current context.
async fn client() -> anyhow::Result<Client> {
    Client::try_default().await.context("no cluster: set KUBECONFIG, or run inside of a pod")
}
