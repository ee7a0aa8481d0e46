//! Whoever keeps the manifests in Git and applies them for ever finds no difference: with each way in which `kubectl`, Argo CD, Flux
//! and Helm apply, everything that ships is unchanged the second time.

use std::{io::Write, path::Path};

use acceptance::{
    ControlPlane, Operator,
    manifests::{self, Applier},
    request::{self as people, APPROVER},
    workspace,
};
use futures::future::join_all;
use kube::{Api, ResourceExt, api::DynamicObject};
use serde_json::{Value, json};

use crate::cluster::{Cluster, admin, system_yaml, tenant_yaml};

/// Folders of what ships. Both folders of examples have an agency `health`: the larger one comes last, for a total is not lowered under use.
const GUARDS: [&str; 3] = ["crds/", "charts/govcloud/policies", "charts/govcloud/roles"];
const EXAMPLES: [&str; 2] = ["examples/quickstart", "examples/beijing"];

/// Runs `kubectl` on a folder or file: whether it succeeded, and each line that it printed.
fn kubectl(cluster: &Cluster, arguments: &[&str], path: &Path) -> (bool, Vec<String>) {
    let output = cluster.plane.kubectl().args(arguments).arg("--recursive").arg("--filename").arg(path).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).lines().map(str::to_owned).collect())
}

/// An object as its author and the API server see it: without what the operator and the API server's controllers tell in its status.
async fn authored(applier: &Applier, object: &DynamicObject) -> Value {
    let api: Api<DynamicObject> = applier.api(object).unwrap();
    let mut live = serde_json::to_value(api.get(&object.name_any()).await.unwrap()).unwrap();
    live.as_object_mut().unwrap().remove("status");
    let metadata = live["metadata"].as_object_mut().unwrap();
    metadata.remove("resourceVersion");
    if let Some(Value::Array(managers)) = metadata.get_mut("managedFields") {
        managers.retain(|manager| manager["subresource"] != "status");
    }
    live
}

async fn all_authored(cluster: &Cluster, objects: &[DynamicObject]) -> Vec<Value> {
    let applier = Applier::new(cluster.admin().await.client, "case").await.unwrap();
    join_all(objects.iter().map(|object| authored(&applier, object))).await
}

/// Whether a JSON merge patch of `wanted` would change nothing: lists are compared whole, so a default inside an item is a difference.
fn is_merged(wanted: &Value, live: &Value) -> bool {
    match (wanted, live) {
        (Value::Object(wanted), Value::Object(live)) => {
            wanted.iter().all(|(key, value)| live.get(key).is_some_and(|live| is_merged(value, live)))
        }
        _ => numbered(wanted) == numbered(live),
    }
}

/// The value as programs in Go read it, for which 1.0 and 1 are the same number.
fn numbered(value: &Value) -> Value {
    match value {
        Value::Number(number) => json!(number.as_f64()),
        Value::Array(items) => items.iter().map(numbered).collect(),
        Value::Object(fields) => Value::Object(fields.iter().map(|(key, value)| (key.clone(), numbered(value))).collect()),
        other => other.clone(),
    }
}

/// Applies a folder that has been applied before in every way, and gives what is not unchanged.
async fn differences(cluster: &Cluster, folder: &str) -> Vec<String> {
    let path = workspace().join(folder);
    let objects = manifests::read(&path).unwrap();
    let mut wrong = Vec::new();
    let mut unchanged = |what: &str| {
        let (_, lines) = kubectl(cluster, &["apply"], &path);
        assert!(lines.len() == objects.len(), "{folder}, {what}: {lines:#?}");
        wrong.extend(lines.into_iter().filter(|line| !line.ends_with(" unchanged")).map(|line| format!("{folder}, {what}: {line}")));
    };
    unchanged("client-side");
    kubectl(cluster, &["apply", "--server-side"], &path); // takes the annotation off in which client-side apply remembers
    let before = all_authored(cluster, &objects).await;
    let (applied, lines) = kubectl(cluster, &["apply", "--server-side"], &path);
    assert!(applied, "{folder}: {lines:#?}");
    let after = all_authored(cluster, &objects).await;
    kubectl(cluster, &["apply"], &path);
    unchanged("client-side after server-side");
    let (same, lines) = kubectl(cluster, &["diff"], &path);
    wrong.extend((!same).then(|| format!("{folder}, diff: {}", lines.join("\n"))));
    for ((object, before), after) in objects.iter().zip(before).zip(after) {
        let what = manifests::describe(object);
        if before != after {
            wrong.push(format!("{folder}, server-side: {what}: {before:#} became {after:#}"));
        }
        if !is_merged(&serde_json::to_value(object).unwrap(), &after) {
            wrong.push(format!("{folder}, merge patch: {what} is held as {after:#}"));
        }
    }
    wrong
}

