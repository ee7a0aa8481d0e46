use serde_json::json;

use super::*;

fn event(kind: &str, name: &str, message: &str, last: &str) -> Value {
    json!({
        "metadata": { "namespace": "health--web" },
        "involvedObject": { "kind": kind, "name": name },
        "message": message,
        "lastTimestamp": last,
        "eventTime": null,
    })
}

fn refusal(kind: &str, name: &str, message: &str) -> FailedCreate {
    read(&event(kind, name, message, "100"), |text| text.parse().ok()).unwrap()
}

#[test]
fn a_refusal_is_told_once_a_workload_and_only_while_it_holds() {
    let failed_creates: Vec<_> = [("web", "web-x8k2p", "100"), ("web", "web-b4l9z", "200"), ("db", "db-k2x8p", "50")]
        .map(|(name, pod, last)| {
            let message = format!("Error creating: pods \"{pod}\" is forbidden: rule images: no");
            read(&event("ReplicaSet", name, &message, last), |text| text.parse().ok()).unwrap()
        })
        .into();
    let told = |now| recent(&failed_creates, now).iter().map(|refusal| (refusal.workload.shown(), refusal.last)).collect::<Vec<_>>();
    assert_eq!(told(200), [("ReplicaSet db".to_owned(), 50), ("ReplicaSet web".to_owned(), 200)]);
    assert_eq!(told(50 + FAILED_CREATE_TTL), [("ReplicaSet web".to_owned(), 200)]);
    assert_eq!(told(200 + FAILED_CREATE_TTL), []);
    assert_eq!(failed_creates[0].cause, "rule images: no");
}

#[test]
fn of_two_causes_of_the_same_second_the_later_is_told() {
    let refused = |cause: &str, version: &str| {
        let mut event = event("StatefulSet", "db", &format!("Error creating: {cause}"), "100");
        event["metadata"]["resourceVersion"] = json!(version);
        read(&event, |text| text.parse().ok()).unwrap()
    };
    let told = |failed_creates: [FailedCreate; 2]| recent(&failed_creates, 100).iter().map(|told| told.cause.clone()).collect::<Vec<_>>();
    assert_eq!(told([refused("a", "9"), refused("b", "10")]), ["b"]);
    assert_eq!(told([refused("a", "10"), refused("b", "9")]), ["a"]);
}

#[test]
fn of_a_message_without_end_only_the_beginning_is_kept_and_a_name_without_end_is_none() {
    let message = format!("Error creating: pods \"web-x8k2p\" is forbidden: {}", "规".repeat(500_000));
    assert!((4000..=LONGEST.0).contains(&refusal("ReplicaSet", "web", &message).cause.len()));
    let long = "x".repeat(LONGEST.1 + 1);
    for (kind, name) in [("ReplicaSet", long.as_str()), (&long, "web")] {
        assert_eq!(read(&event(kind, name, "no", "100"), |text| text.parse().ok()), None);
    }
    let longest = &long[1..];
    assert_eq!(refusal(longest, longest, "no").workload.name, longest);
}

/// Kind and name of the workload, the message with `{}` for what differs at each try, two such parts, what is refused and why.
type Try = (&'static str, &'static str, &'static str, [&'static str; 2], &'static str, &'static str);

