//! Watches until all is Ready: the same eye, at the same cost, on the bare client's work and on the operator's.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use futures::StreamExt;
use futures::stream::{BoxStream, select_all};
use govcloud_core::{
    api::{AgencyTenant, HostedSystem},
    model::names::LABEL_TENANT,
};
use k8s_openapi::api::core::v1::Namespace;
use kube::core::PartialObjectMeta;
use kube::core::{ApiResource, DynamicObject};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Config, Event};
use kube::{Api, Client, CustomResourceExt, ResourceExt};
use tokio::time::{Instant, timeout, timeout_at};

use super::load::Agency;
use crate::{
    manifests,
    rollout::{Item, State},
};

/// Longest wait for the first listing.
const LISTED_WITHIN: Duration = Duration::from_secs(30);
/// Longest time for one namespace beside a fixed minute; the strongest of others needs an eighth of a second.
const EACH: Duration = Duration::from_millis(500);
/// Objects that are named when not all is Ready.
const NAMED: usize = 20;

type Key = (String, String);

enum News {
    Object(Box<DynamicObject>),
    Home(String),
    Listed,
}

/// Everything that is to become Ready.
pub struct Observer {
    news: BoxStream<'static, watcher::Result<News>>,
    items: BTreeMap<Key, Item>,
    ready: BTreeSet<Key>,
}

impl Observer {
    /// Opens the watches and waits until they have listed, so that what is measured begins with them open.
    pub async fn open(client: &Client, agencies: &[Agency]) -> Result<Self> {
        let mut news = watch(client);
        let mut listed = 0;
        while listed < 3 {
            let next = timeout(LISTED_WITHIN, news.next()).await.context("the watches of the harness do not list within 30 s")?;
            if let News::Listed = next.context("a watch of the harness ended")?.context("opening the watches of the harness")? {
                listed += 1;
            }
        }
        let objects = agencies.iter().flat_map(|agency| agency.systems.iter().chain([&agency.tenant]));
        let items = objects.map(|object| (key(object), Item::new(object.clone()))).collect();
        Ok(Self { news, items, ready: BTreeSet::new() })
    }

    /// Returns when all is Ready; tells of home namespaces as they come.
    pub async fn until_ready(mut self, mut home: impl FnMut(String)) -> Result<()> {
        let limit = Duration::from_mins(1) + EACH * u32::try_from(self.items.len()).unwrap_or(u32::MAX);
        let deadline = Instant::now() + limit;
        while self.ready.len() < self.items.len() {
            let Ok(news) = timeout_at(deadline, self.news.next()).await else {
                bail!("not all is Ready after {} s:\n{}", limit.as_secs(), self.reasons());
            };
            match news.context("a watch of the harness ended")? {
                Ok(News::Object(object)) => self.see(*object),
                Ok(News::Home(name)) => home(name),
                Ok(News::Listed) | Err(_) => {} // a watch that breaks begins anew
            }
        }
        Ok(())
    }

    fn see(&mut self, object: DynamicObject) {
        let key = key(&object);
        let Some(item) = self.items.get_mut(&key) else { return };
        item.see(object);
        if item.state() == State::Ready {
            self.ready.insert(key);
        } else {
            self.ready.remove(&key);
        }
    }

    fn reasons(&self) -> String {
        let late = self.items.iter().filter(|(key, _)| !self.ready.contains(*key));
        let line = |item: &Item| match item.state() {
            State::Ready => None,
            State::NotReady { reason, message } => Some(format!("{}: {reason}: {message}", manifests::describe(&item.wanted))),
        };
        let mut lines: Vec<String> = late.clone().filter_map(|(_, item)| line(item)).take(NAMED).collect();
        lines.extend(late.count().checked_sub(NAMED + 1).map(|more| format!("and {} more", more + 1)));
        lines.join("\n")
    }
}

fn key(object: &DynamicObject) -> Key {
    (object.namespace().unwrap_or_default(), object.name_any())
}

fn watch(client: &Client) -> BoxStream<'static, watcher::Result<News>> {
    let of_kind = |kind: &ApiResource| {
        let objects = watcher::watcher(Api::<DynamicObject>::all_with(client.clone(), kind), Config::default()).default_backoff();
        objects.filter_map(|event| async { told(event, |object| News::Object(Box::new(object))) }).boxed()
    };
    let homes = watcher::watcher(Api::<PartialObjectMeta<Namespace>>::all(client.clone()), Config::default().labels(LABEL_TENANT))
        .default_backoff();
    let homes = homes.filter_map(|event| async { told(event, |namespace| News::Home(namespace.name_any())) }).boxed();
    select_all([of_kind(&AgencyTenant::api_resource()), of_kind(&HostedSystem::api_resource()), homes]).boxed()
}

fn told<Object>(event: watcher::Result<Event<Object>>, news: impl FnOnce(Object) -> News) -> Option<watcher::Result<News>> {
    match event {
        Ok(Event::Apply(object) | Event::InitApply(object)) => Some(Ok(news(object))),
        Ok(Event::InitDone) => Some(Ok(News::Listed)),
        Ok(Event::Init | Event::Delete(_)) => None,
        Err(error) => Some(Err(error)),
    }
}
