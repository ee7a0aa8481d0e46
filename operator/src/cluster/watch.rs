//! API server → store: one watch for each of the two kinds and each kind of child. Whatever is news names a tenant to look at.

use std::{sync::Arc, time::Duration};

use futures::{StreamExt, TryStreamExt, pin_mut};
use govcloud_core::{
    api::{AgencyTenant, HostedSystem},
    children::TABLE,
    model::{
        api_server::{self, Part},
        names::{LABEL_TENANT, TenantName},
    },
};
use k8s_openapi::api::{core::v1::Service, discovery::v1::EndpointSlice};
use kube::{
    Api, Client, CustomResourceExt, ResourceExt,
    core::ApiResource,
    runtime::{
        WatchStreamExt,
        utils::{Backoff, ResetTimerBackoff},
        watcher::{self, Config, Event, ExponentialBackoff, watcher},
    },
};
use tokio::sync::mpsc::UnboundedSender;
use tracing::{debug, warn};

use super::{
    health::Health,
    metrics::Metrics,
    object::Object,
    store::Store,
    streams::{Listed, Source, plural},
};
use crate::error::{Error, with_causes};

/// Seconds after which the API server ends a watch, and it goes on anew: a connection that fell silent blinds no longer.
const WATCH_TIMEOUT: u32 = 60;
/// Objects in each answer while it lists: all streams begin at once, and each answer is held whole.
const PAGE: u32 = 100;
/// First wait before a failing watch is tried again.
const FIRST_RETRY: Duration = Duration::from_millis(250);
/// Longest wait before a failing watch is tried again; a stream counts as failed a little later.
const LONGEST_RETRY: Duration = Duration::from_secs(8);
/// Longest wait for a part of a list. A watch may be silent; a list is not.
const LIST_TIMEOUT: Duration = Duration::from_secs(15);
/// A watch that lived so long begins at the first wait again.
const RESET: Duration = Duration::from_secs(30);

/// One stream, and who takes it in.
pub struct Stream {
    pub client: Client,
    pub source: Source,
    pub store: Arc<Store>,
    pub health: Arc<Health>,
    /// Takes the tenants to look at.
    pub news: UnboundedSender<TenantName>,
    pub metrics: Metrics,
}

impl Stream {
    /// Follows it for ever.
    pub async fn follow(self) {
        let mut backoff = WatchBackoff::new();
        let mut told = String::new();
        // A watch that is let in again goes on where it was and says nothing; a new one lists, and that ends the blindness.
        while self.follow_once(&mut told).await {
            tokio::time::sleep(backoff.next().unwrap_or(LONGEST_RETRY)).await;
        }
    }

    /// Follows one stream until the API server forbids it or does not answer; false when nobody listens any more.
    /// `told` is the failure that the log has last told of: the same again is no news.
    async fn follow_once(&self, told: &mut String) -> bool {
        let source = self.source;
        let config = Config::default().timeout(WATCH_TIMEOUT).page_size(PAGE);
        let config = match source {
            Source::Tenants | Source::Systems | Source::PriorityClasses | Source::RuntimeClasses => config,
            Source::Children(index) if TABLE[index].exposes.is_some() => config, // also those of others
            Source::Children(_) => config.labels(LABEL_TENANT),
            Source::FailedCreates => config.fields("reason=FailedCreate"),
            Source::ApiServer(_) => config.fields(&format!("metadata.name={}", api_server::NAME)),
        };
        let api: Api<Object> = match source {
            Source::ApiServer(_) => Api::namespaced_with(self.client.clone(), api_server::NAMESPACE, &resource(source)),
            _ => Api::all_with(self.client.clone(), &resource(source)),
        };
        let events = watcher(api, config).backoff(WatchBackoff::new()).map_err(WatchFailure::from).into_stream();
        pin_mut!(events);
        let (mut listing, mut listed) = (Listed::new(), false);
        loop {
            let event = match tokio::time::timeout(LIST_TIMEOUT, events.next()).await {
                Ok(Some(event)) => event,
                Ok(None) => return true,
                Err(_) if listed => continue, // nothing happens
                Err(_) => {
                    warn!(resource = plural(source), "the API server did not answer the list in time, trying again");
                    self.metrics.watch_failed(plural(source));
                    self.health.failed(source, false, Error::TimedOut(LIST_TIMEOUT).to_string());
                    return true;
                }
            };
            listed = match &event {
                Ok(Event::Init | Event::InitApply(_)) => false,
                Ok(Event::InitDone) => {
                    told.clear();
                    true
                }
                _ => listed,
            };
            let mut forbidden = false;
            let tenants = match event {
                Ok(event) => self.take(event, &mut listing),
                Err(failure) => {
                    if *told == failure.message {
                        debug!(resource = plural(source), error = failure.message, "watch failed again");
                    } else {
                        warn!(resource = plural(source), error = failure.message, "watch failed, trying again");
                        told.clone_from(&failure.message);
                    }
                    self.metrics.watch_failed(plural(source));
                    // What the cluster does not serve, and the operator can do without, is not waited for.
                    forbidden = failure.forbidden || (failure.missing && source.is_spared());
                    if self.health.failed(source, forbidden, failure.message) { self.store.tenants() } else { Vec::new() }
                }
            };
            for tenant in tenants {
                debug!(%tenant, resource = plural(source), "news");
                if self.news.send(tenant).is_err() {
                    return false;
                }
            }
            if forbidden {
                return true;
            }
        }
    }

