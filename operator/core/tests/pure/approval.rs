//! Request, approval, contract: what is served, when, and what is said of the rest.

use govcloud_core::{
    api::{
        AgencyTenantSpec, Quantity, Stage,
        agency_tenant::{BetweenSystems, KubernetesApi, PodSecurity, Protocol, Role},
        approval::{Contract, Decision, TenantStage},
    },
    model::{
        exports::{Exports, MAX_OPEN_REQUESTS, MAX_SHOWN_REQUESTS},
        root::TenantRoot,
        snapshot::{ContractBackup, Snapshot},
    },
    plan::{
        Plan,
        conflicts::{claim_conflicts, over_request_limit},
        contract::Request,
        intent::intent,
        narrowing::narrows,
        spec_diff::difference,
    },
};

use super::{
    decisions::{APPOINTMENTS, HEALTH, conditions},
    world::{approval, decide, object, settings, settle, snapshot, system, tenant, with_home},
};

/// A request that the platform did not write.
fn request(yaml: &str) -> TenantRoot {
    let mut root = tenant(yaml);
    root.spec.as_mut().unwrap().preapproved = false;
    root
}

fn decided(seen: &mut Snapshot, decision: Decision, generation: i64) {
    seen.tenant.as_mut().unwrap().status.approval = Some(approval(decision, generation, "because"));
}

/// The tenant as it is after an edit.
fn edited(seen: &mut Snapshot, from: &str, to: &str) {
    let root = seen.tenant.as_mut().unwrap();
    root.spec = request(&HEALTH.replace(from, to)).spec;
    root.generation += 1;
}

fn stage(seen: &Snapshot) -> TenantStage {
    intent(seen, &settings()).approvals.unwrap().stage
}

/// A served tenant with one system, by an approval of generation 1.
fn served() -> Snapshot {
    let mut seen = snapshot(request(HEALTH), Vec::new());
    decided(&mut seen, Decision::Approved, 1);
    settle(&mut seen);
    seen.systems = vec![system(APPOINTMENTS)];
    settle(&mut seen);
    seen
}

#[test]
fn a_request_lets_its_owners_at_itself_and_serves_nothing() {
    let mut seen = snapshot(request(HEALTH), Vec::new());
    let plan = settle(&mut seen);
    assert!(plan.namespaces.is_empty());
    let binding = object(&plan, "", "ClusterRoleBinding", "govcloud:tenant:health").unwrap();
    let names: Vec<_> = binding["subjects"].as_array().unwrap().iter().map(|subject| subject["name"].clone()).collect();
    assert_eq!(names, ["health-owners"]);
    let role = object(&plan, "", "ClusterRole", "govcloud:tenant:health").unwrap();
    assert!(role["rules"].as_array().unwrap().iter().all(|rule| rule["resourceNames"] == serde_json::json!(["health"])), "{role}");
    assert_eq!(stage(&seen), TenantStage::Requested);
    let (told, _) = conditions(&seen);
    assert_eq!((&told["Approved"], &told["Ready"]), (&"False Requested".into(), &"False Requested".into()));
}

#[test]
fn what_is_approved_is_the_generation_that_was_seen() {
    let mut seen = snapshot(request(HEALTH), Vec::new());
    edited(&mut seen, "'40'", "'400'");
    decided(&mut seen, Decision::Approved, 1);
    assert!(settle(&mut seen).namespaces.is_empty(), "generation 2 was not seen by who approved 1");
    decided(&mut seen, Decision::Approved, 2);
    assert_eq!(settle(&mut seen).namespaces.len(), 1);
    assert_eq!(seen.tenant.as_ref().unwrap().status.contract_generation, Some(2));
    assert_eq!((stage(&seen), &conditions(&seen).0["Approved"]), (TenantStage::Active, &"True Approved".into()));
}

