//! Types and reasons of conditions, each once, and the rules by which they are set.

use crate::api::Condition;

/// Types of conditions.
pub mod kind {
    /// The spec can be served.
    pub const ACCEPTED: &str = "Accepted";
    /// The spec is the contract.
    pub const APPROVED: &str = "Approved";
    /// The system has the share that it asks for.
    pub const QUOTA_GRANTED: &str = "QuotaGranted";
    /// The sum of the granted shares fits the wanted total.
    pub const QUOTA_WITHIN_BUDGET: &str = "QuotaWithinBudget";
    /// Every object that the operator manages is as it should be.
    pub const PROVISIONED: &str = "Provisioned";
    /// Pod Security and network policy hold.
    pub const ISOLATED: &str = "Isolated";
    /// No workload's pods are refused.
    pub const AVAILABLE: &str = "Available";
    /// Summary.
    pub const READY: &str = "Ready";
    /// Waiting does not help: somebody must change something.
    pub const STALLED: &str = "Stalled";
}

/// Reasons of conditions.
pub mod reason {
    /// The check passes.
    pub const ACCEPTED: &str = "Accepted";
    /// A field cannot be served; the message names it.
    pub const INVALID: &str = "Invalid";
    /// The spec was approved.
    pub const APPROVED: &str = "Approved";
    /// The platform wrote the spec itself.
    pub const PREAPPROVED: &str = "Preapproved";
    /// Reason of an event: an object that members wrote was deleted.
    pub const REMOVED: &str = "Removed";
    /// Nothing is approved yet.
    pub const REQUESTED: &str = "Requested";
    /// The contract is served; a change of it waits for approval.
    pub const CHANGE_PENDING: &str = "ChangePending";
    /// An approver rejected the request.
    pub const REJECTED: &str = "Rejected";
    /// An approver stopped the tenant.
    pub const STOPPED: &str = "Stopped";
    /// The system is in a namespace that is no agency's home.
    pub const NO_TENANT: &str = "NoTenant";
    /// The tenant's own spec is invalid, so everything is kept as it is.
    pub const TENANT_INVALID: &str = "TenantInvalid";
    /// The whole share is granted.
    pub const GRANTED: &str = "Granted";
    /// The share does not fit; the message has the numbers.
    pub const QUOTA_WAITING: &str = "QuotaWaiting";
    /// The granted shares fit.
    pub const WITHIN_BUDGET: &str = "WithinBudget";
    /// The wanted total is lower than the sum of what the systems hold.
    pub const LOWERING_PENDING: &str = "LoweringPending";
    /// Every object is as it should be.
    pub const PROVISIONED: &str = "Provisioned";
    /// Objects are being written.
    pub const PROGRESSING: &str = "Progressing";
    /// Pods are ending.
    pub const DRAINING: &str = "Draining";
    /// No workload has pods that are refused.
    pub const NONE_REFUSED: &str = "NoneRefused";
    /// Pods whose images name a tag run where the contract requires digests: they run on, but are not created again.
    pub const TAGS_IN_USE: &str = "TagsInUse";
    /// The API server refuses pods, claims or jobs of a workload; the message says why and what to do.
    pub const FAILED_CREATE: &str = "FailedCreate";
    /// Isolation holds.
    pub const ISOLATED: &str = "Isolated";
    /// The system is suspended, and network policies that are not the operator's to delete keep its network open.
    pub const OPENED_BY_OTHERS: &str = "OpenedByOthers";
    /// The object serves.
    pub const READY: &str = "Ready";
    /// The system is suspended, as wanted.
    pub const SUSPENDED: &str = "Suspended";
    /// The system is retired, as wanted.
    pub const RETIRED: &str = "Retired";
    /// The object is marked deleted.
    pub const DELETING: &str = "Deleting";
    /// Finalizers of objects keep a namespace from being deleted.
    pub const FINALIZERS_REMAINING: &str = "FinalizersRemaining";
    /// No error blocks the operator.
    pub const NOT_STALLED: &str = "NotStalled";
    /// The custom resources are being removed from the cluster.
    pub const UNINSTALLING: &str = "Uninstalling";
    /// A namespace or child belongs to somebody else.
    pub const CONFLICT: &str = "Conflict";
    /// The namespaces of this name were made for a deleted tenant, whose UID the message names.
    pub const ORPHAN_OF: &str = "OrphanOf";
    /// The operator may not do something; the message names verb and resource.
    pub const FORBIDDEN: &str = "Forbidden";
    /// The API server refused an object.
    pub const REFUSED: &str = "Refused";
    /// The API server did not answer as it should; tried again.
    pub const UNAVAILABLE: &str = "Unavailable";
    /// An object was written and is still not as it should be: another program changes it.
    pub const CONTESTED: &str = "Contested";
    /// A policy of the chart is missing or not in force yet, so no access is granted.
    pub const POLICY_NOT_ACTIVE: &str = "PolicyNotActive";
    /// The quota is not enforced yet, so no access is granted.
    pub const QUOTA_NOT_LIVE: &str = "QuotaNotLive";
}

