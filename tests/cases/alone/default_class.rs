//! The cluster has a default priority class, whose name and value the API server writes into every pod that names none. That is no
//! agency's choice; whoever names a class chooses, but for the default itself. Default classes of claims and Ingresses are content.

use std::time::{Duration, Instant};

use acceptance::request::plugin_as;
use kube::api::{DeleteParams, DynamicObject, PostParams};
use serde_json::{Value, json};
use tokio::{task::spawn_blocking, time::sleep};

use super::{Alone, PATIENCE};
use crate::cluster::{Person, pod_yaml, system_yaml};

const WEB: &str = "ranks--web";

/// Creates a pod of that name and class; its class as created, or the refusal.
async fn pod(person: &Person, name: &str, class: Option<&str>) -> Result<String, String> {
    let mut pod: Value = serde_yaml::from_str(&pod_yaml(WEB, name)).unwrap();
    if let Some(class) = class {
        pod["spec"]["priorityClassName"] = class.into();
    }
    create(person, pod).await
}

async fn create(person: &Person, pod: Value) -> Result<String, String> {
    let created = person.api("Pod", WEB).create(&PostParams::default(), &serde_json::from_value(pod).unwrap()).await;
    created.map(|pod| pod.data["spec"]["priorityClassName"].as_str().unwrap_or_default().to_owned()).map_err(|error| error.to_string())
}

fn class(name: &str, value: u32, is_default: bool) -> String {
    format!(
        "{{apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, metadata: {{name: {name}}}, value: {value}, globalDefault: {is_default}}}"
    )
}

fn deployment(name: &str, class: &str) -> String {
    format!(
        "
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}, namespace: {WEB}}}
spec:
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      {class}
      securityContext: {{runAsNonRoot: true, seccompProfile: {{type: RuntimeDefault}}}}
      containers:
      - name: main
        image: registry.example.gov.cn/base/web:1
        securityContext: {{allowPrivilegeEscalation: false, capabilities: {{drop: [ALL]}}}}
"
    )
}

#[tokio::test]
async fn the_clusters_default_priority_is_everybodys_and_a_higher_one_nobodys() {
    let alone = Alone::turn().await;
    let operator = alone.start().await;
    let admin = alone.admin().await;
    admin.tenant_with_systems("ranks", &["web"]).await;
    admin.until("is there", "ServiceAccount", WEB, "default", |account| account.is_some()).await;
    let owner = Person { client: alone.plane.client_as("olga", &["ranks-owners"]).await.unwrap() };
    let deployer = Person { client: alone.plane.client_as("ci-ranks", &[]).await.unwrap() };
    admin.apply(&class("ranks-default", 1000, true)).await;
    admin.apply(&class("ranks-high", 100_000, false)).await;
    until_given(&admin, "ranks-default").await;
    let given = |expected: &'static str| move |pod: Option<&Value>| pod.is_some_and(|pod| pod["spec"]["priorityClassName"] == expected);

    assert_eq!(pod(&owner, "first", None).await.as_deref(), Ok("ranks-default"));
    let refused = pod(&owner, "higher", Some("ranks-high")).await.unwrap_err();
    assert!(refused.contains("rule priority-classes: spec.priorityClassName: \"ranks-high\""), "{refused}");
    deployer.apply(&deployment("front", "")).await;
    deployed(&admin, "front").await;
    let refused = deployer.try_apply(&deployment("higher", "priorityClassName: ranks-high")).await.unwrap_err();
    assert!(refused.contains("rule priority-classes: spec.template.spec.priorityClassName: \"ranks-high\""), "{refused}");

    // What is read from the cluster and created again names the default, as a backup and `kubectl debug --copy-to` do.
    let known = |expected: &'static str| {
        move |namespace: Option<&Value>| {
            namespace.is_some_and(|namespace| namespace["metadata"]["annotations"]["govcloud.io/default-priority-class"] == expected)
        }
    };
    admin.until("the default is known", "Namespace", "", WEB, known("ranks-default")).await;
    let mut copy = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "copy"}});
    copy["spec"] = admin.get("Pod", WEB, "first").await["spec"].clone();
    copy["spec"].as_object_mut().unwrap().remove("nodeName");
    assert_eq!(create(&owner, copy).await.as_deref(), Ok("ranks-default"));
    deployer.apply(&deployment("named", "priorityClassName: ranks-default")).await;
    deployed(&admin, "named").await;

    // Another default, of which no operator knows.
    operator.kill().unwrap();
    admin.api("PriorityClass", "").delete("ranks-default", &DeleteParams::default()).await.unwrap();
    admin.apply(&class("ranks-later", 2000, true)).await;
    until_given(&admin, "ranks-later").await;
    assert_eq!(pod(&owner, "later", None).await.as_deref(), Ok("ranks-later"));
    let refused = pod(&owner, "named-later", Some("ranks-later")).await.unwrap_err();
    assert!(refused.contains("rule priority-classes"), "{refused}");
    let operator = alone.start_after_kill().await;
    admin.until("the new default is known", "Namespace", "", WEB, known("ranks-later")).await;
    assert_eq!(pod(&owner, "named-later", Some("ranks-later")).await.as_deref(), Ok("ranks-later"));
    admin.until("it is as it was named", "Pod", WEB, "named-later", given("ranks-later")).await;
    for class in ["ranks-later", "ranks-high"] {
        admin.api("PriorityClass", "").delete(class, &DeleteParams::default()).await.unwrap();
    }
    admin
        .until("no default is known", "Namespace", "", WEB, |namespace| {
            namespace.is_some_and(|namespace| namespace["metadata"]["annotations"]["govcloud.io/default-priority-class"].is_null())
        })
        .await;
    operator.stop().await.unwrap();
}

