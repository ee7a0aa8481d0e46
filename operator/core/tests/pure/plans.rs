//! What is planned for a tenant that leaves, that is suspended, or whose namespaces carry another mark, and what goes at the end.

use govcloud_core::{
    api::{Stage, conditions::reason},
    children::TABLE,
    model::{
        amounts::Amount,
        names::NamespaceName,
        observed::{ChildKey, Entry, NAMESPACE},
        outcome::{NamespaceOutcome, Outcome},
        snapshot::Snapshot,
    },
    plan::{
        Goal,
        diff::{Change, NamespaceChanges},
        finalizers::{Finalizers, release},
        intent::intent,
    },
};
use serde_json::json;

use super::{
    decisions::{APPOINTMENTS, HEALTH, WORKLOAD, conditions, served},
    world::{decide, failure, object, set_pods, settings, settle, system, tenant, unreadable, with_home},
};

const HOME: &str = "health";

fn goal(seen: &Snapshot, namespace: &str) -> Option<Goal> {
    decide(seen).0.namespace(&NamespaceName::new(namespace)).map(|space| space.goal)
}

fn changes(seen: &Snapshot, namespace: &str) -> NamespaceChanges {
    decide(seen).1.into_iter().find(|space| space.namespace == NamespaceName::new(namespace)).unwrap()
}

fn released(seen: &Snapshot, outcome: &Outcome) -> Finalizers {
    release(seen, &intent(seen, &settings()), &decide(seen).0, outcome)
}

#[test]
fn the_home_namespace_of_a_tenant_that_leaves_is_closed_where_there_is_one() {
    let mut seen = served();
    seen.tenant.as_mut().unwrap().deleting = true;
    assert_eq!(goal(&seen, HOME), Some(Goal::Close));
    seen.observed.retain(|key, _| key.namespace.as_str() != HOME);
    assert_eq!(goal(&seen, HOME), None, "none is created");
}

#[test]
fn a_home_namespace_is_removed_after_all_others_are_closed_and_empty() {
    let mut seen = with_home(&format!("{HEALTH}  deletionPolicy: Delete\n"), vec![system(APPOINTMENTS)]);
    settle(&mut seen);
    set_pods(&mut seen, &NamespaceName::new(WORKLOAD), 1);
    seen.tenant.as_mut().unwrap().deleting = true;
    assert_eq!((goal(&seen, HOME), goal(&seen, WORKLOAD)), (Some(Goal::Close), Some(Goal::Close)));
    let mut emptied = seen.clone();
    emptied.observed.retain(|key, _| key.namespace.as_str() != WORKLOAD);
    assert_eq!(goal(&emptied, HOME), Some(Goal::Remove));
    settle(&mut seen);
    let left: Vec<&str> = seen.observed.keys().filter(|key| key.kind == NAMESPACE).map(|key| key.namespace.as_str()).collect();
    assert_eq!(left, [WORKLOAD], "its system is to be kept");
}

#[test]
fn a_system_that_cannot_be_read_is_suspended_with_its_agency() {
    let mut seen = served();
    seen.systems[0].status.stage = Some(Stage::Running);
    seen.systems[0].spec = Err(unreadable("spec.stage", "unknown variant"));
    let admits = |seen: &mut Snapshot| {
        let plan = settle(seen);
        object(&plan, WORKLOAD, "NetworkPolicy", "govcloud-isolation").unwrap()["spec"]["egress"] != json!([])
    };
    assert!(admits(&mut seen));
    seen.tenant = Some(tenant(&HEALTH.replace("  quota:", "  suspended: true\n  quota:")).into());
    assert!(!admits(&mut seen));
}

#[test]
fn namespaces_of_the_tenant_that_is_taken_over_become_this_tenants() {
    let mut seen = served();
    for (_, entry) in seen.observed.iter_mut().filter(|(key, _)| !key.namespace.is_cluster()) {
        (entry.tenant_uid, entry.hash) = ("old".into(), entry.hash + 1);
    }
    assert_eq!(changes(&seen, HOME).failure.unwrap().reason, reason::ORPHAN_OF);
    let root = seen.tenant.as_mut().unwrap();
    root.spec.as_mut().unwrap().adopt_tenant_uid = Some("old".into());
    root.generation += 1;
    for namespace in [HOME, WORKLOAD] {
        let told = changes(&seen, namespace);
        let updated = told.changes.iter().any(|change| matches!(change, Change::Update { desired, .. } if desired.kind.is_namespace()));
        assert!(updated && told.failure.is_none(), "{told:?}");
    }
}

