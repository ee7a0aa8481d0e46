//! The cluster-scoped way to one's own tenant: what others make of it is put right, and it leads nowhere else.

use kube::api::{DeleteParams, PostParams};
use serde_json::{Value, json};

use crate::cluster::{admin, shared, tenant_yaml};

const NAME: &str = "govcloud:tenant:threshold";
const VIEW: &str = "govcloud:tenant:threshold:view";

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
    let aggregated = |label: &str| json!({"metadata": {"labels": {label: "true"}}});
    let unmarked = json!({"metadata": {"labels": {"govcloud.io/tenant": null, "govcloud.io/tenant-uid": null}}});
    let harms = [
        ("ClusterRole", NAME, json!({"rules": [everything]})),
        ("ClusterRole", NAME, unmarked.clone()),
        ("ClusterRole", VIEW, json!({"rules": [everything]})),
        ("ClusterRole", NAME, aggregated("rbac.authorization.k8s.io/aggregate-to-view")),
        ("ClusterRole", NAME, aggregated("rbac.govcloud.io/aggregate-to-auditor")),
        ("ClusterRole", VIEW, aggregated("rbac.authorization.k8s.io/aggregate-to-admin")),
        ("ClusterRoleBinding", NAME, json!({"subjects": [everybody]})),
        ("ClusterRoleBinding", VIEW, json!({"subjects": [everybody]})),
        ("ClusterRoleBinding", VIEW, unmarked),
    ];
    for (kind, name, harm) in harms {
        let before = content(&admin.get(kind, "", name).await);
        admin.patch(kind, "", name, harm.clone()).await;
        let as_before = |object: Option<&Value>| object.is_some_and(|object| content(object) == before);
        admin.until(&format!("{harm} is put right"), kind, "", name, as_before).await;
    }
    for (kind, name) in ["ClusterRole", "ClusterRoleBinding"].into_iter().flat_map(|kind| [(kind, NAME), (kind, VIEW)]) {
        let before = admin.get(kind, "", name).await;
        admin.api(kind, "").delete(name, &DeleteParams::default()).await.unwrap();
        let again = |object: Option<&Value>| {
            object.is_some_and(|object| content(object) == content(&before) && object["metadata"]["uid"] != before["metadata"]["uid"])
        };
        admin.until("it is there again", kind, "", name, again).await;
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
}

#[tokio::test]
async fn deployers_and_auditors_read_the_own_tenant_and_edit_none() {
    let admin = admin().await;
    for name in ["shown", "hidden"] {
        admin.apply(&tenant_yaml(name)).await;
        admin.tenant_ready(name).await;
    }
    for (user, group) in [("ci-shown", "none"), ("li", "shown-audit")] {
        let member = shared().person(user, &[group]).await;
        member.until("the own tenant is shown", "AgencyTenant", "", "shown", |it| it.is_some()).await;
        let refused = member.try_patch("AgencyTenant", "", "shown", json!({"spec": {"displayName": "x"}})).await.unwrap_err();
        assert!(refused.contains("cannot patch resource \"agencytenants\""), "{user}: {refused}");
        let foreign = member.api("AgencyTenant", "").get("hidden").await.unwrap_err().to_string();
        assert!(foreign.contains("cannot get resource \"agencytenants\""), "{user}: {foreign}");
    }
    // Nobody but Owners: then there is no second pair, by which each request of the cluster would be judged.
    let members = json!({"spec": {"members": [{"kind": "Group", "name": "hidden-owners", "role": "Owner"}]}});
    admin.patch("AgencyTenant", "", "hidden", members).await;
    for kind in ["ClusterRole", "ClusterRoleBinding"] {
        admin.gone(kind, "", "govcloud:tenant:hidden:view").await;
        assert!(admin.look(kind, "", "govcloud:tenant:hidden").await.is_some());
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