/// An object of a team as it was before anybody had default classes.
const OF_A_TEAM: &str = "
{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: data, namespace: bound--app}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}
---
{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: web, namespace: bound--app}, spec: {rules: [{host: bound.example.gov.cn, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}}]}}
";

fn shared_class(kind: &str, name: &str) -> String {
    let (group, field, mark) = match kind {
        "StorageClass" => ("storage", "provisioner: example.com/disk", "storageclass"),
        _ => ("networking", "spec: {controller: example.com/ingress}", "ingressclass"),
    };
    let annotation = format!("{mark}.kubernetes.io/is-default-class: 'true'");
    format!("{{apiVersion: {group}.k8s.io/v1, kind: {kind}, metadata: {{name: {name}, annotations: {{{annotation}}}}}, {field}}}")
}

#[tokio::test]
async fn a_takeover_is_judged_with_the_cluster_s_default_classes() {
    let alone = Alone::turn().await;
    let operator = alone.start().await;
    let admin = alone.admin().await;
    admin.apply("{apiVersion: v1, kind: Namespace, metadata: {name: bound--app}}").await;
    admin.apply(OF_A_TEAM).await;
    admin.apply(&class("bound-default", 1000, true)).await;
    until_given(&admin, "bound-default").await;
    admin.until("is there", "ServiceAccount", "bound--app", "default", |account| account.is_some()).await;
    admin.apply(&pod_yaml("bound--app", "ranked")).await;
    assert_eq!(admin.get("Pod", "bound--app", "ranked").await["spec"]["priorityClassName"], "bound-default");
    admin.tenant_with_systems("bound", &[]).await;
    admin.apply(&(system_yaml("bound", "app") + "  adoptNamespace: true\n")).await;

    let adopt = async || {
        let (plane, program) = (alone.plane, alone.program);
        let arguments = ["adopt", "bound--app", "--into", "bound/app", "--dry-run"];
        spawn_blocking(move || plugin_as(plane, program, "adopter", "system:masters", &arguments).unwrap()).await.unwrap()
    };
    // Without a default, and with one that the contract does not have.
    for (classes, storage, ingress) in
        [(false, "spec.storageClassName: no class is named", "rule ingress-classes"), (true, "\"bound-fast\"", "\"bound-inner\"")]
    {
        if classes {
            admin.apply(&(shared_class("StorageClass", "bound-fast") + "\n---\n" + &shared_class("IngressClass", "bound-inner"))).await;
        }
        let (code, text) = adopt().await;
        assert_eq!(code, 1, "{text}");
        for words in ["persistentvolumeclaim data: rule storage-classes", storage, "ingress web: rule ingress-classes", ingress] {
            assert!(text.contains(words), "{words}: {text}");
        }
        assert!(!text.contains("pod ranked"), "the default priority class is everybody's: {text}");
    }
    let allow = json!({"spec": {"allow": {"storageClasses": ["bound-fast"], "ingressClasses": ["bound-inner"]}}});
    admin.patch("AgencyTenant", "", "bound", allow).await;
    admin.tenant_ready("bound").await;
    let (code, text) = adopt().await;
    assert_eq!(code, 0, "{text}");
    admin.delete("HostedSystem", "bound", "app").await; // a takeover that nobody agrees to is tried again and again
    admin.gone("HostedSystem", "bound", "app").await;
    for (kind, class) in [("storageclass", "bound-fast"), ("ingressclass", "bound-inner"), ("priorityclass", "bound-default")] {
        let deleted = alone.plane.kubectl().args(["delete", kind, class]).output().unwrap();
        assert!(deleted.status.success(), "{deleted:?}");
    }
    operator.stop().await.unwrap();
}

