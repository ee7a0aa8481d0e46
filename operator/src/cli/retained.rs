//! `govcloud retained`: namespaces that are kept though their agency or system was deleted, and how one is removed for good.

use anyhow::{Context, bail};
use futures::{StreamExt, stream};
use govcloud_core::{
    model::names::{LABEL_TENANT_UID, QUOTA},
    views::retained::{Owners, RetainedRow, is_of_a_tenant},
};
use k8s_openapi::{
    api::core::v1::{Namespace, PersistentVolumeClaim, ResourceQuota},
    jiff::Timestamp,
};
use kube::{
    Api, Client,
    api::{DeleteParams, ListParams, Preconditions},
};
use serde_json::Value;

use super::{
    confirm::typed,
    output::{Output, say},
    target::Target,
};
use crate::cluster::read::Reader;

/// So many quotas are read at once.
const AT_ONCE: usize = 8;

#[derive(clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Columns: DELETED says what was deleted, the agency or one of its systems; CLAIMS and STORAGE count on in the agency's quota.\n\
    Fields of JSON and YAML: namespace, agency, tenantUID, system, displayName, since, claims, storage, deleting.\n\
    Run it as somebody who may list namespaces, agencytenants and hostedsystems in the whole cluster."
)]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    output: Output,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Delete such a namespace for good, with its volumes and everything else in it.
    #[command(
        after_help = "Whoever may delete namespaces in the whole cluster may do so. A namespace whose agency or system is there is refused."
    )]
    Delete(Deletion),
}

#[derive(clap::Args)]
struct Deletion {
    /// Name of the namespace.
    namespace: String,
    /// Do not ask for confirmation.
    #[arg(long, short)]
    yes: bool,
}

pub(super) fn retained(arguments: &Arguments, target: &Target) -> anyhow::Result<()> {
    tokio::runtime::Runtime::new()?.block_on(async {
        let client = target.client().await?;
        match &arguments.action {
            None => arguments.output.list(&list(&client).await?, "No retained namespaces found."),
            Some(Action::Delete(deletion)) => delete(&client, deletion).await,
        }
    })
}

async fn list(client: &Client) -> anyhow::Result<Vec<RetainedRow>> {
    let of_tenants = ListParams::default().labels(LABEL_TENANT_UID);
    // The namespaces first, so that whom they belong to is there when it is looked for.
    let mut kept = Reader::of::<Namespace>(client, None).list(&of_tenants).await.context("listing namespaces")?;
    let owners = owners(client).await?;
    kept.retain(|namespace| owners.of(namespace).is_none());
    let rows = stream::iter(kept).map(|namespace| async move {
        let used = used(client, namespace["metadata"]["name"].as_str().unwrap_or_default()).await?;
        anyhow::Ok(RetainedRow::of(&namespace, &used, Timestamp::now()))
    });
    rows.buffered(AT_ONCE).collect::<Vec<_>>().await.into_iter().collect()
}

/// What is there of the two kinds.
async fn owners(client: &Client) -> anyhow::Result<Owners> {
    let all = ListParams::default();
    let (tenants, systems) = (Reader::tenants(client), Reader::all_systems(client));
    let (tenants, systems) = tokio::join!(tenants.list(&all), systems.list(&all));
    Ok(Owners::read(&tenants.context("listing agencytenants")?, &systems.context("listing hostedsystems")?))
}

/// `status.used` of a namespace's quota; null where there is none, or it may not be read.
async fn used(client: &Client, namespace: &str) -> anyhow::Result<Value> {
    match Reader::of::<ResourceQuota>(client, Some(namespace)).get(QUOTA).await {
        Ok(quota) => Ok(quota.map(|quota| quota["status"]["used"].clone()).unwrap_or_default()),
        Err(kube::Error::Api(status)) if status.code == 403 => Ok(Value::Null),
        Err(error) => Err(error).with_context(|| format!("reading the quota of namespace {namespace}")),
    }
}

async fn delete(client: &Client, deletion: &Deletion) -> anyhow::Result<()> {
    let name = &deletion.namespace;
    let reader = Reader::of::<Namespace>(client, None);
    let found = reader.get(name).await.with_context(|| format!("reading namespace {name}"))?;
    let Some(namespace) = found else { bail!("namespace {name} not found; `kubectl govcloud retained` lists those that are kept") };
    if !is_of_a_tenant(&namespace) {
        bail!("namespace {name} was made for no agency; delete it with `kubectl delete namespace {name}`");
    }
    if let Some(owner) = owners(client).await?.of(&namespace) {
        bail!("namespace {name} belongs to {owner}, which is not deleted; only a namespace that nobody is left for is deleted here");
    }
    say(shown(client, &namespace).await?)?;
    if !deletion.yes && !typed(&format!("Delete namespace {name} for good?"), name, "--yes")? {
        bail!("nothing was deleted");
    }
    let text = |field: &str| namespace["metadata"][field].as_str().map(ToOwned::to_owned);
    // The version too: an agency or system that takes it back meanwhile writes it.
    let preconditions = Preconditions { uid: text("uid"), resource_version: text("resourceVersion") };
    let parameters = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
    Api::<Namespace>::all(client.clone()).delete(name, &parameters).await.with_context(|| format!("deleting namespace {name}"))?;
    say(format_args!("namespace {name} is being deleted"))
}

/// What would be gone.
async fn shown(client: &Client, namespace: &Value) -> anyhow::Result<String> {
    let row = RetainedRow::of(namespace, &Value::Null, Timestamp::now());
    let of = match &row.system {
        Some(system) => format!("system {system} of agency {}", row.agency),
        None => format!("agency {}", row.agency),
    };
    let since = row.since.map(|since| format!(", kept since {since}")).unwrap_or_default();
    let claims = match Reader::of::<PersistentVolumeClaim>(client, Some(&row.namespace)).list(&ListParams::default()).await {
        Ok(claims) if claims.is_empty() => "no claims of volumes".to_owned(),
        Ok(claims) => format!("these claims of volumes:{}", claims.iter().map(claim).collect::<String>()),
        Err(kube::Error::Api(status)) if status.code == 403 => "claims of volumes that you may not read".to_owned(),
        Err(error) => return Err(error).with_context(|| format!("listing persistentvolumeclaims in namespace {}", row.namespace)),
    };
    Ok(format!("namespace {} of {of} {} (UID {}){since}, with {claims}", row.namespace, row.display_name, row.tenant_uid))
}

fn claim(claim: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    format!("\n  {} {}", text(&claim["metadata"]["name"]), text(&claim["spec"]["resources"]["requests"]["storage"]))
}
