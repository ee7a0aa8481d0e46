//! Pods that were left in a namespace that is to have none.

use std::collections::BTreeMap;

use serde_json::Value;

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
    pub fn look_again_at(&self) -> Option<i64> {
        (self.pods != Some(0)).then_some(self.looked + INTERVAL)
    }

    /// How many pods are left, and what holds them; none where none are left, or nobody knows.
    #[must_use]
    pub fn words(&self) -> Option<String> {
        let pods = self.pods.filter(|pods| *pods > 0)?;
        let pods = if pods == 1 { "1 pod remains".to_owned() } else { format!("{pods} pods remain") };
        let held: Vec<String> = self.finalizers.iter().map(|(finalizer, pods)| format!("{finalizer} in {pods}")).collect();
        Some(if held.is_empty() {
            format!("{pods}, without finalizers")
        } else {
            format!("{pods}; finalizers remaining: {}", held.join(", "))
        })
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
        assert_eq!((held.words().as_deref(), held.look_again_at(), held.is_of_kubernetes()), (Some(words), Some(100 + INTERVAL), false));
        let silent = told(&[pod(Value::Null)]);
        assert_eq!((silent.words().as_deref(), silent.is_of_kubernetes()), (Some("1 pod remains, without finalizers"), true));
        let job = told(&[pod(json!(["batch.kubernetes.io/job-tracking"]))]);
        assert!(job.is_of_kubernetes());
        assert_eq!((told(&[]).words(), told(&[]).look_again_at()), (None, None));
        assert_eq!((Ending::default().words(), Ending::default().look_again_at()), (None, Some(INTERVAL)), "they could not be listed");
    }
}
