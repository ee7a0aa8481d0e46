//! What is done next, and in which order: finalizers, questions, the status ahead, changes, waiting, telling.

use std::time::Duration;

use govcloud_core::{
    api::conditions::{find, kind, reason},
    children::TABLE,
    model::{
        amounts::Amount,
        failed_creates::{FAILED_CREATE_TTL, FailedCreate, Seen, Workload},
        names::{NamespaceName, SystemName},
        observed::{ChildKey, NAMESPACE},
        outcome::{Failure, NamespaceOutcome, Outcome},
        snapshot::{Question, Snapshot},
    },
    step::{Action, Settled, Step, step},
    views::foresight::carry_out,
};

use super::{
    decisions::{APPOINTMENTS, HEALTH, served},
    world::{failure, settings, snapshot, system, tenant},
};

fn next(seen: &Snapshot) -> Step {
    step(seen, &settings())
}

fn word(step: &Step) -> &'static str {
    match step {
        Step::Ask(_) => "ask",
        Step::AddFinalizers(_) => "finalizers",
        Step::WriteAhead { .. } => "ahead",
        Step::Apply(_) => "apply",
        Step::Wait(_) => "wait",
        Step::Settled(_) => "settled",
    }
}

fn settled(step: Step) -> Settled {
    match step {
        Step::Settled(settled) => *settled,
        other => panic!("not settled, but {other:?}"),
    }
}

fn asked(step: Step) -> Vec<Question> {
    match step {
        Step::Ask(questions) => questions,
        other => panic!("nothing is asked, but {other:?}"),
    }
}

/// A tenant with a system, all done and told.
fn done() -> Snapshot {
    let mut seen = served();
    let told = next(&seen);
    carry_out(&mut seen, told);
    seen
}

fn failed(stale: bool, written: usize) -> Outcome {
    let failure = Failure { stale, retry_after: Some(Duration::from_secs(3)), ..failure("NetworkPolicy") };
    let space = NamespaceOutcome { written, failures: vec![failure], ..NamespaceOutcome::default() };
    Outcome { namespaces: [(NamespaceName::new("health--appointments"), space)].into() }
}

#[test]
fn a_new_tenant_is_held_then_its_contract_is_told_then_it_gets_children_then_that_is_told() {
    let mut seen = snapshot(tenant(HEALTH), vec![system(APPOINTMENTS)]);
    seen.tenant.as_mut().unwrap().finalizers.clear();
    seen.systems[0].finalizers.clear();
    let mut order = Vec::new();
    for _ in 0..12 {
        let step = next(&seen);
        order.push(word(&step));
        let is_told = matches!(&step, Step::Settled(settled) if settled.tenant.is_none() && settled.systems.is_empty());
        if is_told {
            break;
        }
        carry_out(&mut seen, step);
    }
    // The home namespace comes first: what is declared in a namespace of somebody else's is not this tenant's.
    assert_eq!(order, ["finalizers", "ahead", "apply", "ahead", "apply", "apply", "settled", "settled"]);
    let Step::WriteAhead { exclusive, .. } = next(&snapshot(tenant(HEALTH), Vec::new())) else { panic!() };
    assert!(!exclusive, "it has none");
    let with_domain = HEALTH.replace("  network:", "  domains: [health.example.gov.cn]\n  network:");
    let Step::WriteAhead { exclusive, .. } = next(&snapshot(tenant(&with_domain), Vec::new())) else { panic!() };
    assert!(exclusive);
}

#[test]
fn what_cannot_be_held_is_not_tried_again_in_the_same_reconcile_and_gets_nothing() {
    let mut seen = done();
    seen.systems[0].finalizers.clear();
    assert_eq!(word(&next(&seen)), "finalizers");
    seen.finalizer_rejections.systems.insert("appointments".into(), "a policy refuses it".into());
    let told = settled(next(&seen));
    let accepted = find(&told.systems[0].1.conditions, kind::ACCEPTED).unwrap();
    assert!(accepted.status == "False" && accepted.message.contains("a policy refuses it"), "{accepted:?}");
    assert_eq!(told.action, Action::Retry(Duration::ZERO));
}

#[test]
fn nothing_is_closed_before_the_api_server_itself_says_that_its_system_is_gone() {
    let mut seen = done();
    seen.systems.clear();
    assert_eq!(asked(next(&seen)), [Question::Crds]);
    seen.answered.insert(Question::Crds);
    let appointments = Question::System(SystemName::new("appointments"));
    assert_eq!(asked(next(&seen)).first(), Some(&appointments));
    let mut uninstalling = seen.clone();
    uninstalling.crds.ending = true;
    assert_eq!(word(&next(&uninstalling)), "settled", "nothing is asked, and nothing done");
    seen.answered.insert(appointments);
    assert_eq!(word(&next(&seen)), "apply");
}

#[test]
fn the_ledger_gives_nothing_up_before_the_api_server_itself_says_that_the_namespace_is_gone() {
    let mut seen = done();
    seen.systems[0].deleting = true;
    seen.observed.retain(|key, _| key.namespace.as_str() == "health" || key.namespace.is_cluster());
    assert_eq!(asked(next(&seen)), [Question::Crds]);
    seen.answered.insert(Question::Crds);
    assert_eq!(asked(next(&seen)), [Question::Namespace(NamespaceName::new("health--appointments"))]);
}

#[test]
fn a_lost_contract_is_looked_for_on_the_home_namespace() {
    let mut seen = done();
    let root = seen.tenant.as_mut().unwrap();
    root.status.contract = None;
    let uid = root.uid.clone();
    assert_eq!(asked(next(&seen)), [Question::Contract { uid }]);
}

