//! The rules by which conditions are set.

use crate::{
    api::{
        Condition,
        conditions::{kind, reason},
    },
    model::text::shortened,
};

/// One condition, judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCondition {
    /// Its type.
    pub kind: &'static str,
    /// True, False, or none for Unknown.
    pub holds: Option<bool>,
    /// Its reason.
    pub reason: &'static str,
    /// Its message.
    pub message: String,
}

impl NewCondition {
    /// A condition that holds.
    pub fn yes(kind: &'static str, reason: &'static str, message: impl Into<String>) -> Self {
        Self { kind, holds: Some(true), reason, message: message.into() }
    }

    /// A condition that does not hold.
    pub fn no(kind: &'static str, reason: &'static str, message: impl Into<String>) -> Self {
        Self { kind, holds: Some(false), reason, message: message.into() }
    }

    /// Reason and message, if it does not hold.
    #[must_use]
    pub fn cause(&self) -> Option<(&'static str, String)> {
        (self.holds == Some(false)).then(|| (self.reason, self.message.clone()))
    }

    /// A condition that cannot be judged.
    pub fn unknown(kind: &'static str, reason: &'static str, message: impl Into<String>) -> Self {
        Self { kind, holds: None, reason, message: message.into() }
    }
}

/// Longest message that the schema takes.
const MESSAGE_BYTES: usize = 4096;

/// Writes judgements as conditions. `lastTransitionTime` moves only when the status flips.
#[must_use]
pub fn conditions(before: &[Condition], judged: Vec<NewCondition>, generation: i64, now: &str) -> Vec<Condition> {
    let condition = |judgement: NewCondition| {
        let status = match judgement.holds {
            Some(true) => "True",
            Some(false) => "False",
            None => "Unknown",
        };
        let old = before.iter().find(|condition| condition.kind == judgement.kind && condition.status == status);
        Condition {
            kind: judgement.kind.to_owned(),
            status: status.to_owned(),
            reason: judgement.reason.to_owned(),
            message: shortened(&judgement.message, MESSAGE_BYTES),
            observed_generation: generation,
            last_transition_time: old.map_or(now, |condition| &condition.last_transition_time).to_owned(),
        }
    };
    judged.into_iter().map(condition).collect()
}

/// `Ready`: the first condition that does not hold, else that all is well.
#[must_use]
pub fn summary(judged: &[NewCondition], well: &'static str, message: String) -> NewCondition {
    let failing = judged.iter().find(|judgement| judgement.holds != Some(true));
    failing.map_or(NewCondition::yes(kind::READY, well, message), |judgement| NewCondition { kind: kind::READY, ..judgement.clone() })
}

/// `Stalled`: the first cause that waiting does not cure.
#[must_use]
pub fn stalled(cause: Option<(&'static str, String)>) -> NewCondition {
    match cause {
        Some((reason, message)) => NewCondition::yes(kind::STALLED, reason, message),
        None => NewCondition::no(kind::STALLED, reason::NOT_STALLED, "no error blocks the operator"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_transition_time_moves_only_when_the_status_flips() {
        let first = conditions(&[], vec![NewCondition::no(kind::READY, reason::DRAINING, "a")], 1, "t1");
        let same = conditions(&first, vec![NewCondition::no(kind::READY, reason::CONFLICT, "b")], 2, "t2");
        assert_eq!((same[0].last_transition_time.as_str(), same[0].reason.as_str(), same[0].observed_generation), ("t1", "Conflict", 2));
        let flipped = conditions(&same, vec![NewCondition::yes(kind::READY, reason::READY, "")], 2, "t3");
        assert_eq!(flipped[0].last_transition_time, "t3");
    }

    #[test]
    fn ready_repeats_the_first_failing_condition() {
        let judged = [
            NewCondition::yes(kind::ACCEPTED, reason::ACCEPTED, ""),
            NewCondition::no(kind::QUOTA_GRANTED, reason::QUOTA_WAITING, "requests.cpu: 9 wanted"),
            NewCondition::no(kind::PROVISIONED, reason::CONFLICT, "later"),
        ];
        let ready = summary(&judged, reason::READY, String::new());
        assert_eq!((ready.kind, ready.holds, ready.reason), (kind::READY, Some(false), reason::QUOTA_WAITING));
        assert_eq!(summary(&judged[..1], reason::SUSPENDED, "m".into()), NewCondition::yes(kind::READY, reason::SUSPENDED, "m"));
    }
}
