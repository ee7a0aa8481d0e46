//! What the conditions of a system and of its tenant say, state by state.

use std::time::Duration;

use govcloud_core::{
    api::{
        AgencyTenantStatus, Condition, HostedSystemStatus, Stage,
        approval::{Contract, Decision, TenantStage},
        conditions::{find, kind},
    },
    model::{
        ending::Ending,
        names::NamespaceName,
        observed::{Entry, NAMESPACE, Remaining},
        outcome::{Failure, NamespaceOutcome, Outcome},
        snapshot::Snapshot,
    },
    plan::intent::intent,
    status::{StatusInput, system as system_status, tenant as tenant_status},
};
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    decisions::{APPOINTMENTS, HEALTH, WORKLOAD, conditions, messages, served},
    world::{approval, decide, failure, inventory, set_pods, settings, settle, snapshot, system, tenant, unreadable, with_home},
};

fn with_stage(stage: &str) -> Snapshot {
    let mut seen = served();
    seen.systems = vec![system(&APPOINTMENTS.replace("Running", stage))];
    settle(&mut seen);
    seen
}

/// The statuses of the tenant and of its first system, after this outcome.
fn statuses_after(seen: &Snapshot, outcome: &Outcome) -> (AgencyTenantStatus, HostedSystemStatus) {
    let (plan, intent) = (decide(seen).0, intent(seen, &settings()));
    let input = StatusInput { snapshot: seen, intent: &intent, inventory: &inventory(seen), plan: &plan, outcome };
    let system = system_status::status(&input, &seen.systems[0]);
    (tenant_status::status(&input, seen.tenant.as_ref().unwrap(), std::slice::from_ref(&system)), system)
}

fn statuses(seen: &Snapshot) -> (AgencyTenantStatus, HostedSystemStatus) {
    statuses_after(seen, &Outcome::default())
}

fn namespace_of(seen: &mut Snapshot) -> &mut Entry {
    seen.observed.iter_mut().find(|(key, _)| key.kind == NAMESPACE && &*key.name == WORKLOAD).unwrap().1
}

fn unreadable_contract(seen: &mut Snapshot) {
    let root = seen.tenant.as_mut().unwrap();
    root.status.contract = Some(Contract::Unreadable(Box::new(json!({"quota": 1})), "expected a map".into()));
    root.spec = Err(unreadable("spec.quota", "expected a map"));
}

#[test]
fn a_share_is_shown_without_its_zeros_and_a_retired_system_has_none() {
    let share = json!({ "limits.cpu": "16", "limits.memory": "64Gi", "pods": "60", "requests.cpu": "8", "requests.memory": "32Gi" });
    for (stage, granted, expected) in [("Running", share, "True Granted"), ("Retired", Value::Null, "True Retired")] {
        let seen = with_stage(stage);
        assert_eq!(json!(statuses(&seen).1.granted), granted, "{stage}");
        assert_eq!(conditions(&seen).1["QuotaGranted"], expected);
    }
}

#[test]
fn of_a_system_that_is_not_served_each_condition_says_why() {
    let blind = |seen: &mut Snapshot| seen.blind = vec!["networkpolicies is forbidden".into()];
    let leaving = |seen: &mut Snapshot| {
        seen.systems[0].deleting = true;
        seen.observed.retain(|key, _| key.namespace.as_str() != WORKLOAD);
    };
    let never_valid = |seen: &mut Snapshot| {
        seen.systems[0].spec = Err(unreadable("spec.stage", "unknown variant"));
        seen.observed.retain(|key, _| key.namespace.as_str() != WORKLOAD);
    };
    let of_nobody = |seen: &mut Snapshot| {
        seen.tenant = None;
        seen.observed.clear();
    };
    let cases = [
        (of_nobody as fn(&mut Snapshot), "Unknown NoTenant"),
        (unreadable_contract as fn(&mut Snapshot), "Unknown TenantInvalid"),
        (blind, "False Forbidden"),
        (leaving, "Unknown Deleting"),
        (never_valid, "Unknown Invalid"),
    ];
    for (change, expected) in cases {
        let mut seen = served();
        change(&mut seen);
        let told = conditions(&seen).1;
        for kind in ["QuotaGranted", "Provisioned", "Isolated"] {
            assert_eq!(told[kind], expected, "{kind}");
        }
    }
}

