//! Whose a namespace is: as its mark says and, where that was taken off, as the quota in it says.

use crate::model::{
    names::{ANNOTATION_ADOPT_INTO, LABEL_TENANT, NamespaceName},
    observed::{Entry, NAMESPACE, Observed, inside},
};

/// Whom a tenant speaks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// UID of the tenant itself.
    pub uid: String,
    /// UID of the former tenant whose namespaces it takes over.
    pub adopts: Option<String>,
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
        !tenant_uid.is_empty() && (tenant_uid == self.uid || self.adopts.as_deref() == Some(tenant_uid))
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
        "namespace {namespace} exists and is not this tenant's: it belongs to the tenant with UID {owner}, so it is left alone. \
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

    #[test]
    fn whose_a_namespace_is_instead_is_told_with_what_can_be_done() {
        let namespace = NamespaceName::new("health--web");
        let orphaned = not_ours(&namespace, Some("u"));
        assert!(
            orphaned.contains("namespace health--web exists and is not this tenant's: it belongs to the tenant with UID u,"),
            "{orphaned}"
        );
        assert!(orphaned.ends_with("set spec.adoptTenantUID of agencytenant/health to u"), "{orphaned}");
        assert_eq!(Err(not_ours(&namespace, None)), takeover(&namespace, "", false));
    }
}
