//! What is recorded of requests, decisions and contracts, and what the platform's policies approve.

use govcloud_core::{
    api::{
        AgencyTenantSpec, Quantity,
        agency_tenant::{Egress, Member, Role, SubjectKind},
        approval::Decision,
        history::{HistoryEntry, HistoryEvent, MAX_ENTRIES},
    },
    model::{
        amounts::{Amount, Amounts},
        approval_policies::{ApprovalPolicies, QuotaGrowth},
        root::TenantRoot,
        settings::Settings,
        snapshot::Snapshot,
    },
    step::{Step, step},
    views::foresight,
};

use super::{
    decisions::{HEALTH, conditions, messages},
    world::{self, approval, settle, snapshot, tenant},
};

/// A request of Wang's.
fn request() -> Snapshot {
    let mut root = tenant(HEALTH);
    root.spec.as_mut().unwrap().preapproved = false;
    snapshot(root, Vec::new())
}

/// Goes on until nothing is left to be done; says what went to the audit log.
fn run(seen: &mut Snapshot, settings: &Settings) -> Vec<(HistoryEvent, String, i64, usize)> {
    let mut log = Vec::new();
    for _ in 0..20 {
        let next = step(seen, settings);
        if let Step::WriteAhead { records, .. } = &next {
            log.extend(records.iter().map(|record| (record.event, record.by.clone(), record.generation, record.changes.len())));
        }
        let done = matches!(next, Step::Settled(_));
        foresight::carry_out(seen, next);
        if done {
            return log;
        }
    }
    panic!("it does not settle");
}

/// The same, approved by Li.
fn approved(settings: &Settings) -> Snapshot {
    let mut seen = request();
    decide(&mut seen, Decision::Approved, "");
    run(&mut seen, settings);
    seen
}

fn root(seen: &mut Snapshot) -> &mut TenantRoot {
    seen.tenant.as_mut().unwrap()
}

fn edit(seen: &mut Snapshot, by: &str, change: impl FnOnce(&mut AgencyTenantSpec)) {
    let root = root(seen);
    change(root.spec.as_mut().unwrap());
    (root.generation, root.requested_by) = (root.generation + 1, Some(by.to_owned()));
}

fn decide(seen: &mut Snapshot, decision: Decision, reason: &str) {
    let generation = root(seen).generation;
    root(seen).status.approval = Some(approval(decision, generation, reason));
}

fn set(key: &str, amount: &str) -> impl FnOnce(&mut AgencyTenantSpec) {
    move |spec| drop(spec.quota.insert(key.to_owned(), Quantity(amount.to_owned())))
}

fn events(seen: &Snapshot) -> Vec<(i64, &'static str, String, i64)> {
    let entry = |entry: &HistoryEntry| (entry.number, entry.event.as_str(), entry.by.clone(), entry.generation);
    seen.tenant.as_ref().unwrap().status.history.iter().map(entry).collect()
}

#[test]
fn each_request_decision_and_change_of_the_contract_is_recorded_once() {
    let (mut seen, settings) = (request(), world::settings());
    assert_eq!(run(&mut seen, &settings).len(), 1);
    decide(&mut seen, Decision::Approved, "");
    run(&mut seen, &settings);
    edit(&mut seen, "zhao", set("requests.cpu", "60"));
    run(&mut seen, &settings);
    decide(&mut seen, Decision::Rejected, "no budget");
    run(&mut seen, &settings);
    decide(&mut seen, Decision::Suspended, "virus");
    run(&mut seen, &settings);
    decide(&mut seen, Decision::Resumed, "clean");
    run(&mut seen, &settings);
    edit(&mut seen, "zhao", |spec| (spec.suspended, _) = (true, spec.quota.insert("requests.cpu".into(), Quantity("40".into()))));
    run(&mut seen, &settings);
    let wanted = [
        (1, "Requested", "wang", 1),
        (2, "Approved", "li", 1),
        (3, "Requested", "zhao", 2),
        (4, "Rejected", "li", 2),
        (5, "Suspended", "li", 2),
        (6, "Resumed", "li", 2),
        (7, "ContractChanged", "zhao", 3),
    ];
    assert_eq!(events(&seen), wanted.map(|(number, event, by, generation)| (number, event, by.to_owned(), generation)));
    let history = &seen.tenant.as_ref().unwrap().status.history;
    assert_eq!(history[3].reason, "no budget");
    assert_eq!(history[3].changes, ["quota[requests.cpu]: 40 becomes 60"], "what was rejected");
    assert!(history[4].changes.is_empty(), "a stop is about no difference");
    let first = &history[1].changes;
    assert!(first.len() == 9 && first.last().unwrap().starts_with("and "), "{first:?}");
    assert_eq!(seen.tenant.as_ref().unwrap().status.approval.as_ref().unwrap().time.as_ref(), Some(&history[5].time));
    assert!(run(&mut seen, &settings).is_empty(), "nothing is new");
}

