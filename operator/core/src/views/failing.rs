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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(seen: i64, conditions: &[(&str, &str, &str)]) -> Value {
        let condition = |(kind, status, reason): &(&str, &str, &str)| {
            json!({
                "type": kind, "status": status, "reason": reason, "message": format!("about {kind}"), "observedGeneration": seen,
                "lastTransitionTime": "2026-01-01T00:00:00Z",
            })
        };
        let conditions: Vec<Value> = conditions.iter().map(condition).collect();
        json!({ "metadata": { "generation": 2 }, "status": { "observedGeneration": seen, "conditions": conditions } })
    }

    fn told(object: &Value) -> Option<String> {
        why(object).map(|failing| format!("{} {} {}", failing.condition, failing.status, failing.reason))
    }

    #[test]
    fn the_first_condition_that_is_not_true_is_told_and_that_an_object_is_being_deleted_before_all_else() {
        let (accepted, approved, ready) =
            (("Accepted", "False", "Invalid"), ("Approved", "False", "Requested"), ("Ready", "False", "Invalid"));
        let stalled = ("Stalled", "True", "Invalid");
        for (conditions, first) in [
            (vec![accepted, approved, ready, stalled], Some("Accepted False Invalid")),
            (vec![("Accepted", "True", "Accepted"), approved, ready], Some("Approved False Requested")),
            (
                vec![("Accepted", "True", "Accepted"), ("Provisioned", "Unknown", "Progressing"), ready],
                Some("Provisioned Unknown Progressing"),
            ),
            (vec![accepted, ("Ready", "False", "Deleting")], Some("Ready False Deleting")),
            (vec![("Ready", "True", "Ready"), ("Stalled", "False", "NotStalled")], None),
        ] {
            assert_eq!(told(&object(2, &conditions)).as_deref(), first, "{conditions:?}");
        }
    }

    #[test]
    fn what_no_operator_has_seen_yet_is_not_called_well() {
        let well = [("Ready", "True", "Ready")];
        let old = why(&object(1, &well)).unwrap();
        assert_eq!((old.status.as_str(), old.message.starts_with("the operator has not seen generation 2 yet")), ("Unknown", true));
        let new = why(&json!({ "metadata": { "generation": 1 }, "status": { "observedGeneration": -1 } })).unwrap();
        assert!(new.message.starts_with("no operator has seen it yet"), "{}", new.message);
        assert_eq!(why(&object(2, &well)), None);
    }
}
