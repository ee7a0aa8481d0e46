//! What is known of each of a tenant's namespaces, resolved once: whose it is, its entry, its quota.

use std::collections::BTreeMap;

use crate::model::{
    names::{NamespaceName, QUOTA},
    observed::{ChildKey, Entry, NAMESPACE, Observed, QuotaState, inside},
    ownership::{Identity, Ownership},
};

/// The namespaces that bear a tenant's name, as they were seen.
#[derive(Debug)]
pub struct Inventory<'a> {
    /// For whom it was made.
    pub identity: Identity,
    /// Every child.
    pub observed: &'a Observed,
    found: BTreeMap<&'a NamespaceName, Found<'a>>,
}

/// One namespace as it was seen.
#[derive(Clone, Copy, Debug)]
pub struct Found<'a> {
    /// Whose it is.
    pub ownership: Ownership<'a>,
    /// The namespace itself.
    pub entry: Option<&'a Entry>,
    /// Its quota, if that is the tenant's.
    pub quota: Option<&'a QuotaState>,
    /// When the operator came to it: the age of its oldest object there. What others wrote and is older was there before, in a
    /// namespace that was taken over, and its administrator handed it over with that in it.
    pub arrival: Option<i64>,
}

impl<'a> Found<'a> {
    const NONE: Self = Self { ownership: Ownership::Absent, entry: None, quota: None, arrival: None };

    /// The namespace, if it is the tenant's.
    #[must_use]
    pub fn ours(&self) -> Option<&'a Entry> {
        self.entry.filter(|_| self.is_ours())
    }

    /// Whether it has a quota and admission enforces that as it is written.
    #[must_use]
    pub fn has_live_quota(&self) -> bool {
        self.quota.is_some_and(|quota| quota.live)
    }

    /// Whether it is the tenant's.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        self.ownership == Ownership::Ours
    }
}

impl<'a> Inventory<'a> {
    /// Looks at each namespace once.
    #[must_use]
    pub fn new(observed: &'a Observed, identity: Identity) -> Self {
        let mut found: BTreeMap<&NamespaceName, Found> = BTreeMap::new();
        for (key, entry) in observed.iter().filter(|(key, _)| !key.namespace.is_cluster()) {
            let namespace = found.entry(&key.namespace).or_insert(Found::NONE);
            note(namespace, key, entry, &identity);
        }
        for namespace in found.values_mut() {
            namespace.ownership = ownership(namespace, &identity);
        }
        for (key, entry) in observed.iter().filter(|(key, entry)| is_quota(key, entry)) {
            // One is there for a moment without its namespace, whose mark was taken off.
            if let Some(namespace) = found.get_mut(&key.namespace).filter(|found| found.is_ours() || identity.claims(&entry.tenant_uid)) {
                namespace.quota = entry.quota.as_deref();
            }
        }
        Self { identity, observed, found }
    }

    /// What is known of one namespace.
    #[must_use]
    pub fn of(&self, namespace: &NamespaceName) -> Found<'a> {
        self.found.get(namespace).copied().unwrap_or(Found::NONE)
    }

    /// The tenant's namespaces that exist.
    pub fn ours(&self) -> impl Iterator<Item = (&'a NamespaceName, &'a Entry)> {
        self.found.iter().filter_map(|(namespace, found)| Some((*namespace, found.ours()?)))
    }

    /// The quotas of the tenant's namespaces.
    pub fn quotas(&self) -> impl Iterator<Item = (&'a NamespaceName, &'a QuotaState)> {
        self.found.iter().filter_map(|(namespace, found)| Some((*namespace, found.quota?)))
    }

    /// The children of one namespace, itself among them.
    pub fn inside(&self, namespace: &NamespaceName) -> impl Iterator<Item = (&'a ChildKey, &'a Entry)> {
        inside(self.observed, namespace)
    }
}

/// Adds what an object says of the namespace that it is in.
fn note<'a>(namespace: &mut Found<'a>, key: &ChildKey, entry: &'a Entry, identity: &Identity) {
    if key.kind == NAMESPACE {
        namespace.entry = Some(entry);
    } else if identity.claims(&entry.tenant_uid) {
        namespace.arrival = Some(namespace.arrival.map_or(entry.created, |arrival| arrival.min(entry.created)));
        if is_quota(key, entry) {
            namespace.quota = entry.quota.as_deref();
        }
    }
}