#[test]
fn an_edit_waits_and_the_contract_is_served_until_then() {
    let mut seen = served();
    let before = seen.observed.clone();
    edited(&mut seen, "requests.cpu: '40'", "requests.cpu: '60'");
    settle(&mut seen);
    assert_eq!(seen.observed, before);
    let (told, system) = conditions(&seen);
    assert_eq!(
        (&told["Approved"], &told["Ready"], &system["Ready"]),
        (&"False ChangePending".into(), &"False ChangePending".into(), &"True Ready".into())
    );

    decided(&mut seen, Decision::Rejected, 2);
    settle(&mut seen);
    assert_eq!(seen.observed, before);
    let (told, _) = conditions(&seen);
    assert_eq!((&told["Approved"], &told["Stalled"]), (&"False Rejected".into(), &"True Rejected".into()), "waiting does not bring it");
}

#[test]
fn a_rejected_request_says_that_waiting_is_useless_until_it_is_edited() {
    let mut seen = snapshot(request(HEALTH), Vec::new());
    decided(&mut seen, Decision::Rejected, 1);
    settle(&mut seen);
    let (told, _) = conditions(&seen);
    assert_eq!((stage(&seen), &told["Stalled"]), (TenantStage::Rejected, &"True Rejected".into()));
    edited(&mut seen, "'40'", "'20'");
    assert_eq!((stage(&seen), &conditions(&seen).0["Stalled"]), (TenantStage::Requested, &"False NotStalled".into()));
}

#[test]
fn an_emergency_stop_holds_until_an_approval() {
    let mut seen = served();
    decided(&mut seen, Decision::Suspended, 1);
    let closed = |seen: &mut Snapshot| {
        let plan = settle(seen);
        let quota = object(&plan, "health--appointments", "ResourceQuota", "govcloud-quota").unwrap();
        let policy = object(&plan, "health--appointments", "NetworkPolicy", "govcloud-isolation").unwrap();
        quota["spec"]["hard"]["pods"] == "0" && policy["spec"]["egress"] == serde_json::json!([])
    };
    assert!(closed(&mut seen));
    let root = seen.tenant.as_mut().unwrap();
    root.status.stage = Some(TenantStage::Suspended);
    assert_eq!((&conditions(&seen).0["Approved"], stage(&seen)), (&"False Stopped".into(), TenantStage::Suspended));
    edited(&mut seen, "'40'", "'60'");
    decided(&mut seen, Decision::Rejected, 2);
    assert!(closed(&mut seen), "to reject something else does not end the stop");
    seen.tenant.as_mut().unwrap().status.stage = Some(TenantStage::Suspended);
    edited(&mut seen, "'60'", "'50'");
    decided(&mut seen, Decision::Approved, 3);
    assert!(!closed(&mut seen));
}

#[test]
fn an_owner_suspends_without_approval_and_only_an_approval_lifts_it() {
    let mut seen = served();
    edited(&mut seen, "  network:", "  suspended: true\n  network:");
    settle(&mut seen);
    assert_eq!(stage(&seen), TenantStage::Suspended);
    let intent = intent(&seen, &settings());
    assert_eq!(intent.systems[0].1.as_ref().unwrap().stage, Stage::Suspended);
    edited(&mut seen, "x", "x");
    settle(&mut seen);
    assert_eq!(stage(&seen), TenantStage::Suspended, "asked for, and not approved");
    decided(&mut seen, Decision::Approved, 3);
    settle(&mut seen);
    assert_eq!(stage(&seen), TenantStage::Active);
}

#[test]
fn what_the_platform_suspends_it_resumes_and_nobody_has_stopped_it() {
    let mut seen = with_home(HEALTH, vec![system(APPOINTMENTS)]);
    for (suspended, expected) in [(true, TenantStage::Suspended), (false, TenantStage::Active), (true, TenantStage::Suspended)] {
        let root = seen.tenant.as_mut().unwrap();
        root.spec.as_mut().unwrap().suspended = suspended;
        root.generation += 1;
        settle(&mut seen);
        let found = stage(&seen);
        seen.tenant.as_mut().unwrap().status.stage = Some(found);
        assert_eq!(found, expected);
        assert_eq!(conditions(&seen).0["Approved"], "True Preapproved");
    }
}

