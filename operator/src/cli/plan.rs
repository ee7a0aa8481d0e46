//! `govcloud plan`: what applying files would change, before anybody applies them. Reads with the caller's rights, writes nothing, and
//! needs no operator.

use std::{collections::BTreeSet, path::PathBuf, process::ExitCode};

use anyhow::Context;
use govcloud_core::{
    api::AgencyTenantSpec,
    model::{
        names::{GROUP, TenantName},
        settings::Settings,
        snapshot::Snapshot,
    },
    plan::{Goal, contract::differences, difference::between, intent::intent},
    views::{
        changes::{Row, approval, conflicts, problems, rows},
        foresight::{Foreseen, approve, foresee},
        guard_rails::GuardRails,
        quota,
        refusals::refusals,
        three_way::LAST_APPLIED,
    },
};
use kube::Client;
use serde_json::{Value, json};

use super::{client, files, settings};
use crate::{
    cluster::{
        dry_run::{Applied, Manner, apply},
        live::Live,
    },
    error::Error,
};

#[derive(clap::Args)]
#[command(after_help = "Exit codes: 0 nothing would change, 1 something would change, 2 an object is refused, or an error.\n\
    Settings of the operator are read from the same GOVCLOUD_* environment variables as by `govcloud run`.")]
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

pub(super) fn show(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    tokio::runtime::Runtime::new()?.block_on(run(arguments))
}

/// What is printed, and what it amounts to.
#[derive(Default)]
struct Page {
    lines: Vec<String>,
    differs: bool,
    refused: bool,
}

impl Page {
    /// A headline with what belongs to it, where there is anything.
    fn section(&mut self, headline: &str, lines: Vec<String>) {
        if !lines.is_empty() {
            self.lines.push(format!("  {headline}:"));
            self.lines.extend(lines.into_iter().map(|line| format!("    {line}")));
        }
    }
}

async fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let (client, settings) = (client().await?, settings()?);
    let manner = Manner { server_side: arguments.server_side, field_manager: arguments.field_manager.clone() };
    let mut page = Page::default();
    let mut live = Live::new(client.clone());
    let mut tenants = BTreeSet::new();
    for mut object in files::read(&arguments.filename)? {
        complete(&mut object, client.default_namespace());
        if let Some(tenant) = take(&client, &manner, &object, &mut live, &mut page).await? {
            tenants.insert(tenant);
        }
    }
    live.tenants(&tenants).await?;
    let rails = if tenants.is_empty() { GuardRails::default() } else { live.guard_rails().await? };
    for tenant in &tenants {
        live.tenant(tenant).await?;
        tell(tenant, &mut live, &rails, &settings, &mut page).await?;
    }
    let unread: Vec<String> = live.unread().cloned().collect();
    if !unread.is_empty() {
        page.lines.push("unknown, because you may not read it:".to_owned());
        page.lines.extend(unread.into_iter().map(|line| format!("  {line}")));
    }
    println!("{}", page.lines.join("\n"));
    Ok(ExitCode::from(match (page.refused, page.differs) {
        (true, _) => 2,
        (false, true) => 1,
        (false, false) => 0,
    }))
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

/// Lets the API server judge one object of the files. Returns the tenant that it concerns.
async fn take(client: &Client, manner: &Manner, object: &Value, live: &mut Live, page: &mut Page) -> anyhow::Result<Option<TenantName>> {
    let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default();
    let kind = object["kind"].as_str().unwrap_or_default();
    let is_ours = object["apiVersion"].as_str().is_some_and(|version| version.starts_with(&format!("{GROUP}/")));
    let tenant = match kind {
        "AgencyTenant" if is_ours => text("name"),
        "HostedSystem" if is_ours => text("namespace"),
        _ => {
            page.lines.push(format!("{}/{}: not looked at, only AgencyTenants and HostedSystems are", kind.to_lowercase(), text("name")));
            return Ok(None);
        }
    };
    let place = if kind == "HostedSystem" { format!(" in namespace {tenant}") } else { String::new() };
    let object_name = format!("{}/{}{place}", kind.to_lowercase(), text("name"));
    match apply(client, kind, object, manner).await {
        Ok(applied) => {
            page.describe(&object_name, kind, &applied);
            live.replace(kind, newer(applied.after)).with_context(|| format!("reading {object_name}"))?;
            Ok(Some(TenantName::new(tenant)))
        }
        Err(error @ Error::Refused { .. }) => {
            page.lines.push(format!("{object_name} is refused: {error}"));
            page.refused = true;
            Ok(None)
        }
        Err(error) => Err(error).with_context(|| format!("asking about {object_name}")),
    }
}

