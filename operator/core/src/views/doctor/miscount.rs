//! Whether a quota's status says what its pods add up to.

use serde_json::Value;

use crate::model::{
    amounts::{Amount, Amounts},
    pod_usage::counts,
};

/// A quota whose figure is not the sum of the pods.
pub struct Miscount {
    pub(super) namespace: String,
    pub(super) key: String,
    pub(super) told: Amount,
    pub(super) sum: Amount,
}

/// Compares the status of a quota with what the pods of its namespace add up to.
#[must_use]
pub fn miscounts(quota: &Value, sums: &Amounts) -> Vec<Miscount> {
    let used = quota["status"]["used"].as_object().into_iter().flatten().filter(|(key, _)| counts(key));
    let compared = used.map(|(key, told)| Miscount {
        namespace: quota["metadata"]["namespace"].as_str().unwrap_or_default().to_owned(),
        key: key.clone(),
        told: told.as_str().and_then(|text| Amount::parse(text).ok()).unwrap_or_default(),
        sum: sums.get(key).copied().unwrap_or_default(),
    });
    compared.filter(|found| found.told != found.sum).collect()
}
