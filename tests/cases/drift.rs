//! Whatever others change in what is ours is put right, whoever they say they are; what means nothing to us stays.

use kube::api::{Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use crate::cluster::{Person, admin, system_yaml};

/// The name that a stranger gives itself when it writes: its own, or the operator's.
const MANAGERS: [&str; 2] = ["stranger", "govcloud"];

/// What a stranger does to an object.
enum Harm {
    /// Merges a patch into it.
    Patch(Value),
    /// Deletes it.
    Delete,
    /// Deletes it while a finalizer keeps it.
    DeleteSlowly,
    /// Puts one of its own in its place, without any mark of ours.
    Replace(Value),
}

/// The object without what changes by itself: the version, and how often its quota was raised.
fn content(mut object: Value) -> Value {
    let epoch = &mut object["metadata"]["annotations"]["govcloud.io/epoch"];
    if !epoch.is_null() {
        *epoch = json!("some");
    }
    let metadata = &object["metadata"];
    let kept = ["labels", "annotations", "ownerReferences", "finalizers", "deletionTimestamp"];
    let metadata: Value = kept.map(|field| (field.to_owned(), metadata[field].clone())).into_iter().collect();
    let parts = ["spec", "subjects", "roleRef", "automountServiceAccountToken"];
    let parts: Value = parts.map(|field| (field.to_owned(), object[field].clone())).into_iter().collect();
    json!([metadata, parts])
}

/// Content without labels and annotations that are not ours, for what was deleted with them.
fn own_content(object: Value) -> Value {
    let mut content = content(object);
    for field in ["labels", "annotations"] {
        if let Some(marks) = content[0][field].as_object_mut() {
            marks.retain(|key, _| !key.starts_with("team.example/"));
        }
    }
    content
}

async fn harm(admin: &Person, kind: &str, namespace: &str, name: &str, harm: &Harm, manager: &str) {
    let api = admin.api(kind, namespace);
    let by = PatchParams { field_manager: Some(manager.into()), ..PatchParams::default() };
    match harm {
        Harm::Patch(patch) => drop(api.patch(name, &by, &Patch::Merge(patch)).await.unwrap_or_else(|error| panic!("{patch}: {error}"))),
        Harm::Delete => admin.delete(kind, namespace, name).await,
        Harm::DeleteSlowly => {
            let hold = json!({"metadata": {"finalizers": ["stranger.example/hold"]}});
            api.patch(name, &by, &Patch::Merge(hold)).await.unwrap();
            admin.delete(kind, namespace, name).await;
        }
        Harm::Replace(spec) => {
            let mut object = admin.get(kind, namespace, name).await;
            object["metadata"] = json!({"name": name, "namespace": namespace});
            object.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
            admin.delete(kind, namespace, name).await;
            let by = PostParams { field_manager: Some(manager.into()), dry_run: false };
            match api.create(&by, &serde_json::from_value(object).unwrap()).await {
                // The operator was faster; then there is a namesake no longer.
                Err(kube::Error::Api(status)) if status.code == 409 => {}
                created => drop(created.unwrap()),
            }
        }
    }
}

/// Does each harm in a namespace of its own, once under each name, and waits until the object is as it was.
async fn is_put_right(tenant: &str, kind: &str, name: Option<&str>, harms: Vec<(&str, Harm)>) {
    let admin = admin().await;
    let systems: Vec<String> = (0..harms.len()).map(|number| format!("s{number}")).collect();
    for system in &systems {
        admin.apply(&small_system(tenant, system)).await;
    }
    for system in &systems {
        admin.system_ready(tenant, system).await;
    }
    let cases = harms.iter().zip(&systems).map(|((what, done), system)| {
        let (admin, workload) = (&admin, format!("{tenant}--{system}"));
        async move {
            let (namespace, name) = name.map_or(("", workload.as_str()), |name| (workload.as_str(), name));
            let team = json!({"metadata": {"labels": {"team.example/cost-centre": "42"}, "annotations": {"team.example/note": "ours"}}});
            admin.patch(kind, namespace, name, team).await;
            let before = admin.get(kind, namespace, name).await;
            for manager in MANAGERS {
                harm(admin, kind, namespace, name, done, manager).await;
                let what = format!("{what}, by {manager}");
                let wanted = before.clone();
                let as_before = move |object: Option<&Value>| match (object, done) {
                    (Some(object), Harm::Patch(_)) => content(object.clone()) == content(wanted.clone()),
                    (Some(object), _) => own_content(object.clone()) == own_content(wanted.clone()),
                    (None, _) => false,
                };
                admin.until(&what, kind, namespace, name, as_before).await;
            }
        }
    });
    futures::future::join_all(cases).await;
    admin.tenant_ready(tenant).await;
    for system in &systems {
        admin.system_ready(tenant, system).await;
    }
}

/// A system that leaves room for many.
fn small_system(tenant: &str, name: &str) -> String {
    let sizes = [("requests.cpu: '8'", "requests.cpu: '1'"), ("32Gi", "4Gi"), ("pods: 60", "pods: 10"), ("100Gi", "10Gi")];
    sizes.iter().fold(system_yaml(tenant, name), |yaml, (large, small)| yaml.replace(large, small))
}

fn patch(what: &'static str, patch: Value) -> (&'static str, Harm) {
    (what, Harm::Patch(patch))
}

/// What can be done to any object: its marks taken off or changed, and its life tied to something else.
async fn to_any(tenant: &str) -> Vec<(&'static str, Harm)> {
    let admin = admin().await;
    admin.tenant_with_systems(tenant, &[]).await;
    let owner = json!({
        "apiVersion": "govcloud.io/v1alpha1", "kind": "AgencyTenant", "name": tenant,
        "uid": admin.get("AgencyTenant", "", tenant).await["metadata"]["uid"],
    });
    let labels = |labels: Value| json!({"metadata": {"labels": labels}});
    vec![
        patch("the mark by which it is watched is taken off", labels(json!({"govcloud.io/tenant": null}))),
        patch("the tenant's UID is taken off", labels(json!({"govcloud.io/tenant-uid": null}))),
        patch("another UID is written", labels(json!({"govcloud.io/tenant-uid": "00000000-0000-4000-8000-000000000000"}))),
        patch("both are taken off", labels(json!({"govcloud.io/tenant": null, "govcloud.io/tenant-uid": null}))),
        patch("another system is written", labels(json!({"govcloud.io/system": "other"}))),
        patch("the manager's label is changed", labels(json!({"app.kubernetes.io/managed-by": "other"}))),
        patch("a mark is added", json!({"metadata": {"annotations": {"govcloud.io/other": "x"}, "labels": {"govcloud.io/other": "x"}}})),
        patch("an owner is added", json!({"metadata": {"ownerReferences": [owner]}})),
    ]
}

/// To any object but a namespace.
async fn to_a_child(tenant: &str) -> Vec<(&'static str, Harm)> {
    let mut harms = to_any(tenant).await;
    harms.push(patch("a finalizer is added", json!({"metadata": {"finalizers": ["stranger.example/hold"]}})));
    harms.extend([("it is deleted", Harm::Delete), ("it is deleted and held", Harm::DeleteSlowly)]);
    harms
}

#[tokio::test]
async fn a_namespace_is_put_right() {
    let mut harms = to_any("drift-namespace").await;
    let level = |labels: Value| json!({"metadata": {"labels": labels}});
    harms.extend([
        patch("the level is lowered", level(json!({"pod-security.kubernetes.io/enforce": "privileged"}))),
        patch("the version is taken off", level(json!({"pod-security.kubernetes.io/enforce-version": null}))),
        patch("a label of Pod Security is added", level(json!({"pod-security.kubernetes.io/other": "x"}))),
        patch("the display name is changed", json!({"metadata": {"annotations": {"govcloud.io/display-name": "改名"}}})),
        patch("the display name is taken off", json!({"metadata": {"annotations": {"govcloud.io/display-name": null}}})),
    ]);
    is_put_right("drift-namespace", "Namespace", None, harms).await;
}

#[tokio::test]
async fn a_network_policy_is_put_right() {
    let mut harms = to_a_child("drift-policy").await;
    let inside = json!({"to": [{"podSelector": {}}]});
    harms.extend([
        patch("all ways out are opened beside ours", json!({"spec": {"egress": [inside, {}]}})),
        patch("all ways in are opened", json!({"spec": {"ingress": [{}]}})),
        patch("the ways in are taken away", json!({"spec": {"ingress": null}})),
        patch("the way out is not judged", json!({"spec": {"policyTypes": ["Ingress"]}})),
        patch("some pods are not selected", json!({"spec": {"podSelector": {"matchLabels": {"app": "web"}}}})),
        ("a namesake opens all", Harm::Replace(json!({"spec": {"podSelector": {}, "egress": [{}], "ingress": [{}]}}))),
    ]);
    is_put_right("drift-policy", "NetworkPolicy", Some("govcloud-isolation"), harms).await;
}

#[tokio::test]
async fn a_quota_is_put_right() {
    let mut harms = to_a_child("drift-quota").await;
    let hard = |hard: Value| json!({"spec": {"hard": hard}});
    harms.extend([
        patch("more is allowed", hard(json!({"pods": "1000"}))),
        patch("less is allowed", hard(json!({"pods": "1"}))),
        patch("a key is added", hard(json!({"count/podtemplates": "5"}))),
        patch("a key is taken away", hard(json!({"limits.memory": null}))),
        patch("the ledger's entry is taken off", json!({"metadata": {"annotations": {"govcloud.io/epoch": null}}})),
        patch("another entry is written", json!({"metadata": {"annotations": {"govcloud.io/epoch": "77"}}})),
        ("a namesake allows all", Harm::Replace(json!({"spec": {"hard": {"pods": "1000"}}}))),
    ]);
    is_put_right("drift-quota", "ResourceQuota", Some("govcloud-quota"), harms).await;
}

#[tokio::test]
async fn defaults_are_put_right() {
    let mut harms = to_a_child("drift-defaults").await;
    let ours = json!({
        "type": "Container",
        "default": {"cpu": "500m", "memory": "512Mi"},
        "defaultRequest": {"cpu": "100m", "memory": "128Mi"},
    });
    let more = json!({"type": "Container", "default": {"cpu": "9", "memory": "9Gi"}, "defaultRequest": {"cpu": "1m", "memory": "1Mi"}});
    harms.extend([
        patch("other defaults are written", json!({"spec": {"limits": [more]}})),
        patch("a limit is added", json!({"spec": {"limits": [ours, {"type": "Pod", "max": {"cpu": "1"}}]}})),
        patch("all is taken away", json!({"spec": {"limits": []}})),
    ]);
    is_put_right("drift-defaults", "LimitRange", Some("govcloud-defaults"), harms).await;
}

#[tokio::test]
async fn an_account_is_put_right() {
    let mut harms = to_a_child("drift-account").await;
    harms.extend([
        patch("its token is mounted", json!({"automountServiceAccountToken": true})),
        patch("nothing is said of its token", json!({"automountServiceAccountToken": null})),
        ("a namesake has its token mounted", Harm::Replace(json!({"automountServiceAccountToken": true}))),
    ]);
    is_put_right("drift-account", "ServiceAccount", Some("deployer"), harms).await;
}

#[tokio::test]
async fn a_binding_is_put_right() {
    let mut harms = to_a_child("drift-binding").await;
    let group = |name: &str| json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": name});
    let role = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"});
    harms.extend([
        patch("somebody is let in", json!({"subjects": [group("drift-binding-owners"), group("strangers")]})),
        patch("the owners are shut out", json!({"subjects": null})),
        ("a namesake gives more rights", Harm::Replace(json!({"roleRef": role}))),
    ]);
    is_put_right("drift-binding", "RoleBinding", Some("govcloud-owner"), harms).await;
}