/// One condition, judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// Its type.
    pub kind: &'static str,
    /// True, False, or none for Unknown.
    pub holds: Option<bool>,
    /// Its reason.
    pub reason: &'static str,
    /// Its message.
    pub message: String,
}

impl Judgement {
    /// A condition that holds.
    pub fn yes(kind: &'static str, reason: &'static str, message: impl Into<String>) -> Self {
        Self { kind, holds: Some(true), reason, message: message.into() }
    }

    /// A condition that does not hold.
    pub fn no(kind: &'static str, reason: &'static str, message: impl Into<String>) -> Self {
        Self { kind, holds: Some(false), reason, message: message.into() }
    }

    /// A condition that cannot be judged.
    pub fn unknown(kind: &'static str, reason: &'static str, message: impl Into<String>) -> Self {
        Self { kind, holds: None, reason, message: message.into() }
    }
}

/// The condition of this type, if it was told.
#[must_use]
pub fn find<'a>(conditions: &'a [Condition], kind: &str) -> Option<&'a Condition> {
    conditions.iter().find(|condition| condition.kind == kind)
}

/// Longest message that the schema takes.
const MESSAGE_BYTES: usize = 4096;

/// Writes judgements as conditions. `lastTransitionTime` moves only when the status flips.
#[must_use]
pub fn conditions(before: &[Condition], judged: Vec<Judgement>, generation: i64, now: &str) -> Vec<Condition> {
    let condition = |judgement: Judgement| {
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
            message: shortened(judgement.message),
            observed_generation: generation,
            last_transition_time: old.map_or(now, |condition| &condition.last_transition_time).to_owned(),
        }
    };
    judged.into_iter().map(condition).collect()
}

/// `Ready`: the first condition that does not hold, else that all is well.
#[must_use]
pub fn summary(judged: &[Judgement], well: &'static str, message: String) -> Judgement {
    let failing = judged.iter().find(|judgement| judgement.holds != Some(true));
    failing.map_or(Judgement::yes(kind::READY, well, message), |judgement| Judgement { kind: kind::READY, ..judgement.clone() })
}

/// `Stalled`: the first cause that waiting does not cure.
#[must_use]
pub fn stalled(cause: Option<(&'static str, String)>) -> Judgement {
    match cause {
        Some((reason, message)) => Judgement::yes(kind::STALLED, reason, message),
        None => Judgement::no(
            kind::STALLED,
            reason::NOT_STALLED,
            "no error blocks the operator; the message of a condition that is not True says what it waits for",
        ),
    }
}

fn shortened(mut message: String) -> String {
    if message.len() > MESSAGE_BYTES {
        let end = (0..=MESSAGE_BYTES - 4).rev().find(|index| message.is_char_boundary(*index)).unwrap_or_default();
        message.truncate(end);
        message.push_str(" ...");
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_transition_time_moves_only_when_the_status_flips() {
        let first = conditions(&[], vec![Judgement::no(kind::READY, reason::DRAINING, "a")], 1, "t1");
        let same = conditions(&first, vec![Judgement::no(kind::READY, reason::CONFLICT, "b")], 2, "t2");
        assert_eq!((same[0].last_transition_time.as_str(), same[0].reason.as_str(), same[0].observed_generation), ("t1", "Conflict", 2));
        let flipped = conditions(&same, vec![Judgement::yes(kind::READY, reason::READY, "")], 2, "t3");
        assert_eq!(flipped[0].last_transition_time, "t3");
    }

    #[test]
    fn ready_repeats_the_first_failing_condition() {
        let judged = [
            Judgement::yes(kind::ACCEPTED, reason::ACCEPTED, ""),
            Judgement::no(kind::QUOTA_GRANTED, reason::QUOTA_WAITING, "requests.cpu: 9 wanted"),
            Judgement::no(kind::PROVISIONED, reason::CONFLICT, "later"),
        ];
        let ready = summary(&judged, reason::READY, String::new());
        assert_eq!((ready.kind, ready.holds, ready.reason), (kind::READY, Some(false), reason::QUOTA_WAITING));
        assert_eq!(summary(&judged[..1], reason::SUSPENDED, "m".into()), Judgement::yes(kind::READY, reason::SUSPENDED, "m"));
    }

    #[test]
    fn a_long_message_is_cut_between_characters() {
        let message = shortened("预".repeat(3000));
        assert!(message.len() <= MESSAGE_BYTES && message.ends_with(" ..."));
    }
}
