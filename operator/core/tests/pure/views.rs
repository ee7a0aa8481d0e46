//! What commands show of what would be, from the same decisions as the operator's.

use std::{collections::BTreeMap, fs, path::Path};

use govcloud_core::{
    children::TABLE,
    model::{
        names::NamespaceName,
        observed::{ChildKey, Entry},
        ownership::takeover,
        snapshot::Snapshot,
    },
    plan::diff::{Change, diff},
    views::{
        adoption,
        changes::{Row, conflicts, invalid, rows},
        foresight::{Foreseen, approve, foresee},
        guard_rails::{GuardRails, Subject},
        quota,
        refusals::refusals,
        three_way::{LAST_APPLIED, merged, patch},
    },
};
use serde_json::{Value, json};

use super::{
    decisions::{APPOINTMENTS, HEALTH},
    world::{decide, inventory, set_pods, settings, settle, snapshot, system, tenant, with_home},
};

fn futures(now: &Snapshot, then: Snapshot) -> (Foreseen, Foreseen) {
    (foresee(now.clone(), &settings()), foresee(then, &settings()))
}

fn written(rows: &[Row]) -> Vec<String> {
    rows.iter().map(|row| format!("{} {} {}", row.namespace, row.object, row.what)).collect()
}

#[test]
fn what_differs_between_two_futures_is_told_and_nothing_else() {
    let mut now = with_home(HEALTH, vec![system(APPOINTMENTS)]);
    settle(&mut now);
    let (before, after) = futures(&now, now.clone());
    assert_eq!((written(&rows(&before, &after, &BTreeMap::new())), quota::lines(&before, &after)), (Vec::new(), Vec::new()));

    let mut then = now.clone();
    then.systems.push(system(&APPOINTMENTS.replace("appointments", "records").replace("requests.cpu: 8", "requests.cpu: 33")));
    let (before, after) = futures(&now, then);
    let told = written(&rows(&before, &after, &BTreeMap::new()));
    assert!(told.contains(&" namespace/health--records created".to_owned()), "{told:?}");
    assert!(told.contains(&"health--records networkpolicy/govcloud-isolation created".to_owned()), "{told:?}");
    assert!(!told.iter().any(|row| row.contains("health--appointments")), "{told:?}");
    let numbers = quota::lines(&before, &after);
    let waits =
        "hostedsystem/records waits: limits.cpu: 66 wanted, 64 free (total 80, held by others 16); requests.cpu: 33 wanted, 32 free";
    assert!(numbers.iter().any(|line| line.starts_with(waits)), "{numbers:?}");
}

#[test]
fn a_quota_that_is_not_enforced_yet_keeps_no_binding_from_being_foreseen() {
    let mut now = with_home(HEALTH, vec![system(APPOINTMENTS)]);
    settle(&mut now);
    now.observed.retain(|key, _| TABLE[key.kind].kind != "RoleBinding");
    for quota in now.observed.values_mut().filter_map(|entry| entry.quota.as_mut()) {
        quota.enforced = false;
    }
    let bindings = |seen: &Snapshot| seen.observed.keys().filter(|key| TABLE[key.kind].kind == "RoleBinding").count();
    assert_eq!(bindings(&now), 0);
    assert!(bindings(&foresee(now, &settings()).snapshot) > 0);
}

#[test]
fn a_system_that_retires_is_closed_and_its_pods_are_ended() {
    let mut now = with_home(HEALTH, vec![system(APPOINTMENTS)]);
    settle(&mut now);
    let namespace = NamespaceName::new("health--appointments");
    set_pods(&mut now, &namespace, 3);
    let mut then = now.clone();
    then.systems = vec![system(&APPOINTMENTS.replace("stage: Running", "stage: Retired"))];
    let (before, after) = futures(&now, then);
    let rows = rows(&before, &after, &BTreeMap::new());
    let closed = rows.iter().find(|row| row.what == "closed").unwrap();
    assert_eq!(closed.object, "namespace/health--appointments");
    assert!(closed.fields.iter().any(|field| field == "its pods are ended"), "{closed:?}");
    assert!(written(&rows).contains(&"health--appointments rolebinding/govcloud-owner deleted".to_owned()), "{rows:?}");
}

