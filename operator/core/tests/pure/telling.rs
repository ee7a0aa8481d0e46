//! What statuses tell of refused pods and of deletions that take long, and when they change.

use govcloud_core::{
    api::{HostedSystemStatus, Stage},
    model::{
        failed_creates::{FailedCreate, Seen, Workload},
        names::NamespaceName,
        observed::Remaining,
        outcome::Outcome,
        snapshot::{Question, Snapshot},
        tags::{INTERVAL, Tags},
    },
    plan::{intent::intent, tags::questions},
    status::{StatusInput, system as system_status, tenant as tenant_status},
};
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    decisions::{APPOINTMENTS, HEALTH, served},
    world::{decide, inventory, settings, settle, system, with_home},
};

/// 2026-01-02T00:00:00Z in seconds since 1970.
const NOW: i64 = 1_767_312_000;

/// Judges the first system, and the tenant: the conditions by type.
fn told(seen: &mut Snapshot) -> (Value, Value) {
    let (plan, _) = decide(seen);
    let (intent, outcome) = (intent(seen, &settings()), Outcome::default());
    let input = StatusInput { snapshot: seen, intent: &intent, inventory: &inventory(seen), plan: &plan, outcome: &outcome };
    let status: HostedSystemStatus = system_status::status(&input, &seen.systems[0]);
    let tenant = tenant_status::status(&input, seen.tenant.as_ref().unwrap(), std::slice::from_ref(&status));
    let by_type = |conditions: Value| -> Value {
        let conditions = conditions.as_array().unwrap().iter();
        conditions.map(|condition| (condition["type"].as_str().unwrap().to_owned(), condition.clone())).collect()
    };
    let pair = (by_type(json!(status.conditions)), by_type(json!(tenant.conditions)));
    seen.systems[0].status = status;
    pair
}

fn namespace() -> NamespaceName {
    NamespaceName::new("health--appointments")
}

fn refusal(name: &str, used: u8, seen: Seen) -> FailedCreate {
    FailedCreate {
        workload: Workload { namespace: namespace(), kind: "ReplicaSet".into(), name: name.into() },
        objects: "pods",
        cause: format!("exceeded quota: govcloud-quota, requested: pods=1, used: pods={used}, limited: pods=60"),
        last: NOW - 10,
        version: 0,
        seen,
    }
}

/// Status and message of `PodsAdmitted`, with these refusals.
fn available(seen: &mut Snapshot, failed_creates: Vec<FailedCreate>) -> (String, String) {
    seen.failed_creates.insert(namespace(), failed_creates);
    let (system, _) = told(seen);
    let text = |field: &str| system["PodsAdmitted"][field].as_str().unwrap().to_owned();
    (text("status"), text("message"))
}

#[test]
fn of_a_suspended_or_retired_system_the_stage_is_the_cause_whichever_rule_refuses_first() {
    for stage in ["Suspended", "Retired"] {
        let mut seen = with_home(HEALTH, vec![system(&APPOINTMENTS.replace("Running", stage))]);
        settle(&mut seen);
        let mut by_rule = refusal("web", 60, Seen::Lacking);
        by_rule.cause = "rule images: spec.containers[web].image: \"a\" is not under a registry of this agency; allowed: none".into();
        let (status, message) = available(&mut seen, vec![by_rule]);
        let cure = if stage == "Suspended" { "; set spec.stage to end that" } else { "" };
        let expected = format!("Kubernetes cannot create pods of ReplicaSet web: the system is {stage}, so it admits no new pods{cure}");
        assert_eq!((status.as_str(), message), ("False", expected));
    }
}