#[test]
fn what_is_approved_and_cannot_be_served_is_not_said_to_wait_for_approval() {
    let mut seen = snapshot(claimant("health", "2", "a.cn", "wish"), Vec::new());
    seen.exports = vec![Exports::of(&claimant("other", "1", "a.cn", "contract")).into()];
    decided(&mut seen, Decision::Approved, 1);
    assert!(settle(&mut seen).namespaces.is_empty());
    assert_eq!((&conditions(&seen).0["Accepted"], &conditions(&seen).0["Approved"]), (&"False Invalid".into(), &"False Invalid".into()));
}

type Change = fn(&mut AgencyTenantSpec);

#[test]
fn only_what_narrows_needs_no_approval() {
    let from =
        request(&HEALTH.replace("  network:", "  images: {registries: [a.example/x, b.example]}\n  network:\n    betweenSystems: Allow"));
    let from = from.spec.unwrap();
    let held = [("requests.cpu".to_owned(), govcloud_core::model::amounts::Amount::whole(8))].into();
    let table: [(&str, bool, Change); 19] = [
        ("a deployer leaves", true, |spec| spec.members.retain(|member| member.role != Role::Deployer)),
        ("an owner leaves", false, |spec| spec.members.retain(|member| member.role != Role::Owner)),
        ("a deployer becomes owner", false, |spec| spec.members[0].role = Role::Owner),
        ("less", true, |spec| drop(spec.quota.insert("requests.cpu".into(), Quantity("9".into())))),
        ("less than what is held", false, |spec| drop(spec.quota.insert("requests.cpu".into(), Quantity("7".into())))),
        ("more", false, |spec| drop(spec.quota.insert("requests.cpu".into(), Quantity("41".into())))),
        ("one egress less", true, |spec| drop(spec.network.egress.remove(0))),
        ("an egress with the protocol that it has anyway", true, |spec| spec.network.egress[0].protocol = Some(Protocol::Tcp)),
        ("an egress by another protocol", false, |spec| spec.network.egress[0].protocol = Some(Protocol::Udp)),
        ("the API server opened", false, |spec| spec.network.kubernetes_api = KubernetesApi::Allow),
        ("a wider egress", false, |spec| spec.network.egress[0].ports = vec![443, 80]),
        ("one registry less", true, |spec| drop(spec.images.registries.remove(0))),
        ("another registry", false, |spec| spec.images.registries[0] = "c.example".into()),
        ("apart", true, |spec| spec.network.between_systems = BetweenSystems::Deny),
        ("suspended", true, |spec| spec.suspended = true),
        ("another name", false, |spec| spec.display_name = "x".into()),
        ("another domain", false, |spec| spec.domains.push("x.example".into())),
        ("less strict", false, |spec| spec.pod_security = PodSecurity::Baseline),
        ("narrower and wider at once", false, |spec| (spec.suspended, spec.display_name) = (true, "x".into())),
    ];
    for (what, may, change) in table {
        let mut to = from.clone();
        change(&mut to);
        assert_ne!(to, from, "{what}");
        assert_eq!(narrows(&from, &to, &held), may, "{what}");
    }
}

#[test]
fn a_contract_that_was_lost_is_found_in_its_copy() {
    let mut seen = served();
    decided(&mut seen, Decision::Suspended, 1);
    let plan = settle(&mut seen);
    let home = object(&plan, "health", "Namespace", "health").unwrap();
    let kept: ContractBackup = serde_json::from_str(home["metadata"]["annotations"]["govcloud.io/contract"].as_str().unwrap()).unwrap();
    assert!(kept.stopped && kept.generation == 1);
    let before = seen.observed.clone();
    seen.tenant.as_mut().unwrap().status = Default::default();
    edited(&mut seen, "'40'", "'400'");
    seen.kept = Some(kept);
    settle(&mut seen);
    assert_eq!(seen.observed, before, "what was approved is served, stopped as it was; what is asked for is not");
    let status = &seen.tenant.as_ref().unwrap().status;
    assert_eq!((status.contract_generation, status.contract.is_some()), (Some(1), true));
}

