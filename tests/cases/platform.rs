//! What administrators and programs of the platform write in tenants' namespaces stays; what members wrote and may no longer have goes,
//! and an event says why.

use std::time::{Duration, Instant};

use kube::api::DeleteParams;
use serde_json::{Value, json};

use crate::cluster::{Person, admin, shared, tenant_yaml};

/// Events come when no tenant is at work, and after a minute at the latest.
const TOLD_WITHIN: Duration = Duration::from_secs(90);

/// A Role, bindings and a policy, as monitoring and a city's auditor have them in each namespace.
const PLATFORM: &str = "
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: prometheus-k8s, namespace: NAMESPACE}
rules: [{apiGroups: [''], resources: [services, endpoints, pods], verbs: [get, list, watch]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: prometheus-k8s, namespace: NAMESPACE}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: prometheus-k8s}
subjects: [{kind: ServiceAccount, name: prometheus-k8s, namespace: monitoring}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: city-audit, namespace: NAMESPACE}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: city-audit}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: monitoring, namespace: NAMESPACE}
spec: {podSelector: {}, policyTypes: [Ingress], ingress: [{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: monitoring}}}]}]}
";

/// What an Owner writes for the agency's own.
const OWNERS: &str = "
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: own-account, namespace: NAMESPACE}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: 'govcloud:auditor'}
subjects: [{kind: ServiceAccount, name: default, namespace: NAMESPACE}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: own-pods, namespace: NAMESPACE}
spec: {podSelector: {}, policyTypes: [Ingress], ingress: [{from: [{podSelector: {}}]}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: own-dns, namespace: NAMESPACE}
spec: {podSelector: {}, policyTypes: [Egress], egress: [{to: [{namespaceSelector: {}, podSelector: {matchLabels: {k8s-app: kube-dns}}}], ports: [{port: 53, protocol: UDP}]}]}
";

/// What an Owner writes for a member.
const OF_A_MEMBER: &str = "
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: of-a-member, namespace: watched--web}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: 'govcloud:auditor'}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: ci-watched}]
";

/// Waits for an event of this reason about this system that says all of these words.
async fn told(admin: &Person, namespace: &str, system: &str, reason: &str, words: &[&str]) {
    let is_it = |event: &Value| {
        let note = event["note"].as_str().unwrap_or_default();
        event["reason"] == reason
            && (&event["regarding"]["kind"], &event["regarding"]["name"]) == (&json!("HostedSystem"), &json!(system))
            && words.iter().all(|word| note.contains(word))
    };
    let begin = Instant::now();
    loop {
        let events = admin.api("Event", namespace).list(&Default::default()).await.unwrap().items;
        let events: Vec<Value> = events.into_iter().map(|event| serde_json::to_value(event).unwrap()).collect();
        if events.iter().any(is_it) {
            return;
        }
        assert!(begin.elapsed() < TOLD_WITHIN, "no event has {words:?}: {events:#?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test]
async fn what_the_platform_wrote_stays_through_suspension_retirement_and_return() {
    let admin = admin().await;
    admin.tenant_with_systems("watched", &["web"]).await;
    let owner = shared().person("wang", &["watched-owners"]).await;
    admin.apply(&PLATFORM.replace("NAMESPACE", "watched--web")).await;
    admin.apply(&PLATFORM.replace("NAMESPACE", "watched")).await;
    owner.apply(&OWNERS.replace("NAMESPACE", "watched--web")).await;
    owner.apply(OF_A_MEMBER).await;
    let uids = async || {
        let mut uids = Vec::new();
        for namespace in ["watched", "watched--web"] {
            for (kind, name) in [("RoleBinding", "prometheus-k8s"), ("RoleBinding", "city-audit"), ("NetworkPolicy", "monitoring")] {
                uids.push(admin.get(kind, namespace, name).await["metadata"]["uid"].clone());
            }
        }
        uids
    };
    let before = uids().await;
    let stage = async |stage: &str, reason: &str| {
        admin.patch("HostedSystem", "watched", "web", json!({"spec": {"stage": stage}})).await;
        admin.until_condition("HostedSystem", "watched", "web", "Ready", "True", reason).await;
        assert_eq!(uids().await, before, "{stage}");
    };
    let own_dns = async || {
        let policy = admin.get("NetworkPolicy", "watched--web", "own-dns").await;
        (policy["metadata"]["uid"].clone(), policy["metadata"]["annotations"].clone(), policy["spec"].clone())
    };
    let running = own_dns().await;
    stage("Suspended", "Suspended").await;
    let suspended = own_dns().await;
    assert!(suspended.0 == running.0 && suspended.1["govcloud.io/suspended-pod-selector"] == "{}", "{suspended:?}");
    assert!(admin.look("NetworkPolicy", "watched--web", "own-pods").await.is_some(), "it opens nothing to others");
    assert!(admin.look("RoleBinding", "watched--web", "own-account").await.is_some(), "members go on to enter a suspended system");
    stage("Retired", "Retired").await;
    assert_eq!(own_dns().await, suspended, "no pod is left that it could apply to");
    admin.gone("RoleBinding", "watched--web", "of-a-member").await;
    stage("Running", "Ready").await;
    assert_eq!(own_dns().await, running, "it came back as it was");
    assert!(admin.look("RoleBinding", "watched--web", "own-account").await.is_some(), "a workload finds its rights when it comes back");
    told(&admin, "watched", "web", "Disabled", &["NetworkPolicy own-dns in watched--web selects no pod for now", "suspended", "restores"])
        .await;
    told(&admin, "watched", "web", "Restored", &["NetworkPolicy own-dns in watched--web has its own podSelector again"]).await;
    told(&admin, "watched", "web", "Removed", &["RoleBinding of-a-member in watched--web was deleted", "members have no access"]).await;
}

#[tokio::test]
async fn whoever_leaves_is_out_though_a_finalizer_holds_the_binding_back() {
    let admin = admin().await;
    admin.tenant_with_systems("holding", &["web"]).await;
    let owner = shared().person("wang", &["holding-owners"]).await;
    let binding = |name: &str, subject: &str| {
        format!(
            "
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: {name}, namespace: holding--web, finalizers: [example.com/never]}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: 'govcloud:auditor'}}
subjects: [{subject}]
"
        )
    };
    owner.apply(&binding("lasting", "{apiGroup: rbac.authorization.k8s.io, kind: User, name: ci-holding}")).await;
    owner.apply(&binding("deleted", "{apiGroup: rbac.authorization.k8s.io, kind: User, name: ci-holding}")).await;
    owner.apply(&binding("staying", "{apiGroup: rbac.authorization.k8s.io, kind: Group, name: holding-audit}")).await;
    owner.delete("RoleBinding", "holding--web", "deleted").await;
    assert!(admin.look("RoleBinding", "holding--web", "deleted").await.is_some(), "it is held back, and applies");

    let members = admin.get("AgencyTenant", "", "holding").await["spec"]["members"].as_array().unwrap().clone();
    let members: Vec<_> = members.into_iter().filter(|member| member["name"] != "ci-holding").collect();
    admin.patch("AgencyTenant", "", "holding", json!({"spec": {"members": members}})).await;
    admin.gone("RoleBinding", "holding--web", "lasting").await;
    admin.gone("RoleBinding", "holding--web", "deleted").await;
    admin.tenant_ready("holding").await;
    assert_eq!(admin.get("AgencyTenant", "", "holding").await["status"]["formerMembers"], json!(["User/ci-holding"]));
    assert!(admin.look("RoleBinding", "holding--web", "staying").await.is_some(), "a finalizer of its own is the agency's affair");
    told(
        &admin,
        "holding",
        "web",
        "Removed",
        &["RoleBinding lasting in holding--web was deleted", "User ci-holding is no longer a member"],
    )
    .await;
}

