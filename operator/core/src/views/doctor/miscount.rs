//! Whether a quota's status says what its pods add up to.

use serde_json::Value;

use crate::model::{
    amounts::Amount,
    pod_usage::{Usage, counts},
};

/// A quota whose figure is not the sum of the pods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Miscount {
    pub(super) namespace: String,
    pub(super) key: String,
    /// What its status says; none where it says nothing, or counts by another limit than the present one.
    pub(super) told: Option<Amount>,
    pub(super) sum: Amount,
}

impl Miscount {
    /// The namespace of the quota.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }
}

/// Compares the status of a quota with what the pods of its namespace add up to.
#[must_use]
pub fn miscounts(quota: &Value, pods: &Usage) -> Vec<Miscount> {
    let amount = |value: &Value| value.as_str().and_then(|text| Amount::parse(text).ok());
    let (hard, status) = (&quota["spec"]["hard"], &quota["status"]);
    let keys = hard.as_object().into_iter().flatten().map(|(key, _)| key).filter(|key| counts(key));
    let judged = keys.map(|key| {
        let told = amount(&status["used"][key]).filter(|_| amount(&status["hard"][key]) == amount(&hard[key]));
        let [least, most] = [&pods.least, &pods.most].map(|sums| sums.get(key).copied().unwrap_or_default());
        let namespace = quota["metadata"]["namespace"].as_str().unwrap_or_default().to_owned();
        (told.is_some_and(|told| least <= told && told <= most), Miscount { namespace, key: key.clone(), told, sum: most })
    });
    judged.filter(|(is_right, _)| !is_right).map(|(_, found)| found).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(status: &Value) -> Vec<Option<Amount>> {
        let quota = json!({ "spec": { "hard": { "pods": "4", "services": "2" } }, "status": status });
        let pods = Usage { least: [("pods".to_owned(), Amount::whole(1))].into(), most: [("pods".to_owned(), Amount::whole(2))].into() };
        miscounts(&quota, &pods).into_iter().map(|found| found.told).collect()
    }

    #[test]
    fn what_lies_between_least_and_most_is_right() {
        let told = |used: &str| found(&json!({ "hard": { "pods": "4" }, "used": { "pods": used } }));
        assert_eq!((told("1"), told("2")), (vec![], vec![]));
        assert_eq!((told("0"), told("3")), (vec![Some(Amount::ZERO)], vec![Some(Amount::whole(3))]));
    }

    #[test]
    fn a_quota_that_was_never_counted_is_not_right() {
        assert_eq!(found(&json!({})), [None]);
        assert_eq!(found(&json!({ "hard": { "pods": "3" }, "used": { "pods": "1" } })), [None]);
    }
}
