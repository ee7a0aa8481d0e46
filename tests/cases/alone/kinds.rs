//! Kinds that programs of the platform bring: which members may use them follows from labels of `ClusterRole`s. They change what
//! everybody may do, so they are installed where nobody else looks.

use kube::api::DeleteParams;
use serde_json::Value;

use super::Alone;
use crate::cluster::Person;

const GROUP: &str = "kinds.example";
const WRITE: &str = "get, list, watch, create, update, patch, delete";
const READ: &str = "get, list, watch";

fn definition(plural: &str, kind: &str) -> String {
    format!(
        "
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {{name: {plural}.{GROUP}}}
spec:
  group: {GROUP}
  names: {{kind: {kind}, plural: {plural}}}
  scope: Namespaced
  versions: [{{name: v1, served: true, storage: true, schema: {{openAPIV3Schema: {{type: object, x-kubernetes-preserve-unknown-fields: true}}}}}}]
"
    )
}

/// (name, labels, resource, verbs)
const ROLES: [(&str, &str, &str, &str); 6] = [
    ("ours-write", "rbac.govcloud.io/aggregate-to-deployer", "gadgets", WRITE),
    ("ours-read", "rbac.govcloud.io/aggregate-to-auditor", "gadgets", READ),
    ("ours-owner", "rbac.govcloud.io/aggregate-to-owner", "gadgets/approve", "update"),
    ("theirs-write", "rbac.authorization.k8s.io/aggregate-to-edit", "widgets", WRITE),
    ("theirs-read", "rbac.authorization.k8s.io/aggregate-to-view", "widgets", READ),
    ("theirs-admin", "rbac.authorization.k8s.io/aggregate-to-admin", "widgets/approve", "update"),
];

fn role(name: &str, labels: &str, resource: &str, verbs: &str) -> String {
    format!(
        "
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {{name: 'kinds:{name}', labels: {{{labels}}}}}
rules: [{{apiGroups: [{GROUP}], resources: [{resource}], verbs: [{verbs}]}}]
"
    )
}

/// Somebody of no agency with Kubernetes' own role.
const EDITH: &str = "
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: edith, namespace: default}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: edit}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: edith}]
";

fn gadget(kind: &str, name: &str, labels: &str) -> String {
    format!("apiVersion: {GROUP}/v1\nkind: {kind}\nmetadata: {{name: {name}, namespace: kinds--web, labels: {{{labels}}}}}\n")
}

