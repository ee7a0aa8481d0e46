//! What was there before, what was made for somebody else, and what was lost: nothing is taken that is not ours, and nothing of
//! ours is given up.

use kube::api::{DeleteParams, PostParams, Preconditions};
use serde_json::json;

use crate::cluster::{Person, admin, pod_yaml, system_yaml, tenant_yaml};

const CLAIM: &str = "
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data, namespace: NAMESPACE}
spec: {storageClassName: standard, accessModes: [ReadWriteOnce], resources: {requests: {storage: 5Gi}}}
";

/// Takes the operator's finalizer off and deletes the object, as an impatient administrator would.
async fn tear_out(admin: &Person, kind: &str, namespace: &str, name: &str) {
    loop {
        admin.patch(kind, namespace, name, json!({"metadata": {"finalizers": null}})).await;
        // The operator may put its finalizer back before the object is deleted; then it was not torn out.
        let metadata = admin.get(kind, namespace, name).await["metadata"].clone();
        if metadata.get("finalizers").is_some() {
            continue;
        }
        let resource_version = metadata["resourceVersion"].as_str().map(str::to_owned);
        let preconditions = Some(Preconditions { resource_version, uid: None });
        match admin.api(kind, namespace).delete(name, &DeleteParams { preconditions, ..DeleteParams::default() }).await {
            Err(kube::Error::Api(refused)) if refused.code == 409 => {}
            deleted => return drop(deleted.unwrap()),
        }
    }
}

/// Kind, name and version of every child in these namespaces.
pub async fn versions(admin: &Person, namespaces: &[&str]) -> Vec<String> {
    let mut versions = Vec::new();
    for namespace in namespaces {
        for kind in ["NetworkPolicy", "ResourceQuota", "LimitRange", "ServiceAccount", "RoleBinding"] {
            for name in admin.names(kind, namespace).await {
                let object = admin.get(kind, namespace, &name).await;
                versions.push(format!("{kind} {namespace}/{name} {}", object["metadata"]["resourceVersion"]));
            }
        }
        versions.push(format!("Namespace {namespace} {}", admin.get("Namespace", "", namespace).await["metadata"]["resourceVersion"]));
    }
    versions
}

#[tokio::test]
async fn a_namesake_takes_over_what_it_says_and_only_what_is_declared() {
    let admin = admin().await;
    admin.tenant_with_systems("heir", &["declared", "forgotten"]).await;
    for namespace in ["heir--declared", "heir--forgotten"] {
        admin.apply(&CLAIM.replace("NAMESPACE", namespace)).await;
        admin.apply(&pod_yaml(namespace, "running")).await;
    }
    let uid = admin.get("AgencyTenant", "", "heir").await["metadata"]["uid"].as_str().unwrap().to_owned();
    // Nothing closes what was torn out while nobody could see it: the systems first, then the tenant, with the operator's eyes open,
    // would be retired. So the tenant goes first.
    tear_out(&admin, "AgencyTenant", "", "heir").await;
    admin.until_condition("HostedSystem", "heir", "declared", "Accepted", "False", "NoTenant").await;
    tear_out(&admin, "HostedSystem", "heir", "forgotten").await;
    let before = versions(&admin, &["heir--declared", "heir--forgotten"]).await;

    admin.apply(&tenant_yaml("heir")).await;
    let message = admin.until_condition("AgencyTenant", "", "heir", "Ready", "False", "OrphanOf").await;
    assert!(
        message.contains(&format!("it belongs to the tenant with UID {uid}"))
            && message.contains(&format!("set spec.adoptTenantUID of agencytenant/heir to {uid}"))
    );
    admin.until_condition("AgencyTenant", "", "heir", "Stalled", "True", "OrphanOf").await;
    assert_eq!(versions(&admin, &["heir--declared", "heir--forgotten"]).await, before);

    admin.patch("AgencyTenant", "", "heir", json!({"spec": {"adoptTenantUID": uid}})).await;
    admin.tenant_ready("heir").await;
    admin.system_ready("heir", "declared").await;
    let heir = admin.get("AgencyTenant", "", "heir").await["metadata"]["uid"].clone();
    for namespace in ["heir", "heir--declared"] {
        assert_eq!(admin.get("Namespace", "", namespace).await["metadata"]["labels"]["govcloud.io/tenant-uid"], heir, "{namespace}");
    }
    assert_eq!(admin.names("Pod", "heir--declared").await, ["running"]);
    assert_eq!(admin.names("PersistentVolumeClaim", "heir--declared").await, ["data"]);
    // The other one stays as it was, is told, and counts.
    assert_eq!(versions(&admin, &["heir--forgotten"]).await, before[before.len() / 2..]);
    assert_eq!(admin.names("Pod", "heir--forgotten").await, ["running"]);
    let told = admin.until_condition("AgencyTenant", "", "heir", "Provisioned", "True", "Provisioned").await;
    assert!(told.contains("not changed until their systems are declared again") && told.contains("heir--forgotten"), "{told}");
    let allocated = admin.get("AgencyTenant", "", "heir").await["status"]["quota"]["allocated"]["requests.cpu"].clone();
    assert_eq!(allocated, "16", "two systems hold 8 cores each");

    admin.apply(&system_yaml("heir", "forgotten").replace("stage: Running", "stage: Retired")).await;
    admin.until_condition("HostedSystem", "heir", "forgotten", "Ready", "True", "Retired").await;
    assert!(admin.names("Pod", "heir--forgotten").await.is_empty());
    assert_eq!(admin.names("PersistentVolumeClaim", "heir--forgotten").await, ["data"]);
}

