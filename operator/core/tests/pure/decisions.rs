//! Decisions on whole tenants: YAML in, decisions out.

use govcloud_core::{
    api::{AgencyTenantStatus, Stage, approval::Contract},
    children::TABLE,
    model::{names::SystemName, outcome::Outcome, snapshot::Snapshot},
    plan::{
        Goal,
        diff::{Change, NamespaceChanges, not_written},
        finalizers::{Finalizers, release},
        intent::intent,
    },
    status::{StatusInput, system as system_status, tenant as tenant_status},
};
use serde_json::{Value, json};

use super::world::{carry_out, decide, inventory, object, settings, settle, snapshot, system, tenant, unreadable, with_home};

pub const HEALTH: &str = "
apiVersion: govcloud.io/v1alpha1
kind: AgencyTenant
metadata: {name: health}
spec:
  displayName: 卫生健康委员会
  responsibleUnit: 信息中心
  members:
  - {kind: User, name: ci-health, role: Deployer}
  - {kind: Group, name: health-owners, role: Owner}
  quota: {requests.cpu: '40', requests.memory: 160Gi, limits.cpu: '80', limits.memory: 320Gi, requests.storage: 2Ti, pods: 400}
  network:
    egress: [{cidr: 203.0.113.0/24, ports: [443], reason: 省级平台}, {cidr: 10.0.0.0/8, ports: [5432], reason: 专网}]
";

pub const APPOINTMENTS: &str = "
apiVersion: govcloud.io/v1alpha1
kind: HostedSystem
metadata: {name: appointments, namespace: health}
spec:
  displayName: 预约挂号
  sector: Health
  stage: Running
  protectionLevel: 3
  resources: {guaranteed: {requests.cpu: 8, requests.memory: 32Gi, pods: 60}}
";

pub const WORKLOAD: &str = "health--appointments";

fn world() -> Snapshot {
    with_home(HEALTH, vec![system(APPOINTMENTS)])
}

/// The tenant and its system, all written.
pub fn served() -> Snapshot {
    let mut seen = world();
    settle(&mut seen);
    seen
}

fn kinds(space: &NamespaceChanges, wanted: fn(&Change) -> bool) -> usize {
    space.changes.iter().filter(|change| wanted(change)).count()
}

/// Conditions of the tenant and of its first system, by type: status and reason.
pub fn conditions(snapshot: &Snapshot) -> (Value, Value) {
    told(snapshot, |condition| format!("{} {}", text(&condition["status"]), text(&condition["reason"])))
}

