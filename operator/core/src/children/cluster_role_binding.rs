//! Grants the members of a tenant access to their own `AgencyTenant`. The Owners' is the one binding that exists before anything is approved.
//! That of Deployers and Auditors exists only where there are any: each request of the cluster is judged by every such binding.

use serde_json::{Value, json};

use super::{
    content::Content,
    kind::{Build, Kind, Rank, WriteMode},
    role_binding::{RBAC, subjects},
};
use crate::{api::agency_tenant::Role, model::namespace::TenantAccess};

pub(super) static KIND: Kind = Kind {
    group: "rbac.authorization.k8s.io",
    version: "v1",
    kind: "ClusterRoleBinding",
    plural: "clusterrolebindings",
    rank: Rank::Access,
    isolates: false,
    write: WriteMode::Replace,
    build: Build::TenantAccess(build),
    content: Content::Fields(&["/roleRef", "/subjects"]),
    observe: None,
    initial_status: None,
    without_new_subjects: Some(super::role_binding::without_new_subjects),
    exposes: None,
};

fn build(access: &TenantAccess) -> Vec<Value> {
    let binding = |name: String, subjects: Vec<Value>| {
        json!({
            "metadata": { "name": name },
            "roleRef": { "apiGroup": RBAC, "kind": "ClusterRole", "name": name },
            "subjects": subjects,
        })
    };
    let owners = binding(access.tenant.owner_role(), subjects(access.members, &[Role::Owner]));
    let view = || binding(access.tenant.view_role(), subjects(access.members, &[Role::Deployer, Role::Auditor]));
    std::iter::once(owners).chain(access.has_viewers().then(view)).collect()
}