#[test]
fn a_difference_is_told_in_words() {
    let from = request(HEALTH).spec.unwrap();
    let to = request(
        &HEALTH
            .replace("'40'", "'60'")
            .replace("role: Deployer", "role: Auditor")
            .replace("ports: [443]", "ports: [443, 80]")
            .replace("  network:", "  domains: [health.example]\n  network:"),
    );
    let lines = difference(Some(&from), &to.spec.unwrap());
    assert_eq!(
        lines,
        [
            "domains: health.example is added",
            "members: User ci-health as Deployer becomes User ci-health as Auditor",
            "network.egress: 203.0.113.0/24 TCP ports 443 (省级平台) becomes 203.0.113.0/24 TCP ports 443, 80 (省级平台)",
            "quota[requests.cpu]: 40 becomes 60",
        ]
    );
    assert!(difference(None, &from).contains(&"members: Group health-owners as Owner is added".to_owned()));
    let [one, other] = ["a.example, b.example", "b.example, a.example"]
        .map(|domains| request(&HEALTH.replace("  network:", &format!("  domains: [{domains}]\n  network:"))).spec.unwrap());
    assert_eq!(difference(Some(&one), &other), ["domains: the order changes"]);
}

/// A tenant that claims a domain, by contract, approval or wish.
pub fn claimant(name: &str, created: &str, domain: &str, right: &str) -> TenantRoot {
    let yaml =
        HEALTH.replace("name: health}", &format!("name: {name}}}")).replace("  network:", &format!("  domains: [{domain}]\n  network:"));
    let mut root = request(&yaml);
    root.created = created.into();
    match right {
        "contract" => root.status.contract = Some(Contract::of(root.spec.as_ref().unwrap())),
        "approved" => {
            let approval = super::world::approval(Decision::Approved, 1, "");
            root.status.approval = Some(approval);
        }
        _ => {}
    }
    root
}

#[test]
fn of_two_that_claim_the_same_domain_the_later_is_told() {
    let table = [
        // mine, the other's: age, domain, right; whether the other goes before
        (("2", "a.example.cn", "wish"), ("1", "a.example.cn", "contract"), true),
        (("2", "a.example.cn", "wish"), ("1", "example.cn", "contract"), true),
        (("2", "example.cn", "wish"), ("1", "a.example.cn", "contract"), true),
        (("1", "example.cn", "wish"), ("2", "a.example.cn", "contract"), true),
        (("2", "a.example.cn", "wish"), ("1", "b.example.cn", "contract"), false),
        (("2", "aexample.cn", "wish"), ("1", "example.cn", "contract"), false),
        (("2", "a.example.cn", "wish"), ("1", "a.example.cn", "wish"), false),
        (("2", "a.example.cn", "approved"), ("1", "a.example.cn", "wish"), false),
        (("2", "a.example.cn", "approved"), ("1", "a.example.cn", "approved"), true),
        (("1", "a.example.cn", "approved"), ("2", "a.example.cn", "approved"), false),
        (("1", "a.example.cn", "contract"), ("2", "a.example.cn", "contract"), false),
        (("2", "a.example.cn", "contract"), ("1", "a.example.cn", "approved"), false),
    ];
    for (mine, other, expected) in table {
        let root = |name, (created, domain, right): (&str, &str, &str)| claimant(name, created, domain, right);
        let (mine_root, other_root) = (root("mine", mine), root("other", other));
        let mut seen = snapshot(mine_root.clone(), Vec::new());
        seen.exports = vec![Exports::of(&other_root).into()];
        assert_eq!(claim_conflicts(&seen, &mine_root).len(), usize::from(expected), "{mine:?} against {other:?}");
    }
}

