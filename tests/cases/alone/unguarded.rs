//! No unguarded moment: judged at each revision of the store, not at the moments at which somebody happens to look.

use futures::StreamExt;
use kube::{
    ResourceExt,
    api::{DynamicObject, WatchEvent, WatchParams},
};
use serde_json::Value;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::{Alone, PATIENCE, process::Process};
use crate::cluster::Person;

const KINDS: [&str; 4] = ["Namespace", "NetworkPolicy", "ResourceQuota", "RoleBinding"];

/// An object as it was from one revision on; nothing when it was deleted.
struct Revision {
    version: u64,
    kind: &'static str,
    namespace: String,
    name: String,
    object: Option<Value>,
}

/// All that happened to these kinds since the beginning.
struct History {
    news: UnboundedReceiver<Revision>,
    revisions: Vec<Revision>,
}

impl History {
    async fn begin(admin: &Person) -> Self {
        let (sender, news) = unbounded_channel();
        for kind in KINDS {
            let api = admin.api(kind, "");
            let version = api.list(&Default::default()).await.unwrap().metadata.resource_version.unwrap();
            let mut events = api.watch(&WatchParams::default(), &version).await.unwrap().boxed();
            let sender: UnboundedSender<Revision> = sender.clone();
            tokio::spawn(async move {
                while let Some(event) = events.next().await {
                    if sender.send(revision(kind, event.unwrap())).is_err() {
                        return;
                    }
                }
            });
        }
        Self { news, revisions: Vec::new() }
    }

    /// Reads on until every object of the tenant is known as it is now.
    async fn catch_up(&mut self, admin: &Person, tenant: &str) {
        for kind in KINDS {
            for object in admin.api(kind, "").list(&Default::default()).await.unwrap().items {
                let now = revision(kind, WatchEvent::Added(object));
                if now.namespace == tenant || now.namespace.starts_with(&format!("{tenant}--")) {
                    self.until(&now).await;
                }
            }
        }
        self.revisions.sort_by_key(|revision| revision.version);
    }

    async fn until(&mut self, wanted: &Revision) {
        let same = |revision: &Revision| revision.kind == wanted.kind && revision.version >= wanted.version;
        while !self.revisions.iter().any(same) {
            let next = tokio::time::timeout(PATIENCE, self.news.recv()).await;
            self.revisions
                .push(next.unwrap_or_else(|_| panic!("{} {}/{} was not heard of", wanted.kind, wanted.namespace, wanted.name)).unwrap());
        }
    }

    fn of(&self, kind: &str, namespace: &str) -> impl Iterator<Item = &Revision> {
        self.revisions.iter().filter(move |revision| revision.kind == kind && revision.namespace == namespace)
    }

    /// The object as it was at a revision.
    fn at(&self, version: u64, kind: &str, namespace: &str, name: &str) -> Option<&Value> {
        let until_then = self.of(kind, namespace).filter(|revision| revision.name == name && revision.version <= version);
        until_then.last().and_then(|revision| revision.object.as_ref())
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

#[tokio::test]
async fn nobody_is_let_in_before_every_guard_stands() {
    let alone = Alone::turn().await;
    let operator = alone.start().await;
    let admin = alone.admin().await;
    // It is usually so quick to bring a quota into force that nobody would notice an operator that does not.
    let halted = Process::component(alone.plane, "kube-controller-manager").unwrap().halt();
    let mut history = History::begin(&admin).await;
    admin.tenant_with_systems("moment", &["db", "web"]).await;
    history.catch_up(&admin, "moment").await;
    drop(halted);
    for namespace in ["moment", "moment--db", "moment--web"] {
        let let_in = history.of("RoleBinding", namespace).next().unwrap_or_else(|| panic!("nobody is let into {namespace}")).version;
        let mut levels = history
            .of("Namespace", namespace)
            .map(|revision| &revision.object.as_ref().unwrap()["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]);
        assert!(levels.all(|level| level == "restricted"), "{namespace}");
        assert!(history.at(let_in, "Namespace", namespace, namespace).is_some(), "{namespace}");
        assert!(
            history.at(let_in, "NetworkPolicy", namespace, "govcloud-isolation").is_some(),
            "{namespace} is not isolated when somebody is let in"
        );
        let quota = history
            .at(let_in, "ResourceQuota", namespace, "govcloud-quota")
            .unwrap_or_else(|| panic!("{namespace} has no quota when somebody is let in"));
        assert!(quota["spec"]["hard"].as_object().is_some_and(|hard| !hard.is_empty()), "{quota:#}");
        assert_eq!(quota["status"]["hard"], quota["spec"]["hard"], "{namespace}");
    }
    operator.stop().await.unwrap();
}
