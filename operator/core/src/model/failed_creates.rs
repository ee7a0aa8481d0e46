//! Workloads whose pods, claims or jobs the API server refuses to create: told by Kubernetes' own controllers in events, and by
//! nothing else. Each try is told of with other random names; here the same cause always has the same words.

use serde_json::Value;

use crate::model::names::NamespaceName;

/// A controller tries again at the latest after 1000 s. What it has not said for so long no longer holds.
pub const FAILED_CREATE_TTL: i64 = 20 * 60;
/// The API server cuts a `generateName` to this length before it adds five random characters.
const LONGEST_STEM: usize = 58;
/// Bytes of a message and of a name that are read. The API server bounds neither, and members may write events too.
const LONGEST: (usize, usize) = (4096, 253);
/// The letters and digits of which the API server makes random names.
const RANDOM: &str = "bcdfghjklmnpqrstvwxz2456789";

/// An object that makes pods.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Workload {
    /// Namespace that it is in.
    pub namespace: NamespaceName,
    /// Its kind. Example: `ReplicaSet`.
    pub kind: String,
    /// Its name. Example: `web-5d4f`.
    pub name: String,
}

impl Workload {
    /// Its name for people. A Job that a `CronJob` made has another number in its name each time.
    #[must_use]
    pub fn shown_name(&self) -> String {
        let (stem, number) = self.name.rsplit_once('-').unwrap_or_default();
        let numbered = self.kind == "Job" && number.len() >= 8 && number.bytes().all(|digit| digit.is_ascii_digit());
        if numbered { format!("{stem}-*") } else { self.name.clone() }
    }

    /// Kind and name for people.
    #[must_use]
    pub fn shown(&self) -> String {
        format!("{} {}", self.kind, self.shown_name())
    }
}

/// What is known of a refused workload by now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Seen {
    /// It has not been looked at yet.
    #[default]
    NotYet,
    /// It has fewer pods than it asks for.
    Lacking,
    /// It cannot be looked at: only time tells.
    Never,
    /// It is gone, or has what it asks for. What was refused until then, in seconds since 1970, is told no more.
    Cured(i64),
}

/// A workload whose pods, claims or jobs were refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedCreate {
    /// The workload.
    pub workload: Workload,
    /// What was refused, as a resource. Example: `pods`.
    pub objects: &'static str,
    /// Why, in the words of whoever refused, without names that are others at each try.
    pub cause: String,
    /// When it was refused last, in seconds since 1970.
    pub last: i64,
    /// What is known of the workload by now.
    pub seen: Seen,
}

/// Reads an event of reason `FailedCreate`; `seconds` reads a time. None for a refusal that means nothing: of two writers that
/// met, in a namespace that is being deleted, or of a workload whose name is none.
#[must_use]
pub fn read(event: &Value, seconds: impl Fn(&str) -> Option<i64>) -> Option<FailedCreate> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let times =
        [&event["series"]["lastObservedTime"], &event["lastTimestamp"], &event["eventTime"], &event["metadata"]["creationTimestamp"]];
    let message = event["message"].as_str().unwrap_or_default();
    let message = &message[..message.floor_char_boundary(LONGEST.0)];
    if message.contains("please apply your changes to the latest version") || message.contains("because it is being terminated") {
        return None;
    }
    let about = &event["involvedObject"];
    let workload = Workload {
        namespace: NamespaceName::new(text(&event["metadata"]["namespace"])),
        kind: text(&about["kind"]),
        name: text(&about["name"]),
    };
    if workload.kind.len() > LONGEST.1 || workload.name.len() > LONGEST.1 {
        return None;
    }
    let (objects, cause) = what_and_why(message);
    Some(FailedCreate {
        cause: without_random_names(cause, &workload),
        objects,
        workload,
        last: times.iter().filter_map(|time| seconds(time.as_str()?)).max().unwrap_or_default(),
        seen: Seen::NotYet,
    })
}

