//! What a dry run cannot show: what Kubernetes' own controllers do with what an attacker wrote, what is counted, what comes after.

use std::time::Instant;

use acceptance::manifests;
use futures::{StreamExt, stream};
use kube::{
    Api,
    api::{ApiResource, DeleteParams, Patch, PatchParams, PostParams},
    core::GroupVersionKind,
};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::World;
use crate::cluster::{PATIENCE, Person, admin, pod_yaml, shared, system_yaml, tenant_yaml};

/// An owner of an ordinary tenant.
async fn owner_of(tenant: &str) -> Person {
    shared().person("olga", &[&format!("{tenant}-owners")]).await
}

/// Creates an object, or says what the API server answers.
async fn create(person: &Person, kind: &str, namespace: &str, object: Value) -> Result<Value, String> {
    let object = serde_json::from_value(object).unwrap();
    let created = person.api(kind, namespace).create(&PostParams::default(), &object).await.map_err(|error| error.to_string())?;
    Ok(serde_json::to_value(created).unwrap())
}

#[tokio::test]
async fn objects_without_number_end_at_the_cap_however_fast_they_come() {
    let admin = admin().await;
    admin.tenant_with_systems("crams", &["web"]).await;
    let hard = admin.get("ResourceQuota", "crams--web", "govcloud-quota").await["spec"]["hard"].clone();
    let cap: usize = hard["count/roles.rbac.authorization.k8s.io"].as_str().unwrap().parse().unwrap();
    let owner = &owner_of("crams").await;
    let role = |number: usize| json!({"metadata": {"name": format!("role-{number}")}, "rules": []});
    let tries = (0..cap * 2).map(|number| create(owner, "Role", "crams--web", role(number)));
    let answers: Vec<_> = stream::iter(tries).buffer_unordered(16).collect().await;
    let refusals: Vec<_> = answers.iter().filter_map(|answer| answer.as_ref().err()).collect();
    assert!(!refusals.is_empty() && refusals.iter().all(|words| words.contains("exceeded quota: govcloud-quota")), "{refusals:?}");
    assert_eq!(admin.names("Role", "crams--web").await.len(), cap);
    // What an attacker could fill the store with is counted, kind by kind.
    for kind in ["configmaps", "secrets", "count/cronjobs.batch", "count/jobs.batch", "count/serviceaccounts"] {
        assert!(hard[kind].is_string(), "{kind} has no cap: {hard}");
    }
}

#[tokio::test]
async fn what_names_very_many_containers_can_still_be_changed_and_deleted() {
    let admin = admin().await;
    admin.tenant_with_systems("manifold", &["web"]).await;
    let owner = owner_of("manifold").await;
    let pod = manifests::parse(&pod_yaml("manifold--web", "many")).unwrap().remove(0).data;
    let mut template = json!({"metadata": {"labels": {"app": "many"}}, "spec": pod["spec"]});
    let container = template["spec"]["containers"][0].clone();
    let named = |number: usize| {
        let mut container = container.clone();
        container["name"] = format!("container-{number}").into();
        container
    };
    template["spec"]["containers"] = (0..500).map(named).collect();
    let spec = json!({"replicas": 0, "selector": {"matchLabels": {"app": "many"}}, "template": template});
    create(&owner, "Deployment", "manifold--web", json!({"metadata": {"name": "many"}, "spec": spec})).await.unwrap();
    // Nothing of these judges the containers anew, whose number would exceed the budget of a policy.
    owner.patch("Deployment", "manifold--web", "many", json!({"metadata": {"labels": {"seen": "yes"}}})).await;
    owner.patch("Deployment", "manifold--web", "many", json!({"spec": {"paused": true}})).await;
    let foreground = DeleteParams::foreground();
    owner.api("Deployment", "manifold--web").delete("many", &foreground).await.unwrap();
    admin.until("the garbage collector ends it", "Deployment", "manifold--web", "many", |found| found.is_none()).await;
}

