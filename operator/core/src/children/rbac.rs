//! The operator's own `ClusterRole`s: what the table of children needs, and a short fixed list. Never `*`, secrets, `escalate`
//! or `impersonate`.

use k8s_openapi::api::rbac::v1::{ClusterRole, PolicyRule};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::{
    api::{agency_tenant::Role, part_of},
    children::{PIPELINE_ROLE, TABLE, WriteMode, cluster_role as tenant_role},
    model::{
        api_server,
        names::{GROUP, LEASE_NAME, LEASE_ROLE, OPERATOR},
        workloads::KINDS,
    },
};

/// The role, as the chart ships it.
#[must_use]
pub fn cluster_role() -> ClusterRole {
    let mut rules: Vec<PolicyRule> = TABLE.iter().map(|kind| rule(kind.group, &[kind.plural], verbs(kind.write), &[])).collect();
    let crds = ["agencytenants.govcloud.io", "hostedsystems.govcloud.io"];
    let tenant_roles: Vec<&str> = Role::ALL.into_iter().map(tenant_role).chain([PIPELINE_ROLE]).collect();
    let policies = ["validatingadmissionpolicies", "validatingadmissionpolicybindings"];
    let groups = KINDS.chunk_by(|(one, ..), (other, ..)| one == other);
    rules.extend(groups.map(|kinds| {
        let plurals: Vec<&str> = kinds.iter().map(|(_, _, plural)| *plural).collect();
        rule(kinds[0].0, &plurals, &["get", "list", "watch"], &[])
    }));
    rules.extend([
        rule("", &["resourcequotas/status"], &["update"], &[]),
        rule("", &["pods"], &["list", "deletecollection"], &[]),
        rule(GROUP, &["agencytenants", "hostedsystems"], &["get", "list", "watch", "patch"], &[]),
        // What it lets a tenant's Owners do with their own, it must be able to do; and the verb by which policies know it.
        rule(GROUP, &["agencytenants"], &["update", "delete", "provision"], &[]),
        rule(GROUP, &["agencytenants/status"], &["get"], &[]),
        rule("admissionregistration.k8s.io", &policies, &["list"], &[]),
        rule(GROUP, &["agencytenants/status", "hostedsystems/status"], &["update"], &[]),
        rule(GROUP, &["agencytenants/finalizers", "hostedsystems/finalizers"], &["update"], &[]),
        rule("apiextensions.k8s.io", &["customresourcedefinitions"], &["get"], &crds),
        rule("events.k8s.io", &["events"], &["create", "patch"], &[]),
        rule("", &["events"], &["list", "watch"], &[]),
        rule("scheduling.k8s.io", &["priorityclasses"], &["list", "watch"], &[]),
        rule("node.k8s.io", &["runtimeclasses"], &["list", "watch"], &[]),
        rule("rbac.authorization.k8s.io", &["clusterroles"], &["bind"], &tenant_roles),
        // Where the API server is; such objects of no other name.
        rule("", &["services"], &["list", "watch"], &[api_server::NAME]),
        rule("discovery.k8s.io", &["endpointslices"], &["list", "watch"], &[api_server::NAME]),
    ]);
    role(OPERATOR, rules)
}

/// What the operator may do in its own namespace, where alone this role is bound: hold the lease. Creating one cannot be
/// limited to a name.
#[must_use]
pub fn lease_role() -> ClusterRole {
    let group = "coordination.k8s.io";
    role(LEASE_ROLE, vec![rule(group, &["leases"], &["create"], &[]), rule(group, &["leases"], &["get", "update"], &[LEASE_NAME])])
}

fn role(name: &str, rules: Vec<PolicyRule>) -> ClusterRole {
    let metadata = ObjectMeta { name: Some(name.into()), labels: Some(part_of()), ..ObjectMeta::default() };
    ClusterRole { metadata, rules: Some(rules), aggregation_rule: None }
}

fn verbs(write: WriteMode) -> &'static [&'static str] {
    match write {
        WriteMode::MetadataOnly | WriteMode::Patch => &["get", "list", "watch", "create", "patch", "delete"],
        WriteMode::Replace => &["get", "list", "watch", "create", "update", "delete"],
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
