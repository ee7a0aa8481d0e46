//! `govcloud approve`, `reject`, `suspend` and `resume`: decide on the generation of a request that was shown, and on no other.

use anyhow::{Context, bail};
use govcloud_core::{
    api::{
        AgencyTenant, AgencyTenantStatus, Quantity, Resources,
        approval::{Approval as Decided, Decision},
        conditions::{find, kind},
    },
    model::{
        amounts::{Amount, resources},
        names::TenantName,
    },
    plan::{
        contract::{below_held, differences},
        intent::intent,
    },
    status::stop::stop_words,
    views::requests::{if_approved, request},
};
use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use kube::{
    Api, Client, ResourceExt,
    api::{Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};

use super::{confirm::confirmed, options::amount, output::say, run::settings, target::Target};
use crate::cluster::live::Live;

#[derive(clap::Args)]
#[command(after_help = "A request that cannot come into force is not approved: the command says why.")]
pub(super) struct Approval {
    #[command(flatten)]
    arguments: Arguments,
    /// Grant less of an amount of spec.quota than is asked for, as KEY=AMOUNT; several separated by commas. Needs --reason and a single agency.
    /// Example: requests.cpu=20.
    #[arg(long, value_name = "AMOUNTS", value_delimiter = ',', value_parser = amount)]
    quota: Vec<(String, Amount)>,
    /// Also approve a quota below what the systems hold. The quota in force stays until they hold no more than the new one.
    #[arg(long)]
    allow_pending_quota: bool,
}

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Names of agencies. Each is decided by itself; where one cannot be, the others are.
    #[arg(value_name = "AGENCY", required = true)]
    names: Vec<String>,
    /// Reason, on record and shown to those who made the request. Required to reject and to suspend.
    #[arg(long)]
    reason: Option<String>,
    /// Generation that you have reviewed; the command fails if the object is at another generation. For a single agency.
    #[arg(long)]
    generation: Option<i64>,
    /// Do not ask for confirmation.
    #[arg(long, short)]
    yes: bool,
    /// Show what would be decided, and have it checked; decide nothing.
    #[arg(long)]
    dry_run: bool,
}

impl Arguments {
    fn has_reason(&self) -> bool {
        self.reason.as_ref().is_some_and(|reason| !reason.trim().is_empty())
    }
}

/// What is decided of each of the named agencies.
struct Verdict {
    decision: Decision,
    quota: Resources,
    allow_pending_quota: bool,
}

pub(super) fn approve(approval: &Approval, target: &Target) -> anyhow::Result<()> {
    let quota = resources(&approval.quota.iter().cloned().collect());
    if !quota.is_empty() && (!approval.arguments.has_reason() || approval.arguments.names.len() > 1) {
        bail!("--quota needs --reason, which is shown to those who made the request, and a single agency");
    }
    let verdict = Verdict { decision: Decision::Approved, quota, allow_pending_quota: approval.allow_pending_quota };
    tokio::runtime::Runtime::new()?.block_on(run(&approval.arguments, &verdict, target))
}

/// Rejects, suspends or resumes.
pub(super) fn decide(arguments: &Arguments, decision: Decision, target: &Target) -> anyhow::Result<()> {
    if !arguments.has_reason() && decision != Decision::Resumed {
        bail!("--reason is required; it is shown to those who made the request");
    }
    let verdict = Verdict { decision, quota: Resources::new(), allow_pending_quota: false };
    tokio::runtime::Runtime::new()?.block_on(run(arguments, &verdict, target))
}

async fn run(arguments: &Arguments, verdict: &Verdict, target: &Target) -> anyhow::Result<()> {
    if arguments.generation.is_some() && arguments.names.len() > 1 {
        bail!("--generation is the one that you have reviewed of a single agency; name one");
    }
    let client = target.client().await?;
    let mut failed = Vec::new();
    for name in &arguments.names {
        match one(&client, name, arguments, verdict).await {
            Err(error) if arguments.names.len() > 1 => failed.push(super::words(&error)),
            result => result?,
        }
    }
    if failed.is_empty() {
        return Ok(());
    }
    bail!("not decided: {} of {}\n{}", failed.len(), arguments.names.len(), failed.join("\n"))
}

