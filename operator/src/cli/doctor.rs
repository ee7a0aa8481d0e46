//! `govcloud doctor`: whether all is well with the operator, its guard rails, and the cluster that they rest on.

use std::process::ExitCode;

use anyhow::Context;
use govcloud_core::views::doctor::{Finding, Verdict, examine};
use serde_json::json;

use super::{output::say, target::Target};
use crate::cluster::facts;

#[derive(clap::Args)]
#[command(
    after_help = "Reads with your rights and writes nothing; what you may not read is told as unknown. Run it as an administrator of the \
    cluster.\n\
    Exit codes: 0 nothing failed, warnings included; 1 something failed; 2 the cluster, or a part of it, could not be examined."
)]
pub(super) struct Arguments {
    /// Form of the report.
    #[arg(long, short, value_enum, default_value_t = Form::Text)]
    output: Form,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Form {
    Text,
    Json,
}

pub(super) fn examine_cluster(arguments: &Arguments, target: &Target) -> anyhow::Result<ExitCode> {
    tokio::runtime::Runtime::new()?.block_on(run(arguments, target))
}

async fn run(arguments: &Arguments, target: &Target) -> anyhow::Result<ExitCode> {
    let facts = facts::read(&target.client().await?).await?;
    let findings = examine(&facts);
    match arguments.output {
        Form::Text => say(findings.iter().map(lines).collect::<Vec<_>>().join("\n"))?,
        Form::Json => {
            let report = json!({ "version": facts.version, "findings": findings });
            say(serde_json::to_string_pretty(&report).context("writing the report")?)?;
        }
    }
    let has_failed = findings.iter().any(|finding| finding.verdict == Verdict::Fail);
    let is_unknown = findings.iter().any(|finding| finding.unknown);
    Ok(ExitCode::from(if has_failed {
        1
    } else if is_unknown {
        2
    } else {
        0
    }))
}

fn lines(finding: &Finding) -> String {
    let verdict = match finding.verdict {
        Verdict::Ok => "OK",
        Verdict::Warn => "WARN",
        Verdict::Fail => "FAIL",
    };
    let cure = if finding.cure.is_empty() { String::new() } else { format!("\n{:21}cure: {}", "", finding.cure) };
    format!("{verdict:<5} {:<14} {}{cure}", finding.check, finding.message)
}
