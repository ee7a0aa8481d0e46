//! What the lists tell of the installation: the operator's account, its lease and its settings.

use std::collections::BTreeSet;

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::facts::{Objects, Read, meta};
use crate::model::{
    names::{ANNOTATION_SETTINGS, LABEL_TENANT, OPERATOR},
    settings::Settings,
};

/// Takes out what agencies may have written under the names by which the operator and the platform are found.
pub fn leave_out_agencies(objects: &mut Objects) {
    let of_agencies = list(objects, "namespaces").iter().filter(|namespace| namespace["metadata"]["labels"][LABEL_TENANT].is_string());
    let names: BTreeSet<String> = of_agencies.map(|namespace| meta(namespace, "name").to_owned()).collect();
    for plural in ["deployments", "leases", "daemonsets"] {
        if let Some(Ok(objects)) = objects.get_mut(plural) {
            objects.retain(|object| !names.contains(meta(object, "namespace")));
        }
    }
}

/// The operator's account, namespace and name: that of its Deployment or, without one, of the binding of its role.
#[must_use]
pub fn account(objects: &Objects) -> Option<(String, String)> {
    if let Some(deployment) = list(objects, "deployments").first() {
        let name = deployment["spec"]["template"]["spec"]["serviceAccountName"].as_str().unwrap_or("default");
        return Some((meta(deployment, "namespace").to_owned(), name.to_owned()));
    }
    let binding = list(objects, "clusterrolebindings").iter().find(|binding| binding["roleRef"]["name"] == OPERATOR)?;
    let subject = binding["subjects"].as_array()?.iter().find(|subject| subject["kind"] == "ServiceAccount")?;
    Some((subject["namespace"].as_str()?.to_owned(), subject["name"].as_str()?.to_owned()))
}

/// The lease that was renewed last.
#[must_use]
pub fn lease(objects: &Objects) -> Option<&Value> {
    list(objects, "leases").iter().max_by_key(|lease| renewed(lease))
}

/// When a lease was renewed last.
pub(super) fn renewed(lease: &Value) -> Option<Timestamp> {
    lease["spec"]["renewTime"].as_str()?.parse().ok()
}

/// Whether, by the time in it, nobody holds a lease any more.
#[must_use]
pub fn has_ended(lease: &Value, now: Timestamp) -> bool {
    let lasts = SignedDuration::from_secs(lease["spec"]["leaseDurationSeconds"].as_i64().unwrap_or_default());
    lease["spec"]["holderIdentity"].as_str().unwrap_or_default().is_empty()
        || renewed(lease).is_none_or(|renewed| renewed.checked_add(lasts).is_ok_and(|end| end < now))
}

/// The settings of the replica that leads, or why they are not known.
///
/// # Errors
/// Where the lease could not be read, or holds none that can be read.
pub fn settings(objects: &Objects) -> Read<Settings> {
    if let Some(Err(why)) = objects.get("leases") {
        return Err(why.clone());
    }
    let text = lease(objects).and_then(|lease| lease["metadata"]["annotations"][ANNOTATION_SETTINGS].as_str());
    let text = text.ok_or("no replica of the operator has written its settings to its lease")?;
    serde_json::from_str(text).map_err(|error| format!("the settings in the operator's lease cannot be read: {error}"))
}

fn list<'a>(objects: &'a Objects, plural: &str) -> &'a [Value] {
    objects.get(plural).and_then(|read| read.as_ref().ok()).map(Vec::as_slice).unwrap_or_default()
}
