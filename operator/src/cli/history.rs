//! `govcloud history`: who asked for what, who decided, and when the contract changed.

use anyhow::{Context, bail};
use govcloud_core::api::AgencyTenant;
use kube::Api;

use super::{output::Output, target::Target};

#[derive(clap::Args)]
#[command(after_help = "The newest 40 entries, the newest last. The operator's standard output has all of them, a JSON object a line.\n\
    Fields of JSON and YAML: number, time, event, by, generation, reason, changes.")]
pub(super) struct Arguments {
    /// Name of the agency.
    #[arg(value_name = "AGENCY")]
    name: String,
    #[command(flatten)]
    output: Output,
}

pub(super) fn show(arguments: &Arguments, target: &Target) -> anyhow::Result<()> {
    let name = &arguments.name;
    let found = tokio::runtime::Runtime::new()?.block_on(async {
        let tenants: Api<AgencyTenant> = Api::all(target.client().await?);
        tenants.get_opt(name).await.with_context(|| format!("reading agencytenant/{name}"))
    })?;
    let Some(tenant) = found else { bail!("agencytenant/{name} not found") };
    let history = tenant.status.map(|status| status.history).unwrap_or_default();
    arguments.output.list(&history, &format!("Nothing is recorded of agencytenant/{name} yet."))
}