#[test]
fn a_request_is_shown_as_if_it_were_approved_and_what_cannot_be_served_is_told() {
    let mut now = snapshot(tenant(HEALTH), Vec::new());
    now.tenant.as_mut().unwrap().spec.as_mut().unwrap().preapproved = false;
    let mut then = now.clone();
    approve(&mut then, &settings());
    let (before, after) = futures(&now, then);
    assert!(before.plan.namespaces.is_empty(), "nothing is served before");
    let told = written(&rows(&before, &after, &BTreeMap::new()));
    assert!(told.contains(&" namespace/health created".to_owned()), "{told:?}");

    let wrong = foresee(snapshot(tenant(&HEALTH.replace("203.0.113.0/24", "10.96.1.0/24")), Vec::new()), &settings());
    let told: Vec<_> = invalid(&wrong).into_iter().collect();
    let [(object, words)] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!(*object, ("AgencyTenant", "health".to_owned()));
    assert!(words.starts_with("spec.network.egress[10.96.1.0/24].cidr"), "{words}");
    let homeless = foresee(Snapshot { tenant: None, ..snapshot(tenant(HEALTH), vec![system(APPOINTMENTS)]) }, &settings());
    let words = invalid(&homeless).remove(&("HostedSystem", "appointments".to_owned())).unwrap();
    assert!(words.starts_with("metadata.namespace: 'health' is not the home namespace of an AgencyTenant"), "{words}");
}

#[test]
fn a_namespace_is_taken_over_only_when_both_sides_say_so() {
    let home = NamespaceName::new("health");
    let workload = NamespaceName::new("health--appointments");
    for (namespace, annotation, declared, words) in [
        (
            &home,
            "",
            false,
            "set spec.adoptNamespace of agencytenant/health to true, and have an administrator of the cluster run `kubectl govcloud adopt health --into health`",
        ),
        (&home, "health", false, "agrees to a takeover; to take it over, set spec.adoptNamespace of agencytenant/health to true"),
        (&home, "", true, "also have an administrator of the cluster run `kubectl govcloud adopt health --into health`"),
        (&home, "education", true, "is \"education\", and by its name it can only become \"health\""),
        (&home, "health/appointments", true, "it can only become \"health\""),
        (&workload, "health", true, "it can only become \"health/appointments\""),
        (&workload, "health--appointments", true, "it can only become \"health/appointments\""),
        (&workload, "", true, "spec.adoptNamespace of hostedsystem/appointments in namespace health is true"),
    ] {
        let told = takeover(namespace, annotation, declared).unwrap_err();
        assert!(told.contains(words) && told.contains("exists and is not this tenant's"), "{namespace} {annotation} {declared}: {told}");
    }
    assert_eq!((takeover(&home, "health", true), takeover(&workload, "health/appointments", true)), (Ok(()), Ok(())));
}

#[test]
fn where_a_namespace_is_left_alone_nothing_is_told_to_happen_in_it() {
    let yaml = |adopts: bool| format!("{HEALTH}  adoptNamespace: {adopts}\n");
    let there = BTreeMap::from([(NamespaceName::new("health"), "health".to_owned())]);
    let nothing = foresee(Snapshot { tenant: None, ..snapshot(tenant(HEALTH), Vec::new()) }, &settings());
    let after = foresee(snapshot(tenant(&yaml(true)), vec![system(APPOINTMENTS)]), &settings());
    let told = written(&rows(&nothing, &after, &there));
    assert!(told.contains(&" namespace/health taken over".to_owned()), "{told:?}");
    assert!(told.contains(&" namespace/health--appointments created".to_owned()), "{told:?}");
    assert!(conflicts(&after, &there)[0].is_ok());

    let after = foresee(snapshot(tenant(&yaml(false)), vec![system(APPOINTMENTS)]), &settings());
    let told = written(&rows(&nothing, &after, &there));
    assert!(told.iter().all(|row| row.starts_with(" clusterrole")), "{told:?}");
    assert!(conflicts(&after, &there)[0].as_ref().is_err_and(|words| words.contains("set spec.adoptNamespace of agencytenant/health")));
}

