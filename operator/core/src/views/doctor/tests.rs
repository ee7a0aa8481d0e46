use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{finding::several, *};

/// A cluster of which nothing may be read but its version and its clock.
fn facts(kubernetes: Result<&str, &str>, ahead: i64) -> Facts {
    Facts {
        version: "0.2.0",
        kubernetes: kubernetes.map(str::to_owned).map_err(str::to_owned),
        clock: ("2026-11-27T12:00:00Z".parse().unwrap(), ahead),
        shipped: Vec::new(),
        objects: BTreeMap::new(),
        pods: BTreeMap::new(),
        proofs: BTreeMap::new(),
        denied: Err("forbidden".to_owned()),
        settings: Err("no replica has written them".to_owned()),
        is_renewed: false,
        lagging: Err("forbidden".to_owned()),
        miscounts: Err("forbidden".to_owned()),
        account: None,
        pod_addresses: Err("forbidden".to_owned()),
    }
}

fn of(facts: &Facts, check: &str) -> Vec<(Verdict, String)> {
    let findings = examine(facts).into_iter().filter(|found| found.check == check);
    findings.map(|found| (found.verdict, found.message)).collect()
}

#[test]
fn a_cluster_that_is_too_old_fails() {
    assert_eq!(of(&facts(Ok("v1.34.1"), 0), "Kubernetes"), [(Verdict::Ok, "v1.34.1".to_owned())]);
    let old = "this cluster runs Kubernetes 1.33; govcloud needs 1.34 or later";
    assert_eq!(of(&facts(Err(old), 0), "Kubernetes"), [(Verdict::Fail, old.to_owned())]);
}

#[test]
fn clocks_that_differ_are_told() {
    assert_eq!(of(&facts(Ok(""), 5), "Clock")[0].0, Verdict::Ok);
    let told = |ahead| of(&facts(Ok(""), ahead), "Clock");
    assert_eq!(told(60), [(Verdict::Warn, "the API server's clock is 60 s ahead of this machine's".to_owned())]);
    assert_eq!(told(-60), [(Verdict::Warn, "the API server's clock is 60 s behind this machine's".to_owned())]);
    let mut facts = facts(Ok(""), 0);
    facts.objects.insert("leases", Ok(vec![json!({ "spec": { "renewTime": "2026-11-27T12:01:00.000000Z" } })]));
    assert_eq!(of(&facts, "Clock"), [(Verdict::Warn, "the clock of the operator's node is 60 s ahead of the API server's".to_owned())]);
}

#[test]
fn policies_of_another_version_are_not_compared() {
    let mut facts = facts(Ok(""), 0);
    let policy = |version: &str| json!({ "metadata": { "name": "govcloud-tenants", "labels": { "app.kubernetes.io/version": version } } });
    let empty = ["customresourcedefinitions", "validatingadmissionpolicybindings", "clusterroles"];
    facts.objects.extend(empty.map(|plural| (plural, Ok(Vec::new()))));
    let object = json!({ "kind": "ClusterRole", "metadata": { "name": "govcloud:owner" } });
    facts.shipped = vec![Shipped { path: "charts/govcloud/roles/owner.yaml".to_owned(), object }];
    facts.objects.insert("validatingadmissionpolicies", Ok(vec![policy("0.3.0")]));
    let told = "the cluster has policies of version 0.3.0, and this govcloud is of 0.2.0";
    assert_eq!(of(&facts, "Roles"), [(Verdict::Warn, told.to_owned())]);
    facts.objects.insert("validatingadmissionpolicies", Ok(vec![policy("0.2.0")]));
    assert_eq!(of(&facts, "Roles"), [(Verdict::Fail, "none of the 1 objects of kind ClusterRole is there".to_owned())]);
}

#[test]
fn of_many_names_the_first_are_told() {
    let names = |number: usize| (0..number).map(|index| index.to_string()).collect::<Vec<_>>();
    assert_eq!(several(&names(5)), "0, 1, 2, 3, 4");
    assert_eq!(several(&names(7)), "0, 1, 2, 3, 4 and 2 more");
}

#[test]
fn what_is_stalled_for_a_while_is_told_and_what_waits_for_people_is_not() {
    let mut facts = facts(Ok(""), 0);
    let tenant = |name: &str, kind: &str, status: &str, reason: &str, since: &str| {
        let condition = json!({ "type": kind, "status": status, "reason": reason, "lastTransitionTime": since });
        json!({ "metadata": { "name": name }, "status": { "conditions": [condition] } })
    };
    let long_ago = "2026-11-27T11:00:00Z";
    facts.objects.insert("hostedsystems", Ok(Vec::new()));
    facts.objects.insert(
        "agencytenants",
        Ok(vec![
            tenant("conflict", "Stalled", "True", "Conflict", long_ago),
            tenant("rejected", "Stalled", "True", "Rejected", long_ago),
            tenant("passing", "Stalled", "True", "Refused", "2026-11-27T11:59:50Z"),
            tenant("waits", "Provisioned", "False", "Progressing", long_ago),
            tenant("held", "Provisioned", "False", "Unavailable", long_ago),
        ]),
    );
    let told = [
        (Verdict::Warn, "not provisioned (Unavailable): agencytenant/held".to_owned()),
        (Verdict::Fail, "stalled (Conflict): agencytenant/conflict".to_owned()),
    ];
    assert_eq!(of(&facts, "Tenants"), told);
}