#[test]
fn a_refusal_is_told_from_the_first_look_on_and_its_words_stay() {
    let mut seen = served();
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
fn a_share_of_a_key_that_the_contract_names_is_the_owners_to_raise() {
    let message = |total: &str| {
        let mut seen = with_home(&HEALTH.replace("pods: 400", total), vec![system(APPOINTMENTS)]);
        settle(&mut seen);
        let requested =
            "exceeded quota: govcloud-quota, requested: requests.example.com/gpu=1, used: requests.example.com/gpu=0, limited: ";
        let cause = format!("{requested}requests.example.com/gpu=0");
        available(&mut seen, vec![FailedCreate { cause, ..refusal("web", 60, Seen::Lacking) }]).1
    };
    let named = message("pods: 400, requests.example.com/gpu: 4");
    assert!(named.contains("; raise spec.resources.guaranteed[requests.example.com/gpu] of hostedsystem/appointments"), "{named}");
    let unnamed = message("pods: 400");
    assert!(unnamed.contains("; have spec.quota[requests.example.com/gpu] of agencytenant/health named, and then set "), "{unnamed}");
}

#[test]
fn several_causes_are_told_each_with_its_cure() {
    let mut seen = served();
    let of_image = |name: &str, image: &str| FailedCreate { cause: format!("rule images: {image}"), ..refusal(name, 60, Seen::Lacking) };
    let failed_creates = vec![of_image("a", "one"), refusal("b", 60, Seen::Lacking), refusal("c", 61, Seen::Lacking)];
    let (_, message) = available(&mut seen, failed_creates.clone());
    assert!(message.starts_with("Kubernetes refuses workloads for 2 causes: (1) pods of ReplicaSet a: rule images: one"), "{message}");
    assert!(
        message.contains("; (2) pods of ReplicaSet b: exceeded quota") && message.ends_with("; also refused: ReplicaSet c"),
        "{message}"
    );
    let mut others = failed_creates.clone();
    others.reverse();
    assert_eq!(available(&mut seen, others).1, message, "in whatever order they come");
    let third = of_image("d", "two");
    let (_, message) = available(&mut seen, failed_creates.iter().cloned().chain([third]).collect());
    assert!(message.starts_with("Kubernetes refuses workloads for 3 causes: (1) "), "{message}");
    let (_, message) = available(&mut seen, vec![of_image("long", &"l".repeat(2000))]);
    assert!(message.contains(&"l".repeat(2000)), "the only cause is told in full");
    let more = ["d", "e"].map(|name| of_image(name, &name.repeat(5000)));
    let (_, message) = available(&mut seen, failed_creates.into_iter().chain(more).collect());
    assert!(message.contains("for 4 causes, of which these are the first 3: (1) "), "{message}");
    assert!(message.contains("ddddd ...") && !message.contains("eeeee") && message.len() < 4096, "{message}");
}

#[test]
fn a_namespace_that_does_not_go_says_what_holds_it_once_that_lasts() {
    let messages = "Some content in the namespace has finalizers remaining: example.com/gone in 1 resource instances";
    for (since, of_kubernetes, is_told, stalled) in
        [(NOW - 4, false, false, "False"), (NOW - 5, false, true, "True"), (NOW - 59, true, true, "False"), (NOW - 60, true, true, "True")]
    {
        let mut seen = served();
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

/// Looks for pods by tag, if that is due, and finds those of these workloads.
fn look(seen: &mut Snapshot, now: i64, workloads: Option<&[&str]>) -> bool {
    let enforced = seen.observed.iter().any(|(key, entry)| *key.name == *namespace().as_str() && entry.requires_digests);
    seen.now = Timestamp::from_second(now).unwrap();
    let asked = questions(seen, &inventory(seen), &intent(seen, &settings()));
    seen.tags.retain(|known, _| asked.iter().any(|(question, _)| *question == Question::PodsByTag(known.clone())));
    let due = asked.iter().any(|(_, due)| *due);
    if due {
        let workloads = workloads.map(|names| names.iter().map(ToString::to_string).collect());
        seen.tags.insert(namespace(), Tags { looked: now, enforced, workloads });
    }
    due
}

/// Status, reason and message of `PodsAdmitted`.
fn by_tag(seen: &mut Snapshot) -> [String; 3] {
    let (system, _) = told(seen);
    ["status", "reason", "message"].map(|field| system["PodsAdmitted"][field].as_str().unwrap().to_owned())
}

#[test]
fn pods_by_tag_are_told_from_the_change_on_until_none_is_left() {
    let stage = |seen: &mut Snapshot, stage| seen.systems[0].spec.as_mut().unwrap().stage = stage;
    let mut seen = served();
    assert!(!look(&mut seen, NOW, None), "a new system has no pods yet");
    assert_eq!(by_tag(&mut seen)[1], "NoneRefused");

    stage(&mut seen, Stage::Testing);
    settle(&mut seen);
    assert!(!look(&mut seen, NOW, None), "a system in test may name tags");
    assert_eq!(by_tag(&mut seen)[1], "NoneRefused");

    stage(&mut seen, Stage::Running);
    assert!(look(&mut seen, NOW, Some(&["ReplicaSet web"])), "beforehand");
    assert!(!look(&mut seen, NOW, None), "not twice");
    settle(&mut seen);
    let found = ["Pod e", "Pod d", "Pod c", "Pod b", "Pod a"];
    assert!(look(&mut seen, NOW, Some(&found)), "one may have been created meanwhile");
    let [status, reason, message] = by_tag(&mut seen);
    assert_eq!((status.as_str(), reason.as_str()), ("True", "TagsInUse"));
    assert_eq!(
        message,
        "pods of 5 workloads have an image that names no digest: Pod a, Pod b, Pod c and 2 more; they run on, but are not created again, \
         since spec.images.requireDigest of agencytenant/health requires digests: deploy them by digest, name@sha256:<64 hexadecimal digits>"
    );

    // A start: what was told stays until somebody has looked.
    seen.tags.clear();
    assert_eq!(by_tag(&mut seen)[2], message);
    assert!(look(&mut seen, NOW, None));
    assert_eq!(by_tag(&mut seen)[2], message, "the pods could not be listed");
    assert!(!look(&mut seen, NOW + INTERVAL - 1, None));
    assert!(look(&mut seen, NOW + INTERVAL, Some(&[])));
    assert_eq!(by_tag(&mut seen)[1], "NoneRefused");
    assert!(!look(&mut seen, NOW + 100 * INTERVAL, None), "no more when none is left");
    seen.tags.clear();
    assert!(!look(&mut seen, NOW, None), "nor after a start");
}

#[test]
fn pods_by_tag_are_looked_for_when_the_stage_changes_or_the_contract_does() {
    let looks = |former: Stage, enforced: bool| {
        let mut seen = served();
        seen.systems[0].status.stage = Some(former);
        let itself = namespace();
        seen.observed.iter_mut().filter(|(key, _)| *key.name == *itself.as_str()).for_each(|(_, entry)| entry.requires_digests = enforced);
        look(&mut seen, NOW, None)
    };
    assert!(looks(Stage::Testing, true) && looks(Stage::Running, false));
    assert!(!looks(Stage::Running, true), "nothing changes");
}
