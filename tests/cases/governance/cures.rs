//! What a refusal tells to do about it, where the value at fault is one that nobody wrote.

use kube::api::PostParams;
use serde_json::{Value, json};

use crate::cluster::{Person, admin, shared};

/// What the guard rails say of this object; nothing where they admit it.
async fn told(person: &Person, kind: &str, object: Value) -> String {
    let dry_run = PostParams { dry_run: true, ..PostParams::default() };
    let namespace = object["metadata"]["namespace"].as_str().unwrap().to_owned();
    let answer = person.api(kind, &namespace).create(&dry_run, &serde_json::from_value(object).unwrap()).await;
    answer.err().map_or_else(String::new, |error| error.to_string())
}

fn claim(class: &Value) -> Value {
    let spec = json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, "storageClassName": class});
    json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data", "namespace": "cured--web"}, "spec": spec})
}

fn ingress(class: &Value, host: &Value, tls: &Value) -> Value {
    let paths = json!([{"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "web", "port": {"number": 80}}}}]);
    let spec = json!({"ingressClassName": class, "rules": [{"host": host, "http": {"paths": paths}}], "tls": tls});
    json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "web", "namespace": "cured--web"}, "spec": spec})
}

#[tokio::test]
async fn a_refusal_names_the_field_that_is_missing_and_what_to_write_there() {
    let admin = admin().await;
    admin.tenant_with_systems("cured", &["web"]).await;
    let owner = shared().person("olga", &["cured-owners"]).await;
    let none = Value::Null;
    for (class, words) in [
        (
            &none,
            "spec.storageClassName: no class is named, and the cluster has no default class; allowed: standard; name one of them, or an Owner",
        ),
        (
            &json!(""),
            "spec.storageClassName: \"\" asks for an existing volume without a class, and those are the platform's; allowed: standard",
        ),
        (
            &json!("fast"),
            "spec.storageClassName: \"fast\" is not a storage class of this agency; allowed: standard; name one of them, or an Owner",
        ),
    ] {
        let told = told(&owner, "PersistentVolumeClaim", claim(class)).await;
        assert!(told.contains("rule storage-classes: ") && told.contains(words), "{class}: {told}");
    }
    assert_eq!(told(&owner, "PersistentVolumeClaim", claim(&json!("standard"))).await, "");

    let (public, host) = (json!("public"), json!("www.cured.example.gov.cn"));
    for (object, rule, words) in [
        (ingress(&public, &none, &none), "hosts", "spec.rules[].host: a rule without a host answers for every host of the controller"),
        (ingress(&public, &none, &none), "hosts", "*.cured.example.gov.cn; name one of these; for other names an Owner"),
        (
            ingress(&public, &host, &json!([{"secretName": "web"}])),
            "hosts",
            "spec.tls[].hosts: an entry without hosts stands for every host of the controller",
        ),
        (ingress(&public, &json!("a.example"), &none), "hosts", "spec.rules[].host: \"a.example\" is not under a domain of this agency"),
        (
            ingress(&none, &host, &none),
            "ingress-classes",
            "spec.ingressClassName: no class is named, and the cluster has no default class; allowed: public; name one of them, or an Owner",
        ),
        (
            ingress(&json!("other"), &host, &none),
            "ingress-classes",
            "spec.ingressClassName: \"other\" is not an ingress class of this agency",
        ),
    ] {
        let told = told(&owner, "Ingress", object).await;
        assert!(told.contains(&format!("rule {rule}: ")) && told.contains(words), "{words}: {told}");
    }
    assert_eq!(told(&owner, "Ingress", ingress(&public, &host, &json!([{"secretName": "web", "hosts": [host]}]))).await, "");
    let mut by_annotation = ingress(&none, &host, &none);
    by_annotation["metadata"]["annotations"] = json!({"kubernetes.io/ingress.class": "other"});
    let told = told(&owner, "Ingress", by_annotation).await;
    assert!(told.contains("metadata.annotations"), "{told}");
}
