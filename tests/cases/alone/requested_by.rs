//! Who asked, on a cluster that writes it for nobody: as Kubernetes before 1.36.

use acceptance::request::REQUESTER;
use kube::api::{DeleteParams, PostParams};
use serde_json::{Value, json};

use super::Alone;
use crate::cluster::{Person, tenant_yaml};

const KEY: &str = "govcloud.io/requested-by";

async fn ask(wang: &Person, name: &str, by: Option<&str>) -> Result<(), String> {
    let owner = format!("  members: [{{\"kind\":\"User\",\"name\":\"{}\",\"role\":\"Owner\"}},", REQUESTER.user);
    let yaml = tenant_yaml(name).replace("  preapproved: true\n", "").replace("  members: [", &owner);
    let mut object = acceptance::manifests::parse(&yaml).unwrap().remove(0);
    object.metadata.annotations = by.map(|by| [(KEY.to_owned(), by.to_owned())].into());
    wang.api("AgencyTenant", "").create(&PostParams::default(), &object).await.map(drop).map_err(|error| error.to_string())
}

async fn person(alone: &Alone, user: &str) -> Person {
    Person { client: alone.plane.client_as(user, &[REQUESTER.group, "system:authenticated"]).await.unwrap() }
}

#[tokio::test]
async fn where_the_api_server_notes_nobody_one_writes_no_name_but_the_own() {
    let alone = Alone::turn().await;
    let admin = alone.admin().await;
    admin.api("MutatingAdmissionPolicyBinding", "").delete("govcloud-requested-by", &DeleteParams::default()).await.unwrap();
    let _operator = alone.start().await;
    let wang = person(&alone, REQUESTER.user).await;
    // The API server takes a moment to notice.
    let mut tries = 0;
    while ask(&wang, &format!("probe-{tries}"), None).await.is_ok() {
        let noted = admin.get("AgencyTenant", "", &format!("probe-{tries}")).await["metadata"]["annotations"][KEY].clone();
        admin.api("AgencyTenant", "").delete(&format!("probe-{tries}"), &DeleteParams::default()).await.unwrap();
        if noted == Value::Null {
            break;
        }
        tries += 1;
        assert!(tries < 200, "the policy is still in force");
    }
    ask(&wang, "unsigned", None).await.unwrap();
    ask(&wang, "signed", Some(REQUESTER.user)).await.unwrap();
    let refused = ask(&wang, "forged", Some("somebody-else")).await.unwrap_err();
    assert!(refused.contains("rule tenant-requested-by") && refused.contains("somebody-else"), "{refused}");
    // The name of who wrote the former spec does not stay beside the edit of another Owner.
    wang.until("the request is shown", "AgencyTenant", "", "signed", |tenant| tenant.is_some()).await;
    let edit = json!({ "spec": { "displayName": "别名", "members": [
        { "kind": "User", "name": REQUESTER.user, "role": "Owner" }, { "kind": "User", "name": "zhao", "role": "Owner" }
    ] } });
    wang.patch("AgencyTenant", "", "signed", edit).await;
    let zhao = person(&alone, "zhao").await;
    zhao.until("the request is shown", "AgencyTenant", "", "signed", |tenant| tenant.is_some()).await;
    let rename = json!({ "spec": { "members": [{ "kind": "User", "name": "zhao", "role": "Owner" }] } });
    let refused = zhao.try_patch("AgencyTenant", "", "signed", rename.clone()).await.unwrap_err();
    assert!(refused.contains("rule tenant-requested-by"), "{refused}");
    let mut own = rename;
    own["metadata"] = json!({ "annotations": { KEY: "zhao" } });
    zhao.patch("AgencyTenant", "", "signed", own).await;
    let told = |tenant: Option<&Value>| {
        tenant.is_some_and(|tenant| tenant["status"]["history"].as_array().is_some_and(|all| all.iter().any(|entry| entry["by"] == "zhao")))
    };
    admin.until("it is recorded", "AgencyTenant", "", "signed", told).await;
}
