//! What changes while it is read: what seems wrong is looked at again until it is right or the time is up.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    time::Duration,
};

use govcloud_core::{
    model::{amounts::Amounts, names::LABEL_TENANT, pod_usage},
    views::doctor::{Miscount, Read, miscounts as compare},
};
use k8s_openapi::jiff::Timestamp;
use kube::{Api, Client, api::ListParams};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::listing::{list, readable, resource};
use crate::{
    cluster::{object::Object, streams::Source, watch},
    error::Error,
};

/// So long something may be wrong before it is told.
const PATIENCE: Duration = Duration::from_secs(10);
const AGAIN: Duration = Duration::from_secs(1);
/// Pods in one answer of the API server.
const PAGE: u32 = 500;

/// Tenants and systems whose latest change the operator has not taken up in time.
pub(super) async fn lagging(client: &Client, objects: &BTreeMap<&'static str, Read<Vec<Value>>>) -> Result<Read<Vec<String>>, Error> {
    let mut behind = Vec::new();
    for (plural, source) in [("agencytenants", Source::Tenants), ("hostedsystems", Source::Systems)] {
        match objects.get(plural) {
            Some(Ok(objects)) => behind.extend(objects.iter().filter(|object| is_behind(object)).map(|object| (source, object.clone()))),
            Some(Err(why)) => return Ok(Err(why.clone())),
            None => {}
        }
    }
    let until = Instant::now() + PATIENCE;
    while !behind.is_empty() && Instant::now() < until {
        sleep(AGAIN).await;
        let mut still = Vec::new();
        for (source, object) in behind {
            let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default();
            let api: Api<Object> = match text("namespace") {
                "" => Api::all_with(client.clone(), &watch::resource(source)),
                namespace => Api::namespaced_with(client.clone(), namespace, &watch::resource(source)),
            };
            match readable(api.get_opt(text("name")).await)? {
                Ok(Some(found)) if is_behind(found.json()) => still.push((source, object)),
                Ok(_) => {}
                Err(why) => return Ok(Err(why)),
            }
        }
        behind = still;
    }
    Ok(Ok(behind.iter().map(|(source, object)| described(*source, object)).collect()))
}

fn is_behind(object: &Value) -> bool {
    object["metadata"]["deletionTimestamp"].is_null() && object["metadata"]["generation"] != object["status"]["observedGeneration"]
}

fn described(source: Source, object: &Value) -> String {
    let [name, namespace] = ["name", "namespace"].map(|field| object["metadata"][field].as_str().unwrap_or_default());
    match source {
        Source::Tenants => format!("agencytenant/{name}"),
        _ => format!("hostedsystem/{name} in namespace {namespace}"),
    }
}

/// Quotas that count otherwise than their pods add up to.
pub(super) async fn miscounts(
    client: &Client,
    found: &Read<Vec<Value>>,
    pods: &Read<Pods>,
    now: Timestamp,
) -> Result<Read<Vec<Miscount>>, Error> {
    let (found, pods) = match (found, pods) {
        (Ok(found), Ok(pods)) => (found, pods),
        (Err(why), _) | (_, Err(why)) => return Ok(Err(why.clone())),
    };
    let (mut places, mut miscounts) = wrong(found, pods);
    let until = Instant::now() + PATIENCE;
    while !places.is_empty() && Instant::now() < until {
        sleep(AGAIN).await;
        let (mut still, mut found) = (BTreeSet::new(), Vec::new());
        for place in &places {
            let quotas = resource("", "ResourceQuota", "resourcequotas");
            let ours = ListParams::default().labels(LABEL_TENANT);
            let (quotas, pods) = tokio::try_join!(list(client, &quotas, Some(place), &ours), self::pods(client, Some(place), now))?;
            if let (Ok(quotas), Ok(pods)) = (quotas, pods) {
                let (places, miscounts) = wrong(&quotas, &pods);
                still.extend(places);
                found.extend(miscounts);
            }
        }
        (places, miscounts) = (still, found);
    }
    Ok(Ok(miscounts))
}

/// Namespaces whose quota does not count what the pods add up to, and what it says instead.
fn wrong(quotas: &[Value], pods: &Pods) -> (BTreeSet<String>, Vec<Miscount>) {
    let (mut places, mut miscounts) = (BTreeSet::new(), Vec::new());
    for quota in quotas {
        let place = quota["metadata"]["namespace"].as_str().unwrap_or_default();
        let found = compare(quota, &pods.sums.get(place).cloned().unwrap_or_default());
        if !found.is_empty() {
            places.insert(place.to_owned());
            miscounts.extend(found);
        }
    }
    (places, miscounts)
}

/// What is read of all pods, one page after the other.
#[derive(Default)]
pub(super) struct Pods {
    /// What they use, by namespace.
    sums: BTreeMap<String, Amounts>,
    /// Addresses of those that have one of their own.
    pub(super) addresses: BTreeSet<IpAddr>,
}

/// Reads the pods of a namespace, or all.
pub(super) async fn pods(client: &Client, namespace: Option<&str>, now: Timestamp) -> Result<Read<Pods>, Error> {
    let resource = resource("", "Pod", "pods");
    let api: Api<Object> = match namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    };
    let mut pods = Pods::default();
    let mut parameters = ListParams::default().limit(PAGE);
    loop {
        let page = match readable(api.list(&parameters).await)? {
            Ok(page) => page,
            Err(why) => return Ok(Err(why)),
        };
        for pod in page.items.iter().map(Object::json) {
            let namespace = pod["metadata"]["namespace"].as_str().unwrap_or_default().to_owned();
            pod_usage::add(pods.sums.entry(namespace).or_default(), pod, now);
            if pod["spec"]["hostNetwork"] != true {
                let addresses = pod["status"]["podIPs"].as_array().into_iter().flatten();
                pods.addresses.extend(addresses.filter_map(|address| address["ip"].as_str()?.parse::<IpAddr>().ok()));
            }
        }
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => parameters = parameters.continue_token(&token),
            None => return Ok(Ok(pods)),
        }
    }
}