#[test]
fn a_namespace_that_is_being_deleted_is_told_though_nothing_is_planned_for_it() {
    let mut seen = served();
    unreadable_contract(&mut seen);
    namespace_of(&mut seen).deleting = true;
    assert_eq!(conditions(&seen).1["Provisioned"], "False Deleting");
}

#[test]
fn pods_that_have_not_ended_after_a_minute_are_counted() {
    const NOW: i64 = 1_000_000;
    let mut seen = with_stage("Retired");
    set_pods(&mut seen, &NamespaceName::new(WORKLOAD), 3);
    let told = |reason: &str, since: i64| {
        let mut seen = seen.clone();
        seen.now = Timestamp::from_second(NOW).unwrap();
        let since = Timestamp::from_second(since).unwrap().to_string();
        let before = json!([{ "type": "Provisioned", "status": "False", "reason": reason, "message": "", "observedGeneration": 1, "lastTransitionTime": since }]);
        seen.systems[0].status.conditions = serde_json::from_value(before).unwrap();
        assert_eq!(conditions(&seen).1["Provisioned"], "False Draining");
        messages(&seen).1["Provisioned"].as_str().unwrap().to_owned()
    };
    let counted = "3 pods in namespace health--appointments have not ended after 60 s: ";
    assert!(told("Draining", NOW - 60).starts_with(counted), "{}", told("Draining", NOW - 60));
    for (reason, since) in [("Draining", NOW - 59), ("Conflict", NOW - 60)] {
        assert_eq!(told(reason, since), "pods in namespace health--appointments are ending", "{reason} {since}");
    }
}

#[test]
fn pods_that_kubernetes_itself_lets_go_stall_a_deletion_only_after_a_minute() {
    const NOW: i64 = 1_000_000;
    for (finalizer, ago, stalled) in [
        ("batch.kubernetes.io/job-tracking", 59, "False NotStalled"),
        ("batch.kubernetes.io/job-tracking", 60, "True FinalizersRemaining"),
        ("example.com/a", 59, "True FinalizersRemaining"),
    ] {
        let mut seen = served();
        seen.now = Timestamp::from_second(NOW).unwrap();
        seen.systems[0].deleting = true;
        let entry = namespace_of(&mut seen);
        (entry.deleting, entry.remaining) = (true, Some(Box::new(Remaining { since: NOW - ago, ..Remaining::default() })));
        let left = Ending { looked: NOW, pods: Some(2), finalizers: [(finalizer.to_owned(), 2)].into() };
        seen.ending.insert(NamespaceName::new(WORKLOAD), left);
        assert_eq!(conditions(&seen).1["Stalled"], stalled, "{finalizer} {ago}");
    }
}

#[test]
fn a_system_is_isolated_unless_its_namespace_or_its_network_policy_cannot_be_written() {
    for (kind, expected) in [("Namespace", "False"), ("NetworkPolicy", "False"), ("RoleBinding", "True")] {
        let space = NamespaceOutcome { failures: vec![failure(kind)], ..NamespaceOutcome::default() };
        let (_, status) = statuses_after(&served(), &Outcome { namespaces: [(NamespaceName::new(WORKLOAD), space)].into() });
        assert_eq!(find(&status.conditions, kind::ISOLATED).unwrap().status, expected, "{kind}");
        assert_eq!(find(&status.conditions, kind::PROVISIONED).unwrap().status, "False", "{kind}");
    }
}