const TRIES: [Try; 15] = [
    (
        "ReplicaSet",
        "web-7d4f",
        "Error creating: Pod \"web-7d4f-{}\" is invalid: spec.containers[0].resources.requests: Invalid value: \"512Mi\": must be less than or equal to memory limit of 256Mi",
        ["x8k2p", "b4l9z"],
        "pods",
        "spec.containers[0].resources.requests: Invalid value: \"512Mi\": must be less than or equal to memory limit of 256Mi",
    ),
    (
        "ReplicaSet",
        "web-7d4f",
        "Error creating: admission webhook \"check.example\" denied the request: pods/web-7d4f-{}: no team label",
        ["x8k2p", "b4l9z"],
        "pods",
        "admission webhook \"check.example\" denied the request: pods/web-7d4f-*: no team label",
    ),
    (
        "ReplicaSet",
        "web-7d4f",
        "Error creating: Internal error occurred: failed calling webhook \"a.example\": read tcp 10.0.0.3:{}->10.0.0.4:443: connection reset by peer",
        ["51234", "40022"],
        "pods",
        "Internal error occurred: failed calling webhook \"a.example\": read tcp 10.0.0.3:*->10.0.0.4:443: connection reset by peer",
    ),
    (
        "ReplicaSet",
        "web-7d4f",
        "Error creating: admission webhook \"a.example\" denied the request: review {} says no",
        ["0b1cbb36-1a0e-4f6e-9d55-0d5f0a3c8f01", "7f3cbb36-1a0e-4f6e-9d55-0d5f0a3c8f02"],
        "pods",
        "admission webhook \"a.example\" denied the request: review * says no",
    ),
    (
        "ReplicaSet",
        "a-name-of-more-than-fifty-eight-characters-and-so-it-is-cut-off",
        "Error creating: rule x: pods/a-name-of-more-than-fifty-eight-characters-and-so-it-is-cu{}: no",
        ["x8k2p", "b4l9z"],
        "pods",
        "rule x: pods/a-name-of-more-than-fifty-eight-characters-and-so-it-is-cu*: no",
    ),
    (
        "ReplicaSet",
        "web-7d4f",
        "{}Error creating: pods \"web-7d4f-x8k2p\" is forbidden: rule images: no",
        ["", "(combined from similar events): "],
        "pods",
        "rule images: no",
    ),
    (
        "ReplicationController",
        "old",
        "Error creating: pods \"old-{}\" is forbidden: violates PodSecurity \"restricted:latest\": container \"old-proxy\" must set x",
        ["x8k2p", "b4l9z"],
        "pods",
        "violates PodSecurity \"restricted:latest\": container \"old-proxy\" must set x",
    ),
    (
        "DaemonSet",
        "agent",
        "Error creating: pods \"agent-{}\" is forbidden: rule volumes: hostPath",
        ["x8k2p", "b4l9z"],
        "pods",
        "rule volumes: hostPath",
    ),
    (
        "Job",
        "import",
        "Error creating: Pod \"import-{}\" is invalid: spec.containers[0].image: Required value",
        ["0-x8k2p", "1-b4l9z"],
        "pods",
        "spec.containers[0].image: Required value",
    ),
    (
        "StatefulSet",
        "db",
        "create Pod db-{0} in StatefulSet db failed error: pods \"db-{0}\" is forbidden: rule images: db-{0} by tag",
        ["0", "1"],
        "pods",
        "rule images: db-* by tag",
    ),
    (
        "StatefulSet",
        "db",
        "create Pod db-{0} in StatefulSet db failed error: Pod \"db-{0}\" is invalid: spec.x: Forbidden: no",
        ["0", "1"],
        "pods",
        "spec.x: Forbidden: no",
    ),
    (
        "StatefulSet",
        "db",
        "create Claim data-db-{0} for Pod db-{0} in StatefulSet db failed error: persistentvolumeclaims \"data-db-{0}\" is forbidden: rule claims: class gold",
        ["0", "1"],
        "persistentvolumeclaims",
        "rule claims: class gold",
    ),
    (
        "StatefulSet",
        "db",
        "create Pod db-{0} in StatefulSet db failed error: failed to create PVC data-db-{0}: persistentvolumeclaims \"data-db-{0}\" is forbidden: rule claims: class gold",
        ["0", "1"],
        "persistentvolumeclaims",
        "rule claims: class gold",
    ),
    (
        "CronJob",
        "backup",
        "Error creating job: jobs.batch \"backup-{0}\" is forbidden: backup-{0} is one too many",
        ["29734001", "29734002"],
        "jobs",
        "backup-* is one too many",
    ),
    (
        "CronJob",
        "backup",
        "Error creating job: Job.batch \"backup-{}\" is invalid: spec.parallelism: Invalid value: -1",
        ["29734001", "29734002"],
        "jobs",
        "spec.parallelism: Invalid value: -1",
    ),
];

#[test]
fn each_try_has_the_same_words_whatever_its_random_names() {
    for (kind, name, message, parts, objects, cause) in TRIES {
        for part in parts {
            let read = refusal(kind, name, &message.replace("{}", part).replace("{0}", part));
            assert_eq!((read.objects, read.cause.as_str()), (objects, cause), "{message}");
        }
    }
}

#[test]
fn the_jobs_of_a_cronjob_are_told_as_one() {
    let told = ["backup-29734001", "backup-29734002"].map(|name| {
        let read = refusal("Job", name, &format!("Error creating: rule images: pods/{name}-x8k2p of {name}: no"));
        (read.workload.shown(), read.cause)
    });
    assert_eq!(told[0], told[1]);
    assert_eq!(told[0], ("Job backup-*".to_owned(), "rule images: pods/backup-*-* of backup-*: no".to_owned()));
    assert_eq!(refusal("Job", "import-2", "Error creating: no").workload.shown(), "Job import-2");
}

#[test]
fn what_only_looks_like_a_random_name_stays_in_the_words() {
    let long = format!("of {}", "x".repeat(36));
    for words in [long.as_str(), "a - b", "pods: web- is none", "at 10.0.0.3:5a-> it"] {
        assert_eq!(refusal("ReplicaSet", "web", &format!("Error creating: {words}")).cause, words);
    }
}

#[test]
fn what_others_use_meanwhile_is_no_other_cause() {
    let used = |used: u8| format!("exceeded quota: govcloud-quota, requested: pods=1, used: pods={used}, limited: pods=3");
    assert!(is_same_cause(&used(2), &used(3)));
    assert!(!is_same_cause(&used(3), &used(3).replace("requested: pods=1", "requested: pods=2")));
    assert!(!is_same_cause(&used(3), &used(3).replace("limited: pods=3", "limited: pods=4")));
    assert!(!is_same_cause("rule images: a", "rule images: b"));
    let two = |first: u8, second: u8| format!("(1) {}; (2) {}", used(first), used(second));
    assert!(is_same_cause(&two(2, 2), &two(3, 4)));
    assert!(!is_same_cause(&two(2, 2), &two(2, 2).replace("limited: pods=3; (2)", "limited: pods=4; (2)")));
}

#[test]
fn two_writers_that_met_are_no_refusal() {
    let message = "Error creating: Operation cannot be fulfilled on resourcequotas \"govcloud-quota\": the object has been modified; please apply your changes to the latest version and try again";
    assert_eq!(read(&event("ReplicaSet", "web", message, "100"), |text| text.parse().ok()), None);
}
