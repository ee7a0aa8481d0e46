//! What a pod uses of a quota: init containers run one after the other, sidecars go on beside the others, and amounts of the whole pod take
//! the place of those of its containers. While a running pod is being resized, and while it outlives the time that it was given to end,
//! versions of Kubernetes count differently, and later or earlier; then there is a least and a most.

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::amounts::{Amount, Amounts};

/// What is counted of a pod, by the quota's key, beside `pods` itself.
const COUNTED: [(&str, &str, &str); 6] = [
    ("requests.cpu", "requests", "cpu"),
    ("requests.memory", "requests", "memory"),
    ("requests.ephemeral-storage", "requests", "ephemeral-storage"),
    ("limits.cpu", "limits", "cpu"),
    ("limits.memory", "limits", "memory"),
    ("limits.ephemeral-storage", "limits", "ephemeral-storage"),
];

/// Whether a key of a quota counts what this file counts.
#[must_use]
pub fn counts(key: &str) -> bool {
    key == "pods" || COUNTED.iter().any(|(known, ..)| *known == key)
}

/// What pods use.
#[derive(Clone, Debug, Default)]
pub struct Usage {
    /// At least.
    pub least: Amounts,
    /// At most.
    pub most: Amounts,
}

impl Usage {
    /// Adds a pod. One that has ended uses nothing.
    pub fn add(&mut self, pod: &Value, now: Timestamp) {
        if matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed")) {
            return;
        }
        let is_late = is_late(pod, now);
        let mut add = |key: &str, least: Amount, most: Amount| {
            let least = if is_late { Amount::ZERO } else { least };
            for (amounts, amount) in [(&mut self.least, least), (&mut self.most, most)] {
                let sum = amounts.entry(key.to_owned()).or_default();
                *sum = sum.plus(amount);
            }
        };
        add("pods", Amount::whole(1), Amount::whole(1));
        for (key, part, resource) in COUNTED {
            add(key, of(pod, part, resource, Ord::min), of(pod, part, resource, Ord::max));
        }
    }
}

/// Whether a pod should have ended by now; from then on it is not counted, but nothing tells the quota controller.
fn is_late(pod: &Value, now: Timestamp) -> bool {
    let metadata = &pod["metadata"];
    let deleted = metadata["deletionTimestamp"].as_str().and_then(|text| text.parse::<Timestamp>().ok());
    let given = metadata["deletionGracePeriodSeconds"].as_i64().map(SignedDuration::from_secs);
    deleted.zip(given).is_some_and(|(deleted, given)| deleted.checked_add(given).is_ok_and(|end| now > end))
}

/// The amount of a pod; where what is wanted, what its node has set aside and what it has differ, `choose` says which of two counts.
fn of(pod: &Value, part: &str, resource: &str, choose: fn(Amount, Amount) -> Amount) -> Amount {
    let spec = &pod["spec"];
    let containers = |field: &str| spec[field].as_array().into_iter().flatten();
    let amount = |container: &Value, field: &str| {
        let states = pod["status"][field].as_array().into_iter().flatten();
        let state = states.into_iter().find(|state| state["name"] == container["name"]);
        let allocated = state.filter(|_| part == "requests").map(|state| &state["allocatedResources"][resource]);
        let told = state.map(|state| &state["resources"][part][resource]).into_iter().chain(allocated).filter(|told| told.is_string());
        told.map(read).fold(read(&container["resources"][part][resource]), choose)
    };
    let mut running = containers("containers").fold(Amount::ZERO, |sum, container| sum.plus(amount(container, "containerStatuses")));
    let (mut sidecars, mut largest) = (Amount::ZERO, Amount::ZERO);
    for container in containers("initContainers") {
        let own = amount(container, "initContainerStatuses");
        if container["restartPolicy"] == "Always" {
            sidecars = sidecars.plus(own);
            running = running.plus(own);
            largest = largest.max(sidecars);
        } else {
            largest = largest.max(sidecars.plus(own));
        }
    }
    let of_pod = &spec["resources"][part][resource];
    let counted = if of_pod.is_null() { running.max(largest) } else { read(of_pod) };
    // Where there is no limit, overhead makes none.
    let overhead = if part == "limits" && counted == Amount::ZERO { Amount::ZERO } else { read(&spec["overhead"][resource]) };
    counted.plus(overhead)
}

