//! Command line: one file per subcommand.

mod adopt;
mod approve;
mod confirm;
mod crds;
mod doctor;
mod files;
mod my;
mod options;
mod page;
mod plan;
mod run;
mod target;
mod uninstall;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use govcloud_core::api::approval::Decision;

use self::target::Target;
use crate::{
    cluster::kubernetes_version::OLDEST,
    error::{Error, with_causes},
};

/// GovCloud: runs a government's shared private cloud on Kubernetes.
#[derive(Parser)]
#[command(name = "govcloud", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    target: Target,
}

#[derive(Subcommand)]
enum Command {
    /// Approve the request of a tenant, or end an emergency stop. Shows the request first.
    Approve(approve::Approval),
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
    /// Examine the operator, its guard rails and the cluster that they rest on. Says what to do about what is not well.
    Doctor(doctor::Arguments),
    /// Write the custom resource definitions, one YAML file each.
    Crds(crds::Arguments),
    /// Print the operator's own `ClusterRole`s.
    Role,
    /// Run the operator.
    Run(Box<run::Arguments>),
    /// Show what would go and what would stay if the operator, or all of the product, were removed.
    Uninstall(uninstall::Arguments),
    /// Print the version.
    Version,
}

impl Cli {
    /// Runs the chosen subcommand to its end. Whatever it could not do it says in words for the person at the terminal.
    #[must_use]
    pub fn execute(self) -> ExitCode {
        let done = |result: anyhow::Result<()>| result.map(|()| ExitCode::SUCCESS);
        // These say by 1 what they found.
        let Self { command, target } = self;
        let fails_with = if matches!(command, Command::Plan(_) | Command::Adopt(_) | Command::Doctor(_)) { 2 } else { 1 };
        let result = match command {
            Command::Approve(arguments) => done(approve::approve(&arguments, &target)),
            Command::Reject(arguments) => done(approve::decide(&arguments, Decision::Rejected, &target)),
            Command::Suspend(arguments) => done(approve::decide(&arguments, Decision::Suspended, &target)),
            Command::My => done(my::list(&target)),
            Command::Plan(arguments) => plan::show(&arguments, &target),
            Command::Adopt(arguments) => adopt::adopt(&arguments, &target),
            Command::Doctor(arguments) => doctor::examine_cluster(&arguments, &target),
            Command::Crds(arguments) => done(crds::write(&arguments)),
            Command::Role => done(crds::print_role()),
            Command::Run(arguments) => done(run::run(*arguments, &target)),
            Command::Uninstall(arguments) => done(uninstall::show(&arguments, &target)),
            Command::Version => {
                println!("govcloud {}, for Kubernetes {OLDEST} or later", env!("CARGO_PKG_VERSION"));
                Ok(ExitCode::SUCCESS)
            }
        };
        result.unwrap_or_else(|error| {
            eprintln!("{}", words(&error));
            ExitCode::from(fails_with)
        })
    }
}

/// An error as kubectl prints it: what the API server says of a request names verb and object by itself; of anything else, what was being
/// done comes first.
fn words(error: &anyhow::Error) -> String {
    for cause in error.chain() {
        match (cause.downcast_ref::<kube::Error>(), cause.downcast_ref::<Error>()) {
            (Some(kube::Error::Api(status)), _) if status.reason.is_empty() => return format!("Error from server: {}", status.message),
            (Some(kube::Error::Api(status)), _) => return format!("Error from server ({}): {}", status.reason, status.message),
            (Some(kube::Error::Service(_)), _) => return format!("Error: cannot reach the API server: {}", error.root_cause()),
            (_, Some(Error::Refused { message, .. })) => return format!("Error from server: {message}"),
            _ => {}
        }
    }
    format!("Error: {}", with_causes(error.as_ref()))
}
