//! Requests and contracts: what is said of the difference between the two.

use govcloud_core::{
    api::{
        AgencyTenantSpec, Quantity,
        approval::{Approval, Contract, Decision, TenantStage},
        tenant_status::QuotaFigures,
    },
    model::{amounts::Amounts, approval_policies::ApprovalPolicies, root::TenantRoot, tenant::Problem},
    plan::{
        contract::{Approvals, Circumstances, Request, approvals, below_held, differences},
        narrowing::narrows,
        spec_diff::between,
    },
};
use serde_json::{Value, json};

use super::{
    decisions::HEALTH,
    world::{approval, tenant},
};

fn spec(yaml: &str) -> AgencyTenantSpec {
    tenant(yaml).spec.unwrap()
}

/// Where a tenant stands whose request has nothing wrong with it.
fn stands(root: &TenantRoot) -> Approvals {
    let (policies, promised) = (ApprovalPolicies::default(), Amounts::new());
    approvals(root, Circumstances { backup: None, problems: &[], policies: &policies, promised: &promised })
}

/// A tenant that asks for what its contract says, and whose platform did not write it.
fn served() -> TenantRoot {
    let mut root = tenant(HEALTH);
    root.spec.as_mut().unwrap().preapproved = false;
    root.status.contract = root.spec.as_ref().ok().map(Contract::of);
    root.status.contract_generation = Some(1);
    root
}

#[test]
fn who_rejects_what_is_served_already_rejects_nothing() {
    let decided = |mut root: TenantRoot, decision| {
        root.status.approval = Some(approval(decision, root.generation, "no"));
        stands(&root).request
    };
    assert_eq!(decided(served(), Decision::Rejected), Request::Granted);
    let mut more = served();
    more.spec.as_mut().unwrap().display_name = "x".into();
    assert!(matches!(decided(more, Decision::Rejected), Request::Rejected(approval) if approval.by == "li"));
}

#[test]
fn a_request_that_waits_says_how_it_differs_from_what_is_served() {
    let mut root = served();
    root.spec.as_mut().unwrap().display_name = "x".into();
    let lines = ["displayName: 卫生健康委员会 becomes x"];
    assert_eq!((stands(&root).request, stands(&root).differences), (Request::Pending, lines.map(str::to_owned).into()));
    assert_eq!(differences(&root.status, root.generation, root.spec.as_ref().unwrap()), lines);
}

#[test]
fn what_is_asked_for_below_what_is_held_is_told_by_its_key() {
    let mut root = served();
    assert_eq!(below_held(&root), [""; 0]);
    root.status.quota = Some(QuotaFigures { allocated: spec(HEALTH).quota, ..QuotaFigures::default() });
    assert_eq!(below_held(&root), [""; 0]);
    root.spec = Ok(spec(&HEALTH.replace("pods: 400", "pods: 399")));
    assert_eq!(below_held(&root), ["spec.quota[pods]: 399 is below the 400 that the systems hold"]);
    root.spec = Ok(spec(HEALTH));
    root.status.approval = Some(Approval::granting(root.generation, [("pods".to_owned(), Quantity("399".into()))].into()));
    assert_eq!(below_held(&root), ["spec.quota[pods]: 399 is below the 400 that the systems hold"], "also where an approver grants less");
}