/// Whether it is the operator's quota, and not an object of another kind that bears its name.
fn is_quota(key: &ChildKey, entry: &Entry) -> bool {
    &*key.name == QUOTA && entry.quota.is_some()
}

/// Whose a namespace is, by its own mark and the mark of its quota.
fn ownership<'a>(found: &Found<'a>, identity: &Identity) -> Ownership<'a> {
    match found.entry {
        None => Ownership::Absent,
        Some(entry) if identity.claims(&entry.tenant_uid) || found.quota.is_some() => Ownership::Ours,
        Some(entry) if entry.tenant_uid.is_empty() => Ownership::Foreign,
        Some(entry) => Ownership::Orphaned(&entry.tenant_uid),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Objects by namespace, place in the table, name, mark and age; a quota's figures are there with each of the third kind.
    fn observed(objects: &[(&str, usize, &str, &str, i64)]) -> Observed {
        let object = |(namespace, kind, name, mark, created): &(&str, usize, &str, &str, i64)| {
            let quota = (*kind == 2).then(Box::default);
            let key = ChildKey { namespace: NamespaceName::new(*namespace), kind: *kind, name: (*name).into() };
            (key, Entry { tenant_uid: (*mark).into(), created: *created, quota, ..Entry::default() }.into())
        };
        objects.iter().map(object).collect()
    }

    fn identity() -> Identity {
        Identity { uid: "own".into(), adopts: Some("former".into()) }
    }

    #[test]
    fn a_namespace_is_whose_mark_it_bears_or_whose_quota_is_in_it() {
        let observed = observed(&[
            ("own", NAMESPACE, "own", "own", 0),
            ("former", NAMESPACE, "former", "former", 0),
            ("taken-off", NAMESPACE, "taken-off", "", 0),
            ("taken-off", 2, QUOTA, "own", 0),
            ("other", NAMESPACE, "other", "other", 0),
            ("other", 2, QUOTA, "other", 0),
            ("plain", NAMESPACE, "plain", "", 0),
            ("plain", 2, "team", "own", 0),
            ("plain", 3, QUOTA, "own", 0),
            ("unmarked", NAMESPACE, "unmarked", "", 0),
            ("unmarked", 2, QUOTA, "", 0),
        ]);
        let inventory = Inventory::new(&observed, identity());
        for (namespace, expected) in [
            ("own", Ownership::Ours),
            ("former", Ownership::Ours),
            ("taken-off", Ownership::Ours),
            ("other", Ownership::Orphaned("other")),
            ("plain", Ownership::Foreign),
            ("unmarked", Ownership::Foreign),
            ("absent", Ownership::Absent),
        ] {
            assert_eq!(inventory.of(&NamespaceName::new(namespace)).ownership, expected, "{namespace}");
        }
        assert!(!Identity::default().claims(""), "no mark is nobody's");
    }

    #[test]
    fn the_quotas_of_a_tenant_are_those_with_its_mark_or_in_its_namespaces() {
        let observed = observed(&[
            ("gone", 2, QUOTA, "own", 0),
            ("marked", 2, QUOTA, "own", 0),
            ("marked", 2, "team", "own", 0),
            ("marked", 5, QUOTA, "", 0),
            ("marked", 5, QUOTA, "own", 0),
            ("marked", NAMESPACE, "marked", "own", 0),
            ("unmarked", NAMESPACE, "unmarked", "own", 0),
            ("unmarked", 2, QUOTA, "", 0),
            ("other", NAMESPACE, "other", "other", 0),
            ("other", 2, QUOTA, "other", 0),
        ]);
        let inventory = Inventory::new(&observed, identity());
        let found: Vec<&str> = inventory.quotas().map(|(namespace, _)| namespace.as_str()).collect();
        assert_eq!(found, ["gone", "marked", "unmarked"]);
    }

    #[test]
    fn the_operator_came_to_a_namespace_with_its_oldest_object_there() {
        let observed = observed(&[
            ("health", NAMESPACE, "health", "own", 10),
            ("health", 1, "a", "own", 30),
            ("health", 1, "b", "former", 20),
            ("health", 1, "c", "other", 5),
            ("health--web", 1, "a", "own", 1),
            ("bare", NAMESPACE, "bare", "own", 10),
        ]);
        let inventory = Inventory::new(&observed, identity());
        let arrival = |namespace: &str| inventory.of(&NamespaceName::new(namespace)).arrival;
        assert_eq!((arrival("health"), arrival("bare")), (Some(20), None));
    }
}
