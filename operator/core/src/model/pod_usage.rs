//! What a pod uses of a quota, counted as Kubernetes counts it: init containers run one after the other, sidecars go on beside the others,
//! amounts of the whole pod take the place of those of its containers, and a change of a running pod counts as the larger of both.

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

/// Adds what a pod uses. One that has ended, or has outlived the time it was given to end, uses nothing.
pub fn add(used: &mut Amounts, pod: &Value, now: Timestamp) {
    if has_ended(pod, now) {
        return;
    }
    let mut add = |key: &str, amount: Amount| {
        let sum = used.entry(key.to_owned()).or_default();
        *sum = sum.plus(amount);
    };
    add("pods", Amount::whole(1));
    for (key, part, resource) in COUNTED {
        add(key, of(pod, part, resource));
    }
}

fn has_ended(pod: &Value, now: Timestamp) -> bool {
    let metadata = &pod["metadata"];
    let deleted = metadata["deletionTimestamp"].as_str().and_then(|text| text.parse::<Timestamp>().ok());
    let given = metadata["deletionGracePeriodSeconds"].as_i64().map(SignedDuration::from_secs);
    let late = deleted.zip(given).is_some_and(|(deleted, given)| deleted.checked_add(given).is_ok_and(|end| now > end));
    late || matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"))
}

fn of(pod: &Value, part: &str, resource: &str) -> Amount {
    let spec = &pod["spec"];
    let containers = |field: &str| spec[field].as_array().into_iter().flatten();
    let states = |field: &'static str| pod["status"][field].as_array().into_iter().flatten();
    let amount = |container: &Value, field| {
        let state = states(field).find(|state| state["name"] == container["name"]);
        let actual = state.map(|state| read(&state["resources"][part][resource])).unwrap_or_default();
        // What the node has set aside for it.
        let allocated = state.filter(|_| part == "requests").map(|state| read(&state["allocatedResources"][resource])).unwrap_or_default();
        read(&container["resources"][part][resource]).max(actual).max(allocated)
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
    let of_containers = running.max(largest);
    let of_pod = &spec["resources"][part][resource];
    (if of_pod.is_null() { of_containers } else { read(of_pod) }).plus(read(&spec["overhead"][resource]))
}

fn read(value: &Value) -> Amount {
    value.as_str().and_then(|text| Amount::parse(text).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn used(pod: &Value) -> Amounts {
        let mut used = Amounts::new();
        add(&mut used, pod, "2026-11-27T12:00:00Z".parse().unwrap());
        used
    }

    fn cpu(spec: &Value) -> String {
        used(&json!({ "spec": spec }))["requests.cpu"].text("requests.cpu")
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
    fn a_change_that_the_node_has_not_made_yet_counts_as_the_larger_one() {
        let pod = |wanted: &str| {
            json!({
                "spec": { "containers": [container("a", wanted)] },
                "status": { "containerStatuses": [{ "name": "a", "allocatedResources": { "cpu": "1" },
                    "resources": { "requests": { "cpu": "1" } } }] },
            })
        };
        for (wanted, counted) in [("2", "2"), ("500m", "1")] {
            assert_eq!(used(&pod(wanted))["requests.cpu"].text("requests.cpu"), counted, "{wanted}");
        }
    }

    #[test]
    fn what_has_ended_uses_nothing() {
        let pod = |metadata: Value, phase: &str| {
            let pod = json!({ "metadata": metadata, "spec": { "containers": [container("a", "1")] }, "status": { "phase": phase } });
            used(&pod).contains_key("pods")
        };
        assert!(pod(json!({}), "Running") && pod(json!({}), "Pending"));
        assert!(!pod(json!({}), "Succeeded") && !pod(json!({}), "Failed"));
        let deleted = |at: &str| json!({ "deletionTimestamp": at, "deletionGracePeriodSeconds": 30 });
        assert!(pod(deleted("2026-11-27T11:59:45Z"), "Running"));
        assert!(!pod(deleted("2026-11-27T11:59:00Z"), "Running"));
    }
}
