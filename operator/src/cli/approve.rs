//! `govcloud approve`, `reject` and `suspend`: decide on the generation of a request that was shown, and on no other.

use anyhow::{Context, bail};
use govcloud_core::{
    api::{
        AgencyTenant,
        approval::Decision,
        conditions::{find, kind},
    },
    model::names::TenantName,
    plan::{
        contract::{below_held, differences},
        intent::intent,
    },
};
use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use kube::{
    Api, Client, ResourceExt,
    api::{Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};

use super::{confirm::confirmed, run::settings, target::Target};
use crate::cluster::live::Live;

#[derive(clap::Args)]
#[command(after_help = "A request that cannot come into force is not approved: the command says why.")]
pub(super) struct Approval {
    #[command(flatten)]
    arguments: Arguments,
    /// Also approve a quota below what the systems hold. The quota in force stays until they hold no more than the new one.
    #[arg(long)]
    allow_pending_quota: bool,
}

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

pub(super) fn approve(approval: &Approval, target: &Target) -> anyhow::Result<()> {
    tokio::runtime::Runtime::new()?.block_on(run(&approval.arguments, Decision::Approved, approval.allow_pending_quota, target))
}

/// Rejects or suspends.
pub(super) fn decide(arguments: &Arguments, decision: Decision, target: &Target) -> anyhow::Result<()> {
    if arguments.reason.is_none() {
        bail!("--reason is required; it is shown to those who made the request");
    }
    tokio::runtime::Runtime::new()?.block_on(run(arguments, decision, false, target))
}

async fn run(arguments: &Arguments, decision: Decision, allow_pending_quota: bool, target: &Target) -> anyhow::Result<()> {
    let client = target.client().await?;
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
    if decision == Decision::Approved && served != Some(generation) {
        refuse_unservable(&client, &tenant, allow_pending_quota).await?;
    }
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

/// Refuses to approve what would not come into force: the operator's own checks, on the request as if it were approved.
async fn refuse_unservable(client: &Client, tenant: &AgencyTenant, allow_pending_quota: bool) -> anyhow::Result<()> {
    let (name, generation) = (TenantName::new(tenant.name_any()), tenant.metadata.generation.unwrap_or_default());
    if tenant.metadata.deletion_timestamp.is_some() {
        bail!("agencytenant/{name} is being deleted, so it is not approved");
    }
    let mut approved = serde_json::to_value(tenant)?;
    approved["status"]["approval"] = json!({ "decision": Decision::Approved.as_str(), "generation": generation, "by": "" });
    let mut live = Live::new(client.clone());
    live.replace("AgencyTenant", &approved)?;
    let settings = settings(&mut live).await?;
    live.tenants(&[name.clone()].into()).await?;
    for unread in live.unread() {
        println!("  Not checked, because you may not read it: {unread}");
    }
    let [_, then] = live.snapshots(&name);
    let problems: Vec<String> = intent(&then, &settings).request.iter().flatten().map(ToString::to_string).collect();
    if !problems.is_empty() {
        bail!("generation {generation} of agencytenant/{name} is not valid, so it is not approved: {}", problems.join("; "));
    }
    let below = then.tenant.as_ref().map(|root| below_held(root, &tenant.spec)).unwrap_or_default();
    if !below.is_empty() && !allow_pending_quota {
        bail!(
            "the quota of generation {generation} of agencytenant/{name} cannot come into force yet, so it is not approved: {}. Have the \
             agency lower the shares of its systems first, or add --allow-pending-quota: the quota in force then stays until they hold no more",
            below.join("; ")
        );
    }
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
    let complaint = refused.map(|condition| format!("\n  It is not valid: {}", condition.message)).unwrap_or_default();
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
