//! Stages, deletion, and what belongs to somebody else.

use serde_json::{Value, json};

use crate::cluster::{admin, pod_yaml, shared, system_yaml, tenant_yaml};

fn stage(stage: &str) -> serde_json::Value {
    json!({"spec": {"stage": stage}})
}

const CLAIM: &str = "
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data, namespace: NAMESPACE}
spec: {storageClassName: standard, accessModes: [ReadWriteOnce], resources: {requests: {storage: 5Gi}}}
";

#[tokio::test]
async fn a_suspended_system_keeps_its_members_and_its_share_and_admits_no_pod() {
    let admin = admin().await;
    admin.tenant_with_systems("suspends", &["web"]).await;
    admin.apply(&pod_yaml("suspends--web", "before")).await;
    admin.patch("HostedSystem", "suspends", "web", stage("Suspended")).await;
    admin.until_condition("HostedSystem", "suspends", "web", "Ready", "True", "Suspended").await;
    let policy = admin.get("NetworkPolicy", "suspends--web", "govcloud-isolation").await;
    assert_eq!(policy["spec"], json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}));
    let refused = admin.try_apply(&pod_yaml("suspends--web", "during")).await.unwrap_err();
    assert!(refused.contains("exceeded quota: govcloud-quota"), "{refused}");
    assert!(admin.look("RoleBinding", "suspends--web", "govcloud-owner").await.is_some());
    let status = admin.get("HostedSystem", "suspends", "web").await["status"].clone();
    assert_eq!((&status["stage"], &status["granted"]["pods"]), (&json!("Suspended"), &json!("60")));

    admin.patch("HostedSystem", "suspends", "web", stage("Running")).await;
    admin.system_ready("suspends", "web").await;
    admin.apply(&pod_yaml("suspends--web", "after")).await;
}

#[tokio::test]
async fn a_retired_system_keeps_namespace_and_volumes_and_nothing_else() {
    let admin = admin().await;
    admin.tenant_with_systems("retires", &["web"]).await;
    admin.apply(&CLAIM.replace("NAMESPACE", "retires--web")).await;
    admin.apply(&pod_yaml("retires--web", "running")).await;
    admin.patch("HostedSystem", "retires", "web", stage("Retired")).await;
    admin.until_condition("HostedSystem", "retires", "web", "Ready", "True", "Retired").await;
    assert!(admin.names("Pod", "retires--web").await.is_empty());
    assert!(admin.names("RoleBinding", "retires--web").await.is_empty());
    assert_eq!(admin.names("PersistentVolumeClaim", "retires--web").await, ["data"]);
    let hard = admin.get("ResourceQuota", "retires--web", "govcloud-quota").await["status"]["hard"].clone();
    assert_eq!((&hard["requests.storage"], &hard["requests.cpu"], &hard["pods"]), (&json!("5Gi"), &json!("0"), &json!("0")));
    let owner = shared().person("wang", &["retires-owners"]).await;
    let refused = owner.try_apply(&pod_yaml("retires--web", "later")).await.unwrap_err();
    assert!(refused.contains("is forbidden: User \"wang\" cannot"), "{refused}");
    let tenant = admin.get("AgencyTenant", "", "retires").await;
    assert_eq!(
        tenant["status"]["systems"],
        json!({"total": 1, "testing": 0, "deletesVolumes": 0, "running": 0, "suspended": 0, "retired": 1})
    );
}

#[tokio::test]
async fn deleting_a_system_keeps_its_namespace_and_declaring_it_again_takes_it_back() {
    let admin = admin().await;
    admin.tenant_with_systems("retains", &["web"]).await;
    admin.apply(&CLAIM.replace("NAMESPACE", "retains--web")).await;
    admin.apply(&pod_yaml("retains--web", "running")).await;
    let uid = admin.get("Namespace", "", "retains--web").await["metadata"]["uid"].clone();
    admin.delete("HostedSystem", "retains", "web").await;
    admin.gone("HostedSystem", "retains", "web").await;
    assert!(admin.names("Pod", "retains--web").await.is_empty());
    assert!(admin.names("RoleBinding", "retains--web").await.is_empty());
    assert_eq!(admin.names("PersistentVolumeClaim", "retains--web").await, ["data"]);

    admin.apply(&system_yaml("retains", "web")).await;
    admin.system_ready("retains", "web").await;
    assert_eq!(admin.get("Namespace", "", "retains--web").await["metadata"]["uid"], uid);
    assert_eq!(admin.names("RoleBinding", "retains--web").await.len(), 3);
}