/// A dry run leaves the version as it was; what it shows is newer all the same.
fn newer(mut object: Value) -> Value {
    let version = object["metadata"]["resourceVersion"].as_str().and_then(|text| text.parse::<u64>().ok()).unwrap_or_default();
    object["metadata"]["resourceVersion"] = json!((version + 1).to_string());
    object
}

impl Page {
    /// What the object itself becomes.
    fn describe(&mut self, name: &str, kind: &str, applied: &Applied) {
        let part = |object: &Value| {
            let mut annotations = object["metadata"]["annotations"].clone();
            annotations.as_object_mut().map(|all| all.remove(LAST_APPLIED));
            json!({ "spec": object["spec"], "metadata": { "labels": object["metadata"]["labels"], "annotations": annotations } })
        };
        let lines = match &applied.before {
            None => Vec::new(),
            Some(before) => between(&part(before), &part(&applied.after)),
        };
        let what = match &applied.before {
            None if applied.hidden => "may not be read by you, so whether it exists is unknown",
            None => "is created",
            Some(_) if lines.is_empty() => "stays as it is",
            Some(_) => "changes",
        };
        self.differs |= applied.before.is_none() || !lines.is_empty();
        self.lines.push(format!("{name} {what}"));
        // Of a tenant's spec the contract says what changes.
        let told = |line: &String| kind != "AgencyTenant" || line.starts_with("metadata.");
        self.section("Fields", lines.into_iter().filter(told).collect());
        let words = applied
            .unjudged
            .iter()
            .map(|why| format!("the result is computed from the file alone, because the API server did not check it: {why}"));
        self.section("Note", words.collect());
    }
}

/// What follows for one tenant.
async fn tell(tenant: &TenantName, live: &mut Live, rails: &GuardRails, settings: &Settings, page: &mut Page) -> anyhow::Result<()> {
    let [now, mut then] = live.snapshots(tenant);
    page.lines.push(format!("tenant {tenant}"));
    let contract = contract(&then);
    let preapproved = then.tenant.as_ref().and_then(|root| root.spec.as_ref().ok()).is_some_and(|spec| spec.preapproved);
    let standing = intent(&then, settings).standing.filter(|_| !contract.is_empty());
    page.section("Contract", contract);
    page.section("Approval", approval(tenant, standing.as_ref(), preapproved).into_iter().collect());
    approve(&mut then, settings);
    let (before, after) = (foresee(now, settings), foresee(then, settings));
    page.section("Errors in the spec", problems(&after));
    let rows = rows(&before, &after, live.strangers());
    page.differs |= !rows.is_empty();
    page.section("Changes", rows.iter().flat_map(sentences).collect());
    page.section(
        "Existing namespaces",
        conflicts(&after, live.strangers()).into_iter().map(|words| words.unwrap_or_else(|words| words)).collect(),
    );
    page.section("Quota", quota::lines(&before, &after));
    let lines = no_longer_admitted(live, rails, &before, &after).await?;
    page.section("Keeps running, but would not be admitted again", lines);
    Ok(())
}

/// How the spec differs from what is served.
fn contract(then: &Snapshot) -> Vec<String> {
    let Some(root) = &then.tenant else { return vec!["the agencytenant does not exist, so no contract is in force".to_owned()] };
    let served = root.status.contract.as_ref().or(then.kept.as_ref().map(|kept| &kept.spec));
    let spec: Option<&AgencyTenantSpec> = root.spec.as_ref().ok();
    spec.map(|spec| differences(served, spec)).unwrap_or_default()
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
    for space in after.plan.spaces.iter().filter(|space| space.goal == Goal::Serve) {
        let itself = |foreseen: &Foreseen| {
            let space = foreseen.plan.space(&space.namespace)?;
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
