//! `govcloud run`: the operator.

use std::path::PathBuf;

use anyhow::Context;
use clap::Parser;
use govcloud_core::model::settings::Settings;

use super::{options::Options, target::Target};
use crate::cluster::{self, live::Live};

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// File with settings, in YAML: each flag below under its name in camelCase, such as `dnsNamespace`; those that are given several
    /// times are lists. What a flag or the environment says comes before the file.
    #[arg(long, env = "GOVCLOUD_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    options: Options,
}

/// What the environment of this command says of the operator.
#[derive(Parser)]
struct Environment {
    #[command(flatten)]
    arguments: Arguments,
}

/// The settings of the operator that runs or, where they are not known, those that `govcloud run` would take from the environment of
/// this command.
pub async fn settings(live: &mut Live) -> anyhow::Result<Settings> {
    match live.settings().await? {
        Some(settings) => Ok(settings),
        None => Ok(Environment::try_parse_from(["run"])?.arguments.options()?.settings()),
    }
}

impl Arguments {
    /// The options that are given and, for the others, those of the file.
    fn options(self) -> anyhow::Result<Options> {
        Ok(match &self.config {
            Some(file) => self.options.or(Options::read(file)?),
            None => self.options,
        })
    }
}

pub(super) fn run(arguments: Arguments, target: &Target) -> anyhow::Result<()> {
    let options = arguments.options()?;
    options.start_log()?;
    let settings = options.settings();
    let runtime = tokio::runtime::Runtime::new().context("cannot start the threads of the runtime")?;
    let result = runtime.block_on(async {
        let config = target.config().await?;
        cluster::run(cluster::Options { config, listen: options.listen(), workers: options.workers(), settings }).await
    });
    runtime.shutdown_background(); // whoever has lost the lease ends at once, whatever still waits for an answer
    result
}