#[tokio::test]
async fn deleting_a_system_with_delete_ends_its_pods_and_then_its_namespace() {
    let admin = admin().await;
    admin.tenant_with_systems("deletes", &["kept", "web"]).await;
    admin.apply(&pod_yaml("deletes--web", "running")).await;
    admin.patch("HostedSystem", "deletes", "web", json!({"spec": {"deletionPolicy": "Delete"}})).await;
    admin.delete("HostedSystem", "deletes", "web").await;
    admin.gone("HostedSystem", "deletes", "web").await;
    assert!(admin.look("Namespace", "", "deletes--web").await.is_none());
    admin.system_ready("deletes", "kept").await;
}

#[tokio::test]
async fn a_home_namespace_that_is_deleted_takes_the_volumes_of_confirmed_systems_alone() {
    let admin = admin().await;
    admin.tenant_with_systems("emptied", &["kept", "gone"]).await;
    for system in ["kept", "gone"] {
        admin.apply(&CLAIM.replace("NAMESPACE", &format!("emptied--{system}"))).await;
        admin.patch("HostedSystem", "emptied", system, json!({"spec": {"deletionPolicy": "Delete"}})).await;
    }
    let uid = admin.get("HostedSystem", "emptied", "gone").await["metadata"]["uid"].clone();
    admin.patch("HostedSystem", "emptied", "gone", json!({"metadata": {"annotations": {"govcloud.io/confirm-delete": uid}}})).await;
    admin.delete("Namespace", "", "emptied").await;
    for system in ["kept", "gone"] {
        admin.gone("HostedSystem", "emptied", system).await;
    }
    assert!(admin.look("Namespace", "", "emptied--gone").await.is_none());
    assert!(admin.names("RoleBinding", "emptied--kept").await.is_empty());
    assert_eq!(admin.names("PersistentVolumeClaim", "emptied--kept").await, ["data"]);
    assert_eq!(admin.get("Namespace", "", "emptied--kept").await["metadata"]["deletionTimestamp"], Value::Null);
}

#[tokio::test]
async fn a_deletion_that_hangs_says_what_holds_it_and_goes_on_when_that_is_gone() {
    let admin = admin().await;
    admin.tenant_with_systems("hangs", &["web"]).await;
    let held = "{apiVersion: v1, kind: ConfigMap, metadata: {name: held, namespace: hangs--web, finalizers: [example.com/gone]}}";
    admin.apply(held).await;
    admin.patch("HostedSystem", "hangs", "web", json!({"spec": {"deletionPolicy": "Delete"}})).await;
    admin.delete("HostedSystem", "hangs", "web").await;
    let told = admin.until_condition("HostedSystem", "hangs", "web", "Stalled", "True", "FinalizersRemaining").await;
    for words in
        ["namespace hangs--web is being deleted", "configmaps. has 1 resource instances", "example.com/gone in 1 resource instances"]
    {
        assert!(told.contains(words), "{words}: {told}");
    }
    let ready = admin.until_condition("HostedSystem", "hangs", "web", "Ready", "False", "Deleting").await;
    assert_eq!(ready, format!("the system is being deleted; {told}"));
    admin.patch("ConfigMap", "hangs--web", "held", json!({"metadata": {"finalizers": null}})).await;
    admin.gone("HostedSystem", "hangs", "web").await;
}

