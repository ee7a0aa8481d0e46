//! `ClusterRole`s whose rules the controller manager gathers from others: it does so a moment after they were written.

use std::time::Duration;

use anyhow::{Context, Result};
use k8s_openapi::api::rbac::v1::{ClusterRole, PolicyRule};
use kube::core::DynamicObject;
use kube::runtime::wait::await_condition;
use kube::{Api, Client, ResourceExt};
use tokio::time::timeout;

const WITHIN: Duration = Duration::from_secs(30);

/// Waits until each of these roles that gathers rules has those of all the others that it selects by one label.
pub(crate) async fn complete(client: &Client, manifests: &[DynamicObject]) -> Result<()> {
    let typed = |object: &DynamicObject| serde_json::from_value(serde_json::to_value(object)?);
    let cluster_roles = manifests.iter().filter(|object| object.types.as_ref().is_some_and(|types| types.kind == "ClusterRole"));
    let roles: Vec<ClusterRole> = cluster_roles.map(typed).collect::<Result<_, serde_json::Error>>().context("reading the roles")?;
    let api: Api<ClusterRole> = Api::all(client.clone());
    for role in roles.iter().filter(|role| role.aggregation_rule.is_some()) {
        let wanted = gathered(role, &roles);
        let has_all = |live: Option<&ClusterRole>| {
            live.is_some_and(|live| wanted.iter().all(|rule| live.rules.iter().flatten().any(|has| has == rule)))
        };
        let name = role.name_any();
        let waited = timeout(WITHIN, await_condition(api.clone(), &name, has_all)).await;
        waited.with_context(|| format!("ClusterRole {name} lacks rules of those that it selects"))?.context("watching ClusterRoles")?;
    }
    Ok(())
}

/// The rules of the roles whose labels a selector names.
fn gathered(role: &ClusterRole, roles: &[ClusterRole]) -> Vec<PolicyRule> {
    let selectors = role.aggregation_rule.iter().flat_map(|rule| rule.cluster_role_selectors.iter().flatten());
    let labels: Vec<_> = selectors.filter_map(|selector| selector.match_labels.as_ref()).collect();
    let selected =
        |other: &&ClusterRole| labels.iter().any(|labels| labels.iter().all(|(key, value)| other.labels().get(key) == Some(value)));
    roles.iter().filter(selected).flat_map(|other| other.rules.clone().unwrap_or_default()).collect()
}
