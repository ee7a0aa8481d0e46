//! What others wrote in a tenant's namespaces: which of it goes when, and who remembers whom.

use govcloud_core::{
    children::{BOUND_BY_MEMBERS, BOUND_TO_ACCOUNTS, TABLE},
    model::{
        names::NamespaceName,
        observed::{ChildKey, Entry},
        snapshot::{ContractBackup, Snapshot},
    },
    plan::diff::Change,
    views::guard_rails::Subject,
};
use serde_json::{Value, json};

use super::{
    decisions::{APPOINTMENTS, HEALTH, WORKLOAD},
    world::{decide, settle, system, tenant, with_home},
};

pub(super) fn world(stage: &str) -> Snapshot {
    let mut seen = with_home(HEALTH, vec![system(&APPOINTMENTS.replace("Running", stage))]);
    settle(&mut seen);
    seen
}

/// Puts an object of others there, as its watch would.
pub(super) fn put(seen: &mut Snapshot, kind: &str, name: &str, mut object: Value) {
    let index = TABLE.iter().position(|row| row.kind == kind).unwrap();
    object["metadata"]["uid"] = json!(name);
    object["metadata"]["namespace"] = json!(WORKLOAD);
    let key = ChildKey { namespace: NamespaceName::new(WORKLOAD), kind: index, name: name.into() };
    let entry = TABLE[index].entry(&object);
    let created = if entry.created == 0 { seen.now.as_second() + 60 } else { entry.created };
    seen.observed.insert(key, Entry { created, ..entry }.into());
}

/// What of others is to be deleted, and why.
pub(super) fn deleted(seen: &Snapshot) -> Vec<(String, String)> {
    let changes = decide(seen).1.into_iter().flat_map(|space| space.changes);
    changes
        .filter_map(|change| match change {
            Change::Delete { key, cause, .. } => Some((key.name.to_string(), cause.unwrap_or_default())),
            _ => None,
        })
        .collect()
}

/// What of others is to have no effect, and why.
pub(super) fn disabled(seen: &Snapshot) -> Vec<(String, String)> {
    let changes = decide(seen).1.into_iter().flat_map(|space| space.changes);
    changes
        .filter_map(|change| match change {
            Change::Disable { key, cause, .. } => Some((key.name.to_string(), cause)),
            _ => None,
        })
        .collect()
}