/// Waits until the API server, which learns of classes by a watch, gives this one to pods outside of tenants that name none.
async fn until_given(admin: &Person, class: &str) {
    let mut pod: Value = serde_yaml::from_str(&pod_yaml("default", "given")).unwrap();
    pod["spec"]["automountServiceAccountToken"] = false.into();
    let pod: DynamicObject = serde_json::from_value(pod).unwrap();
    let begin = Instant::now();
    loop {
        let parameters = PostParams { dry_run: true, ..PostParams::default() };
        let given = admin.api("Pod", "default").create(&parameters, &pod).await.unwrap();
        if given.data["spec"]["priorityClassName"] == class {
            return;
        }
        assert!(begin.elapsed() < PATIENCE, "{class} is not given to pods");
        sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until the deployment has its pod.
async fn deployed(admin: &Person, name: &str) {
    admin
        .until("it has its pod", "Deployment", WEB, name, |deployment| {
            deployment.is_some_and(|deployment| deployment["status"]["replicas"] == 1 && deployment["status"]["updatedReplicas"] == 1)
        })
        .await;
}

const CLASSES: &str = "
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: cheap, annotations: {storageclass.kubernetes.io/is-default-class: 'true'}}
provisioner: example.com/none
---
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: edge, annotations: {ingressclass.kubernetes.io/is-default-class: 'true'}}
spec: {controller: example.com/none}
";

fn claim(namespace: &str, class: Option<&str>) -> Value {
    let spec = json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, "storageClassName": class});
    json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data", "namespace": namespace}, "spec": spec})
}

fn ingress(namespace: &str, class: Option<&str>) -> Value {
    let paths = json!([{"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "web", "port": {"number": 80}}}}]);
    let spec = json!({"ingressClassName": class, "rules": [{"host": "www.defaults.example.gov.cn", "http": {"paths": paths}}]});
    json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "web", "namespace": namespace}, "spec": spec})
}

/// The object as the API server would create it, or the refusal.
async fn tried(admin: &Person, object: &Value) -> Result<Value, String> {
    let [kind, namespace] = [&object["kind"], &object["metadata"]["namespace"]].map(|text| text.as_str().unwrap());
    let dry_run = PostParams { dry_run: true, ..PostParams::default() };
    let created = admin.api(kind, namespace).create(&dry_run, &serde_json::from_value(object.clone()).unwrap()).await;
    created.map(|created| created.data["spec"].clone()).map_err(|error| error.to_string())
}

/// Waits until the API server, which learns of classes by a watch, gives these to what names none outside of tenants.
async fn until_filled_in(admin: &Person) {
    for (object, field, class) in
        [(claim("default", None), "storageClassName", "cheap"), (ingress("default", None), "ingressClassName", "edge")]
    {
        let begin = Instant::now();
        while tried(admin, &object).await.unwrap()[field] != class {
            assert!(begin.elapsed() < PATIENCE, "{class} is not given");
            sleep(Duration::from_millis(20)).await;
        }
    }
}

#[tokio::test]
async fn a_refused_default_class_of_claims_or_ingresses_is_told_as_the_clusters() {
    let alone = Alone::turn().await;
    let operator = alone.start().await;
    let admin = alone.admin().await;
    admin.tenant_with_systems("defaults", &["web"]).await;
    admin.apply(CLASSES).await;
    until_filled_in(&admin).await;
    let web = "defaults--web";
    for (object, words) in [
        (claim(web, None), "no class is named, and the default class of the cluster, \"cheap\", is not a storage class of this agency"),
        (claim(web, Some("cheap")), "spec.storageClassName: \"cheap\" is not a storage class of this agency; allowed: standard"),
        (ingress(web, None), "no class is named, and the default class of the cluster, \"edge\", is not an ingress class of this agency"),
        (ingress(web, Some("edge")), "spec.ingressClassName: \"edge\" is not an ingress class of this agency; allowed: public"),
    ] {
        let refused = tried(&admin, &object).await.unwrap_err();
        assert!(refused.contains(words), "{words}: {refused}");
    }
    // Where the contract has it, the default class is anybody's.
    let allow = json!({"spec": {"allow": {"storageClasses": ["cheap"], "ingressClasses": ["edge"]}}});
    admin.patch("AgencyTenant", "", "defaults", allow).await;
    admin.tenant_ready("defaults").await;
    assert_eq!(tried(&admin, &claim(web, None)).await.unwrap()["storageClassName"], "cheap");
    assert_eq!(tried(&admin, &ingress(web, None)).await.unwrap()["ingressClassName"], "edge");
    for (kind, class) in [("StorageClass", "cheap"), ("IngressClass", "edge")] {
        admin.delete(kind, "", class).await;
    }
    operator.stop().await.unwrap();
}