#[test]
fn each_kind_of_difference_has_its_words() {
    let subject = |kind: &str, name: &str, role: &str| json!({ "kind": kind, "name": name, "role": role });
    let way = |cidr: &str, protocol: Value, reason: &str| json!({ "cidr": cidr, "protocol": protocol, "ports": [53], "reason": reason });
    let table = [
        (json!({}), json!({}), vec![]),
        (json!({ "a": false, "b": [], "c": {}, "d": { "e": false } }), json!({}), vec![]),
        (json!({}), json!({ "a": true }), vec!["a: yes"]),
        (json!({ "a": true }), json!({}), vec!["a: yes is removed"]),
        (json!({ "a": true }), json!({ "a": false }), vec!["a: yes becomes no"]),
        (json!({}), json!({ "a": 7 }), vec!["a: 7"]),
        (json!({ "a": "x" }), json!({ "a": "y" }), vec!["a: x becomes y"]),
        (json!({ "a": { "b": "x" } }), json!({ "a": { "c": "x" } }), vec!["a.b: x is removed", "a.c: x"]),
        (json!({ "a": ["x"] }), json!({}), vec!["a: x is removed"]),
        (json!({ "a": ["x", "y"] }), json!({ "a": ["y", "z"] }), vec!["a: z is added", "a: x is removed"]),
        (json!({ "a": ["x", "y"] }), json!({ "a": ["y", "x"] }), vec!["a: the order changes"]),
        (json!({ "quota": { "pods": "1" } }), json!({ "quota": { "pods": "2" } }), vec!["quota[pods]: 1 becomes 2"]),
        (
            json!({ "members": [subject("User", "li", "Owner")] }),
            json!({ "members": [subject("User", "li", "Auditor"), subject("Group", "li", "Owner")] }),
            vec!["members: User li as Owner becomes User li as Auditor", "members: Group li as Owner is added"],
        ),
        (
            json!({}),
            json!({ "members": [{ "kind": "ServiceAccount", "namespace": "health", "name": "robot" }] }),
            vec!["members: ServiceAccount health/robot is added"],
        ),
        (
            json!({ "egress": [way("10.0.0.0/8", json!("UDP"), "a")] }),
            json!({ "egress": [way("10.0.0.0/8", json!("TCP"), "b")] }),
            vec!["egress: 10.0.0.0/8 TCP ports 53 (b) is added", "egress: 10.0.0.0/8 UDP ports 53 (a) is removed"],
        ),
        (
            json!({ "egress": [way("10.0.0.0/8", Value::Null, "a")] }),
            json!({ "egress": [way("10.0.0.0/8", json!("TCP"), "b")] }),
            vec!["egress: 10.0.0.0/8 TCP ports 53 (a) becomes 10.0.0.0/8 TCP ports 53 (b)"],
        ),
        (json!({}), json!({ "a": [{ "kind": "x" }] }), vec![r#"a: {"kind":"x"} is added"#]),
        (json!({}), json!({ "a": [{ "name": "x" }] }), vec![r#"a: {"name":"x"} is added"#]),
    ];
    for (from, to, lines) in table {
        assert_eq!(between(&from, &to), lines, "{from} {to}");
    }
}

#[test]
fn less_is_granted_at_once_down_to_what_is_held() {
    let mut root = served();
    root.spec = Ok(AgencyTenantSpec { preapproved: false, ..spec(&HEALTH.replace("pods: 400", "pods: 300")) });
    let request = |root: &TenantRoot| stands(root).request;
    assert_eq!(request(&root), Request::Granted);
    for (pods, granted) in [("300", true), ("301", false)] {
        let allocated = [("pods".to_owned(), Quantity(pods.into()))].into();
        root.status.quota = Some(QuotaFigures { allocated, ..QuotaFigures::default() });
        assert_eq!(request(&root) == Request::Granted, granted, "{pods}");
    }
}

#[test]
fn what_the_platform_said_of_a_tenant_is_taken_away_without_approval_and_never_given() {
    let plain = spec(HEALTH);
    let fields: [fn(&mut AgencyTenantSpec) -> &mut bool; 3] =
        [|spec| &mut spec.preapproved, |spec| &mut spec.adopt_namespace, |spec| &mut spec.suspended];
    for field in fields {
        let [mut yes, mut no] = [plain.clone(), plain.clone()];
        (*field(&mut yes), *field(&mut no)) = (true, false);
        let is_suspension = yes.suspended;
        assert_eq!(narrows(&yes, &no, &Amounts::new()), !is_suspension);
        assert_eq!(narrows(&no, &yes, &Amounts::new()), is_suspension);
    }
}

#[test]
fn a_tenant_that_is_deleted_is_terminating_whatever_was_decided() {
    let mut root = served();
    assert_eq!(stands(&root).stage, TenantStage::Active);
    root.deleting = true;
    assert_eq!(stands(&root).stage, TenantStage::Terminating);
    root.status.contract = None;
    assert_eq!(stands(&root).stage, TenantStage::Terminating);
}

#[test]
fn decisions_are_called_as_the_status_writes_them() {
    for decision in [Decision::Approved, Decision::Rejected, Decision::Suspended] {
        assert_eq!(json!(decision), decision.as_str());
    }
}

#[test]
fn a_tenant_that_is_being_deleted_takes_no_request_on() {
    let mut root = served();
    root.spec = tenant(&HEALTH.replace("'40'", "'50'")).spec;
    let before = root.status.contract.clone();
    assert_ne!(stands(&root).contract.map(|(_, contract)| contract), before, "it is preapproved");
    root.deleting = true;
    assert_eq!(stands(&root).contract.map(|(_, contract)| contract), before);
}

#[test]
fn a_contract_that_can_be_served_no_more_asks_for_no_approval() {
    let problem = Problem { field: "spec.network.egress[10.0.0.0/8].cidr".into(), complaint: "is in the cluster now".into() };
    let told = approvals(
        &served(),
        Circumstances { problems: &[problem], policies: &ApprovalPolicies::default(), promised: &Amounts::new(), backup: None },
    );
    assert_eq!((told.request, told.stage), (Request::Granted, TenantStage::Active));
}