#[test]
fn only_a_namespace_without_its_mark_is_doubtful() {
    let doubtful = |kind: &str, mark: &str| {
        let mut seen = served();
        let here = seen.observed.iter_mut().filter(|(key, _)| key.namespace.as_str() == WORKLOAD && TABLE[key.kind].kind == kind);
        here.for_each(|(_, entry)| (entry.tenant_uid, entry.hash) = (mark.into(), entry.hash + 1));
        let told = changes(&seen, WORKLOAD).changes;
        let seen = |change: &Change| if let Change::Update { seen, .. } = change { Some(seen.doubtful) } else { None };
        told.iter().find_map(seen).unwrap()
    };
    assert!(doubtful("Namespace", ""));
    assert!(!doubtful("Namespace", "uid-of--health") && !doubtful("LimitRange", ""));
}

#[test]
fn what_is_being_deleted_is_deleted_once_more_only_where_others_wrote_it_and_a_finalizer_keeps_it() {
    let kind = TABLE.iter().position(|kind| kind.kind == "RoleBinding").unwrap();
    let binding = json!({"metadata": {"name": "x", "uid": "x"}, "subjects": [{"kind": "Group", "name": "old-team"}], "roleRef": {"kind": "Role", "name": "reader"}});
    let deleted = |mark: &str, deleting: bool, held: bool| {
        let mut seen = served();
        seen.tenant.as_mut().unwrap().status.former_members = vec!["Group/old-team".to_owned()];
        let created = seen.now.as_second() + 60;
        let entry = Entry { created, deleting, held, tenant_uid: mark.into(), ..TABLE[kind].entry(&binding) };
        seen.observed.insert(ChildKey { namespace: NamespaceName::new(WORKLOAD), kind, name: "x".into() }, entry.into());
        let told = changes(&seen, WORKLOAD).changes;
        told.iter().find_map(|change| if let Change::Delete { held, .. } = change { Some(*held) } else { None })
    };
    for (mark, deleting, held, expected) in [
        ("", false, false, Some(false)),
        ("", false, true, Some(true)),
        ("", true, false, None),
        ("", true, true, Some(true)),
        ("uid-of--health", false, true, Some(false)),
        ("uid-of--health", true, true, None),
    ] {
        assert_eq!(deleted(mark, deleting, held), expected, "{mark} {deleting} {held}");
    }
}

#[test]
fn a_total_that_is_lowered_below_what_is_held_stays_in_force() {
    let mut seen = served();
    seen.tenant.as_mut().unwrap().spec = tenant(&HEALTH.replace("requests.cpu: '40'", "requests.cpu: '4'")).spec;
    seen.tenant.as_mut().unwrap().generation += 1;
    assert_eq!(decide(&seen).0.allocation.total["requests.cpu"], Amount::whole(40_u32));
    assert_eq!(conditions(&seen).0["QuotaWithinBudget"], "False LoweringPending");
}

#[test]
fn only_a_deleted_system_loses_its_finalizer_and_only_ours() {
    let mut seen = served();
    seen.systems = vec![system(&APPOINTMENTS.replace("Running", "Retired"))];
    settle(&mut seen);
    assert_eq!(released(&seen, &Outcome::default()), Finalizers::default(), "it is retired");
    seen.systems[0].deleting = true;
    assert_eq!(released(&seen, &Outcome::default()).systems, ["appointments"]);
    seen.systems[0].finalizers = vec!["example.com/other".to_owned()];
    assert_eq!(released(&seen, &Outcome::default()), Finalizers::default());
}

#[test]
fn a_deleted_system_goes_when_all_is_written_or_nobody_serves_it() {
    let mut seen = served();
    seen.systems[0].deleting = true;
    settle(&mut seen);
    let goes = |seen: &Snapshot, outcome: &Outcome| !released(seen, outcome).systems.is_empty();
    assert!(goes(&seen, &Outcome::default()));
    let space = NamespaceOutcome { failures: vec![failure("NetworkPolicy")], ..NamespaceOutcome::default() };
    assert!(!goes(&seen, &Outcome { namespaces: [(NamespaceName::new(WORKLOAD), space)].into() }));
    seen.blind = vec!["networkpolicies is forbidden".into()];
    assert!(!goes(&seen, &Outcome::default()), "nobody can tell");
    let mut uninstalled = seen.clone();
    uninstalled.crds.ending = true;
    assert!(goes(&uninstalled, &Outcome::default()));
    let orphan = Snapshot { tenant: None, ..seen };
    assert!(goes(&orphan, &Outcome::default()), "it has no tenant");
}
