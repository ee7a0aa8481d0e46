//! `govcloud adopt`: hands an existing namespace over to the tenant or system of the same name. First shows what would change in
//! it, what stays, and which running objects would no longer be admitted; then writes one annotation, and nothing else.

use std::process::ExitCode;

use anyhow::{Context, bail};
use govcloud_core::{
    model::{
        names::{ANNOTATION_ADOPT_INTO, LABEL_TENANT_UID, NamespaceName, TenantName, system_name_complaint, tenant_name_complaint},
        settings::Settings,
        snapshot::Snapshot,
    },
    plan::NamespacePlan,
    views::{
        adoption::{changes, stays, usage},
        foresight::{Foreseen, approve, foresee},
        refusals::refusals,
    },
};
use k8s_openapi::{api::core::v1::Namespace, jiff::Timestamp};
use kube::{
    Api, Client, ResourceExt,
    api::{Patch, PatchParams},
};
use serde_json::{Value, json};

use super::{confirm::confirmed, output::say, run::settings, target::Target};
use crate::cluster::live::Live;

#[derive(clap::Args)]
#[command(
    after_help = "Both sides must agree: this command sets the annotation govcloud.io/adopt-into on the namespace, for which you need the \
    right to update all namespaces; and the tenant or system must set spec.adoptNamespace: true. Nothing in the namespace is deleted.\n\
    Exit codes: 0 handed over, or with --dry-run: all its objects would still be admitted; 1 with --dry-run: some would be refused; \
    2 an error."
)]
pub(super) struct Arguments {
    /// Name of the namespace: TENANT for a tenant, TENANT--SYSTEM for a system. A namespace cannot be renamed.
    namespace: String,
    /// The tenant whose home namespace it becomes, or the system whose workload namespace it becomes.
    #[arg(long, value_name = "TENANT[/SYSTEM]")]
    into: String,
    /// Only show what would change; write nothing.
    #[arg(long)]
    dry_run: bool,
    /// Do not ask for confirmation.
    #[arg(long, short)]
    yes: bool,
}

pub(super) fn adopt(arguments: &Arguments, target: &Target) -> anyhow::Result<ExitCode> {
    tokio::runtime::Runtime::new()?.block_on(run(arguments, target))
}

async fn run(arguments: &Arguments, target: &Target) -> anyhow::Result<ExitCode> {
    let name = NamespaceName::new(arguments.namespace.as_str());
    check_names(&name, &arguments.into)?;
    let client = target.client().await?;
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let found = namespaces.get_opt(name.as_str()).await.with_context(|| format!("reading namespace {name}"))?;
    let Some(namespace) = found else { bail!("namespace {name} not found, so there is nothing to hand over; the operator creates it") };
    check_owner(&namespace, &name)?;
    let refused = show(&client, &name, &namespace).await?;
    if arguments.dry_run {
        return Ok(ExitCode::from(u8::from(refused)));
    }
    if namespace.annotations().get(ANNOTATION_ADOPT_INTO) == Some(&arguments.into) {
        say(format_args!("namespace {name} is already handed over to {}", arguments.into))?;
        return Ok(ExitCode::SUCCESS);
    }
    if !arguments.yes && !confirmed(&format!("Hand namespace {name} over to {}?", arguments.into), "--yes")? {
        bail!("nothing was handed over");
    }
    let patch = json!({ "metadata": {
        "uid": namespace.uid(),
        "resourceVersion": namespace.resource_version(),
        "annotations": { ANNOTATION_ADOPT_INTO: arguments.into },
    }});
    let parameters = PatchParams { field_manager: Some("kubectl-govcloud".into()), ..PatchParams::default() };
    namespaces.patch(name.as_str(), &parameters, &Patch::Merge(patch)).await.with_context(|| format!("handing namespace {name} over"))?;
    say(format_args!("namespace {name} is handed over to {}", arguments.into))?;
    Ok(ExitCode::SUCCESS)
}

/// Names are fixed, and a namespace cannot be renamed.
fn check_names(namespace: &NamespaceName, into: &str) -> anyhow::Result<()> {
    let (tenant, system) = into.split_once('/').map_or((into, None), |(tenant, system)| (tenant, Some(system)));
    if let Some(complaint) = tenant_name_complaint(tenant) {
        bail!("--into: '{tenant}' {complaint}");
    }
    if let Some((system, complaint)) = system.and_then(|system| Some((system, system_name_complaint(system)?))) {
        bail!("--into: '{system}' {complaint}");
    }
    if namespace.bearer() == into {
        return Ok(());
    }
    let wanted = into.replacen('/', "--", 1);
    bail!(
        "namespace {namespace} cannot be handed over to {into}: its name must be {wanted}, and a namespace cannot be renamed. \
         Let the operator create {wanted}, and deploy there what is in {namespace}"
    )
}

