//! The two kinds as they were read.

use crate::api::{AgencyTenantSpec, AgencyTenantStatus, HostedSystemSpec, HostedSystemStatus, approval::Approval};

/// One of the two kinds as it was read, before anything is believed of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Root<Spec, Status> {
    /// Name of the object.
    pub name: String,
    /// Namespace of the object, empty for a cluster-scoped one.
    pub namespace: String,
    /// UID of the object.
    pub uid: String,
    /// `metadata.resourceVersion` at which it was read.
    pub resource_version: String,
    /// `metadata.generation`.
    pub generation: i64,
    /// `metadata.creationTimestamp`, RFC 3339 in UTC, so that text order is time order.
    pub created: String,
    /// Whether it is marked deleted.
    pub deleting: bool,
    /// Whether an annotation confirms that its deletion takes volumes along.
    pub confirmed: bool,
    /// Who wrote the spec last, by the annotation that the API server fills in; absent where it does not.
    pub requested_by: Option<String>,
    /// `metadata.finalizers`.
    pub finalizers: Vec<String>,
    /// Whether the operator wrote its finalizer itself. Where only others did, `kubectl apply --server-side` may take it off.
    pub holds: bool,
    /// `kubectl`'s note of what it applied last, as it is to be where it names the operator's finalizer.
    pub last_applied: Option<String>,
    /// The spec, or what in it is unreadable.
    pub spec: Result<Spec, Unreadable>,
    /// The status, as far as it is readable.
    pub status: Status,
}

/// What in a spec is unreadable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Path of the field. Example: `spec.podSecurity`.
    pub field: String,
    /// Why.
    pub complaint: String,
}

/// An `AgencyTenant` as read.
pub type TenantRoot = Root<AgencyTenantSpec, AgencyTenantStatus>;
/// A `HostedSystem` as read.
pub type SystemRoot = Root<HostedSystemSpec, HostedSystemStatus>;

impl TenantRoot {
    /// What was decided of the spec as it is now; a decision on an older generation does not count.
    #[must_use]
    pub fn decision(&self) -> Option<&Approval> {
        self.status.approval.as_ref().filter(|approval| approval.generation == self.generation)
    }
}
