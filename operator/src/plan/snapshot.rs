//! What the operator sees of one tenant at one moment: plain data, gathered from the caches.

use std::collections::BTreeMap;

use crate::{
    api::{AgencyTenantSpec, AgencyTenantStatus, HostedSystemSpec, HostedSystemStatus},
    names::{NamespaceName, QUOTA, TenantName},
    plan::amount::Amounts,
};

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
    /// `metadata.finalizers`.
    pub finalizers: Vec<String>,
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

/// Where a child is: sorted so that all of a namespace stand together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChildKey {
    /// Namespace it is in; for a Namespace, its own name.
    pub namespace: NamespaceName,
    /// Index of its kind in the table of children.
    pub kind: usize,
    /// Name of the object.
    pub name: String,
}

/// All that is kept of a child that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// UID, for preconditions.
    pub uid: String,
    /// `metadata.resourceVersion`, for preconditions.
    pub resource_version: String,
    /// Value of the tenant UID label, empty where there is none.
    pub tenant_uid: String,
    /// Value of the display name annotation, empty where there is none.
    pub display_name: String,
    /// Whether it is marked deleted.
    pub deleting: bool,
    /// Hash of the content that the operator defines.
    pub hash: u64,
    /// Figures of a `ResourceQuota`.
    pub quota: Option<Box<QuotaState>>,
}

/// Figures of a `ResourceQuota`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QuotaState {
    /// `spec.hard`: what is wanted.
    pub wanted: Amounts,
    /// `status.hard`: what admission enforces.
    pub hard: Amounts,
    /// `status.used`.
    pub used: Amounts,
}

impl QuotaState {
    /// Whether admission enforces what the spec wants.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.wanted == self.hard
    }

    /// Whether every key's use is known.
    #[must_use]
    pub fn is_counted(&self) -> bool {
        self.wanted.keys().all(|key| self.used.contains_key(key))
    }

    /// Whether admission judges every key, be it by a former amount.
    #[must_use]
    pub fn is_enforced(&self) -> bool {
        self.wanted.keys().all(|key| self.hard.contains_key(key))
    }
}

/// Children by place.
pub type Observed = BTreeMap<ChildKey, Entry>;

/// One tenant at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Name of the tenant; there may be no such object.
    pub name: TenantName,
    /// The `AgencyTenant`.
    pub tenant: Option<TenantRoot>,
    /// Hosted systems declared in the namespace of the tenant's name.
    pub systems: Vec<SystemRoot>,
    /// Every marked object in the tenant's namespaces.
    pub observed: Observed,
    /// Kinds that the operator cannot see, and why. Nothing is changed as long as there is one.
    pub blind: Vec<String>,
    /// Whether one of the two kinds is being removed from the cluster: then nothing but finalizers is touched.
    pub uninstalling: bool,
    /// Hosted systems that the API server does not let the operator hold, and its words: they are not served. An empty name
    /// stands for the tenant itself.
    pub refused: BTreeMap<String, String>,
}

impl Snapshot {
    /// Whether there is a quota in this namespace and admission enforces it as it is written.
    #[must_use]
    pub fn quota_is_live(&self, namespace: &NamespaceName) -> bool {
        let mut here = self.observed.iter().filter(|(key, _)| key.namespace == *namespace && key.name == QUOTA);
        here.any(|(_, entry)| entry.quota.as_ref().is_some_and(|quota| quota.is_live()))
    }
}
