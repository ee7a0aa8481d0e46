//! Objects that were stored under a looser schema than today's. They are told what is wrong with them, keep nobody else from
//! being served, and can be corrected and deleted.

use acceptance::{ControlPlane, Operator};
use serde_json::{Value, json};
use tokio::{
    task::spawn_blocking,
    time::{Duration, sleep},
};

use super::{changed, create, rows};
use crate::cluster::{Person, system_yaml, tenant_yaml};

/// Name, change => words of `Accepted`'s message.
const STORED: &str = r"
word => spec: {podSecurity: privileged} => unreadable | privileged | restricted
shape => spec: {network: everywhere} => unreadable | everywhere
gap => spec: {displayName: null} => unreadable | displayName
amount => spec: {quota: {pods: four}} => spec.quota[pods]: 'four' is not a quantity
range => spec: {network: {egress: [{cidr: nonsense, ports: [443], reason: r}]}} => spec.network.egress[nonsense].cidr: 'nonsense'
everybody => spec: {members: [{kind: Group, name: 'system:authenticated', role: Owner}]} => spec.members[system:authenticated]
stranger => spec: {members: [{kind: ServiceAccount, name: ci, namespace: other, role: Owner}]} => spec.members[ci]
twice => spec: {members: [{kind: User, name: wang, role: Owner}, {kind: User, name: wang, namespace: '', role: Auditor}]} => spec.members[wang] | named more than once
kube-reserved => {} => metadata.name | kube-reserved
";

const KINDS: [&str; 2] = ["agencytenants.govcloud.io", "hostedsystems.govcloud.io"];

/// Lets both kinds hold any spec.
async fn relax(admin: &Person) {
    for name in KINDS {
        let mut definition = admin.get("CustomResourceDefinition", "", name).await;
        let schema = &mut definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
        schema["x-kubernetes-validations"] = json!([]);
        // The selectable field must stay declared.
        let stage = json!({"stage": {"type": "string"}});
        schema["properties"]["spec"] = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true, "properties": stage});
        let definition = serde_json::from_value(definition).unwrap();
        admin.api("CustomResourceDefinition", "").replace(name, &Default::default(), &definition).await.unwrap();
    }
}

/// The API server takes up a changed definition a moment later.
async fn until_judged(admin: &Person, object: &Value, admitted: bool) {
    for _ in 0..200 {
        if create(admin, object, true).await.is_ok() == admitted {
            return;
        }
        sleep(Duration::from_millis(50)).await;
    }
    panic!("after 10 s it is still not so that admitted is {admitted} for {object:#}");
}

/// Stores every object while the schema is loose, and puts the schema back.
async fn store(plane: &ControlPlane, admin: &Person, objects: &[Value]) {
    relax(admin).await;
    for object in objects {
        until_judged(admin, object, true).await;
        create(admin, object, false).await.unwrap();
    }
    Operator::install(plane).await.unwrap();
    for object in objects {
        let mut again = object.clone();
        again["metadata"]["name"] = json!("kube-again");
        until_judged(admin, &again, false).await;
    }
}

/// The words that are missing in a condition's message.
fn missing<'a>(words: &'a str, message: &str) -> Vec<&'a str> {
    words.split(" | ").filter(|word| !message.contains(word)).collect()
}

#[tokio::test]
async fn what_a_looser_schema_let_in_is_told_why_and_stops_nobody_else() {
    let plane = spawn_blocking(ControlPlane::start).await.unwrap().unwrap();
    let admin = Person { client: plane.client().await.unwrap() };
    Operator::install(&plane).await.unwrap();
    let operator = Operator::start(&plane).await.unwrap();
    admin.tenant_with_systems("steady", &["walking"]).await;
    operator.stop().await.unwrap();
    // The operator meets them as one that was upgraded does, together with the schema.
    let stored: Vec<_> = rows(STORED).map(|row| row.splitn(3, " => ").collect::<Vec<_>>()).collect();
    let mut objects: Vec<_> = stored.iter().map(|row| changed(&tenant_yaml(row[0]), row[1])).collect();
    objects.push(changed(&system_yaml("steady", "flying"), "spec: {stage: Flying}"));
    store(&plane, &admin, &objects).await;
    let mut operator = Operator::start(&plane).await.unwrap();

    admin.tenant_with_systems("late", &["web"]).await;
    admin.apply(&system_yaml("steady", "running")).await;
    admin.system_ready("steady", "running").await;
    let message = admin.until_condition("HostedSystem", "steady", "flying", "Accepted", "False", "Invalid").await;
    assert!(missing("unreadable | Flying | Testing", &message).is_empty(), "{message}");
    for row in &stored {
        let message = admin.until_condition("AgencyTenant", "", row[0], "Accepted", "False", "Invalid").await;
        assert!(missing(row[2], &message).is_empty(), "{}: {:?} missing in: {message}", row[0], missing(row[2], &message));
        assert!(admin.look("Namespace", "", row[0]).await.is_none(), "{}", row[0]);
    }

    // The cure that the message names works, and so does going away.
    admin.patch("AgencyTenant", "", "word", json!({"spec": {"podSecurity": "restricted"}})).await;
    admin.tenant_ready("word").await;
    admin.patch("HostedSystem", "steady", "flying", json!({"spec": {"stage": "Running"}})).await;
    admin.system_ready("steady", "flying").await;
    for row in &stored {
        admin.delete("AgencyTenant", "", row[0]).await;
        admin.gone("AgencyTenant", "", row[0]).await;
    }
    assert!(operator.is_running());
}
