//! Whether a workload whose pods were refused has by now what it asks for. Pure: the object is an argument.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::jiff::Timestamp;
use serde_json::Value;

use crate::model::{failed_creates::Workload, names::TenantName};

/// Kinds of workloads that can be looked at: API group, kind and resource.
pub const KINDS: [(&str, &str, &str); 6] = [
    ("", "ReplicationController", "replicationcontrollers"),
    ("apps", "DaemonSet", "daemonsets"),
    ("apps", "ReplicaSet", "replicasets"),
    ("apps", "StatefulSet", "statefulsets"),
    ("batch", "CronJob", "cronjobs"),
    ("batch", "Job", "jobs"),
];

/// Schedules of a `CronJob` are at least a minute apart: one that began this long before the refusal is the refused one.
const SCHEDULE_TOLERANCE: i64 = 50;

/// So many of the workloads that no tenant has another one among them before each has one, then a second one, and so on; and the rest.
#[must_use]
pub fn fairly(workloads: BTreeSet<Workload>, most: usize) -> (Vec<Workload>, Vec<Workload>) {
    let mut of_tenant: BTreeMap<TenantName, usize> = BTreeMap::new();
    let turn = |workload: Workload| {
        let turn = of_tenant.entry(workload.namespace.tenant()).or_default();
        *turn += 1;
        (*turn, workload)
    };
    let mut by_turn: Vec<(usize, Workload)> = workloads.into_iter().map(turn).collect();
    by_turn.sort();
    let mut chosen: Vec<Workload> = by_turn.into_iter().map(|(_, workload)| workload).collect();
    let rest = chosen.split_off(most.min(chosen.len()));
    (chosen, rest)
}

/// Whether the workload lacks nothing any more; it was last refused at `last`, in seconds since 1970.
#[must_use]
pub fn is_cured(kind: &str, object: &Value, last: i64) -> bool {
    if object["metadata"].get("deletionTimestamp").is_some_and(|time| !time.is_null()) {
        return true;
    }
    let (spec, status) = (&object["spec"], &object["status"]);
    let seen = status["observedGeneration"].as_i64() == object["metadata"]["generation"].as_i64();
    let number = |value: &Value| value.as_i64().unwrap_or_default();
    let wanted = spec["replicas"].as_i64().unwrap_or(1);
    match kind {
        "DaemonSet" => seen && number(&status["currentNumberScheduled"]) >= number(&status["desiredNumberScheduled"]),
        "Job" => has_its_pods(spec, status),
        "CronJob" => {
            let time: Option<Timestamp> = status["lastScheduleTime"].as_str().and_then(|text| text.parse().ok());
            spec["suspend"] == true || time.is_some_and(|time| time.as_second() + SCHEDULE_TOLERANCE >= last)
        }
        _ => seen && number(&status["replicas"]) >= wanted,
    }
}

/// Which revision of its `Deployment` a `ReplicaSet` is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision {
    /// UID of the `Deployment`.
    owner: String,
    number: i64,
}

impl Revision {
    /// Reads it; none of other workloads.
    #[must_use]
    pub fn read(object: &Value) -> Option<Self> {
        let metadata = &object["metadata"];
        let number = metadata["annotations"]["deployment.kubernetes.io/revision"].as_str()?.parse().ok()?;
        let owners = metadata["ownerReferences"].as_array().into_iter().flatten();
        let owner = owners.into_iter().find(|owner| owner["controller"] == true)?["uid"].as_str()?.to_owned();
        Some(Self { owner, number })
    }

    /// Whether a later revision takes its place: then nobody waits for its pods any more.
    #[must_use]
    pub fn is_replaced_by(&self, other: &Self) -> bool {
        self.owner == other.owner && self.number < other.number
    }
}

