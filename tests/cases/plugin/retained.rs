//! Namespaces that are kept after their agency or system was deleted: listed, and removed for good by who may.

use serde_json::{Value, json};

use super::govcloud_as;
use crate::cluster::{admin, shared, system_yaml};

const CLAIM: &str = "{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: data, namespace: keeps--web}, \
    spec: {storageClassName: standard, accessModes: [ReadWriteOnce], resources: {requests: {storage: 5Gi}}}}";
/// Somebody of the platform who may delete namespaces, and has no other right that writes.
const CLEANER: &str = "
{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: 'case:cleaner'}, rules: [
  {apiGroups: [''], resources: [namespaces], verbs: [get, list, delete]},
  {apiGroups: [''], resources: [resourcequotas, persistentvolumeclaims], verbs: [get, list]},
  {apiGroups: [govcloud.io], resources: [agencytenants, hostedsystems], verbs: [get, list]}]}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: 'case:cleaner'},
  roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: 'case:cleaner'},
  subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: cleaner}]}
";

async fn cleaner(arguments: &[&str]) -> super::Ran {
    govcloud_as("cleaner", "cleaners", arguments).await
}

/// The rows of the agency of this case, by namespace.
async fn rows() -> Vec<Value> {
    let rows = cleaner(&["retained", "-o", "json"]).await.json();
    rows.as_array().unwrap().iter().filter(|row| row["agency"] == "keeps").cloned().collect()
}

#[tokio::test]
async fn what_is_kept_is_listed_and_goes_for_good_only_where_nobody_is_left_that_it_belongs_to() {
    let admin = admin().await;
    admin.apply(CLEANER).await;
    let person = shared().person("cleaner", &["cleaners"]).await;
    person.until_may("delete", "", "namespaces", "").await;
    admin.tenant_with_systems("keeps", &["back", "db", "web"]).await;
    admin.apply(CLAIM).await;
    assert_eq!(rows().await, [Value::Null; 0]);
    let since =
        async |namespace: &str| admin.get("Namespace", "", namespace).await["metadata"]["labels"]["govcloud.io/retained-since"].clone();
    for system in ["back", "web"] {
        admin.delete("HostedSystem", "keeps", system).await;
        admin.gone("HostedSystem", "keeps", system).await;
    }
    let first = since("keeps--back").await;
    assert!(first.is_string(), "{first}");
    // One that is declared again takes its namespace back.
    admin.apply(&system_yaml("keeps", "back")).await;
    admin.system_ready("keeps", "back").await;
    assert_eq!(since("keeps--back").await, Value::Null);

    let counted = |quota: Option<&Value>| quota.is_some_and(|quota| quota["status"]["used"]["requests.storage"] == "5Gi");
    admin.until("its claim is counted", "ResourceQuota", "keeps--web", "govcloud-quota", counted).await;
    let found = rows().await;
    assert_eq!(found.len(), 1, "{found:?}");
    let row = &found[0];
    assert_eq!(
        (&row["namespace"], &row["system"], &row["claims"], &row["storage"]),
        (&json!("keeps--web"), &json!("web"), &json!("1"), &json!("5Gi"))
    );
    assert_eq!((&row["deleting"], &row["displayName"]), (&json!(false), &json!("测试系统")));
    assert!(row["since"].as_str().unwrap().starts_with("20"), "{row}");

    // A namespace that serves goes by neither way.
    for (namespace, owner) in [("keeps--db", "hostedsystem/db in namespace keeps"), ("keeps", "agencytenant/keeps")] {
        let refused = cleaner(&["retained", "delete", namespace, "--yes"]).await.refused();
        assert!(refused.contains(&format!("namespace {namespace} belongs to {owner}, which is not deleted")), "{refused}");
        let refused = person.api("Namespace", "").delete(namespace, &Default::default()).await.unwrap_err().to_string();
        assert!(refused.contains("rule namespaces-delete"), "{refused}");
    }
    let plain = cleaner(&["retained", "delete", "default", "--yes"]).await.refused();
    assert!(plain.contains("namespace default was made for no agency"), "{plain}");
    let unconfirmed = cleaner(&["retained", "delete", "keeps--web"]).await;
    assert!(unconfirmed.code == 1 && unconfirmed.err.contains("add --yes"), "{}", unconfirmed.err);
    assert!(unconfirmed.out.contains("with these claims of volumes:\n  data 5Gi\n"), "what would go is shown first: {}", unconfirmed.out);
    let owner = govcloud_as("olga", "keeps-owners", &["retained", "delete", "keeps--web", "--yes"]).await;
    assert!(owner.code == 1 && owner.err.contains("cannot get resource \"namespaces\""), "{}", owner.err);

    let told = cleaner(&["retained", "delete", "keeps--web", "--yes"]).await.done();
    assert!(told.ends_with("namespace keeps--web is being deleted\n"), "{told}");
    admin.gone("Namespace", "", "keeps--web").await;
    assert_eq!(rows().await, [Value::Null; 0]);

    admin.delete("AgencyTenant", "", "keeps").await;
    admin.gone("AgencyTenant", "", "keeps").await;
    let names: Vec<(Value, Value)> = rows().await.into_iter().map(|row| (row["namespace"].clone(), row["since"].clone())).collect();
    let expected = ["keeps", "keeps--back", "keeps--db"];
    assert_eq!(names.iter().map(|(name, _)| name).collect::<Vec<_>>(), expected);
    assert!(names.iter().all(|(_, since)| since.is_string()), "{names:?}");
    for namespace in expected {
        cleaner(&["retained", "delete", namespace, "--yes"]).await.done();
    }
    for namespace in expected {
        admin.gone("Namespace", "", namespace).await;
    }
}
