//! `govcloud uninstall --dry-run`: what would stay. The commands that remove anything are kubectl's and Helm's.

use anyhow::bail;
use govcloud_core::views::uninstall::report;
use k8s_openapi::jiff::Timestamp;
use serde_json::Value;

use super::{output::say, target::Target};
use crate::cluster::facts;

#[derive(clap::Args)]
#[command(
    after_help = "This command removes nothing: it prints the commands of kubectl and Helm that do. Run it as an administrator of the cluster."
)]
pub(super) struct Arguments {
    /// Only show what would go and what would stay.
    #[arg(long, required = true)]
    dry_run: bool,
}

pub(super) fn show(_: &Arguments, target: &Target) -> anyhow::Result<()> {
    let shipped = facts::shipped()?.iter().map(|shipped| key(&shipped.object)).collect();
    let objects = tokio::runtime::Runtime::new()?.block_on(async { anyhow::Ok(facts::objects(&target.client().await?).await?) })?;
    match report(&objects, &shipped, Timestamp::now()) {
        Ok(lines) => say(lines.join("\n")),
        Err(why) => bail!("{why}"),
    }
}

/// Kind and name.
fn key(object: &Value) -> (String, String) {
    let text = |field: &Value| field.as_str().unwrap_or_default().to_owned();
    (text(&object["kind"]), text(&object["metadata"]["name"]))
}