#[test]
fn what_the_log_says_is_whole_and_of_each_event() {
    let (mut seen, settings) = (request(), world::settings());
    decide(&mut seen, Decision::Approved, "as agreed");
    let log = run(&mut seen, &settings);
    let changes = log[0].3;
    assert!(changes > 8, "{log:?}");
    assert_eq!(log, [(HistoryEvent::Requested, "wang".into(), 1, changes), (HistoryEvent::Approved, "li".into(), 1, changes)]);
}

#[test]
fn a_decision_that_a_person_writes_over_another_is_recorded_also_with_the_time_of_the_former_left_in() {
    let settings = world::settings();
    let mut seen = approved(&settings);
    let former = root(&mut seen).status.approval.clone().unwrap();
    decide(&mut seen, Decision::Suspended, "virus");
    root(&mut seen).status.approval.as_mut().unwrap().time = former.time;
    run(&mut seen, &settings);
    assert_eq!(events(&seen).last().unwrap().1, "Suspended");
    // The same reason by the same person about the same generation, later.
    decide(&mut seen, Decision::Resumed, "");
    run(&mut seen, &settings);
    decide(&mut seen, Decision::Suspended, "virus");
    run(&mut seen, &settings);
    assert_eq!(events(&seen).iter().filter(|event| event.1 == "Suspended").count(), 2);
    assert_eq!(conditions(&seen).0["Approved"], "False Stopped");
}

#[test]
fn a_stop_ends_without_granting_what_waits() {
    let settings = world::settings();
    let mut seen = approved(&settings);
    edit(&mut seen, "wang", set("requests.cpu", "60"));
    decide(&mut seen, Decision::Suspended, "virus");
    run(&mut seen, &settings);
    let told = messages(&seen).0["Approved"].as_str().unwrap().to_owned();
    assert!(told.contains("kubectl govcloud resume health") && told.contains("generation 2 of wang waits for an approver since"), "{told}");
    decide(&mut seen, Decision::Resumed, "clean");
    run(&mut seen, &settings);
    assert_eq!(conditions(&seen).0["Approved"], "False ChangePending");
    assert_eq!(root(&mut seen).status.contract_generation, Some(1));
}

#[test]
fn a_stop_and_its_end_leave_a_rejection_as_it_was() {
    let settings = world::settings();
    let mut seen = approved(&settings);
    edit(&mut seen, "wang", set("requests.cpu", "60"));
    for (decision, reason) in [(Decision::Rejected, "no budget"), (Decision::Suspended, "virus"), (Decision::Resumed, "clean")] {
        decide(&mut seen, decision, reason);
        run(&mut seen, &settings);
    }
    assert_eq!(conditions(&seen).0["Approved"], "False Rejected");
    assert!(messages(&seen).0["Approved"].as_str().unwrap().contains("no budget"));
    decide(&mut seen, Decision::Approved, "after all");
    run(&mut seen, &settings);
    assert_eq!(conditions(&seen).0["Approved"], "True Approved");
}

#[test]
fn a_grant_keeps_to_the_rules_of_the_quota() {
    for (key, amount, words) in [("limits.cpu", "5", "is below the 40 of requests.cpu"), ("pods", "1500m", "is no whole number")] {
        let (mut seen, settings) = (request(), world::settings());
        decide(&mut seen, Decision::Approved, "less");
        root(&mut seen).status.approval.as_mut().unwrap().quota = [(key.to_owned(), Quantity(amount.into()))].into();
        run(&mut seen, &settings);
        assert_eq!(conditions(&seen).0["Approved"], "False Invalid", "{key}");
        assert!(messages(&seen).0["Accepted"].as_str().unwrap().contains(words), "{:?}", messages(&seen).0["Accepted"]);
    }
}

