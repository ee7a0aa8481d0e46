//! Figures of a tenant's status, and when they are to be looked at again.

use std::collections::BTreeMap;

use govcloud_core::{
    api::{AgencyTenantStatus, HostedSystemStatus, Stage, conditions::kind},
    model::{
        amounts::Amount,
        ending::Ending,
        failed_creates::{FAILED_CREATE_TTL, FailedCreate, Seen, Workload},
        names::NamespaceName,
        observed::{NAMESPACE, Remaining},
        outcome::Outcome,
        snapshot::{Question, Snapshot},
        tags::Tags,
    },
    plan::{ending, finalizers::release, intent::intent},
    status::{StatusInput, system as system_status, tenant as tenant_status},
};
use k8s_openapi::jiff::Timestamp;
use serde_json::json;

use super::{
    decisions::{APPOINTMENTS, HEALTH, WORKLOAD, served},
    world::{decide, inventory, set_pods, settings, settle, system, unreadable, with_home},
};

fn with_input<T>(seen: &Snapshot, read: impl Fn(&StatusInput) -> T) -> T {
    let (plan, intent, outcome) = (decide(seen).0, intent(seen, &settings()), Outcome::default());
    read(&StatusInput { snapshot: seen, intent: &intent, inventory: &inventory(seen), plan: &plan, outcome: &outcome })
}

fn statuses(seen: &Snapshot) -> (AgencyTenantStatus, Vec<HostedSystemStatus>) {
    with_input(seen, |input| {
        let systems: Vec<HostedSystemStatus> = seen.systems.iter().map(|root| system_status::status(input, root)).collect();
        (tenant_status::status(input, seen.tenant.as_ref().unwrap(), &systems), systems)
    })
}

fn stages(stages: &[&str]) -> Snapshot {
    let systems = stages.iter().enumerate().map(|(number, stage)| {
        system(
            &APPOINTMENTS.replace("name: appointments", &format!("name: s{number}")).replace("stage: Running", &format!("stage: {stage}")),
        )
    });
    let mut seen = with_home(&HEALTH.replace("'40'", "'100'"), systems.collect());
    settle(&mut seen);
    seen
}

#[test]
fn systems_are_counted_by_the_stage_that_is_wanted() {
    let mut seen = stages(&["Testing", "Running", "Running", "Suspended", "Retired", "Retired", "Retired", "Running"]);
    seen.systems.last_mut().unwrap().spec = Err(unreadable("spec.sector", "unknown variant"));
    let counts = json!(statuses(&seen).0.systems);
    assert_eq!(counts, json!({ "total": 8, "testing": 1, "running": 2, "suspended": 1, "retired": 3 }));
}

#[test]
fn the_summary_has_who_is_ready_and_what_is_used() {
    let mut seen = stages(&["Running", "Running"]);
    let used = seen.observed.iter_mut().filter(|(key, _)| key.namespace.as_str() == "health--s0");
    for quota in used.filter_map(|(_, entry)| entry.quota.as_mut()) {
        quota.used.insert("requests.cpu".into(), Amount::whole(3));
        quota.used.insert("requests.example.com/gpu".into(), Amount::whole(3));
    }
    let broken = seen.observed.iter_mut().filter(|(key, _)| key.namespace.as_str() == "health--s1");
    for quota in broken.filter_map(|(_, entry)| entry.quota.as_mut()) {
        quota.live = false;
    }
    let status = statuses(&seen).0;
    let summary = status.summary.unwrap();
    assert_eq!((summary.systems.as_str(), summary.cpu_used_percent, summary.memory_used_percent), ("1/2", 3, 0));
    assert!(summary.cpu.starts_with("3/") && summary.cpu.ends_with("/100"), "{}", summary.cpu);
    let figures = status.quota.unwrap();
    let keys = ["limits.cpu", "limits.memory", "pods", "requests.cpu", "requests.memory", "requests.storage"];
    assert_eq!(figures.total.keys().collect::<Vec<_>>(), keys, "those that the total names");
    assert!(!figures.used.contains_key("requests.example.com/gpu"), "{figures:?}");
}

