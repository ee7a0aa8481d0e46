//! `govcloud status`: an agency, or one of its systems, with all that one may see of it.

use anyhow::{Context, bail};
use govcloud_core::{
    model::names::{NamespaceName, QUOTA, SystemName, TenantName, tenant_name_complaint},
    views::{
        describe::{AgencyReport, EventRow, SystemReport},
        failing::Failing,
        rows::Row,
    },
};
use k8s_openapi::{
    api::core::v1::{Event, ResourceQuota},
    jiff::Timestamp,
};
use kube::{Client, api::ListParams};
use serde::Serialize;
use serde_json::Value;

use super::{
    output::{Output, table},
    target::{NamespaceArgument, Target},
};
use crate::cluster::read::Reader;

/// Events about objects of cluster scope are in this namespace.
const OF_THE_CLUSTER: &str = "default";

#[derive(clap::Args)]
#[command(after_help = "What you may not read is named at the end, or in field unreadable.\n\
    Fields of an agency in JSON and YAML: those of `govcloud list`, and responsibleUnit, generation, contractGeneration, approval, \
    quota[].{resource,used,given,total,usedPercent,givenPercent}, hostedSystems[], requestedChanges[], events[].{last,type,reason,message}.\n\
    Fields of a system: agency, name, displayName, stage, wantedStage, ready, reason, namespace, failing, sector, protectionLevel, \
    deletionPolicy, share[].{resource,used,given,asked,usedPercent}, events[].")]
pub(super) struct Arguments {
    /// Agency, or agency and system. Default: those of the namespace.
    #[arg(value_name = "AGENCY[/SYSTEM]")]
    name: Option<String>,
    #[command(flatten)]
    namespace: NamespaceArgument,
    #[command(flatten)]
    output: Output,
}

/// A report, with what could not be read for it.
#[derive(Serialize)]
struct Read<R> {
    #[serde(flatten)]
    report: R,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unreadable: Vec<String>,
}

pub(super) fn show(arguments: &Arguments, target: &Target) -> anyhow::Result<()> {
    tokio::runtime::Runtime::new()?.block_on(run(arguments, target))
}

async fn run(arguments: &Arguments, target: &Target) -> anyhow::Result<()> {
    let config = target.config().await?;
    let bearer = if let Some(name) = &arguments.name { name.clone() } else { of_namespace(arguments.namespace.of(&config))? };
    let client = Client::try_from(config).context("the configuration of the cluster is invalid")?;
    if let Some((agency, system)) = bearer.split_once('/') {
        let report = system_report(&client, &TenantName::new(agency), &SystemName::new(system)).await?;
        return arguments.output.one(&report, system_lines);
    }
    let report = agency_report(&client, &TenantName::new(bearer.as_str())).await?;
    arguments.output.one(&report, agency_lines)
}

/// Whose a namespace is by its name: an agency, or agency and system.
fn of_namespace(name: &str) -> anyhow::Result<String> {
    let namespace = NamespaceName::new(name);
    if tenant_name_complaint(namespace.tenant().as_str()).is_some() {
        bail!("namespace {namespace} is no agency's; name an agency, or the namespace of one with -n");
    }
    Ok(namespace.bearer())
}

async fn agency_report(client: &Client, name: &TenantName) -> anyhow::Result<Read<AgencyReport>> {
    let found = Reader::tenants(client).get(name.as_str()).await.with_context(|| format!("reading agencytenant/{name}"))?;
    let Some(tenant) = found else { bail!("agencytenant/{name} not found; `kubectl govcloud list` shows those that you may see") };
    let home = name.home();
    let (systems, parameters) = (Reader::systems(client, home.as_str()), ListParams::default());
    let (systems, events) = tokio::join!(systems.list(&parameters), events(client, OF_THE_CLUSTER, "AgencyTenant", name.as_str()));
    let mut unreadable = Vec::new();
    let systems = readable(&mut unreadable, "its hosted systems", systems)?;
    let events = readable(&mut unreadable, "events in namespace default", events)?;
    let report = AgencyReport::of(&tenant, &systems, &events, Timestamp::now());
    Ok(Read { report, unreadable })
}

async fn system_report(client: &Client, agency: &TenantName, name: &SystemName) -> anyhow::Result<Read<SystemReport>> {
    let home = agency.home();
    let systems = Reader::systems(client, home.as_str());
    let found = systems.get(name.as_str()).await.with_context(|| format!("reading hostedsystem/{name} in namespace {home}"))?;
    let Some(system) = found else {
        bail!("hostedsystem/{name} not found in namespace {home}; `kubectl govcloud status {agency}` shows the systems of the agency")
    };
    let workload = agency.workload(name);
    let quotas = Reader::of::<ResourceQuota>(client, Some(workload.as_str()));
    let (quota, events) = tokio::join!(quotas.get(QUOTA), events(client, home.as_str(), "HostedSystem", name.as_str()));
    let mut unreadable = Vec::new();
    let quota = readable(&mut unreadable, &format!("the quota of namespace {workload}"), quota.map(Vec::from_iter))?;
    let events = readable(&mut unreadable, &format!("events in namespace {home}"), events)?;
    let used = quota.first().map(|quota| quota["status"]["used"].clone()).unwrap_or_default();
    let report = SystemReport::of(&system, &used, &events, Timestamp::now());
    Ok(Read { report, unreadable })
}

