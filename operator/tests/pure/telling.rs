//! What statuses tell of refused pods and of deletions that take long, and when they change.

use govcloud::{
    api::HostedSystemStatus,
    names::NamespaceName,
    plan::{
        intent::intent,
        outcome::{Outcome, SpaceOutcome},
        refusals::{Refusal, Seen, Workload},
        snapshot::{Remaining, Snapshot},
    },
    status::{Facts, system as system_status, tenant as tenant_status},
};
use serde_json::{Value, json};

use super::{
    decisions::{APPOINTMENTS, HEALTH},
    world::{decide, settings, settle, system, with_home},
};

/// 2026-01-02T00:00:00Z in seconds since 1970.
const NOW: i64 = 1_767_312_000;

/// Judges the first system, and the tenant: the conditions by type.
fn told(seen: &mut Snapshot) -> (Value, Value) {
    let (plan, changes) = decide(seen);
    let spaces = changes.into_iter().map(|space| (space.namespace, SpaceOutcome::default())).collect();
    let (intent, outcome) = (intent(seen, &settings()), Outcome { spaces });
    let facts = Facts { snapshot: seen, intent: &intent, plan: &plan, outcome: &outcome, now: "2026-01-02T00:00:00Z" };
    let status: HostedSystemStatus = system_status::status(&facts, &seen.systems[0]);
    let tenant = tenant_status::status(&facts, seen.tenant.as_ref().unwrap(), std::slice::from_ref(&status));
    let by_type = |conditions: Value| -> Value {
        let conditions = conditions.as_array().unwrap().iter();
        conditions.map(|condition| (condition["type"].as_str().unwrap().to_owned(), condition.clone())).collect()
    };
    let pair = (by_type(json!(status.conditions)), by_type(json!(tenant.conditions)));
    seen.systems[0].status = status;
    pair
}

fn world() -> Snapshot {
    let mut seen = with_home(HEALTH, vec![system(APPOINTMENTS)]);
    settle(&mut seen);
    seen
}

fn namespace() -> NamespaceName {
    NamespaceName::new("health--appointments")
}

fn refusal(name: &str, used: u8, seen: Seen) -> Refusal {
    Refusal {
        workload: Workload { namespace: namespace(), kind: "ReplicaSet".into(), name: name.into() },
        objects: "pods",
        cause: format!("exceeded quota: govcloud-quota, requested: pods=1, used: pods={used}, limited: pods=60"),
        last: NOW - 10,
        seen,
    }
}

/// Status and message of `Available`, with these refusals.
fn available(seen: &mut Snapshot, refusals: Vec<Refusal>) -> (String, String) {
    seen.refusals.insert(namespace(), refusals);
    let (system, _) = told(seen);
    let text = |field: &str| system["Available"][field].as_str().unwrap().to_owned();
    (text("status"), text("message"))
}

#[test]
fn a_refusal_is_told_from_the_first_look_on_and_its_words_stay() {
    let mut seen = world();
    assert_eq!(available(&mut seen, vec![refusal("web", 60, Seen::NotYet)]).0, "True", "it may be cured already");
    let (status, message) = available(&mut seen, vec![refusal("web", 60, Seen::Lacking)]);
    assert_eq!(status, "False");
    assert_eq!(
        message,
        "Kubernetes cannot create pods of ReplicaSet web: exceeded quota: govcloud-quota, requested: pods=1, used: pods=60, limited: pods=60; \
         raise spec.resources.guaranteed[pods] of hostedsystem/appointments in namespace health; \
         for a rolling update without room set strategy.rollingUpdate.maxSurge: 0 in the Deployment"
    );
    for (used, look) in [(61, Seen::Lacking), (62, Seen::Never), (63, Seen::NotYet)] {
        assert_eq!(available(&mut seen, vec![refusal("web", used, look)]), ("False".to_owned(), message.clone()), "{look:?}");
    }
    let others = ["a", "b", "c", "d", "e"].map(|name| refusal(name, 60, Seen::Lacking));
    let (_, message) = available(&mut seen, others.into());
    assert!(message.ends_with("; also refused: ReplicaSet b, ReplicaSet c, ReplicaSet d and 1 more"), "{message}");
    assert_eq!(available(&mut seen, Vec::new()).0, "True");
}

#[test]
fn a_namespace_that_does_not_go_says_what_holds_it_once_that_lasts() {
    let messages = "Some content in the namespace has finalizers remaining: example.com/gone in 1 resource instances";
    for (since, of_kubernetes, is_told, stalled) in
        [(NOW - 4, false, false, "False"), (NOW - 5, false, true, "True"), (NOW - 59, true, true, "False"), (NOW - 60, true, true, "True")]
    {
        let mut seen = world();
        seen.systems[0].deleting = true;
        seen.tenant.as_mut().unwrap().deleting = true;
        let itself = |name: &str| name == namespace().as_str();
        let entry = seen.observed.iter_mut().find(|(key, _)| itself(&key.name)).map(|(_, entry)| entry).unwrap();
        entry.deleting = true;
        let remaining = Remaining { since, messages: messages.into(), finalizers: true, of_kubernetes, undiscovered: false };
        entry.remaining = Some(Box::new(remaining));
        let (system, tenant) = told(&mut seen);
        for (whose, conditions) in [("system", system), ("tenant", tenant)] {
            let message = conditions["Ready"]["message"].as_str().unwrap();
            assert_eq!(message.contains(messages), is_told, "{whose} {since}: {message}");
            assert_eq!(conditions["Stalled"]["status"], stalled, "{whose} {since} {of_kubernetes}");
        }
    }
}
