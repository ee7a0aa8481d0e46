//! One `RoleBinding` a role: the only way in for members, written last.

use serde_json::{Value, json};

use super::{Kind, Rank, Write};
use crate::{
    api::agency_tenant::{Member, Role, SubjectKind},
    names::DEPLOYER,
    plan::desired::{Access, Space},
};

pub(super) static KIND: Kind = Kind {
    group: "rbac.authorization.k8s.io",
    version: "v1",
    kind: "RoleBinding",
    plural: "rolebindings",
    rank: Rank::Access,
    write: Write::Guard,
    build,
    content: |object| json!({ "roleRef": object["roleRef"], "subjects": object["subjects"] }),
    figures: None,
    prime: None,
    narrow: Some(narrow),
};

const RBAC: &str = "rbac.authorization.k8s.io";

/// The `ClusterRole` of a member's role, as the chart ships it.
#[must_use]
pub fn cluster_role(role: Role) -> &'static str {
    match role {
        Role::Owner => "govcloud:owner",
        Role::Deployer => "govcloud:deployer",
        Role::Auditor => "govcloud:auditor",
    }
}

fn build(space: &Space) -> Vec<Value> {
    if space.access == Access::Closed {
        return Vec::new();
    }
    Role::ALL.into_iter().filter_map(|role| binding(space, role)).collect()
}

fn binding(space: &Space, role: Role) -> Option<Value> {
    let mut members: Vec<&Member> = space.tenant.members.iter().filter(|member| member.role == role).collect();
    members.sort_by_key(|member| (member.kind, &member.namespace, &member.name));
    let mut subjects: Vec<Value> = members.into_iter().map(subject).collect();
    if role == Role::Deployer && space.system.is_some() {
        let pipeline = account(DEPLOYER, space.namespace.as_str());
        if !subjects.contains(&pipeline) {
            subjects.push(pipeline);
        }
    }
    let name = cluster_role(role).replace(':', "-");
    (!subjects.is_empty()).then(|| {
        json!({
            "metadata": { "name": name },
            "roleRef": { "apiGroup": RBAC, "kind": "ClusterRole", "name": cluster_role(role) },
            "subjects": subjects,
        })
    })
}

fn subject(member: &Member) -> Value {
    match member.kind {
        SubjectKind::User => json!({ "apiGroup": RBAC, "kind": "User", "name": member.name }),
        SubjectKind::Group => json!({ "apiGroup": RBAC, "kind": "Group", "name": member.name }),
        SubjectKind::ServiceAccount => account(&member.name, &member.namespace),
    }
}

fn account(name: &str, namespace: &str) -> Value {
    json!({ "kind": "ServiceAccount", "name": name, "namespace": namespace })
}

/// Only the subjects that are in already.
fn narrow(desired: &Value, live: &Value) -> Value {
    let inside = |subject: &&Value| live["subjects"].as_array().is_some_and(|subjects| subjects.contains(subject));
    let mut narrowed = desired.clone();
    narrowed["subjects"] = desired["subjects"].as_array().into_iter().flatten().filter(inside).cloned().collect();
    narrowed
}
