//! The operator's own `ClusterRole`: what the table of children needs, and a short fixed list. Never `*`, secrets, `escalate`
//! or `impersonate`.

use k8s_openapi::api::rbac::v1::{ClusterRole, PolicyRule};
use kube::api::ObjectMeta;

use crate::{
    api::agency_tenant::Role,
    children::{TABLE, Write, cluster_role as tenant_role},
    names::{GROUP, OPERATOR},
};

/// The role, as the chart ships it.
#[must_use]
pub fn cluster_role() -> ClusterRole {
    let mut rules: Vec<PolicyRule> = TABLE.iter().map(|kind| rule(kind.group, &[kind.plural], verbs(kind.write), &[])).collect();
    let definitions = ["agencytenants.govcloud.io", "hostedsystems.govcloud.io"];
    let tenant_roles = Role::ALL.map(tenant_role);
    rules.extend([
        rule("", &["resourcequotas/status"], &["update"], &[]),
        rule("", &["pods"], &["deletecollection"], &[]),
        rule(GROUP, &["agencytenants", "hostedsystems"], &["get", "list", "watch", "patch"], &[]),
        rule(GROUP, &["agencytenants/status", "hostedsystems/status"], &["update"], &[]),
        rule(GROUP, &["agencytenants/finalizers", "hostedsystems/finalizers"], &["update"], &[]),
        rule("apiextensions.k8s.io", &["customresourcedefinitions"], &["get"], &definitions),
        rule("events.k8s.io", &["events"], &["create", "patch"], &[]),
        rule("rbac.authorization.k8s.io", &["clusterroles"], &["bind"], &tenant_roles),
    ]);
    ClusterRole {
        metadata: ObjectMeta { name: Some(OPERATOR.into()), ..ObjectMeta::default() },
        rules: Some(rules),
        aggregation_rule: None,
    }
}

fn verbs(write: Write) -> &'static [&'static str] {
    match write {
        Write::Namespace | Write::Shared => &["get", "list", "watch", "create", "patch", "delete"],
        Write::Guard => &["get", "list", "watch", "create", "update", "delete"],
    }
}

fn rule(group: &str, resources: &[&str], verbs: &[&str], names: &[&str]) -> PolicyRule {
    let owned = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
    PolicyRule {
        api_groups: Some(vec![group.to_owned()]),
        resources: Some(owned(resources)),
        verbs: owned(verbs),
        resource_names: (!names.is_empty()).then(|| owned(names)),
        ..PolicyRule::default()
    }
}
