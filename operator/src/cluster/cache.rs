//! What the watches have seen: every child reduced to some hundred bytes, the two kinds whole, and how each watch is doing.
//!
//! What the operator writes is taken in from the answer, so the next look is never older than the last write, and the event
//! of an own write is no news.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use govcloud_core::{
    api::approval::Contract,
    children::TABLE,
    model::{
        api_server::{ApiServer, Part},
        export_index::ExportIndex,
        exports::Exports,
        failed_creates::{self, FAILED_CREATE_TTL, FailedCreate, Seen, Workload},
        names::{NamespaceName, QUOTA, TenantName},
        observed::{ChildKey, Entry, Observed, inside},
        snapshot::{Root, Snapshot, SystemRoot, TenantRoot},
    },
};
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use tokio::sync::{Notify, mpsc::UnboundedSender};

use super::{
    decode::{child_key, is_newer, root, system_key, tenant_of},
    interner::Interner,
    object::Object,
    pace::Pace,
    pod_classes::Classes,
    streams::{Source, Streams},
};

/// Workloads of a namespace whose refused pods are kept: members may write events too, so their number is bounded.
const MAX_FAILED_CREATES: usize = 200;
/// An answer comes sooner than this, or not at all.
const DELETED_TTL: Duration = Duration::from_secs(30);

#[derive(Default)]
struct Contents {
    tenants: BTreeMap<TenantName, TenantRoot>,
    /// What they show to each other.
    exports: ExportIndex,
    systems: BTreeMap<(NamespaceName, String), SystemRoot>,
    children: Observed,
    failed_creates: BTreeMap<(NamespaceName, String), FailedCreate>,
    api_server: ApiServer,
    /// Refused workloads that were looked at, and how each was found.
    looks: BTreeMap<Workload, Seen>,
    pace: Pace,
    streams: Streams,
    names: Interner,
    unreachable: Option<String>,
    /// Whether the guard rails are in force: not looked at yet, or what is missing.
    guard_rails: Option<Result<(), String>>,
    /// UIDs of objects that are gone, at which version and since when: an older answer does not bring them back.
    gone: BTreeMap<String, (String, Instant)>,
}

impl Contents {
    /// Whether a refusal that has just come is to be told now. Before its workload was looked at, there is nothing to tell.
    fn is_paced_news(&mut self, key: &(NamespaceName, String)) -> bool {
        let seen = self.failed_creates.get(key).and_then(|refusal| self.looks.get(&refusal.workload));
        matches!(seen, Some(Seen::Lacking | Seen::Never)) && self.pace.admits(&key.0.tenant(), Instant::now())
    }
}

/// The caches.
pub struct Cache {
    contents: Mutex<Contents>,
    /// The cluster's classes.
    classes: Classes,
    /// Wakes whoever looks at workloads whose pods were refused.
    refused: Notify,
    /// Tenants to look at because of another.
    news: UnboundedSender<TenantName>,
}

impl Cache {
    /// Nothing is known yet; `news` takes the tenants to look at because of what another does.
    pub fn new(news: UnboundedSender<TenantName>) -> Self {
        Self { contents: Mutex::default(), classes: Classes::default(), refused: Notify::new(), news }
    }