#[tokio::test]
async fn a_pod_that_asks_for_nothing_is_counted_with_the_defaults() {
    let admin = admin().await;
    admin.tenant_with_systems("modest", &["web"]).await;
    admin.until("is there", "ServiceAccount", "modest--web", "default", |account| account.is_some()).await;
    let owner = owner_of("modest").await;
    owner.apply(&pod_yaml("modest--web", "asks-for-nothing")).await;
    let resources = admin.get("Pod", "modest--web", "asks-for-nothing").await["spec"]["containers"][0]["resources"].clone();
    assert_eq!(resources, json!({"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"cpu": "500m", "memory": "512Mi"}}));
    let counted = |quota: Option<&Value>| quota.is_some_and(|quota| quota["status"]["used"]["requests.cpu"] == "100m");
    admin.until("the pod is counted", "ResourceQuota", "modest--web", "govcloud-quota", counted).await;
}

#[tokio::test]
async fn the_garbage_collector_takes_what_is_an_owners_and_is_lent_nothing_of_the_operators() {
    let admin = admin().await;
    admin.tenant_with_systems("lends", &["web"]).await;
    let owner = owner_of("lends").await;
    let dead = json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "gone", "uid": "00000000-0000-4000-8000-000000000000"}]);
    let lent = json!({"metadata": {"ownerReferences": dead}});
    let managed = [
        ("NetworkPolicy", "lends--web", "govcloud-isolation", "cannot|marks-managed"),
        ("RoleBinding", "lends--web", "govcloud-auditor", "marks-managed"),
        ("ServiceAccount", "lends--web", "deployer", "marks-managed"),
        ("ResourceQuota", "lends--web", "govcloud-quota", "cannot"),
        ("HostedSystem", "lends", "web", "system-owner-references"),
        ("AgencyTenant", "", "lends", "tenant-owner-references"),
    ];
    for (kind, namespace, name, words) in managed {
        let refused = owner.try_patch(kind, namespace, name, lent.clone()).await.expect_err(name);
        assert!(words.split('|').any(|word| refused.contains(word)), "{refused}");
    }
    create(&owner, "Secret", "lends--web", json!({"metadata": {"name": "lent", "ownerReferences": dead}})).await.unwrap();
    admin.gone("Secret", "lends--web", "lent").await;
    for (kind, namespace, name, _) in managed {
        assert_eq!(admin.get(kind, namespace, name).await["metadata"]["ownerReferences"], Value::Null, "{kind} {name}");
    }
}

#[tokio::test]
async fn a_finalizer_of_its_own_holds_an_agency_back_outside_of_its_closed_namespace() {
    let admin = admin().await;
    admin.tenant_with_systems("departs", &["kept"]).await;
    admin.apply(&format!("{}  deletionPolicy: Delete\n", system_yaml("departs", "web"))).await;
    admin.system_ready("departs", "web").await;
    let owner = owner_of("departs").await;
    create(&owner, "Secret", "departs--web", json!({"metadata": {"name": "held", "finalizers": ["example.com/never"]}})).await.unwrap();
    let ours = json!({"metadata": {"name": "ours", "finalizers": ["govcloud.io/hold"]}});
    let refused = create(&owner, "Secret", "departs--web", ours).await.unwrap_err();
    assert!(refused.contains("rule marks-finalizers"), "{refused}");
    let uid = admin.get("HostedSystem", "departs", "web").await["metadata"]["uid"].clone();
    owner.patch("HostedSystem", "departs", "web", json!({"metadata": {"annotations": {"govcloud.io/confirm-delete": uid}}})).await;
    owner.delete("HostedSystem", "departs", "web").await;
    let waits = |namespace: Option<&Value>| {
        let conditions = namespace.and_then(|namespace| namespace["status"]["conditions"].as_array()).into_iter().flatten();
        conditions.into_iter().any(|condition| condition["type"] == "NamespaceFinalizersRemaining" && condition["status"] == "True")
    };
    admin.until("it waits", "Namespace", "", "departs--web", waits).await;
    let refused = owner.api("Secret", "departs--web").get("held").await.unwrap_err().to_string();
    assert!(refused.contains("cannot get resource"), "nobody enters it: {refused}");
    admin.patch("Secret", "departs--web", "held", json!({"metadata": {"finalizers": null}})).await;
    admin.gone("Namespace", "", "departs--web").await;
}

