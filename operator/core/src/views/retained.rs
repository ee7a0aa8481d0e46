//! Namespaces that are kept though their agency or system was deleted.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::rows::{Row, age};
use crate::model::names::{ANNOTATION_DISPLAY_NAME, LABEL_RETAINED_SINCE, LABEL_TENANT_UID, NamespaceName};

/// Whom namespaces may belong to: what is there of the two kinds.
#[derive(Debug, Default)]
pub struct Owners {
    /// Agencies by the UIDs that they speak for: their own, and that of a deleted one whose namespaces they take over.
    tenants: BTreeMap<String, String>,
    /// Systems: agency and name.
    systems: BTreeSet<(String, String)>,
}

impl Owners {
    /// Reads all `AgencyTenants` and `HostedSystems`.
    #[must_use]
    pub fn read(tenants: &[Value], systems: &[Value]) -> Self {
        let uids = |tenant: &Value| [&tenant["metadata"]["uid"], &tenant["spec"]["adoptTenantUID"]].map(text);
        let tenants = tenants.iter().flat_map(|tenant| uids(tenant).map(|uid| (uid, text(&tenant["metadata"]["name"]))));
        let systems = systems.iter().map(|system| (text(&system["metadata"]["namespace"]), text(&system["metadata"]["name"])));
        Self { tenants: tenants.filter(|(uid, _)| !uid.is_empty()).collect(), systems: systems.collect() }
    }

    /// The object that a namespace belongs to, also while that is being deleted; none where nobody is left.
    #[must_use]
    pub fn of(&self, namespace: &Value) -> Option<String> {
        let tenant = self.tenants.get(namespace["metadata"]["labels"][LABEL_TENANT_UID].as_str()?)?;
        let name = name(namespace);
        match name.system() {
            // Where nobody marked it as kept, its system may only not be declared again yet.
            Some(system) if !is_marked(namespace) || self.systems.contains(&(tenant.clone(), system.as_str().to_owned())) => {
                Some(format!("hostedsystem/{system} in namespace {tenant}"))
            }
            Some(_) => None,
            None => Some(format!("agencytenant/{tenant}")),
        }
    }
}

/// Whether it was made for an agency at all.
#[must_use]
pub fn is_of_a_tenant(namespace: &Value) -> bool {
    namespace["metadata"]["labels"][LABEL_TENANT_UID].is_string()
}

fn is_marked(namespace: &Value) -> bool {
    namespace["metadata"]["labels"][LABEL_RETAINED_SINCE].is_string()
}

fn name(namespace: &Value) -> NamespaceName {
    NamespaceName::new(text(&namespace["metadata"]["name"]))
}

/// A namespace that is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RetainedRow {
    /// Its name.
    pub namespace: String,
    /// The agency that it was made for.
    pub agency: String,
    /// UID of that agency, by which another one takes it over (`spec.adoptTenantUID`).
    #[serde(rename = "tenantUID")]
    pub tenant_uid: String,
    /// The system that it was made for; left out for the home namespace of an agency.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// Name of agency or system as people know it.
    pub display_name: String,
    /// Since when, RFC 3339; left out where nobody knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// How long ago.
    #[serde(skip)]
    pub age: String,
    /// Claims of volumes in it; left out where its quota cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claims: Option<String>,
    /// Storage that these claims ask for; left out where its quota cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage: Option<String>,
    /// Whether it is being deleted.
    pub deleting: bool,
}

impl RetainedRow {
    /// The row of a namespace; `used` is `status.used` of its quota.
    #[must_use]
    pub fn of(namespace: &Value, used: &Value, now: Timestamp) -> Self {
        let metadata = &namespace["metadata"];
        let since: Option<Timestamp> = metadata["labels"][LABEL_RETAINED_SINCE].as_str().and_then(|since| since.parse().ok());
        let counted = |key: &str| used[key].as_str().map(ToOwned::to_owned);
        let name = name(namespace);
        Self {
            agency: name.tenant().as_str().to_owned(),
            tenant_uid: text(&metadata["labels"][LABEL_TENANT_UID]),
            system: name.system().map(|system| system.as_str().to_owned()),
            namespace: name.as_str().to_owned(),
            display_name: text(&metadata["annotations"][ANNOTATION_DISPLAY_NAME]),
            age: since.map_or_else(|| "unknown".to_owned(), |since| age(now.as_second() - since.as_second())),
            since: since.map(|since| since.to_string()),
            claims: counted("persistentvolumeclaims"),
            storage: counted("requests.storage"),
            deleting: metadata["deletionTimestamp"].is_string(),
        }
    }
}

impl Row for RetainedRow {
    const HEADER: &'static [&'static str] = &["NAMESPACE", "DELETED", "SINCE", "CLAIMS", "STORAGE", "STATUS", "DISPLAY NAME"];

    fn cells(&self) -> Vec<String> {
        let deleted = if self.system.is_some() { "System" } else { "Agency" };
        let status = if self.deleting { "Terminating" } else { "Retained" };
        let known = |figure: &Option<String>| figure.clone().unwrap_or_else(|| "?".to_owned());
        let (claims, storage) = (known(&self.claims), known(&self.storage));
        vec![self.namespace.clone(), deleted.to_owned(), self.age.clone(), claims, storage, status.to_owned(), self.display_name.clone()]
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn namespace(name: &str, uid: &str, marked: bool) -> Value {
        let mut namespace = json!({ "metadata": { "name": name, "labels": { LABEL_TENANT_UID: uid } } });
        if marked {
            namespace["metadata"]["labels"][LABEL_RETAINED_SINCE] = json!("20260131T093000Z");
        }
        namespace
    }

    #[test]
    fn a_namespace_is_kept_for_nobody_only_where_no_agency_speaks_for_it_or_its_system_is_gone() {
        let tenant = json!({ "metadata": { "name": "health", "uid": "u" }, "spec": { "adoptTenantUID": "former" } });
        let system = json!({ "metadata": { "name": "web", "namespace": "health" } });
        let owners = Owners::read(&[tenant], &[system]);
        for (name, uid, marked, owner) in [
            ("health", "u", false, Some("agencytenant/health")),
            ("health", "former", true, Some("agencytenant/health")),
            ("health", "other", true, None),
            ("health--web", "u", false, Some("hostedsystem/web in namespace health")),
            ("health--web", "u", true, Some("hostedsystem/web in namespace health")),
            ("health--gone", "u", true, None),
            ("health--gone", "u", false, Some("hostedsystem/gone in namespace health")), // declared again soon, perhaps
            ("health--gone", "other", false, None),
        ] {
            assert_eq!(owners.of(&namespace(name, uid, marked)).as_deref(), owner, "{name} {uid} {marked}");
        }
    }

    #[test]
    fn a_row_says_whose_it_was_since_when_and_what_it_holds() {
        let used = json!({ "persistentvolumeclaims": "2", "requests.storage": "25Gi", "pods": "0" });
        let now = "2026-02-02T09:30:00Z".parse().unwrap();
        let row = RetainedRow::of(&namespace("health--web", "u", true), &used, now);
        assert_eq!(row.cells()[..6], ["health--web", "System", "2d", "2", "25Gi", "Retained"]);
        assert_eq!((row.system.as_deref(), row.since.as_deref()), (Some("web"), Some("2026-01-31T09:30:00Z")));
        let unknown = RetainedRow::of(&namespace("health", "u", false), &Value::Null, now);
        assert_eq!(unknown.cells()[..5], ["health", "Agency", "unknown", "?", "?"]);
    }
}