#[tokio::test]
async fn a_pod_that_holds_a_deletion_is_told_with_its_finalizer_though_its_namespace_says_nothing() {
    let admin = admin().await;
    admin.tenant_with_systems("clings", &["web"]).await;
    admin.apply(&pod_yaml("clings--web", "held").replace("name: held,", "name: held, finalizers: [example.com/gone],")).await;
    admin.patch("HostedSystem", "clings", "web", json!({"spec": {"deletionPolicy": "Delete"}})).await;
    admin.delete("HostedSystem", "clings", "web").await;
    let told = admin.until_condition("HostedSystem", "clings", "web", "Stalled", "True", "FinalizersRemaining").await;
    for words in ["1 pod remains; finalizers remaining: example.com/gone in 1", "a platform administrator"] {
        assert!(told.contains(words), "{words}: {told}");
    }
    let namespace = admin.get("Namespace", "", "clings--web").await;
    let silent = |condition: &Value| condition["status"] == "False";
    assert!(namespace["status"]["conditions"].as_array().unwrap().iter().all(silent), "{namespace}");
    admin.patch("Pod", "clings--web", "held", json!({"metadata": {"finalizers": null}})).await;
    admin.gone("HostedSystem", "clings", "web").await;
}

#[tokio::test]
async fn a_system_is_retired_when_its_pods_are_gone_and_says_what_holds_them() {
    let admin = admin().await;
    admin.tenant_with_systems("lingers", &["web"]).await;
    admin.apply(&pod_yaml("lingers--web", "held").replace("name: held,", "name: held, finalizers: [example.com/gone],")).await;
    admin.patch("HostedSystem", "lingers", "web", json!({"spec": {"stage": "Retired"}})).await;
    let holder = |system: Option<&Value>| {
        let message = system.map(|system| crate::cluster::find_condition(system, "Ready")["message"].to_string());
        message.is_some_and(|message| message.contains("1 pod remains; finalizers remaining: example.com/gone in 1"))
    };
    admin.until("it says what holds its pod", "HostedSystem", "lingers", "web", holder).await;
    assert_ne!(admin.get("HostedSystem", "lingers", "web").await["status"]["stage"], "Retired");
    admin.patch("Pod", "lingers--web", "held", json!({"metadata": {"finalizers": null}})).await;
    admin.until_condition("HostedSystem", "lingers", "web", "Ready", "True", "Retired").await;
}

#[tokio::test]
async fn deleting_a_tenant_keeps_its_namespaces_closed() {
    let admin = admin().await;
    admin.tenant_with_systems("leaves", &["web"]).await;
    admin.apply(&pod_yaml("leaves--web", "running")).await;
    admin.delete("AgencyTenant", "", "leaves").await;
    admin.gone("AgencyTenant", "", "leaves").await;
    for namespace in ["leaves", "leaves--web"] {
        assert!(admin.look("Namespace", "", namespace).await.is_some(), "{namespace}");
        assert!(admin.names("RoleBinding", namespace).await.is_empty(), "{namespace}");
        assert!(admin.names("Pod", namespace).await.is_empty(), "{namespace}");
        assert!(admin.look("NetworkPolicy", namespace, "govcloud-isolation").await.is_some(), "{namespace}");
    }
    // What is left of its systems belongs to nobody, and can be deleted.
    admin.until_condition("HostedSystem", "leaves", "web", "Accepted", "False", "NoTenant").await;
    admin.delete("HostedSystem", "leaves", "web").await;
    admin.gone("HostedSystem", "leaves", "web").await;
    assert!(admin.look("Namespace", "", "leaves--web").await.is_some());
}

#[tokio::test]
async fn deleting_a_tenant_with_delete_follows_each_systems_own_wish() {
    let admin = admin().await;
    admin.tenant_with_systems("dissolved", &["kept", "web"]).await;
    admin.patch("HostedSystem", "dissolved", "web", json!({"spec": {"deletionPolicy": "Delete"}})).await;
    admin.patch("AgencyTenant", "", "dissolved", json!({"spec": {"deletionPolicy": "Delete"}})).await;
    // Only what is in the contract destroys anything.
    let agreed =
        |tenant: Option<&serde_json::Value>| tenant.is_some_and(|tenant| tenant["status"]["contract"]["deletionPolicy"] == "Delete");
    admin.until("it is agreed", "AgencyTenant", "", "dissolved", agreed).await;
    admin.delete("AgencyTenant", "", "dissolved").await;
    admin.gone("AgencyTenant", "", "dissolved").await;
    for (namespace, left) in [("dissolved", false), ("dissolved--web", false), ("dissolved--kept", true)] {
        assert_eq!(admin.look("Namespace", "", namespace).await.is_some(), left, "{namespace}");
    }
}

