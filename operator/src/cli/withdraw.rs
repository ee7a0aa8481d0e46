//! `govcloud withdraw`: an Owner takes a request back.

use anyhow::{Context, bail};
use govcloud_core::{
    api::{AgencyTenant, AgencyTenantSpec, approval::Contract},
    plan::contract::differences,
};
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, PostParams, Preconditions},
};

use super::{confirm::confirmed, output::say, target::Target};

#[derive(clap::Args)]
#[command(
    after_help = "The spec becomes the contract in force again. As long as nothing is approved, the AgencyTenant is deleted: nothing was made of it yet."
)]
pub(super) struct Arguments {
    /// Name of the agency.
    #[arg(value_name = "AGENCY")]
    name: String,
    /// Do not ask for confirmation.
    #[arg(long, short)]
    yes: bool,
    /// Only show what would be taken back.
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn withdraw(arguments: &Arguments, target: &Target) -> anyhow::Result<()> {
    tokio::runtime::Runtime::new()?.block_on(run(arguments, target))
}

async fn run(arguments: &Arguments, target: &Target) -> anyhow::Result<()> {
    let tenants: Api<AgencyTenant> = Api::all(target.client().await?);
    let name = &arguments.name;
    let found = tenants.get_opt(name).await.with_context(|| format!("reading agencytenant/{name}"))?;
    let Some(tenant) = found else { bail!("agencytenant/{name} not found; `govcloud my` lists yours") };
    let contract = tenant.status.as_ref().and_then(|status| status.contract.as_ref());
    let (question, former) = match contract {
        None => ("nothing is approved yet, so the AgencyTenant itself is deleted".to_owned(), None),
        Some(Contract::Unreadable(_, complaint)) => {
            bail!("the contract of agencytenant/{name} is unreadable ({complaint}), so its spec cannot become it again; edit the spec")
        }
        Some(Contract::Read(served)) => {
            // An Owner may not declare a spec to be the platform's.
            let former = AgencyTenantSpec { preapproved: tenant.spec.preapproved, ..(**served).clone() };
            let asked = AgencyTenantSpec { preapproved: served.preapproved, ..tenant.spec.clone() };
            let status = tenant.status.clone().unwrap_or_default();
            let lines = differences(&status, tenant.metadata.generation.unwrap_or_default(), &asked);
            if lines.is_empty() {
                bail!("agencytenant/{name} asks for nothing beyond its contract, so there is nothing to withdraw");
            }
            let ours = if served.preapproved && !tenant.spec.preapproved {
                "\n  spec.preapproved stays false, which an Owner cannot undo: from now on changes need approval, until the platform writes it again"
            } else {
                ""
            };
            (format!("these changes are taken back:\n    {}{ours}", lines.join("\n    ")), Some(former))
        }
    };
    say(format_args!("agencytenant/{name}, generation {}: {question}", tenant.metadata.generation.unwrap_or_default()))?;
    if arguments.dry_run {
        return say("Nothing was changed, because of --dry-run.");
    }
    if !arguments.yes && !confirmed("Withdraw the request?", "--yes")? {
        bail!("nothing was withdrawn");
    }
    if let Some(spec) = former {
        let object = AgencyTenant { spec, ..tenant.clone() };
        tenants.replace(name, &PostParams::default(), &object).await.with_context(|| format!("editing agencytenant/{name}"))?;
    } else {
        let preconditions = Some(Preconditions { uid: tenant.uid(), resource_version: tenant.resource_version() });
        let parameters = DeleteParams { preconditions, ..DeleteParams::default() };
        tenants.delete(name, &parameters).await.with_context(|| format!("deleting agencytenant/{name}"))?;
    }
    say(format_args!("agencytenant/{name}: the request is withdrawn"))
}