#[test]
fn what_was_in_a_namespace_before_the_operator_came_stays() {
    let mut now = with_home(HEALTH, vec![system(APPOINTMENTS)]);
    settle(&mut now);
    now.tenant.as_mut().unwrap().status.former_members = vec!["Group/old-team".to_owned()];
    now.observed.values_mut().for_each(|entry| entry.created = 100);
    let binding = |namespace: &str, created: i64| {
        let kind = TABLE.iter().position(|kind| kind.kind == "RoleBinding").unwrap();
        let key = ChildKey { namespace: NamespaceName::new(namespace), kind, name: format!("by-others-{created}").into() };
        let object = json!({"metadata": {"name": "x", "uid": "x"}, "subjects": [{"kind": "Group", "name": "old-team"}], "roleRef": {"kind": "Role", "name": "reader"}});
        (key, Entry { created, ..TABLE[kind].entry(&object) }.into())
    };
    now.observed.extend(
        ["health", "health--appointments"].into_iter().flat_map(|namespace| [99, 100, 101].map(|created| binding(namespace, created))),
    );
    let (plan, _) = decide(&now);
    let deleted = |space: &govcloud_core::plan::diff::NamespaceChanges| {
        let gone = space
            .changes
            .iter()
            .filter_map(|change| if let Change::Delete { key, .. } = change { Some(key.name.to_string()) } else { None });
        gone.collect::<Vec<_>>()
    };
    for space in diff(&now, &plan, &inventory(&now)).iter().filter(|space| !space.namespace.is_cluster()) {
        assert_eq!(deleted(space), ["by-others-100", "by-others-101"], "{}", space.namespace);
    }
}

#[test]
fn a_takeover_removes_the_owners_of_a_namespace_and_leaves_the_finalizers_of_programs() {
    let foreseen = foresee(with_home(HEALTH, vec![system(APPOINTMENTS)]), &settings());
    let space = foreseen.plan.namespace(&NamespaceName::new("health--appointments")).unwrap();
    let live = json!({"metadata": {"ownerReferences": [{"name": "project"}], "finalizers": ["controller.cattle.io/namespace-auth"]}});
    let told = adoption::changes(space, &live, &[]);
    assert!(told.iter().any(|line| line.starts_with("metadata.ownerReferences of the namespace are removed: ")), "{told:#?}");
    assert!(!told.iter().any(|line| line.contains("finalizers")), "{told:#?}");
}

/// The guard rails as they are shipped.
pub fn rails() -> GuardRails {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../charts/govcloud/policies");
    let files = fs::read_dir(folder).unwrap().map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap());
    let policies: Vec<Value> = files.map(|text| serde_yaml::from_str(text.split("\n---").next().unwrap()).unwrap()).collect();
    GuardRails::read(&policies)
}

/// The workload namespace of a system in test, as the operator writes it.
fn workload(contract: &str) -> Value {
    let yaml = format!("{HEALTH}{contract}");
    let foreseen = foresee(with_home(&yaml, vec![system(&APPOINTMENTS.replace("Running", "Testing"))]), &settings());
    let space = foreseen.plan.namespace(&NamespaceName::new("health--appointments")).unwrap();
    space.desired.iter().find(|desired| desired.kind.kind == "Namespace").unwrap().object.clone()
}

const CONTRACT: &str = "  domains: [health.example.gov.cn]
  images: {registries: [registry.example.gov.cn/health]}
  allow: {storageClasses: [standard], ingressClasses: [public], priorityClasses: [citizen-facing], runtimeClasses: [gvisor], serviceTypes: [ClusterIP, NodePort]}
