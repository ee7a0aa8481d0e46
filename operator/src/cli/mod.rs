//! Command line: one file per subcommand.

mod crds;
mod run;

use clap::{Parser, Subcommand};

/// GovCloud: runs a government's shared private cloud on Kubernetes.
#[derive(Parser)]
#[command(name = "govcloud", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
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
            Command::Crds(arguments) => crds::write(&arguments),
            Command::Role => crds::print_role(),
            Command::Run(arguments) => run::run(arguments),
        }
    }
}
