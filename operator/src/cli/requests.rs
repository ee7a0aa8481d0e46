//! `govcloud requests`: what waits for an approver.

use govcloud_core::views::requests::{RequestRow, request};

use super::{output::Output, run::settings, target::Target};
use crate::cluster::live::Live;

#[derive(clap::Args)]
#[command(after_help = "`govcloud status AGENCY` shows a request in full; `approve`, `reject` and `resume` decide.\n\
    WARNINGS: Invalid: it would not come into force; NoOwner: nobody of the agency could edit it then; BelowHeld: it lowers the quota below \
    what the systems hold; Stopped: the agency is stopped meanwhile. JSON and YAML have them in sentences.\n\
    Fields of JSON and YAML: agency, displayName, generation, inForce, by, since, ageSeconds, changes, warnings with {reason,message}.")]
pub(super) struct Arguments {
    #[command(flatten)]
    output: Output,
}

pub(super) fn list(arguments: &Arguments, target: &Target) -> anyhow::Result<()> {
    let rows = tokio::runtime::Runtime::new()?.block_on(rows(target))?;
    arguments.output.list(&rows, "No requests wait for an approver.")
}

/// The oldest first.
async fn rows(target: &Target) -> anyhow::Result<Vec<RequestRow>> {
    let mut live = Live::new(target.client().await?);
    let settings = settings(&mut live).await?;
    live.all_tenants().await?;
    let mut rows: Vec<RequestRow> = live.present().iter().filter_map(|snapshot| request(snapshot, &settings)).collect();
    rows.sort_by(|one, other| (other.age_seconds, &one.agency).cmp(&(one.age_seconds, &other.agency)));
    Ok(rows)
}