/// A cluster of which these lists were read.
fn read(lists: &[(&'static str, Value)]) -> Facts {
    let mut facts = facts(Ok(""), 0);
    facts.objects.extend(lists.iter().map(|(plural, objects)| (*plural, Ok(objects.as_array().cloned().unwrap()))));
    facts
}

#[test]
fn a_lease_and_a_deployment_of_an_agency_are_not_the_operators() {
    let lease = |namespace: &str, time: &str| json!({ "metadata": { "namespace": namespace }, "spec": { "renewTime": time } });
    let mut facts = read(&[
        ("namespaces", json!([{ "metadata": { "name": "health", "labels": { "govcloud.io/tenant": "health" } } }])),
        ("deployments", json!([{ "metadata": { "namespace": "health" } }])),
        ("leases", json!([lease("health", "2099-01-01T00:00:00Z"), lease("govcloud-system", "2026-11-27T12:00:00Z")])),
        (
            "clusterrolebindings",
            json!([{ "roleRef": { "name": "govcloud-operator" },
            "subjects": [{ "kind": "ServiceAccount", "namespace": "govcloud-system", "name": "operator" }] }]),
        ),
    ]);
    let place = |objects: &Objects| super::lease(objects).unwrap()["metadata"]["namespace"].clone();
    assert_eq!((account(&facts.objects).unwrap().0.as_str(), place(&facts.objects)), ("health", json!("health")));
    leave_out_agencies(&mut facts.objects);
    assert_eq!((account(&facts.objects).unwrap().0.as_str(), place(&facts.objects)), ("govcloud-system", json!("govcloud-system")));
}

#[test]
fn a_lease_that_is_renewed_leads_though_its_clock_is_behind() {
    let lease = json!({ "metadata": { "namespace": "s", "name": "l" },
        "spec": { "holderIdentity": "one", "leaseDurationSeconds": 10, "renewTime": "2026-11-27T11:59:00Z" } });
    let mut facts = read(&[("leases", json!([lease]))]);
    assert_eq!(of(&facts, "Leader")[0].0, Verdict::Fail);
    facts.is_renewed = true;
    assert_eq!(of(&facts, "Leader"), [(Verdict::Ok, "one leads and renews Lease s/l".to_owned())]);
    assert_eq!(of(&facts, "Clock"), [(Verdict::Warn, "the clock of the operator's node is 60 s behind the API server's".to_owned())]);
}

#[test]
fn a_rollout_that_has_not_ended_is_told() {
    let deployment = |updated: u32| {
        json!([{ "metadata": { "namespace": "s", "name": "d", "generation": 2 }, "spec": { "replicas": 2 },
            "status": { "readyReplicas": 2, "updatedReplicas": updated, "observedGeneration": 2 } }])
    };
    let told = |updated| of(&read(&[("deployments", deployment(updated))]), "Replicas");
    assert_eq!(told(1), [(Verdict::Warn, "the rollout of Deployment s/d has not finished: 1 replicas are new".to_owned())]);
    assert_eq!(told(2), [(Verdict::Ok, "2 of 2 replicas of Deployment s/d are ready".to_owned())]);
}

#[test]
fn ranges_of_services_and_addresses_of_pods_are_compared_with_the_settings() {
    let told = |services: &str, pod: &str| {
        let mut facts =
            read(&[("servicecidrs", json!([{ "spec": { "cidrs": [services] } }])), ("services", json!([])), ("nodes", json!([]))]);
        facts.pod_addresses = Ok([pod.parse().unwrap()].into());
        let settings = json!({ "dnsNamespace": "kube-system", "dnsSelector": {}, "dnsPort": 53, "dnsCaches": [],
            "clusterRanges": ["10.0.0.0/8"], "ingressControllers": [], "platformPrograms": [], "platformImages": [] });
        facts.settings = Ok(serde_json::from_value(settings).unwrap());
        of(&facts, "ClusterRanges").remove(0)
    };
    assert_eq!(told("10.96.0.0/12", "10.1.2.3").0, Verdict::Ok);
    let outside = |what: &str| (Verdict::Fail, format!("not in the cluster's ranges: {what}"));
    assert_eq!(told("192.0.2.0/24", "10.1.2.3"), outside("services 192.0.2.0/24"));
    assert_eq!(told("10.96.0.0/12", "192.168.3.3"), outside("pod 192.168.3.3/32"));
}
