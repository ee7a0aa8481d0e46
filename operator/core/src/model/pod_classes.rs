//! What the cluster's priority and runtime classes put into pods, in the form that the guard rails read. A pod or template that
//! writes the same itself is as one that leaves it to the API server.

use std::collections::BTreeMap;

use serde_json::Value;

/// The cluster's classes, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodClasses {
    /// Priority classes that are the cluster's default, with their values. There is one, but for a moment.
    pub default_priorities: BTreeMap<String, i64>,
    /// What each runtime class says of scheduling.
    pub runtimes: BTreeMap<String, Scheduling>,
}

/// Where the pods of a runtime class go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scheduling {
    /// Labels of nodes, each as `key=value`.
    pub nodes: Vec<String>,
    /// Tolerations, each as key, operator, value and effect, separated by blanks.
    pub tolerations: Vec<String>,
}

impl PodClasses {
    /// The priority class of pods that name none: of several the lowest, as the API server chooses.
    #[must_use]
    pub fn default_priority(&self) -> Option<&str> {
        self.default_priorities.iter().min_by_key(|(_, value)| **value).map(|(name, _)| name.as_str())
    }

    /// Of these runtime classes, a line each that their name begins: nodes or tolerations.
    #[must_use]
    pub fn lines(&self, granted: &[String], of: impl Fn(&Scheduling) -> &[String]) -> Vec<String> {
        let known = granted.iter().filter_map(|name| self.runtimes.get_key_value(name));
        known.flat_map(|(name, scheduling)| of(scheduling).iter().map(move |line| format!("{name} {line}"))).collect()
    }
}

/// The value of a `PriorityClass`, if it is the cluster's default.
#[must_use]
pub fn default_value(class: &Value) -> Option<i64> {
    class["value"].as_i64().filter(|_| class["globalDefault"] == true)
}

/// What a `RuntimeClass` says of scheduling.
#[must_use]
pub fn scheduling(class: &Value) -> Scheduling {
    let nodes = class["scheduling"]["nodeSelector"].as_object().into_iter().flatten();
    let tolerations = class["scheduling"]["tolerations"].as_array().into_iter().flatten();
    Scheduling {
        nodes: nodes.map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default())).collect(),
        tolerations: tolerations.map(toleration).collect(),
    }
}

fn toleration(toleration: &Value) -> String {
    let field = |name: &str| toleration[name].as_str();
    let operator = field("operator").filter(|operator| !operator.is_empty()).unwrap_or("Equal");
    let [key, value, effect] = ["key", "value", "effect"].map(|name| field(name).unwrap_or_default());
    format!("{key} {operator} {value} {effect}")
}