#[tokio::test]
async fn whoever_takes_namespaces_over_keeps_the_bindings_of_its_members_and_not_those_of_former_ones() {
    let admin = admin().await;
    admin.tenant_with_systems("inherits", &["web"]).await;
    let owner = shared().person("wang", &["inherits-owners"]).await;
    let bind = |name: &str, kind: &str, subject: &str| {
        format!(
            "
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: {name}, namespace: inherits--web}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: 'govcloud:auditor'}}
subjects: [{{apiGroup: rbac.authorization.k8s.io, kind: {kind}, name: {subject}}}]
"
        )
    };
    owner.apply(&bind("of-one-who-is-left-out", "User", "ci-inherits")).await;
    owner.apply(&bind("of-one-who-stays", "Group", "inherits-audit")).await;
    owner.apply(&OWNERS.replace("NAMESPACE", "inherits--web")).await;
    admin.apply(&PLATFORM.replace("NAMESPACE", "inherits--web")).await;
    let uid = admin.get("AgencyTenant", "", "inherits").await["metadata"]["uid"].clone();
    // Lost without having been closed, as with a cluster.
    admin.patch("AgencyTenant", "", "inherits", json!({"metadata": {"finalizers": null}})).await;
    admin.api("AgencyTenant", "").delete("inherits", &DeleteParams::default()).await.unwrap();
    admin.until_condition("HostedSystem", "inherits", "web", "Accepted", "False", "NoTenant").await;

    let member = json!({"kind": "User", "name": "ci-inherits", "role": "Deployer"}).to_string();
    let other = json!({"kind": "User", "name": "ci-other", "role": "Deployer"}).to_string();
    let yaml = tenant_yaml("inherits");
    assert!(yaml.contains(&member), "{yaml}");
    admin.apply(&(yaml.replace(&member, &other) + &format!("  adoptTenantUID: {uid}\n"))).await;
    admin.tenant_ready("inherits").await;
    admin.system_ready("inherits", "web").await;
    admin.gone("RoleBinding", "inherits--web", "of-one-who-is-left-out").await;
    assert_eq!(admin.get("AgencyTenant", "", "inherits").await["status"]["formerMembers"], json!(["User/ci-inherits"]));
    for (kind, name) in [
        ("RoleBinding", "of-one-who-stays"),
        ("RoleBinding", "own-account"),
        ("NetworkPolicy", "own-pods"),
        ("RoleBinding", "prometheus-k8s"),
        ("NetworkPolicy", "monitoring"),
    ] {
        assert!(admin.look(kind, "inherits--web", name).await.is_some(), "{kind} {name}");
    }
    // A finalizer and a label of a program of the platform stay on the namespace while the operator changes it.
    let program = json!({"metadata": {"finalizers": ["controller.example.com/namespace-auth"], "labels": {"istio-injection": "enabled"}}});
    admin.patch("Namespace", "", "inherits--web", program).await;
    admin.patch("AgencyTenant", "", "inherits", json!({"spec": {"domains": ["inherits.example.gov.cn", "more.example.gov.cn"]}})).await;
    let wider = |namespace: Option<&Value>| {
        namespace.is_some_and(|namespace| namespace["metadata"]["annotations"]["govcloud.io/domains"].to_string().contains("more"))
    };
    let namespace = admin.until("its domains are wider", "Namespace", "", "inherits--web", wider).await.unwrap();
    assert_eq!(namespace["metadata"]["finalizers"], json!(["controller.example.com/namespace-auth"]));
    assert_eq!(namespace["metadata"]["labels"]["istio-injection"], "enabled");
    admin.patch("Namespace", "", "inherits--web", json!({"metadata": {"finalizers": null}})).await;
}