";

/// Objects that the contract admits. Plural, then the object.
const ADMITTED: &str = r#"
pods: {apiVersion: v1, kind: Pod, metadata: {name: web, namespace: health--appointments}, spec: {nodeName: n1, priorityClassName: citizen-facing, runtimeClassName: gvisor, schedulerName: default-scheduler, tolerations: [{key: node.kubernetes.io/not-ready, operator: Exists}], containers: [{name: web, image: "registry.example.gov.cn/health/web:1", resources: {requests: {cpu: 1}}}, {name: proxy, image: "registry.example.gov.cn/platform/mesh/proxy:1"}]}}
deployments: {apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {template: {metadata: {labels: {app: web}}, spec: {containers: [{name: web, image: "registry.example.gov.cn/health/web:1"}]}}}}
statefulsets: {apiVersion: apps/v1, kind: StatefulSet, metadata: {name: db}, spec: {template: {spec: {containers: [{name: db, image: "registry.example.gov.cn/health/db:1"}]}}, volumeClaimTemplates: [{metadata: {name: data}, spec: {storageClassName: standard, resources: {requests: {storage: 1Gi}}}}]}}
cronjobs: {apiVersion: batch/v1, kind: CronJob, metadata: {name: nightly}, spec: {jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: job, image: "registry.example.gov.cn/health/job:1"}]}}}}}}
services: {apiVersion: v1, kind: Service, metadata: {name: web}, spec: {type: NodePort, selector: {app: web}, ports: [{port: 80}]}}
persistentvolumeclaims: {apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: data, finalizers: [kubernetes.io/pvc-protection]}, spec: {storageClassName: standard, volumeName: pv-1, accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}
ingresses: {apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: web}, spec: {ingressClassName: public, rules: [{host: web.health.example.gov.cn, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}}], tls: [{hosts: [web.health.example.gov.cn], secretName: web}]}}
networkpolicies: {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: web}, spec: {podSelector: {matchLabels: {app: web}}, policyTypes: [Ingress], ingress: [{from: [{podSelector: {}}]}]}}
"#;

/// The same objects one by one.
fn subjects() -> Vec<Subject> {
    let objects: BTreeMap<String, Value> = serde_yaml::from_str(ADMITTED).unwrap();
    objects.into_iter().map(|(plural, object)| Subject { plural, object }).collect()
}

#[test]
fn the_shipped_guard_rails_are_evaluated_as_they_are() {
    let found = refusals(&rails(), &subjects(), None, &workload(CONTRACT));
    assert!(found.lines.is_empty() && found.unknown.is_empty(), "{found:#?}");
}

#[test]
fn each_right_that_is_withdrawn_names_the_objects_that_used_it() {
    let now = workload(CONTRACT);
    for (from, to, rule, objects) in [
        ("gov.cn/health]", "gov.cn/other]", "rule images", ["cronjob nightly", "deployment web", "pod web", "statefulset db"].as_slice()),
        (
            "gov.cn/health]",
            "gov.cn/health], requireDigest: Always",
            "rule image-digests",
            &["cronjob nightly", "deployment web", "pod web", "statefulset db"],
        ),
        ("[standard]", "[fast]", "rule storage-classes", &["persistentvolumeclaim data"]),
        ("[public]", "[internal]", "rule ingress-classes", &["ingress web"]),
        ("[health.example.gov.cn]", "[other.example.gov.cn]", "rule hosts", &["ingress web"]),
        ("[citizen-facing]", "[]", "rule priority-classes", &["pod web"]),
        ("[gvisor]", "[kata]", "rule runtime-classes", &["pod web"]),
        ("[ClusterIP, NodePort]", "[ClusterIP]", "rule service-types", &["service web"]),
    ] {
        let found = refusals(&rails(), &subjects(), Some(&now), &workload(&CONTRACT.replace(from, to)));
        assert!(found.unknown.is_empty(), "{rule}: {found:#?}");
        assert_eq!(found.lines.len(), objects.len(), "{rule}: {found:#?}");
        for (line, object) in found.lines.iter().zip(objects) {
            assert!(line.starts_with(&format!("{object}: {rule}: ")), "{rule}: {line}");
        }
    }
}