fn has_its_pods(spec: &Value, status: &Value) -> bool {
    let conditions = status["conditions"].as_array().into_iter().flatten();
    let over = |condition: &Value| matches!(condition["type"].as_str(), Some("Complete" | "Failed")) && condition["status"] == "True";
    let parallel = spec["parallelism"].as_i64().unwrap_or(1);
    let left = spec["completions"].as_i64().map_or(parallel, |all| all - status["succeeded"].as_i64().unwrap_or_default());
    conditions.into_iter().any(over) || spec["suspend"] == true || status["active"].as_i64().unwrap_or_default() >= parallel.min(left)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::names::NamespaceName;

    #[test]
    fn no_tenant_takes_the_place_of_another() {
        let workload = |namespace: &str, name: &str| Workload {
            namespace: NamespaceName::new(namespace),
            kind: "ReplicaSet".into(),
            name: name.into(),
        };
        let many = (0..9).map(|number| workload("big--web", &number.to_string()));
        let small = [workload("tiny--web", "a"), workload("tiny--web", "b"), workload("tiny--db", "c"), workload("wee--web", "z")];
        let all: BTreeSet<Workload> = many.chain(small.clone()).collect();
        let (chosen, rest) = fairly(all.clone(), 9);
        let of = |tenant: &str| chosen.iter().filter(|workload| workload.namespace.tenant().as_str() == tenant).count();
        assert_eq!(["big", "tiny", "wee"].map(of), [5, 3, 1]);
        assert_eq!((rest.len(), fairly(all, 100).1.len()), (4, 0));
        assert!(small.iter().all(|workload| chosen.contains(workload)));
    }

    #[test]
    fn a_replica_set_is_replaced_by_a_later_revision_of_the_same_deployment() {
        let revision = |owner: &str, number: &str| {
            let owners = json!([{ "uid": "other", "controller": false }, { "uid": owner, "controller": true }]);
            let annotations = json!({ "deployment.kubernetes.io/revision": number });
            Revision::read(&json!({ "metadata": { "ownerReferences": owners, "annotations": annotations } }))
        };
        let second = revision("web", "2").unwrap();
        for (owner, number, is_replaced) in [("web", "10", true), ("web", "2", false), ("web", "1", false), ("db", "10", false)] {
            assert_eq!(second.is_replaced_by(&revision(owner, number).unwrap()), is_replaced, "{owner} {number}");
        }
        assert_eq!((revision("web", "x"), Revision::read(&json!({ "metadata": {} }))), (None, None));
    }

    #[test]
    fn a_workload_is_cured_when_it_has_what_it_asks_for() {
        let last = "2026-03-01T12:00:10Z".parse::<Timestamp>().unwrap().as_second();
        let object = |spec: &Value, status: &Value| json!({ "metadata": { "generation": 2 }, "spec": spec, "status": status });
        let cases = [
            ("ReplicaSet", json!({"replicas": 2}), json!({"observedGeneration": 2, "replicas": 1}), false),
            ("ReplicaSet", json!({"replicas": 2}), json!({"observedGeneration": 2, "replicas": 2}), true),
            ("ReplicaSet", json!({"replicas": 2}), json!({"observedGeneration": 1, "replicas": 2}), false),
            ("ReplicaSet", json!({"replicas": 0}), json!({"observedGeneration": 2, "replicas": 0}), true),
            ("ReplicationController", json!({"replicas": 1}), json!({"observedGeneration": 2}), false),
            ("StatefulSet", json!({"replicas": 3}), json!({"observedGeneration": 2, "replicas": 3}), true),
            ("DaemonSet", json!({}), json!({"observedGeneration": 2, "currentNumberScheduled": 1, "desiredNumberScheduled": 2}), false),
            ("DaemonSet", json!({}), json!({"observedGeneration": 2, "currentNumberScheduled": 2, "desiredNumberScheduled": 2}), true),
            ("Job", json!({"parallelism": 2, "completions": 4}), json!({"active": 1, "succeeded": 1}), false),
            ("Job", json!({"parallelism": 2, "completions": 4}), json!({"active": 2, "succeeded": 1}), true),
            ("Job", json!({"parallelism": 2, "completions": 4}), json!({"active": 1, "succeeded": 3}), true),
            ("Job", json!({"parallelism": 2}), json!({"conditions": [{"type": "Failed", "status": "True"}]}), true),
            ("Job", json!({"parallelism": 3, "completions": 6}), json!({"active": 1, "succeeded": 4}), false),
            ("Job", json!({"parallelism": 3, "completions": 6}), json!({"active": 2, "succeeded": 4}), true),
            ("Job", json!({"parallelism": 2}), json!({"conditions": [{"type": "Failed", "status": "False"}]}), false),
            ("Job", json!({"parallelism": 2}), json!({"conditions": [{"type": "Suspended", "status": "True"}]}), false),
            ("Job", json!({"suspend": true}), json!({}), true),
            ("CronJob", json!({}), json!({}), false),
            ("CronJob", json!({}), json!({"lastScheduleTime": "2026-03-01T11:59:00Z"}), false),
            ("CronJob", json!({}), json!({"lastScheduleTime": "2026-03-01T12:00:00Z"}), true),
            ("CronJob", json!({"suspend": true}), json!({}), true),
        ];
        for (kind, spec, status, cured) in cases {
            assert_eq!(is_cured(kind, &object(&spec, &status), last), cured, "{kind} {spec} {status}");
        }
        let going = json!({ "metadata": { "generation": 2, "deletionTimestamp": "2026-03-01T12:00:00Z" }, "spec": { "replicas": 2 } });
        assert!(is_cured("ReplicaSet", &going, last));
    }
}