#[test]
fn a_deleted_system_is_ready_no_more_when_nothing_is_left_to_do() {
    let mut seen = served();
    seen.systems[0].deleting = true;
    settle(&mut seen);
    assert_eq!(conditions(&seen).1["Ready"], "False Deleting");
    set_pods(&mut seen, &NamespaceName::new(WORKLOAD), 1);
    assert_eq!(conditions(&seen).1["Ready"], "False Deleting", "that comes first, whatever is left to do");
    let told = messages(&seen).1["Ready"].clone();
    assert_eq!(told, "the system is being deleted; pods in namespace health--appointments are ending");
    seen.systems[0].spec = Err(unreadable("spec.stage", "unknown variant"));
    assert_eq!(conditions(&seen).1["Ready"], "False Deleting", "a spec that cannot be read is no longer the matter");
}

#[test]
fn what_the_api_server_refuses_for_a_moment_is_not_stalled() {
    let stalled = |reason: &'static str, refused_for: Option<u64>| {
        let mut seen = served();
        let since = refused_for.map(|seconds| (NamespaceName::new(WORKLOAD), Duration::from_secs(seconds)));
        seen.refused_for = since.into_iter().collect();
        let failures = vec![Failure { reason, stalled: true, ..failure("LimitRange") }];
        let space = NamespaceOutcome { failures, ..NamespaceOutcome::default() };
        let (_, status) = statuses_after(&seen, &Outcome { namespaces: [(NamespaceName::new(WORKLOAD), space)].into() });
        assert_eq!(find(&status.conditions, kind::PROVISIONED).unwrap().reason, reason);
        find(&status.conditions, kind::STALLED).unwrap().status == "True"
    };
    assert_eq!([None, Some(9), Some(10)].map(|time| stalled("Refused", time)), [false, false, true]);
    assert!(stalled("Conflict", None), "what is somebody else's stays so");
}

#[test]
fn of_what_is_well_each_condition_says_so_in_a_short_sentence() {
    let (tenant, system) = messages(&served());
    for (condition, message) in [
        ("Accepted", "the spec is valid"),
        ("Isolated", "Pod Security labels and NetworkPolicy govcloud-isolation are in place"),
        ("PodsAdmitted", "no pods are refused"),
        ("Provisioned", "namespace health--appointments is set up"),
        ("QuotaGranted", "the guaranteed share is granted"),
        ("Ready", "namespace health--appointments is ready for workloads"),
        ("Stalled", "no error blocks the operator"),
    ] {
        assert_eq!(system[condition], message);
    }
    assert_eq!(tenant["Provisioned"], "namespace health is set up");
    let all = tenant.as_object().unwrap().values().chain(system.as_object().unwrap().values());
    let long: Vec<_> = all.filter(|message| message.as_str().unwrap().len() > 80).collect();
    assert!(long.is_empty(), "{long:?}");
}

#[test]
fn a_system_of_no_agency_names_no_agency() {
    for namespace in ["stray", "stray--web"] {
        let yaml = APPOINTMENTS.replace("namespace: health", &format!("namespace: {namespace}"));
        let mut seen = served();
        seen.systems = vec![system(&yaml)];
        seen.tenant = None;
        seen.observed.clear();
        let told = messages(&seen).1;
        for message in told.as_object().unwrap().values() {
            assert!(!message.as_str().unwrap().contains("agencytenant/"), "{message}");
        }
        let words =
            format!("metadata.namespace: '{namespace}' is not the home namespace of an AgencyTenant; create the system in its agency's");
        assert!(told["Ready"].as_str().unwrap().starts_with(&words), "{told}");
    }
}

#[test]
fn a_stage_holds_once_everything_is_written() {
    let mut seen = served();
    seen.systems[0].status.stage = Some(Stage::Testing);
    assert_eq!(statuses(&seen).1.stage, Some(Stage::Running));
    for quota in seen.observed.values_mut().filter_map(|entry| entry.quota.as_mut()) {
        quota.live = false;
    }
    assert_eq!(statuses(&seen).1.stage, Some(Stage::Testing));
}

