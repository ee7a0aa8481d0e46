//! What leaves, and what is left of it.

use govcloud_core::{
    model::{
        amounts::Amount,
        names::NamespaceName,
        observed::{Entry, NAMESPACE},
        root::SystemRoot,
        shared::Shared,
        snapshot::Snapshot,
    },
    plan::intent::intent,
};
use serde_json::Value;

use super::{
    decisions::{APPOINTMENTS, HEALTH, WORKLOAD, served},
    world::{decide, object, settings, settle, snapshot, system, tenant, unreadable, with_home},
};

fn undeclared() -> Snapshot {
    let mut seen = served();
    seen.systems.clear();
    seen
}

fn namespace_of(seen: &mut Snapshot) -> &mut Entry {
    seen.observed.iter_mut().find(|(key, _)| key.kind == NAMESPACE && &*key.name == WORKLOAD).unwrap().1
}

#[test]
fn a_tenant_that_leaves_is_served_its_end_whatever_its_contract_says() {
    for yaml in [HEALTH.to_owned(), HEALTH.replace("203.0.113.0/24", "10.96.1.0/24")] {
        for has_contract in [false, true] {
            let mut root = tenant(&yaml);
            if has_contract {
                root.status.contract = root.spec.as_ref().ok().map(govcloud_core::api::approval::Contract::of);
            } else {
                root.spec.as_mut().unwrap().preapproved = false;
            }
            let is_served = |root| intent(&snapshot(root, Vec::new()), &settings()).tenant.unwrap().is_ok();
            assert_eq!(is_served(root.clone()), has_contract && yaml == HEALTH, "{has_contract} {yaml}");
            root.deleting = true;
            assert!(is_served(root), "{has_contract} {yaml}");
        }
    }
}

#[test]
fn a_tenant_that_leaves_without_a_contract_is_called_by_its_name() {
    let mut root = tenant(HEALTH);
    root.spec.as_mut().unwrap().preapproved = false;
    root.deleting = true;
    assert_eq!(intent(&snapshot(root, Vec::new()), &settings()).tenant.unwrap().unwrap().display_name, "health");
}

#[test]
fn a_system_that_leaves_is_closed_though_it_cannot_be_read_or_served() {
    let unread = || {
        let mut root = system(APPOINTMENTS);
        root.spec = Err(unreadable("spec.stage", "unknown variant"));
        root
    };
    let wrong = || system(&APPOINTMENTS.replace("requests.cpu: 8", "requests.cpu: many"));
    for mut root in [unread(), wrong()] {
        let is_served = |root| intent(&with_home(HEALTH, vec![root]), &settings()).systems.remove(0).1.is_ok();
        assert!(!is_served(root.clone()));
        root.deleting = true;
        assert!(is_served(root));
    }
}

#[test]
fn a_namespace_whose_system_may_still_be_restored_is_left_as_it_is() {
    let touched = |seen: &Snapshot| decide(seen).0.namespace(&NamespaceName::new(WORKLOAD)).is_some();
    for (created, is_touched) in [(99, false), (100, true), (101, true)] {
        let mut seen = undeclared();
        seen.crds.created = 100;
        namespace_of(&mut seen).created = created;
        assert_eq!(touched(&seen), is_touched, "{created}");
        seen.tenant.as_mut().unwrap().deleting = true;
        assert!(touched(&seen), "the tenant leaves with all of it");
    }
    for (uid, is_touched) in [("old", false), ("uid-of--health", true)] {
        let mut seen = undeclared();
        let root = seen.tenant.as_mut().unwrap();
        root.spec.as_mut().unwrap().adopt_tenant_uid = Some("old".into());
        root.generation += 1;
        namespace_of(&mut seen).tenant_uid = uid.into();
        assert_eq!(touched(&seen), is_touched, "{uid}");
    }
}

#[test]
fn a_closed_namespace_holds_what_its_volumes_use_and_nothing_else() {
    let mut seen = undeclared();
    for (_, entry) in seen.observed.iter_mut().filter(|(key, _)| key.namespace.as_str() == WORKLOAD) {
        let Some(quota) = &mut entry.quota else { continue };
        for (key, used) in [("requests.storage", 5), ("persistentvolumeclaims", 2), ("requests.cpu", 3)] {
            quota.used.insert(key.into(), Amount::whole(used));
        }
    }
    let plan = decide(&seen).0;
    let hard = &object(&plan, WORKLOAD, "ResourceQuota", "govcloud-quota").unwrap()["spec"]["hard"];
    let held = ["requests.storage", "persistentvolumeclaims", "requests.cpu"].map(|key| hard[key].as_str().unwrap());
    assert_eq!(held, ["5", "2", "0"]);
}

#[test]
fn a_namespace_that_is_kept_says_since_when_and_no_more_once_it_serves_again() {
    let since = |seen: &Snapshot, namespace: &str| {
        let plan = decide(seen).0;
        object(&plan, namespace, "Namespace", namespace).unwrap()["metadata"]["labels"]["govcloud.io/retained-since"].clone()
    };
    let mut seen = served();
    assert_eq!(since(&seen, WORKLOAD), Value::Null);
    for leaves in [
        |seen: &mut Snapshot| seen.systems.clear(),
        |seen: &mut Snapshot| deleting(&mut seen.systems[0]),
        |seen: &mut Snapshot| seen.tenant.as_mut().unwrap().deleting = true,
    ] {
        let mut left = seen.clone();
        leaves(&mut left);
        assert_eq!(since(&left, WORKLOAD), "20260102T000000Z");
        let home = if left.tenant.as_ref().unwrap().deleting { Value::from("20260102T000000Z") } else { Value::Null };
        assert_eq!(since(&left, "health"), home);
        // Written once, and not with the time of each look.
        settle(&mut left);
        left.now = "2026-03-01T00:00:00Z".parse().unwrap();
        assert_eq!(since(&left, WORKLOAD), "20260102T000000Z");
        (left.tenant, left.systems) = (seen.tenant.clone(), seen.systems.clone());
        assert_eq!(since(&left, WORKLOAD), Value::Null, "it is declared again");
    }
    // A retired system is still there.
    seen.systems = vec![system(&APPOINTMENTS.replace("Running", "Retired"))];
    assert_eq!(since(&seen, WORKLOAD), Value::Null);
    // What is deleted with its system is not kept.
    seen.systems = vec![system(&format!("{APPOINTMENTS}  deletionPolicy: Delete\n"))];
    deleting(&mut seen.systems[0]);
    assert_eq!(since(&seen, WORKLOAD), Value::Null);
}

fn deleting(system: &mut Shared<SystemRoot>) {
    let mut root = (**system).clone();
    root.deleting = true;
    *system = root.into();
}