#[test]
fn the_budget_tells_who_waits_and_nothing_before_a_contract_is_applied() {
    let budget = |seen: &Snapshot| {
        let status = statuses(seen).0;
        let condition = status.conditions.into_iter().find(|condition| condition.kind == kind::QUOTA_WITHIN_BUDGET).unwrap();
        (condition.status, condition.message)
    };
    assert_eq!(budget(&served()).1, "the shares of all systems fit into the total");
    let waiting = budget(&stages(&["Running"; 7]));
    assert!(waiting.0 == "True" && waiting.1.starts_with("2 hosted systems wait for a share that is not free"), "{waiting:?}");
    let mut request = served();
    request.tenant.as_mut().unwrap().spec.as_mut().unwrap().preapproved = false;
    request.tenant.as_mut().unwrap().status = AgencyTenantStatus::default();
    assert_eq!(budget(&request).0, "Unknown");
}

#[test]
fn the_next_look_is_due_when_the_first_of_what_is_told_may_be_over() {
    const NOW: i64 = 1_000_000;
    let next = |change: &dyn Fn(&mut Snapshot)| {
        let mut seen = served();
        seen.now = Timestamp::from_second(NOW).unwrap();
        change(&mut seen);
        with_input(&seen, |input| input.expires_in().and_then(|seconds| i64::try_from(seconds).ok()))
    };
    let namespace = || NamespaceName::new(WORKLOAD);
    let refused = |last: i64| {
        move |seen: &mut Snapshot| {
            let workload = Workload { namespace: namespace(), kind: "ReplicaSet".into(), name: "web".into() };
            let refusal = FailedCreate { workload, objects: "pods", cause: "no".into(), last, version: 0, seen: Seen::Lacking };
            seen.failed_creates = BTreeMap::from([(namespace(), vec![refusal])]);
        }
    };
    let terminating = |since: i64| {
        move |seen: &mut Snapshot| {
            let entry = seen.observed.iter_mut().find(|(key, _)| key.kind == NAMESPACE && &*key.name == WORKLOAD).unwrap().1;
            (entry.deleting, entry.remaining) = (true, Some(Box::new(Remaining { since, ..Remaining::default() })));
        }
    };
    let draining = |since: &'static str| {
        move |seen: &mut Snapshot| {
            let condition = json!([{ "type": "Provisioned", "status": "False", "reason": "Draining", "message": "", "observedGeneration": 1, "lastTransitionTime": since }]);
            seen.systems[0].status.conditions = serde_json::from_value(condition).unwrap();
        }
    };
    assert_eq!(next(&|_| {}), None);
    assert_eq!(next(&refused(NOW - 100)), Some(FAILED_CREATE_TTL - 100));
    assert_eq!(next(&refused(NOW - FAILED_CREATE_TTL)), None);
    for (ago, after) in [(0, Some(5)), (4, Some(1)), (5, Some(5)), (10, Some(50)), (59, Some(1)), (60, None)] {
        assert_eq!(next(&terminating(NOW - ago)), after, "{ago}");
    }
    assert_eq!(next(&draining("1970-01-12T13:46:10Z")), Some(30), "half a minute ago");
    assert_eq!(next(&draining("1970-01-12T13:45:40Z")), None, "a minute ago");
    assert_eq!(next(&|seen| drop(seen.tags.insert(namespace(), Tags { looked: NOW - 10, enforced: true, workloads: None }))), Some(20));
    assert_eq!(next(&|seen| drop(seen.ending.insert(namespace(), Ending { looked: NOW - 3, ..Ending::default() }))), Some(7));
    let both = |seen: &mut Snapshot| {
        refused(NOW - 100)(seen);
        terminating(NOW)(seen);
    };
    assert_eq!(next(&both), Some(5), "the first");
}

