//! Whose a namespace is: as its mark says and, where that was taken off, as the quota in it says.

use crate::model::{
    names::{ANNOTATION_ADOPT_INTO, LABEL_TENANT, NamespaceName, QUOTA},
    observed::{Entry, NAMESPACE, Observed, QuotaState, inside},
};

/// Whom a tenant speaks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// UID of the tenant itself.
    pub uid: String,
    /// UID of the former tenant whose namespaces it takes over, empty for none.
    pub adopts: String,
}

/// Whose a namespace is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ownership<'a> {
    /// There is no such namespace, as far as is known.
    Absent,
    /// The tenant's, or one that it takes over.
    Ours,
    /// It was made for the tenant with this UID.
    Orphaned(&'a str),
    /// It carries no tenant's mark.
    Foreign,
}

impl Identity {
    /// Whether a mark is the tenant's or that of the one whose namespaces it takes over.
    #[must_use]
    pub fn claims(&self, tenant_uid: &str) -> bool {
        !tenant_uid.is_empty() && (tenant_uid == self.uid || tenant_uid == self.adopts)
    }

    /// Whose a namespace is.
    #[must_use]
    pub fn owner<'a>(&self, observed: &'a Observed, namespace: &NamespaceName) -> Ownership<'a> {
        let Some(entry) = namespace_entry(observed, namespace) else { return Ownership::Absent };
        if self.claims(&entry.tenant_uid) || self.has_quota_in(observed, namespace) {
            Ownership::Ours
        } else if entry.tenant_uid.is_empty() {
            Ownership::Foreign
        } else {
            Ownership::Orphaned(&entry.tenant_uid)
        }
    }

    /// The quotas in the tenant's namespaces. One is there for a moment without its namespace, whose mark was taken off.
    pub fn quotas<'a>(&'a self, observed: &'a Observed) -> impl Iterator<Item = (&'a NamespaceName, &'a QuotaState)> {
        let quotas = observed.iter().filter(|(key, entry)| {
            &*key.name == QUOTA && (self.claims(&entry.tenant_uid) || self.owner(observed, &key.namespace) == Ownership::Ours)
        });
        quotas.filter_map(|(key, entry)| Some((&key.namespace, &**entry.quota.as_ref()?)))
    }

    /// When the operator came to a namespace: the age of its oldest object there. What others wrote and is older was there before,
    /// in a namespace that was taken over, and its administrator handed it over with that in it.
    #[must_use]
    pub fn arrival(&self, observed: &Observed, namespace: &NamespaceName) -> Option<i64> {
        let own = inside(observed, namespace).filter(|(key, entry)| key.kind != NAMESPACE && self.claims(&entry.tenant_uid));
        own.map(|(_, entry)| entry.created).min()
    }

    fn has_quota_in(&self, observed: &Observed, namespace: &NamespaceName) -> bool {
        let mut here = inside(observed, namespace);
        here.any(|(key, entry)| &*key.name == QUOTA && entry.quota.is_some() && self.claims(&entry.tenant_uid))
    }
}

/// Whether a namespace that was there before, and carries no tenant's mark, is to be taken over. Both sides must say so: an
/// administrator of the cluster by the annotation, and the contract or the system by `declared`.
///
/// # Errors
/// Who has not said so yet, and what they are to do.
pub fn takeover(namespace: &NamespaceName, annotation: &str, declared: bool) -> Result<(), String> {
    let bearer = namespace.bearer();
    let object = match namespace.system() {
        Some(system) => format!("hostedsystem/{system} in namespace {}", namespace.tenant()),
        None => format!("agencytenant/{bearer}"),
    };
    let declare = format!("set spec.adoptNamespace of {object} to true");
    let agree = format!("have an administrator of the cluster run `kubectl govcloud adopt {namespace} --into {bearer}`");
    let missing = match (annotation == bearer, declared) {
        (true, true) => return Ok(()),
        (true, false) => format!("Its annotation {ANNOTATION_ADOPT_INTO} agrees to a takeover; to take it over, {declare}"),
        (false, true) if annotation.is_empty() => format!("spec.adoptNamespace of {object} is true; to take it over, also {agree}"),
        (false, _) if !annotation.is_empty() => {
            format!("Its annotation {ANNOTATION_ADOPT_INTO} is \"{annotation}\", and by its name it can only become \"{bearer}\"; {agree}")
        }
        (false, _) => format!("To take it over with everything in it, {declare}, and {agree}"),
    };
    Err(format!(
        "namespace {namespace} exists and is not this tenant's: it was there before and has no label {LABEL_TENANT}, so it is left alone. \
         {missing}. Otherwise save what is in it and delete it, or choose another name"
    ))
}

