//! What Owners wrote themselves lets nobody in who is no member any more, and opens nothing that is closed.

use serde_json::{Value, json};

use crate::cluster::{Person, admin, shared, tenant_yaml};

/// A role, a binding of it to somebody, and one to an account of the agency's own.
async fn let_in(owner: &Person, namespace: &str, user: &str) {
    owner
        .apply(&format!(
            "
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {{name: reader, namespace: {namespace}}}
rules: [{{apiGroups: [''], resources: [configmaps], verbs: [get, list]}}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: by-name, namespace: {namespace}}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}}
subjects: [{{apiGroup: rbac.authorization.k8s.io, kind: User, name: {user}}}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: by-account, namespace: {namespace}}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}}
subjects: [{{kind: ServiceAccount, name: default, namespace: leaving}}]
"
        ))
        .await;
}

#[tokio::test]
async fn whoever_is_struck_off_is_out_by_every_binding_and_a_retired_system_lets_nobody_in() {
    let admin = admin().await;
    admin.tenant_with_systems("leaving", &["web"]).await;
    let owner = shared().person("wang", &["leaving-owners"]).await;
    let_in(&owner, "leaving--web", "ci-leaving").await;
    let ci = shared().person("ci-leaving", &[]).await;
    ci.names("Secret", "leaving--web").await;
    admin.tenant_ready("leaving").await;
    assert!(admin.look("RoleBinding", "leaving--web", "by-name").await.is_some(), "a member may be let in");

    let without: Vec<Value> = admin.get("AgencyTenant", "", "leaving").await["spec"]["members"].as_array().unwrap().clone();
    let without: Vec<_> = without.into_iter().filter(|member| member["name"] != "ci-leaving").collect();
    admin.patch("AgencyTenant", "", "leaving", json!({"spec": {"members": without}})).await;
    admin.gone("RoleBinding", "leaving--web", "by-name").await;
    admin.tenant_ready("leaving").await;
    assert!(admin.look("RoleBinding", "leaving--web", "by-account").await.is_some(), "an account of the agency stays");
    let refused = ci.api("Secret", "leaving--web").list(&Default::default()).await.unwrap_err().to_string();
    assert!(refused.contains("cannot list resource"), "{refused}");

    admin.patch("HostedSystem", "leaving", "web", json!({"spec": {"stage": "Retired"}})).await;
    admin.gone("RoleBinding", "leaving--web", "by-account").await;
    admin.until_condition("HostedSystem", "leaving", "web", "Ready", "True", "Retired").await;
}

#[tokio::test]
async fn a_suspended_system_is_closed_whatever_its_owners_opened() {
    let admin = admin().await;
    admin.apply(&tenant_yaml("opening")).await;
    admin.tenant_ready("opening").await;
    admin.apply(&crate::cluster::system_yaml("opening", "web")).await;
    admin.system_ready("opening", "web").await;
    let owner = shared().person("wang", &["opening-owners"]).await;
    let policy = |name: &str, rules: &str| {
        format!(
            "{{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {{name: {name}, namespace: opening--web}}, \
             spec: {{podSelector: {{}}, {rules}}}}}"
        )
    };
    let dns =
        "egress: [{to: [{namespaceSelector: {}, podSelector: {matchLabels: {k8s-app: kube-dns}}}], ports: [{port: 53, protocol: UDP}]}]";
    let own_pods = "ingress: [{from: [{podSelector: {matchLabels: {app: web}}}]}]";
    owner.apply(&policy("opens", dns)).await;
    owner.apply(&policy("within", own_pods)).await;
    owner.apply(&policy("closes", "ingress: []")).await;
    admin.patch("HostedSystem", "opening", "web", json!({"spec": {"stage": "Suspended"}})).await;
    admin.gone("NetworkPolicy", "opening--web", "opens").await;
    admin.until_condition("HostedSystem", "opening", "web", "Ready", "True", "Suspended").await;
    for stays in ["closes", "within"] {
        assert!(admin.look("NetworkPolicy", "opening--web", stays).await.is_some(), "what opens nothing to others stays: {stays}");
    }
    // What would be deleted is refused, whoever of the agency's people and pipelines writes it, until the system runs again.
    let refused = owner.try_apply(&policy("opens", dns)).await.unwrap_err();
    let cure = "hostedsystem/web or its agency is suspended, so the network is closed; apply the policy again when the system is no longer";
    assert!(refused.contains("rule network-peers") && refused.contains(cure), "{refused}");
    owner.apply(&policy("within-again", own_pods)).await;
    admin.patch("HostedSystem", "opening", "web", json!({"spec": {"stage": "Running"}})).await;
    admin.system_ready("opening", "web").await;
    owner.apply(&policy("opens", dns)).await;

    // The stop of the whole agency says the same.
    admin.patch("AgencyTenant", "", "opening", json!({"spec": {"suspended": true}})).await;
    admin.gone("NetworkPolicy", "opening--web", "opens").await;
    admin.until_condition("HostedSystem", "opening", "web", "Ready", "False", "AgencySuspended").await;
    let refused = owner.try_apply(&policy("opens", dns)).await.unwrap_err();
    assert!(refused.contains(cure), "{refused}");
    assert!(admin.look("NetworkPolicy", "opening--web", "within-again").await.is_some());
}