#[test]
fn what_others_wrote_meanwhile_is_looked_at_again_three_times_and_then_told() {
    let mut seen = done();
    for _ in 0..3 {
        seen.progress.note(failed(true, 0));
        assert!(seen.progress.finished.namespaces.is_empty());
    }
    seen.progress.note(failed(true, 0));
    let told = settled(next(&seen));
    assert_eq!(find(&told.systems[0].1.conditions, kind::PROVISIONED).unwrap().reason, reason::UNAVAILABLE);
    assert_eq!(told.action, Action::Retry(Duration::from_secs(3)), "not before the API server wants to be asked again");
}

#[test]
fn what_was_written_is_looked_at_before_it_is_told_and_what_failed_is_told_at_once() {
    let mut seen = done();
    seen.progress.note(Outcome { namespaces: [(seen.name.home(), NamespaceOutcome { written: 2, ..NamespaceOutcome::default() })].into() });
    assert!(seen.progress.finished.namespaces.is_empty());
    seen.progress.note(failed(false, 1));
    assert!(seen.progress.finished.failed());
}

#[test]
fn a_namespace_that_fails_does_not_keep_the_others_from_being_finished() {
    let mut seen = done();
    let bindings = |key: &ChildKey| TABLE[key.kind].kind == "RoleBinding" && key.namespace == seen.name.home();
    let home: Vec<ChildKey> = seen.observed.keys().filter(|key| bindings(key)).cloned().collect();
    for key in &home {
        seen.observed.remove(key);
    }
    seen.progress.note(failed(false, 0));
    let Step::Apply(changes) = next(&seen) else { panic!("{:?}", next(&seen)) };
    assert_eq!(changes.iter().map(|space| space.namespace.clone()).collect::<Vec<_>>(), [seen.name.home()]);
    carry_out(&mut seen, Step::Apply(changes));
    let told = settled(next(&seen));
    assert!(told.outcome.failed() && matches!(told.action, Action::Retry(_)), "what failed is told in the end");
}

#[test]
fn a_quota_that_was_just_written_has_a_moment_to_come_into_force() {
    let mut seen = done();
    let quota = seen.observed.values_mut().find_map(|entry| entry.quota.as_mut()).unwrap();
    quota.live = false;
    seen.since_write = Some(Duration::from_secs(2));
    let Step::Wait(time) = next(&seen) else { panic!("{:?}", next(&seen)) };
    assert_eq!(time, Duration::from_secs(3));
    for since in [None, Some(Duration::from_secs(6))] {
        seen.since_write = since;
        let told = settled(next(&seen)).tenant.unwrap();
        assert_eq!(find(&told.conditions, kind::READY).unwrap().reason, reason::QUOTA_NOT_LIVE);
    }
}

#[test]
fn figures_of_use_alone_are_written_once_a_minute() {
    let mut seen = done();
    assert_eq!((settled(next(&seen)).tenant, settled(next(&seen)).action), (None, Action::AwaitChange));
    let workload =
        |key: &govcloud_core::model::observed::ChildKey| key.kind != NAMESPACE && key.namespace.as_str() == "health--appointments";
    let quota = seen.observed.iter_mut().filter(|(key, _)| workload(key)).find_map(|(_, entry)| entry.quota.as_mut()).unwrap();
    quota.used.insert("requests.cpu".into(), Amount::whole(3));
    seen.since_status = Some(Duration::from_secs(20));
    let early = settled(next(&seen));
    assert_eq!((early.tenant.is_none(), early.action), (true, Action::RequeueAfter(Duration::from_secs(40))));
    assert!(early.systems.is_empty(), "of systems neither");
    seen.since_status = Some(Duration::from_secs(61));
    let late = settled(next(&seen));
    assert!(late.tenant.is_some());
    let [(_, system)] = &late.systems[..] else { panic!("{:?}", late.systems) };
    assert_eq!(system.summary.as_ref().unwrap().cpu, "3/8");
}

#[test]
fn a_finalizer_that_only_others_wrote_or_that_kubectl_could_take_off_is_written() {
    for (holds, note, expected) in [(false, None, "finalizers"), (true, Some("{}".to_owned()), "finalizers"), (true, None, "settled")] {
        let mut seen = done();
        (seen.systems[0].holds, seen.systems[0].last_applied) = (holds, note);
        assert_eq!(word(&next(&seen)), expected, "{holds}");
    }
}

#[test]
fn while_nothing_can_be_done_nothing_is_told_ahead_and_all_is_tried_again() {
    let blind = |seen: &mut Snapshot| seen.blind = vec!["networkpolicies is forbidden".into()];
    let uninstalled = |seen: &mut Snapshot| seen.crds.ending = true;
    for change in [blind as fn(&mut Snapshot), uninstalled] {
        let mut request = snapshot(tenant(HEALTH), Vec::new());
        assert_eq!(word(&next(&request)), "ahead");
        change(&mut request);
        assert_eq!(settled(next(&request)).action, Action::Retry(Duration::ZERO));
    }
}

#[test]
fn what_is_told_of_a_refusal_is_looked_at_again_when_it_is_over() {
    let mut seen = done();
    let namespace = NamespaceName::new("health--appointments");
    let workload = Workload { namespace: namespace.clone(), kind: "ReplicaSet".into(), name: "web".into() };
    let last = seen.now.as_second() - 10;
    let refusal = FailedCreate { workload, objects: "pods", cause: "no".into(), last, version: 0, seen: Seen::Lacking };
    seen.failed_creates.insert(namespace, vec![refusal]);
    let over = Duration::from_secs(u64::try_from(FAILED_CREATE_TTL).unwrap() - 10);
    assert_eq!(settled(next(&seen)).action, Action::RequeueAfter(over + Duration::from_secs(1)));
}
