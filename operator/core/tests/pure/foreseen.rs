//! Two futures of one tenant: which fields differ, who must decide, and what becomes of its quota.

use std::collections::BTreeMap;

use govcloud_core::{
    api::{
        HostedSystemStatus, Stage,
        approval::{Contract, Decision},
    },
    model::{
        amounts::Amount,
        names::{FINALIZER, NamespaceName},
        root::TenantRoot,
        snapshot::Snapshot,
    },
    plan::intent::intent,
    views::{
        changes::{Row, approval, rows},
        foresight::{Foreseen, approve, foresee},
        quota::lines,
    },
};

use super::{
    decisions::{APPOINTMENTS, HEALTH, served},
    world::{settings, settle, snapshot, system, tenant, with_home},
};

/// As it is, and as it is after these edits of the tenant and its system.
fn futures(now: &Snapshot, tenant_edit: (&str, &str), system_edit: (&str, &str)) -> (Foreseen, Foreseen) {
    let mut then = now.clone();
    let root = then.tenant.as_mut().unwrap();
    root.spec = tenant(&HEALTH.replace(tenant_edit.0, tenant_edit.1)).spec;
    root.generation += 1;
    then.systems = vec![system(&APPOINTMENTS.replace(system_edit.0, system_edit.1))];
    (foresee(now.clone(), &settings()), foresee(then, &settings()))
}

fn changed(tenant_edit: (&str, &str), system_edit: (&str, &str)) -> Vec<Row> {
    let (before, after) = futures(&served(), tenant_edit, system_edit);
    rows(&before, &after, &BTreeMap::new())
}

const NO_EDIT: (&str, &str) = ("", "");

#[test]
fn an_object_that_changes_is_told_with_its_fields() {
    let told = changed(("203.0.113.0", "198.51.100.0"), NO_EDIT);
    assert!(told.iter().all(|row| row.what == "changed"), "{told:?}");
    let [policy] = told.iter().filter(|row| row.namespace == "health--appointments").collect::<Vec<_>>()[..] else { panic!("{told:?}") };
    assert_eq!(policy.object, "networkpolicy/govcloud-isolation");
    assert!(policy.fields.iter().any(|line| line.contains("198.51.100.0/24")), "{told:?}");
}

#[test]
fn the_copy_of_the_contract_and_the_entry_of_the_ledger_are_no_change_of_their_own() {
    let told = changed(("'40'", "'50'"), ("requests.cpu: 8", "requests.cpu: 9"));
    let objects: Vec<_> = told.iter().map(|row| (row.object.as_str(), row.what)).collect();
    assert_eq!(objects, [("resourcequota/govcloud-quota", "changed")]);
    assert!(told[0].fields.iter().all(|line| line.contains("cpu")), "{told:?}");
    let told = changed(NO_EDIT, ("displayName: 预约挂号", "displayName: 挂号"));
    assert!(told.iter().any(|row| row.object == "namespace/health--appointments" && row.fields.len() == 1), "{told:?}");
}

#[test]
fn a_line_that_nobody_compares_by_eye_is_cut() {
    let registries = |number: usize| vec![format!("registry.example/{}", "a".repeat(60)); number].join(", ");
    let line = |number: usize| {
        let told = changed(("  network:", &format!("  images: {{registries: [{}]}}\n  network:", registries(number))), NO_EDIT);
        let row = told.into_iter().find(|row| row.object == "namespace/health--appointments").unwrap();
        row.fields.into_iter().find(|line| line.contains("image-registries")).unwrap()
    };
    assert!(!line(1).ends_with(" ...") && line(1).chars().count() < 240, "{}", line(1));
    assert!(line(4).ends_with(" ...") && line(4).chars().count() == 244, "{}", line(4));
}

#[test]
fn who_must_decide_is_told_and_where_nobody_must_why() {
    let decision = |decision| super::world::approval(decision, 1, "because");
    let request = |root: &mut TenantRoot| root.spec.as_mut().unwrap().preapproved = false;
    let rejected = |root: &mut TenantRoot| {
        request(root);
        root.status.approval = Some(decision(Decision::Rejected));
    };
    let invalid = |root: &mut TenantRoot| {
        root.spec = tenant(&HEALTH.replace("203.0.113.0/24", "10.96.1.0/24")).spec;
        request(root);
        root.status.approval = Some(decision(Decision::Approved));
    };
    let served = |root: &mut TenantRoot| {
        request(root);
        root.status.contract = root.spec.as_ref().ok().map(Contract::of);
    };
    let stopped = |root: &mut TenantRoot| {
        served(root);
        root.status.approval = Some(decision(Decision::Suspended));
    };
    let cases = [
        (&(|_: &mut TenantRoot| {}) as &dyn Fn(&mut TenantRoot), "not needed, because spec.preapproved is true; "),
        (&request, "needed, by somebody who holds the verb approve on agencytenants and is not a member of the agency: "),
        (&rejected, "this spec was rejected by li: because"),
        (&invalid, "approved by li, but not valid"),
        (&served, "not needed, because it asks for nothing beyond the contract in force"),
        (&stopped, "agencytenant/health is stopped; kubectl govcloud resume health ends that"),
    ];
    for (change, words) in cases {
        let mut root = tenant(HEALTH);
        change(&mut root);
        let preapproved = root.spec.as_ref().unwrap().preapproved;
        let seen = snapshot(root, Vec::new());
        let told = approval(&seen.name, intent(&seen, &settings()).approvals.as_ref(), preapproved).unwrap();
        assert!(told.starts_with(words), "{told}");
    }
}

