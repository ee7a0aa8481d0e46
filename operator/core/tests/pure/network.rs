//! What the network policy of a namespace opens.

use govcloud_core::{
    model::{settings::Settings, snapshot::Snapshot},
    plan::diff::Change,
};
use serde_json::{Value, json};

use super::{
    decisions::{APPOINTMENTS, HEALTH, conditions},
    world::{decide, object, plan_with, settings, settle, snapshot, system, tenant, unreadable, with_home},
};

const NAMESPACE: &str = "health--appointments";

/// An agency whose contract has more under `network`, and ingress classes.
fn agency(network: &str, classes: &str) -> String {
    HEALTH.replace("  network:\n", &format!("  allow: {{ingressClasses: [{classes}]}}\n  network:\n    {network}\n"))
}

fn world(network: &str, classes: &str, system_yaml: &str) -> Snapshot {
    with_home(&agency(network, classes), vec![system(system_yaml)])
}

/// The policy's spec, and the annotations of its namespace.
fn planned(seen: &Snapshot) -> (Value, Value) {
    let (plan, _) = decide(seen);
    let policy = object(&plan, NAMESPACE, "NetworkPolicy", "govcloud-isolation").unwrap();
    let namespace = object(&plan, NAMESPACE, "Namespace", NAMESPACE).unwrap();
    (policy["spec"].clone(), namespace["metadata"]["annotations"].clone())
}

fn message(seen: &Snapshot, kind: &str) -> String {
    let told = super::decisions::messages(seen);
    told.1[kind].as_str().unwrap().to_owned()
}

#[test]
fn the_platform_reaches_the_pods_and_an_ingress_controller_those_of_its_class() {
    let named = |name: &str| json!({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}});
    let mut nginx = named("ingress-nginx");
    nginx["podSelector"] = json!({"matchLabels": {"app.kubernetes.io/name": "ingress-nginx"}});
    let itself = json!({"from": [{"podSelector": {}}]});

    let (spec, annotations) = planned(&world("betweenSystems: Deny", "public", APPOINTMENTS));
    assert_eq!(spec["ingress"], json!([itself, {"from": [nginx, named("monitoring")]}]));
    let lines = "egress kube-system k8s-app=kube-dns 53/TCP;53/UDP\n\
        ingress ingress-nginx app.kubernetes.io/name=ingress-nginx *\ningress monitoring * *";
    assert_eq!(annotations["govcloud.io/platform-peers"], lines);

    let (spec, _) = planned(&world("betweenSystems: Deny", "", APPOINTMENTS));
    assert_eq!(spec["ingress"], json!([itself, {"from": [named("monitoring")]}]));
    let (spec, _) = planned(&world("betweenSystems: Deny", "public", &APPOINTMENTS.replace("Running", "Suspended")));
    assert_eq!((&spec["ingress"], &spec["egress"]), (&json!([]), &json!([])));
}

#[test]
fn a_class_without_a_controller_is_told_to_agency_and_system() {
    let mut seen = world("betweenSystems: Deny", "public, internal", APPOINTMENTS);
    settle(&mut seen);
    let (of_agency, of_system) = super::decisions::messages(&seen);
    for message in [&of_agency["Accepted"], &of_system["Isolated"]] {
        let message = message.as_str().unwrap();
        assert!(message.contains("ingress class internal") && message.contains("--ingress-controller"), "{message}");
    }
    assert_eq!(conditions(&seen).1["Ready"], "True Ready");
}

#[test]
fn the_api_server_is_opened_by_each_of_its_addresses() {
    let (spec, annotations) = planned(&world("kubernetesAPI: Allow", "", APPOINTMENTS));
    let rules = spec["egress"].as_array().unwrap();
    let way = |address: &str, port: u16| json!({"to": [{"ipBlock": {"cidr": address}}], "ports": [{"protocol": "TCP", "port": port}]});
    assert_eq!(rules[rules.len() - 2..], [way("10.96.0.1/32", 443), way("192.0.2.7/32", 6443)]);
    assert_eq!(annotations["govcloud.io/kubernetes-api"], "10.96.0.1/32=443/TCP,192.0.2.7/32=6443/TCP");

    let (spec, annotations) = planned(&world("kubernetesAPI: Deny", "", APPOINTMENTS));
    assert!(!spec["egress"].to_string().contains("10.96.0.1/32") && annotations["govcloud.io/kubernetes-api"].is_null(), "{spec}");
}