#[tokio::test]
async fn a_namespace_that_exists_is_left_alone_and_the_tenant_says_so() {
    let admin = admin().await;
    admin.apply("{apiVersion: v1, kind: Namespace, metadata: {name: taken, labels: {team: theirs}}}").await;
    admin.apply(&tenant_yaml("taken")).await;
    let message = admin.until_condition("AgencyTenant", "", "taken", "Ready", "False", "Conflict").await;
    assert!(message.contains("namespace taken exists and is not this tenant's"), "{message}");
    admin.until_condition("AgencyTenant", "", "taken", "Stalled", "True", "Conflict").await;
    let labels = admin.get("Namespace", "", "taken").await["metadata"]["labels"].clone();
    assert_eq!(labels, json!({"team": "theirs", "kubernetes.io/metadata.name": "taken"}));
    assert!(admin.names("NetworkPolicy", "taken").await.is_empty());
    // The cure that the message names works without touching the tenant.
    admin.delete("Namespace", "", "taken").await;
    admin.tenant_ready("taken").await;
}

#[tokio::test]
async fn a_namesake_of_a_deleted_tenant_does_not_inherit() {
    let admin = admin().await;
    admin.tenant_with_systems("namesake", &[]).await;
    admin.delete("AgencyTenant", "", "namesake").await;
    admin.gone("AgencyTenant", "", "namesake").await;
    admin.apply(&tenant_yaml("namesake")).await;
    let message = admin.until_condition("AgencyTenant", "", "namesake", "Ready", "False", "OrphanOf").await;
    assert!(message.contains("it belongs to the tenant with UID ") && message.contains("set spec.adoptTenantUID"), "{message}");
    assert!(admin.names("RoleBinding", "namesake").await.is_empty());
}

#[tokio::test]
async fn systems_in_a_namespace_that_is_somebody_elses_are_not_served() {
    let admin = admin().await;
    admin.apply("{apiVersion: v1, kind: Namespace, metadata: {name: squatted}}").await;
    admin.apply(&system_yaml("squatted", "sneaky")).await;
    admin.until_condition("HostedSystem", "squatted", "sneaky", "Accepted", "False", "NoTenant").await;
    admin.apply(&tenant_yaml("squatted")).await;
    admin.until_condition("AgencyTenant", "", "squatted", "Ready", "False", "Conflict").await;
    admin.until_condition("HostedSystem", "squatted", "sneaky", "Ready", "Unknown", "Conflict").await;
    assert!(admin.look("Namespace", "", "squatted--sneaky").await.is_none());
}

#[tokio::test]
async fn what_is_deleted_is_forgotten() {
    let admin = admin().await;
    let systems = ["a", "b", "c", "d", "e"];
    admin.tenant_with_systems("forgotten", &systems).await;
    for system in systems {
        admin.delete("HostedSystem", "forgotten", system).await;
    }
    for system in systems {
        admin.gone("HostedSystem", "forgotten", system).await;
    }
    admin
        .until("no system is left", "AgencyTenant", "", "forgotten", |tenant| {
            tenant.is_some_and(|tenant| tenant["status"]["summary"]["systems"] == "0/0" && tenant["status"]["systems"]["total"] == 0)
        })
        .await;
    admin.delete("AgencyTenant", "", "forgotten").await;
    admin.gone("AgencyTenant", "", "forgotten").await;
}

#[tokio::test]
async fn a_transition_is_told_as_an_event() {
    let admin = admin().await;
    admin.tenant_with_systems("events", &["web"]).await;
    admin.patch("HostedSystem", "events", "web", json!({"spec": {"stage": "Suspended"}})).await;
    admin.until_condition("HostedSystem", "events", "web", "Ready", "True", "Suspended").await;
    let told = async |reason: &str| {
        let events = admin.api("Event", "events").list(&Default::default()).await.unwrap().items;
        events.iter().any(|event| event.data["reason"] == reason)
    };
    // It comes when no tenant is at work, and after a minute at the latest.
    let begin = std::time::Instant::now();
    while !told("Suspended").await {
        assert!(begin.elapsed() < std::time::Duration::from_secs(90), "nothing is told");
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    assert!(!told("Ready").await, "events come in order, and that a new system is ready says its condition");
}
