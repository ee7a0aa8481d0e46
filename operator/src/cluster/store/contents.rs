//! The objects, one shard a tenant. Nothing here reads JSON or waits: it is done under the store's lock.

use std::{
    collections::{BTreeMap, BTreeSet, btree_map},
    time::{Duration, Instant},
};

use govcloud_core::{
    api::approval::Approval,
    children::TABLE,
    model::{
        api_server::ApiServer,
        export_index::ExportIndex,
        exports::Exports,
        names::{NamespaceName, TenantName},
        observed::{ChildKey, Entry, NAMESPACE, Observed, inside},
        root::{Root, SystemRoot, TenantRoot},
        shared::Shared,
    },
};

use super::super::{
    decode::{Place, is_newer, tenant_at},
    interner::Interner,
    streams::{Listed, Source, is_listed},
};

/// An answer comes sooner than this, or not at all.
const DELETED_TTL: Duration = Duration::from_secs(30);

#[derive(Default)]
pub(super) struct Contents {
    pub(super) shards: BTreeMap<TenantName, Shard>,
    /// What tenants show to each other.
    pub(super) exports: ExportIndex,
    pub(super) api_server: ApiServer,
    names: Interner,
    /// UIDs of objects that are gone, at which version and since when: an older answer does not bring them back.
    gone: BTreeMap<String, (String, Instant)>,
}

/// What stands in the name of one tenant.
#[derive(Clone, Default)]
pub(super) struct Shard {
    pub(super) root: Option<Shared<TenantRoot>>,
    pub(super) systems: BTreeMap<String, Shared<SystemRoot>>,
    pub(super) children: Observed,
}

/// What people want of a tenant: the versions of the specs, whether they are marked deleted, and the decision.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wanted {
    specs: Vec<(String, i64, bool)>,
    approval: Option<Approval>,
}

impl Shard {
    /// What is wanted at this moment.
    pub(super) fn wanted(&self) -> Wanted {
        let tenant = self.root.iter().map(|root| (root.uid.clone(), root.generation, root.deleting));
        let systems = self.systems.values().map(|root| (root.uid.clone(), root.generation, root.deleting));
        // The time at which a decision is recorded is the operator's own.
        let approval = self.root.as_ref().and_then(|root| root.status.approval.clone()).map(|approval| Approval { time: None, ..approval });
        Wanted { specs: tenant.chain(systems).collect(), approval }
    }

    /// Whether a mark says that a namespace is a tenant's: its own or, where that was taken off, that of an object of ours in it.
    fn is_tenants(&self, namespace: &NamespaceName) -> bool {
        inside(&self.children, namespace).any(|(key, entry)| key.kind == NAMESPACE || !entry.tenant_uid.is_empty())
    }

    /// Whether there is anything of a tenant, and not only what others wrote in a namespace of that name.
    pub(super) fn is_of_a_tenant(&self) -> bool {
        let is_marked = |(key, entry): (&ChildKey, &Shared<Entry>)| key.kind == NAMESPACE || !entry.tenant_uid.is_empty();
        self.root.is_some() || !self.systems.is_empty() || self.children.iter().any(is_marked)
    }

    fn is_empty(&self) -> bool {
        self.root.is_none() && self.systems.is_empty() && self.children.is_empty()
    }
}

impl Contents {
    /// Whether an object is not known at this version or a later one, nor gone.
    pub(super) fn is_newer(&self, source: Source, place: Place, uid: &str, version: &str) -> bool {
        if self.is_gone(uid, version) {
            return false;
        }
        let known = self.shards.get(tenant_at(source, place)).and_then(|shard| match source {
            Source::Tenants => shard.root.as_ref().map(|root| (&*root.uid, &*root.resource_version)),
            Source::Systems => shard.systems.get(place.1).map(|root| (&*root.uid, &*root.resource_version)),
            Source::Children(kind) => {
                let key = ChildKey { namespace: NamespaceName::new(self.names.get(place.0)?), kind, name: self.names.get(place.1)? };
                shard.children.get(&key).map(|entry| (&*entry.uid, &*entry.resource_version))
            }
            _ => None,
        });
        known.is_none_or(|known| known.0 != uid || is_newer(version, known.1))
    }

    /// Whether an object of this UID was deleted, at this version or a later one.
    fn is_gone(&self, uid: &str, version: &str) -> bool {
        self.gone.get(uid).is_some_and(|(last, _)| !is_newer(version, last))
    }

    /// Takes a tenant in: whether that is news, and the tenants that read what it shows now and did not before.
    pub(super) fn take_tenant(&mut self, root: TenantRoot, exports: Exports) -> (bool, BTreeSet<TenantName>) {
        if self.is_gone(&root.uid, &root.resource_version) {
            return (false, BTreeSet::new()); // it was deleted while this was decoded
        }
        let name = TenantName::new(root.name.as_str());
        let known = &mut self.shards.entry(name.clone()).or_default().root;
        let is_news = if let Some(known) = known {
            renew(known, root)
        } else {
            *known = Some(root.into());
            true
        };
        let readers = if is_news { self.exports.update(&name, Some(exports)) } else { BTreeSet::new() };
        (is_news, readers)
    }

    pub(super) fn take_system(&mut self, root: SystemRoot) -> bool {
        if self.is_gone(&root.uid, &root.resource_version) {
            return false; // as above
        }
        let shard = self.shards.entry(TenantName::new(root.namespace.as_str())).or_default();
        take(shard.systems.entry(root.name.clone()), root)
    }