#[tokio::test]
async fn every_shipped_manifest_and_every_example_is_unchanged_when_it_is_applied_again() {
    let cluster = Cluster::start(ControlPlane::start).await.unwrap_or_else(|error| panic!("{error:#}"));
    let mut wrong = Vec::new();
    for folder in GUARDS {
        kubectl(&cluster, &["apply"], &workspace().join(folder));
        wrong.extend(differences(&cluster, folder).await);
    }
    people::appoint(&cluster.admin().await.client).await.unwrap();
    for folder in EXAMPLES {
        let_in(&cluster, folder).await;
        wrong.extend(differences(&cluster, folder).await);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Applies the agencies of a folder, has those approved that ask, and then applies their systems; the operator has seen each.
async fn let_in(cluster: &Cluster, folder: &str) {
    let (path, admin) = (workspace().join(folder), cluster.admin().await);
    let objects = manifests::read(&path).unwrap();
    let (agencies, systems): (Vec<_>, Vec<_>) = objects.iter().partition(|object| object.namespace().is_none());
    let mut file = tempfile::NamedTempFile::with_suffix(".json").unwrap();
    file.write_all(json!({"apiVersion": "v1", "kind": "List", "items": agencies}).to_string().as_bytes()).unwrap();
    kubectl(cluster, &["apply"], file.path());
    let program = Operator::build().unwrap();
    for agency in &agencies {
        let name = agency.name_any();
        if agency.data["spec"]["preapproved"] != true {
            admin.until_condition("AgencyTenant", "", &name, "Approved", "False", "Requested").await;
            people::plugin(&cluster.plane, &program, APPROVER, &["approve", &name, "--yes"]).unwrap();
        }
        admin.tenant_ready(&name).await;
    }
    let (applied, lines) = kubectl(cluster, &["apply"], &path);
    assert!(applied && !systems.is_empty(), "{folder}: {lines:#?}");
    for system in systems {
        let held = |system: Option<&Value>| system.is_some_and(|system| system["metadata"]["finalizers"].is_array());
        admin.until("it is seen", "HostedSystem", &system.namespace().unwrap(), &system.name_any(), held).await;
    }
}

/// What an export keeps of an object when whoever made it left out what belongs to the cluster: kubectl's note, and the finalizer.
fn exported(mut object: Value) -> Value {
    object.as_object_mut().unwrap().remove("status");
    let metadata = object["metadata"].as_object_mut().unwrap();
    metadata.retain(|field, _| !["uid", "resourceVersion", "creationTimestamp", "generation", "managedFields"].contains(&field.as_str()));
    object
}

/// Whether the operator has seen it, and neither kubectl's note nor kubectl alone has its finalizer.
fn is_taken_in(object: Option<&Value>) -> bool {
    let Some(metadata) = object.map(|object| &object["metadata"]) else { return false };
    let note = &metadata["annotations"]["kubectl.kubernetes.io/last-applied-configuration"];
    let managers = metadata["managedFields"].as_array().into_iter().flatten();
    let mut holding = managers.filter(|entry| entry["fieldsV1"]["f:metadata"]["f:finalizers"]["v:\"govcloud.io/hold\""].is_object());
    holding.any(|entry| entry["manager"] == "govcloud") && !note.as_str().unwrap_or_default().contains("govcloud.io/hold")
}

#[tokio::test]
async fn after_an_export_is_created_or_applied_the_original_is_applied_again() {
    const ROLE: &str = "
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: emigrant-writer}
rules:
- {apiGroups: [govcloud.io], resources: [agencytenants, hostedsystems], verbs: [get, list, create, update, patch, delete, approve, govern]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: emigrant-writer}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: emigrant-writer}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: emigrant-writer}]
";
    let (cluster, admin) = (crate::cluster::shared(), admin().await);
    admin.apply(ROLE).await;
    admin.tenant_with_systems("emigrant", &["web"]).await;
    let file = |text: &str| {
        let mut file = tempfile::NamedTempFile::with_suffix(".yaml").unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file
    };
    let run = |how: &[&str], file: &tempfile::NamedTempFile| kubectl(cluster, &[&["--as=emigrant-writer"], how].concat(), file.path());
    let original = file(&system_yaml("emigrant", "web"));
    let server = ["apply", "--server-side", "--force-conflicts"];
    let bringing: [&[&str]; 4] = [&["create"], &["create", "--save-config"], &["apply"], &server];
    for bring in bringing {
        for then in [&["apply"][..], &server] {
            run(&["apply"], &original);
            admin.until("it is taken in", "HostedSystem", "emigrant", "web", is_taken_in).await;
            let live = admin.get("HostedSystem", "emigrant", "web").await;
            // Once also whole, as it was read, which server-side apply does not take.
            let export = if bring == ["create"] { live.clone() } else { exported(live) };
            admin.delete("HostedSystem", "emigrant", "web").await;
            admin.gone("HostedSystem", "emigrant", "web").await;
            let brought = run(bring, &file(&export.to_string()));
            assert!(brought.0, "{bring:?}: {:?}", brought.1);
            admin.until("it is taken in", "HostedSystem", "emigrant", "web", is_taken_in).await;
            for _ in 0..2 {
                let applied = run(then, &original);
                assert!(applied.0, "{bring:?}, {then:?}: {:?}", applied.1);
            }
            let live = admin.get("HostedSystem", "emigrant", "web").await;
            assert_eq!(live["metadata"]["finalizers"], json!(["govcloud.io/hold"]), "{bring:?}, {then:?}");
        }
    }
    // Who applies this may not take the finalizer off.
    let writer = cluster.person("emigrant-writer", &[]).await;
    let refused = writer.try_patch("HostedSystem", "emigrant", "web", json!({"metadata": {"finalizers": null}})).await.unwrap_err();
    assert!(refused.contains("rule marks-finalizers"), "{refused}");

    let original = file(&tenant_yaml("emigrant"));
    let export = file(&exported(admin.get("AgencyTenant", "", "emigrant").await).to_string());
    for then in [&["apply"][..], &server] {
        assert!(run(&["apply"], &export).0);
        admin.until("it is taken in", "AgencyTenant", "", "emigrant", is_taken_in).await;
        let applied = run(then, &original);
        assert!(applied.0, "{then:?}: {:?}", applied.1);
    }
    let refused = writer.try_patch("AgencyTenant", "", "emigrant", json!({"metadata": {"finalizers": null}})).await.unwrap_err();
    assert!(refused.contains("rule tenant-finalizers"), "{refused}");
}