/// One that has a tenant's mark has other ways.
fn check_owner(namespace: &Namespace, name: &NamespaceName) -> anyhow::Result<()> {
    let Some(uid) = namespace.labels().get(LABEL_TENANT_UID) else { return Ok(()) };
    bail!(
        "namespace {name} belongs to the tenant with UID {uid}. If that is a deleted agencytenant/{0}, set spec.adoptTenantUID of the present one \
         to that UID; otherwise the namespace is already taken over",
        name.tenant()
    )
}

/// Prints what a takeover comes to. Whether something in the namespace would not be admitted again.
async fn show(client: &Client, name: &NamespaceName, namespace: &Namespace) -> anyhow::Result<bool> {
    let tenant = name.tenant();
    let mut live = Live::new(client.clone());
    live.cluster().await?;
    live.tenants(&[tenant.clone()].into()).await?;
    live.tenant(&tenant).await?;
    let [now, _] = live.snapshots(&tenant);
    let declared = declares(&now, name)?;
    let foreseen = agreed(now, &settings(&mut live).await?);
    let (space, planned) = planned(&foreseen, name)?;
    let (objects, mut there) = (live.objects(name).await?, live.namesakes(name).await?);
    there.extend(objects.iter().filter(|subject| matches!(subject.plural.as_str(), "pods" | "persistentvolumeclaims")).cloned());
    let metadata = json!({ "metadata": namespace.metadata });
    let rails = live.guard_rails().await?;
    let found = refusals(&rails, &objects, None, &planned);
    let pods = live.pod_security(name, &pod_security(&planned)).await?;
    let refused: Vec<String> = found.lines.into_iter().chain(pods).collect();
    let serves = foreseen.intent.tenant.as_ref().and_then(|tenant| tenant.as_ref().ok());
    section("Changes in the namespace", &changes(space, &metadata, &there))?;
    section("Stays as it is", &serves.map(|tenant| stays(space, tenant, &there)).unwrap_or_default())?;
    section("Quota", &usage(space, &there, Timestamp::now()))?;
    section("Keeps running, but would not be admitted again", &refused)?;
    let unknown: Vec<String> =
        found.unknown.into_iter().map(|policy| format!("policy {policy} could not be evaluated here for some objects")).collect();
    section("Unknown", &live.unread().cloned().chain(unknown).collect::<Vec<_>>())?;
    if !declared {
        section("Also needed", &[declaration(name)])?;
    }
    Ok(!refused.is_empty())
}

fn section(headline: &str, lines: &[String]) -> anyhow::Result<()> {
    if lines.is_empty() { Ok(()) } else { say(format_args!("{headline}:\n  {}", lines.join("\n  "))) }
}

fn declaration(name: &NamespaceName) -> String {
    match name.system() {
        Some(system) => format!("spec.adoptNamespace: true of hostedsystem/{system} in namespace {}", name.tenant()),
        None => format!("spec.adoptNamespace: true of agencytenant/{}", name.tenant()),
    }
}

/// Whether the other side has agreed.
fn declares(now: &Snapshot, name: &NamespaceName) -> anyhow::Result<bool> {
    let tenant = name.tenant();
    let Some(root) = &now.tenant else {
        bail!("agencytenant/{tenant} not found; create it with spec.adoptNamespace: true, then run this command again")
    };
    let Some(system) = name.system() else { return Ok(root.spec.as_ref().is_ok_and(|spec| spec.adopt_namespace)) };
    let Some(root) = now.systems.iter().find(|root| root.name == system.as_str()) else {
        bail!(
            "hostedsystem/{system} not found in namespace {tenant}; create it with spec.adoptNamespace: true, then run this command again"
        )
    };
    Ok(root.spec.as_ref().is_ok_and(|spec| spec.adopt_namespace))
}

/// What comes of it when both sides agree and the request is approved.
fn agreed(mut now: Snapshot, settings: &Settings) -> Foreseen {
    approve(&mut now, settings);
    foresee(now, settings)
}

/// The namespace as it will be, with all that is written into it.
fn planned<'a>(foreseen: &'a Foreseen, name: &NamespaceName) -> anyhow::Result<(&'a NamespacePlan, Value)> {
    let space = foreseen.plan.namespace(name).with_context(|| {
        let tenant: TenantName = name.tenant();
        format!("the operator would not manage namespace {name}: see condition Accepted of agencytenant/{tenant} and of its hosted systems")
    })?;
    let object = space.desired.iter().find(|desired| desired.kind.is_namespace()).map(|desired| desired.object.clone());
    Ok((space, object.unwrap_or_default()))
}

/// The labels of Pod Security among those that are planned.
fn pod_security(planned: &Value) -> Value {
    let labels = planned["metadata"]["labels"].as_object().cloned().unwrap_or_default();
    Value::Object(labels.into_iter().filter(|(key, _)| key.starts_with(govcloud_core::model::names::POD_SECURITY_PREFIX)).collect())
}
