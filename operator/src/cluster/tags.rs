//! API server → pods by tag where images must name a digest, listed on demand. Nothing depends on it: where they may not be listed,
//! nothing is told of them.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use k8s_openapi::{api::core::v1::Pod, jiff::Timestamp};
use kube::{api::ListParams, core::ApiResource};
use tracing::debug;

use super::{connection::Connection, object::Object};
use crate::{
    names::{NamespaceName, TenantName},
    plan::{
        intent::Intent,
        owner::namespace_entry,
        settings::Settings,
        snapshot::Snapshot,
        tags::{Tags, by_tag, required},
    },
};

/// What was found, by namespace. Forgotten where no digests are required any more, so that it is looked for when they are again.
#[derive(Default)]
pub struct Found(Mutex<BTreeMap<TenantName, BTreeMap<NamespaceName, Tags>>>);

impl Found {
    /// Fills in what is known of the tenant's namespaces, after their pods were listed where that is due.
    pub async fn look(&self, connection: &Connection, snapshot: &mut Snapshot, intent: &Intent, settings: &Settings) {
        let now = Timestamp::now().as_second();
        snapshot.tags = self.all().remove(&snapshot.name).unwrap_or_default();
        let required = required(snapshot, intent, now);
        snapshot.tags.retain(|namespace, _| required.iter().any(|(other, _)| other == namespace));
        for (namespace, _) in required.into_iter().filter(|(_, due)| *due) {
            let found = list(connection, snapshot, &namespace, settings, now).await;
            snapshot.tags.insert(namespace, found);
        }
        if !snapshot.tags.is_empty() {
            self.all().insert(snapshot.name.clone(), snapshot.tags.clone());
        }
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<TenantName, BTreeMap<NamespaceName, Tags>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn list(connection: &Connection, seen: &Snapshot, namespace: &NamespaceName, settings: &Settings, now: i64) -> Tags {
    let enforced = namespace_entry(&seen.observed, namespace).is_some_and(|entry| entry.requires_digests);
    let pods = connection.api(&ApiResource::erase::<Pod>(&()), namespace.as_str());
    let workloads = match connection.request("list", "pods", pods.list(&ListParams::default())).await {
        Ok(pods) => Some(by_tag(namespace, pods.items.iter().map(Object::json), |image| settings.is_of_the_platform(image))),
        Err(error) => {
            debug!(%namespace, %error, "pods cannot be listed");
            None
        }
    };
    Tags { looked: now, enforced, workloads }
}
