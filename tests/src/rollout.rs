//! Brings a folder of agencies and systems to the cluster and watches until all is Ready.
//!
//! It does what people do: the agencies first, then each one's systems as soon as its home
//! namespace is there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use futures::future::BoxFuture;
use futures::stream::{BoxStream, FuturesUnordered, select_all};
use futures::{FutureExt, StreamExt};
use govcloud_core::api::{AgencyTenant, HostedSystem};
use k8s_openapi::api::core::v1::Namespace;
use kube::core::{ApiResource, DynamicObject};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, CustomResourceExt, ResourceExt};
use tokio::time::{sleep, sleep_until};

use crate::manifests::{self, Refused};

mod item;
pub use item::{Item, State};

const MANAGER: &str = "govcloud-demo";
const RETRY_AFTER: Duration = Duration::from_millis(100);

/// Agencies by name, and systems by (namespace, name).
#[derive(Clone, Debug, Default)]
pub struct Rollout {
    /// Agencies.
    pub tenants: BTreeMap<String, Item>,
    /// Systems.
    pub systems: BTreeMap<(String, String), Item>,
    /// Time since the first was sent.
    pub took: Duration,
}

/// What has changed on the cluster.
enum Event {
    Tenant(DynamicObject),
    System(DynamicObject),
    Namespace(String),
}

/// An object that was sent, and what the API server answered.
type Sent = (DynamicObject, Result<DynamicObject>);

impl Rollout {
    /// Reads all files of a folder.
    ///
    /// # Errors
    /// When a file cannot be read, or holds anything but agencies and systems.
    pub fn read(folder: &Path) -> Result<Self> {
        let mut rollout = Self::default();
        for object in manifests::read(folder)? {
            let kind = object.types.as_ref().map_or("", |types| types.kind.as_str());
            match (kind, object.namespace()) {
                ("AgencyTenant", _) => {
                    rollout.tenants.insert(object.name_any(), Item::new(object));
                }
                ("HostedSystem", Some(namespace)) => {
                    rollout.systems.insert((namespace, object.name_any()), Item::new(object));
                }
                ("HostedSystem", None) => bail!("{} names no namespace: write the agency's name there", manifests::describe(&object)),
                _ => bail!("{} is neither an AgencyTenant nor a HostedSystem", manifests::describe(&object)),
            }
        }
        if rollout.tenants.is_empty() && rollout.systems.is_empty() {
            bail!("there is no AgencyTenant and no HostedSystem in {}", folder.display());
        }
        Ok(rollout)
    }

    /// Applies all and watches until all is Ready, everything that is not was refused, or the time is up.
    ///
    /// # Errors
    /// Only when watching ends; what is not Ready is in the items.
    pub async fn run(&mut self, client: &Client, limit: Duration, mut progress: impl FnMut(&Self)) -> Result<()> {
        let start = Instant::now();
        let mut events = watch(client);
        let mut namespaces = BTreeSet::new();
        let mut sending = FuturesUnordered::new();
        for item in self.tenants.values_mut().filter(|item| !item.sent) {
            sending.push(send(client, item, &AgencyTenant::api_resource()));
        }
        while !self.is_settled() {
            tokio::select! {
                event = events.next() => {
                    let event = event.context("the watch on the cluster has ended")?;
                    if let Event::Namespace(name) = &event {
                        namespaces.insert(name.clone());
                        self.send_systems(client, &namespaces, &sending);
                    }
                    self.note(event);
                }
                Some((wanted, answer)) = sending.next() => {
                    if let Some(again) = self.note_answer(client, &wanted, answer) {
                        sending.push(again);
                    }
                }
                () = sleep_until((start + limit).into()) => break,
            }
            self.took = start.elapsed();
            progress(self);
        }
        Ok(())
    }

    /// Agencies that the platform did not write itself, so that they ask and somebody approves.
    pub fn requests(&self) -> impl Iterator<Item = &Item> {
        self.tenants.values().filter(|item| item.wanted.data["spec"]["preapproved"] != true)
    }

