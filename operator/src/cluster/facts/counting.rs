//! What changes while it is read: what seems wrong is looked at again until it is right or the time is up.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    time::Duration,
};

use govcloud_core::{
    model::{names::LABEL_TENANT, pod_usage::Usage},
    views::doctor::{Miscount, Objects, Read, behind as now_behind, has_ended, lease, miscounts as compare},
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
pub(super) async fn lagging(client: &Client, objects: &Objects) -> Result<Read<Vec<String>>, Error> {
    let kinds = [("agencytenants", Source::Tenants), ("hostedsystems", Source::Systems)];
    let mut behind = BTreeSet::new();
    for (plural, _) in kinds {
        match objects.get(plural) {
            Some(Ok(objects)) => behind.extend(now_behind(plural, objects)),
            Some(Err(why)) => return Ok(Err(why.clone())),
            None => {}
        }
    }
    let until = Instant::now() + PATIENCE;
    while !behind.is_empty() && Instant::now() < until {
        sleep(AGAIN).await;
        let mut still = BTreeSet::new();
        for (plural, source) in kinds {
            let found = list(client, &watch::resource(source), None, &ListParams::default()).await?;
            still.extend(found.iter().flat_map(|objects| now_behind(plural, objects)));
        }
        behind.retain(|described| still.contains(described));
    }
    Ok(Ok(behind.into_iter().collect()))
}

/// Whether somebody renews the lease, where by the time in it nobody does: the clocks of two machines may differ.
pub(super) async fn is_renewed(client: &Client, objects: &Objects, now: Timestamp) -> Result<bool, Error> {
    let Some(lease) = lease(objects) else { return Ok(false) };
    if !has_ended(lease, now) {
        return Ok(true);
    }
    let text = |field: &str| lease["metadata"][field].as_str().unwrap_or_default().to_owned();
    let leases = Api::<Object>::namespaced_with(client.clone(), &text("namespace"), &resource("coordination.k8s.io", "Lease", "leases"));
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        sleep(AGAIN).await;
        let found = readable(leases.get_opt(&text("name")).await)?.ok().flatten();
        let holder = |lease: &Value| lease["spec"]["holderIdentity"].as_str().is_some_and(|holder| !holder.is_empty());
        if found.is_some_and(|found| holder(found.json()) && found.json()["spec"]["renewTime"] != lease["spec"]["renewTime"]) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Quotas that count otherwise than their pods add up to, and do so by the same figures all the time.
pub(super) async fn miscounts(client: &Client, objects: &Objects, pods: &Read<Pods>) -> Result<Read<Vec<Miscount>>, Error> {
    let (found, pods) = match (objects.get("resourcequotas"), pods) {
        (Some(Ok(found)), Ok(pods)) => (found, pods),
        (Some(Err(why)), _) | (_, Err(why)) => return Ok(Err(why.clone())),
        (None, _) => return Ok(Ok(Vec::new())),
    };
    let mut miscounts = wrong(found, pods);
    let until = Instant::now() + PATIENCE;
    while !miscounts.is_empty() && Instant::now() < until {
        sleep(AGAIN).await;
        let mut still = Vec::new();
        for place in miscounts.iter().map(Miscount::namespace).collect::<BTreeSet<_>>() {
            let quotas = resource("", "ResourceQuota", "resourcequotas");
            let ours = ListParams::default().labels(LABEL_TENANT);
            let (quotas, pods) = tokio::try_join!(list(client, &quotas, Some(place), &ours), self::pods(client, Some(place)))?;
            if let (Ok(quotas), Ok(pods)) = (quotas, pods) {
                still.extend(wrong(&quotas, &pods));
            }
        }
        miscounts.retain(|found| still.contains(found));
    }
    Ok(Ok(miscounts))
}

fn wrong(quotas: &[Value], pods: &Pods) -> Vec<Miscount> {
    let usage = |quota: &Value| pods.usage.get(quota["metadata"]["namespace"].as_str().unwrap_or_default()).cloned().unwrap_or_default();
    quotas.iter().flat_map(|quota| compare(quota, &usage(quota))).collect()
}

/// What is read of all pods, one page after the other.
#[derive(Default)]
pub(super) struct Pods {
    /// What they use, by namespace.
    usage: BTreeMap<String, Usage>,
    /// Addresses of those that have one of their own.
    pub(super) addresses: BTreeSet<IpAddr>,
}

/// Reads the pods of a namespace, or all.
pub(super) async fn pods(client: &Client, namespace: Option<&str>) -> Result<Read<Pods>, Error> {
    let resource = resource("", "Pod", "pods");
    let api: Api<Object> = match namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    };
    let (mut pods, now) = (Pods::default(), Timestamp::now());
    let mut parameters = ListParams::default().limit(PAGE);
    loop {
        let page = match readable(api.list(&parameters).await)? {
            Ok(page) => page,
            Err(why) => return Ok(Err(why)),
        };
        for pod in page.items.iter().map(Object::json) {
            let namespace = pod["metadata"]["namespace"].as_str().unwrap_or_default().to_owned();
            pods.usage.entry(namespace).or_default().add(pod, now);
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
