//! Namespaces that were there before: taken over on the word of both sides, with everything in them, and on no other word.

use acceptance::{Operator, request::plugin_as};
use serde_json::{Value, json};
use tokio::task::spawn_blocking;

use crate::cluster::{Person, admin, find_condition, pod_yaml, shared, system_yaml, tenant_yaml};
use crate::history::History;

/// What a team had in its namespaces.
const WORKLOADS: &str = "
{apiVersion: v1, kind: Secret, metadata: {name: old, namespace: NAMESPACE}, stringData: {a: b}}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: team, namespace: NAMESPACE}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}, subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: old-team}]}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: old, namespace: NAMESPACE}, spec: {podSelector: {}, policyTypes: [Ingress]}}
---
{apiVersion: v1, kind: ResourceQuota, metadata: {name: old, namespace: NAMESPACE}, spec: {hard: {configmaps: 50}}}
";

/// What is theirs, by kind and name.
const THEIRS: [(&str, &str); 4] = [("Secret", "old"), ("RoleBinding", "team"), ("NetworkPolicy", "old"), ("ResourceQuota", "old")];

async fn hand_over(admin: &Person, namespace: &str, into: &str) -> Result<(), String> {
    let patch = json!({"metadata": {"annotations": {"govcloud.io/adopt-into": into}}});
    admin.try_patch("Namespace", "", namespace, patch).await.map(drop)
}

async fn uids(admin: &Person, namespace: &str) -> Vec<Value> {
    let mut uids = vec![admin.get("Namespace", "", namespace).await["metadata"]["uid"].clone()];
    for (kind, name) in THEIRS {
        uids.push(admin.get(kind, namespace, name).await["metadata"]["uid"].clone());
    }
    uids
}

/// Waits until the object says that it is in the way of a namespace, in these words.
async fn in_conflict(admin: &Person, kind: &str, namespace: &str, name: &str, words: &str) {
    admin
        .until(words, kind, namespace, name, |object| {
            let ready = object.map_or(&Value::Null, |object| find_condition(object, "Ready"));
            ready["reason"] == "Conflict" && ready["message"].as_str().is_some_and(|message| message.contains(words))
        })
        .await;
}

/// A namespace as a team has it: not yet anybody's, and with objects of an earlier second than the operator's.
async fn namespace_of_a_team(admin: &Person, name: &str) {
    admin.apply(&format!("{{apiVersion: v1, kind: Namespace, metadata: {{name: {name}, labels: {{team: theirs}}}}}}")).await;
    admin.apply(&WORKLOADS.replace("NAMESPACE", name)).await;
}

