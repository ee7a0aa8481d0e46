//! `govcloud my`: the tenants of which the caller is an Owner. Their names are read from the rules that apply to the caller, since only
//! the platform may list all tenants.

use std::collections::BTreeSet;

use anyhow::Context;
use comfy_table::{Table, presets::NOTHING};
use govcloud_core::{
    api::{
        AgencyTenant,
        conditions::{find, kind},
    },
    model::names::GROUP,
};
use k8s_openapi::api::authorization::v1::{SelfSubjectRulesReview, SelfSubjectRulesReviewSpec};
use kube::{
    Api, Client,
    api::{ObjectMeta, PostParams},
};

use super::target::Target;

pub(super) fn list(target: &Target) -> anyhow::Result<()> {
    tokio::runtime::Runtime::new()?.block_on(run(target))
}

async fn run(target: &Target) -> anyhow::Result<()> {
    let client = target.client().await?;
    let names = names(&client).await?;
    if names.is_empty() {
        println!("You are an Owner of no tenant. Request one with `kubectl create -f`; it is listed here a few moments later.");
        return Ok(());
    }
    let tenants: Api<AgencyTenant> = Api::all(client);
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(["NAME", "GENERATION", "STAGE", "APPROVED", "READY", "MESSAGE"]);
    for name in names {
        let Some(tenant) = tenants.get_opt(&name).await.with_context(|| format!("reading agencytenant/{name}"))? else { continue };
        let (generation, status) = (tenant.metadata.generation.unwrap_or_default(), tenant.status.unwrap_or_default());
        let stage = status.stage.map_or(String::new(), |stage| format!("{stage:?}"));
        let told = |kind| find(&status.conditions, kind).map(|condition| (condition.status.as_str(), condition.message.as_str()));
        let [approved, ready] = [kind::APPROVED, kind::READY].map(|kind| told(kind).unwrap_or_default());
        let (_, message) = if approved.0 == "True" { ready } else { approved };
        table.add_row([&name, &generation.to_string(), &stage, approved.0, ready.0, &first_sentence(message)]);
    }
    println!("{table}");
    Ok(())
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

/// What fits on a line; `kubectl describe` has the rest.
fn first_sentence(message: &str) -> String {
    message.split(". ").next().unwrap_or_default().chars().take(100).collect()
}
