//! One `RoleBinding` a role: the only way in for members, written last.

use serde_json::{Value, json};

use super::kind::{Build, Kind, Rank, WriteMode};
use crate::{
    api::agency_tenant::{Member, Role, SubjectKind},
    model::{
        names::DEPLOYER,
        namespace::{Access, ChildInput},
    },
};

pub(super) static KIND: Kind = Kind {
    group: "rbac.authorization.k8s.io",
    version: "v1",
    kind: "RoleBinding",
    plural: "rolebindings",
    rank: Rank::Access,
    isolates: false,
    write: WriteMode::Replace,
    build: Build::Inside(build),
    content: |object| json!({ "roleRef": object["roleRef"], "subjects": object["subjects"] }),
    observe: None,
    initial_status: None,
    without_new_subjects: Some(without_new_subjects),
    exposes: Some(exposes),
};

pub(super) const RBAC: &str = "rbac.authorization.k8s.io";

/// `ClusterRole` of the systems' pipelines in the home namespace, as the chart ships it.
pub const PIPELINE_ROLE: &str = "govcloud:pipeline";

/// The `ClusterRole`s that members may bind, as the policy `govcloud-bindings` says.
pub const BOUND_BY_MEMBERS: [&str; 2] = ["govcloud:deployer", "govcloud:auditor"];

/// The one besides that members may bind to accounts, and to nobody else.
pub const BOUND_TO_ACCOUNTS: &str = "view";

/// The `ClusterRole` of a member's role, as the chart ships it.
#[must_use]
pub fn cluster_role(role: Role) -> &'static str {
    match role {
        Role::Owner => "govcloud:owner",
        Role::Deployer => "govcloud:deployer",
        Role::Auditor => "govcloud:auditor",
    }
}

fn build(input: &ChildInput) -> Vec<Value> {
    if input.namespace.access == Access::Closed {
        return Vec::new();
    }
    let of_role = |role| binding(cluster_role(role), &members(input, role));
    let pipelines: Vec<Value> = input.pipelines.iter().map(|namespace| account(DEPLOYER, namespace.as_str())).collect();
    Role::ALL.into_iter().filter_map(of_role).chain(binding(PIPELINE_ROLE, &pipelines)).collect()
}

fn members(input: &ChildInput, role: Role) -> Vec<Value> {
    let mut subjects = subjects(&input.tenant.members, &[role]);
    if role == Role::Deployer && input.namespace.system.is_some() {
        let pipeline = account(DEPLOYER, input.namespace.name.as_str());
        if !subjects.contains(&pipeline) {
            subjects.push(pipeline);
        }
    }
    subjects
}

/// The members of these roles, each once, in an order that does not depend on the spec's.
pub(super) fn subjects(members: &[Member], roles: &[Role]) -> Vec<Value> {
    let mut members: Vec<&Member> = members.iter().filter(|member| roles.contains(&member.role)).collect();
    members.sort_by_key(|member| (member.kind, &member.namespace, &member.name));
    members.dedup_by_key(|member| (member.kind, &member.namespace, &member.name));
    members.into_iter().map(subject).collect()
}

fn binding(role: &str, subjects: &[Value]) -> Option<Value> {
    (!subjects.is_empty()).then(|| {
        json!({
            "metadata": { "name": role.replace(':', "-") },
            "roleRef": { "apiGroup": RBAC, "kind": "ClusterRole", "name": role },
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
pub(super) fn without_new_subjects(desired: &Value, live: &Value) -> Value {
    let inside = |subject: &&Value| live["subjects"].as_array().is_some_and(|subjects| subjects.contains(subject));
    let mut narrowed = desired.clone();
    narrowed["subjects"] = desired["subjects"].as_array().into_iter().flatten().filter(inside).cloned().collect();
    narrowed
}

/// Whom a binding of others lets in. One to a role that members may not bind is the platform's, whoever is in it.
fn exposes(object: &Value) -> Vec<String> {
    let (role, subjects) = (&object["roleRef"], object["subjects"].as_array().into_iter().flatten());
    let opened: Vec<String> = subjects.map(|subject| opened(subject, &object["metadata"]["namespace"])).collect();
    let only_accounts = || opened.iter().all(|subject| subject.starts_with("ServiceAccount/"));
    let bound_by_members = role["kind"] != "ClusterRole"
        || BOUND_BY_MEMBERS.iter().any(|name| role["name"] == *name)
        || role["name"] == BOUND_TO_ACCOUNTS && only_accounts();
    if bound_by_members { opened } else { Vec::new() }
}

/// A subject as `words` says it; an account also where it is written as a user, and `*` for all of a namespace, which are a group.
fn opened(subject: &Value, own: &Value) -> String {
    let name = subject["name"].as_str().unwrap_or_default();
    let account = match subject["kind"].as_str() {
        Some("User") => name.strip_prefix("system:serviceaccount:").and_then(|account| account.split_once(':')),
        Some("Group") => name.strip_prefix("system:serviceaccounts:").map(|namespace| (namespace, "*")),
        _ => None,
    };
    account.map_or_else(|| words(subject, own), |(namespace, name)| format!("ServiceAccount/{namespace}/{name}"))
}

/// A member in the words in which bindings are read.
#[must_use]
pub fn member_words(member: &Member) -> String {
    words(&subject(member), &Value::Null)
}

/// A subject in words; an account that names no namespace is of the binding's own.
fn words(subject: &Value, own: &Value) -> String {
    let text = |value: &'_ Value| value.as_str().unwrap_or_default().to_owned();
    let (kind, name) = (text(&subject["kind"]), text(&subject["name"]));
    match kind.as_str() {
        "ServiceAccount" => format!("{kind}/{}/{name}", text(subject.get("namespace").unwrap_or(own))),
        _ => format!("{kind}/{name}"),
    }
}