#[tokio::test]
async fn a_namespace_is_taken_over_with_all_that_is_in_it_when_both_sides_say_so() {
    let admin = admin().await;
    for namespace in ["moved", "moved--app"] {
        namespace_of_a_team(&admin, namespace).await;
    }
    admin.apply(&pod_yaml("moved--app", "running")).await;
    let before = [uids(&admin, "moved").await, uids(&admin, "moved--app").await];
    let pod = admin.get("Pod", "moved--app", "running").await["metadata"]["uid"].clone();

    // One word alone, and a wrong one, change nothing.
    admin.apply(&tenant_yaml("moved")).await;
    in_conflict(&admin, "AgencyTenant", "", "moved", "set spec.adoptNamespace of agencytenant/moved to true, and have").await;
    for wrong in ["clinic", "moved/app", "Moved"] {
        let refused = hand_over(&admin, "moved", wrong).await.unwrap_err();
        assert!(refused.contains("rule namespaces-adopt") && refused.contains("allowed: \"moved\""), "{wrong}: {refused}");
    }
    hand_over(&admin, "moved", "moved").await.unwrap();
    in_conflict(&admin, "AgencyTenant", "", "moved", "agrees to a takeover; to take it over, set spec.adoptNamespace").await;
    assert!(!admin.names("NetworkPolicy", "moved").await.contains(&"govcloud-isolation".to_owned()));

    let mut history = History::of_kinds(&admin, &["AgencyTenant", "HostedSystem"]).await;
    admin.patch("AgencyTenant", "", "moved", json!({"spec": {"adoptNamespace": true}})).await;
    admin.tenant_ready("moved").await;

    // The other way round for the system: first its own word, then that of the namespace.
    admin.apply(&(system_yaml("moved", "app") + "  adoptNamespace: true\n")).await;
    let agree = "also have an administrator of the cluster run `kubectl govcloud adopt moved--app --into moved/app`";
    in_conflict(&admin, "HostedSystem", "moved", "app", agree).await;
    assert!(admin.names("ServiceAccount", "moved--app").await.iter().all(|name| name != "deployer"));
    hand_over(&admin, "moved--app", "moved/app").await.unwrap();
    admin.system_ready("moved", "app").await;

    history.catch_up(&admin, |tenant| tenant == "moved").await;
    let refused = history.conditions("Stalled").filter(|told| told["reason"] == "Refused").collect::<Vec<_>>();
    assert!(refused.is_empty(), "what is tried again is not stalled: {refused:#?}");

    for (namespace, before) in ["moved", "moved--app"].into_iter().zip(before) {
        assert_eq!(uids(&admin, namespace).await, before, "{namespace}");
        let metadata = admin.get("Namespace", "", namespace).await["metadata"].clone();
        let labels = &metadata["labels"];
        assert_eq!((&labels["team"], &labels["govcloud.io/tenant"]), (&json!("theirs"), &json!("moved")), "{namespace}");
        assert_eq!(labels["pod-security.kubernetes.io/enforce"], "restricted", "{namespace}");
        assert!(metadata["annotations"].get("govcloud.io/adopt-into").is_none(), "what was agreed is done: {metadata}");
    }
    assert_eq!(admin.get("Pod", "moved--app", "running").await["metadata"]["uid"], pod);
    admin
        .until("what runs counts", "ResourceQuota", "moved--app", "govcloud-quota", |quota| {
            quota.is_some_and(|quota| quota["status"]["used"]["pods"] == "1")
        })
        .await;

    // What was there before stays through suspension and return, too.
    for stage in ["Suspended", "Running"] {
        admin.patch("HostedSystem", "moved", "app", json!({"spec": {"stage": stage}})).await;
        let ready = if stage == "Running" { "Ready" } else { stage };
        admin.until_condition("HostedSystem", "moved", "app", "Ready", "True", ready).await;
        for (kind, name) in THEIRS {
            assert!(admin.look(kind, "moved--app", name).await.is_some(), "{stage}: {kind} {name}");
        }
    }
}

#[tokio::test]
async fn a_policy_from_before_that_keeps_a_suspended_system_open_is_told() {
    let admin = admin().await;
    admin.tenant_with_systems("inlet", &[]).await;
    admin.apply("{apiVersion: v1, kind: Namespace, metadata: {name: inlet--app}}").await;
    let wide = "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: wide, namespace: inlet--app}, \
                spec: {podSelector: {}, ingress: [{}]}}";
    admin.apply(wide).await;
    hand_over(&admin, "inlet--app", "inlet/app").await.unwrap();
    admin.apply(&(system_yaml("inlet", "app") + "  adoptNamespace: true\n")).await;
    admin.system_ready("inlet", "app").await;
    let message = admin.until_condition("HostedSystem", "inlet", "app", "Isolated", "True", "Isolated").await;
    assert!(message.contains("more may be open by NetworkPolicies") && message.ends_with(": wide"), "{message}");

    admin.patch("HostedSystem", "inlet", "app", json!({"spec": {"stage": "Suspended"}})).await;
    let message = admin.until_condition("HostedSystem", "inlet", "app", "Ready", "False", "OpenedByOthers").await;
    assert!(message.contains("the system is suspended, but its network stays open") && message.contains(": wide; delete"), "{message}");
    assert_eq!(admin.get("HostedSystem", "inlet", "app").await["status"]["stage"], "Suspended");
    admin.delete("NetworkPolicy", "inlet--app", "wide").await;
    admin.until_condition("HostedSystem", "inlet", "app", "Isolated", "True", "Isolated").await;
    admin.until_condition("HostedSystem", "inlet", "app", "Ready", "True", "Suspended").await;
}

#[tokio::test]
async fn a_namespace_of_a_tenant_or_of_kubernetes_is_not_handed_over() {
    let admin = admin().await;
    admin.tenant_with_systems("settled", &[]).await;
    for (namespace, words) in
        [("settled", "is a tenant's already"), ("kube-public", "no tenant is called so"), ("default", "no tenant is called so")]
    {
        let refused = hand_over(&admin, namespace, namespace).await.unwrap_err();
        assert!(refused.contains("rule namespaces-adopt") && refused.contains(words), "{namespace}: {refused}");
    }
}