async fn one(client: &Client, name: &str, arguments: &Arguments, verdict: &Verdict) -> anyhow::Result<()> {
    let tenants: Api<AgencyTenant> = Api::all(client.clone());
    let found = tenants.get_opt(name).await.with_context(|| format!("reading agencytenant/{name}"))?;
    let Some(tenant) = found else { bail!("agencytenant/{name} not found; `kubectl get agencytenants` lists all tenants") };
    let generation = tenant.metadata.generation.unwrap_or_default();
    if let Some(seen) = arguments.generation.filter(|seen| *seen != generation) {
        bail!("agencytenant/{name} is at generation {generation}, not at {seen} as --generation says; review it again");
    }
    let Verdict { decision, quota, .. } = verdict;
    let status = tenant.status.clone().unwrap_or_default();
    if *decision == Decision::Suspended && status.contract.is_none() {
        bail!("nothing of agencytenant/{name} is in force, so there is nothing to stop; `reject` refuses its request");
    }
    say(shown(&tenant, generation, quota))?;
    let served = status.contract_generation;
    if *decision == Decision::Approved && served != Some(generation) {
        refuse_unservable(client, &tenant, verdict).await?;
    }
    // A stop and its end are about the agency, whatever generation is there.
    let (verb, what) = match decision {
        Decision::Approved => ("Approve", format!("agencytenant/{name}: generation {generation}")),
        Decision::Rejected => ("Reject", format!("agencytenant/{name}: generation {generation}")),
        Decision::Suspended => ("Suspend", format!("agencytenant/{name}")),
        Decision::Resumed => ("Resume", format!("agencytenant/{name}")),
    };
    let question = format!("{verb} {what}?");
    if !arguments.yes && !arguments.dry_run && !confirmed(&question, &format!("--yes --generation {generation}"))? {
        bail!("nothing was decided");
    }
    let by = who_am_i(client).await?;
    let reason = arguments.reason.clone().unwrap_or_default();
    if status.approval.as_ref().is_some_and(|last| {
        (last.decision, last.generation, &last.by, &last.reason, &last.quota) == (*decision, generation, &by, &reason, quota)
    }) {
        bail!("you have decided the same of generation {generation} of agencytenant/{name} already; nothing was decided");
    }
    let mut approval = json!({
        "decision": decision.as_str(),
        "generation": generation,
        "by": by,
        "reason": reason,
        "quota": null, // in the place of what the decision before had
        "time": null,
    });
    if !quota.is_empty() {
        approval["quota"] = json!(quota);
    }
    write(&tenants, &tenant, &approval, *decision == Decision::Suspended, arguments.dry_run).await?;
    let would = if arguments.dry_run { "would be" } else { "is" };
    say(format_args!("{what} {would} {} by {by}", decision.as_str().to_lowercase()))
}

/// Refuses to approve what would not come into force: the operator's own checks, on the request as if it were approved.
async fn refuse_unservable(client: &Client, tenant: &AgencyTenant, verdict: &Verdict) -> anyhow::Result<()> {
    let (name, generation) = (TenantName::new(tenant.name_any()), tenant.metadata.generation.unwrap_or_default());
    if tenant.metadata.deletion_timestamp.is_some() {
        bail!("agencytenant/{name} is being deleted, so it is not approved");
    }
    let mut live = Live::new(client.clone());
    let settings = settings(&mut live).await?;
    live.tenants(&[name.clone()].into()).await?;
    for unread in live.unread() {
        say(format_args!("  Not checked, because you may not read it: {unread}"))?;
    }
    let [now, _] = live.snapshots(&name);
    let then = if_approved(&now, verdict.quota.clone());
    let problems: Vec<String> = intent(&then, &settings).request.iter().flatten().map(ToString::to_string).collect();
    if !problems.is_empty() {
        bail!("generation {generation} of agencytenant/{name} is not valid, so it is not approved: {}", problems.join("; "));
    }
    // What is not valid or below what is held is told as a refusal.
    let told = request(&now, &settings).into_iter().flat_map(|row| row.warnings);
    for warning in told.filter(|warning| !["Invalid", "BelowHeld"].contains(&warning.reason)) {
        say(format_args!("  Warning: {}", warning.message))?;
    }
    let below = then.tenant.as_ref().map(|root| below_held(root)).unwrap_or_default();
    if !below.is_empty() && !verdict.allow_pending_quota {
        bail!(
            "the quota of generation {generation} of agencytenant/{name} cannot come into force yet, so it is not approved: {}. Have the \
             agency lower the shares of its systems first, or add --allow-pending-quota: the quota in force then stays until they hold no more",
            below.join("; ")
        );
    }
    Ok(())
}

