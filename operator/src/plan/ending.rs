//! Pods that keep a namespace from being deleted, or a system from being retired. Pure: the pods and the time are arguments.
//!
//! Kubernetes deletes the pods of a namespace first and says nothing of them in its conditions; and a quota no longer counts a pod that
//! should have ended. So they are listed.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{
    api::Stage,
    names::NamespaceName,
    plan::{Goal, Plan, SpacePlan, owner::namespace_entry, snapshot::Snapshot},
};

/// Seconds after which a deletion is looked into, and that pass between two lists.
pub const INTERVAL: i64 = 10;

/// The pods that were left in a namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ending {
    /// When they were listed, in seconds since 1970.
    pub looked: i64,
    /// How many there were; none where they could not be listed.
    pub pods: Option<usize>,
    /// Their finalizers, each with the number of pods that have it.
    pub finalizers: BTreeMap<String, usize>,
}

impl Ending {
    /// When to look again, in seconds since 1970; none when no pod is left.
    #[must_use]
    pub fn again(&self) -> Option<i64> {
        (self.pods != Some(0)).then_some(self.looked + INTERVAL)
    }

    /// How many pods are left, and what holds them; none where none are left, or nobody knows.
    #[must_use]
    pub fn words(&self) -> Option<String> {
        let pods = self.pods.filter(|pods| *pods > 0)?;
        let pods = if pods == 1 { "1 pod remains".to_owned() } else { format!("{pods} pods remain") };
        let held: Vec<String> = self.finalizers.iter().map(|(finalizer, pods)| format!("{finalizer} in {pods}")).collect();
        let held = if held.is_empty() { ", without finalizers".to_owned() } else { format!("; finalizers remaining: {}", held.join(", ")) };
        Some(format!("{pods}{held}"))
    }

    /// Whether Kubernetes removes all of the finalizers itself, as a rule.
    #[must_use]
    pub fn is_of_kubernetes(&self) -> bool {
        self.finalizers.keys().all(|finalizer| is_of_kubernetes(finalizer))
    }
}

/// Whether a finalizer is one of Kubernetes' own.
#[must_use]
pub fn is_of_kubernetes(finalizer: &str) -> bool {
    let domain = finalizer.split_once('/').map_or("", |(domain, _)| domain);
    domain.is_empty() || domain == "kubernetes.io" || domain.ends_with(".kubernetes.io")
}

/// What a list of pods says.
#[must_use]
pub fn read<'a>(pods: impl Iterator<Item = &'a Value>, looked: i64) -> Ending {
    let mut ending = Ending { looked, pods: Some(0), ..Ending::default() };
    for pod in pods {
        ending.pods = ending.pods.map(|pods| pods + 1);
        for finalizer in pod["metadata"]["finalizers"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            *ending.finalizers.entry(finalizer.to_owned()).or_default() += 1;
        }
    }
    ending
}

/// Namespaces whose pods are to have ended, each with whether they are to be listed now.
#[must_use]
pub fn required(snapshot: &Snapshot, plan: &Plan, now: i64) -> Vec<(NamespaceName, bool)> {
    let ending = plan.spaces.iter().filter(|space| must_be_empty(snapshot, space, now));
    let due = |namespace: &NamespaceName| snapshot.ending.get(namespace).is_none_or(|known| known.again().is_some_and(|time| time <= now));
    ending.map(|space| (space.namespace.clone(), due(&space.namespace))).collect()
}

fn must_be_empty(snapshot: &Snapshot, space: &SpacePlan, now: i64) -> bool {
    let Some(entry) = namespace_entry(&snapshot.observed, &space.namespace) else { return false };
    if entry.deleting {
        return entry.remaining.as_ref().is_some_and(|remaining| remaining.messages.is_empty() && now >= remaining.since + INTERVAL);
    }
    let Some(system) = space.system.as_ref().filter(|_| space.goal == Goal::Close && space.drained) else { return false };
    // Before a system is told to be retired.
    snapshot.systems.iter().any(|root| root.name == system.as_str() && root.status.stage.is_some_and(|stage| stage != Stage::Retired))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn pods_are_counted_with_their_finalizers_until_none_is_left() {
        let pod = |finalizers: Value| json!({ "metadata": { "finalizers": finalizers } });
        let told = |pods: &[Value]| read(pods.iter(), 100);
        let held = told(&[pod(json!(["example.com/a", "example.com/b"])), pod(json!(["example.com/a"])), pod(Value::Null)]);
        let words = "3 pods remain; finalizers remaining: example.com/a in 2, example.com/b in 1";
        assert_eq!((held.words().as_deref(), held.again(), held.is_of_kubernetes()), (Some(words), Some(100 + INTERVAL), false));
        let silent = told(&[pod(Value::Null)]);
        assert_eq!((silent.words().as_deref(), silent.is_of_kubernetes()), (Some("1 pod remains, without finalizers"), true));
        let job = told(&[pod(json!(["batch.kubernetes.io/job-tracking"]))]);
        assert!(job.is_of_kubernetes());
        assert_eq!((told(&[]).words(), told(&[]).again()), (None, None));
        assert_eq!((Ending::default().words(), Ending::default().again()), (None, Some(INTERVAL)), "they could not be listed");
    }
}
