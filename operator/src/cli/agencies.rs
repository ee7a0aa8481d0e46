//! `govcloud list` and `my`: the agencies that one may see. The platform sees all. Members see those that are named in the rules that apply
//! to them, since only the platform may list all tenants.

use std::collections::BTreeSet;

use anyhow::{Context, bail};
use futures::{StreamExt, TryStreamExt, stream};
use govcloud_core::{
    model::names::GROUP,
    views::agencies::{AgencyRow, MyRow, Order, sort},
};
use k8s_openapi::api::authorization::v1::{SelfSubjectRulesReview, SelfSubjectRulesReviewSpec};
use kube::{
    Api, Client,
    api::{ListParams, ObjectMeta, PostParams},
};
use serde_json::Value;

use super::{output::Output, target::Target};
use crate::cluster::read::Reader;

/// Said to whom no agency is named.
const NONE: &str = "You are a member of no agency. Request one with `kubectl create -f`; it is listed here a few moments later.";
/// So many are read at once.
const AT_ONCE: usize = 8;

#[derive(clap::Args)]
#[command(
    after_help = "Columns: APPROVED says whether the spec is the contract; SYSTEMS are ready/all; CPU and MEMORY are used/given/total of \
    requests.cpu and requests.memory: what pods use, what the systems were given, and the agency's quota.\n\
    Fields of JSON and YAML: name, displayName, stage, approved, ready, reason, systems.{ready,total}, cpu and memory with \
    {used,given,total,usedPercent,givenPercent}, \
    and failing.{condition,status,reason,message,since} where a condition is not True."
)]
pub(super) struct Arguments {
    /// Names of agencies. Default: all that you may see.
    #[arg(value_name = "AGENCY")]
    names: Vec<String>,
    /// What agencies are sorted by: their names, or the part of their CPU or memory, whichever is larger, that is used or given, the
    /// largest first.
    #[arg(long, value_enum, value_name = "ORDER", default_value_t = SortBy::Name)]
    sort_by: SortBy,
    #[command(flatten)]
    output: Output,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum SortBy {
    Name,
    Used,
    Given,
}

#[derive(clap::Args)]
#[command(after_help = "The message is that of the first condition that is not True; `govcloud status AGENCY` says more.\n\
    Fields of JSON and YAML: name, generation, stage, approved, ready, message.")]
pub(super) struct MyArguments {
    #[command(flatten)]
    output: Output,
}

pub(super) fn list(arguments: &Arguments, target: &Target) -> anyhow::Result<()> {
    let tenants = tokio::runtime::Runtime::new()?.block_on(async {
        let client = target.client().await?;
        if arguments.names.is_empty() { visible(&client).await } else { named(&client, arguments.names.clone(), true).await }
    })?;
    let mut rows: Vec<AgencyRow> = tenants.iter().map(AgencyRow::of).collect();
    let order = match arguments.sort_by {
        SortBy::Name => Order::Name,
        SortBy::Used => Order::Used,
        SortBy::Given => Order::Given,
    };
    sort(&mut rows, order);
    arguments.output.list(&rows, "No agencies found.")
}

pub(super) fn mine(arguments: &MyArguments, target: &Target) -> anyhow::Result<()> {
    let tenants = tokio::runtime::Runtime::new()?.block_on(async {
        let client = target.client().await?;
        named(&client, names(&client).await?, false).await
    })?;
    let rows: Vec<MyRow> = tenants.iter().map(MyRow::of).collect();
    arguments.output.list(&rows, NONE)
}

/// All agencies that the caller may see.
async fn visible(client: &Client) -> anyhow::Result<Vec<Value>> {
    match Reader::tenants(client).list(&ListParams::default()).await {
        Ok(tenants) => Ok(tenants),
        Err(kube::Error::Api(status)) if status.code == 403 => {
            let names = names(client).await?;
            if names.is_empty() {
                bail!("you may not list all agencies, and are a member of none");
            }
            named(client, names, false).await
        }
        Err(error) => Err(error).context("listing agencytenants"),
    }
}

/// Agencies by name; one that is not there is an error where somebody asked for it.
async fn named(client: &Client, names: impl IntoIterator<Item = String>, asked: bool) -> anyhow::Result<Vec<Value>> {
    let tenants = Reader::tenants(client);
    let read = |name: String| {
        let tenants = &tenants;
        async move {
            let found = tenants.get(&name).await.with_context(|| format!("reading agencytenant/{name}"))?;
            if asked && found.is_none() {
                bail!("agencytenant/{name} not found");
            }
            anyhow::Ok(found)
        }
    };
    let found: Vec<Option<Value>> = stream::iter(names).map(read).buffered(AT_ONCE).try_collect().await?;
    Ok(found.into_iter().flatten().collect())
}

/// Tenants that are named in one's rights.
async fn names(client: &Client) -> anyhow::Result<BTreeSet<String>> {
    let reviews: Api<SelfSubjectRulesReview> = Api::all(client.clone());
    let spec = SelfSubjectRulesReviewSpec { namespace: Some("default".into()) };
    let review = SelfSubjectRulesReview { metadata: ObjectMeta::default(), spec, status: None };
    let review = reviews.create(&PostParams::default(), &review).await.context("asking what you may do")?;
    let rules = review.status.map(|status| status.resource_rules).unwrap_or_default();
    let about_tenants = rules.into_iter().filter(|rule| {
        let has = |words: &Option<Vec<String>>, word: &str| words.iter().flatten().any(|known| known == word);
        has(&rule.api_groups, GROUP) && has(&rule.resources, "agencytenants")
    });
    Ok(about_tenants.flat_map(|rule| rule.resource_names.unwrap_or_default()).collect())
}