    fn contents(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an object in, and names the tenant to look at if that is news.
    pub fn take(&self, source: Source, object: &Object) -> Option<TenantName> {
        let mut contents = self.contents();
        let (uid, version) = (object.uid().unwrap_or_default(), object.resource_version().unwrap_or_default());
        if contents.gone.get(&uid).is_some_and(|(last, _)| !is_newer(&version, last)) {
            return None;
        }
        let news = match source {
            Source::Tenants => self.take_tenant(&mut contents, object),
            Source::Systems => replace(&mut contents.systems, system_key(object), root(object)),
            Source::FailedCreates => {
                let news = take_refusal(&mut contents, object);
                if news {
                    self.refused.notify_one();
                }
                news && contents.is_paced_news(&system_key(object))
            }
            Source::ApiServer(part) => {
                self.take_api_server(&mut contents, part, object);
                false
            }
            Source::PriorityClasses | Source::RuntimeClasses => {
                self.tell_all(&contents, self.classes.take(source, object));
                return None;
            }
            Source::Children(index) => {
                let (mut key, mut entry) = (child_key(index, object), TABLE[index].entry(object.json()));
                contents.names.share(&mut key, &mut entry);
                replace(&mut contents.children, key, entry)
            }
        };
        news.then(|| tenant_of(source, object))
    }

    /// Takes a tenant in, and tells those to whom that makes a difference: also when it is the operator's own write, of which no
    /// watch brings news any more.
    fn take_tenant(&self, contents: &mut Contents, object: &Object) -> bool {
        let (name, root) = (TenantName::new(object.name_any()), root(object));
        let exports = Exports::of(&root);
        let news = replace(&mut contents.tenants, name.clone(), root);
        if news {
            self.show(contents, &name, Some(exports));
        }
        news
    }

    /// Takes in where the API server is, and tells those whose pods reach it.
    fn take_api_server(&self, contents: &mut Contents, part: Part, object: &Object) {
        if contents.api_server.take(part, object.json()) {
            let is_open = |contract: &Contract| contract.spec().is_some_and(|spec| spec.network.kubernetes_api.is_open());
            for tenant in contents.tenants.values().filter(|root| root.status.contract.as_ref().is_some_and(is_open)) {
                let _ = self.news.send(TenantName::new(tenant.name.as_str()));
            }
        }
    }

    /// Takes in what a tenant shows from now on, and tells those who read it.
    fn show(&self, contents: &mut Contents, tenant: &TenantName, exports: Option<Exports>) {
        for reader in contents.exports.update(tenant, exports) {
            let _ = self.news.send(reader); // nobody listens when the operator is stopping
        }
    }

    /// Classes are every tenant's business.
    fn tell_all(&self, contents: &Contents, is_news: bool) {
        for tenant in known(contents).into_iter().filter(|_| is_news) {
            let _ = self.news.send(tenant); // as above
        }
    }

    /// Forgets an object, unless one of the same name has taken its place meanwhile. Returns the tenant to look at.
    pub fn forget(&self, source: Source, object: &Object) -> Option<TenantName> {
        let mut contents = self.contents();
        let (uid, version) = (object.uid().unwrap_or_default(), object.resource_version().unwrap_or_default());
        contents.gone.retain(|_, (_, since)| since.elapsed() < DELETED_TTL);
        contents.gone.insert(uid.clone(), (version, Instant::now()));
        match source {
            Source::Tenants => {
                let name = TenantName::new(object.name_any());
                if remove_if(&mut contents.tenants, &name, |root| root.uid == uid).is_some() {
                    self.show(&mut contents, &name, None);
                }
            }
            Source::Systems => drop(remove_if(&mut contents.systems, &system_key(object), |root| root.uid == uid)),
            Source::Children(index) => {
                drop(remove_if(&mut contents.children, &child_key(index, object), |entry| *entry.uid == *uid));
            }
            Source::FailedCreates => drop(contents.failed_creates.remove(&system_key(object))),
            Source::ApiServer(_) => return None, // what was known stays so
            Source::PriorityClasses | Source::RuntimeClasses => {
                self.tell_all(&contents, self.classes.forget(source, &object.name_any()));
                return None;
            }
        }
        Some(tenant_of(source, object))
    }

    /// Ends a listing: what was not in it is gone. Returns the tenants to look at.
    pub fn listed(&self, source: Source, seen: &BTreeSet<(String, String)>) -> BTreeSet<TenantName> {
        let mut contents = self.contents();
        let mut news = BTreeSet::new();
        let mut keep = |namespace: &str, name: &str, tenant: TenantName| {
            let kept = seen.contains(&(namespace.to_owned(), name.to_owned()));
            if !kept {
                news.insert(tenant);
            }
            kept
        };
        match source {
            Source::Tenants => {
                let gone: Vec<_> = contents.tenants.extract_if(.., |name, _| !keep("", name.as_str(), name.clone())).collect();
                for (name, _) in &gone {
                    self.show(&mut contents, name, None);
                }
            }
            Source::Systems => contents.systems.retain(|(namespace, name), _| keep(namespace.as_str(), name, namespace.tenant())),
            Source::FailedCreates => {
                contents.failed_creates.retain(|(namespace, name), _| keep(namespace.as_str(), name, namespace.tenant()));
            }
            Source::ApiServer(part) => contents.api_server.looked(part),
            Source::PriorityClasses | Source::RuntimeClasses => self.tell_all(&contents, self.classes.listed(source, seen)),
            Source::Children(index) => contents.children.retain(|key, _| {
                let namespace = if TABLE[index].is_namespace() { "" } else { key.namespace.as_str() };
                key.kind != index || keep(namespace, &key.name, key.tenant())
            }),
        }
        if contents.streams.listed(source) { known(&contents) } else { news }
    }

    /// Notes that a stream lives.
    pub fn alive(&self, source: Source) {
        self.contents().streams.alive(source);
    }

    /// Notes that a stream failed. Returns the tenants to look at: all, when the operator has just lost sight.
    pub fn failed(&self, source: Source, forbidden: bool, message: String) -> BTreeSet<TenantName> {
        let mut contents = self.contents();
        if contents.streams.failed(source, forbidden, message) { known(&contents) } else { BTreeSet::new() }
    }

    /// Notes whether the API server answers; a silent one does not end its watches.
    pub fn answered(&self, failure: Option<String>) {
        self.contents().unreachable = failure;
    }

    /// Notes whether the guard rails are in force, or what is missing.
    pub fn guarded(&self, found: Result<(), String>) {
        self.contents().guard_rails = Some(found);
    }

    /// What keeps the guard rails from being known to be in force, if anything.
    pub fn guard_rails(&self) -> Option<String> {
        match &self.contents().guard_rails {
            Some(found) => found.clone().err(),
            None => Some("the guard rails have not been looked at yet".to_owned()),
        }
    }

    /// Whether every stream has listed or will not before somebody grants it.
    pub fn is_settled(&self) -> bool {
        self.contents().streams.is_settled()
    }

    /// What keeps the operator from being ready, a line each.
    pub fn complaints(&self) -> Vec<String> {
        let guard_rails = self.guard_rails();
        let contents = self.contents();
        contents.unreachable.clone().into_iter().chain(guard_rails).chain(contents.streams.complaints()).collect()
    }

    /// One tenant at this moment.
    pub fn snapshot(&self, name: &TenantName, now: Timestamp) -> Snapshot {
        let contents = self.contents();
        let home = name.home();
        let systems = contents.systems.range((home.clone(), String::new())..).take_while(|((namespace, _), _)| *namespace == home);
        let first = ChildKey { namespace: home.clone(), kind: 0, name: Arc::default() };
        let children = contents.children.range(first..).take_while(|(key, _)| key.namespace.as_str().starts_with(name.as_str()));
        let own = children.filter(|(key, _)| key.namespace.tenant() == *name);
        let doors = [name.entrance(), name.view()].map(Arc::<str>::from);
        let entrance = (0..TABLE.len()).flat_map(|kind| doors.iter().map(move |access_condition| (kind, access_condition))).filter_map(
            |(kind, access_condition)| {
                let key = ChildKey { namespace: NamespaceName::cluster(), kind, name: access_condition.clone() };
                contents.children.get_key_value(&key)
            },
        );
        let tenant = contents.tenants.get(name).cloned();
        let mut failed_creates: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for ((namespace, _), refusal) in contents
            .failed_creates
            .range((home.clone(), String::new())..)
            .take_while(|((namespace, _), _)| namespace.as_str().starts_with(name.as_str()))
            .filter(|((namespace, _), _)| namespace.tenant() == *name)
        {
            let known: &mut Vec<_> = failed_creates.entry(namespace.clone()).or_default();
            known.extend(seen(&contents.looks, refusal).map(|seen| FailedCreate { seen, ..refusal.clone() }));
        }
        Snapshot {
            exports: contents.exports.read(name),
            tenant,
            systems: systems.map(|(_, root)| root.clone()).collect(),
            observed: own.chain(entrance).map(|(key, entry)| (key.clone(), entry.clone())).collect(),
            api_server: contents.api_server.addresses(),
            blind: contents.streams.blind(),
            pod_classes: self.classes.all(),
            failed_creates,
            ..Snapshot::new(name.clone(), now)
        }
    }

    /// Workloads whose pods were refused and that are not cured; what was found of others is forgotten.
    pub fn refused_workloads(&self, now: i64) -> BTreeSet<Workload> {
        let mut contents = self.contents();
        let Contents { failed_creates, looks, .. } = &mut *contents;
        let recent: Vec<&FailedCreate> = failed_creates.values().filter(|refusal| refusal.last + FAILED_CREATE_TTL > now).collect();
        let named: BTreeSet<&Workload> = recent.iter().map(|refusal| &refusal.workload).collect();
        looks.retain(|workload, _| named.contains(workload));
        recent.into_iter().filter(|refusal| seen(looks, refusal).is_some()).map(|refusal| refusal.workload.clone()).collect()
    }

    /// Tells of the tenants whose refused pods could not be news when they came.
    /// Whether there are more.
    pub fn tell_late(&self) -> bool {
        let mut contents = self.contents();
        for tenant in contents.pace.due(Instant::now()) {
            let _ = self.news.send(tenant); // nobody listens when the operator is stopping
        }
        contents.pace.is_late()
    }

    /// Resolves when a workload's pods were refused.
    pub async fn refused(&self) {
        self.refused.notified().await;
    }

    /// When a workload's pods were refused last, in seconds since 1970.
    pub fn last_refusal(&self, workload: &Workload) -> i64 {
        let contents = self.contents();
        contents
            .failed_creates
            .values()
            .filter(|refusal| refusal.workload == *workload)
            .map(|refusal| refusal.last)
            .max()
            .unwrap_or_default()
    }

    /// Notes how a workload was found, and tells its tenant if that is news.
    pub fn looked(&self, workload: &Workload, seen: Seen) {
        let mut contents = self.contents();
        let (known, tenant) = (contents.looks.insert(workload.clone(), seen), workload.namespace.tenant());
        if known == Some(seen) {
            return;
        }
        if matches!(seen, Seen::Cured(_)) || contents.pace.admits(&tenant, Instant::now()) {
            let _ = self.news.send(tenant); // nobody listens when the operator is stopping
        } else {
            self.refused.notify_one();
        }
    }

    /// Whether admission enforces the quota of a namespace.
    pub fn quota_is_enforced(&self, namespace: &NamespaceName) -> bool {
        let contents = self.contents();
        let mut here = inside(&contents.children, namespace);
        here.any(|(key, entry)| &*key.name == QUOTA && entry.quota.as_ref().is_some_and(|quota| quota.enforced))
    }

    /// Marks a child as going, until its watch says that it is gone.
    pub fn going(&self, key: &ChildKey, uid: &str) {
        if let Some(entry) = self.contents().children.get_mut(key).filter(|entry| *entry.uid == *uid) {
            (entry.deleting, entry.held) = (true, false);
        }
    }

    /// Number of objects: tenants, systems, children.
    pub fn sizes(&self) -> [(&'static str, usize); 3] {
        let contents = self.contents();
        [("agencytenants", contents.tenants.len()), ("hostedsystems", contents.systems.len()), ("children", contents.children.len())]
    }

    /// Hosted systems by stage that holds.
    pub fn stages(&self) -> BTreeMap<&'static str, usize> {
        let contents = self.contents();
        let mut stages = BTreeMap::new();
        for root in contents.systems.values() {
            *stages.entry(root.status.stage.map_or("None", govcloud_core::api::Stage::as_str)).or_default() += 1;
        }
        stages
    }
}

/// What is known of a refused workload by now; none when the refusal is cured.
fn seen(looks: &BTreeMap<Workload, Seen>, refusal: &FailedCreate) -> Option<Seen> {
    match looks.get(&refusal.workload) {
        Some(Seen::Cured(until)) if refusal.last <= *until => None,
        None | Some(Seen::Cured(_)) => Some(Seen::NotYet),
        Some(seen) => Some(*seen),
    }
}

/// Takes in that a workload's pods were refused, if it is one of a tenant's.
fn take_refusal(contents: &mut Contents, object: &Object) -> bool {
    let key = system_key(object);
    if key.0.system().is_none() {
        return false;
    }
    let seconds = |text: &str| text.parse().ok().map(Timestamp::as_second);
    let Some(refusal) = failed_creates::read(object.json(), seconds) else { return false };
    let here = contents.failed_creates.range((key.0.clone(), String::new())..).take_while(|((namespace, _), _)| *namespace == key.0);
    if !contents.failed_creates.contains_key(&key) && here.count() >= MAX_FAILED_CREATES {
        return false;
    }
    let known = contents.failed_creates.insert(key, refusal.clone());
    known != Some(refusal)
}

/// Every tenant that anything points to.
fn known(contents: &Contents) -> BTreeSet<TenantName> {
    let homes = contents.systems.keys().map(|(namespace, _)| namespace.tenant());
    contents.tenants.keys().cloned().chain(homes).chain(contents.children.keys().map(ChildKey::tenant)).collect()
}

fn remove_if<Key: Ord, Entry>(entries: &mut BTreeMap<Key, Entry>, key: &Key, same: impl Fn(&Entry) -> bool) -> Option<Entry> {
    if entries.get(key).is_some_and(same) { entries.remove(key) } else { None }
}

/// What is read again and again, in versions.
trait Versioned: PartialEq {
    fn uid(&self) -> &str;
    fn version(&self) -> &str;
    fn take_version(&mut self, of: &Self);
}

impl Versioned for Entry {
    fn uid(&self) -> &str {
        &self.uid
    }

    fn version(&self) -> &str {
        &self.resource_version
    }

    fn take_version(&mut self, of: &Self) {
        self.resource_version.clone_from(&of.resource_version);
    }
}

impl<Spec: PartialEq, Status: PartialEq> Versioned for Root<Spec, Status> {
    fn uid(&self) -> &str {
        &self.uid
    }

    fn version(&self) -> &str {
        &self.resource_version
    }

    fn take_version(&mut self, of: &Self) {
        self.resource_version.clone_from(&of.resource_version);
    }
}

/// Replaces an object by a newer reading of it; news is whatever differs beside the version.
fn replace<Key: Ord, Object: Versioned>(objects: &mut BTreeMap<Key, Object>, key: Key, read: Object) -> bool {
    let Some(known) = objects.get_mut(&key) else {
        objects.insert(key, read);
        return true;
    };
    if known.uid() == read.uid() && !is_newer(read.version(), known.version()) {
        return false;
    }
    known.take_version(&read);
    let news = *known != read;
    *known = read;
    news
}
