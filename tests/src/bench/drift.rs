//! How long drift lasts: network policies are deleted and quotas edited, one after the other, and a watch that was open before
//! sees when each is as it was.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use futures::StreamExt;
use futures::stream::BoxStream;
use govcloud_core::{
    children::TABLE,
    model::names::{LABEL_TENANT, NETWORK_POLICY, QUOTA},
};
use kube::api::{DeleteParams, Patch, PatchParams};
use kube::core::{ApiResource, DynamicObject};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Config, Event};
use kube::{Api, Client, ResourceExt};
use serde_json::json;
use tokio::time::timeout;

/// Objects of each kind, as far as there are namespaces.
const EACH: usize = 50;
const LISTED_WITHIN: Duration = Duration::from_secs(30);
const REPAIRED_WITHIN: Duration = Duration::from_secs(30);
/// A number of pods that no quota of the load has.
const EDITED_PODS: &str = "7777";

/// How long each kind of drift lasted, shortest first.
#[derive(Clone, Debug, Default)]
pub struct Drift {
    pub policies: Vec<Duration>,
    pub quotas: Vec<Duration>,
}

impl Drift {
    /// Both kinds together.
    pub fn all(&self) -> Vec<Duration> {
        let mut all = [self.policies.clone(), self.quotas.clone()].concat();
        all.sort();
        all
    }
}

/// The smallest value that so many of a hundred do not exceed; the values come sorted.
pub fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or_default()
}

/// Lets objects drift, each in another namespace.
pub async fn measure(client: &Client, namespaces: &[String]) -> Result<Drift> {
    let mut policies = Kind::open(client, "NetworkPolicy", NETWORK_POLICY).await?;
    let mut quotas = Kind::open(client, "ResourceQuota", QUOTA).await?;
    let mut drift = Drift::default();
    for namespace in namespaces.iter().take(EACH) {
        drift.policies.push(policies.delete(namespace).await?);
    }
    let others = namespaces.iter().skip(EACH).chain(namespaces);
    for namespace in others.take(EACH.min(namespaces.len())) {
        drift.quotas.push(quotas.edit(namespace).await?);
    }
    drift.policies.sort();
    drift.quotas.sort();
    Ok(drift)
}

/// The objects of one kind, as they were and as a watch sees them.
struct Kind {
    client: Client,
    resource: ApiResource,
    name: &'static str,
    planned: BTreeMap<String, DynamicObject>,
    events: BoxStream<'static, watcher::Result<Event<DynamicObject>>>,
}

impl Kind {
    async fn open(client: &Client, kind: &str, name: &'static str) -> Result<Self> {
        let row = TABLE.iter().find(|row| row.kind == kind).with_context(|| format!("the operator has no children of kind {kind}"))?;
        let resource = row.resource();
        let api = Api::<DynamicObject>::all_with(client.clone(), &resource);
        let mut events = watcher::watcher(api, Config::default().labels(LABEL_TENANT)).default_backoff().boxed();
        let mut planned = BTreeMap::new();
        loop {
            let event = timeout(LISTED_WITHIN, events.next()).await.context("a watch of the harness does not list within 30 s")?;
            match event.context("a watch of the harness ended")?? {
                Event::InitApply(object) if object.name_any() == name => {
                    planned.insert(object.namespace().unwrap_or_default(), object);
                }
                Event::InitDone => break,
                _ => {}
            }
        }
        Ok(Self { client: client.clone(), resource, name, planned, events })
    }

    async fn delete(&mut self, namespace: &str) -> Result<Duration> {
        self.api(namespace).delete(self.name, &DeleteParams::default()).await.with_context(|| self.failed("deleting", namespace))?;
        self.repaired(namespace, |planned, now| now.uid() != planned.uid()).await
    }

    async fn edit(&mut self, namespace: &str) -> Result<Duration> {
        let edit = Patch::Merge(json!({ "spec": { "hard": { "pods": EDITED_PODS } } }));
        let edited = self.api(namespace).patch(self.name, &PatchParams::default(), &edit).await;
        let version = version(&edited.with_context(|| self.failed("editing", namespace))?);
        self.repaired(namespace, |_, now| self::version(now) > version).await
    }

    /// Time until the watch shows the object with its planned content; `later` tells what comes after the drift from what
    /// was before.
    async fn repaired(&mut self, namespace: &str, later: impl Fn(&DynamicObject, &DynamicObject) -> bool) -> Result<Duration> {
        let answered = Instant::now();
        let planned = self.planned.get(namespace).with_context(|| format!("there is no {} in {namespace}", self.name))?;
        let is_repair = |now: &DynamicObject| {
            let same = now.data["spec"] == planned.data["spec"] && now.labels() == planned.labels();
            now.namespace().as_deref() == Some(namespace) && now.name_any() == self.name && same && later(planned, now)
        };
        let until = async {
            loop {
                match self.events.next().await.context("a watch of the harness ended")? {
                    Ok(Event::Apply(object) | Event::InitApply(object)) if is_repair(&object) => return Ok(answered.elapsed()),
                    _ => {}
                }
            }
        };
        timeout(REPAIRED_WITHIN, until).await.with_context(|| format!("{} in {namespace} is not repaired after 30 s", self.name))?
    }

    fn api(&self, namespace: &str) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), namespace, &self.resource)
    }

    fn failed(&self, doing: &str, namespace: &str) -> String {
        format!("{doing} {} in {namespace}", self.name)
    }
}

fn version(object: &DynamicObject) -> u64 {
    object.resource_version().and_then(|version| version.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_one_of_the_values() {
        let values: Vec<Duration> = (1..=100).map(Duration::from_millis).collect();
        assert_eq!([50, 99, 100].map(|percent| percentile(&values, percent).as_millis()), [50, 99, 100]);
        assert_eq!(percentile(&values[..3], 50).as_millis(), 2);
        assert_eq!(percentile(&values[..3], 99).as_millis(), 3);
        assert_eq!(percentile(&[], 50), Duration::ZERO);
    }
}
