//! Who is let in, and when: after isolation, a quota that is enforced, and guard rails that are in force. And when pods are ended.

use std::sync::Arc;

use govcloud_core::{
    api::conditions::reason,
    children::{Rank, TABLE},
    model::{
        amounts::{Amount, Amounts},
        names::NamespaceName,
        observed::QuotaState,
        outcome::{NamespaceOutcome, Outcome},
        snapshot::{Progress, Snapshot},
    },
    plan::diff::{Change, NamespaceChanges},
    step::{Action, Step, step},
};

use super::{
    decisions::{APPOINTMENTS, HEALTH, WORKLOAD, served},
    world::{carry_out, decide, set_pods, settings, settle, system, with_home},
};

/// The changes of the workload namespace.
fn changes(seen: &Snapshot) -> NamespaceChanges {
    decide(seen).1.into_iter().find(|space| space.namespace == NamespaceName::new(WORKLOAD)).unwrap()
}

fn is_binding(change: &Change) -> bool {
    change.writes() && change.rank() == Some(Rank::Access)
}

fn forget(seen: &mut Snapshot, kind: &str) {
    let index = TABLE.iter().position(|row| row.kind == kind).unwrap();
    seen.observed.retain(|key, _| key.namespace != NamespaceName::new(WORKLOAD) || key.kind != index);
}

fn edit(seen: &mut Snapshot, kind: &str) {
    let index = TABLE.iter().position(|row| row.kind == kind).unwrap();
    let here = seen.observed.iter_mut().filter(|(key, _)| key.namespace == NamespaceName::new(WORKLOAD) && key.kind == index);
    here.for_each(|(_, entry)| entry.hash += 1);
}

#[test]
fn whoever_is_let_in_comes_after_what_guards_the_namespace_and_only_behind_a_quota() {
    for missing in ["NetworkPolicy", "LimitRange", "ServiceAccount"] {
        let mut seen = served();
        forget(&mut seen, "RoleBinding");
        forget(&mut seen, missing);
        let told = changes(&seen);
        let guards = told.changes.iter().filter(|change| change.writes() && !is_binding(change));
        assert!(guards.clone().count() > 0 && guards.into_iter().all(|change| change.rank() < Some(Rank::Access)), "{missing}");
        assert!(told.changes.iter().any(is_binding) && told.failure.is_none(), "{missing}");
    }
    let mut seen = served();
    forget(&mut seen, "RoleBinding");
    forget(&mut seen, "ResourceQuota");
    let told = changes(&seen);
    assert!(!told.changes.iter().any(is_binding) && told.changes.iter().any(Change::writes));
    assert_eq!(told.failure, None, "it is only that the quota is written before");
}

#[test]
fn nobody_is_let_in_before_the_guard_rails_and_the_quota_are_in_force_and_the_reason_is_told() {
    let unguarded = |seen: &mut Snapshot| seen.unguarded = Some("policy govcloud-images is missing".into());
    let uncounted = |seen: &mut Snapshot| {
        for quota in seen.observed.values_mut().filter_map(|entry| entry.quota.as_mut()) {
            quota.enforced = false;
        }
    };
    let cases = [
        (
            unguarded as fn(&mut Snapshot),
            reason::POLICY_NOT_ACTIVE,
            "the policies of the chart are in force: policy govcloud-images is missing",
        ),
        (uncounted, reason::QUOTA_NOT_LIVE, "the quota is not enforced yet"),
    ];
    for (break_it, reason, words) in cases {
        let mut seen = served();
        break_it(&mut seen);
        assert_eq!(changes(&seen).failure, None, "{reason}: who is in stays in, and nothing is to be told");
        forget(&mut seen, "RoleBinding");
        let told = changes(&seen);
        assert!(!told.changes.iter().any(is_binding), "{reason}");
        let failure = told.failure.unwrap();
        assert!(failure.reason == reason && failure.message.contains(words) && !failure.stalled, "{failure:?}");
    }
}

#[test]
fn the_objects_in_cluster_scope_wait_for_the_guard_rails_alone() {
    let mut seen = with_home(HEALTH, Vec::new());
    seen.observed.retain(|key, _| TABLE[key.kind].kind != "ClusterRoleBinding");
    let bindings = |seen: &Snapshot| {
        let (_, changes) = decide(seen);
        let cluster = changes.into_iter().find(|space| space.namespace.is_cluster()).unwrap();
        (cluster.changes.iter().filter(|change| is_binding(change)).count(), cluster.failure.map(|failure| failure.reason))
    };
    assert!(matches!(bindings(&seen), (1.., None)));
    seen.unguarded = Some("not looked at yet".into());
    assert_eq!(bindings(&seen), (0, Some(reason::POLICY_NOT_ACTIVE)));
}

