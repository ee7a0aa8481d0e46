//! Whether the guard rails are in force: policies that are missing, or written and not active yet, refuse nothing.
//!
//! Each policy also judges the creation of a `ClusterRole` of a name of its own, and refuses it always. So a dry run of that
//! proves that the API server has taken the policy in. Nobody is let in anywhere before all have been proven.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use govcloud_core::model::names::{POLICIES, POLICY_SELECTOR, PROBE_PREFIX};
use k8s_openapi::api::{
    admissionregistration::v1::{ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding},
    rbac::v1::ClusterRole,
};
use kube::{
    Api, Resource, ResourceExt,
    api::{ListParams, ObjectMeta, PostParams},
};
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
            policies.get(policy).cloned().ok_or_else(|| missing("ValidatingAdmissionPolicy"))?,
            bindings.get(policy).cloned().ok_or_else(|| missing("ValidatingAdmissionPolicyBinding"))?,
        ];
        if proven.get(policy) != Some(&versions) {
            proven.remove(policy);
            prove(connection, policy).await?;
            proven.insert(policy, versions);
        }
    }
    Ok(())
}

/// Versions by name.
async fn list<Kind>(connection: &Connection, plural: &'static str) -> Result<BTreeMap<String, String>, String>
where
    Kind: Resource<DynamicType = (), Scope = kube::core::ClusterResourceScope> + Clone + std::fmt::Debug + serde::de::DeserializeOwned,
{
    let api = Api::<Kind>::all(connection.client.clone());
    let parameters = ListParams::default().labels(POLICY_SELECTOR);
    let listed = connection.unfenced("list", plural, TIMEOUT, api.list(&parameters)).await;
    let listed = listed.map_err(|error| format!("the policies of the chart cannot be listed: {error}"))?;
    Ok(listed.items.iter().map(|item| (item.name_any(), item.resource_version().unwrap_or_default())).collect())
}

/// Asks for what this policy, if it is in force, refuses to everybody.
async fn prove(connection: &Connection, policy: &str) -> Result<(), String> {
    let name = format!("{PROBE_PREFIX}{policy}");
    let probe = ClusterRole { metadata: ObjectMeta { name: Some(name), ..ObjectMeta::default() }, ..ClusterRole::default() };
    let api = Api::<ClusterRole>::all(connection.client.clone());
    let parameters = PostParams { dry_run: true, ..PostParams::default() };
    match connection.unfenced("create", "clusterroles", TIMEOUT, api.create(&parameters, &probe)).await {
        Err(Error::Refused { message, .. }) if message.contains(&format!("ValidatingAdmissionPolicy '{policy}'")) => Ok(()),
        Ok(_) => Err(format!(
            "ValidatingAdmissionPolicy {policy} exists but is not in force yet; if this lasts, apply the policies of the chart again"
        )),
        Err(error) => Err(format!("ValidatingAdmissionPolicy {policy} cannot be proven to be in force: {error}")),
    }
}