#[test]
fn a_condition_that_is_new_bears_the_time_of_the_snapshot() {
    let (tenant, system) = statuses(&served());
    let times = tenant.conditions.iter().chain(&system.conditions).map(|condition: &Condition| condition.last_transition_time.as_str());
    assert!(times.clone().count() > 8 && times.clone().all(|time| time == "2026-01-02T00:00:00Z"), "{:?}", times.collect::<Vec<_>>());
}

#[test]
fn a_tenant_is_ready_also_when_it_is_suspended_and_tells_how_many_systems_are() {
    let mut seen = served();
    assert_eq!(messages(&seen).0["Ready"], "the contract is in force; 1 of 1 hosted systems are ready");
    assert_eq!(statuses(&seen).0.summary.unwrap().systems, "1/1");
    seen.tenant = Some(tenant(&HEALTH.replace("  quota:", "  suspended: true\n  quota:")).into());
    settle(&mut seen);
    assert_eq!(conditions(&seen).0["Ready"], "True Suspended");
}

#[test]
fn a_suspended_system_says_who_suspends_it() {
    let ready = |seen: &mut Snapshot| {
        settle(seen);
        messages(seen).1["Ready"].clone()
    };
    assert_eq!(ready(&mut with_stage("Suspended")), "suspended: network closed, no new pods; set spec.stage to end that");
    let mut by_contract = served();
    by_contract.tenant = Some(tenant(&HEALTH.replace("  quota:", "  suspended: true\n  quota:")).into());
    let since = by_contract.time();
    let cure = format!("agencytenant/health is suspended by its spec since {since}, by wang: set spec.suspended of it to false");
    assert_eq!(ready(&mut by_contract), format!("suspended: network closed, no new pods; {cure}"));
    assert_eq!(conditions(&by_contract).1["Ready"], "False AgencySuspended");
    assert_eq!(statuses(&by_contract).0.summary.unwrap().systems, "0/1", "none of those that are to run is ready");
    let mut asked = served();
    let mut root = tenant(&HEALTH.replace("  quota:", "  suspended: true\n  quota:"));
    root.spec.as_mut().unwrap().preapproved = false;
    root.status.approval = Some(approval(Decision::Approved, 1, "no budget"));
    asked.tenant = Some(root.into());
    let cure = format!("agencytenant/health is suspended by its spec since {since}, by li (no budget): set spec.suspended of it to false");
    assert_eq!(ready(&mut asked), format!("suspended: network closed, no new pods; {cure}"));
    by_contract.systems = vec![system(&APPOINTMENTS.replace("Running", "Suspended"))];
    assert_eq!(ready(&mut by_contract), "suspended: network closed, no new pods; set spec.stage to end that");
    assert_eq!(conditions(&by_contract).1["Ready"], "True Suspended", "it is as its own spec wants it");
    let mut stopped = served();
    let root = stopped.tenant.as_mut().unwrap();
    root.spec.as_mut().unwrap().preapproved = false;
    root.status.contract = root.spec.as_ref().ok().map(Contract::of);
    let (decision, generation) = (Decision::Suspended, root.generation);
    root.status.approval = Some(approval(decision, generation, "an attack"));
    let cure = format!(
        "agencytenant/health was stopped by li at {} (an attack); an approver ends that: kubectl govcloud resume health",
        stopped.time()
    );
    assert_eq!(ready(&mut stopped), format!("suspended: network closed, no new pods; {cure}"));
    assert_eq!(conditions(&stopped).1["Ready"], "False AgencyStopped");
    stopped.systems = vec![system(&APPOINTMENTS.replace("Running", "Retired"))];
    settle(&mut stopped);
    assert_eq!(conditions(&stopped).1["Ready"], "True Retired");
}

