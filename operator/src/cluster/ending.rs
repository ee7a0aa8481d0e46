//! API server → pods that should have ended, listed on demand. Nothing depends on it: where they may not be listed, nothing is told of
//! them.

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
        Plan,
        ending::{Ending, read, required},
        snapshot::Snapshot,
    },
};

/// Pods that are listed of a namespace; more are not told of.
const MOST: u32 = 500;

/// What was found, by namespace. Forgotten where no pods need to end any more.
#[derive(Default)]
pub struct Left(Mutex<BTreeMap<TenantName, BTreeMap<NamespaceName, Ending>>>);

impl Left {
    /// Fills in what is known of the tenant's namespaces, after their pods were listed where that is due.
    pub async fn look(&self, connection: &Connection, snapshot: &mut Snapshot, plan: &Plan) {
        let now = Timestamp::now().as_second();
        snapshot.ending = self.all().remove(&snapshot.name).unwrap_or_default();
        let required = required(snapshot, plan, now);
        snapshot.ending.retain(|namespace, _| required.iter().any(|(other, _)| other == namespace));
        for (namespace, _) in required.into_iter().filter(|(_, due)| *due) {
            let found = list(connection, &namespace, now).await;
            snapshot.ending.insert(namespace, found);
        }
        if !snapshot.ending.is_empty() {
            self.all().insert(snapshot.name.clone(), snapshot.ending.clone());
        }
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<TenantName, BTreeMap<NamespaceName, Ending>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn list(connection: &Connection, namespace: &NamespaceName, now: i64) -> Ending {
    let pods = connection.api(&ApiResource::erase::<Pod>(&()), namespace.as_str());
    match connection.request("list", "pods", pods.list(&ListParams::default().limit(MOST))).await {
        Ok(pods) => read(pods.items.iter().map(Object::json), now),
        Err(error) => {
            debug!(%namespace, %error, "pods cannot be listed");
            Ending { looked: now, ..Ending::default() }
        }
    }
}
