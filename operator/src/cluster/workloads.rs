//! API server → store: workloads whose pods were refused, each watched by itself until it has what it asks for. Nothing depends
//! on it: what cannot be looked at is told until it is too old.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use futures::{StreamExt, TryStreamExt, pin_mut};
use govcloud_core::model::{
    failed_creates::{Seen, Workload},
    workloads::{KINDS, Revision, fairly, is_cured},
};
use k8s_openapi::jiff::Timestamp;
use kube::{
    Api, Client,
    core::{ApiResource, GroupVersionKind},
    runtime::{
        WatchStreamExt,
        watcher::{Config, Event, watcher},
    },
};
use tokio::{
    task::{AbortHandle, JoinSet},
    time::sleep,
};
use tracing::debug;

use super::{
    object::Object,
    store::Store,
    watch::{WatchBackoff, WatchFailure},
};

/// Workloads that are watched at once, shared fairly among the tenants; of more it is told until it is too old.
const MAX_WATCHED: usize = 64;
/// The event comes a moment before the workload's own status says that pods are missing.
const FIRST_POLL: Duration = Duration::from_secs(1);
/// Events of one moment are taken together.
const BATCH_DELAY: Duration = Duration::from_millis(200);
/// What became too old is looked for so often, and what may not be watched is tried again.
const INTERVAL: Duration = Duration::from_secs(30);
/// What could not be told at once is looked at so often.
const POLL_PAUSE: Duration = Duration::from_secs(1);
/// Seconds after which the API server ends a watch, and it goes on anew.
const WATCH_TIMEOUT: u32 = 60;

/// Watches the workloads whose pods are refused, for ever.
pub async fn follow_refused(client: Client, store: Arc<Store>) {
    let (mut tasks, mut watched) = (JoinSet::new(), BTreeMap::<Workload, AbortHandle>::new());
    loop {
        let wait = if store.failed_creates.tell_late() { POLL_PAUSE } else { INTERVAL };
        let due = store.failed_creates.workloads(Timestamp::now().as_second());
        let (known, unknown): (BTreeSet<_>, BTreeSet<_>) = due.into_iter().partition(|workload| resource(&workload.kind).is_some());
        let (due, beyond) = fairly(known, MAX_WATCHED);
        watched.retain(|workload, task| {
            let stays = due.contains(workload) && !task.is_finished();
            if !stays {
                task.abort();
            }
            stays
        });
        for workload in due {
            if let (Some(resource), false) = (resource(&workload.kind), watched.contains_key(&workload)) {
                let task = tasks.spawn(follow(client.clone(), resource, workload.clone(), store.clone()));
                watched.insert(workload, task);
            }
        }
        for workload in beyond.iter().chain(&unknown) {
            store.failed_creates.looked(workload, Seen::Never, None);
        }
        tokio::select! {
            () = store.failed_creates.refused() => {}
            Some(_) = tasks.join_next() => {}
            () = sleep(wait) => {}
        }
        sleep(BATCH_DELAY).await;
    }
}

/// Watches one workload until it is cured or gone, or the API server forbids it.
async fn follow(client: Client, resource: ApiResource, workload: Workload, store: Arc<Store>) {
    sleep(FIRST_POLL).await;
    let api: Api<Object> = Api::namespaced_with(client, workload.namespace.as_str(), &resource);
    let config = Config::default().timeout(WATCH_TIMEOUT).fields(&format!("metadata.name={}", workload.name));
    let events = watcher(api, config).backoff(WatchBackoff::new()).map_err(WatchFailure::from);
    pin_mut!(events);
    let (mut exists, mut revision) = (false, None);
    while let Some(event) = events.next().await {
        let last = store.failed_creates.last(&workload);
        let cured = match event {
            Ok(Event::Init) => {
                exists = false;
                continue;
            }
            Ok(Event::InitApply(object) | Event::Apply(object)) => {
                exists = true;
                revision = Revision::read(object.json());
                is_cured(&workload.kind, object.json(), last)
            }
            Ok(Event::InitDone) if exists => continue,
            Ok(Event::InitDone | Event::Delete(_)) => true,
            Err(failure) if failure.forbidden || failure.missing => {
                debug!(workload = workload.shown(), error = failure.message, "a refused workload cannot be watched");
                store.failed_creates.looked(&workload, Seen::Never, None);
                return sleep(INTERVAL).await;
            }
            Err(failure) => {
                debug!(workload = workload.shown(), error = failure.message, "watch failed, trying again");
                continue;
            }
        };
        store.failed_creates.looked(&workload, if cured { Seen::Cured(last) } else { Seen::Lacking }, revision.clone());
        if cured {
            return;
        }
    }
}

fn resource(kind: &str) -> Option<ApiResource> {
    let (group, kind, plural) = KINDS.into_iter().find(|(_, other, _)| *other == kind)?;
    Some(ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, "v1", kind), plural))
}
