//! `govcloud plan`: what applying files would change, before anybody applies them. Reads with the caller's rights, writes nothing, and
//! needs no operator.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::Context;
use govcloud_core::{
    api::AgencyTenantStatus,
    model::{
        names::{GROUP, TenantName},
        settings::Settings,
        snapshot::Snapshot,
    },
    plan::{Goal, contract::differences, intent::intent, spec_diff::between},
    views::{
        changes::{Row, approval, conflicts, invalid, rows},
        foresight::{Foreseen, approve, foresee},
        guard_rails::GuardRails,
        quota,
        refusals::refusals,
        three_way::LAST_APPLIED,
    },
};
use kube::Client;
use serde_json::{Value, json};

use super::{files, page::Page, run::settings, target::Target};
use crate::{
    cluster::{
        dry_run::{Applied, Manner, apply},
        live::Live,
    },
    error::Error,
};

#[derive(clap::Args)]
#[command(
    after_help = "Exit codes: 0 nothing would change; 1 something would change; 2 an object would be refused or is not valid, or an \
    error occurred.\n\
    The operator's settings are read from its lease or, if you may not read that, from the GOVCLOUD_* environment variables of `govcloud run`."
)]
pub(super) struct Arguments {
    /// Files or folders with `AgencyTenants` and `HostedSystems`; - is the standard input. Other kinds are ignored.
    #[arg(long = "filename", short, required = true, num_args = 1, value_name = "FILE")]
    filename: Vec<PathBuf>,
    /// Apply as `kubectl apply --server-side --force-conflicts` does, instead of as `kubectl apply` does.
    #[arg(long)]
    server_side: bool,
    /// Field manager that would apply the files. With --server-side, fields of this manager that the files no longer set are removed.
    #[arg(long, default_value = "kubectl")]
    field_manager: String,
}

pub(super) fn show(arguments: &Arguments, target: &Target) -> anyhow::Result<ExitCode> {
    tokio::runtime::Runtime::new()?.block_on(run(arguments, target))
}

/// An object of the files.
struct Given {
    kind: String,
    name: String,
    /// Both, with the namespace, as they are printed.
    shown: String,
    tenant: TenantName,
    /// What the API server makes of it; none where it is not asked, because the object is of another kind.
    answer: Option<Result<Applied, Error>>,
}

