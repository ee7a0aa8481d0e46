//! `govcloud approve`, `reject` and `suspend`: decide on the generation of a request that was shown, and on no other.

use anyhow::{Context, bail};
use govcloud_core::{
    api::{
        AgencyTenant,
        approval::Decision,
        conditions::{find, kind},
    },
    plan::contract::differences,
};
use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use kube::{
    Api, Client, ResourceExt,
    api::{Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};

use super::{client, confirmed};

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Name of the `AgencyTenant`.
    name: String,
    /// Reason, shown to those who made the request. Required to reject and to suspend.
    #[arg(long)]
    reason: Option<String>,
    /// Generation that you have reviewed; the command fails if the object is at another generation.
    #[arg(long)]
    generation: Option<i64>,
    /// Do not ask for confirmation.
    #[arg(long, short)]
    yes: bool,
}

pub(super) fn decide(arguments: &Arguments, decision: Decision) -> anyhow::Result<()> {
    if decision != Decision::Approved && arguments.reason.is_none() {
        bail!("--reason is required; it is shown to those who made the request");
    }
    tokio::runtime::Runtime::new()?.block_on(run(arguments, decision))
}

async fn run(arguments: &Arguments, decision: Decision) -> anyhow::Result<()> {
    let client = client().await?;
    let tenants: Api<AgencyTenant> = Api::all(client.clone());
    let name = &arguments.name;
    let found = tenants.get_opt(name).await.with_context(|| format!("reading agencytenant/{name}"))?;
    let Some(tenant) = found else { bail!("agencytenant/{name} not found; `kubectl get agencytenants` lists all tenants") };
    let generation = tenant.metadata.generation.unwrap_or_default();
    if let Some(seen) = arguments.generation.filter(|seen| *seen != generation) {
        bail!("agencytenant/{name} is at generation {generation}, not at {seen} as --generation says; review it again");
    }
    let served = tenant.status.as_ref().and_then(|status| status.contract_generation);
    if decision == Decision::Rejected && served == Some(generation) {
        bail!("generation {generation} of agencytenant/{name} is already in force; to stop the tenant, use `suspend`");
    }
    println!("{}", shown(&tenant, generation));
    if !arguments.yes
        && !confirmed(&format!("{} generation {generation} of {name}?", decision.as_str()), &format!("--yes --generation {generation}"))?
    {
        bail!("nothing was decided");
    }
    let by = who_am_i(&client).await?;
    let approval = json!({
        "decision": decision.as_str(),
        "generation": generation,
        "by": by,
        "reason": arguments.reason,
    });
    write(&tenants, &tenant, &approval).await?;
    println!("agencytenant/{name}: generation {generation} is {} by {by}", decision.as_str().to_lowercase());
    Ok(())
}

/// Writes the approval, if the request and what was decided on it are still as they were shown.
async fn write(tenants: &Api<AgencyTenant>, shown: &AgencyTenant, approval: &Value) -> anyhow::Result<()> {
    let (name, generation) = (shown.name_any(), shown.metadata.generation);
    let decided = |tenant: &AgencyTenant| tenant.status.as_ref().and_then(|status| status.approval.clone());
    let parameters = PatchParams { field_manager: Some("kubectl-govcloud".into()), ..PatchParams::default() };
    loop {
        let now = tenants.get(&name).await.with_context(|| format!("reading agencytenant/{name} again"))?;
        if now.metadata.generation != generation || now.uid() != shown.uid() {
            bail!("agencytenant/{name} was changed in the meantime; review it again");
        }
        if decided(&now) != decided(shown) {
            let other = decided(&now).map(|other| format!(": {} by {}", other.decision.as_str(), other.by)).unwrap_or_default();
            bail!("somebody else decided on agencytenant/{name} in the meantime{other}; review it again");
        }
        let patch = json!({ "metadata": { "resourceVersion": now.metadata.resource_version }, "status": { "approval": approval } });
        match tenants.patch_status(&name, &parameters, &Patch::Merge(patch)).await {
            Err(kube::Error::Api(status)) if status.is_conflict() => {} // the operator has told something
            answer => return answer.map(drop).with_context(|| format!("deciding on agencytenant/{name}")),
        }
    }
}

/// The request, against what is served.
fn shown(tenant: &AgencyTenant, generation: i64) -> String {
    let status = tenant.status.clone().unwrap_or_default();
    let (name, spec) = (tenant.name_any(), &tenant.spec);
    let served = match status.contract_generation {
        Some(served) => format!("generation {served} is in force"),
        None => "nothing is approved yet".to_owned(),
    };
    let stop = status.approval.as_ref().filter(|approval| approval.decision == Decision::Suspended);
    let stop = stop
        .map(|approval| format!("\n  Suspended by {} ({}); an approval ends the suspension", approval.by, approval.reason))
        .unwrap_or_default();
    let changes = differences(status.contract.as_ref(), spec);
    let changes = if changes.is_empty() { vec!["none".to_owned()] } else { changes };
    let refused = find(&status.conditions, kind::ACCEPTED)
        .filter(|condition| condition.status == "False" && condition.observed_generation == generation);
    let complaint = refused.map(|condition| format!("\n  It cannot be served: {}", condition.message)).unwrap_or_default();
    format!(
        "agencytenant/{name} {} ({}), generation {generation}; {served}{stop}{complaint}\n  Requested changes:\n    {}",
        spec.display_name,
        spec.responsible_unit,
        changes.join("\n    ")
    )
}

async fn who_am_i(client: &Client) -> anyhow::Result<String> {
    let reviews: Api<SelfSubjectReview> = Api::all(client.clone());
    let review = reviews.create(&PostParams::default(), &SelfSubjectReview::default()).await.context("asking who you are")?;
    let user = review.status.and_then(|status| status.user_info?.username);
    user.filter(|name| !name.is_empty()).context("the API server returned no user name for you")
}