/// Runs `adopt` as an administrator, or as an Owner; its exit code and what it printed.
async fn adopt(user: &'static str, group: &'static str, arguments: &'static [&'static str]) -> (i32, String) {
    spawn_blocking(move || {
        let program = Operator::build().unwrap();
        plugin_as(&shared().plane, &program, user, group, &[&["adopt"], arguments].concat()).unwrap()
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn the_plugin_shows_a_takeover_before_it_hands_over() {
    let admin = admin().await;
    let (root, masters) = ("adopter", "system:masters");
    for namespace in ["shown", "shown--app"] {
        namespace_of_a_team(&admin, namespace).await;
    }
    admin.apply(&pod_yaml("shown--app", "fits")).await;
    let strange =
        pod_yaml("shown--app", "strange").replace("registry.example.gov.cn/base", "docker.io/library").replace("drop: [ALL]", "drop: []");
    admin.apply(&strange).await;

    for (arguments, words) in [
        (["shown", "--into", "other", "--dry-run"].as_slice(), "a namespace cannot be renamed"),
        (&["shown", "--into", "shown/app", "--dry-run"], "its name must be shown--app"),
        (&["shown", "--into", "kube-system", "--dry-run"], "is reserved"),
        (&["nowhere", "--into", "nowhere", "--dry-run"], "namespace nowhere not found"),
        (&["shown", "--into", "shown", "--dry-run"], "agencytenant/shown not found"),
    ] {
        let (code, text) = adopt(root, masters, arguments).await;
        assert!(code == 2 && text.contains(words), "{arguments:?}: {code} {text}");
    }

    admin.apply(&(tenant_yaml("shown") + "  adoptNamespace: true\n")).await;
    in_conflict(&admin, "AgencyTenant", "", "shown", "also have an administrator").await;
    let version = admin.get("Namespace", "", "shown").await["metadata"]["resourceVersion"].clone();
    let (code, text) = adopt(root, masters, &["shown", "--into", "shown", "--dry-run"]).await;
    assert_eq!(code, 0, "nothing in it is refused: {text}");
    for line in [
        "label govcloud.io/tenant is set to \"shown\"",
        "ResourceQuota govcloud-quota is created",
        "RoleBinding team: role view for Group old-team (no member of the agency)",
        // The settings of the operator that runs, which this command was not told.
        "ingress ingress-nginx * *, ingress monitoring * *",
    ] {
        assert!(text.contains(line), "{line} is not in {text}");
    }
    let (code, text) = adopt("shown-owner", "shown-owners", &["shown", "--into", "shown", "--yes"]).await;
    assert!(code == 2 && text.contains("namespaces \"shown\" is forbidden"), "{code} {text}");
    let (code, text) = adopt(root, masters, &["shown", "--into", "shown"]).await;
    assert!(code == 2 && text.contains("nobody can confirm this; review it, then add --yes"), "{code} {text}");
    assert_eq!(admin.get("Namespace", "", "shown").await["metadata"]["resourceVersion"], version, "nothing was written so far");

    let (code, text) = adopt(root, masters, &["shown", "--into", "shown", "--yes"]).await;
    assert!(code == 0 && text.contains("namespace shown is handed over to shown"), "{code} {text}");
    admin.tenant_ready("shown").await;

    admin.apply(&(system_yaml("shown", "app") + "  adoptNamespace: true\n")).await;
    let (code, text) = adopt(root, masters, &["shown--app", "--into", "shown/app", "--dry-run"]).await;
    assert_eq!(code, 1, "something in it would be refused: {text}");
    for line in [
        "pod strange: rule images: spec.containers[main].image: \"docker.io/library/web:1\" is not under a registry",
        "violate the new PodSecurity enforce level",
        "strange: unrestricted capabilities",
        "ResourceQuota old: pods must fit into it, too",
        "pods: 2 used now, 60 allowed",
    ] {
        assert!(text.contains(line), "{line} is not in {text}");
    }
    assert!(!text.contains("pod fits"), "{text}");
    let (code, text) = adopt(root, masters, &["shown--app", "--into", "shown/app", "--yes"]).await;
    assert_eq!(code, 0, "{text}");
    admin.system_ready("shown", "app").await;
    let mut pods = admin.names("Pod", "shown--app").await;
    pods.sort();
    assert_eq!(pods, ["fits", "strange"]);
}
