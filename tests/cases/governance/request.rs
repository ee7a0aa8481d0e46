//! Asking: who may, what they see of it, and that there is an end to it.

use acceptance::request::{APPROVER, REQUESTER};
use kube::api::PostParams;
use serde_json::json;

use super::{approver, conditions, kubectl_as_requester, request_yaml, requester, run_plugin};
use crate::cluster::{admin, shared, system_yaml};

/// Creates as `kubectl create` does.
async fn create(person: &crate::cluster::Person, yaml: &str) -> Result<(), String> {
    let object = acceptance::manifests::parse(yaml).unwrap().remove(0);
    person.api("AgencyTenant", "").create(&PostParams::default(), &object).await.map(drop).map_err(|error| error.to_string())
}

#[tokio::test]
async fn an_agency_asks_an_approver_approves_and_its_owners_run_their_systems() {
    let (admin, wang) = (admin().await, requester().await);
    approver().await;
    create(&wang, &request_yaml("asking")).await.unwrap();
    admin.until_condition("AgencyTenant", "", "asking", "Approved", "False", "Requested").await;
    admin.until("its owners are let at it", "ClusterRoleBinding", "", "govcloud:tenant:asking", |binding| binding.is_some()).await;

    // What the requester sees: one's own, and nothing else.
    let seen = wang.until("the request", "AgencyTenant", "", "asking", |tenant| tenant.is_some()).await.unwrap();
    assert_eq!(seen["status"]["stage"], "Requested");
    let listed = run_plugin(REQUESTER, &["my"]).await.unwrap();
    assert!(listed.contains("asking") && listed.contains("Requested"), "{listed}");
    let all = wang.api("AgencyTenant", "").list(&Default::default()).await.unwrap_err().to_string();
    assert!(all.contains("cannot list resource"), "{all}");
    let view = "govcloud:tenant:asking:view";
    assert!(admin.look("ClusterRoleBinding", "", view).await.is_none(), "only its Owners are let at what is not approved");
    assert!(admin.look("Namespace", "", "asking").await.is_none(), "nothing changes in the cloud before an approval");
    assert!(admin.names("RoleBinding", "default").await.iter().all(|name| !name.starts_with("govcloud")));

    // The first request is a create; from then on its Owners use `kubectl apply`.
    let file = tempfile::NamedTempFile::with_suffix(".yaml").unwrap();
    let apply = |name: &str, pods: &str| {
        std::fs::write(file.path(), request_yaml(name).replace("pods: 400", &format!("pods: {pods}"))).unwrap();
        let path = file.path().to_str().unwrap();
        kubectl_as_requester(&["apply", "-f", path])
    };
    let refused = apply("asking-more", "200");
    assert!(refused.contains("cannot get resource \"agencytenants\""), "{refused}");
    let applied = apply("asking", "200");
    assert!(applied.contains("agencytenant.govcloud.io/asking configured"), "{applied}");
    let told = run_plugin(APPROVER, &["approve", "asking", "--yes", "--reason", "planned"]).await.unwrap();
    for words in ["generation 2; nothing is approved yet", "quota[pods]: 200", "generation 2 is approved by approver-li"] {
        assert!(told.contains(words), "{words}: {told}");
    }
    admin.tenant_ready("asking").await;
    assert!(admin.look("ClusterRoleBinding", "", view).await.is_some());
    let tenant = admin.get("AgencyTenant", "", "asking").await;
    let status = &tenant["status"];
    assert_eq!((&status["stage"], &status["contractGeneration"]), (&json!("Active"), &json!(2)));
    assert_eq!(status["approval"]["by"], APPROVER.user);
    assert_eq!(status["contract"]["quota"]["pods"], "200");

    wang.apply(&system_yaml("asking", "web")).await;
    admin.system_ready("asking", "web").await;
    assert!(wang.names("Pod", "asking--web").await.is_empty());
}

#[tokio::test]
async fn whoever_asks_is_an_owner_and_writes_no_marks_of_the_platform() {
    let wang = requester().await;
    let foreign = request_yaml("for-others").replace("requester-wang", "somebody-else");
    let refused = create(&wang, &foreign).await.unwrap_err();
    assert!(
        refused.contains("'govcloud-tenants'") && refused.contains("rule tenant-owner") && refused.contains("requester-wang"),
        "{refused}"
    );
    let preapproved = request_yaml("for-others").replace("  members:", "  preapproved: true\n  members:");
    let refused = create(&wang, &preapproved).await.unwrap_err();
    assert!(refused.contains("'govcloud-tenants'") && refused.contains("rule tenant-preapproved"), "{refused}");
    let stranger = shared().person("nobody", &[]).await;
    let refused = create(&stranger, &request_yaml("for-others").replace("requester-wang", "nobody")).await.unwrap_err();
    assert!(refused.contains("cannot create resource"), "{refused}");
    create(&wang, &request_yaml("for-ourselves")).await.unwrap();
}

#[tokio::test]
async fn the_same_asker_has_a_bounded_number_of_open_requests() {
    let admin = admin().await;
    let zhou = shared().person("zhou", &["govcloud:requesters"]).await;
    let yaml = |number: u32| {
        let members = "[{\"kind\":\"User\",\"name\":\"zhou\",\"role\":\"Owner\"}]";
        let yaml = request_yaml(&format!("many-{number}"));
        let line = yaml.lines().find(|line| line.starts_with("  members:")).unwrap().to_owned();
        yaml.replace(&line, &format!("  members: {members}"))
    };
    for number in 1..=6 {
        create(&zhou, &yaml(number)).await.unwrap();
        let approved = |tenant: Option<&serde_json::Value>| tenant.is_some_and(|tenant| conditions(tenant).contains_key("Approved"));
        admin.until("it is told", "AgencyTenant", "", &format!("many-{number}"), approved).await;
    }
    let told = admin.until_condition("AgencyTenant", "", "many-6", "Accepted", "False", "Invalid").await;
    assert!(told.contains("5 requests of zhou are open and older, and 5 are looked at: many-1,"), "{told}");
    // Who asked sees why, and may take it back, but not edit it.
    let seen = zhou.until("it is shown", "AgencyTenant", "", "many-6", |tenant| tenant.is_some()).await.unwrap();
    assert_eq!(conditions(&seen)["Accepted"], ("False", "Invalid"));
    let listed = run_plugin(acceptance::request::Person { user: "zhou", ..REQUESTER }, &["my"]).await.unwrap();
    assert!(listed.lines().any(|line| line.starts_with("many-6 ") && line.contains("open and older")), "{listed}");
    let refused = zhou.try_patch("AgencyTenant", "", "many-6", json!({"spec": {"displayName": "x"}})).await.unwrap_err();
    assert!(refused.contains("cannot patch resource"), "{refused}");
    admin.delete("AgencyTenant", "", "many-1").await;
    admin.until_condition("AgencyTenant", "", "many-6", "Accepted", "True", "Accepted").await;
    admin.gone("ClusterRoleBinding", "", "govcloud:tenant:many-1").await;
}
