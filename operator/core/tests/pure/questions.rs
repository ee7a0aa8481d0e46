//! What is asked before something ends, and which requests and changes are not served.

use govcloud_core::{
    api::approval::{Contract, Decision},
    model::{
        exports::Exports,
        names::{NamespaceName, SystemName},
        observed::{ChildKey, Entry, NAMESPACE},
        root::TenantRoot,
        snapshot::{Question, Snapshot},
    },
    plan::{intent::intent, questions::questions},
};

use super::{
    decisions::{APPOINTMENTS, HEALTH, served},
    world::{approval, decide, set_pods, settings, settle, snapshot, system, tenant, with_home},
};

/// A tenant that was served, whose definitions are known to stay.
fn world() -> Snapshot {
    let mut seen = served();
    seen.answered = [Question::Crds].into();
    seen
}

fn gone(seen: &mut Snapshot, namespace: &str) {
    seen.observed.retain(|key, _| key.namespace.as_str() != namespace);
}

#[test]
fn a_system_that_is_not_declared_is_asked_for_until_its_namespace_is_closed() {
    let asks = |seen: &Snapshot| questions(seen) == [Question::System(SystemName::new("appointments"))];
    let mut seen = world();
    assert_eq!(questions(&seen), []);
    seen.systems.clear();
    assert!(asks(&seen));
    let mut closed = seen.clone();
    settle(&mut closed);
    closed.answered = [Question::Crds].into();
    assert_eq!(questions(&closed), []);
    let mut with_pods = closed.clone();
    set_pods(&mut with_pods, &NamespaceName::new("health--appointments"), 1);
    assert!(asks(&with_pods));
    for (kind, name, mark, open) in
        [(5, "govcloud-owner", "uid-of--health", true), (5, "theirs", "", false), (4, "deployer", "", true), (4, "x", "u", false)]
    {
        let mut again = closed.clone();
        let key = ChildKey { namespace: NamespaceName::new("health--appointments"), kind, name: name.into() };
        again.observed.insert(key, Entry { tenant_uid: mark.into(), ..Entry::default() }.into());
        assert_eq!(asks(&again), open, "{kind} {name} {mark}");
    }
    seen.crds.ending = true;
    assert_eq!(questions(&seen), [], "while a definition is removed nothing follows from what is not there");
    (seen.crds.ending, seen.answered) = (false, [].into());
    assert_eq!(questions(&seen), [Question::Crds]);
}

#[test]
fn a_namespace_that_is_not_seen_is_asked_for_where_something_ends_with_it() {
    let namespace = |name: &str| Question::Namespace(NamespaceName::new(name));
    let mut seen = world();
    gone(&mut seen, "health--appointments");
    assert_eq!(questions(&seen), [], "it is created again");
    seen.systems[0].deleting = true;
    assert_eq!(questions(&seen), [namespace("health--appointments")]);
    let mut seen = world();
    seen.systems[0].deleting = true;
    assert_eq!(questions(&seen), [], "it is seen");
    let mut seen = world();
    seen.systems.clear();
    gone(&mut seen, "health--appointments");
    assert_eq!(questions(&seen), [namespace("health--appointments")], "the ledger has an entry for it");
    let mut seen = world();
    gone(&mut seen, "health");
    assert_eq!(questions(&seen), []);
    seen.tenant.as_mut().unwrap().deleting = true;
    assert_eq!(questions(&seen), [namespace("health")]);
    seen.answered.insert(namespace("health"));
    assert_eq!(questions(&seen), []);
}

#[test]
fn one_system_that_stays_says_nothing_of_another_that_is_gone() {
    let mut seen = with_home(HEALTH, vec![system(APPOINTMENTS), system(&APPOINTMENTS.replace("name: appointments", "name: records"))]);
    settle(&mut seen);
    seen.answered = [Question::Crds].into();
    seen.systems.remove(0);
    gone(&mut seen, "health--appointments");
    assert_eq!(questions(&seen), [Question::Namespace(NamespaceName::new("health--appointments"))]);
}

#[test]
fn objects_whose_namespace_is_not_seen_say_nothing_of_a_system() {
    let mut seen = world();
    seen.systems.clear();
    seen.observed.retain(|key, _| key.kind != NAMESPACE || key.namespace.as_str() != "health--appointments");
    assert_eq!(questions(&seen), [Question::Namespace(NamespaceName::new("health--appointments"))]);
}

#[test]
fn a_contract_is_looked_for_in_its_copy_where_it_was_lost_or_is_a_former_tenants() {
    let contract = |uid: &str| Question::Contract { uid: uid.into() };
    let former = |uid: &str| Question::FormerContract { uid: uid.into() };
    let mark = |seen: &mut Snapshot, uid: &str| {
        let home = seen.observed.iter_mut().find(|(key, _)| key.kind == NAMESPACE && &*key.name == "health").unwrap().1;
        home.tenant_uid = uid.into();
    };
    let adopts = |seen: &mut Snapshot, uid: &str| {
        let root = seen.tenant.as_mut().unwrap();
        root.spec.as_mut().unwrap().adopt_tenant_uid = Some(uid.into());
    };
    let mut seen = world();
    seen.tenant.as_mut().unwrap().status.contract = None;
    assert_eq!(questions(&seen), [contract("uid-of--health")]);
    gone(&mut seen, "health");
    assert_eq!(questions(&seen), [], "there is no copy");

    let mut seen = world();
    adopts(&mut seen, "old");
    assert_eq!(questions(&seen), [], "the namespace is not that tenant's");
    mark(&mut seen, "old");
    assert_eq!(questions(&seen), [former("old")]);
    let root = seen.tenant.as_mut().unwrap();
    root.status.contract = root.spec.as_ref().ok().map(Contract::of);
    root.spec.as_mut().unwrap().adopt_tenant_uid = None;
    assert_eq!(questions(&seen), [former("old")], "by the contract");
    let mut seen = world();
    adopts(&mut seen, "");
    mark(&mut seen, "");
    assert_eq!(questions(&seen), []);
}