#[tokio::test]
async fn kubernetes_fills_no_secret_of_an_agency_with_a_token() {
    let admin = admin().await;
    admin.tenant_with_systems("mints", &["web"]).await;
    let secret = json!({
        "metadata": {"name": "minted", "annotations": {"kubernetes.io/service-account.name": "default"}},
        "type": "kubernetes.io/service-account-token",
    });
    for person in [&owner_of("mints").await, &shared().person("ci-mints", &[]).await, &admin] {
        let refused = create(person, "Secret", "mints--web", secret.clone()).await.unwrap_err();
        assert!(refused.contains("rule secret-types: type: \"kubernetes.io/service-account-token\""), "{refused}");
    }
    // Outside tenants Kubernetes does, which is why.
    admin.apply("{apiVersion: v1, kind: Namespace, metadata: {name: mints-outside}}").await;
    admin.until("is there", "ServiceAccount", "mints-outside", "default", |account| account.is_some()).await;
    create(&admin, "Secret", "mints-outside", secret).await.unwrap();
    let filled = |secret: Option<&Value>| secret.is_some_and(|secret| secret["data"]["token"].is_string());
    admin.until("is filled", "Secret", "mints-outside", "minted", filled).await;
}

#[tokio::test]
async fn whoever_asked_for_a_name_before_has_nothing_of_it_when_another_asks() {
    let admin = admin().await;
    let ask = |user: &str| {
        tenant_yaml("reborn")
            .replace("preapproved: true", "preapproved: false")
            .replace("{\"kind\":\"Group\",\"name\":\"reborn-owners\"", &format!("{{\"kind\":\"User\",\"name\":\"{user}\""))
    };
    let yaml = |user: &str| {
        let yaml = ask(user);
        assert!(yaml.contains(user), "{yaml}");
        serde_yaml::from_str::<Value>(&yaml).unwrap()
    };
    let [first, second] = [("reborn-first", &["govcloud:requesters"][..]), ("reborn-second", &["govcloud:requesters"])];
    let [first, second] = [shared().person(first.0, first.1).await, shared().person(second.0, second.1).await];
    create(&first, "AgencyTenant", "", yaml("reborn-first")).await.unwrap();
    admin.until_condition("AgencyTenant", "", "reborn", "Approved", "False", "Requested").await;
    until_may_read(&first, "reborn").await;
    admin.delete("AgencyTenant", "", "reborn").await;
    admin.gone("AgencyTenant", "", "reborn").await;
    admin.gone("ClusterRole", "", "govcloud:tenant:reborn").await;
    create(&second, "AgencyTenant", "", yaml("reborn-second")).await.unwrap();
    until_may_read(&second, "reborn").await;
    let refused = first.api("AgencyTenant", "").get("reborn").await.unwrap_err().to_string();
    assert!(refused.contains("cannot get resource"), "{refused}");
}