/// What comes of the files for one tenant.
struct Future {
    contract: Vec<String>,
    approval: Option<String>,
    before: Foreseen,
    after: Foreseen,
    /// Objects that the operator does not accept.
    invalid: BTreeMap<(&'static str, String), String>,
}

async fn run(arguments: &Arguments, target: &Target) -> anyhow::Result<ExitCode> {
    let client = target.client().await?;
    let manner = Manner { server_side: arguments.server_side, field_manager: arguments.field_manager.clone() };
    let mut live = Live::new(client.clone());
    let mut given = Vec::new();
    for mut object in files::read(&arguments.filename)? {
        complete(&mut object, client.default_namespace());
        given.push(take(&client, &manner, &object, &mut live).await?);
    }
    let futures = futures(&given, &mut live).await?;
    let mut page = Page::default();
    for object in &given {
        page.describe(object, futures.get(&object.tenant));
    }
    let rails = if futures.is_empty() { GuardRails::default() } else { live.guard_rails().await? };
    for (tenant, future) in &futures {
        tell(tenant, future, &given, &mut live, &rails, &mut page).await?;
    }
    let unread: Vec<String> = live.unread().cloned().collect();
    if !unread.is_empty() {
        page.lines.push("unknown, because you may not read it:".to_owned());
        page.lines.extend(unread.into_iter().map(|line| format!("  {line}")));
    }
    page.print()
}

/// As `kubectl apply` sends it: in the current namespace where it names none, and without what only a server writes.
fn complete(object: &mut Value, namespace: &str) {
    if object["kind"] == "HostedSystem" && object["metadata"]["namespace"].is_null() {
        object["metadata"]["namespace"] = json!(namespace);
    }
    for field in ["/status", "/metadata/managedFields"] {
        let (parent, field) = field.rsplit_once('/').unwrap_or_default();
        object.pointer_mut(parent).and_then(Value::as_object_mut).map(|fields| fields.remove(field));
    }
}

/// Lets the API server judge one object of the files.
async fn take(client: &Client, manner: &Manner, object: &Value, live: &mut Live) -> anyhow::Result<Given> {
    let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default();
    let kind = object["kind"].as_str().unwrap_or_default();
    let is_ours = object["apiVersion"].as_str().is_some_and(|version| version.starts_with(&format!("{GROUP}/")));
    let (tenant, place) = match kind {
        "HostedSystem" => (text("namespace"), format!(" in namespace {}", text("namespace"))),
        _ => (text("name"), String::new()),
    };
    let mut given = Given {
        kind: kind.to_owned(),
        name: text("name").to_owned(),
        shown: format!("{}/{}{place}", kind.to_lowercase(), text("name")),
        tenant: TenantName::new(tenant),
        answer: None,
    };
    if !is_ours || !matches!(kind, "AgencyTenant" | "HostedSystem") {
        return Ok(given);
    }
    given.answer = Some(match apply(client, kind, object, manner).await {
        Ok(applied) => {
            live.replace(kind, &newer(applied.after.clone())).with_context(|| format!("reading {}", given.shown))?;
            Ok(applied)
        }
        Err(error @ Error::Refused { .. }) => Err(error),
        Err(error) => return Err(error).with_context(|| format!("asking about {}", given.shown)),
    });
    Ok(given)
}

/// The future of each tenant whose objects the API server takes.
async fn futures(given: &[Given], live: &mut Live) -> anyhow::Result<BTreeMap<TenantName, Future>> {
    let taken = given.iter().filter(|object| matches!(object.answer, Some(Ok(_))));
    let tenants: BTreeSet<TenantName> = taken.map(|object| object.tenant.clone()).collect();
    if tenants.is_empty() {
        return Ok(BTreeMap::new());
    }
    let settings = settings(live).await?;
    live.cluster().await?;
    live.tenants(&tenants).await?;
    let mut futures = BTreeMap::new();
    for tenant in tenants {
        live.tenant(&tenant).await?;
        let future = future(&tenant, live, &settings);
        futures.insert(tenant, future);
    }
    Ok(futures)
}

fn future(tenant: &TenantName, live: &Live, settings: &Settings) -> Future {
    let [now, mut then] = live.snapshots(tenant);
    let contract = contract(&then);
    let preapproved = then.tenant.as_ref().and_then(|root| root.spec.as_ref().ok()).is_some_and(|spec| spec.preapproved);
    let approvals = intent(&then, settings).approvals.filter(|_| !contract.is_empty());
    let approval = approval(tenant, approvals.as_ref(), preapproved);
    approve(&mut then, settings);
    let (before, after) = (foresee(now, settings), foresee(then, settings));
    // Of a tenant that may not be read nobody knows whether it is there.
    let invalid = if live.hides(tenant) { BTreeMap::new() } else { invalid(&after) };
    Future { contract, approval, before, after, invalid }
}

/// A dry run leaves the version as it was; what it shows is newer all the same.
fn newer(mut object: Value) -> Value {
    let version = object["metadata"]["resourceVersion"].as_str().and_then(|text| text.parse::<u64>().ok()).unwrap_or_default();
    object["metadata"]["resourceVersion"] = json!((version + 1).to_string());
    object
}

impl Page {
    /// What becomes of an object of the files.
    fn describe(&mut self, object: &Given, future: Option<&Future>) {
        let Given { shown, kind, name, .. } = object;
        match &object.answer {
            None => self.lines.push(format!("{shown} is ignored: it is neither an AgencyTenant nor a HostedSystem")),
            Some(Err(error)) => {
                self.lines.push(format!("{shown} is refused: {error}"));
                self.refused = true;
            }
            Some(Ok(applied)) => {
                let key = (if kind == "AgencyTenant" { "AgencyTenant" } else { "HostedSystem" }, name.clone());
                let complaint = future.and_then(|future| future.invalid.get(&key));
                self.refused |= complaint.is_some();
                self.become_of(shown, kind, applied, complaint);
            }
        }
    }