/// What was refused, and the words that follow after its name.
fn what_and_why(message: &str) -> (&'static str, &str) {
    // After ten messages that differ, Kubernetes puts this before the latest one.
    let (mut objects, mut rest) = ("pods", message.trim_start_matches("(combined from similar events): "));
    for (lead, refused) in [("Error creating job: ", "jobs"), ("Error creating: ", "pods")] {
        if let Some(after) = rest.strip_prefix(lead) {
            (objects, rest) = (refused, after);
        }
    }
    if let Some((lead, after)) = rest.split_once(" failed error: ").filter(|(lead, _)| lead.starts_with("create ")) {
        objects = if lead.starts_with("create Claim ") { "persistentvolumeclaims" } else { "pods" };
        rest = after;
    }
    let claims = rest.trim_start_matches('[').strip_prefix("failed to create PVC ").and_then(|after| after.split_once(": "));
    if let Some((_, after)) = claims {
        (objects, rest) = ("persistentvolumeclaims", after);
    }
    for (refused, lead) in [
        ("pods", "pods \""),
        ("pods", "Pod \""),
        ("persistentvolumeclaims", "persistentvolumeclaims \""),
        ("persistentvolumeclaims", "PersistentVolumeClaim \""),
        ("jobs", "jobs.batch \""),
        ("jobs", "Job.batch \""),
    ] {
        let Some(named) = rest.strip_prefix(lead) else { continue };
        let cause = named.split_once("\" is forbidden: ").or_else(|| named.split_once("\" is invalid: "));
        return (refused, cause.map_or(rest, |(_, cause)| cause));
    }
    (objects, rest)
}

/// The same for each try: `web-7d4f-x8k2p` becomes `web-7d4f-*`.
fn without_random_names(text: &str, workload: &Workload) -> String {
    let stem: String = format!("{}-", workload.name).chars().take(LONGEST_STEM).collect();
    let outside = |letter: char| !(letter.is_ascii_alphanumeric() || letter == '-' || letter == '.');
    let words = text.split_inclusive(outside).map(|piece| {
        let word = piece.trim_end_matches(|letter| outside(letter) || letter == '.');
        format!("{}{}", without_random_end(word, &stem), &piece[word.len()..])
    });
    let told: String = words.collect();
    let shown = workload.shown_name();
    if shown == workload.name { told } else { told.replace(&workload.name, &shown) }
}

fn without_random_end(word: &str, stem: &str) -> String {
    let is_uid = word.len() == 36 && word.split('-').map(str::len).eq([8, 4, 4, 4, 12]);
    let is_port = word.strip_suffix('-').is_some_and(|port| !port.is_empty() && port.bytes().all(|digit| digit.is_ascii_digit()));
    if is_uid || is_port {
        return if is_port { "*-".into() } else { "*".into() }; // a port as in `read tcp 10.0.0.3:51234->10.0.0.4:443`
    }
    let random = |part: &str| {
        let letters = part.len() == 5 && part.chars().all(|letter| RANDOM.contains(letter));
        !part.is_empty() && (letters || part.bytes().all(|digit| digit.is_ascii_digit()))
    };
    let ends = word.match_indices(stem).map(|(start, _)| start + stem.len());
    let end = ends.into_iter().find(|end| word[*end..].split('-').all(random));
    end.map_or_else(|| word.to_owned(), |end| format!("{}*", &word[..end]))
}

/// Whether two texts tell of the same cause: what others use of a quota meanwhile is no other cause.
#[must_use]
pub fn is_same_cause(one: &str, other: &str) -> bool {
    without_use(one) == without_use(other)
}

fn without_use(text: &str) -> Vec<&str> {
    let mut pieces = text.split(", used: ");
    let first = pieces.next();
    first.into_iter().chain(pieces.map(|piece| piece.split_once(", limited: ").map_or("", |(_, limits)| limits))).collect()
}

/// Refusals of the same kind of object for the same cause, together, in the order in which they came.
#[must_use]
pub fn by_cause<'a>(failed_creates: &[&'a FailedCreate]) -> Vec<Vec<&'a FailedCreate>> {
    let mut groups: Vec<Vec<&FailedCreate>> = Vec::new();
    for refusal in failed_creates {
        let is_same =
            |group: &&mut Vec<&FailedCreate>| group[0].objects == refusal.objects && is_same_cause(&group[0].cause, &refusal.cause);
        match groups.iter_mut().find(is_same) {
            Some(group) => group.push(refusal),
            None => groups.push(vec![refusal]),
        }
    }
    groups
}

/// What still holds at this time, of each workload the last one, in order of names.
#[must_use]
pub fn recent(failed_creates: &[FailedCreate], now: i64) -> Vec<&FailedCreate> {
    let mut recent: Vec<&FailedCreate> = failed_creates.iter().filter(|refusal| refusal.last + FAILED_CREATE_TTL > now).collect();
    recent.sort_by_cached_key(|refusal| (refusal.workload.shown(), -refusal.last, refusal.cause.clone()));
    recent.dedup_by_key(|refusal| refusal.workload.shown());
    recent
}

#[cfg(test)]
mod tests {
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
}
