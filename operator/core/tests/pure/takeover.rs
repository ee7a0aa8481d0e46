//! What a takeover tells of a namespace: what changes, what stays, what is used.

use govcloud_core::{
    model::names::NamespaceName,
    plan::intent::intent,
    views::{
        adoption::{changes, stays, usage},
        guard_rails::Subject,
    },
};
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    decisions::{APPOINTMENTS, HEALTH},
    world::{decide, settings, settle, system, with_home},
};

fn subjects(objects: &[(&str, &str)]) -> Vec<Subject> {
    let subject = |(plural, yaml): &(&str, &str)| Subject { plural: (*plural).to_owned(), object: serde_yaml::from_str(yaml).unwrap() };
    objects.iter().map(subject).collect()
}

/// What is told of the workload namespace that is there with these labels and annotations, and with these objects in it.
fn told(metadata: &Value, objects: &[(&str, &str)]) -> [Vec<String>; 3] {
    let mut seen = with_home(HEALTH, vec![system(APPOINTMENTS)]);
    settle(&mut seen);
    let (plan, there) = (decide(&seen).0, subjects(objects));
    let space = plan.namespace(&NamespaceName::new("health--appointments")).unwrap();
    let tenant = intent(&seen, &settings()).tenant.unwrap().unwrap();
    [changes(space, &json!({ "metadata": metadata }), &there), stays(space, &tenant, &there), usage(space, &there, Timestamp::UNIX_EPOCH)]
}

#[test]
fn our_marks_are_set_changed_or_removed_and_those_of_others_stay() {
    let metadata = json!({
        "labels": { "team": "a", "govcloud.io/tenant": "old", "govcloud.io/gone": "1", "govcloud.io/system": "appointments" },
        "annotations": { "by": "others", "govcloud.io/gone": "1" },
    });
    let [changes, ..] = told(&metadata, &[]);
    for line in [
        "label govcloud.io/tenant: \"old\" becomes \"health\"",
        "label govcloud.io/tenant-uid is set to \"uid-of--health\"",
        "label govcloud.io/gone is removed",
        "annotation govcloud.io/gone is removed",
        "annotation govcloud.io/display-name is set to \"预约挂号\"",
        "annotation govcloud.io/members is set to \"Group/health-owners, User/ci-health\"",
    ] {
        assert!(changes.iter().any(|told| told == line), "{line}: {changes:#?}");
    }
    assert!(
        !changes.iter().any(|told| told.contains("team") || told.contains(" by") || told.contains("govcloud.io/system")),
        "{changes:#?}"
    );
}

#[test]
fn a_long_mark_is_cut_short_and_the_contract_is_not_told() {
    let long = HEALTH.replace("  network:", &format!("  images: {{registries: [registry.example/{}]}}\n  network:", "a".repeat(90)));
    for (yaml, value) in [(long, format!("registry.example/{} ...", "a".repeat(83))), (HEALTH.to_owned(), String::new())] {
        let mut seen = with_home(&yaml, Vec::new());
        settle(&mut seen);
        let plan = decide(&seen).0;
        let told = changes(plan.namespace(&NamespaceName::new("health")).unwrap(), &json!({}), &[]);
        assert!(told.contains(&"annotation govcloud.io/contract is set to \"...\"".to_owned()), "{told:#?}");
        let line = format!("annotation govcloud.io/image-registries is set to \"{value}\"");
        assert_eq!(told.contains(&line), !value.is_empty(), "{told:#?}");
    }
}

#[test]
fn an_object_of_the_same_kind_and_name_is_replaced_and_others_are_created() {
    let there = [("networkpolicies", "metadata: {name: govcloud-isolation}"), ("configmaps", "metadata: {name: govcloud-quota}")];
    let [changes, ..] = told(&json!({}), &there);
    let told = |line: &str| changes.iter().any(|told| told == line);
    assert!(told("NetworkPolicy govcloud-isolation is there, and is replaced"), "{changes:#?}");
    assert!(told("ResourceQuota govcloud-quota is created") && told("RoleBinding govcloud-owner is created"), "{changes:#?}");
}

#[test]
fn what_others_wrote_and_stays_in_force_is_told_by_its_kind() {
    let there = [
        ("resourcequotas", "metadata: {name: team}"),
        ("resourcequotas", "metadata: {name: govcloud-quota}"),
        ("limitranges", "metadata: {name: team}"),
        ("networkpolicies", "metadata: {name: govcloud-quota}"),
        ("configmaps", "metadata: {name: team}"),
        ("rolebindings", "{metadata: {name: none}, roleRef: {name: edit}}"),
        (
            "rolebindings",
            "{metadata: {name: some}, roleRef: {name: view}, subjects: [{kind: User, name: ci-health}, {kind: User, name: li}, {kind: ServiceAccount, name: robot}]}",
        ),
    ];
    let [_, stays, _] = told(&json!({}), &there);
    assert_eq!(
        stays,
        [
            "ResourceQuota team: pods must fit into it, too; delete it when govcloud-quota is to be the only one",
            "LimitRange team: its defaults and limits hold, too",
            "NetworkPolicy govcloud-quota: what it opens stays open",
            "RoleBinding none: role edit for nobody",
            "RoleBinding some: role view for User ci-health, User li (no member of the agency), ServiceAccount robot",
        ]
    );
}

#[test]
fn what_pods_and_claims_use_is_told_against_what_is_allowed() {
    let pod = "spec: {containers: [{resources: {requests: {cpu: '3', memory: 1Gi}, limits: {cpu: '4'}}}, {resources: {requests: {cpu: '5'}}}, {}]}";
    let there = [
        ("pods", pod),
        ("pods", "{spec: {containers: [{resources: {requests: {cpu: '9'}}}]}, status: {phase: Succeeded}}"),
        ("pods", "{spec: {containers: [{resources: {requests: {cpu: '9'}}}]}, status: {phase: Failed}}"),
        ("persistentvolumeclaims", "spec: {resources: {requests: {storage: 5Gi}}}"),
        ("deployments", pod),
    ];
    let [.., usage] = told(&json!({}), &there);
    assert_eq!(
        usage,
        [
            "limits.cpu: 4 used now, 16 allowed",
            "pods: 1 used now, 60 allowed",
            "requests.cpu: 8 used now, 8 allowed",
            "requests.memory: 1Gi used now, 32Gi allowed",
            "requests.storage: 5Gi used now, 0 allowed; what runs goes on, and nothing new is admitted until less is used",
        ]
    );
}
