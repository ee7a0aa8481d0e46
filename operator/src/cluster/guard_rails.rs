//! Whether the guard rails are in force: policies that are missing, or written and not active yet, refuse nothing.
//!
//! Each policy also judges the creation of a `ClusterRole` of a name of its own, and refuses it always. So a dry run of that
//! proves that the API server has taken the policy in. Nobody is let in anywhere before all have been proven, each as this version of
//! the operator or a later one brings it: what a new version lets members do may rest on its policies.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use govcloud_core::{
    api::part_of_selector,
    model::names::{LABEL_VERSION, POLICIES, PROBE_PREFIX},
};
use k8s_openapi::api::{
    admissionregistration::v1::{ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding},
    rbac::v1::ClusterRole,
};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{ListParams, ObjectMeta, PostParams},
};
use semver::Version;
use tracing::{info, warn};

use super::{connection::Connection, health::Health};
use crate::error::Error;

/// Time between two looks while one is missing.
const RETRY: Duration = Duration::from_millis(500);
/// Time between two looks when all are in force.
const INTERVAL: Duration = Duration::from_secs(10);
/// Longest wait for one answer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Looks after the guard rails for ever. A replica that stands by does too, because a dry run writes nothing.
pub async fn watch_over(connection: Connection, health: Arc<Health>) {
    let mut proven = BTreeMap::new();
    let mut last = None;
    loop {
        let found = look(&connection, &mut proven).await;
        if last.as_ref() != Some(&found) {
            match &found {
                Ok(()) => info!("the guard rails are in force"),
                Err(complaint) => warn!("{complaint}"),
            }
            last = Some(found.clone());
        }
        let wait = if found.is_ok() { INTERVAL } else { RETRY };
        health.guarded(found);
        tokio::time::sleep(wait).await;
    }
}

/// Looks once; proves anew what has changed since it was proven, one after the other, up to the first that is not in force.
async fn look(connection: &Connection, proven: &mut BTreeMap<&'static str, [String; 2]>) -> Result<(), String> {
    let policies = list::<ValidatingAdmissionPolicy>(connection, "validatingadmissionpolicies").await?;
    let bindings = list::<ValidatingAdmissionPolicyBinding>(connection, "validatingadmissionpolicybindings").await?;
    for policy in POLICIES {
        let missing = |kind: &str| format!("{kind} {policy} is missing; apply the chart's policies");
        let versions = [
            current(policies.get(policy).ok_or_else(|| missing("ValidatingAdmissionPolicy"))?)?,
            current(bindings.get(policy).ok_or_else(|| missing("ValidatingAdmissionPolicyBinding"))?)?,
        ];
        if proven.get(policy) != Some(&versions) {
            proven.remove(policy);
            prove(connection, policy).await?;
            proven.insert(policy, versions);
        }
    }
    Ok(())
}

/// What is read of a policy or of a binding.
struct Found {
    described: String,
    resource_version: String,
    /// The version of the operator whose chart brought it, where it says one.
    release: Option<Version>,
}

/// The resource version of one that is no older than this operator.
fn current(found: &Found) -> Result<String, String> {
    let own = Version::parse(env!("CARGO_PKG_VERSION")).ok();
    if found.release < own {
        let told = found.release.as_ref().map_or_else(|| "says no version".to_owned(), |release| format!("is of version {release}"));
        return Err(format!(
            "{} {told}, and this operator of {}; apply the policies of its chart",
            found.described,
            env!("CARGO_PKG_VERSION")
        ));
    }
    Ok(found.resource_version.clone())
}

/// Those that there are, by name.
async fn list<Kind>(connection: &Connection, plural: &'static str) -> Result<BTreeMap<String, Found>, String>
where
    Kind: Resource<DynamicType = (), Scope = kube::core::ClusterResourceScope> + Clone + std::fmt::Debug + serde::de::DeserializeOwned,
{
    let api = Api::<Kind>::all(connection.client.clone());
    let parameters = ListParams::default().labels(&part_of_selector());
    let listed = connection.unfenced("list", plural, TIMEOUT, api.list(&parameters)).await;
    let listed = listed.map_err(|error| format!("the policies of the chart cannot be listed: {error}"))?;
    let found = |item: &Kind| Found {
        described: format!("{} {}", Kind::kind(&()), item.name_any()),
        resource_version: item.resource_version().unwrap_or_default(),
        release: item.labels().get(LABEL_VERSION).and_then(|version| Version::parse(version).ok()),
    };
    Ok(listed.items.iter().map(|item| (item.name_any(), found(item))).collect())
}

/// Asks for what this policy, if it is in force, refuses to everybody.
async fn prove(connection: &Connection, policy: &str) -> Result<(), String> {
    let answer = connection.unfenced("create", "clusterroles", TIMEOUT, probe(&connection.client, policy)).await;
    proof(policy, answer)
}

/// The request that a policy in force refuses to everybody.
pub async fn probe(client: &Client, policy: &str) -> kube::Result<ClusterRole> {
    let name = format!("{PROBE_PREFIX}{policy}");
    let probe = ClusterRole { metadata: ObjectMeta { name: Some(name), ..ObjectMeta::default() }, ..ClusterRole::default() };
    let parameters = PostParams { dry_run: true, ..PostParams::default() };
    Api::<ClusterRole>::all(client.clone()).create(&parameters, &probe).await
}

/// What the answer to that request says of the policy.
pub fn proof(policy: &str, answer: Result<ClusterRole, Error>) -> Result<(), String> {
    match answer {
        Err(Error::Refused { message, .. }) if message.contains(&format!("ValidatingAdmissionPolicy '{policy}'")) => Ok(()),
        Ok(_) => Err(format!(
            "ValidatingAdmissionPolicy {policy} exists but is not in force yet; if this lasts, apply the policies of the chart again"
        )),
        Err(error) => Err(format!("ValidatingAdmissionPolicy {policy} cannot be proven to be in force: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_of_an_older_version_or_of_none_is_not_this_operators() {
        let found = |release: Option<&str>| Found {
            described: "ValidatingAdmissionPolicy govcloud-tenants".to_owned(),
            resource_version: "7".to_owned(),
            release: release.map(|release| Version::parse(release).unwrap()),
        };
        let own = env!("CARGO_PKG_VERSION");
        for release in [own, "1000.0.0"] {
            assert_eq!(current(&found(Some(release))).as_deref(), Ok("7"), "{release}");
        }
        let told = |release| current(&found(release)).unwrap_err();
        let cure = format!(", and this operator of {own}; apply the policies of its chart");
        assert_eq!(told(Some("0.1.9")), format!("ValidatingAdmissionPolicy govcloud-tenants is of version 0.1.9{cure}"));
        assert_eq!(told(None), format!("ValidatingAdmissionPolicy govcloud-tenants says no version{cure}"));
    }
}