#[test]
fn what_a_person_declined_or_rejected_no_policy_grants() {
    let settings = policies();
    let mut seen = approved(&settings);
    edit(&mut seen, "wang", set("requests.cpu", "80"));
    decide(&mut seen, Decision::Approved, "half of it");
    root(&mut seen).status.approval.as_mut().unwrap().quota = [("requests.cpu".to_owned(), Quantity("60".into()))].into();
    run(&mut seen, &settings);
    edit(&mut seen, "wang", set("requests.cpu", "61"));
    run(&mut seen, &settings);
    assert_eq!(conditions(&seen).0["Approved"], "False ChangePending", "60 was the answer");
    decide(&mut seen, Decision::Rejected, "60");
    run(&mut seen, &settings);
    edit(&mut seen, "wang", |spec| {
        set("requests.cpu", "60")(spec);
        spec.members.push(member("ci", Role::Deployer));
    });
    run(&mut seen, &settings);
    assert_eq!(conditions(&seen).0["Approved"], "False ChangePending", "a person has spoken last");
}

#[test]
fn a_request_that_was_rejected_is_not_open_again_in_a_full_history() {
    let settings = world::settings();
    let mut seen = approved(&settings);
    for number in 0..2 * MAX_ENTRIES {
        decide(&mut seen, if number % 2 == 0 { Decision::Suspended } else { Decision::Resumed }, &number.to_string());
        run(&mut seen, &settings);
    }
    edit(&mut seen, "wang", set("requests.cpu", "60"));
    run(&mut seen, &settings);
    decide(&mut seen, Decision::Rejected, "no");
    run(&mut seen, &settings);
    assert!(run(&mut seen, &settings).is_empty());
    assert_eq!(events(&seen).last().unwrap().1, "Rejected");
}

#[test]
fn a_request_that_is_taken_back_or_overwritten_says_so() {
    let settings = world::settings();
    let mut seen = approved(&settings);
    edit(&mut seen, "wang", set("requests.cpu", "60"));
    run(&mut seen, &settings);
    edit(&mut seen, "wang", set("requests.cpu", "40"));
    run(&mut seen, &settings);
    assert_eq!(events(&seen).last().unwrap(), &(4, "Withdrawn", "wang".into(), 3));
    // The platform writes the whole object while a request waits.
    edit(&mut seen, "wang", set("requests.cpu", "70"));
    run(&mut seen, &settings);
    edit(&mut seen, "argocd", |spec| {
        set("requests.cpu", "41")(spec);
        spec.preapproved = true;
    });
    run(&mut seen, &settings);
    let last = root(&mut seen).status.history.last().unwrap().clone();
    assert_eq!((last.event, last.by.as_str()), (HistoryEvent::ContractChanged, "argocd"));
    let words = "it takes the place of the request of wang (generation 4), which nobody had decided";
    assert!(last.reason.ends_with(words), "{}", last.reason);
    assert!(messages(&seen).0["Approved"].as_str().unwrap().ends_with(words));
    edit(&mut seen, "argocd", set("requests.cpu", "42"));
    run(&mut seen, &settings);
    assert!(!messages(&seen).0["Approved"].as_str().unwrap().contains("place"), "it was told");
}

#[test]
fn an_agency_pushes_no_decision_out_of_its_history() {
    let (mut seen, settings) = (request(), world::settings());
    decide(&mut seen, Decision::Approved, "first");
    run(&mut seen, &settings);
    decide(&mut seen, Decision::Suspended, "virus");
    run(&mut seen, &settings);
    decide(&mut seen, Decision::Resumed, "clean");
    run(&mut seen, &settings);
    for number in 0..3 * MAX_ENTRIES {
        edit(&mut seen, "wang", set("requests.cpu", &(50 + number).to_string()));
        run(&mut seen, &settings);
    }
    let told = events(&seen);
    assert_eq!(told.len(), MAX_ENTRIES);
    for event in ["Approved", "Suspended", "Resumed"] {
        assert!(told.iter().any(|(_, told, ..)| *told == event), "{event}: {told:?}");
    }
    assert_eq!(told.last().unwrap().0, 4 + 3 * i64::try_from(MAX_ENTRIES).unwrap(), "numbers go on");
    // Decisions push each other out, but not the one that the contract rests on.
    for number in 0..2 * MAX_ENTRIES {
        decide(&mut seen, if number % 2 == 0 { Decision::Suspended } else { Decision::Resumed }, &number.to_string());
        run(&mut seen, &settings);
    }
    assert!(events(&seen).contains(&(2, "Approved", "li".into(), 1)), "{:?}", events(&seen));
}

