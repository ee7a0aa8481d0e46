//! What changes while it is read: what seems wrong is looked at again until it is right or the time is up.

use std::{collections::BTreeMap, time::Duration};

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

/// Quotas that count otherwise than their pods add up to, and how many there are.
pub(super) async fn miscounts(client: &Client, now: Timestamp) -> Result<Read<(usize, Vec<Miscount>)>, Error> {
    let quotas = resource("", "ResourceQuota", "resourcequotas");
    let ours = ListParams::default().labels(LABEL_TENANT);
    let found = match list(client, &quotas, None, &ours).await? {
        Ok(found) => found,
        Err(why) => return Ok(Err(why)),
    };
    let sums = match sums(client, None, now).await? {
        Ok(sums) => sums,
        Err(why) => return Ok(Err(why)),
    };
    let namespace = |quota: &Value| quota["metadata"]["namespace"].as_str().unwrap_or_default().to_owned();
    let sum = |sums: &BTreeMap<String, Amounts>, quota: &Value| sums.get(&namespace(quota)).cloned().unwrap_or_default();
    let looked = found.len();
    let mut wrong: Vec<Value> = found.into_iter().filter(|quota| !compare(quota, &sum(&sums, quota)).is_empty()).collect();
    let mut miscounts: Vec<Miscount> = wrong.iter().flat_map(|quota| compare(quota, &sum(&sums, quota))).collect();
    let until = Instant::now() + PATIENCE;
    while !wrong.is_empty() && Instant::now() < until {
        sleep(AGAIN).await;
        let mut still = Vec::new();
        miscounts.clear();
        for place in wrong.iter().map(namespace) {
            let (quotas, sums) = tokio::try_join!(list(client, &quotas, Some(&place), &ours), self::sums(client, Some(&place), now))?;
            let (Ok(quotas), Ok(sums)) = (quotas, sums) else { continue };
            for quota in quotas {
                let found = compare(&quota, &sum(&sums, &quota));
                if !found.is_empty() {
                    miscounts.extend(found);
                    still.push(quota);
                }
            }
        }
        wrong = still;
    }
    Ok(Ok((looked, miscounts)))
}

/// What the pods of each namespace use.
async fn sums(client: &Client, namespace: Option<&str>, now: Timestamp) -> Result<Read<BTreeMap<String, Amounts>>, Error> {
    let pods = resource("", "Pod", "pods");
    let api: Api<Object> = match namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &pods),
        None => Api::all_with(client.clone(), &pods),
    };
    let mut sums = BTreeMap::<String, Amounts>::new();
    let mut parameters = ListParams::default().limit(PAGE);
    loop {
        let page = match readable(api.list(&parameters).await)? {
            Ok(page) => page,
            Err(why) => return Ok(Err(why)),
        };
        for pod in &page.items {
            let pod = pod.json();
            let namespace = pod["metadata"]["namespace"].as_str().unwrap_or_default().to_owned();
            pod_usage::add(sums.entry(namespace).or_default(), pod, now);
        }
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => parameters = parameters.continue_token(&token),
            None => return Ok(Ok(sums)),
        }
    }
}
