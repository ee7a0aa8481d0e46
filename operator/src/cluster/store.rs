//! What the watches have seen, by tenant: every child reduced to some hundred bytes, the two kinds whole.
//!
//! What the operator writes is taken in from the answer, so the next look is never older than the last write, and the event
//! of an own write is no news. An object is read before the lock is taken, and only if its version is new; a snapshot shares
//! what it holds with the store.

mod agencies;
mod contents;
mod figures;

use govcloud_core::{
    api::approval::Contract,
    children::TABLE,
    model::{api_server::Part, exports::Exports, names::TenantName, observed::ChildKey, snapshot::Snapshot},
};
use k8s_openapi::jiff::Timestamp;
use kube::{Resource, ResourceExt};
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::mpsc::UnboundedSender;

use super::{
    decode::{place, root, tenant_at},
    failed_creates::FailedCreates,
    object::Object,
    pod_classes::Classes,
    streams::{Listed, Source},
};
pub use agencies::{AgencyFigures, TenantFigures};
pub use contents::Wanted;
use contents::{Contents, Shard};
pub use figures::{Figures, Judged};

/// The objects.
pub struct Store {
    contents: Mutex<Contents>,
    /// The cluster's classes.
    classes: Classes,
    /// What the API server refused to create.
    pub failed_creates: FailedCreates,
    /// Tenants to look at because of another.
    news: UnboundedSender<TenantName>,
}

impl Store {
    /// Nothing is known yet; `news` takes the tenants to look at because of what another does.
    pub fn new(news: UnboundedSender<TenantName>) -> Self {
        let failed_creates = FailedCreates::new(news.clone());
        Self { contents: Mutex::default(), classes: Classes::default(), failed_creates, news }
    }

    fn contents(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock()
    }

    fn tell(&self, tenants: impl IntoIterator<Item = TenantName>) {
        for tenant in tenants {
            let _ = self.news.send(tenant); // nobody listens when the operator is stopping
        }
    }

    /// Takes an object in. Returns the tenant to look at if that is news.
    pub fn take(&self, source: Source, object: &Object) -> Option<TenantName> {
        let is_news = match source {
            Source::Tenants => self.take_tenant(object),
            Source::Systems => {
                self.is_newer(source, object) && {
                    let root = root(object);
                    self.contents().take_system(root)
                }
            }
            Source::Children(kind) => self.take_child(kind, object),
            Source::FailedCreates => return self.failed_creates.take(object),
            Source::ApiServer(part) => {
                self.take_api_server(part, object);
                false
            }
            Source::PriorityClasses | Source::RuntimeClasses => {
                self.tell_all(self.classes.take(source, object));
                false
            }
        };
        is_news.then(|| TenantName::new(tenant_at(source, place(source, object))))
    }

    /// Whether an object is worth reading.
    fn is_newer(&self, source: Source, object: &Object) -> bool {
        let metadata = object.meta();
        let [uid, version] = [&metadata.uid, &metadata.resource_version].map(|text| text.as_deref().unwrap_or_default());
        self.contents().is_newer(source, place(source, object), uid, version)
    }

    /// Takes a tenant in, and tells those who read what it shows: also when it is the operator's own write, of which no watch
    /// brings news any more.
    fn take_tenant(&self, object: &Object) -> bool {
        if !self.is_newer(Source::Tenants, object) {
            return false;
        }
        let root = root(object);
        let exports = Exports::of(&root);
        let (is_news, readers) = self.contents().take_tenant(root, exports);
        self.tell(readers);
        is_news
    }

    fn take_child(&self, kind: usize, object: &Object) -> bool {
        self.is_newer(Source::Children(kind), object) && {
            let entry = TABLE[kind].entry(object.json());
            self.contents().take_child(kind, place(Source::Children(kind), object), entry)
        }
    }

