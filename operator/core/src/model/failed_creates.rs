//! Workloads whose pods, claims or jobs the API server refuses to create: told by Kubernetes' own controllers in events, and by
//! nothing else. Each try is told of with other random names; here the same cause always has the same words.

use std::cmp::Reverse;

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
    /// The version at which that was told: of the same second, the higher one is the later.
    pub version: u64,
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
        version: event["metadata"]["resourceVersion"].as_str().and_then(|text| text.parse().ok()).unwrap_or_default(),
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
    recent.sort_by_cached_key(|refusal| (refusal.workload.shown(), Reverse((refusal.last, refusal.version))));
    recent.dedup_by_key(|refusal| refusal.workload.shown());
    recent
}

#[cfg(test)]
mod tests;