fn subject(word: &str) -> Value {
    match word.split('/').collect::<Vec<_>>()[..] {
        ["ServiceAccount", namespace, name] => json!({"kind": "ServiceAccount", "namespace": namespace, "name": name}),
        [kind, name] => json!({"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name}),
        _ => panic!("{word}"),
    }
}

/// Whether a binding goes, by role, subjects and stage of the system. `User/gone` has left.
fn goes(role: &str, subjects: &[&str], stage: &str) -> bool {
    let mut seen = world(stage);
    seen.tenant.as_mut().unwrap().status.former_members = vec!["User/gone".to_owned()];
    let (kind, name) = role.split_once('/').unwrap();
    let subjects: Vec<Value> = subjects.iter().map(|word| subject(word)).collect();
    put(&mut seen, "RoleBinding", "theirs", json!({"roleRef": {"kind": kind, "name": name}, "subjects": subjects}));
    deleted(&seen).iter().any(|(name, _)| name == "theirs")
}

#[test]
fn what_members_could_not_have_written_stays_whatever_becomes_of_the_system() {
    let platform: [(&str, &[&str]); 11] = [
        ("Role/prometheus-k8s", &["ServiceAccount/monitoring/prometheus-k8s"]),
        ("ClusterRole/govcloud:deployer", &["ServiceAccount/argocd/argocd-application-controller"]),
        ("ClusterRole/view", &["Group/health-owners"]),
        ("ClusterRole/view", &["Group/health-owners", "ServiceAccount/health--appointments/default"]),
        ("ClusterRole/view", &["ServiceAccount/monitoring/prometheus-k8s"]),
        ("Role/reader", &["User/system:serviceaccount:monitoring:prometheus-k8s"]),
        ("ClusterRole/edit", &["User/gone"]),
        ("Role/reader", &["Group/system:serviceaccounts:monitoring"]),
        ("Role/reader", &["User/auditor-of-the-city"]),
        ("Role/reader", &["ServiceAccount/health--appointments/default", "ServiceAccount/velero/velero"]),
        ("Role/reader", &["ServiceAccount/healthy--x/default"]),
    ];
    for (role, subjects) in platform {
        for stage in ["Running", "Suspended", "Retired"] {
            assert!(!goes(role, subjects, stage), "{role} {subjects:?} {stage}");
        }
    }
}

#[test]
fn what_members_wrote_goes_with_the_member_and_where_nobody_enters() {
    for (role, subjects) in [
        ("Role/reader", &["Group/health-owners"][..]),
        ("ClusterRole/govcloud:auditor", &["User/ci-health"]),
        ("Role/reader", &["ServiceAccount/health--appointments/deployer"]),
        ("Role/reader", &["ServiceAccount/health--appointments/default", "ServiceAccount/health--other/default"]),
        ("Role/reader", &["ServiceAccount/health/robot", "User/ci-health"]),
        ("Role/reader", &["User/system:serviceaccount:health--appointments:deployer"]),
        ("Role/reader", &["Group/system:serviceaccounts:health--other"]),
        ("ClusterRole/view", &["Group/system:serviceaccounts:health", "ServiceAccount/health--appointments/default"]),
    ] {
        assert!(!goes(role, subjects, "Running") && !goes(role, subjects, "Suspended"), "{role} {subjects:?}");
        assert!(goes(role, subjects, "Retired"), "{role} {subjects:?}");
    }
    // A workload's own account has no pods any more where nobody enters, and needs its rights when the system comes back.
    for account in [
        "ServiceAccount/health--appointments/default",
        "User/system:serviceaccount:health--appointments:default",
        "Group/system:serviceaccounts:health--appointments",
    ] {
        for (role, stage) in
            [("Role/reader", "Running"), ("Role/reader", "Suspended"), ("Role/reader", "Retired"), ("ClusterRole/view", "Retired")]
        {
            assert!(!goes(role, &[account], stage), "{role} {account} {stage}");
        }
    }
    for subjects in [&["User/gone"][..], &["User/gone", "Group/health-owners"]] {
        for stage in ["Running", "Suspended", "Retired"] {
            assert!(goes("Role/reader", subjects, stage), "{subjects:?} {stage}");
        }
    }
}

#[test]
fn only_a_suspended_system_closes_policies_and_only_those_that_members_could_have_written() {
    let named = |namespace: &str| json!({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}});
    let twice = |values: &[&str]| {
        let mut peer = named(WORKLOAD);
        peer["namespaceSelector"]["matchExpressions"] = json!([{"key": "kubernetes.io/metadata.name", "operator": "In", "values": values}]);
        json!({"ingress": [{"from": [peer, {"podSelector": {}}]}]})
    };
    let mut policies = vec![
        (json!({"egress": [{"to": [{"ipBlock": {"cidr": "203.0.113.0/24"}}]}]}), true),
        (json!({"ingress": [{"from": [{"podSelector": {}}, {"ipBlock": {"cidr": "203.0.113.0/24"}}]}]}), false),
        (json!({"egress": [{"to": [{"podSelector": {}}, {"ipBlock": {"cidr": "203.0.113.0/24"}}]}]}), true),
        (json!({"ingress": [{"from": [{"namespaceSelector": {"matchLabels": {"govcloud.io/tenant-uid": "7"}}}]}]}), true),
        (json!({"ingress": [{"from": [{"namespaceSelector": {"matchLabels": {"govcloud.io/tenant": "health"}}}]}]}), true),
        (json!({"ingress": [{"from": [{"namespaceSelector": {"matchLabels": {"govcloud.io/tenant": "tax"}}}]}]}), false),
        (json!({"ingress": []}), false),
        (json!({"ingress": [{}]}), false),
        (json!({"ingress": [{"from": [{"ipBlock": {"cidr": "203.0.113.0/24"}}]}]}), false),
        (json!({"ingress": [{"from": [named("backup")]}]}), false),
        (json!({"ingress": [{"from": [named("monitoring")]}]}), false),
        (json!({"ingress": [{"from": [named("monitoring"), {"podSelector": {}}]}]}), false),
        (json!({"ingress": [{"from": [named("monitoring"), named("health--other")]}]}), true),
        (json!({"ingress": [{"from": [named("monitoring"), named("ingress-nginx")]}]}), true),
        (json!({"ingress": [{"from": [named("backup"), {"podSelector": {}}]}]}), false),
        (json!({"ingress": [{"from": [named("health--other")]}]}), true),
        (json!({"ingress": [{"from": [named("health")]}]}), true),
        (json!({"ingress": [{"from": [named("healthy--web")]}]}), false),
        (json!({"egress": [{"to": [{"namespaceSelector": {}, "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}}}]}]}), true),
        (json!({"egress": [{"to": [named("kube-system")]}]}), true),
        (
            json!({"ingress": [{"from": [{"namespaceSelector": {"matchExpressions": [
            {"key": "kubernetes.io/metadata.name", "operator": "In", "values": [WORKLOAD, "kube-system"]}]}}]}]}),
            true,
        ),
        (
            json!({"ingress": [{"from": [{"namespaceSelector": {"matchExpressions": [
            {"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": [WORKLOAD]}]}}]}]}),
            false,
        ),
        (json!({"ingress": [{"from": [{"podSelector": {}}]}], "egress": [{"to": [{"namespaceSelector": {}}]}]}), false),
    ];
    // Paths between pods of the namespace itself are nobody else's affair. A second list of names narrows the first.
    let within = [
        json!({"ingress": [{"from": [{"podSelector": {}}]}], "egress": [{"to": [{"podSelector": {"matchLabels": {"app": "db"}}}], "ports": [{"port": 5432}]}]}),
        json!({"ingress": [{"from": [named(WORKLOAD)]}]}),
        json!({"ingress": [{"from": [{"namespaceSelector": {"matchLabels": {"govcloud.io/tenant": "health", "govcloud.io/system": "appointments"}}}]}]}),
        json!({"ingress": [{"from": [{"namespaceSelector": {"matchLabels": {"govcloud.io/tenant-uid": "7", "govcloud.io/system": "appointments"}}}]}]}),
        twice(&["backup", WORKLOAD]),
        twice(&["backup"]),
    ];
    policies.extend(within.map(|spec| (spec, false)));
    // What repeats the operator's own policy, members could have written.
    let own = world("Running");
    let plan = decide(&own).0;
    let ours = super::world::object(&plan, WORKLOAD, "NetworkPolicy", "govcloud-isolation").unwrap()["spec"].clone();
    policies.push((json!({"ingress": ours["ingress"], "egress": ours["egress"]}), true));
    for (spec, closes) in policies {
        for (stage, goes) in [("Running", false), ("Suspended", closes), ("Retired", false)] {
            let mut seen = world(stage);
            put(&mut seen, "NetworkPolicy", "theirs", json!({"spec": spec}));
            let disabled = disabled(&seen);
            assert_eq!(disabled.len(), usize::from(goes), "{stage} {spec}");
            assert!(disabled.iter().all(|(_, cause)| cause == "the network of a suspended system is closed both ways"), "{disabled:?}");
            assert!(deleted(&seen).is_empty(), "{stage} {spec}");
        }
    }
}

#[test]
fn what_a_suspension_makes_ineffective_is_refused_while_it_lasts_and_other_policies_are_not() {
    let more = "  allow: {ingressClasses: [public]}\n  network:\n    betweenSystems: Allow\n    kubernetesAPI: Allow\n";
    let at = |stage: &str| {
        let mut seen = with_home(&HEALTH.replace("  network:\n", more), vec![system(&APPOINTMENTS.replace("Running", stage))]);
        settle(&mut seen);
        seen
    };
    let (running, suspended, rails) = (at("Running"), at("Suspended"), super::views::rails());
    let refused = |seen: &Snapshot, spec: &Value| {
        let plan = decide(seen).0;
        let namespace = super::world::object(&plan, WORKLOAD, "Namespace", WORKLOAD).unwrap();
        let policy = json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "theirs"}, "spec": spec});
        let judged = rails.judge(&Subject { plural: "networkpolicies".into(), object: policy }, namespace);
        assert!(judged.unknown.is_empty(), "{spec}");
        judged.refused.into_values().next()
    };
    let selected = |labels: Value| json!({"namespaceSelector": {"matchLabels": labels}});
    let named = |name: &str| selected(json!({"kubernetes.io/metadata.name": name}));
    let by =
        |key: &str, values: &[&str]| json!({"namespaceSelector": {"matchExpressions": [{"key": key, "operator": "In", "values": values}]}});
    let dns = json!([{"protocol": "UDP", "port": 53}]);
    let server = json!({"matchLabels": {"k8s-app": "kube-dns"}});
    let mut controller = named("ingress-nginx");
    controller["podSelector"] = json!({"matchLabels": {"app.kubernetes.io/name": "ingress-nginx"}});
    let way = |range: &str, port: u16| json!({"egress": [{"to": [{"ipBlock": {"cidr": range}}], "ports": [{"port": port}]}]});
    let from = |peer: Value| json!({"ingress": [{"from": [peer]}]});
    let kept = [
        json!({"ingress": [], "egress": []}),
        from(json!({"podSelector": {}})),
        json!({"egress": [{"to": [{"podSelector": {"matchLabels": {"app": "db"}}}], "ports": [{"port": 5432}]}]}),
        from(named(WORKLOAD)),
        from(by("kubernetes.io/metadata.name", &[WORKLOAD])),
        from(selected(json!({"govcloud.io/tenant-uid": "uid-of--health", "govcloud.io/system": "appointments"}))),
        from(selected(json!({"govcloud.io/tenant": "health", "govcloud.io/system": "appointments"}))),
        from(named("monitoring")),
        json!({"ingress": [{"from": [named("monitoring"), {"podSelector": {}}]}]}),
    ];
    let closed = [
        from(named("health--other")),
        from(named("health")),
        from(by("kubernetes.io/metadata.name", &[WORKLOAD, "health--other"])),
        from(selected(json!({"govcloud.io/tenant-uid": "uid-of--health"}))),
        from(selected(json!({"govcloud.io/tenant": "health", "team": "a"}))),
        from(by("govcloud.io/tenant", &["health"])),
        json!({"ingress": [{"from": [{"podSelector": {}}, controller]}]}),
        json!({"egress": [{"to": [{"namespaceSelector": {}, "podSelector": server}], "ports": dns}]}),
        way("203.0.113.0/24", 443),
        way("10.96.0.1/32", 443),
    ];
    for (specs, closes) in [(&kept[..], false), (&closed[..], true)] {
        for spec in specs {
            assert_eq!(refused(&running, spec), None, "{spec}");
            let refused = refused(&suspended, spec);
            assert_eq!(refused.is_some(), closes, "{spec}: {refused:?}");
            let cure = "is suspended, so the network is closed; apply the policy again when the system is no longer suspended";
            assert!(refused.is_none_or(|message| message.contains(cure)), "{spec}");
            let mut seen = suspended.clone();
            put(&mut seen, "NetworkPolicy", "theirs", json!({"spec": spec}));
            assert_eq!(!disabled(&seen).is_empty(), closes, "{spec}");
        }
    }
}

#[test]
fn policies_that_the_operator_may_not_change_are_named_and_a_suspended_system_is_not_isolated_by_them() {
    let isolated = |stage: &str, created: &str, spec: Value| {
        let mut seen = world(stage);
        let mut policy = json!({"spec": spec});
        policy["metadata"] = json!({"creationTimestamp": created});
        put(&mut seen, "NetworkPolicy", "theirs", policy);
        for (_, entry) in seen.observed.iter_mut().filter(|(key, _)| &*key.name != "theirs") {
            entry.created = 100;
        }
        let told = (super::decisions::conditions(&seen).1, super::decisions::messages(&seen).1);
        let names = told.1["Isolated"].as_str().unwrap().contains(": theirs");
        (told.0["Isolated"].as_str().unwrap().to_owned(), told.0["Ready"].as_str().unwrap().to_owned(), names)
    };
    let (before, arrival, after) = ("1970-01-01T00:00:50Z", "1970-01-01T00:01:40Z", "1970-01-01T00:02:00Z");
    let well = |ready: &str, names: bool| ("True Isolated".to_owned(), ready.to_owned(), names);
    let open = ("False OpenedByOthers".to_owned(), "False OpenedByOthers".to_owned(), true);
    let everybody = json!({"ingress": [{}]});
    let range = json!({"egress": [{"to": [{"ipBlock": {"cidr": "203.0.113.0/24"}}]}]});
    let named =
        |name: &str| json!({"ingress": [{"from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}]}]});
    for (created, spec, running, suspended) in [
        (after, everybody.clone(), well("True Ready", true), open.clone()),
        (before, everybody, well("True Ready", true), open.clone()),
        (before, range.clone(), well("True Ready", true), open.clone()),
        (arrival, range.clone(), well("True Ready", false), open.clone()),
        (after, range, well("True Ready", false), open.clone()), // about to be made ineffective
        (after, named("backup"), well("True Ready", true), open),
        (before, named("monitoring"), well("True Ready", true), well("True Suspended", false)),
        (after, named("monitoring"), well("True Ready", false), well("True Suspended", false)),
        (before, json!({"ingress": [{"from": [{"podSelector": {}}]}]}), well("True Ready", false), well("True Suspended", false)),
    ] {
        assert_eq!(isolated("Running", created, spec.clone()), running, "{created} {spec}");
        assert_eq!(isolated("Suspended", created, spec.clone()), suspended, "{created} {spec}");
    }
}

#[test]
fn what_a_finalizer_holds_back_is_released_only_where_it_may_not_apply() {
    let held = |stage: &str, subject: &str, deleting: bool| {
        let mut seen = world(stage);
        seen.tenant.as_mut().unwrap().status.former_members = vec!["User/gone".to_owned()];
        let mut binding = json!({"roleRef": {"kind": "Role", "name": "reader"}, "subjects": [self::subject(subject)]});
        binding["metadata"] = json!({"finalizers": ["example.com/never"]});
        if deleting {
            binding["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        }
        put(&mut seen, "RoleBinding", "theirs", binding);
        let changes = decide(&seen).1.into_iter().flat_map(|space| space.changes).filter(Change::writes).collect::<Vec<_>>();
        changes.iter().any(|change| matches!(change, Change::Delete { held: true, .. }))
    };
    for deleting in [false, true] {
        assert!(held("Running", "User/gone", deleting));
        assert!(held("Retired", "User/ci-health", deleting));
        assert!(!held("Running", "User/ci-health", deleting));
        assert!(!held("Retired", "ServiceAccount/monitoring/prometheus", deleting));
    }
}

#[test]
fn whoever_leaves_is_remembered_until_they_come_back() {
    let mut seen = world("Running");
    let former = |seen: &Snapshot| seen.tenant.as_ref().unwrap().status.former_members.clone();
    let change = |seen: &mut Snapshot, yaml: &str| {
        let status = seen.tenant.as_ref().unwrap().status.clone();
        let mut root = tenant(yaml);
        (root.status, root.generation) = (status, seen.tenant.as_ref().unwrap().generation + 1);
        seen.tenant = Some(root.into());
        settle(seen);
    };
    assert!(former(&seen).is_empty());
    let without = HEALTH.replace("{kind: User, name: ci-health, role: Deployer}", "{kind: User, name: other, role: Deployer}");
    change(&mut seen, &without);
    assert_eq!(former(&seen), ["User/ci-health"]);
    change(&mut seen, HEALTH);
    assert_eq!(former(&seen), ["User/other"]);
}

#[test]
fn the_members_of_a_tenant_that_is_taken_over_count_as_former_ones() {
    let mut seen = world("Running");
    let spec = seen.tenant.as_ref().unwrap().status.contract.clone().unwrap();
    let mut text = serde_json::to_value(ContractBackup { generation: 1, stopped: false, spec }).unwrap();
    text["spec"]["members"][0]["name"] = json!("before");
    seen.former = serde_json::from_value(text).unwrap();
    settle(&mut seen);
    assert_eq!(seen.tenant.unwrap().status.former_members, ["User/before"]);
}

#[test]
fn the_roles_that_members_bind_are_those_of_the_policy() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../charts/govcloud/policies/bindings.yaml");
    let policy = std::fs::read_to_string(path).unwrap();
    let list: Vec<String> = BOUND_BY_MEMBERS.iter().map(|role| format!("'{role}'")).collect();
    assert!(policy.contains(&format!("dyn(object).roleRef.name in [{}]", list.join(", "))), "{list:?}");
    assert!(policy.contains(&format!("dyn(object).roleRef.name == '{BOUND_TO_ACCOUNTS}'")));
}