    fn become_of(&mut self, shown: &str, kind: &str, applied: &Applied, complaint: Option<&String>) {
        let lines = applied.before.as_ref().map(|before| between(&plain(before), &plain(&applied.after))).unwrap_or_default();
        if complaint.is_none() && applied.before.is_some() && lines.is_empty() {
            return;
        }
        let what = match (complaint, &applied.before) {
            (Some(complaint), _) => format!("is not valid: {complaint}"),
            (None, None) if applied.hidden => "may not be read by you, so whether it exists is unknown".to_owned(),
            (None, None) => "is created".to_owned(),
            (None, Some(_)) => "changes".to_owned(),
        };
        self.differs |= applied.before.is_none() || !lines.is_empty();
        self.lines.push(format!("{shown} {what}"));
        // Of a tenant's spec the contract says what changes.
        let told = |line: &String| kind != "AgencyTenant" || line.starts_with("metadata.");
        self.section("Fields", lines.into_iter().filter(told).collect());
        self.section("Note", applied.unjudged.iter().cloned().collect());
    }
}

/// An object without what only the API server and kubectl write.
fn plain(object: &Value) -> Value {
    let mut metadata = object["metadata"].clone();
    if let Some(fields) = metadata.as_object_mut() {
        fields.retain(|field, _| matches!(field.as_str(), "labels" | "annotations" | "finalizers" | "ownerReferences"));
    }
    metadata["annotations"].as_object_mut().map(|all| all.remove(LAST_APPLIED));
    json!({ "spec": object["spec"], "metadata": metadata })
}

/// What follows for one tenant.
async fn tell(
    tenant: &TenantName,
    future: &Future,
    given: &[Given],
    live: &mut Live,
    rails: &GuardRails,
    page: &mut Page,
) -> anyhow::Result<()> {
    let Future { contract, approval, before, after, invalid } = future;
    let is_valid = !invalid.keys().any(|(kind, _)| *kind == "AgencyTenant");
    let headline = page.lines.len();
    page.section("Contract", contract.clone());
    page.section("Approval", approval.iter().filter(|_| is_valid).cloned().collect());
    page.section("Other objects that are not valid", other_invalid(future, given));
    let rows = rows(before, after, live.strangers());
    page.differs |= !rows.is_empty();
    page.section("Changes", rows.iter().flat_map(sentences).collect());
    page.section(
        "Existing namespaces",
        conflicts(after, live.strangers()).into_iter().map(|words| words.unwrap_or_else(|words| words)).collect(),
    );
    page.section("Quota", quota::lines(before, after));
    let lines = no_longer_admitted(live, rails, before, after).await?;
    page.section("Keeps running, but would not be admitted again", lines);
    if page.lines.len() > headline {
        page.lines.insert(headline, format!("tenant {tenant}"));
    }
    Ok(())
}

/// Objects that the operator does not accept and that the files do not have.
fn other_invalid(future: &Future, given: &[Given]) -> Vec<String> {
    let others = future.invalid.iter().filter(|((kind, name), _)| {
        !given.iter().any(|object| object.kind == *kind && object.name == *name && object.tenant == future.after.snapshot.name)
    });
    others.map(|((kind, name), complaint)| format!("{}/{name}: {complaint}", kind.to_lowercase())).collect()
}

/// How the spec differs from what is served.
fn contract(then: &Snapshot) -> Vec<String> {
    let Some(root) = &then.tenant else { return Vec::new() };
    let contract = root.status.contract.clone().or_else(|| then.kept.as_ref().map(|kept| kept.spec.clone()));
    let status = AgencyTenantStatus { contract, ..root.status.clone() };
    root.spec.as_ref().map(|spec| differences(&status, root.generation, spec)).unwrap_or_default()
}

fn sentences(row: &Row) -> Vec<String> {
    let place = if row.namespace.is_empty() { String::new() } else { format!(" in namespace {}", row.namespace) };
    let fields = row.fields.iter().map(|field| format!("  {field}"));
    std::iter::once(format!("{}{place} is {}", row.object, row.what)).chain(fields).collect()
}

/// Objects that the guard rails and Pod Security admit as the namespaces are, and would not as they will be.
async fn no_longer_admitted(live: &mut Live, rails: &GuardRails, before: &Foreseen, after: &Foreseen) -> anyhow::Result<Vec<String>> {
    let mut lines = Vec::new();
    let mut unknown = BTreeSet::new();
    for space in after.plan.namespaces.iter().filter(|space| space.goal == Goal::Serve) {
        let itself = |foreseen: &Foreseen| {
            let space = foreseen.plan.namespace(&space.namespace)?;
            space.desired.iter().find(|desired| desired.kind.is_namespace()).map(|desired| desired.object.clone())
        };
        let (Some(now), Some(then)) = (itself(before), itself(after)) else { continue };
        if now["metadata"] == then["metadata"] {
            continue;
        }
        let subjects = live.objects(&space.namespace).await?;
        let found = refusals(rails, &subjects, Some(&now), &then);
        unknown.extend(found.unknown);
        let enforced = |namespace: &Value| namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"].clone();
        let warnings = if enforced(&now) == enforced(&then) {
            Vec::new()
        } else {
            live.pod_security(&space.namespace, &json!({ "pod-security.kubernetes.io/enforce": enforced(&then) })).await?
        };
        lines.extend(found.lines.into_iter().chain(warnings).map(|line| format!("namespace {}: {line}", space.namespace)));
    }
    lines.extend(unknown.into_iter().map(|policy| format!("policy {policy} could not be evaluated here for some objects")));
    Ok(lines)
}
