//! Which condition to tell first of an object that is not well.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::api::{
    Condition,
    conditions::{find, kind, reason},
};

/// The conditions that an object of the two kinds, or another one, carries.
#[must_use]
pub fn conditions(object: &Value) -> Vec<Condition> {
    Vec::deserialize(&object["status"]["conditions"]).unwrap_or_default()
}

/// Why an object is not well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Failing {
    /// Type of the condition.
    pub condition: String,
    /// False or Unknown.
    pub status: String,
    /// Cause in one word.
    pub reason: String,
    /// Cause in a sentence, with what to do.
    pub message: String,
    /// Since when, RFC 3339; empty where nobody knows.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub since: String,
}

/// The first condition, in the order in which they are told, that is not True. `Stalled` only repeats another one's cause. Of an object that
/// is being deleted, that it is comes first.
#[must_use]
pub fn first_failing(conditions: &[Condition]) -> Option<Failing> {
    let is_deleting = |condition: &&Condition| condition.status != "True" && condition.reason == reason::DELETING;
    let deleting = find(conditions, kind::READY).filter(is_deleting);
    let first = || conditions.iter().find(|condition| condition.kind != kind::STALLED && condition.status != "True");
    let condition = deleting.or_else(first)?;
    Some(Failing {
        condition: condition.kind.clone(),
        status: condition.status.clone(),
        reason: condition.reason.clone(),
        message: condition.message.clone(),
        since: condition.last_transition_time.clone(),
    })
}

/// The same of an object: where no operator has seen it, or its last change, that is said.
#[must_use]
pub fn why(object: &Value) -> Option<Failing> {
    let conditions = conditions(object);
    let (generation, seen) = (object["metadata"]["generation"].as_i64(), object["status"]["observedGeneration"].as_i64());
    let unseen = |message: String| Failing {
        condition: kind::READY.to_owned(),
        status: "Unknown".to_owned(),
        reason: reason::PROGRESSING.to_owned(),
        message,
        since: String::new(),
    };
    match (generation, seen) {
        _ if conditions.is_empty() => {
            Some(unseen("no operator has seen it yet; `kubectl govcloud doctor` says whether one runs".to_owned()))
        }
        (Some(generation), Some(seen)) if seen < generation => {
            Some(unseen(format!("the operator has not seen generation {generation} yet; its conditions are about generation {seen}")))
        }
        _ => first_failing(&conditions),
    }
}
