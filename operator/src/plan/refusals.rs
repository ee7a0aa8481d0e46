//! Workloads whose pods the API server refuses to create: told by Kubernetes' own controllers in events, and by nothing else.

use serde_json::Value;

/// A controller tries again at the latest after 1000 s. What it has not said for so long no longer holds.
pub const LASTS: i64 = 20 * 60;

/// A workload whose pods were refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Kind and name of the workload. Example: `ReplicaSet web-5d4f`.
    pub workload: String,
    /// Why, in the words of whoever refused.
    pub cause: String,
    /// When it was refused last, in seconds since 1970.
    pub last: i64,
}

/// Reads an event of reason `FailedCreate`; `seconds` reads a time.
#[must_use]
pub fn read(event: &Value, seconds: impl Fn(&str) -> Option<i64>) -> Refusal {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let times =
        [&event["series"]["lastObservedTime"], &event["lastTimestamp"], &event["eventTime"], &event["metadata"]["creationTimestamp"]];
    let message = text(&event["message"]);
    // Before this stands the name of a pod, which is another at each try.
    let cause = message.split_once("is forbidden: ").map_or(message.as_str(), |(_, cause)| cause).to_owned();
    Refusal {
        workload: format!("{} {}", text(&event["involvedObject"]["kind"]), text(&event["involvedObject"]["name"])),
        cause,
        last: times.iter().filter_map(|time| seconds(time.as_str()?)).max().unwrap_or_default(),
    }
}

/// What still holds at this time, of each workload the last one, in order of names.
#[must_use]
pub fn standing(refusals: &[Refusal], now: i64) -> Vec<&Refusal> {
    let mut standing: Vec<&Refusal> = refusals.iter().filter(|refusal| refusal.last + LASTS > now).collect();
    standing.sort_by_key(|refusal| (&refusal.workload, -refusal.last, &refusal.cause));
    standing.dedup_by_key(|refusal| &refusal.workload);
    standing
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(name: &str, pod: &str, last: &str) -> Value {
        json!({
            "involvedObject": { "kind": "ReplicaSet", "name": name },
            "message": format!("Error creating: pods \"{pod}\" is forbidden: rule images: no"),
            "lastTimestamp": last,
            "eventTime": null,
        })
    }

    #[test]
    fn a_refusal_is_told_once_a_workload_and_only_while_it_holds() {
        let seconds = |text: &str| text.parse().ok();
        let refusals: Vec<_> = [("web", "web-1", "100"), ("web", "web-2", "200"), ("db", "db-1", "50")]
            .map(|(name, pod, last)| read(&event(name, pod, last), seconds))
            .into();
        let told = |now| standing(&refusals, now).iter().map(|refusal| (refusal.workload.as_str(), refusal.last)).collect::<Vec<_>>();
        assert_eq!(told(200), [("ReplicaSet db", 50), ("ReplicaSet web", 200)]);
        assert_eq!(told(50 + LASTS), [("ReplicaSet web", 200)]);
        assert_eq!(told(200 + LASTS), []);
        assert_eq!(refusals[0].cause, "rule images: no", "the pod's name, another at each try, is left out");
    }
}