#[test]
fn who_approved_or_stopped_a_tenant_is_named_as_long_as_the_decision_stands() {
    let told = |decision: Decision, stage: Option<TenantStage>| {
        let mut seen = served();
        let root = seen.tenant.as_mut().unwrap();
        root.spec.as_mut().unwrap().preapproved = false;
        root.status.contract = root.spec.as_ref().ok().map(Contract::of);
        root.status.approval = Some(approval(decision, 1, "because"));
        root.status.stage = stage;
        settle(&mut seen);
        messages(&seen).0["Approved"].as_str().unwrap().to_owned()
    };
    let time = snapshot(tenant(HEALTH), Vec::new()).time();
    let platform = format!("generation 1 is in force since {time}: the spec is preapproved");
    assert_eq!(told(Decision::Approved, None), platform, "it was in force before");
    assert_eq!(told(Decision::Rejected, None), platform, "it is the contract");
    assert!(told(Decision::Suspended, None).starts_with(&format!("stopped by li at {time} (because): ")));
    assert!(told(Decision::Rejected, Some(TenantStage::Suspended)).starts_with("stopped by an approver: "), "who it was is not known");
}

#[test]
fn a_change_that_waits_is_not_ready_and_says_who_asked_and_since_when() {
    let mut seen = served();
    let root = seen.tenant.as_mut().unwrap();
    root.spec = tenant(&HEALTH.replace("'40'", "'60'")).spec;
    root.spec.as_mut().unwrap().preapproved = false;
    root.generation += 1;
    settle(&mut seen);
    let since = seen.time();
    let ready = format!("generation 2 of wang waits for an approver since {since}; generation 1 stays in force until then. Asked for: ");
    assert!(messages(&seen).0["Ready"].as_str().unwrap().starts_with(&ready), "{:?}", messages(&seen).0["Ready"]);
}

#[test]
fn namespaces_that_wait_for_their_systems_are_named() {
    let mut seen = served();
    assert!(messages(&seen).0["Provisioned"].as_str().unwrap().starts_with("namespace health is set up"));
    seen.systems.clear();
    seen.crds.created = 100;
    namespace_of(&mut seen).created = 99;
    let told = messages(&seen).0["Provisioned"].as_str().unwrap().to_owned();
    let words =
        "; not changed until their systems are declared again (declare them with stage Retired to close them): health--appointments";
    assert!(told.ends_with(words), "{told}");
}

#[test]
fn of_a_tenant_that_is_not_served_it_is_told_whether_anything_was_ever_approved() {
    let told = |seen: &Snapshot| (conditions(seen).0["Provisioned"].clone(), messages(seen).0["Provisioned"].clone());
    let mut request = tenant(HEALTH);
    request.spec.as_mut().unwrap().preapproved = false;
    let nothing = "nothing is created before the request is approved";
    assert_eq!(told(&snapshot(request, Vec::new())), (json!("Unknown Requested"), json!(nothing)));
    let mut seen = served();
    unreadable_contract(&mut seen);
    let (condition, message) = told(&seen);
    assert_eq!(condition, "Unknown Invalid");
    assert!(message.as_str().unwrap().starts_with("the contract is not valid, so nothing is changed: status.contract"), "{message}");
}

#[test]
fn a_tenant_that_leaves_without_a_namespace_has_nothing_to_show() {
    let mut seen = snapshot(tenant(HEALTH), Vec::new());
    seen.tenant.as_mut().unwrap().deleting = true;
    assert_eq!(conditions(&seen).0["Provisioned"], "Unknown Progressing");
}

#[test]
fn figures_are_of_what_the_total_has_and_stay_while_nothing_can_be_seen() {
    let mut seen = with_home(&HEALTH.replace("pods: 400", "pods: 400, requests.example.com/gpu: 0"), vec![system(APPOINTMENTS)]);
    settle(&mut seen);
    let figures = statuses(&seen).0.quota.unwrap();
    let ahead = seen.tenant.as_ref().unwrap().status.quota.as_ref().unwrap();
    for shown in [&figures.total, &ahead.total] {
        assert!(shown.contains_key("pods") && !shown.contains_key("requests.example.com/gpu"), "{shown:?}");
    }
    seen.tenant.as_mut().unwrap().status.quota = Some(figures.clone());
    seen.blind = vec!["resourcequotas is forbidden".into()];
    assert_eq!(statuses(&seen).0.quota, Some(figures));
}
