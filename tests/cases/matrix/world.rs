//! Who asks, and where: one agency with two systems, a stranger's beside it, and the people of the platform.

use acceptance::ControlPlane;
use serde_json::json;

use crate::cluster::Person;

/// Somebody, as the API server knows them.
pub struct Principal {
    pub key: &'static str,
    pub user: &'static str,
    pub groups: &'static [&'static str],
    /// Whose rights theirs begin with, and so are not repeated for them.
    pub base: Option<&'static str>,
}

const EVERYBODY: &str = "everybody";
const EVERY_ACCOUNT: &str = "every account";

const fn person(key: &'static str, user: &'static str, groups: &'static [&'static str]) -> Principal {
    Principal { key, user, groups, base: Some(EVERYBODY) }
}

const fn account(key: &'static str, user: &'static str) -> Principal {
    Principal { key, user, groups: &[], base: Some(EVERY_ACCOUNT) }
}

/// A base stands before who builds on it.
pub const PRINCIPALS: [Principal; 14] = [
    Principal { key: EVERYBODY, user: "matrix-nobody", groups: &[], base: None },
    Principal { key: EVERY_ACCOUNT, user: "system:serviceaccount:matrix-nowhere:nobody", groups: &[], base: Some(EVERYBODY) },
    person("requester", "matrix-requester", &["govcloud:requesters"]),
    person("owner", "matrix-li", &["matrix-owners"]),
    person("deployer", "ci-matrix", &[]),
    person("auditor", "matrix-wu", &["matrix-audit"]),
    account("pipeline", "system:serviceaccount:matrix--web:deployer"),
    account("workload", "system:serviceaccount:matrix--web:default"),
    person("stranger", "ci-outsider", &[]),
    person("system-admin", "matrix-system-admin", &[]),
    person("security-admin", "matrix-security-admin", &[]),
    person("audit-admin", "matrix-audit-admin", &[]),
    person("platform", "matrix-platform", &[]),
    account("operator", "system:serviceaccount:govcloud-system:govcloud-operator"),
];

impl Principal {
    /// With what the API server adds by itself when it lets somebody in.
    pub fn all_groups(&self) -> Vec<String> {
        let mut groups: Vec<String> = self.groups.iter().map(ToString::to_string).collect();
        groups.push("system:authenticated".to_owned());
        if let Some(account) = self.user.strip_prefix("system:serviceaccount:") {
            let namespace = account.split(':').next().unwrap_or_default();
            groups.extend(["system:serviceaccounts".to_owned(), format!("system:serviceaccounts:{namespace}")]);
        }
        groups
    }

    pub async fn sign_in(&self, plane: &ControlPlane) -> Person {
        Person { client: plane.client_as(self.user, self.groups).await.unwrap() }
    }
}

/// Somewhere. What is allowed in the whole cluster is what is allowed in a namespace that nobody has bound a role in.
pub struct Place {
    pub key: &'static str,
    pub namespace: &'static str,
}

pub const CLUSTER: &str = "cluster";

pub const PLACES: [Place; 8] = [
    Place { key: CLUSTER, namespace: "matrix-nowhere" },
    Place { key: "home", namespace: "matrix" },
    Place { key: "own", namespace: "matrix--web" },
    Place { key: "sibling", namespace: "matrix--db" },
    Place { key: "foreign-home", namespace: "outsider" },
    Place { key: "foreign-own", namespace: "outsider--web" },
    Place { key: "kube-system", namespace: "kube-system" },
    Place { key: "govcloud-system", namespace: "govcloud-system" },
];

/// Brings the agencies and the platform's people, and waits until all are let in.
pub async fn settle(admin: &Person) {
    for role in ["system-admin", "security-admin", "audit-admin", "platform"] {
        let binding = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": { "name": format!("matrix-{role}") },
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": format!("govcloud:{role}") },
            "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": format!("matrix-{role}") }],
        });
        admin.apply(&binding.to_string()).await;
    }
    tokio::join!(admin.tenant_with_systems("matrix", &["web", "db"]), admin.tenant_with_systems("outsider", &["web"]));
}
