//! The children that a tenant's namespaces consist of: one file a kind, one line in [`TABLE`].
//!
//! Watches, the store, pruning, the order of writing and the operator's `ClusterRole` derive from the table. Builders are
//! pure and emit the fully defaulted form, so that what they write hashes as what the API server gives back.

mod cluster_role;
mod cluster_role_binding;
mod content;
pub mod desired;
pub mod difference;
mod kind;
mod limit_range;
pub mod manifests;
pub mod merge;
mod namespace;
mod network_policy;
pub mod rbac;
mod resource_quota;
mod role_binding;
mod service_account;
mod suspension;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{
    api::PART_OF,
    children::desired::Desired,
    model::{
        names::{LABEL_MANAGED_BY, LABEL_SYSTEM, LABEL_TENANT, LABEL_TENANT_UID, NamespaceName, SystemName, TenantName},
        namespace::{ChildInput, TenantAccess},
        ownership::Identity,
    },
};

pub use content::Content;
pub use kind::{Build, Kind, Rank, WriteMode};
pub use network_policy::{EXPOSES_NETWORK, repeatable};
pub use role_binding::{BOUND_BY_MEMBERS, BOUND_TO_ACCOUNTS, PIPELINE_ROLE, cluster_role, member_words};
pub use suspension::{restored, suspended};

/// Every kind of child, in no order that matters: `rank` says when it is written.
pub static TABLE: [&Kind; 8] = [
    &namespace::KIND,
    &network_policy::KIND,
    &resource_quota::KIND,
    &limit_range::KIND,
    &service_account::KIND,
    &role_binding::KIND,
    &cluster_role::KIND,
    &cluster_role_binding::KIND,
];

/// Every child of one namespace.
#[must_use]
pub fn children(input: &ChildInput) -> Vec<Desired> {
    let marks = marks(&input.tenant.name, &input.tenant.identity, input.namespace.system.as_ref());
    let build = |(index, kind): (usize, &&'static Kind)| match kind.build {
        Build::Inside(build) => {
            build(input).into_iter().map(|object| desired(index, kind, &input.namespace.name, &marks, object)).collect::<Vec<_>>()
        }
        Build::TenantAccess(_) => Vec::new(),
    };
    TABLE.iter().enumerate().flat_map(build).collect()
}

/// What grants a tenant's members access to their own `AgencyTenant`.
#[must_use]
pub fn tenant_access(access: &TenantAccess) -> Vec<Desired> {
    let mut marks = marks(access.tenant, access.identity, None);
    marks.insert(PART_OF.0, json!(PART_OF.1)); // in cluster scope, whoever removes the product finds it by this
    let build = |(index, kind): (usize, &&'static Kind)| match kind.build {
        Build::TenantAccess(build) => {
            build(access).into_iter().map(|object| desired(index, kind, &NamespaceName::cluster(), &marks, object)).collect::<Vec<_>>()
        }
        Build::Inside(_) => Vec::new(),
    };
    TABLE.iter().enumerate().flat_map(build).collect()
}

/// Adds type, place and marks to what a builder made.
fn desired(index: usize, kind: &'static Kind, namespace: &NamespaceName, marks: &BTreeMap<&str, Value>, mut object: Value) -> Desired {
    object["apiVersion"] = if kind.group.is_empty() { json!(kind.version) } else { json!(format!("{}/{}", kind.group, kind.version)) };
    object["kind"] = json!(kind.kind);
    let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    if !kind.is_namespace() && !namespace.is_cluster() {
        object["metadata"]["namespace"] = json!(namespace.as_str());
    }
    for (key, value) in marks {
        object["metadata"]["labels"][*key] = value.clone();
    }
    let purpose = kind.purpose(&object);
    Desired { kind, index, namespace: namespace.clone(), name, hash: kind.hash(&object), purpose, object }
}

/// The labels that every child carries.
fn marks(tenant: &TenantName, identity: &Identity, system: Option<&SystemName>) -> BTreeMap<&'static str, Value> {
    let mut marks = BTreeMap::from([
        (LABEL_MANAGED_BY, json!(crate::model::names::FIELD_MANAGER)),
        (LABEL_TENANT, json!(tenant.as_str())),
        (LABEL_TENANT_UID, json!(identity.uid)),
    ]);
    if let Some(system) = system {
        marks.insert(LABEL_SYSTEM, json!(system.as_str()));
    }
    marks
}
