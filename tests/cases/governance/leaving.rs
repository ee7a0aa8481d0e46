//! What Owners wrote themselves lets nobody in who is no member any more, and opens nothing that is closed.

use serde_json::{Value, json};

use crate::cluster::{Person, admin, shared};

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

/// A network policy of the namespace of system web.
fn policy(tenant: &str, name: &str, selector: &str, rules: &str) -> String {
    format!(
        "{{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {{name: {name}, namespace: {tenant}--web}}, \
         spec: {{podSelector: {selector}, {rules}}}}}"
    )
}

/// What a suspension closes.
const DNS: &str =
    "egress: [{to: [{namespaceSelector: {}, podSelector: {matchLabels: {k8s-app: kube-dns}}}], ports: [{port: 53, protocol: UDP}]}]";
/// What it leaves open.
const OWN_PODS: &str = "ingress: [{from: [{podSelector: {matchLabels: {app: web}}}]}]";
const KEPT: &str = "govcloud.io/suspended-pod-selector";

/// Selects no pod whatever labels it has.
fn selects_nothing(policy: &Value) -> bool {
    policy["spec"]["podSelector"]
        == json!({
            "matchLabels": {"govcloud.io/suspended": "true"},
            "matchExpressions": [{"key": "govcloud.io/suspended", "operator": "DoesNotExist"}],
        })
}

#[tokio::test]
async fn a_suspended_system_is_closed_whatever_its_owners_opened_and_their_policies_come_back() {
    let admin = admin().await;
    admin.tenant_with_systems("opening", &["web"]).await;
    let owner = shared().person("wang", &["opening-owners"]).await;
    let selector = "{matchLabels: {app: web}, matchExpressions: [{key: tier, operator: In, values: [front, back]}]}";
    for (name, selector, rules) in
        [("opens", selector, DNS), ("opens-all", "{}", DNS), ("within", "{}", OWN_PODS), ("closes", "{}", "ingress: []")]
    {
        owner.apply(&policy("opening", name, selector, rules)).await;
    }
    let names = ["opens", "opens-all", "within", "closes"];
    let now = async || {
        let mut policies = Vec::new();
        for name in names {
            let policy = admin.get("NetworkPolicy", "opening--web", name).await;
            let annotations = policy["metadata"]["annotations"].clone();
            policies.push((policy["metadata"]["uid"].clone(), annotations, policy["spec"].clone()));
        }
        policies
    };
    let before = now().await;
    let stop_system = (
        "HostedSystem",
        "opening",
        "web",
        json!({"spec": {"stage": "Suspended"}}),
        json!({"spec": {"stage": "Running"}}),
        "True",
        "Suspended",
    );
    let stop_agency = (
        "AgencyTenant",
        "",
        "opening",
        json!({"spec": {"suspended": true}}),
        json!({"spec": {"suspended": false}}),
        "False",
        "AgencySuspended",
    );
    for (kind, namespace, name, stop, go, ready, reason) in [stop_system, stop_agency] {
        admin.patch(kind, namespace, name, stop).await;
        admin.until_condition("HostedSystem", "opening", "web", "Ready", ready, reason).await;
        admin.until_condition("HostedSystem", "opening", "web", "Isolated", "True", "Isolated").await;
        let during = now().await;
        for ((name, before), during) in names.iter().zip(&before).zip(&during) {
            let closed = name.starts_with("opens");
            assert_eq!(before.0, during.0, "{name}");
            assert_eq!(selects_nothing(&json!({"spec": during.2})), closed, "{name}: {}", during.2);
            assert!(closed || before == during, "what opens nothing to others stays: {name}");
        }
        members_leave_it_so(&owner).await;
        assert_eq!(now().await, during, "what was refused has changed nothing");
        admin.patch(kind, namespace, name, go).await;
        admin.system_ready("opening", "web").await;
        assert_eq!(now().await, before, "each is what it was");
    }
    // Whoever applies it again finds nothing in the way.
    owner.apply(&policy("opening", "opens", "{matchLabels: {app: web}}", DNS)).await;
}

/// What was made ineffective is refused to the agency's people and pipelines until the system runs again, and no policy that opens
/// more is new.
async fn members_leave_it_so(owner: &Person) {
    let again = json!({"spec": {"podSelector": {"matchLabels": {"app": "web", "govcloud.io/suspended": null}, "matchExpressions": null}}});
    let mark = |value: Value| json!({"metadata": {"annotations": {KEPT: value}}});
    for (patch, rule) in [(again, "rule network-suspended"), (mark(Value::Null), "rule marks"), (mark(json!("{}")), "rule marks")] {
        let refused = owner.try_patch("NetworkPolicy", "opening--web", "opens", patch.clone()).await.unwrap_err();
        assert!(refused.contains(rule), "{patch}: {refused}");
    }
    let refused = owner.try_apply(&policy("opening", "opens", "{matchLabels: {app: web}}", DNS)).await.unwrap_err();
    assert!(refused.contains("rule network-suspended"), "{refused}");
    let cure = "hostedsystem/web or its agency is suspended, so the network is closed; apply the policy again when the system is no longer";
    let refused = owner.try_apply(&policy("opening", "new", "{}", DNS)).await.unwrap_err();
    assert!(refused.contains("rule network-peers") && refused.contains(cure), "{refused}");
    owner.patch("NetworkPolicy", "opening--web", "within", json!({"metadata": {"labels": {"team": "a"}}})).await;
}

/// Or an Owner could keep the network open by the size of a policy.
#[tokio::test]
async fn a_policy_that_has_no_room_for_its_selector_is_deleted_by_a_suspension() {
    let admin = admin().await;
    admin.tenant_with_systems("crammed", &["web"]).await;
    let owner = shared().person("wang", &["crammed-owners"]).await;
    let values: Vec<String> = (0..6_000).map(|number| format!("a-value-of-a-label-that-is-as-long-as-it-may-be-{number:06}")).collect();
    let selector = format!("{{matchExpressions: [{{key: app, operator: NotIn, values: [{}]}}]}}", values.join(", "));
    owner.apply(&policy("crammed", "large", &selector, DNS)).await;
    admin.patch("HostedSystem", "crammed", "web", json!({"spec": {"stage": "Suspended"}})).await;
    admin.gone("NetworkPolicy", "crammed--web", "large").await;
    admin.until_condition("HostedSystem", "crammed", "web", "Ready", "True", "Suspended").await;
}