#[test]
fn another_address_of_the_api_server_reaches_the_policy() {
    let mut seen = world("kubernetesAPI: Allow", "", APPOINTMENTS);
    settle(&mut seen);
    seen.api_server = vec!["10.96.0.1:443".parse().unwrap(), "192.0.2.8:6443".parse().unwrap()];
    let plan = settle(&mut seen);
    let policy = object(&plan, NAMESPACE, "NetworkPolicy", "govcloud-isolation").unwrap();
    assert!(policy["spec"].to_string().contains("192.0.2.8/32") && !policy["spec"].to_string().contains("192.0.2.7/32"), "{policy}");
}

#[test]
fn while_nobody_sees_the_api_server_the_way_to_where_it_was_stays_and_the_rest_is_repaired() {
    let policy = |seen: &Snapshot| {
        let (key, entry) =
            seen.observed.iter().find(|(key, _)| key.namespace.as_str() == NAMESPACE && &*key.name == "govcloud-isolation").unwrap();
        (key.clone(), entry.clone())
    };
    let mut seen = world("kubernetesAPI: Allow", "", APPOINTMENTS);
    settle(&mut seen);
    let (open, servers) = (policy(&seen), std::mem::take(&mut seen.api_server));
    let before = seen.observed.clone();
    settle(&mut seen);
    assert_eq!(seen.observed, before, "nothing is written");
    assert_eq!(conditions(&seen).1["Provisioned"], "False Forbidden");
    assert!(message(&seen, "Provisioned").contains("EndpointSlice"), "{}", message(&seen, "Provisioned"));

    seen.observed.get_mut(&open.0).unwrap().hash += 1;
    let repaired = settle(&mut seen);
    assert_eq!(policy(&seen).1.hash, open.1.hash, "what a stranger changed is repaired");
    let ways = object(&repaired, NAMESPACE, "NetworkPolicy", "govcloud-isolation").unwrap()["spec"]["egress"].clone();
    assert!(ways.to_string().contains("10.96.0.1/32") && ways.to_string().contains("192.0.2.7/32"), "{ways}");

    seen.systems = vec![system(&APPOINTMENTS.replace("Running", "Suspended"))];
    settle(&mut seen);
    assert_ne!(policy(&seen), open, "it closes all the same");

    seen.systems = vec![system(APPOINTMENTS)];
    seen.observed.retain(|key, _| &*key.name != "govcloud-isolation");
    let (plan, changes) = decide(&seen);
    let created = changes.iter().flat_map(|space| &space.changes).filter(|change| matches!(change, Change::Create(_))).count();
    let again = object(&plan, NAMESPACE, "NetworkPolicy", "govcloud-isolation").unwrap();
    assert!(created > 0 && again["spec"]["egress"] == ways, "a new one has the same way");

    seen.api_server = servers;
    settle(&mut seen);
    assert_eq!((policy(&seen).1.hash, &conditions(&seen).1["Provisioned"]), (open.1.hash, &json!("True Provisioned")));
}

#[test]
fn where_the_api_server_was_never_seen_the_policy_is_written_without_a_way_to_it() {
    let mut seen = world("kubernetesAPI: Allow", "", APPOINTMENTS);
    seen.api_server.clear();
    seen.observed.values_mut().for_each(|entry| entry.api_server = "".into());
    settle(&mut seen);
    let (spec, annotations) = planned(&seen);
    assert!(!spec["egress"].to_string().contains("6443") && annotations["govcloud.io/kubernetes-api"].is_null(), "{spec}");
    assert_eq!(conditions(&seen).1["Provisioned"], "False Forbidden");

    // A namespace that is not the tenant's says nothing.
    let home = seen.observed.iter_mut().find(|(key, _)| &*key.name == "health").unwrap().1;
    home.api_server = "192.0.2.66/32=443/TCP".into();
    assert!(planned(&seen).0.to_string().contains("192.0.2.66"));
    seen.observed.retain(|key, _| key.namespace.as_str() != "health" || &*key.name == "health");
    seen.observed.iter_mut().find(|(key, _)| &*key.name == "health").unwrap().1.tenant_uid = "".into();
    let (plan, _) = decide(&seen);
    let written: Vec<String> = plan.namespaces.iter().flat_map(|space| &space.desired).map(|desired| desired.object.to_string()).collect();
    assert!(written.iter().all(|object| !object.contains("192.0.2.66")), "{written:?}");
}

