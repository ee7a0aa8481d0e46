//! What became of the changes: the status is judged from this, not from what was wished.

use std::{collections::BTreeMap, time::Duration};

use crate::{api::conditions::reason, model::names::NamespaceName};

/// Results by namespace.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// One entry for each namespace of the plan.
    pub namespaces: BTreeMap<NamespaceName, NamespaceOutcome>,
}

/// Results in one namespace.
#[derive(Clone, Debug, Default)]
pub struct NamespaceOutcome {
    /// Number of objects written.
    pub written: usize,
    /// What could not be done.
    pub failures: Vec<Failure>,
    /// What became of objects that members wrote.
    pub removed: Vec<Removed>,
}

/// An object that members wrote, and what the operator did to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removed {
    /// Its row of the table of children.
    pub kind: usize,
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// What was done.
    pub fate: Fate,
    /// Why, and what to do about it.
    pub cause: String,
}

/// What the operator did to an object that members wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It was deleted.
    Deleted,
    /// It stays and has no effect.
    Disabled,
    /// It has effect again.
    Restored,
}

/// One child that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Its kind. Example: `NetworkPolicy`.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// Cause in one word, a reason of a condition.
    pub reason: &'static str,
    /// Cause in a sentence, with what to do about it.
    pub message: String,
    /// Whether waiting is useless.
    pub stalled: bool,
    /// Whether it is only that the object was written by another meanwhile.
    pub stale: bool,
    /// How long to wait at least before the next try.
    pub retry_after: Option<Duration>,
}

impl Failure {
    /// The whole of it for people: which object, where, and why.
    #[must_use]
    pub fn sentence(&self, namespace: &NamespaceName) -> String {
        match self.kind {
            "Namespace" if self.reason != reason::CONTESTED => self.message.clone(),
            "Namespace" => format!("Namespace {namespace}: {}", self.message),
            kind if namespace.is_cluster() => format!("{kind} {}: {}", self.name, self.message),
            kind => format!("{kind} {} in {namespace}: {}", self.name, self.message),
        }
    }
}

impl Outcome {
    /// Adds what else is to be told; what happened last is told first.
    pub fn add(&mut self, done: Self) {
        for (namespace, done) in done.namespaces {
            let told = self.namespaces.entry(namespace).or_default();
            told.written += done.written;
            told.failures.splice(..0, done.failures);
            told.removed.extend(done.removed);
        }
    }

    /// The first failure in a namespace; namespaces that were not touched have none.
    #[must_use]
    pub fn failure(&self, namespace: &NamespaceName) -> Option<&Failure> {
        self.namespaces.get(namespace)?.failures.first()
    }

    /// How long to wait at least before the next try.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.namespaces.values().flat_map(|space| &space.failures).filter_map(|failure| failure.retry_after).max()
    }

    /// Number of objects written.
    #[must_use]
    pub fn written(&self) -> usize {
        self.namespaces.values().map(|space| space.written).sum()
    }

    /// Whether all that failed did so because another wrote meanwhile: the next look sees it as it is now.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        let mut failures = self.namespaces.values().flat_map(|space| &space.failures);
        self.failed() && failures.all(|failure| failure.stale)
    }

    /// Whether anything failed. All failures are tried again, ever less often: what stalls may be cured elsewhere.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.namespaces.values().any(|space| !space.failures.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(kind: &'static str, stale: bool, retry_after: Option<u64>) -> Failure {
        let (reason, message) = ("Forbidden", "no".to_owned());
        Failure { kind, name: "x".into(), reason, message, stalled: false, stale, retry_after: retry_after.map(Duration::from_secs) }
    }

    fn outcome(of_namespaces: &[(usize, &[Failure])]) -> Outcome {
        let outcome = |(index, (written, failures)): (usize, &(usize, &[Failure]))| {
            let outcome = NamespaceOutcome { written: *written, failures: failures.to_vec(), removed: Vec::new() };
            (NamespaceName::new(format!("n{index}")), outcome)
        };
        Outcome { namespaces: of_namespaces.iter().enumerate().map(outcome).collect() }
    }

    #[test]
    fn a_failure_says_which_object_could_not_be_written_and_where() {
        let sentence = |kind, namespace: &NamespaceName| failure(kind, false, None).sentence(namespace);
        let namespace = NamespaceName::new("health");
        assert_eq!(sentence("Namespace", &namespace), "no");
        let contested = Failure { reason: "Contested", ..failure("Namespace", false, None) };
        assert_eq!(contested.sentence(&namespace), "Namespace health: no");
        assert_eq!(sentence("RoleBinding", &namespace), "RoleBinding x in health: no");
        assert_eq!(sentence("ClusterRole", &NamespaceName::cluster()), "ClusterRole x: no");
    }

    #[test]
    fn what_happened_last_is_told_first() {
        let [first, last] = ["LimitRange", "RoleBinding"].map(|kind| failure(kind, false, None));
        let mut told = outcome(&[(1, std::slice::from_ref(&first))]);
        told.add(outcome(&[(2, std::slice::from_ref(&last)), (1, &[])]));
        assert_eq!(told.namespaces[&NamespaceName::new("n0")].failures, [last, first]);
        assert_eq!(told.written(), 4, "what was written is counted together");
    }

    #[test]
    fn an_outcome_is_that_of_all_namespaces_together() {
        let nothing = outcome(&[]);
        assert_eq!((nothing.written(), nothing.failed(), nothing.is_stale(), nothing.retry_after()), (0, false, false, None));
        let [fresh, stale] = [false, true].map(|stale| failure("LimitRange", stale, Some(if stale { 5 } else { 3 })));
        let mixed = outcome(&[(2, std::slice::from_ref(&stale)), (3, std::slice::from_ref(&fresh))]);
        assert_eq!(
            (mixed.written(), mixed.failed(), mixed.is_stale(), mixed.retry_after()),
            (5, true, false, Some(Duration::from_secs(5)))
        );
        assert!(outcome(&[(2, std::slice::from_ref(&stale)), (0, &[])]).is_stale());
        let of = |index: usize| mixed.failure(&NamespaceName::new(format!("n{index}")));
        assert_eq!((of(0), of(1), of(2)), (Some(&stale), Some(&fresh), None));
    }
}
