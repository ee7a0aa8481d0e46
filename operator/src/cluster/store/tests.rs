use std::collections::BTreeSet;

use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::*;

fn store() -> (Store, UnboundedReceiver<TenantName>) {
    let (requeue, triggers) = unbounded_channel();
    (Store::new(requeue), triggers)
}

fn child(kind: &str) -> Source {
    Source::Children(TABLE.iter().position(|row| row.kind == kind).unwrap())
}

fn object(namespace: &str, name: &str, version: u32, labels: &Value) -> Object {
    let uid = format!("{namespace}/{name}");
    let metadata = json!({ "namespace": namespace, "name": name, "uid": uid, "resourceVersion": version.to_string(), "labels": labels });
    Object::new(&json!({ "metadata": metadata })).unwrap()
}

fn namespace(name: &str, version: u32) -> Object {
    object("", name, version, &json!({ "govcloud.io/tenant": name, "govcloud.io/tenant-uid": "u" }))
}

fn snapshot(store: &Store, tenant: &str) -> Snapshot {
    store.snapshot(&TenantName::new(tenant), Timestamp::UNIX_EPOCH)
}

fn names(snapshot: &Snapshot) -> BTreeSet<String> {
    snapshot.observed.keys().map(|key| key.name.to_string()).collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn what_others_write_is_news_only_in_tenants_namespaces_and_is_there_when_one_becomes_a_tenants() {
    let marked = json!({ "govcloud.io/tenant": "health", "govcloud.io/tenant-uid": "u" });
    let makes_it_a_tenants = [
        ("Namespace", namespace("health", 5)),
        ("ResourceQuota", object("health", "govcloud-quota", 5, &marked)), // the mark of its namespace was taken off
    ];
    for (kind, by) in makes_it_a_tenants {
        let (store, mut triggers) = store();
        for kind in ["RoleBinding", "NetworkPolicy"] {
            assert_eq!(store.take(child(kind), &object("health", "others", 1, &json!({}))), None);
            assert_eq!(store.take(child(kind), &object("monitoring", "others", 1, &json!({}))), None);
            assert_eq!(store.forget(child(kind), &object("monitoring", "others", 2, &json!({}))), None);
        }
        assert!(store.tenants().is_empty() && triggers.try_recv().is_err());

        assert_eq!(store.take(child(kind), &by), Some(TenantName::new("health")), "{kind}");
        assert_eq!(names(&snapshot(&store, "health")), set(&[by.meta().name.as_deref().unwrap(), "others"]));
        assert_eq!(store.tenants(), [TenantName::new("health")]);
        let edited = object("health", "others", 6, &json!({}));
        assert_eq!(store.forget(child("NetworkPolicy"), &edited), Some(TenantName::new("health")), "{kind}");
    }
}

#[test]
fn a_mark_that_is_taken_off_the_only_object_is_news() {
    let (store, _triggers) = store();
    let marked = json!({ "govcloud.io/tenant": "health", "govcloud.io/tenant-uid": "u" });
    let binding = |version, labels: &Value| object("", "govcloud:tenant:health", version, labels);
    assert!(store.take(child("ClusterRoleBinding"), &binding(1, &marked)).is_some());
    let taken_off = binding(2, &json!({ "govcloud.io/tenant": "health" }));
    assert_eq!(store.take(child("ClusterRoleBinding"), &taken_off), Some(TenantName::new("health")));
}

#[test]
fn what_is_known_at_this_version_is_no_news_and_what_is_gone_does_not_come_back() {
    let (store, _heard) = store();
    let (source, health) = (child("Namespace"), Some(TenantName::new("health")));
    assert_eq!(store.take(source, &namespace("health", 5)), health);
    assert_eq!(store.take(source, &namespace("health", 5)), None, "the event of an own write");
    assert_eq!(store.take(source, &namespace("health", 4)), None, "late");
    assert_eq!(store.take(source, &namespace("health", 6)), None, "nothing but the version");
    let changed = object("", "health", 7, &json!({ "govcloud.io/tenant": "health", "govcloud.io/tenant-uid": "other" }));
    assert_eq!(store.take(source, &changed), health);
    let before = snapshot(&store, "health");
    assert_eq!(store.forget(source, &namespace("health", 9)), health);
    assert_eq!(store.take(source, &namespace("health", 8)), None, "an answer from before");
    assert!(store.tenants().is_empty());
    assert_eq!(names(&before), set(&["health"]), "a snapshot stays as it was");
}

#[test]
fn what_is_not_in_a_list_is_gone() {
    let (store, _heard) = store();
    for (kind, object) in [
        ("Namespace", namespace("health", 1)),
        ("Namespace", namespace("traffic", 1)),
        ("RoleBinding", object("health", "one", 1, &json!({}))),
        ("RoleBinding", object("health", "other", 1, &json!({}))),
    ] {
        store.take(child(kind), &object);
    }
    let list = |namespace: &str, names: &[&str]| Listed::from([(namespace.to_owned(), set(names))]);
    assert_eq!(store.listed(child("RoleBinding"), &list("health", &["one"])), [TenantName::new("health")]);
    assert_eq!(names(&snapshot(&store, "health")), set(&["health", "one"]));
    assert_eq!(store.listed(child("Namespace"), &list("", &["health"])), [TenantName::new("traffic")]);
    assert_eq!(store.tenants(), [TenantName::new("health")]);
}

#[test]
fn a_change_of_one_tenant_is_news_to_those_that_read_it() {
    let (store, mut heard) = store();
    let tenant = |name: &str, version: u32, domain: &str, preapproved: bool| {
        let spec = json!({
            "displayName": name, "responsibleUnit": "x", "preapproved": preapproved, "domains": [domain], "quota": {},
            "members": [{ "kind": "Group", "name": name, "role": "Owner" }],
        });
        let metadata = json!({ "name": name, "uid": name, "resourceVersion": version.to_string(), "generation": 1 });
        Object::new(&json!({ "metadata": metadata, "spec": spec })).unwrap()
    };
    for (name, domain) in [("health", "a.example.cn"), ("traffic", "b.example.cn"), ("water", "example.cn")] {
        assert!(store.take(Source::Tenants, &tenant(name, 1, domain, false)).is_some());
    }
    assert!(heard.try_recv().is_err(), "wishes are in nobody's way");
    store.take(Source::Tenants, &tenant("parks", 1, "x.a.example.cn", true));
    let told: BTreeSet<String> = std::iter::from_fn(|| heard.try_recv().ok()).map(|tenant| tenant.to_string()).collect();
    assert_eq!(told, set(&["health", "water"]));
    assert_eq!(snapshot(&store, "health").exports.len(), 1);
    assert!(snapshot(&store, "traffic").exports.is_empty());
}

#[test]
fn figures_count_what_the_statuses_say() {
    let (store, _triggers) = store();
    let with_status = |namespace: &str, name: &str, stage: &str, ready: [&str; 2]| {
        let metadata = json!({ "namespace": namespace, "name": name, "uid": name, "resourceVersion": "1" });
        let condition = json!({ "type": "Ready", "status": ready[0], "reason": ready[1], "message": "", "observedGeneration": 1,
            "lastTransitionTime": "2026-01-01T00:00:00Z" });
        Object::new(&json!({ "metadata": metadata, "spec": {}, "status": { "stage": stage, "conditions": [condition] } })).unwrap()
    };
    store.take(Source::Tenants, &with_status("", "health", "Active", ["True", "Ready"]));
    store.take(Source::Tenants, &with_status("", "traffic", "Requested", ["False", "Requested"]));
    for (name, stage, reason) in [("db", "Running", "QuotaWaiting"), ("web", "Running", "QuotaWaiting"), ("old", "Retired", "Conflict")] {
        store.take(Source::Systems, &with_status("health", name, stage, ["False", reason]));
    }
    let figures = store.figures();
    assert_eq!(figures.objects, [("agencytenants", 2), ("hostedsystems", 3), ("children", 0)]);
    assert_eq!(figures.tenants, [("Active", 1), ("Requested", 1)].into());
    assert_eq!(figures.systems, [("Retired", 1), ("Running", 2)].into());
    let judged = |(Judged { resource, condition, status, reason }, number)| format!("{resource} {condition} {status} {reason} {number}");
    let conditions: Vec<String> = figures.conditions.into_iter().map(judged).collect();
    assert_eq!(
        conditions,
        [
            "agencytenants Ready False Requested 1",
            "agencytenants Ready True Ready 1",
            "hostedsystems Ready False Conflict 1",
            "hostedsystems Ready False QuotaWaiting 2",
        ]
    );
}

#[test]
fn what_is_deleted_while_it_is_decoded_does_not_come_back() {
    let (store, _triggers) = store();
    let marked = json!({ "govcloud.io/tenant": "health", "govcloud.io/tenant-uid": "u" });
    let policy = object("health", "govcloud-isolation", 10, &marked);
    let Source::Children(kind) = child("NetworkPolicy") else { panic!() };
    let entry = TABLE[kind].entry(policy.json());
    store.forget(child("NetworkPolicy"), &object("health", "govcloud-isolation", 11, &marked));
    assert!(!store.contents().take_child(kind, ("health", "govcloud-isolation"), entry));
    assert!(names(&snapshot(&store, "health")).is_empty());
}
