//! Types that both kinds share: quantities, resources, deletion, conditions.

use std::{borrow::Cow, collections::BTreeMap};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// Characters of all names in `allow` together. They are stored twice on the agency's home namespace, whose annotations are bounded.
pub const MAX_CHARACTERS: usize = 32_768;

/// Keys of a share without which no pod of it is admitted: the others of a pod's keys follow them, or are for those who name them.
pub const NEEDED_BY_PODS: [&str; 3] = ["pods", "requests.cpu", "requests.memory"];

/// What is wrong with a share that leaves out what each pod uses.
pub const WITHOUT_PODS: &str = "so no pod can run with this share; name at least pods, requests.cpu and requests.memory, or nothing at all";

/// A Kubernetes quantity, as text (`500m`, `160Gi`) or as a whole number (`400`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Quantity(pub String);

impl Quantity {
    /// The text as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "a quantity such as 500m, 4 or 160Gi")]
        enum Form {
            Whole(i64),
            Text(String),
        }
        Ok(Self(match Form::deserialize(deserializer)? {
            Form::Whole(number) => number.to_string(),
            Form::Text(text) => text,
        }))
    }
}

impl JsonSchema for Quantity {
    fn schema_name() -> Cow<'static, str> {
        "Quantity".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A Kubernetes quantity of 0 to 1E (10^18): a whole number, a decimal or a number with a suffix \
                (m, k, M, G, T, P, Ki, Mi, Gi, Ti, Pi). Unit: cores for cpu, bytes for memory and storage, else a count. Example: 160Gi.",
            "x-kubernetes-int-or-string": true,
            "maxLength": 32,
            "x-kubernetes-validations": [{
                "rule": "isQuantity(string(self)) && !string(self).startsWith('-') && quantity(string(self)).compareTo(quantity('1E')) <= 0",
                "messageExpression": "\"'\" + string(self) + \"' is not a quantity between 0 and 1E; write for example 500m, 4 or 160Gi\"",
                "message": "not a quantity between 0 and 1E; write for example 500m, 4 or 160Gi",
            }],
        })
    }
}

/// Amounts by quota key, as in `ResourceQuota.spec.hard`.
pub type Resources = BTreeMap<String, Quantity>;

/// Schema of amounts that the operator alone writes. Rules would be evaluated again at every write of a status.
pub(super) fn figures(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": 128,
        "additionalProperties": { "description": "A Kubernetes quantity. Example: 160Gi.", "type": "string", "maxLength": 32 },
    })
}

/// What happens to namespaces and volumes when the object is deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = super::values::note)]
pub enum DeletionPolicy {
    /// Keep namespace and volumes; close network and access, end the pods.
    #[default]
    Retain,
    /// End the pods, then delete the namespace with everything in it.
    Delete,
}

/// One aspect of the object's state, in the form that `kubectl wait`, Flux and Helm understand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// Aspect that is judged. Example: Ready.
    #[serde(rename = "type")]
    #[schemars(length(min = 1, max = 64))]
    pub kind: String,
    /// True, False or Unknown.
    #[schemars(length(max = 7))]
    pub status: String,
    /// Cause in one word, for programs. Example: `QuotaWaiting`.
    #[schemars(length(min = 1, max = 64))]
    pub reason: String,
    /// Cause in a sentence, for people, with what to do about it.
    #[schemars(length(max = 4096))]
    pub message: String,
    /// `metadata.generation` that was judged.
    pub observed_generation: i64,
    /// Time of the last change of `status`, RFC 3339, UTC.
    #[schemars(length(max = 32), extend("format" = "date-time"))]
    pub last_transition_time: String,
}