/// Messages of the same.
pub fn messages(snapshot: &Snapshot) -> (Value, Value) {
    told(snapshot, |condition| text(&condition["message"]).to_owned())
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn told(snapshot: &Snapshot, say: fn(&Value) -> String) -> (Value, Value) {
    let (plan, _) = decide(snapshot);
    let (intent, outcome) = (intent(snapshot, &settings()), Outcome::default());
    let input = StatusInput { snapshot, intent: &intent, inventory: &inventory(snapshot), plan: &plan, outcome: &outcome };
    let systems: Vec<_> = snapshot.systems.iter().map(|root| system_status::status(&input, root)).collect();
    let tenant = snapshot.tenant.as_ref().map(|root| tenant_status::status(&input, root, &systems));
    let brief = |status: Value| {
        let conditions = status["conditions"].as_array().cloned().unwrap_or_default();
        Value::Object(conditions.iter().map(|condition| (text(&condition["type"]).to_owned(), json!(say(condition)))).collect())
    };
    (brief(json!(tenant)), brief(json!(systems.first())))
}

#[test]
fn a_system_becomes_a_guarded_namespace() {
    let (plan, changes) = decide(&world());
    assert_eq!(plan.namespaces.len(), 2);
    let workload = &changes[1];
    assert_eq!(workload.changes.len(), kinds(workload, |change| matches!(change, Change::Create(_))));
    let mut manifests: Vec<&Value> = plan.namespaces.iter().flat_map(|space| &space.desired).map(|desired| &desired.object).collect();
    manifests.sort_by_key(|manifest| {
        (manifest["metadata"]["namespace"].to_string(), manifest["kind"].to_string(), manifest["metadata"]["name"].to_string())
    });
    insta::assert_snapshot!(serde_yaml::to_string(&manifests).unwrap());
}

#[test]
fn images_need_a_digest_in_service_and_also_where_the_agency_is_suspended() {
    for (stage, suspended, digests) in [
        ("Testing", "false", "Optional"),
        ("Running", "false", "Required"),
        ("Suspended", "false", "Optional"),
        ("Testing", "true", "Optional"),
        ("Running", "true", "Required"),
    ] {
        let agency = HEALTH.replace("  quota:", &format!("  suspended: {suspended}\n  quota:"));
        let mut seen = with_home(&agency, vec![system(&APPOINTMENTS.replace("Running", stage))]);
        let plan = settle(&mut seen);
        let namespace = object(&plan, "health--appointments", "Namespace", "health--appointments").unwrap();
        assert_eq!(namespace["metadata"]["annotations"]["govcloud.io/image-digests"], digests, "{stage} {suspended}");
    }
}

#[test]
fn going_there_and_back_leaves_nothing_behind() {
    let mut seen = served();
    let before = seen.observed.clone();
    let change = |seen: &mut Snapshot, yaml: &str| seen.tenant = Some(tenant(yaml).into());
    change(&mut seen, &HEALTH.replace("role: Owner", "role: Auditor").replace("203.0.113.0", "198.51.100.0"));
    settle(&mut seen);
    assert_ne!(before, seen.observed);
    change(&mut seen, HEALTH);
    settle(&mut seen);
    assert_eq!(before, seen.observed);
}

#[test]
fn egress_over_a_cluster_range_leaves_that_out_and_inside_of_it_is_refused() {
    let (plan, _) = decide(&world());
    let policy = object(&plan, "health--appointments", "NetworkPolicy", "govcloud-isolation").unwrap();
    let wide = &policy["spec"]["egress"][3]["to"][0]["ipBlock"];
    assert_eq!(*wide, json!({"cidr": "10.0.0.0/8", "except": ["10.96.0.0/12", "10.244.0.0/16"]}));
    let seen = snapshot(tenant(&HEALTH.replace("10.0.0.0/8", "10.96.7.0/24")), Vec::new());
    let intent = intent(&seen, &settings());
    assert!(intent.approvals.unwrap().contract.is_none(), "what cannot be served becomes no contract");
    let problems = intent.request.unwrap();
    assert_eq!(problems[0].field, "spec.network.egress[10.96.7.0/24].cidr");
    assert!(problems[0].complaint.contains("10.96.0.0/12"), "{}", problems[0]);
}

#[test]
fn an_invalid_request_leaves_the_contract_in_service() {
    let mut seen = served();
    let before = seen.observed.clone();
    let root = seen.tenant.as_mut().unwrap();
    (root.spec, root.generation) = (Err(unreadable("spec.quota", "expected a map")), 2);
    settle(&mut seen);
    assert_eq!(seen.observed, before);
    let (tenant, system) = conditions(&seen);
    assert_eq!((&tenant["Accepted"], &tenant["Stalled"]), (&json!("False Invalid"), &json!("True Invalid")));
    assert_eq!(system["Ready"], "True Ready");
}

#[test]
fn an_invalid_contract_keeps_everything_as_it_is() {
    let mut seen = served();
    let found = Contract::Unreadable(Box::new(json!({"quota": 1})), "expected a map".into());
    let root = seen.tenant.as_mut().unwrap();
    root.status.contract = Some(found);
    root.spec = Err(unreadable("spec.quota", "expected a map"));
    let (plan, changes) = decide(&seen);
    assert!(plan.namespaces.is_empty() && changes.is_empty());
    let (tenant, system) = conditions(&seen);
    assert_eq!(
        (&tenant["Accepted"], &tenant["Ready"], &tenant["Stalled"]),
        (&json!("False Invalid"), &json!("False Invalid"), &json!("True Invalid"))
    );
    assert_eq!((&system["Accepted"], &system["Ready"]), (&json!("True Accepted"), &json!("Unknown TenantInvalid")));
}

#[test]
fn an_invalid_system_does_not_stop_its_siblings() {
    let mut seen = world();
    let mut broken = system(&APPOINTMENTS.replace("name: appointments", "name: broken"));
    broken.spec = Err(unreadable("spec.sector", "unknown variant"));
    seen.systems.insert(0, broken);
    let (plan, _) = decide(&seen);
    let planned: Vec<String> = plan.namespaces.iter().map(|space| space.namespace.to_string()).collect();
    assert_eq!(planned, ["health", "health--appointments"]);
    assert_eq!(conditions(&seen).1["Accepted"], "False Invalid");
}

#[test]
fn a_retired_system_ends_its_pods_only_when_no_new_ones_are_admitted() {
    let mut seen = served();
    let namespace = seen.name.workload(&govcloud_core::model::names::SystemName::new("appointments"));
    super::world::set_pods(&mut seen, &namespace, 3);
    seen.systems = vec![system(&APPOINTMENTS.replace("Running", "Retired"))];
    let evicts = |changes: &[NamespaceChanges]| changes.iter().any(|space| kinds(space, |change| matches!(change, Change::DeletePods)) > 0);
    let (_, first) = decide(&seen);
    assert!(!evicts(&first), "the quota still admits pods");
    carry_out(&mut seen, &first);
    let (_, second) = decide(&seen);
    assert!(evicts(&second));
    assert_eq!(conditions(&seen).1["Ready"], "False Draining");
    carry_out(&mut seen, &second);
    assert_eq!(conditions(&seen).1["Ready"], "True Retired");
}

#[test]
fn deletion_keeps_or_removes_as_the_system_says_if_that_is_confirmed_and_lets_go_only_then() {
    for (policy, confirmed, namespace_left) in [("Retain", true, true), ("Delete", true, false), ("Delete", false, true)] {
        let mut seen = served();
        seen.systems[0] = system(&format!("{APPOINTMENTS}  deletionPolicy: {policy}\n"));
        (seen.systems[0].deleting, seen.systems[0].confirmed) = (true, confirmed);
        let may_go = |seen: &Snapshot| {
            let (plan, changes) = decide(seen);
            release(seen, &intent(seen, &settings()), &plan, &not_written(&changes, &Outcome::default()))
        };
        assert_eq!(may_go(&seen), Finalizers::default(), "{policy}: not while there is something to do");
        settle(&mut seen);
        assert_eq!(may_go(&seen).systems, ["appointments"], "{policy}");
        let left = seen.observed.keys().any(|key| key.namespace.as_str() == "health--appointments");
        assert_eq!(left, namespace_left, "{policy}");
    }
}

#[test]
fn a_tenant_takes_volumes_along_only_where_that_is_confirmed() {
    for (confirmed, of_system, namespace_left) in [(true, false, false), (false, false, true), (false, true, false)] {
        let mut seen = served();
        seen.systems[0] = system(&format!("{APPOINTMENTS}  deletionPolicy: Delete\n"));
        (seen.systems[0].deleting, seen.systems[0].confirmed) = (of_system, of_system);
        let root = seen.tenant.as_mut().unwrap();
        (root.deleting, root.confirmed) = (true, confirmed);
        settle(&mut seen);
        let left = seen.observed.keys().any(|key| key.namespace.as_str() == "health--appointments");
        assert_eq!(left, namespace_left, "{confirmed} {of_system}");
    }
}

#[test]
fn a_terminating_definition_destroys_nothing() {
    let mut seen = served();
    seen.systems[0].deleting = true;
    seen.crds.ending = true;
    let (plan, changes) = decide(&seen);
    assert!(changes.is_empty());
    let go = release(&seen, &intent(&seen, &settings()), &plan, &Outcome::default());
    assert_eq!(go.systems, ["appointments"], "only the finalizer goes");
}

#[test]
fn a_namespace_without_its_system_is_closed_and_counts() {
    let mut seen = served();
    seen.systems.clear();
    let plan = settle(&mut seen);
    let quota = object(&plan, "health--appointments", "ResourceQuota", "govcloud-quota").unwrap();
    assert_eq!((&quota["spec"]["hard"]["pods"], &quota["spec"]["hard"]["requests.cpu"]), (&json!("0"), &json!("0")));
    let label = object(&plan, "health--appointments", "Namespace", "health--appointments").unwrap();
    assert_eq!(label["metadata"]["annotations"]["govcloud.io/display-name"], "预约挂号", "its name is not forgotten");
}

#[test]
fn another_tenants_namespace_is_a_conflict_and_nothing_is_written_in_it() {
    let mut seen = served();
    seen.tenant.as_mut().unwrap().uid = "another-uid".into();
    let (_, changes) = decide(&seen);
    let all_conflicts = |space: &NamespaceChanges| (space.changes.is_empty() && space.failure.is_some()) || space.namespace.is_cluster();
    assert!(changes.len() == 2 && changes.iter().all(all_conflicts), "{changes:?}");
}

#[test]
fn an_operator_that_cannot_see_changes_nothing_and_says_so() {
    let mut seen = served();
    seen.observed.clear();
    seen.blind = vec!["networkpolicies.networking.k8s.io is forbidden: cannot list resource".into()];
    let (_, changes) = decide(&seen);
    assert!(changes.is_empty());
    assert_eq!(conditions(&seen).0["Provisioned"], "False Forbidden");
}

#[test]
fn systems_reach_each_other_only_where_the_agency_says_so() {
    let peers = |yaml: &str| {
        let (plan, _) = decide(&with_home(yaml, vec![system(APPOINTMENTS)]));
        let policy = object(&plan, "health--appointments", "NetworkPolicy", "govcloud-isolation").unwrap();
        (policy["spec"]["ingress"][0]["from"].clone(), policy["spec"]["egress"][0]["to"].clone())
    };
    let itself = json!({"podSelector": {}});
    assert_eq!(peers(HEALTH), (json!([itself]), json!([itself])));
    let own = json!({"namespaceSelector": {"matchLabels": {"govcloud.io/tenant-uid": "uid-of--health"}}});
    let allowed = HEALTH.replace("network:", "network:\n    betweenSystems: Allow");
    assert_eq!(peers(&allowed), (json!([itself, own]), json!([itself, own])));
}

#[test]
fn a_quota_is_in_force_at_once_and_closed_where_use_is_not_known() {
    let quota = TABLE.iter().find(|kind| kind.kind == "ResourceQuota").unwrap();
    let created = json!({"spec": {"hard": {"pods": "60", "requests.cpu": "8"}}});
    let initial_status = quota.initial_status.unwrap();
    let hard = json!({"pods": "60", "requests.cpu": "8"});
    assert_eq!(initial_status(&created, true), json!({"hard": hard, "used": {"pods": "0", "requests.cpu": "0"}}));
    assert_eq!(initial_status(&created, false), json!({"hard": hard, "used": {}}), "admission refuses while a key is not counted");
}

#[test]
fn figures_of_use_alone_may_wait() {
    let status = |used: &str, total: &str| -> AgencyTenantStatus {
        let summary =
            json!({"systems": "1/1", "cpu": format!("{used}/{total}"), "cpuUsedPercent": used.parse::<i64>().unwrap(), "memory": "0/1Gi"});
        let quota = json!({"total": {"requests.cpu": total}, "allocated": {}, "used": {"requests.cpu": used}});
        serde_json::from_value(json!({"observedGeneration": 1, "quota": quota, "summary": summary})).unwrap()
    };
    assert!(tenant_status::differ_in_use_only(&status("1", "40"), &status("2", "40")));
    assert!(!tenant_status::differ_in_use_only(&status("1", "40"), &status("1", "48")));
    assert!(!tenant_status::differ_in_use_only(&status("1", "40"), &status("1", "40")));
}

#[test]
fn a_quota_that_is_not_in_force_is_told() {
    let mut seen = served();
    assert_eq!(conditions(&seen).1["Ready"], "True Ready");
    let workload = seen.observed.iter_mut().filter(|(key, _)| key.namespace.as_str() == "health--appointments");
    for quota in workload.filter_map(|(_, entry)| entry.quota.as_mut()) {
        quota.live = false;
    }
    assert_eq!(conditions(&seen).1["Ready"], "False QuotaNotLive");
    assert_eq!(conditions(&seen).0["Ready"], "True Ready", "the home namespace has its own");
}

#[test]
fn a_system_that_cannot_be_served_stays_within_its_tenants_contract() {
    let mut seen = served();
    let before = seen.observed.clone();
    seen.systems[0].status.stage = Some(Stage::Running);
    seen.systems[0].spec = Err(unreadable("spec.stage", "unknown variant"));
    settle(&mut seen);
    assert_eq!(before, seen.observed, "its share and its stage stay");

    seen.tenant = Some(tenant(&HEALTH.replace("role: Owner", "role: Auditor")).into());
    let plan = settle(&mut seen);
    assert!(object(&plan, "health--appointments", "RoleBinding", "govcloud-owner").is_none(), "a member who is struck off is out");

    seen.tenant.as_mut().unwrap().deleting = true;
    let plan = settle(&mut seen);
    assert!(object(&plan, "health--appointments", "RoleBinding", "govcloud-deployer").is_none());
    assert!(plan.namespaces.iter().all(|space| space.drained && space.goal == Goal::Close));
}

#[test]
fn what_is_remembered_of_a_namespace_that_is_gone_counts_for_nothing() {
    let mut seen = served();
    seen.observed.retain(|key, _| &*key.name != "health--appointments");
    let (_, changes) = decide(&seen);
    let workload = changes.iter().find(|space| space.namespace.as_str() == "health--appointments").unwrap();
    assert_eq!(workload.changes.len(), kinds(workload, |change| matches!(change, Change::Create(_))));
}

#[test]
fn systems_in_a_namespace_that_is_not_the_tenants_home_are_not_its_own() {
    let seen = snapshot(tenant(HEALTH), vec![system(APPOINTMENTS)]);
    let (plan, _) = decide(&seen);
    let planned: Vec<&str> = plan.namespaces.iter().map(|space| space.namespace.as_str()).collect();
    assert_eq!(planned, ["health"]);
    assert_eq!(conditions(&seen).1["Ready"], "Unknown Conflict");
}

#[test]
fn a_lost_quota_raises_nobodys_share() {
    let mut seen = served();
    seen.observed.retain(|key, _| &*key.name != "govcloud-quota" || key.namespace.as_str() != "health--appointments");
    seen.systems.push(system(&APPOINTMENTS.replace("name: appointments", "name: second")));
    let (plan, _) = decide(&seen);
    let grant = &plan.allocation.grants[&SystemName::new("second")];
    assert!(grant.waiting.as_ref().is_some_and(|why| why.contains("health--appointments")), "{grant:?}");
}

#[test]
fn an_agency_declares_a_hundred_systems_and_the_oldest_are_served() {
    let mut systems: Vec<_> =
        (0..102).map(|number| system(&APPOINTMENTS.replace("name: appointments", &format!("name: s{number}")))).collect();
    systems[0].created = "2026-01-03T00:00:00Z".into();
    systems[1].created = "2026-01-02T00:00:00Z".into();
    let intent = intent(&with_home(HEALTH, systems), &settings());
    let refused: Vec<&str> = intent.systems.iter().filter(|(_, system)| system.is_err()).map(|(name, _)| name.as_str()).collect();
    assert_eq!(refused, ["s0", "s1"]);
}