#[test]
fn objects_of_one_complaint_stand_together_and_what_was_refused_before_is_no_news() {
    let pod = |name: &str| Subject {
        plural: "pods".into(),
        object: json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {"containers": [{"name": "web", "image": "docker.io/library/web:1"}]}}),
    };
    let pods = ["a", "b", "c", "d", "e"].map(pod);
    let then = workload(CONTRACT);
    let found = refusals(&rails(), &pods, None, &then);
    assert!(found.lines.len() == 1 && found.lines[0].starts_with("pod a, b, c and 2 more: rule images"), "{found:#?}");
    assert!(refusals(&rails(), &pods, Some(&workload("")), &then).lines.is_empty());
}

#[test]
fn a_field_that_the_file_no_longer_names_goes_and_one_that_others_set_stays() {
    let last = json!({"spec": {"a": 1, "b": {"c": 2, "d": 3}}}).to_string();
    let live = json!({"metadata": {"annotations": {LAST_APPLIED: last}}, "spec": {"a": 1, "b": {"c": 2, "d": 3}, "by": "others"}});
    let file = json!({"spec": {"b": {"c": 4}}});
    let patch = patch(&file, &live);
    assert_eq!(patch, json!({"metadata": {"annotations": {}}, "spec": {"a": null, "b": {"c": 4, "d": null}}}));
    assert_eq!(merged(&live, &patch)["spec"], json!({"b": {"c": 4}, "by": "others"}));
    assert_eq!(govcloud_core::views::three_way::patch(&file, &json!({"spec": {}}))["spec"], file["spec"]);
}

#[test]
fn annotations_of_others_stay_and_kubectl_s_own_is_none_of_the_file() {
    let last = json!({"metadata": {"annotations": {}, "labels": {"a": "1"}}}).to_string();
    let live = json!({"metadata": {"annotations": {LAST_APPLIED: last, "by": "others"}, "labels": {"a": "1"}}});
    let without = json!({"metadata": {"labels": {"a": "1"}}});
    let exported = json!({"metadata": {"labels": {"a": "1"}, "annotations": {LAST_APPLIED: "{}", "by": "others"}}});
    for file in [without, exported] {
        assert_eq!(merged(&live, &patch(&file, &live)), live, "{file}");
    }
    // One that the file named, and names no more, goes.
    let last = json!({"metadata": {"annotations": {"mine": "1"}}}).to_string();
    let live = json!({"metadata": {"annotations": {LAST_APPLIED: last, "mine": "1", "by": "others"}}});
    let after = merged(&live, &patch(&json!({"metadata": {}}), &live));
    assert_eq!((&after["metadata"]["annotations"]["mine"], &after["metadata"]["annotations"]["by"]), (&Value::Null, &json!("others")));
}

#[test]
fn a_finalizer_that_others_wrote_and_a_note_of_it_keep_nothing_from_being_foreseen() {
    let mut exported = snapshot(tenant(HEALTH), vec![system(APPOINTMENTS)]);
    let root = exported.tenant.as_mut().unwrap();
    (root.holds, root.last_applied) = (false, Some("{}".to_owned()));
    exported.systems[0].finalizers.clear();
    let foreseen = foresee(exported, &settings());
    assert!(foreseen.snapshot.tenant.unwrap().holds && foreseen.snapshot.systems[0].holds);
    assert!(foreseen.plan.namespace(&NamespaceName::new("health--appointments")).is_some_and(|space| !space.desired.is_empty()));
    let quotas = foreseen.snapshot.observed.keys().filter(|key| &*key.name == "govcloud-quota").count();
    assert_eq!(quotas, 2, "nothing was carried out");
}