fn read(value: &Value) -> Amount {
    value.as_str().and_then(|text| Amount::parse(text).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn used(pod: &Value) -> Usage {
        let mut used = Usage::default();
        used.add(pod, "2026-11-27T12:00:00Z".parse().unwrap());
        used
    }

    /// At least and at most.
    fn bounds(pod: &Value, key: &str) -> [String; 2] {
        let used = used(pod);
        [used.least, used.most].map(|amounts| amounts[key].text(key))
    }

    fn cpu(spec: &Value) -> String {
        let [least, most] = bounds(&json!({ "spec": spec }), "requests.cpu");
        assert_eq!(least, most);
        least
    }

    fn container(name: &str, cpu: &str) -> Value {
        json!({ "name": name, "resources": { "requests": { "cpu": cpu } } })
    }

    #[test]
    fn containers_add_up_and_the_largest_init_container_counts_where_it_is_larger() {
        let both = json!([container("a", "100m"), container("b", "200m")]);
        assert_eq!(cpu(&json!({ "containers": both })), "300m");
        assert_eq!(cpu(&json!({ "containers": both, "initContainers": [container("i", "250m")] })), "300m");
        assert_eq!(cpu(&json!({ "containers": both, "initContainers": [container("i", "1"), container("j", "2")] })), "2");
    }

    #[test]
    fn sidecars_run_beside_all_that_comes_after_them() {
        let mut sidecar = container("s", "500m");
        sidecar["restartPolicy"] = json!("Always");
        let app = json!([container("a", "100m")]);
        assert_eq!(cpu(&json!({ "containers": app, "initContainers": [sidecar] })), "600m");
        assert_eq!(cpu(&json!({ "containers": app, "initContainers": [sidecar, container("i", "1")] })), "1500m");
        assert_eq!(cpu(&json!({ "containers": app, "initContainers": [container("i", "1"), sidecar] })), "1");
    }

    #[test]
    fn amounts_of_the_pod_and_its_overhead_count() {
        let app = json!([container("a", "100m")]);
        assert_eq!(cpu(&json!({ "containers": app, "overhead": { "cpu": "50m" } })), "150m");
        assert_eq!(cpu(&json!({ "containers": app, "resources": { "requests": { "cpu": "2" } } })), "2");
    }

    #[test]
    fn overhead_makes_no_limit() {
        let limited =
            |limits: Value| json!({ "spec": { "containers": [{ "resources": { "limits": limits } }], "overhead": { "cpu": "50m" } } });
        assert_eq!(bounds(&limited(json!({})), "limits.cpu"), ["0", "0"]);
        assert_eq!(bounds(&limited(json!({ "cpu": "1" })), "limits.cpu"), ["1050m", "1050m"]);
    }

    #[test]
    fn while_it_is_resized_a_pod_counts_as_the_one_or_the_other() {
        let pod = |wanted: &str| {
            json!({
                "spec": { "containers": [container("a", wanted)] },
                "status": { "containerStatuses": [{ "name": "a", "allocatedResources": { "cpu": "1" },
                    "resources": { "requests": { "cpu": "1" } } }] },
            })
        };
        for (wanted, counted) in [("2", ["1", "2"]), ("500m", ["500m", "1"]), ("1", ["1", "1"])] {
            assert_eq!(bounds(&pod(wanted), "requests.cpu"), counted, "{wanted}");
        }
    }

    #[test]
    fn what_has_ended_uses_nothing_and_what_should_have_may_be_counted() {
        let pods = |metadata: Value, phase: &str| {
            let used = used(&json!({ "metadata": metadata, "spec": { "containers": [] }, "status": { "phase": phase } }));
            [used.least, used.most].map(|amounts| amounts.get("pods").copied().unwrap_or_default().text("pods"))
        };
        for (phase, counted) in [("Running", "1"), ("Pending", "1"), ("Succeeded", "0"), ("Failed", "0")] {
            assert_eq!(pods(json!({}), phase), [counted, counted], "{phase}");
        }
        let deleted = |at: &str| json!({ "deletionTimestamp": at, "deletionGracePeriodSeconds": 30 });
        assert_eq!(pods(deleted("2026-11-27T11:59:45Z"), "Running"), ["1", "1"]);
        assert_eq!(pods(deleted("2026-11-27T11:59:00Z"), "Running"), ["0", "1"]);
    }
}