    /// Leaves those out of what is applied: somebody else asks for them.
    pub fn leave_requests_out(&mut self) {
        for item in self.tenants.values_mut().filter(|item| item.wanted.data["spec"]["preapproved"] != true) {
            item.sent = true;
        }
    }

    /// All items.
    pub fn items(&self) -> impl Iterator<Item = &Item> {
        self.tenants.values().chain(self.systems.values())
    }

    /// Items that are not Ready.
    pub fn not_ready(&self) -> impl Iterator<Item = (&Item, String, String)> {
        self.items().filter_map(|item| match item.state() {
            State::Ready => None,
            State::NotReady { reason, message } => Some((item, reason, message)),
        })
    }

    fn is_settled(&self) -> bool {
        self.items().all(|item| item.refused.is_some() || item.state() == State::Ready)
    }

    fn send_systems(&mut self, client: &Client, namespaces: &BTreeSet<String>, sending: &FuturesUnordered<BoxFuture<'static, Sent>>) {
        for ((namespace, _), item) in &mut self.systems {
            if !item.sent && namespaces.contains(namespace) {
                sending.push(send(client, item, &HostedSystem::api_resource()));
            }
        }
    }

    fn note(&mut self, event: Event) {
        let (item, object) = match event {
            Event::Tenant(object) => (self.tenants.get_mut(&object.name_any()), object),
            Event::System(object) => {
                let key = (object.namespace().unwrap_or_default(), object.name_any());
                (self.systems.get_mut(&key), object)
            }
            Event::Namespace(_) => return,
        };
        if let Some(item) = item {
            item.see(object);
        }
    }

    /// Gives the next try when the refusal may pass.
    fn note_answer(&mut self, client: &Client, wanted: &DynamicObject, answer: Result<DynamicObject>) -> Option<BoxFuture<'static, Sent>> {
        let (item, kind) = match wanted.namespace() {
            Some(namespace) => (self.systems.get_mut(&(namespace, wanted.name_any()))?, HostedSystem::api_resource()),
            None => (self.tenants.get_mut(&wanted.name_any())?, AgencyTenant::api_resource()),
        };
        match answer {
            Ok(object) => item.see(object),
            Err(error) if error.downcast_ref::<Refused>().is_some_and(|refused| !refused.is_passing()) => {
                item.refused = Some(format!("{error:#}"));
            }
            Err(error) => {
                item.passing = Some(format!("{error:#}"));
                let again = send(client, item, &kind);
                return Some(async move { sleep(RETRY_AFTER).then(|()| again).await }.boxed());
            }
        }
        None
    }
}

fn send(client: &Client, item: &mut Item, kind: &ApiResource) -> BoxFuture<'static, Sent> {
    item.sent = true;
    let wanted = item.wanted.clone();
    let api = manifests::api_for(client, kind, wanted.metadata.namespace.as_deref());
    async move {
        let answer = manifests::apply_to(&api, &wanted, MANAGER).await;
        (wanted, answer)
    }
    .boxed()
}

/// All changes of the two kinds and of namespaces. A watch that breaks is started again; what it then
/// lists comes as changes.
fn watch(client: &Client) -> BoxStream<'static, Event> {
    let of_kind = |kind: ApiResource, event: fn(DynamicObject) -> Event| {
        watcher(Api::<DynamicObject>::all_with(client.clone(), &kind), watcher::Config::default())
            .default_backoff()
            .applied_objects()
            .filter_map(move |object| async move { object.ok().map(event) })
            .boxed()
    };
    let namespaces = watcher(Api::<Namespace>::all(client.clone()), watcher::Config::default())
        .default_backoff()
        .applied_objects()
        .filter_map(|object| async move { object.ok().map(|namespace| Event::Namespace(namespace.name_any())) })
        .boxed();
    select_all([of_kind(AgencyTenant::api_resource(), Event::Tenant), of_kind(HostedSystem::api_resource(), Event::System), namespaces])
        .boxed()
}