    /// Takes an event in. Returns the tenants to look at.
    fn take(&self, event: Event<Object>, listing: &mut Listed) -> Vec<TenantName> {
        let source = self.source;
        if matches!(event, Event::Apply(_) | Event::Delete(_)) {
            self.health.alive(source); // a list says so at its end
        }
        match event {
            Event::Init => {
                listing.clear();
                Vec::new()
            }
            Event::InitApply(object) => {
                listing.entry(object.namespace().unwrap_or_default()).or_default().insert(object.name_any());
                self.store.take(source, &object).into_iter().collect()
            }
            Event::InitDone => {
                let gone = self.store.listed(source, &std::mem::take(listing));
                if self.health.listed(source) { self.store.tenants() } else { gone }
            }
            Event::Apply(object) => self.store.take(source, &object).into_iter().collect(),
            Event::Delete(object) => self.store.forget(source, &object).into_iter().collect(),
        }
    }
}

/// Waits that grow from failure to failure. The watcher says `Init` before each attempt to list, and takes that for a success
/// that resets its backoff; only time resets this one.
pub(super) struct WatchBackoff(ResetTimerBackoff<ExponentialBackoff>);

impl WatchBackoff {
    pub(super) fn new() -> Self {
        let waits = backon::ExponentialBuilder::default()
            .with_min_delay(FIRST_RETRY)
            .with_max_delay(LONGEST_RETRY)
            .without_max_times()
            .with_jitter();
        Self(ResetTimerBackoff::new(ExponentialBackoff::from(waits), RESET))
    }
}

impl Iterator for WatchBackoff {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        self.0.next()
    }
}

impl Backoff for WatchBackoff {
    fn reset(&mut self) {}
}

/// The resource of a stream.
pub fn resource(source: Source) -> ApiResource {
    match source {
        Source::Tenants => AgencyTenant::api_resource(),
        Source::Systems => HostedSystem::api_resource(),
        Source::Children(index) => TABLE[index].resource(),
        Source::PriorityClasses => ApiResource::erase::<k8s_openapi::api::scheduling::v1::PriorityClass>(&()),
        Source::RuntimeClasses => ApiResource::erase::<k8s_openapi::api::node::v1::RuntimeClass>(&()),
        Source::FailedCreates => ApiResource::erase::<k8s_openapi::api::core::v1::Event>(&()),
        Source::ApiServer(Part::Service) => ApiResource::erase::<Service>(&()),
        Source::ApiServer(Part::Endpoints) => ApiResource::erase::<EndpointSlice>(&()),
    }
}

pub(super) struct WatchFailure {
    pub(super) forbidden: bool,
    /// Whether the API server does not serve the kind.
    pub(super) missing: bool,
    pub(super) message: String,
}

impl From<watcher::Error> for WatchFailure {
    fn from(error: watcher::Error) -> Self {
        let code = match &error {
            watcher::Error::InitialListFailed(kube::Error::Api(status))
            | watcher::Error::WatchStartFailed(kube::Error::Api(status))
            | watcher::Error::WatchFailed(kube::Error::Api(status))
            | watcher::Error::WatchError(status) => status.code,
            _ => 0,
        };
        let message = match error {
            watcher::Error::InitialListFailed(kube::Error::Api(status)) | watcher::Error::WatchStartFailed(kube::Error::Api(status)) => {
                status.message
            }
            other => with_causes(&other),
        };
        Self { forbidden: code == 401 || code == 403, missing: code == 404, message }
    }
}