#[tokio::test]
async fn what_to_take_over_is_a_uid() {
    let admin = admin().await;
    let refused = admin.try_apply(&(tenant_yaml("grasping") + "  adoptTenantUID: everything\n")).await.unwrap_err();
    assert!(refused.contains("spec.adoptTenantUID") && refused.contains("'everything' is not a UID"), "{refused}");
    admin.apply(&(tenant_yaml("grasping") + "  adoptTenantUID: 0f5c2f3e-6d0e-4a57-9a51-52a3c4d1c1aa\n")).await;
    admin.tenant_ready("grasping").await;
}

/// Puts an empty status in the place of an object's, as a restore without statuses does.
async fn wipe_status(admin: &Person, kind: &str, namespace: &str, name: &str) {
    let mut object = admin.get(kind, namespace, name).await;
    object["status"] = json!({});
    let object = serde_json::from_value(object).unwrap();
    admin.api(kind, namespace).replace_status(name, &PostParams::default(), &object).await.unwrap();
}

#[tokio::test]
async fn a_status_that_is_lost_changes_no_child_and_comes_back() {
    let admin = admin().await;
    admin.tenant_with_systems("restored", &["broken", "halted", "web"]).await;
    admin.patch("HostedSystem", "restored", "halted", json!({"spec": {"stage": "Suspended"}})).await;
    admin.until_condition("HostedSystem", "restored", "halted", "Ready", "True", "Suspended").await;
    // A total below what is held, so that the one being served is known from the status alone.
    admin.patch("AgencyTenant", "", "restored", json!({"spec": {"quota": {"requests.cpu": "20"}}})).await;
    admin.until_condition("AgencyTenant", "", "restored", "QuotaWithinBudget", "False", "LoweringPending").await;
    let namespaces = ["restored", "restored--broken", "restored--halted", "restored--web"];
    let before = versions(&admin, &namespaces).await;

    wipe_status(&admin, "AgencyTenant", "", "restored").await;
    for system in ["broken", "halted", "web"] {
        wipe_status(&admin, "HostedSystem", "restored", system).await;
    }
    admin.until_condition("AgencyTenant", "", "restored", "QuotaWithinBudget", "False", "LoweringPending").await;
    admin.until_condition("HostedSystem", "restored", "web", "Provisioned", "True", "Provisioned").await;
    admin.until_condition("HostedSystem", "restored", "halted", "Provisioned", "True", "Provisioned").await;
    assert_eq!(versions(&admin, &namespaces).await, before);
    let status = admin.get("AgencyTenant", "", "restored").await["status"].clone();
    assert_eq!(status["quota"]["total"]["requests.cpu"], "24", "what is in force is what is served");
    let entries: Vec<_> = status["grants"].as_array().unwrap().iter().map(|entry| entry["system"].clone()).collect();
    assert_eq!(entries, ["broken", "halted", "web"]);
}

#[tokio::test]
async fn a_system_that_is_torn_out_is_retired_and_its_volumes_count() {
    let admin = admin().await;
    admin.tenant_with_systems("torn", &["stays", "web"]).await;
    admin.apply(&CLAIM.replace("NAMESPACE", "torn--web")).await;
    admin.apply(&pod_yaml("torn--web", "running")).await;
    tear_out(&admin, "HostedSystem", "torn", "web").await;
    admin
        .until("it is closed", "ResourceQuota", "torn--web", "govcloud-quota", |quota| {
            quota.is_some_and(|quota| {
                let hard = &quota["status"]["hard"];
                (&hard["pods"], &hard["requests.cpu"], &hard["requests.storage"]) == (&json!("0"), &json!("0"), &json!("5Gi"))
            })
        })
        .await;
    admin.gone("Pod", "torn--web", "running").await;
    admin.gone("RoleBinding", "torn--web", "govcloud-owner").await;
    assert_eq!(admin.names("PersistentVolumeClaim", "torn--web").await, ["data"]);
    admin
        .until("its volumes count", "AgencyTenant", "", "torn", |tenant| {
            tenant.is_some_and(|tenant| {
                let allocated = &tenant["status"]["quota"]["allocated"];
                (&allocated["requests.cpu"], &allocated["requests.storage"]) == (&json!("8"), &json!("105Gi"))
            })
        })
        .await;
    admin.system_ready("torn", "stays").await;
}