/// Events about one object.
async fn events(client: &Client, namespace: &str, kind: &str, name: &str) -> kube::Result<Vec<Value>> {
    let about = format!("involvedObject.kind={kind},involvedObject.name={name}");
    Reader::of::<Event>(client, Some(namespace)).list(&ListParams::default().fields(&about)).await
}

/// An answer; nothing, with a note, where one may not ask.
fn readable(unreadable: &mut Vec<String>, what: &str, answer: kube::Result<Vec<Value>>) -> anyhow::Result<Vec<Value>> {
    match answer {
        Err(kube::Error::Api(status)) if status.code == 403 => {
            unreadable.push(what.to_owned());
            Ok(Vec::new())
        }
        answer => answer.with_context(|| format!("reading {what}")),
    }
}

fn agency_lines(read: &Read<AgencyReport>) -> Vec<String> {
    let report = &read.report;
    let row = &report.row;
    let served = match report.contract_generation {
        Some(served) => format!("{}, of which {served} is in force", report.generation),
        None => format!("{}, and nothing is approved yet", report.generation),
    };
    let mut lines = fields(&[
        ("Agency", &row.name),
        ("Display name", &row.display_name),
        ("Responsible unit", &report.responsible_unit),
        ("Generation", &served),
        ("Stage", &row.stage),
        ("Approved", &with_message(&row.approved, &report.approval)),
        ("Ready", &with_reason(&row.ready, &row.reason)),
    ]);
    lines.extend(failing(row.failing.as_ref()));
    section(&mut lines, "Quota", table_or_none(&report.quota));
    section(&mut lines, &format!("Systems ({} of {} ready)", row.systems.ready, row.systems.total), table_or_none(&report.hosted_systems));
    if !report.requested_changes.is_empty() {
        section(&mut lines, "Requested changes", report.requested_changes.clone());
    }
    end(&mut lines, &report.events, &read.unreadable);
    lines
}

fn system_lines(read: &Read<SystemReport>) -> Vec<String> {
    let report = &read.report;
    let row = &report.row;
    let stage =
        if row.stage == report.wanted_stage { row.stage.clone() } else { format!("{} (wanted: {})", row.stage, report.wanted_stage) };
    let mut lines = fields(&[
        ("System", &format!("{}/{}", report.agency, row.name)),
        ("Display name", &row.display_name),
        ("Sector", &report.sector),
        ("Protection level", &report.protection_level.to_string()),
        ("Namespace", &row.namespace),
        ("Deletion policy", &report.deletion_policy),
        ("Stage", &stage),
        ("Ready", &with_reason(&row.ready, &row.reason)),
    ]);
    lines.extend(failing(row.failing.as_ref()));
    section(&mut lines, "Share of the agency's quota", table_or_none(&report.share));
    end(&mut lines, &report.events, &read.unreadable);
    lines
}

/// Names and values in two columns.
fn fields(fields: &[(&str, &str)]) -> Vec<String> {
    fields.iter().map(|(name, value)| format!("{:<18} {value}", format!("{name}:")).trim_end().to_owned()).collect()
}

fn with_reason(status: &str, reason: &str) -> String {
    if reason.is_empty() { status.to_owned() } else { format!("{status} ({reason})") }
}

fn with_message(status: &str, message: &str) -> String {
    // What is asked for stands below, a line each.
    let message = message.split(". Asked for: ").next().unwrap_or_default();
    if message.is_empty() { status.to_owned() } else { format!("{status}: {message}") }
}

fn failing(failing: Option<&Failing>) -> Vec<String> {
    let Some(Failing { condition, status, reason, message, since }) = failing else { return Vec::new() };
    let since = if since.is_empty() { String::new() } else { format!(", since {since}") };
    vec![format!("First condition that is not True: {condition} is {status} ({reason}){since}:"), format!("  {message}")]
}

fn section(lines: &mut Vec<String>, headline: &str, inside: Vec<String>) {
    lines.push(format!("{headline}:"));
    lines.extend(inside.into_iter().map(|line| format!("  {line}")));
}

fn table_or_none<R: Row>(rows: &[R]) -> Vec<String> {
    if rows.is_empty() { vec!["none".to_owned()] } else { table(rows) }
}

fn end(lines: &mut Vec<String>, events: &[EventRow], unreadable: &[String]) {
    section(lines, "Events", table_or_none(events));
    if !unreadable.is_empty() {
        section(lines, "Not shown, because you may not read it", unreadable.to_vec());
    }
}
