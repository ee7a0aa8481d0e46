//! All that happened to some kinds, to judge each revision of the store and not the moments at which somebody happens to look.

use std::collections::BTreeMap;

use futures::StreamExt;
use kube::{
    Api, ResourceExt,
    api::{DynamicObject, WatchEvent, WatchParams},
};
use serde_json::Value;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::cluster::{PATIENCE, Person};

const KINDS: [&str; 4] = ["Namespace", "NetworkPolicy", "ResourceQuota", "RoleBinding"];

/// An object as it was from one revision on; nothing when it was deleted.
pub struct Revision {
    pub version: u64,
    pub kind: &'static str,
    pub namespace: String,
    pub name: String,
    pub object: Option<Value>,
}

/// All that happened to these kinds since the beginning.
pub struct History {
    kinds: &'static [&'static str],
    news: UnboundedReceiver<Revision>,
    revisions: Vec<Revision>,
    begun: u64,
}

impl Revision {
    fn tenant(&self) -> &str {
        self.namespace.split("--").next().unwrap_or_default()
    }
}

impl History {
    /// From now on.
    pub async fn begin(admin: &Person) -> Self {
        Self::of_kinds(admin, &KINDS).await
    }

    /// Of these kinds, from now on.
    pub async fn of_kinds(admin: &Person, kinds: &'static [&'static str]) -> Self {
        let (sender, news) = unbounded_channel();
        let mut begun = 0;
        for kind in kinds {
            let api = admin.api(kind, "");
            let version = api.list(&Default::default()).await.unwrap().metadata.resource_version.unwrap();
            begun = begun.max(version.parse().unwrap());
            tokio::spawn(follow(kind, api, version, sender.clone()));
        }
        Self { kinds, news, revisions: Vec::new(), begun }
    }

    /// Reads on until every object of the tenants that are meant is known as it is now.
    pub async fn catch_up(&mut self, admin: &Person, is_meant: impl Fn(&str) -> bool) {
        for kind in self.kinds {
            for object in admin.api(kind, "").list(&Default::default()).await.unwrap().items {
                let now = revision(kind, WatchEvent::Added(object));
                if now.version > self.begun && is_meant(now.tenant()) {
                    self.until(&now).await;
                }
            }
        }
        self.revisions.sort_by_key(|revision| revision.version);
    }

    /// Moments at which a namespace that is not ending had a binding and not its isolation or no quota in force.
    pub fn unguarded(&self, is_meant: impl Fn(&str) -> bool) -> Vec<String> {
        let mut now: BTreeMap<(&str, &str, &str), &Value> = BTreeMap::new();
        let mut moments = Vec::new();
        for revision in self.revisions.iter().filter(|revision| is_meant(revision.tenant())) {
            let namespace = revision.namespace.as_str();
            let key = (namespace, revision.kind, revision.name.as_str());
            match &revision.object {
                Some(object) => drop(now.insert(key, object)),
                None => drop(now.remove(&key)),
            }
            let bindings = now
                .range((namespace, "RoleBinding", "")..)
                .take_while(|((there, kind, _), _)| *there == namespace && *kind == "RoleBinding");
            let has = |kind: &'static str, name: &'static str| now.get(&(namespace, kind, name)).copied().unwrap_or(&Value::Null);
            let ends =
                now.get(&(namespace, "Namespace", namespace)).is_none_or(|object| object["metadata"]["deletionTimestamp"].is_string());
            let isolated = has("NetworkPolicy", "govcloud-isolation").is_object();
            let limited = has("ResourceQuota", "govcloud-quota")["status"]["hard"].as_object().is_some_and(|hard| !hard.is_empty());
            if bindings.count() > 0 && !ends && !(isolated && limited) {
                moments.push(format!("{namespace} at {}: isolated {isolated}, quota in force {limited}", revision.version));
            }
        }
        moments
    }

    async fn until(&mut self, wanted: &Revision) {
        let same = |revision: &Revision| revision.kind == wanted.kind && revision.version >= wanted.version;
        while !self.revisions.iter().any(same) {
            let next = tokio::time::timeout(PATIENCE, self.news.recv()).await;
            self.revisions
                .push(next.unwrap_or_else(|_| panic!("{} {}/{} was not heard of", wanted.kind, wanted.namespace, wanted.name)).unwrap());
        }
    }

    /// All that conditions of this type said.
    pub fn conditions(&self, kind: &str) -> impl Iterator<Item = &Value> {
        let objects = self.revisions.iter().filter_map(|revision| revision.object.as_ref());
        let conditions = objects.flat_map(|object| object["status"]["conditions"].as_array().into_iter().flatten());
        conditions.filter(move |condition| condition["type"] == kind)
    }

    /// The revisions of a kind in a namespace, in order.
    pub fn of(&self, kind: &str, namespace: &str) -> impl Iterator<Item = &Revision> {
        self.revisions.iter().filter(move |revision| revision.kind == kind && revision.namespace == namespace)
    }

    /// The object as it was at a revision.
    pub fn at(&self, version: u64, kind: &str, namespace: &str, name: &str) -> Option<&Value> {
        let until_then = self.of(kind, namespace).filter(|revision| revision.name == name && revision.version <= version);
        until_then.last().and_then(|revision| revision.object.as_ref())
    }
}

/// Tells all that happens after a version. The API server may end a watch at any time; the next one goes on where it ended.
async fn follow(kind: &'static str, api: Api<DynamicObject>, mut version: String, news: UnboundedSender<Revision>) {
    loop {
        let mut events = api.watch(&WatchParams::default().disable_bookmarks(), &version).await.unwrap().boxed();
        while let Some(event) = events.next().await {
            let next = revision(kind, event.unwrap());
            version = next.version.to_string();
            if news.send(next).is_err() {
                return;
            }
        }
    }
}

fn revision(kind: &'static str, event: WatchEvent<DynamicObject>) -> Revision {
    let (object, there) = match event {
        WatchEvent::Added(object) | WatchEvent::Modified(object) => (object, true),
        WatchEvent::Deleted(object) => (object, false),
        other => panic!("the watch of {kind} says {other:?}"),
    };
    let name = object.name_any();
    Revision {
        version: object.resource_version().unwrap().parse().unwrap(),
        kind,
        namespace: object.namespace().unwrap_or_else(|| name.clone()),
        name,
        object: there.then(|| serde_json::to_value(object).unwrap()),
    }
}