    /// Takes a child in: whether that is news. One that carries no mark is news only in a namespace that is a tenant's; it is kept
    /// elsewhere too, because a namespace may become a tenant's later.
    pub(super) fn take_child(&mut self, kind: usize, place: Place, mut entry: Entry) -> bool {
        if self.is_gone(&entry.uid, &entry.resource_version) {
            return false; // as above
        }
        let key = ChildKey { namespace: NamespaceName::new(self.names.shared(place.0)), kind, name: self.names.shared(place.1) };
        entry.tenant_uid = self.names.shared(&entry.tenant_uid);
        self.names.tidy();
        let shard = self.shards.entry(TenantName::new(self.names.shared(tenant_at(Source::Children(kind), place)))).or_default();
        let namespace = key.namespace.clone();
        let was_tenants = shard.is_tenants(&namespace); // also where it was this one's mark that said so
        take(shard.children.entry(key), entry) && (was_tenants || shard.is_tenants(&namespace))
    }

    /// Forgets an object, unless one of the same name has taken its place meanwhile. Whether that is news, and the tenants that
    /// read what it showed.
    pub(super) fn forget(&mut self, source: Source, place: Place, uid: String, version: String) -> (bool, BTreeSet<TenantName>) {
        self.gone.retain(|_, (_, since)| since.elapsed() < DELETED_TTL);
        let name = TenantName::new(self.names.shared(tenant_at(source, place)));
        let mut readers = BTreeSet::new();
        let Some(shard) = self.shards.get_mut(&name) else {
            self.gone.insert(uid, (version, Instant::now()));
            return (false, readers);
        };
        let was_known = match source {
            Source::Tenants => shard.root.take_if(|root| root.uid == uid).is_some(),
            Source::Systems => remove_if(&mut shard.systems, &place.1.to_owned(), |root| root.uid == uid),
            Source::Children(kind) => {
                let key = ChildKey { namespace: NamespaceName::new(self.names.shared(place.0)), kind, name: self.names.shared(place.1) };
                let was_tenants = shard.is_tenants(&key.namespace);
                remove_if(&mut shard.children, &key, |entry| *entry.uid == *uid) && was_tenants
            }
            _ => false,
        };
        if was_known && source == Source::Tenants {
            readers = self.exports.update(&name, None);
        }
        if shard.is_empty() {
            self.shards.remove(&name);
        }
        self.gone.insert(uid, (version, Instant::now()));
        (was_known, readers)
    }

    /// Forgets what of a stream is not in its list: the tenants in whose name it stood, and those that read what it showed.
    pub(super) fn listed(&mut self, source: Source, listed: &Listed) -> (Vec<TenantName>, BTreeSet<TenantName>) {
        let stays = |(namespace, name): Place| is_listed(listed, namespace, name);
        let mut gone = Vec::new();
        for (name, shard) in &mut self.shards {
            let is_of_a_tenant = shard.is_of_a_tenant();
            let is_news = match source {
                Source::Tenants => shard.root.take_if(|root| !stays(("", &root.name))).is_some(),
                Source::Systems => shard.systems.extract_if(.., |system, _| !stays((name.as_str(), system))).count() > 0,
                Source::Children(kind) => shard.children.extract_if(.., |key, _| key.kind == kind && !stays(place_of(key))).count() > 0,
                _ => false,
            };
            gone.extend((is_news && is_of_a_tenant).then(|| name.clone()));
        }
        let shown = gone.iter().filter(|_| source == Source::Tenants);
        let readers = shown.flat_map(|tenant| self.exports.update(tenant, None)).collect();
        self.shards.retain(|_, shard| !shard.is_empty());
        (gone, readers)
    }
}

/// Where a list has a child.
fn place_of(key: &ChildKey) -> Place<'_> {
    (if TABLE[key.kind].is_namespace() { "" } else { key.namespace.as_str() }, &key.name)
}

fn remove_if<Key: Ord, Object>(objects: &mut BTreeMap<Key, Shared<Object>>, key: &Key, same: impl Fn(&Object) -> bool) -> bool {
    objects.get(key).is_some_and(|known| same(known)) && objects.remove(key).is_some()
}

/// What is read again and again, in versions.
trait Versioned: PartialEq {
    type Version: Clone + AsRef<str>;

    fn uid(&self) -> &str;
    fn version(&mut self) -> &mut Self::Version;
    fn known_version(&self) -> &Self::Version;
}

impl Versioned for Entry {
    type Version = Box<str>;

    fn uid(&self) -> &str {
        &self.uid
    }

    fn version(&mut self) -> &mut Box<str> {
        &mut self.resource_version
    }

    fn known_version(&self) -> &Box<str> {
        &self.resource_version
    }
}

impl<Spec: PartialEq, Status: PartialEq> Versioned for Root<Spec, Status> {
    type Version = String;

    fn uid(&self) -> &str {
        &self.uid
    }

    fn version(&mut self) -> &mut String {
        &mut self.resource_version
    }

    fn known_version(&self) -> &String {
        &self.resource_version
    }
}

/// Takes in a reading of an object; whether it is news.
fn take<Key: Ord, Object: Versioned>(known: btree_map::Entry<Key, Shared<Object>>, read: Object) -> bool {
    match known {
        btree_map::Entry::Occupied(mut known) => renew(known.get_mut(), read),
        btree_map::Entry::Vacant(place) => {
            place.insert(read.into());
            true
        }
    }
}

/// Replaces an object by a newer reading of it; news is whatever differs beside the version.
fn renew<Object: Versioned>(known: &mut Shared<Object>, mut read: Object) -> bool {
    if known.uid() == read.uid() && !is_newer(read.known_version().as_ref(), known.known_version().as_ref()) {
        return false;
    }
    let version = std::mem::replace(read.version(), known.known_version().clone());
    let is_news = **known != read;
    *read.version() = version;
    *known = read.into();
    is_news
}