#[test]
fn a_way_out_is_opened_by_its_protocol() {
    let yaml = HEALTH.replace("ports: [443],", "ports: [123], protocol: UDP,");
    let (spec, annotations) = planned(&with_home(&yaml, vec![system(APPOINTMENTS)]));
    assert_eq!(spec["egress"][2]["ports"], json!([{"protocol": "UDP", "port": 123}]));
    assert_eq!(annotations["govcloud.io/egress"], "203.0.113.0/24=123/UDP,10.0.0.0/8=5432/TCP");
}

#[test]
fn a_system_may_keep_its_pods_apart() {
    let apart = format!("{APPOINTMENTS}  network: {{withinSystem: Deny}}\n");
    let seen = world("betweenSystems: Deny", "public", &apart);
    let (spec, annotations) = planned(&seen);
    assert_eq!(
        (spec["ingress"].as_array().unwrap().len(), spec["egress"].as_array().unwrap().len()),
        (1, 3),
        "the platform; DNS and ranges"
    );
    assert!(!spec.to_string().contains(r#"{"podSelector":{}}"#), "{spec}");
    assert_eq!(annotations["govcloud.io/within-system"], "Deny");

    let (spec, _) = planned(&world("betweenSystems: Allow", "", &apart));
    let others = json!({"namespaceSelector": {
        "matchLabels": {"govcloud.io/tenant-uid": "uid-of--health"},
        "matchExpressions": [{"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": [NAMESPACE]}],
    }});
    assert_eq!((&spec["ingress"][0]["from"], &spec["egress"][0]["to"]), (&json!([others]), &json!([others])));
}

#[test]
fn a_system_that_cannot_be_read_keeps_its_pods_apart_as_before() {
    let mut seen = world("betweenSystems: Deny", "", &format!("{APPOINTMENTS}  network: {{withinSystem: Deny}}\n"));
    settle(&mut seen);
    let before = seen.observed.clone();
    seen.systems[0].status.stage = Some(govcloud_core::api::Stage::Running);
    seen.systems[0].spec = Err(unreadable("spec.sector", "unknown variant"));
    settle(&mut seen);
    assert_eq!(seen.observed, before);
}

#[test]
fn who_asks_for_the_api_servers_address_is_told_of_the_field() {
    let seen = snapshot(tenant(&HEALTH.replace("10.0.0.0/8", "10.96.0.1/32")), Vec::new());
    let problems = govcloud_core::plan::intent::intent(&seen, &settings()).request.unwrap();
    assert_eq!(problems.len(), 1);
    assert!(problems[0].complaint.contains("spec.network.kubernetesAPI: Allow"), "{}", problems[0]);
}

#[test]
fn a_dns_cache_on_the_nodes_answers_on_the_port_of_the_servers() {
    let settings = Settings { dns_caches: vec!["169.254.20.10".parse().unwrap(), "fd00::a".parse().unwrap()], ..settings() };
    let seen = world("betweenSystems: Deny", "", APPOINTMENTS);
    let plan = plan_with(&seen, &settings);
    let policy = object(&plan, NAMESPACE, "NetworkPolicy", "govcloud-isolation").unwrap();
    let dns = policy["spec"]["egress"].as_array().unwrap().iter().find(|rule| rule["ports"][0]["port"] == 53).unwrap();
    assert_eq!(dns["to"][1], json!({"ipBlock": {"cidr": "169.254.20.10/32"}}));
    assert_eq!(dns["to"][2], json!({"ipBlock": {"cidr": "fd00::a/128"}}));
    assert_eq!((dns["to"].as_array().unwrap().len(), dns["ports"].as_array().unwrap().len()), (3, 2));
}