#[test]
fn only_an_open_request_is_taken_to_be_approved() {
    let approved = |change: &dyn Fn(&mut TenantRoot)| {
        let mut root = tenant(HEALTH);
        root.status.contract = root.spec.as_ref().ok().map(Contract::of);
        root.spec.as_mut().unwrap().preapproved = false;
        change(&mut root);
        let mut seen = snapshot(root, Vec::new());
        let before = seen.tenant.clone();
        approve(&mut seen, &settings());
        seen.tenant != before
    };
    let widens = |root: &mut TenantRoot| root.spec.as_mut().unwrap().members.clear();
    let stops = |root: &mut TenantRoot| {
        root.status.approval = Some(super::world::approval(Decision::Suspended, 1, ""));
    };
    assert!(approved(&widens));
    assert!(!approved(&|_| {}), "nothing is asked for");
    let stopped = |root: &mut TenantRoot| {
        widens(root);
        stops(root);
    };
    assert!(!approved(&stopped), "that would end the stop");
}

#[test]
fn what_is_foreseen_ends_before_anything_is_told_of_it() {
    let foreseen = foresee(snapshot(tenant(HEALTH), vec![system(APPOINTMENTS)]), &settings()).snapshot;
    assert_eq!(foreseen.systems[0].status, HostedSystemStatus::default());
}

#[test]
fn a_finalizer_that_is_there_is_not_added_again() {
    let mut seen = snapshot(tenant(HEALTH), vec![system(APPOINTMENTS)]);
    seen.tenant.as_mut().unwrap().holds = false;
    seen.systems[0].finalizers = vec!["example.com/other".to_owned()];
    let foreseen = foresee(seen, &settings()).snapshot;
    assert_eq!(foreseen.tenant.as_ref().unwrap().finalizers, [FINALIZER]);
    assert_eq!(foreseen.systems[0].finalizers, ["example.com/other", FINALIZER]);
}

#[test]
fn when_pods_are_ended_what_their_volumes_take_stays() {
    let mut now = served();
    let namespace = NamespaceName::new("health--appointments");
    for (_, entry) in now.observed.iter_mut().filter(|(key, _)| key.namespace == namespace) {
        if let Some(quota) = &mut entry.quota {
            let used = [("requests.storage", 5), ("persistentvolumeclaims", 2), ("requests.cpu", 3), ("pods", 1)];
            quota.used = used.map(|(key, amount)| (key.to_owned(), Amount::whole(amount))).into();
        }
    }
    now.systems[0].status.stage = Some(Stage::Running);
    let mut then = now.clone();
    then.systems[0].spec.as_mut().unwrap().stage = Stage::Retired;
    let after = foresee(then, &settings());
    assert_eq!(after.snapshot.ending[&namespace].pods, Some(0));
    let inventory = after.inventory();
    let left: Vec<&String> = inventory.of(&namespace).quota.unwrap().used.keys().collect();
    assert_eq!(left, ["persistentvolumeclaims", "requests.storage"]);
}

#[test]
fn a_quota_is_told_by_what_is_handed_out_what_fits_and_what_is_used_beyond() {
    let gpus = |number: u8| HEALTH.replace("pods: 400", &format!("pods: 400, requests.example.com/gpu: {number}"));
    let (some, none) = (gpus(5), gpus(0));
    let mut now = served();
    let told = |now: &Snapshot, tenant_edit, system_edit| {
        let (before, after) = futures(now, tenant_edit, system_edit);
        lines(&before, &after)
    };
    assert_eq!(told(&now, NO_EDIT, NO_EDIT), [""; 0]);
    let mut with_gpus = with_home(&some, vec![system(APPOINTMENTS)]);
    settle(&mut with_gpus);
    assert_eq!(told(&with_gpus, (HEALTH, &none), NO_EDIT), [""; 0], "of nothing, nothing is handed out");
    assert_eq!(told(&now, ("pods: 400", "pods: 500"), NO_EDIT), ["pods: 60 of 500 handed out, 440 free (now 60)"]);
    assert_eq!(
        told(&now, NO_EDIT, ("pods: 60", "pods: 70")),
        ["pods: 70 of 400 handed out, 330 free (now 60)", "hostedsystem/appointments fits: pods: 60 becomes 70"]
    );
    let namespace = NamespaceName::new("health--appointments");
    for (_, entry) in now.observed.iter_mut().filter(|(key, _)| key.namespace == namespace) {
        if let Some(quota) = &mut entry.quota {
            let used = [("pods", 60), ("requests.cpu", 8), ("requests.storage", 5)];
            quota.used = used.map(|(key, amount)| (key.to_owned(), Amount::whole(amount))).into();
        }
    }
    let beyond = |system_edit| {
        let told = told(&now, NO_EDIT, system_edit);
        told.into_iter().filter(|line| line.contains("pods: ") && line.starts_with("namespace")).collect::<Vec<_>>()
    };
    assert_eq!(beyond(NO_EDIT), [""; 0], "all of it is used, and no more");
    let words = "60 is used and 50 allowed; what runs goes on, and nothing new is admitted until less is used";
    assert_eq!(beyond(("pods: 60", "pods: 50")), [format!("namespace health--appointments: pods: {words}")]);
    let told = told(&now, NO_EDIT, ("stage: Running", "stage: Retired"));
    assert!(told.iter().all(|line| !line.starts_with("hostedsystem")), "what is left to a closed system is no share: {told:?}");
}
