//! Defaults for containers that do not say what they need: without them the quota would refuse such pods.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::kind::{Build, Kind, Rank, WriteMode};
use crate::{
    api::Quantity,
    model::{amounts::Amount, names::LIMIT_RANGE, namespace::ChildInput},
};

pub(super) static KIND: Kind = Kind {
    group: "",
    version: "v1",
    kind: "LimitRange",
    plural: "limitranges",
    rank: Rank::Isolation,
    isolates: false,
    write: WriteMode::Replace,
    build: Build::Inside(build),
    content,
    observe: None,
    initial_status: None,
    without_new_subjects: None,
    exposes: None,
};

/// Ephemeral storage of a container that states none, where the agency's total counts it: room for logs and temporary files.
const SCRATCH_REQUEST: &str = "64Mi";
/// The most that such a container may write.
const SCRATCH_LIMIT: &str = "512Mi";

fn build(input: &ChildInput) -> Vec<Value> {
    let quantities = |pairs: &[(&'static str, Quantity)]| -> BTreeMap<&'static str, String> {
        pairs.iter().map(|(resource, quantity)| (*resource, canonical(resource, quantity.as_str()))).collect()
    };
    let defaults = &input.tenant.defaults;
    // Where the quota counts it, a container that states none would go uncounted, beside ones that are.
    let counted = |key: &str| input.hard.get(key).is_some_and(|amount| *amount > Amount::ZERO);
    let scratch = |key: &str, amount: &str| counted(key).then(|| ("ephemeral-storage", Quantity(amount.to_owned())));
    let requests: Vec<_> = defaults.requests.iter().cloned().chain(scratch("requests.ephemeral-storage", SCRATCH_REQUEST)).collect();
    let limits: Vec<_> = defaults.limits.iter().cloned().chain(scratch("limits.ephemeral-storage", SCRATCH_LIMIT)).collect();
    vec![json!({
        "metadata": { "name": LIMIT_RANGE },
        "spec": { "limits": [{
            "type": "Container",
            "default": quantities(&limits),
            "defaultRequest": quantities(&requests),
        }] },
    })]
}

fn content(object: &Value) -> Value {
    let mut spec = object["spec"].clone();
    let quantities = spec.pointer_mut("/limits").and_then(Value::as_array_mut).into_iter().flatten();
    for quantities in quantities.filter_map(Value::as_object_mut).flat_map(|item| item.values_mut()).filter_map(Value::as_object_mut) {
        for (resource, text) in quantities {
            *text = json!(canonical(resource, text.as_str().unwrap_or_default()));
        }
    }
    spec
}

fn canonical(resource: &str, text: &str) -> String {
    Amount::parse(text).map_or_else(|_| text.to_owned(), |amount| amount.text(resource))
}