#[test]
fn who_leaves_goes_at_once_also_where_nobody_may_be_let_in() {
    let narrows = |seen: &Snapshot| {
        let told = changes(seen);
        let bindings = told.changes.iter().filter(|change| is_binding(change));
        bindings.map(|change| matches!(change, Change::Update { narrows: true, .. })).collect::<Vec<_>>()
    };
    let mut seen = served();
    edit(&mut seen, "RoleBinding");
    assert!(!narrows(&seen).is_empty() && narrows(&seen).iter().all(|narrows| !narrows), "a guarded namespace gets all");
    seen.unguarded = Some("not looked at yet".into());
    assert!(!narrows(&seen).is_empty() && narrows(&seen).iter().all(|narrows| *narrows));
}

/// Bindings are to be written while the guard rails are not in force, and nobody is left in them who may be taken out.
fn without_guard_rails() -> Snapshot {
    let mut seen = served();
    edit(&mut seen, "RoleBinding");
    seen.unguarded = Some("not looked at yet".into());
    let Step::Apply(changes) = step(&seen, &settings()) else { panic!("who has left is taken out") };
    let nothing = |space: &NamespaceChanges| (space.namespace.clone(), NamespaceOutcome::default());
    seen.progress.note(Outcome { namespaces: changes.iter().map(nothing).collect() });
    seen
}

#[test]
fn who_may_not_be_let_in_yet_is_told_and_tried_again_also_when_nothing_could_be_written_meanwhile() {
    let seen = without_guard_rails();
    let Step::Settled(settled) = step(&seen, &settings()) else { panic!("nothing is left to write") };
    assert!(matches!(settled.action, Action::Retry(_)), "{:?}", settled.action);
    let failure = settled.outcome.failure(&NamespaceName::new(WORKLOAD)).unwrap();
    assert_eq!(failure.reason, reason::POLICY_NOT_ACTIVE);
}

#[test]
fn guard_rails_that_come_into_force_within_a_reconcile_let_members_in_with_the_next() {
    let mut seen = without_guard_rails();
    seen.unguarded = None;
    let Step::Settled(settled) = step(&seen, &settings()) else { panic!("nothing is written twice in one reconcile") };
    assert!(matches!(settled.action, Action::Retry(_)), "{:?}", settled.action);
    assert_eq!(settled.outcome.failure(&NamespaceName::new(WORKLOAD)).unwrap().reason, reason::PROGRESSING);
    seen.progress = Progress::default();
    let Step::Apply(changes) = step(&seen, &settings()) else { panic!("the next reconcile writes it") };
    assert!(changes.iter().flat_map(|space| &space.changes).any(|change| matches!(change, Change::Update { narrows: false, .. })));
}

/// A system that retires, once all is written that comes before its pods are ended.
fn closing() -> Snapshot {
    let mut seen = served();
    seen.systems = vec![system(&APPOINTMENTS.replace("Running", "Retired"))];
    for _ in 0..4 {
        let (_, changes) = decide(&seen);
        let changes: Vec<_> = changes
            .into_iter()
            .map(|space| NamespaceChanges {
                changes: space.changes.into_iter().filter(|change| change.writes() && change.rank().is_some()).collect(),
                ..space
            })
            .collect();
        carry_out(&mut seen, &changes);
    }
    set_pods(&mut seen, &NamespaceName::new(WORKLOAD), 2);
    seen
}

fn ends(seen: &Snapshot) -> bool {
    changes(seen).changes.iter().any(|change| matches!(change, Change::DeletePods))
}

fn quota(seen: &mut Snapshot) -> &mut QuotaState {
    let mut here = seen.observed.iter_mut().filter(|(key, _)| key.namespace == NamespaceName::new(WORKLOAD));
    here.find_map(|(_, entry)| entry.quota.as_deref_mut()).unwrap()
}

#[test]
fn pods_are_ended_only_behind_isolation_that_is_as_planned() {
    assert!(ends(&closing()));
    for kind in ["Namespace", "NetworkPolicy"] {
        let mut seen = closing();
        edit(&mut seen, kind);
        assert!(!ends(&seen), "{kind}");
    }
    let mut seen = closing();
    edit(&mut seen, "LimitRange");
    assert!(ends(&seen), "defaults of containers say nothing of pods that end");
}

#[test]
fn pods_are_ended_once_admission_lets_none_in_and_only_where_some_are_known_of() {
    let mut open = closing();
    quota(&mut open).hard = Arc::new(Amounts::from([("pods".to_owned(), Amount::whole(60_u32))]));
    assert!(!ends(&open), "a former amount is in force");
    let mut uncounted = closing();
    quota(&mut uncounted).used.clear();
    quota(&mut uncounted).counted = false;
    assert!(!ends(&uncounted));
}

#[test]
fn pods_of_a_suspended_system_run_on() {
    let mut seen = served();
    set_pods(&mut seen, &NamespaceName::new(WORKLOAD), 2);
    seen.systems = vec![system(&APPOINTMENTS.replace("Running", "Suspended"))];
    settle(&mut seen);
    let quota = quota(&mut seen);
    assert!(quota.is_closed(), "no further pod is let in");
    assert_eq!(quota.used["pods"], Amount::whole(2_u32));
}