#[test]
fn less_than_asked_is_granted_and_not_asked_for_again_by_itself() {
    let settings = world::settings();
    let mut seen = approved(&settings);
    edit(&mut seen, "wang", set("requests.cpu", "80"));
    decide(&mut seen, Decision::Approved, "half of it");
    root(&mut seen).status.approval.as_mut().unwrap().quota = [("requests.cpu".to_owned(), Quantity("60".into()))].into();
    run(&mut seen, &settings);
    let served = |seen: &Snapshot| seen.tenant.as_ref().unwrap().status.quota.as_ref().unwrap().total["requests.cpu"].0.clone();
    assert_eq!((served(&seen).as_str(), conditions(&seen).0["Ready"].as_str()), ("60", Some("True Ready")));
    let told = messages(&seen).0["Approved"].as_str().unwrap().to_owned();
    assert!(told.ends_with("(half of it); it has less than spec.quota names: requests.cpu 60 and not 80"), "{told}");
    let changes = ["quota[requests.cpu]: 40 becomes 60", "quota[requests.cpu]: 80 was asked for"];
    assert_eq!(root(&mut seen).status.history.last().unwrap().changes, changes);
    let asked = &root(&mut seen).status.history[2];
    assert_eq!((asked.event, asked.changes.as_slice()), (HistoryEvent::Requested, &["quota[requests.cpu]: 40 becomes 80".to_owned()][..]));
    // Another decision takes the place of the approval, and the contract stays.
    decide(&mut seen, Decision::Suspended, "virus");
    run(&mut seen, &settings);
    decide(&mut seen, Decision::Resumed, "");
    run(&mut seen, &settings);
    assert_eq!((served(&seen).as_str(), conditions(&seen).0["Ready"].as_str()), ("60", Some("True Ready")));
    // An Owner suspends without asking for 80 again.
    edit(&mut seen, "wang", |spec| spec.suspended = true);
    run(&mut seen, &settings);
    assert_eq!((served(&seen).as_str(), conditions(&seen).0["Approved"].as_str()), ("60", Some("True Approved")));
    // Who asks again names another amount.
    edit(&mut seen, "wang", set("requests.cpu", "79"));
    run(&mut seen, &settings);
    assert_eq!(conditions(&seen).0["Approved"], "False ChangePending");
}

/// What the platform approves by policy in the tests.
fn policies() -> Settings {
    let amounts = |cpu: u32| Amounts::from([("requests.cpu".to_owned(), Amount::whole(cpu))]);
    let quota_growth = Some(QuotaGrowth { percent: 20, at_most: amounts(6), capacity: amounts(100) });
    let members = vec![Role::Deployer, Role::Auditor];
    let egress = vec!["203.0.113.0/24".parse().unwrap()];
    Settings { approval_policies: ApprovalPolicies { quota_growth, egress, members }, ..world::settings() }
}

/// An edit of a spec.
type Change = fn(&mut AgencyTenantSpec);

fn member(name: &str, role: Role) -> Member {
    Member { kind: SubjectKind::User, name: name.into(), namespace: String::new(), role }
}

fn exit(cidr: &str) -> Egress {
    Egress { cidr: cidr.into(), ports: vec![8443], protocol: None, reason: "x".into() }
}

/// Whether a change of an approved tenant needs nobody; by which policies.
fn small(change: impl FnOnce(&mut AgencyTenantSpec), circumstances: impl FnOnce(&mut Snapshot)) -> Option<String> {
    let settings = policies();
    let mut seen = approved(&settings);
    edit(&mut seen, "wang", change);
    circumstances(&mut seen);
    run(&mut seen, &settings);
    let tenant = seen.tenant.as_ref().unwrap();
    let granted = tenant.status.contract_generation == Some(2);
    assert_eq!(granted, conditions(&seen).0["Approved"] == "True Approved");
    granted.then(|| tenant.status.history.last().unwrap().by.clone())
}