/// Names of the objects in cluster scope that let somebody at the tenant, and how many each lets in.
fn doors(plan: &Plan) -> Vec<(String, usize)> {
    let bindings = plan.tenant_access.iter().flat_map(|access| &access.desired).filter(|desired| desired.kind.kind == "ClusterRoleBinding");
    bindings.map(|desired| (desired.name.clone(), desired.object["subjects"].as_array().map_or(0, Vec::len))).collect()
}

#[test]
fn all_members_are_let_at_a_tenant_that_is_approved_and_only_owners_at_a_request() {
    let access = |name: &str, people| (name.to_owned(), people);
    let mut seen = snapshot(request(HEALTH), Vec::new());
    assert_eq!(doors(&settle(&mut seen)), [access("govcloud:tenant:health", 1)]);
    let mut seen = snapshot(tenant(HEALTH), Vec::new());
    assert_eq!(doors(&settle(&mut seen)), [access("govcloud:tenant:health", 1), access("govcloud:tenant:health:view", 1)]);
    seen.tenant.as_mut().unwrap().spec.as_mut().unwrap().members.retain(|member| member.role == Role::Owner);
    seen.tenant.as_mut().unwrap().generation += 1;
    assert_eq!(doors(&settle(&mut seen)), [access("govcloud:tenant:health", 1)], "no second pair where nobody only reads");
    assert!(seen.observed.keys().all(|key| key.tenant().as_str() == "health" && !key.name.ends_with(":view")));
}

#[test]
fn the_same_asker_has_a_bounded_number_of_open_requests() {
    let asked = |name: String| {
        let mut root = TenantRoot { name, ..request(HEALTH) };
        root.spec.as_mut().unwrap().members.reverse(); // an Owner stands first
        root
    };
    let mut seen = snapshot(asked("health".into()), Vec::new());
    let other = |n| Exports::of(&asked(format!("a{n}"))).into();
    let itself = Exports::of(&asked("health".into())).into();
    seen.exports = (0..MAX_OPEN_REQUESTS - 1).map(other).chain([itself]).collect();
    assert!(settle(&mut seen).tenant_access.is_some_and(|access| !access.desired.is_empty()));
    seen.exports = (0..MAX_OPEN_REQUESTS).map(other).collect();
    let (plan, _) = decide(&seen);
    let role = object(&plan, "", "ClusterRole", "govcloud:tenant:health").unwrap();
    assert_eq!(role["rules"][0]["verbs"], serde_json::json!(["get", "list", "watch", "delete"]), "who asks sees why, and takes it back");
    assert_eq!(conditions(&seen).0["Accepted"], "False Invalid");
    assert_eq!(over_request_limit(&seen), Some(vec!["a0", "a1", "a2", "a3", "a4"]));
    seen.exports = (0..MAX_SHOWN_REQUESTS).map(other).collect();
    assert!(decide(&seen).0.tenant_access.is_some_and(|access| access.desired.is_empty()), "the flood ends somewhere");
    seen.tenant.as_mut().unwrap().spec.as_mut().unwrap().members[0].name = "others".into();
    assert_eq!(over_request_limit(&seen), None, "another one stands first");
}

#[test]
fn a_contract_that_was_stored_with_empty_namespaces_is_the_same_without() {
    let mut seen = served();
    let mut stored = serde_json::to_value(&seen.tenant.as_ref().unwrap().status.contract).unwrap();
    for member in stored["members"].as_array_mut().unwrap() {
        member["namespace"] = serde_json::json!("");
    }
    let before = seen.observed.clone();
    seen.tenant.as_mut().unwrap().status.contract = serde_json::from_value(stored).unwrap();
    settle(&mut seen);
    assert_eq!(seen.observed, before);
    seen.tenant.as_mut().unwrap().generation += 1;
    assert_eq!(intent(&seen, &settings()).approvals.unwrap().request, Request::Granted, "no approval is asked for");
}
