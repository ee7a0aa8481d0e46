//! Command line: one file per subcommand.

mod approve;
mod crds;
mod my;
mod run;

use anyhow::Context;
use clap::{Parser, Subcommand};
use kube::Client;

use crate::api::approval::Decision;

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
    /// Write the custom resource definitions, one YAML file each.
    Crds(crds::Arguments),
    /// Print the operator's own `ClusterRole`s.
    Role,
    /// Run the operator against the cluster of KUBECONFIG, or of the pod that it is in.
    Run(run::Arguments),
}

impl Cli {
    /// Runs the chosen subcommand to its end.
    ///
    /// # Errors
    /// Whatever the subcommand could not do, in words for the person at the terminal.
    pub fn execute(self) -> anyhow::Result<()> {
        match self.command {
            Command::Approve(arguments) => approve::decide(&arguments, Decision::Approved),
            Command::Reject(arguments) => approve::decide(&arguments, Decision::Rejected),
            Command::Suspend(arguments) => approve::decide(&arguments, Decision::Suspended),
            Command::My => my::list(),
            Command::Crds(arguments) => crds::write(&arguments),
            Command::Role => crds::print_role(),
            Command::Run(arguments) => run::run(arguments),
        }
    }
}

/// The API server of the current context.
async fn client() -> anyhow::Result<Client> {
    Client::try_default().await.context("no cluster: set KUBECONFIG, or run inside of a pod")
}