/// Writes the approval, if the request and what was decided on it are still as they were shown.
/// A stop is written whatever happened meanwhile, or edits could dodge it.
async fn write(tenants: &Api<AgencyTenant>, shown: &AgencyTenant, approval: &Value, is_stop: bool, dry_run: bool) -> anyhow::Result<()> {
    let (name, generation) = (shown.name_any(), shown.metadata.generation);
    let decided = |tenant: &AgencyTenant| {
        let approval = tenant.status.as_ref().and_then(|status| status.approval.clone());
        approval.map(|approval| (approval.decision, approval.generation, approval.by, approval.reason, approval.quota))
    };
    let parameters = PatchParams { field_manager: Some("kubectl-govcloud".into()), dry_run, ..PatchParams::default() };
    if is_stop {
        let patch = json!({ "metadata": { "uid": shown.uid() }, "status": { "approval": approval } });
        let answer = tenants.patch_status(&name, &parameters, &Patch::Merge(patch)).await;
        return answer.map(drop).with_context(|| format!("stopping agencytenant/{name}"));
    }
    loop {
        let now = tenants.get(&name).await.with_context(|| format!("reading agencytenant/{name} again"))?;
        if now.metadata.generation != generation || now.uid() != shown.uid() {
            bail!("agencytenant/{name} was changed in the meantime; review it again");
        }
        if decided(&now) != decided(shown) {
            let other = decided(&now).map(|(decision, _, by, ..)| format!(": {} by {by}", decision.as_str())).unwrap_or_default();
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
fn shown(tenant: &AgencyTenant, generation: i64, quota: &Resources) -> String {
    let status = tenant.status.clone().unwrap_or_default();
    let (name, spec) = (tenant.name_any(), &tenant.spec);
    let served = match status.contract_generation {
        Some(served) => format!("generation {served} is in force"),
        None => "nothing is approved yet".to_owned(),
    };
    let is_stop = status.approval.as_ref().is_some_and(|approval| approval.decision == Decision::Suspended);
    let stop = if is_stop { format!("\n  It is {}; `approve` and `resume` end that", stop_words(&status)) } else { String::new() };
    // As if it were approved with these amounts, which may be some that were declined before.
    let approval = if quota.is_empty() { status.approval.clone() } else { Some(Decided::granting(generation, quota.clone())) };
    let changes = differences(&AgencyTenantStatus { approval, ..status.clone() }, generation, spec);
    let changes = if changes.is_empty() { vec!["none".to_owned()] } else { changes };
    let refused = find(&status.conditions, kind::ACCEPTED)
        .filter(|condition| condition.status == "False" && condition.observed_generation == generation);
    let complaint = refused.map(|condition| format!("\n  It is not valid: {}", condition.message)).unwrap_or_default();
    let less: Vec<String> = quota
        .iter()
        .map(|(key, granted)| {
            let asked = spec.quota.get(key).map_or("nothing", Quantity::as_str);
            format!("{key} {} of {asked}", granted.as_str())
        })
        .collect();
    let less = if less.is_empty() { String::new() } else { format!("\n  Granted of spec.quota: {}", less.join(", ")) };
    format!(
        "agencytenant/{name} {} ({}), generation {generation}; {served}{stop}{complaint}{less}\n  Requested changes:\n    {}",
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