/// Waits for the one binding that a request brings.
async fn until_may_read(person: &Person, tenant: &str) {
    let begin = Instant::now();
    while let Err(error) = person.api("AgencyTenant", "").get(tenant).await {
        assert!(begin.elapsed() < PATIENCE, "{tenant}: {error}");
        sleep(std::time::Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn what_is_forged_in_a_status_moves_nothing() {
    let admin = admin().await;
    admin.tenant_with_systems("forges", &["web"]).await;
    let owner = owner_of("forges").await;
    let forge = |kind: &'static str, namespace: &'static str, name: &'static str, status: Value| {
        let api = owner.api(kind, namespace);
        async move { api.patch_status(name, &PatchParams::default(), &Patch::Merge(json!({"status": status}))).await }
    };
    let refused = forge("HostedSystem", "forges", "web", json!({"granted": {"requests.cpu": "40"}})).await.unwrap_err().to_string();
    assert!(refused.contains("cannot patch resource \"hostedsystems/status\""), "{refused}");
    let refused = forge("AgencyTenant", "", "forges", json!({"stage": "Active"})).await.unwrap_err().to_string();
    assert!(refused.contains("cannot patch resource \"agencytenants/status\""), "{refused}");
    // A status that is forged with every right there is, is told anew, and no quota follows it.
    let hard = admin.get("ResourceQuota", "forges--web", "govcloud-quota").await["spec"]["hard"].clone();
    let forged = json!({"status": {"granted": {"requests.cpu": "40"}}});
    admin.api("HostedSystem", "forges").patch_status("web", &PatchParams::default(), &Patch::Merge(forged)).await.unwrap();
    let told = |system: Option<&Value>| system.is_some_and(|system| system["status"]["granted"]["requests.cpu"] == "8");
    admin.until("is told anew", "HostedSystem", "forges", "web", told).await;
    assert_eq!(admin.get("ResourceQuota", "forges--web", "govcloud-quota").await["spec"]["hard"], hard);
}

#[tokio::test]
async fn nobody_of_an_agency_becomes_somebody_else() {
    let world = World::on_shared().await;
    let reviews = ApiResource::from_gvk(&GroupVersionKind::gvk("authorization.k8s.io", "v1", "SelfSubjectAccessReview"));
    let may = async |person: &str, resource: &str| {
        let review =
            json!({"metadata": {}, "spec": {"resourceAttributes": {"verb": "impersonate", "resource": resource, "name": "admin"}}});
        let api: Api<kube::api::DynamicObject> = Api::all_with(world.client(person).await, &reviews);
        let answer = api.create(&PostParams::default(), &serde_json::from_value(review).unwrap()).await.unwrap();
        answer.data["status"]["allowed"] == true
    };
    for resource in ["users", "groups", "serviceaccounts"] {
        assert!(may("admin", resource).await, "the administrator impersonates {resource}");
        for person in ["owner", "deployer", "auditor", "pipeline", "workload", "requester", "system-admin", "security-admin", "operator"] {
            assert!(!may(person, resource).await, "{person} impersonates {resource}");
        }
    }
}

#[tokio::test]
async fn whoever_waits_for_a_namespace_finds_it_guarded() {
    let admin = admin().await;
    admin.apply(&tenant_yaml("races")).await;
    admin.tenant_ready("races").await;
    let owner = owner_of("races").await;
    let bad = serde_yaml::from_str::<Value>(&pod_yaml("races--web", "bad").replace("registry.example.gov.cn/base/web:1", "nginx")).unwrap();
    let open = json!({"metadata": {"name": "open"}, "spec": {"podSelector": {}, "ingress": [{}]}});
    admin.apply(&system_yaml("races", "web")).await;
    let begin = Instant::now();
    loop {
        for (kind, object) in [("Pod", &bad), ("NetworkPolicy", &open)] {
            let refused = create(&owner, kind, "races--web", object.clone()).await.expect_err("it is never admitted");
            let known = ["cannot create resource", "rule images", "rule network-everybody", "error looking up service account"];
            assert!(known.iter().any(|words| refused.contains(words)), "{refused}");
        }
        let good = create(&owner, "Pod", "races--web", serde_yaml::from_str(&pod_yaml("races--web", "good")).unwrap()).await;
        if good.is_ok() {
            break;
        }
        assert!(begin.elapsed() < PATIENCE, "{good:?}");
    }
}