    /// Takes in where the API server is, and tells those whose pods reach it.
    fn take_api_server(&self, part: Part, object: &Object) {
        let mut contents = self.contents();
        if contents.api_server.take(part, object.json()) {
            let is_open = |contract: &Contract| contract.spec().is_some_and(|spec| spec.network.kubernetes_api.is_open());
            let roots = contents.shards.iter().filter_map(|(name, shard)| Some((name, shard.root.as_ref()?)));
            let reached = roots.filter(|(_, root)| root.status.contract.as_ref().is_some_and(is_open));
            self.tell(reached.map(|(name, _)| name.clone()));
        }
    }

    /// Classes are every tenant's business.
    fn tell_all(&self, is_news: bool) {
        if is_news {
            self.tell(self.tenants());
        }
    }

    /// Every tenant that anything points to.
    pub fn tenants(&self) -> Vec<TenantName> {
        let contents = self.contents();
        contents.shards.iter().filter(|(_, shard)| shard.is_of_a_tenant()).map(|(name, _)| name.clone()).collect()
    }

    /// Forgets an object, unless one of the same name has taken its place meanwhile. Returns the tenant to look at.
    pub fn forget(&self, source: Source, object: &Object) -> Option<TenantName> {
        let [uid, version] = [object.uid(), object.resource_version()].map(Option::unwrap_or_default);
        let was_known = match source {
            Source::Tenants | Source::Systems | Source::Children(_) => {
                let (was_known, readers) = self.contents().forget(source, place(source, object), uid, version);
                self.tell(readers);
                was_known
            }
            Source::FailedCreates => return self.failed_creates.forget(object),
            Source::ApiServer(_) => false, // what was known stays so
            Source::PriorityClasses | Source::RuntimeClasses => {
                self.tell_all(self.classes.forget(source, &object.name_any()));
                false
            }
        };
        was_known.then(|| TenantName::new(tenant_at(source, place(source, object))))
    }

    /// Ends a list: what was not in it is gone. Returns the tenants to look at.
    pub fn listed(&self, source: Source, listed: &Listed) -> Vec<TenantName> {
        match source {
            Source::Tenants | Source::Systems | Source::Children(_) => {
                let (gone, readers) = self.contents().listed(source, listed);
                self.tell(readers);
                gone
            }
            Source::FailedCreates => self.failed_creates.listed(listed).into_iter().collect(),
            Source::ApiServer(part) => {
                self.contents().api_server.looked(part);
                Vec::new()
            }
            Source::PriorityClasses | Source::RuntimeClasses => {
                self.tell_all(self.classes.listed(source, listed));
                Vec::new()
            }
        }
    }

    /// One tenant at this moment.
    pub fn snapshot(&self, name: &TenantName, now: Timestamp) -> Snapshot {
        let contents = self.contents();
        let shard = contents.shards.get(name).cloned().unwrap_or_default();
        let (exports, promised, api_server) =
            (contents.exports.read(name), contents.exports.promised_to_others(name), contents.api_server.addresses());
        drop(contents);
        let failed_creates = self.failed_creates.of_tenant(name);
        Snapshot {
            exports,
            promised,
            tenant: shard.root,
            systems: shard.systems.into_values().collect(),
            observed: shard.children,
            api_server,
            pod_classes: self.classes.all(),
            failed_creates,
            ..Snapshot::new(name.clone(), now)
        }
    }

    /// What is wanted of a tenant at this moment.
    pub fn wanted(&self, name: &TenantName) -> Wanted {
        self.contents().shards.get(name).map(Shard::wanted).unwrap_or_default()
    }

    /// Marks a child as going, until its watch says that it is gone.
    pub fn going(&self, key: &ChildKey, uid: &str) {
        let mut contents = self.contents();
        let shard = contents.shards.get_mut(&key.tenant());
        if let Some(entry) = shard.and_then(|shard| shard.children.get_mut(key)).filter(|entry| *entry.uid == *uid) {
            (entry.deleting, entry.held) = (true, false);
        }
    }

    /// Each agency in numbers, at this time.
    pub fn agencies(&self, now: Timestamp) -> Vec<AgencyFigures> {
        agencies::figures(&self.contents(), now)
    }

    /// What there is, in numbers.
    pub fn figures(&self) -> Figures {
        Figures::of(&self.contents())
    }
}

#[cfg(test)]
mod tests;
