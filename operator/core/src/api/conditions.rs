//! Types and reasons of conditions, each once.

use super::Condition;

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
    pub const PODS_ADMITTED: &str = "PodsAdmitted";
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
    /// Reason of an event: a network policy that members wrote has no effect while the system is suspended.
    pub const DISABLED: &str = "Disabled";
    /// Reason of an event: it has effect again.
    pub const RESTORED: &str = "Restored";
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
    /// The share is more than the whole total has, or names what the total does not; the message has the numbers.
    pub const QUOTA_EXCEEDED: &str = "QuotaExceeded";
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
    /// An approver stopped the agency, and with it the system, which itself is to run.
    pub const AGENCY_STOPPED: &str = "AgencyStopped";
    /// The agency is suspended, and with it the system, which itself is to run.
    pub const AGENCY_SUSPENDED: &str = "AgencySuspended";
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

/// The condition of this type, if it was told.
#[must_use]
pub fn find<'a>(conditions: &'a [Condition], kind: &str) -> Option<&'a Condition> {
    conditions.iter().find(|condition| condition.kind == kind)
}
