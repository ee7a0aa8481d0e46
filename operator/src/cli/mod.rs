//! Command line: one file per subcommand.

mod adopt;
mod agencies;
mod approve;
mod completion;
mod confirm;
mod crds;
mod doctor;
mod files;
mod history;
mod options;
mod output;
mod page;
mod plan;
mod requests;
mod retained;
mod run;
mod status;
mod target;
mod uninstall;
mod withdraw;

use std::{
    env,
    io::{Write, stderr},
    path::PathBuf,
    process::ExitCode,
};

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use govcloud_core::api::approval::Decision;

use self::{
    output::{CLOSED, is_closed, say},
    target::Target,
};
use crate::{
    cluster::kubernetes_version::OLDEST,
    error::{Error, with_causes},
};

/// GovCloud: runs a government's shared private cloud on Kubernetes.
#[derive(Parser)]
#[command(
    name = "govcloud",
    version,
    after_help = "Exit codes: 0 done; 1 not done, and the reason is on standard error; 2 the command line is not understood; 141 nobody reads \
    the output any more. `plan`, `adopt` and `doctor` say by 1 what they found, and by 2 that they could not look."
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    target: Target,
}

#[derive(Subcommand)]
enum Command {
    /// List the requests that wait for an approver, the oldest first.
    Requests(requests::Arguments),
    /// Approve the requests of agencies, all that is asked for or less. Shows each request first. Ends an emergency stop, too.
    Approve(approve::Approval),
    /// Reject the requests of agencies. The contract in force stays.
    Reject(approve::Arguments),
    /// Stop agencies in an emergency: their network is closed and no new pod is admitted until somebody resumes or approves them.
    Suspend(approve::Arguments),
    /// End the emergency stop of agencies. The contract in force is served again; a request that waits goes on waiting.
    Resume(approve::Arguments),
    /// Take back the request of an agency of which you are an Owner.
    Withdraw(withdraw::Arguments),
    /// Show who asked for what of an agency, who decided, and when the contract changed.
    History(history::Arguments),
    /// List the agencies that you may see, or those that you name. `get` is the same.
    #[command(alias = "get")]
    List(agencies::Arguments),
    /// List the agencies of which you are a member, with what each waits for.
    My(agencies::MyArguments),
    /// Show all of an agency, or of one of its systems: what fails and what to do, quota, systems, requested changes, events.
    Status(status::Arguments),
    /// List the namespaces that are kept though their agency or system was deleted, or delete one for good.
    Retained(retained::Arguments),
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
    /// Print a script that completes commands and flags in a shell or in kubectl.
    Completion(completion::Arguments),
    #[command(name = "__complete", hide = true)]
    Complete(completion::Words),
    /// Print the version.
    Version,
}

impl Cli {
    /// Reads the command line. A plugin is called as its users call it.
    ///
    /// # Errors
    /// What is wrong with it, or the help that was asked for.
    pub fn of_command_line() -> Result<Self, clap::Error> {
        let program = env::args_os().next().map(PathBuf::from).unwrap_or_default();
        let is_plugin = program.file_name().is_some_and(|name| name.to_string_lossy().starts_with("kubectl-"));
        let command = if is_plugin { Self::command().bin_name("kubectl govcloud") } else { Self::command() };
        Self::from_arg_matches(&command.try_get_matches()?)
    }

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
            Command::Requests(arguments) => done(requests::list(&arguments, &target)),
            Command::Resume(arguments) => done(approve::decide(&arguments, Decision::Resumed, &target)),
            Command::Withdraw(arguments) => done(withdraw::withdraw(&arguments, &target)),
            Command::History(arguments) => done(history::show(&arguments, &target)),
            Command::List(arguments) => done(agencies::list(&arguments, &target)),
            Command::My(arguments) => done(agencies::mine(&arguments, &target)),
            Command::Status(arguments) => done(status::show(&arguments, &target)),
            Command::Retained(arguments) => done(retained::retained(&arguments, &target)),
            Command::Plan(arguments) => plan::show(&arguments, &target),
            Command::Adopt(arguments) => adopt::adopt(&arguments, &target),
            Command::Doctor(arguments) => doctor::examine_cluster(&arguments, &target),
            Command::Crds(arguments) => done(crds::write(&arguments)),
            Command::Role => done(crds::print_role()),
            Command::Run(arguments) => done(run::run(*arguments, &target)),
            Command::Uninstall(arguments) => done(uninstall::show(&arguments, &target)),
            Command::Completion(arguments) => done(completion::print(&arguments, &mut Self::command())),
            Command::Complete(words) => done(completion::answer(&words, &mut Self::command())),
            Command::Version => done(say(format_args!("govcloud {}, for Kubernetes {OLDEST} or later", env!("CARGO_PKG_VERSION")))),
        };
        result.unwrap_or_else(|error| {
            if is_closed(&error) {
                return ExitCode::from(CLOSED);
            }
            // Where nobody reads this either, nobody can be told.
            drop(writeln!(stderr(), "{}", words(&error)));
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
