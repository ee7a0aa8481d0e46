//! What is written of children, and of the operator's own roles.

use std::sync::Arc;

use govcloud_core::{
    children::{
        Rank,
        desired::Desired,
        difference::{Contender, contender},
        manifests::Manifests,
        merge::{own_part, owner_of, with_foreign_labels},
        rbac,
    },
    model::snapshot::Snapshot,
    plan::{NamespacePlan, Plan, diff::Change, intent::intent},
};
use serde_json::{Value, json};

use super::{
    decisions::{APPOINTMENTS, HEALTH},
    world::{decide, inventory, settings, settle, system, with_home},
};

fn plan(yaml: &str) -> Plan {
    let mut seen = with_home(yaml, vec![system(APPOINTMENTS)]);
    settle(&mut seen);
    decide(&seen).0
}

fn child<'a>(plan: &'a Plan, namespace: &str, kind: &str) -> &'a Desired {
    let space = plan.namespaces.iter().find(|space| space.namespace.as_str() == namespace).unwrap();
    space.desired.iter().find(|desired| desired.kind.kind == kind).unwrap()
}

/// An object as it is found, with marks of ours that are planned no more, and labels and annotations of others.
fn found() -> Value {
    json!({ "metadata": {
        "uid": "u", "resourceVersion": "5", "finalizers": ["example.com/a"], "ownerReferences": [{ "name": "project" }],
        "labels": { "team": "a", "govcloud.io/tenant-uid": "uid-of--health", "govcloud.io/old": "1" },
        "annotations": { "by": "others", "govcloud.io/old": "1" },
    } })
}

/// Which namespaces' manifests are the same objects in memory as before.
fn kept(manifests: &mut Manifests, before: &Plan, seen: &Snapshot) -> (Vec<String>, Plan) {
    let plan = plan_again(seen, manifests);
    let same = |space: &&NamespacePlan| {
        let before = before.namespace(&space.namespace);
        before.is_some_and(|before| before.desired.iter().zip(&space.desired).all(|(one, other)| Arc::ptr_eq(one, other)))
    };
    (plan.namespaces.iter().filter(same).map(|space| space.namespace.to_string()).collect(), plan)
}

fn plan_again(seen: &Snapshot, manifests: &mut Manifests) -> Plan {
    govcloud_core::plan::plan(seen, &intent(seen, &settings()), &inventory(seen), &settings(), manifests)
}

#[test]
fn manifests_are_built_again_only_where_their_inputs_change() {
    let mut seen = with_home(HEALTH, vec![system(APPOINTMENTS)]);
    settle(&mut seen);
    let mut manifests = Manifests::default();
    let first = plan_again(&seen, &mut manifests);
    let (same, plan) = kept(&mut manifests, &first, &seen);
    assert_eq!(same, ["health", "health--appointments"], "nothing has changed");
    seen.systems[0].spec.as_mut().unwrap().display_name = "挂号".into();
    let (same, plan) = kept(&mut manifests, &plan, &seen);
    assert_eq!(same, ["health"], "a system was renamed");
    seen.api_server.pop();
    assert!(kept(&mut manifests, &plan, &seen).0.is_empty(), "what all of them are built from");
}

#[test]
fn an_object_is_replaced_by_its_plan_with_the_labels_of_others_and_the_version_that_was_read() {
    let plan = plan(HEALTH);
    let desired = child(&plan, "health--appointments", "NetworkPolicy");
    let mut expected = desired.object.clone();
    expected["metadata"]["labels"]["team"] = json!("a");
    expected["metadata"]["annotations"] = json!({ "by": "others" });
    (expected["metadata"]["uid"], expected["metadata"]["resourceVersion"]) = (json!("u"), json!("5"));
    assert_eq!(with_foreign_labels(desired, &found()), expected);
}

#[test]
fn a_patch_takes_away_what_is_ours_and_planned_no_more_and_the_finalizers_but_of_a_namespace() {
    let plan = plan(HEALTH);
    for (kind, takes_finalizers) in [("Namespace", false), ("ServiceAccount", true)] {
        let desired = child(&plan, "health--appointments", kind);
        let mut expected = desired.object.clone();
        expected["metadata"]["labels"]["govcloud.io/old"] = Value::Null;
        expected["metadata"]["annotations"]["govcloud.io/old"] = Value::Null;
        expected["metadata"]["ownerReferences"] = Value::Null;
        if takes_finalizers {
            expected["metadata"]["finalizers"] = Value::Null;
        }
        (expected["metadata"]["uid"], expected["metadata"]["resourceVersion"]) = (json!("u"), json!("5"));
        assert_eq!(own_part(desired, &found()), expected, "{kind}");
    }
}

#[test]
fn the_owner_of_an_object_is_whom_its_mark_names() {
    assert_eq!((owner_of(&found()).as_str(), owner_of(&json!({})).as_str()), ("uid-of--health", ""));
}

#[test]
fn defaults_of_containers_differ_by_their_amounts_and_not_by_how_these_are_written() {
    let yaml =
        format!("{HEALTH}  containerDefaults: {{default: {{cpu: '1', memory: 1Gi}}, defaultRequest: {{cpu: 100m, memory: 128Mi}}}}\n");
    let plan = plan(&yaml);
    let desired = child(&plan, "health--appointments", "LimitRange");
    let hash = |cpu: &str| {
        let mut live = desired.object.clone();
        live["spec"]["limits"][0]["default"]["cpu"] = json!(cpu);
        desired.kind.hash(&live)
    };
    assert_eq!((hash("1"), hash("1000m")), (desired.hash, desired.hash));
    assert_ne!(hash("2"), desired.hash);
}

