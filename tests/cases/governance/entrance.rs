//! The cluster-scoped way to one's own tenant: what others make of it is put right, and it leads nowhere else.

use kube::api::{DeleteParams, PostParams};
use serde_json::{Value, json};

use crate::cluster::{admin, shared, tenant_yaml};

const NAME: &str = "govcloud:tenant:threshold";

fn content(object: &Value) -> Value {
    let parts = ["rules", "roleRef", "subjects"].map(|field| (field.to_owned(), object[field].clone()));
    json!([object["metadata"]["labels"], object["metadata"]["ownerReferences"], parts.into_iter().collect::<Value>()])
}

#[tokio::test]
async fn it_is_put_right_whatever_others_make_of_it() {
    let admin = admin().await;
    admin.apply(&tenant_yaml("threshold")).await;
    admin.tenant_ready("threshold").await;
    let everything = json!({"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]});
    let everybody = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "system:authenticated"});
    let unmarked = json!({"metadata": {"labels": {"govcloud.io/tenant": null, "govcloud.io/tenant-uid": null}}});
    let harms = [
        ("ClusterRole", json!({"rules": [everything]})),
        ("ClusterRole", unmarked.clone()),
        ("ClusterRoleBinding", json!({"subjects": [everybody]})),
        ("ClusterRoleBinding", unmarked),
    ];
    for (kind, harm) in harms {
        let before = content(&admin.get(kind, "", NAME).await);
        admin.patch(kind, "", NAME, harm.clone()).await;
        let as_before = |object: Option<&Value>| object.is_some_and(|object| content(object) == before);
        admin.until(&format!("{harm} is put right"), kind, "", NAME, as_before).await;
    }
    for kind in ["ClusterRole", "ClusterRoleBinding"] {
        let before = admin.get(kind, "", NAME).await;
        admin.api(kind, "").delete(NAME, &DeleteParams::default()).await.unwrap();
        let again = |object: Option<&Value>| {
            object.is_some_and(|object| content(object) == content(&before) && object["metadata"]["uid"] != before["metadata"]["uid"])
        };
        admin.until("it is there again", kind, "", NAME, again).await;
    }
    admin.tenant_ready("threshold").await;
}

#[tokio::test]
async fn an_owner_reads_and_edits_the_own_tenant_and_no_other() {
    let admin = admin().await;
    for name in ["mine", "theirs"] {
        admin.apply(&tenant_yaml(name)).await;
        admin.tenant_ready(name).await;
    }
    let owner = shared().person("wang", &["mine-owners"]).await;
    assert_eq!(owner.get("AgencyTenant", "", "mine").await["metadata"]["name"], "mine");
    let foreign = owner.api("AgencyTenant", "").get("theirs").await.unwrap_err().to_string();
    assert!(foreign.contains("cannot get resource \"agencytenants\""), "{foreign}");
    // What the platform wrote an Owner may ask to change, and only so.
    let quota = json!({"spec": {"quota": {"pods": "500"}}});
    let refused = owner.try_patch("AgencyTenant", "", "mine", quota.clone()).await.unwrap_err();
    assert!(refused.contains("rule tenant-preapproved") && refused.contains("setting spec.preapproved to false"), "{refused}");
    let mut asked = quota;
    asked["spec"]["preapproved"] = json!(false);
    owner.patch("AgencyTenant", "", "mine", asked).await;
    let told = admin.until_condition("AgencyTenant", "", "mine", "Approved", "False", "ChangePending").await;
    assert!(told.contains("quota[pods]: 400 becomes 500"), "{told}");
    for (kind, who) in [("AgencyTenant", "deployer"), ("AgencyTenant", "auditor")] {
        let (user, group) = if who == "deployer" { ("ci-mine", "none") } else { ("li", "mine-audit") };
        let refused = shared().person(user, &[group]).await.api(kind, "").get("mine").await.unwrap_err().to_string();
        assert!(refused.contains("cannot get resource"), "{who}: {refused}");
    }
}

#[tokio::test]
async fn a_namesake_that_comes_later_does_not_let_the_former_owners_in() {
    let admin = admin().await;
    admin.apply(&tenant_yaml("again")).await;
    admin.tenant_ready("again").await;
    let former = shared().person("wang", &["again-owners"]).await;
    assert!(former.look("AgencyTenant", "", "again").await.is_some());
    admin.delete("AgencyTenant", "", "again").await;
    admin.gone("AgencyTenant", "", "again").await;
    assert!(admin.look("ClusterRoleBinding", "", "govcloud:tenant:again").await.is_none());
    let later = tenant_yaml("again").replace("again-owners", "later-owners");
    let object = acceptance::manifests::parse(&later).unwrap().remove(0);
    admin.api("AgencyTenant", "").create(&PostParams::default(), &object).await.unwrap();
    let binding = admin.until("the later owners are let in", "ClusterRoleBinding", "", "govcloud:tenant:again", |it| it.is_some()).await;
    assert_eq!(binding.unwrap()["subjects"][0]["name"], "later-owners");
    let refused = former.api("AgencyTenant", "").get("again").await.unwrap_err().to_string();
    assert!(refused.contains("cannot get resource"), "{refused}");
}