#[tokio::test]
async fn kinds_of_the_platforms_operators_reach_members_by_labels() {
    let alone = Alone::turn().await;
    let operator = alone.start().await;
    let admin = alone.admin().await;
    for (plural, kind) in [("gadgets", "Gadget"), ("widgets", "Widget"), ("vaults", "Vault")] {
        admin.apply(&definition(plural, kind)).await;
        let established = |object: Option<&Value>| {
            let conditions = object.map_or(&Value::Null, |object| &object["status"]["conditions"]);
            conditions.as_array().is_some_and(|all| all.iter().any(|one| one["type"] == "Established" && one["status"] == "True"))
        };
        admin.until("the kind is served", "CustomResourceDefinition", "", &format!("{plural}.{GROUP}"), established).await;
    }
    let mut roles: String = ROLES.map(|(name, label, resource, verbs)| role(name, &format!("{label}: 'true'"), resource, verbs)).concat();
    // What the platform keeps from agencies, though it is labelled for whoever edits a namespace.
    let all = ["admin", "edit", "view"].map(|role| format!("rbac.authorization.k8s.io/aggregate-to-{role}: 'true'")).join(", ");
    roles += &role("kept", &format!("{all}, rbac.govcloud.io/aggregate: 'false'"), "vaults", WRITE);
    roles += EDITH;
    // What Flux and Antrea label so, as they are installed.
    for (name, labels) in [("flux", "app.kubernetes.io/part-of: flux"), ("antrea", "app: antrea")] {
        let both = "rbac.authorization.k8s.io/aggregate-to-edit: 'true', rbac.authorization.k8s.io/aggregate-to-admin: 'true'";
        roles += &role(name, &format!("{both}, {labels}"), "vaults", WRITE);
    }
    admin.apply(&roles).await;
    tokio::join!(admin.tenant_with_systems("kinds", &["web"]), admin.tenant_with_systems("others", &["web"]));

    let person = async |user: &str, group: &str| Person { client: alone.plane.client_as(user, &[group]).await.unwrap() };
    let (owner, deployer) = (person("wang", "kinds-owners").await, person("ci-kinds", "none").await);
    let (auditor, neighbour) = (person("li", "kinds-audit").await, person("zhao", "others-owners").await);
    for resource in ["gadgets", "widgets"] {
        for (who, verb) in [(&owner, "create"), (&deployer, "create"), (&auditor, "list")] {
            who.until_may(verb, GROUP, resource, "kinds--web").await;
        }
        owner.until_may("update", GROUP, &format!("{resource}/approve"), "kinds--web").await;
        for (who, verb, resource) in
            [(&auditor, "create", resource), (&neighbour, "list", resource), (&deployer, "update", &format!("{resource}/approve"))]
        {
            assert!(!who.may(verb, GROUP, resource, "kinds--web").await, "{verb} {resource}");
        }
    }
    person("edith", "none").await.until_may("get", GROUP, "vaults", "default").await; // outside of agencies Kubernetes' own role grows
    let pipeline = person("system:serviceaccount:kinds--web:deployer", "none").await;
    for (who, what) in [(&owner, "an Owner"), (&deployer, "a Deployer"), (&auditor, "an Auditor"), (&pipeline, "a pipeline")] {
        assert!(!who.may("get", GROUP, "vaults", "kinds--web").await, "{what} has what the platform keeps from agencies");
    }

    deployer.apply(&gadget("Gadget", "one", "app: web")).await;
    owner.apply(&gadget("Widget", "one", "app: web")).await;
    let refused = deployer.try_apply(&gadget("Gadget", "two", "govcloud.io/tenant: others")).await.unwrap_err();
    assert!(refused.contains("'govcloud-marks'") && refused.contains("rule marks:"), "{refused}");
    let grant = |resource: &str| {
        format!(
            "
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {{name: {resource}, namespace: kinds--web}}
rules: [{{apiGroups: [{GROUP}], resources: [{resource}], verbs: [{WRITE}]}}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: {resource}, namespace: kinds--web}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: {resource}}}
subjects: [{{kind: ServiceAccount, name: default, namespace: kinds--web}}]
"
        )
    };
    owner.apply(&grant("gadgets")).await;
    owner.apply(&grant("widgets")).await;
    let account = person("system:serviceaccount:kinds--web:default", "system:serviceaccounts").await;
    account.until_may("create", GROUP, "widgets", "kinds--web").await;
    let refused = owner.try_apply(&grant("vaults")).await.unwrap_err();
    assert!(refused.contains("attempting to grant RBAC permissions not currently held"), "{refused}");

    operator.stop().await.unwrap();
    for role in ROLES.map(|(name, ..)| name).iter().chain(&["kept", "flux", "antrea"]) {
        admin.api("ClusterRole", "").delete(&format!("kinds:{role}"), &DeleteParams::default()).await.unwrap();
    }
    for plural in ["gadgets", "widgets", "vaults"] {
        let name = format!("{plural}.{GROUP}");
        admin.api("CustomResourceDefinition", "").delete(&name, &DeleteParams::default()).await.unwrap();
        admin.gone("CustomResourceDefinition", "", &name).await;
    }
    for name in ["govcloud:owner", "govcloud:deployer", "govcloud:auditor"] {
        let without = |role: Option<&Value>| role.is_some_and(|role| !role["rules"].to_string().contains(GROUP));
        admin.until("what is gone is granted no more", "ClusterRole", "", name, without).await;
    }
}