#[test]
fn pods_are_listed_where_none_may_be_left_and_what_holds_them_is_told() {
    const NOW: i64 = 1_000_000;
    let namespace = NamespaceName::new(WORKLOAD);
    let required = |seen: &Snapshot| {
        let questions = ending::questions(seen, &inventory(seen), &decide(seen).0).into_iter();
        questions
            .map(|(question, due)| if let Question::PodsLeft(namespace) = question { (namespace, due) } else { panic!("{question:?}") })
            .collect::<Vec<_>>()
    };
    let mut seen = served();
    seen.now = Timestamp::from_second(NOW).unwrap();
    assert_eq!(required(&seen), [], "it is in service");

    let terminating = |since: i64, messages: &str| {
        let mut seen = seen.clone();
        seen.systems[0].deleting = true;
        let entry = seen.observed.iter_mut().find(|(key, _)| key.kind == NAMESPACE && &*key.name == WORKLOAD).unwrap().1;
        let remaining = Remaining { since, messages: messages.into(), ..Remaining::default() };
        (entry.deleting, entry.remaining) = (true, Some(Box::new(remaining)));
        seen
    };
    assert_eq!(required(&terminating(NOW - 10, "")), [(namespace.clone(), true)]);
    assert_eq!((required(&terminating(NOW - 9, "")), required(&terminating(NOW - 10, "its own words"))), (Vec::new(), Vec::new()));
    for (ago, due) in [(10, true), (9, false)] {
        let mut again = terminating(NOW - 100, "");
        let finalizers = BTreeMap::from([("example.com/a".to_owned(), 2)]);
        again.ending.insert(namespace.clone(), Ending { looked: NOW - ago, pods: Some(2), finalizers });
        assert_eq!(required(&again), [(namespace.clone(), due)]);
        let (_, systems) = statuses(&again);
        let ready = systems[0].conditions.iter().find(|condition| condition.kind == kind::READY).unwrap();
        assert!(ready.message.contains("2 pods remain; finalizers remaining: example.com/a in 2; the controller of"), "{}", ready.message);
    }

    let retire = |stage: Option<Stage>| {
        let mut seen = seen.clone();
        seen.systems = vec![system(&APPOINTMENTS.replace("Running", "Retired"))];
        settle(&mut seen);
        seen.systems[0].status.stage = stage;
        seen
    };
    assert_eq!(required(&retire(Some(Stage::Running))), [(namespace.clone(), true)]);
    assert_eq!((required(&retire(Some(Stage::Retired))), required(&retire(None))), (Vec::new(), Vec::new()));
    let mut open = retire(Some(Stage::Running));
    set_pods(&mut open, &namespace, 1);
    assert_eq!(required(&open), [], "its pods have not ended");
}

#[test]
fn a_tenant_goes_when_all_of_it_is_closed_and_somebody_can_tell() {
    let deleted = || {
        let mut seen = served();
        seen.tenant.as_mut().unwrap().deleting = true;
        seen
    };
    let goes = |seen: &Snapshot| release(seen, &intent(seen, &settings()), &decide(seen).0, &Outcome::default()).tenant;
    let closed = || {
        let mut seen = deleted();
        settle(&mut seen);
        seen
    };
    assert!(!goes(&deleted()) && goes(&closed()));
    let mut with_pods = closed();
    set_pods(&mut with_pods, &NamespaceName::new(WORKLOAD), 1);
    assert!(!goes(&with_pods));
    let mut blind = closed();
    blind.blind = vec!["forbidden".into()];
    assert!(!goes(&blind));
    blind.crds.ending = true;
    assert!(goes(&blind), "what is uninstalled holds nothing");
    let mut kept = closed();
    kept.tenant.as_mut().unwrap().deleting = false;
    assert!(!goes(&kept));
    let mut free = closed();
    free.tenant.as_mut().unwrap().finalizers.clear();
    assert!(!goes(&free), "it has gone already");
}