#[test]
fn containers_have_a_default_of_ephemeral_storage_where_the_quota_counts_it() {
    let scratch = |request: &str, limit: &str| {
        let total = format!("pods: 400, requests.ephemeral-storage: {request}, limits.ephemeral-storage: {limit}}}");
        let plan = plan(&HEALTH.replace("pods: 400}", &total));
        let limits = &child(&plan, "health--appointments", "LimitRange").object["spec"]["limits"][0];
        ["defaultRequest", "default"].map(|field| limits[field]["ephemeral-storage"].clone())
    };
    assert_eq!(scratch("100Gi", "200Gi"), ["64Mi", "512Mi"]);
    assert_eq!(scratch("'0'", "'0'"), [Value::Null, Value::Null]);
}

#[test]
fn the_shipped_roles_of_the_operator_are_what_the_table_says() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../charts/govcloud/roles/operator.yaml");
    let shipped = std::fs::read_to_string(path).unwrap();
    let documents: Vec<Value> = shipped.split("\n---").map(|text| serde_yaml::from_str(text).unwrap()).collect();
    for role in [rbac::cluster_role(), rbac::lease_role()] {
        let name = role.metadata.name.clone().unwrap();
        let document = documents.iter().find(|object| object["kind"] == "ClusterRole" && object["metadata"]["name"] == *name);
        assert_eq!(document, Some(&serde_json::to_value(&role).unwrap()), "{name}");
    }
}

#[test]
fn children_are_written_in_the_order_of_their_kinds_and_what_ends_pods_or_namespaces_comes_last() {
    let (_, changes) = decide(&with_home(HEALTH, vec![system(APPOINTMENTS)]));
    let created = changes.iter().flat_map(|space| &space.changes).filter_map(|change| match change {
        Change::Create(desired) => Some((desired.kind.kind, change.rank())),
        _ => None,
    });
    let ranks: std::collections::BTreeMap<_, _> = created.collect();
    for (kind, rank) in [("Namespace", Rank::Namespace), ("NetworkPolicy", Rank::Isolation), ("RoleBinding", Rank::Access)] {
        assert_eq!(ranks[kind], Some(rank), "{kind}");
    }
    assert_eq!(Change::DeletePods.rank(), None);
}

#[test]
fn what_an_object_is_for_stays_while_only_the_ledgers_entry_changes() {
    let plan = plan(HEALTH);
    let quota = child(&plan, "health--appointments", "ResourceQuota");
    let namespace = child(&plan, "health--appointments", "Namespace");
    let purpose = |of: &Desired, path: &str| {
        let mut object = of.object.clone();
        *object.pointer_mut(path).unwrap() = "1".into();
        of.kind.purpose(&object)
    };
    assert_eq!(purpose(quota, "/metadata/annotations/govcloud.io~1epoch"), quota.purpose);
    for (of, path) in [
        (quota, "/spec/hard/pods"),
        (quota, "/metadata/labels/govcloud.io~1tenant-uid"),
        (namespace, "/metadata/annotations/govcloud.io~1display-name"),
        (namespace, "/metadata/annotations/govcloud.io~1image-digests"),
    ] {
        assert_ne!(purpose(of, path), of.purpose, "{path}");
    }
}

#[test]
fn of_an_object_that_is_not_as_planned_the_field_and_its_writer_are_named() {
    let plan = plan(HEALTH);
    let child = |kind: &str| child(&plan, "health--appointments", kind);
    let by = |fields: Value| json!([{ "manager": "x", "time": "2026-01-01T00:00:00Z", "fieldsV1": fields }]);
    let told = |desired: &Desired, path: &str, value: Value, fields: Value| {
        let mut live = desired.object.clone();
        live["metadata"]["labels"]["team.example/cost-centre"] = json!("42");
        live["status"] = json!({ "used": {} });
        *live.pointer_mut(path).unwrap() = value;
        let Contender { field, program } = contender(desired, &live, &by(fields));
        (field, program)
    };
    let x = "field manager \"x\"".to_owned();
    let owner = json!({ "f:spec": { "f:hard": { "f:pods": {} } } });
    // The same amount in other words is no difference.
    let mut quota = child("ResourceQuota").clone();
    quota.object["spec"]["hard"]["requests.cpu"] = json!("8000m");
    assert_eq!(told(&quota, "/spec/hard/pods", json!("1"), owner), ("spec.hard.pods".into(), x.clone()));
    let owner = json!({ "f:metadata": { "f:labels": { "f:govcloud.io/system": {} } } });
    let system = told(child("Namespace"), "/metadata/labels/govcloud.io~1system", json!("other"), owner);
    assert_eq!(system, ("metadata.labels[govcloud.io/system]".into(), x));
    let nobody = told(child("NetworkPolicy"), "/spec/egress", json!([{}]), json!({ "f:spec": { "f:ingress": {} } }));
    assert_eq!(nobody, ("spec.egress".into(), "another program".into()));
    let same = contender(child("NetworkPolicy"), &child("NetworkPolicy").object, &Value::Null);
    assert_eq!(same.field, "the object");
}