#[test]
fn small_changes_are_approved_by_policy_at_once_and_others_wait() {
    let nothing = |_: &mut Snapshot| {};
    let granted = |change: Change| small(change, nothing);
    assert_eq!(granted(|spec| set("requests.cpu", "46")(spec)).as_deref(), Some("policy/quota-growth"), "15 % and 6 cores");
    assert_eq!(granted(|spec| spec.network.egress.push(exit("203.0.113.128/25"))).as_deref(), Some("policy/egress"));
    assert_eq!(granted(|spec| spec.members.push(member("ci", Role::Deployer))).as_deref(), Some("policy/members"));
    let two = |spec: &mut AgencyTenantSpec| {
        spec.members.push(member("audit", Role::Auditor));
        set("requests.cpu", "41")(spec);
        spec.network.between_systems = govcloud_core::api::agency_tenant::BetweenSystems::Deny; // needs nobody anyway
    };
    assert_eq!(granted(two).as_deref(), Some("policy/quota-growth,policy/members"));
    let waits: [(&str, Change); 9] = [
        ("more than 6 cores", |spec| set("requests.cpu", "47")(spec)),
        ("an amount that the policy does not name", |spec| set("requests.memory", "161Gi")(spec)),
        ("an amount that was not there", |spec| set("requests.nvidia.com/gpu", "1")(spec)),
        ("a range that is not listed", |spec| spec.network.egress.push(exit("198.51.100.0/24"))),
        ("a wider range", |spec| spec.network.egress.push(exit("203.0.112.0/20"))),
        ("an Owner", |spec| spec.members.push(member("boss", Role::Owner))),
        ("an Owner less", |spec| spec.members.retain(|member| member.role != Role::Owner)),
        ("a registry beside", |spec| {
            spec.images.registries.push("evil.example".into());
            spec.members.push(member("ci", Role::Deployer));
        }),
        ("Pod Security", |spec| {
            spec.pod_security = govcloud_core::api::agency_tenant::PodSecurity::Baseline;
            set("requests.cpu", "41")(spec);
        }),
    ];
    for (what, change) in waits {
        assert_eq!(granted(change), None, "{what}");
    }
}

#[test]
fn a_policy_approves_while_the_cloud_has_room_and_no_person_has_spoken() {
    let grow = |spec: &mut AgencyTenantSpec| set("requests.cpu", "41")(spec);
    let promised = |cpu| move |seen: &mut Snapshot| seen.promised = [("requests.cpu".to_owned(), Amount::whole(cpu))].into();
    assert!(small(grow, promised(59)).is_some());
    assert!(small(grow, promised(60)).is_none(), "60 and 41 are more than 100");
    assert!(small(grow, |seen| decide(seen, Decision::Rejected, "no")).is_none());
    let stopped = |seen: &mut Snapshot| root(seen).status.approval = Some(approval(Decision::Suspended, 1, "virus"));
    let settings = policies();
    let mut seen = approved(&settings);
    edit(&mut seen, "wang", grow);
    stopped(&mut seen);
    run(&mut seen, &settings);
    assert_eq!(conditions(&seen).0["Approved"], "False Stopped", "a policy ends no stop");
    assert_eq!(root(&mut seen).status.contract_generation, Some(1));
}

#[test]
fn growth_by_policy_is_measured_from_what_a_person_approved() {
    let settings = policies();
    let mut seen = approved(&settings);
    let mut grown = |cpu: &str| {
        edit(&mut seen, "wang", set("requests.cpu", cpu));
        run(&mut seen, &settings);
        let granted = seen.tenant.as_ref().is_some_and(|root| root.status.contract_generation == Some(root.generation));
        if !granted && cpu == "47" {
            decide(&mut seen, Decision::Approved, "");
            run(&mut seen, &settings);
        }
        granted
    };
    assert!(grown("43") && grown("46"));
    assert!(!grown("47"), "7 more than the 40 that a person approved");
    assert!(grown("53"), "a person approved 47");
    let reviewed = root(&mut seen).status.reviewed_quota.clone().unwrap();
    assert_eq!(reviewed["requests.cpu"].0, "47");
    settle(&mut seen);
}