#[test]
fn a_request_is_open_until_it_is_decided_and_counts_for_those_that_come_later() {
    let request = |name: &str, created: &str| {
        let mut root = tenant(&HEALTH.replace("name: health}", &format!("name: {name}}}")));
        let spec = root.spec.as_mut().unwrap();
        spec.preapproved = false;
        spec.members.reverse(); // an Owner stands first
        root.created = created.into();
        root
    };
    let decided = |mut root: TenantRoot, decision, generation| {
        root.status.approval = Some(approval(decision, generation, ""));
        root
    };
    let mine = request("b", "2");
    let counts = |mine: &TenantRoot, other: &TenantRoot| {
        let (mine, other) = (Exports::of(mine), Exports::of(other));
        mine.requester.is_some() && mine.requester == other.requester && other.age < mine.age
    };
    assert!(counts(&mine, &request("a", "1")));
    assert!(counts(&mine, &request("a", "2")) && !counts(&mine, &request("c", "2")), "of the same age, by name");
    assert!(!counts(&mine, &request("a", "3")) && !counts(&mine, &mine));
    let mut without_owner = request("b", "2");
    without_owner.spec.as_mut().unwrap().members.clear();
    let mut neither = request("a", "1");
    neither.spec.as_mut().unwrap().members.clear();
    assert!(!counts(&without_owner, &neither), "nobody stands first");
    let mut platforms = request("a", "1");
    platforms.spec.as_mut().unwrap().preapproved = true;
    let mut served = request("a", "1");
    served.status.contract = served.spec.as_ref().ok().map(Contract::of);
    let mut deleted = request("a", "1");
    deleted.deleting = true;
    let of_this = |decision| decided(request("a", "1"), decision, 1);
    for other in [platforms, served, deleted, of_this(Decision::Approved), of_this(Decision::Rejected)] {
        assert!(
            !counts(&mine, &other) && !counts(&TenantRoot { name: "b".into(), created: "2".into(), ..other.clone() }, &request("a", "1")),
            "{other:?}"
        );
    }
    assert!(counts(&mine, &decided(request("a", "1"), Decision::Rejected, 0)), "it was edited since");
}

#[test]
fn names_and_members_that_the_schema_would_refuse_are_refused_where_they_are_stored() {
    let complaints = |name: &str, members: &str| {
        let mut root = tenant(HEALTH);
        root.spec.as_mut().unwrap().members = serde_yaml::from_str(members).unwrap();
        root.name = name.into();
        let problems = intent(&snapshot(root, Vec::new()), &settings()).request.unwrap();
        problems.into_iter().map(|problem| problem.field).collect::<Vec<_>>()
    };
    let of = |member: &str| complaints("health", &format!("  - {{{member}, role: Auditor}}\n"));
    for fine in ["kind: User, name: li", "kind: Group, name: owners", "kind: ServiceAccount, name: a, namespace: health--web"] {
        assert_eq!(of(fine), [""; 0], "{fine}");
    }
    for (wrong, field) in [
        ("kind: User, name: ''", "spec.members[]"),
        ("kind: User, name: 'system:admin'", "spec.members[system:admin]"),
        ("kind: User, name: \"a\\tb\"", "spec.members[a\tb]"),
        ("kind: ServiceAccount, name: a, namespace: tax", "spec.members[a]"),
    ] {
        assert_eq!(of(wrong), [field], "{wrong}");
    }
    let twice = "  - {kind: User, name: li, role: Auditor}\n  - {kind: User, name: li, role: Owner}\n";
    assert_eq!(complaints("health", twice), ["spec.members[li]"]);
    assert_eq!(complaints("kube-health", "  - {kind: User, name: li, role: Owner}\n"), ["metadata.name"]);
}

#[test]
fn a_namespace_that_is_somebody_elses_fails_by_whose_it_is() {
    for (owner, reason) in [("u", "OrphanOf"), ("", "Conflict")] {
        let mut seen = world();
        let home = seen.observed.iter_mut().filter(|(key, _)| key.namespace.as_str() == "health");
        home.for_each(|(_, entry)| entry.tenant_uid = owner.into());
        let (_, changes) = decide(&seen);
        let home = changes.iter().find(|space| space.namespace.as_str() == "health").unwrap();
        let failure = home.failure.as_ref().unwrap();
        assert_eq!(
            (failure.kind, failure.name.as_str(), failure.reason, failure.stalled, failure.stale),
            ("Namespace", "health", reason, true, false)
        );
        assert!(failure.message.starts_with("namespace health exists and is not this tenant's"), "{}", failure.message);
        assert!(home.changes.is_empty());
    }
}