/// Says whose a namespace is instead, by the UID that its mark names if it has one, and what can be done about it.
#[must_use]
pub fn not_ours(namespace: &NamespaceName, owner: Option<&str>) -> String {
    let Some(owner) = owner else { return takeover(namespace, "", false).err().unwrap_or_default() };
    format!(
        "namespace {namespace} exists and is not this tenant's, OrphanOf({owner}): it belongs to the tenant with that UID; it is left alone. \
         To take it over with all that is in it, set spec.adoptTenantUID of agencytenant/{} to {owner}",
        namespace.tenant()
    )
}

/// What is known of a namespace itself.
#[must_use]
pub fn namespace_entry<'a>(observed: &'a Observed, namespace: &NamespaceName) -> Option<&'a Entry> {
    inside(observed, namespace).find(|(key, _)| key.kind == NAMESPACE).map(|(_, entry)| entry)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::observed::ChildKey;

    /// Objects by namespace, place in the table, name, mark and age; a quota's figures are there with each of the third kind.
    fn observed(objects: &[(&str, usize, &str, &str, i64)]) -> Observed {
        let object = |(namespace, kind, name, mark, created): &(&str, usize, &str, &str, i64)| {
            let quota = (*kind == 2).then(Box::default);
            let key = ChildKey { namespace: NamespaceName::new(*namespace), kind: *kind, name: (*name).into() };
            (key, Entry { tenant_uid: (*mark).into(), created: *created, quota, ..Entry::default() })
        };
        objects.iter().map(object).collect()
    }

    fn identity() -> Identity {
        Identity { uid: "own".into(), adopts: "former".into() }
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
        let owner = |namespace: &str| identity().owner(&observed, &NamespaceName::new(namespace));
        for (namespace, expected) in [
            ("own", Ownership::Ours),
            ("former", Ownership::Ours),
            ("taken-off", Ownership::Ours),
            ("other", Ownership::Orphaned("other")),
            ("plain", Ownership::Foreign),
            ("unmarked", Ownership::Foreign),
            ("absent", Ownership::Absent),
        ] {
            assert_eq!(owner(namespace), expected, "{namespace}");
        }
        assert!(!Identity::default().claims(""), "no mark is nobody's");
    }

    #[test]
    fn the_quotas_of_a_tenant_are_those_with_its_mark_or_in_its_namespaces() {
        let observed = observed(&[
            ("gone", 2, QUOTA, "own", 0),
            ("marked", 2, QUOTA, "own", 0),
            ("marked", 2, "team", "own", 0),
            ("marked", NAMESPACE, "marked", "own", 0),
            ("unmarked", NAMESPACE, "unmarked", "own", 0),
            ("unmarked", 2, QUOTA, "", 0),
            ("other", NAMESPACE, "other", "other", 0),
            ("other", 2, QUOTA, "other", 0),
        ]);
        let identity = identity();
        let found: Vec<&str> = identity.quotas(&observed).map(|(namespace, _)| namespace.as_str()).collect();
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
        let arrival = |namespace: &str| identity().arrival(&observed, &NamespaceName::new(namespace));
        assert_eq!((arrival("health"), arrival("bare")), (Some(20), None));
    }

    #[test]
    fn whose_a_namespace_is_instead_is_told_with_what_can_be_done() {
        let namespace = NamespaceName::new("health--web");
        let orphaned = not_ours(&namespace, Some("u"));
        assert!(orphaned.contains("namespace health--web exists and is not this tenant's, OrphanOf(u)"), "{orphaned}");
        assert!(orphaned.ends_with("set spec.adoptTenantUID of agencytenant/health to u"), "{orphaned}");
        assert_eq!(Err(not_ours(&namespace, None)), takeover(&namespace, "", false));
    }
}
