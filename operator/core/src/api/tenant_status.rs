//! Status of an `AgencyTenant`.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    approval::{Approval, Contract, TenantStage},
    common::{Condition, Resources},
    history::HistoryEntry,
};

// What the operator always writes as a whole is atomic, which keeps `managedFields` short.
/// Observed state; written by the operator, except `approval`, which approvers write.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AgencyTenantStatus {
    /// `metadata.generation` that this status describes; -1 as long as no operator has seen the object.
    #[serde(default = "super::hosted_system::unseen")]
    pub observed_generation: i64,
    /// Present stage: Requested, Active, Suspended, Rejected or Terminating.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<TenantStage>,
    /// Decision of an approver, the only part of the status that others than the operator write.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<Approval>,
    /// `metadata.generation` of the spec that `contract` is a copy of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contract_generation: Option<i64>,
    /// The approved spec, which is in force. A copy of it is in an annotation of the home namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kubernetes-map-type" = "atomic"))]
    pub contract: Option<Contract>,
    /// Amounts of `spec.quota` that an approver declined; the contract has less. As long as `spec.quota` names the same amount, it is not
    /// asked for again: to ask again, name another.
    #[serde(default, skip_serializing_if = "Resources::is_empty")]
    #[schemars(schema_with = "super::common::figures", extend("x-kubernetes-map-type" = "atomic"))]
    pub declined: Resources,
    /// The quota as a person approved it last, where policies of the platform have approved more since. What they may approve is measured
    /// from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "super::common::figures", extend("x-kubernetes-map-type" = "atomic"))]
    pub reviewed_quota: Option<Resources>,
    /// Who asked for what, who decided, and when the contract changed, oldest first. The newest 40 entries: requests of the agency go first,
    /// then what policies approved, then decisions; the entry that made the contract stays. The operator's log has all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 40), extend("x-kubernetes-list-type" = "atomic"))]
    pub history: Vec<HistoryEntry>,
    /// Users and groups that were members and are no longer, oldest first, as Kind/name; the newest 256. Bindings that Owners wrote
    /// for them are deleted. Example: User/ci-health.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), inner(length(max = 260)))]
    pub former_members: Vec<String>,
    /// Figures of the tenant's quota.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kubernetes-map-type" = "atomic"))]
    pub quota: Option<QuotaFigures>,
    /// The most that the quota of each system may be. Written before a quota is raised, and lowered only after
    /// the quota was; its sum never exceeds `quota.total`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024), extend("x-kubernetes-list-type" = "atomic"))]
    pub grants: Option<Vec<GrantEntry>>,
    /// Number of hosted systems by stage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kubernetes-map-type" = "atomic"))]
    pub systems: Option<SystemCounts>,
    /// The figures in short, for `kubectl get`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kubernetes-map-type" = "atomic"))]
    pub summary: Option<Summary>,
    /// Accepted, Approved, Provisioned, `QuotaWithinBudget`, Ready, Stalled.
    #[serde(default)]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

/// The tenant's quota in figures.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct QuotaFigures {
    /// Total in force. A lowered `spec.quota` comes into force as soon as the granted shares fit into it.
    #[serde(default)]
    #[schemars(schema_with = "super::common::figures")]
    pub total: Resources,
    /// Sum of the shares that are granted to the tenant's namespaces.
    #[serde(default)]
    #[schemars(schema_with = "super::common::figures")]
    pub allocated: Resources,
    /// Sum of what the namespaces use, refreshed at most once a minute.
    #[serde(default)]
    #[schemars(schema_with = "super::common::figures")]
    pub used: Resources,
}

/// What one system may hold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GrantEntry {
    /// Name of the system.
    #[schemars(length(max = 63))]
    pub system: String,
    /// Grows with each raise; the quota's annotation `govcloud.io/epoch` says for which one it was written.
    #[serde(default)]
    pub epoch: i64,
    /// Amounts by quota key; what is not named is 0.
    #[serde(default)]
    #[schemars(schema_with = "super::common::figures")]
    pub hard: Resources,
}

/// Hosted systems by stage.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SystemCounts {
    /// All hosted systems.
    pub total: i32,
    /// Those in test.
    pub testing: i32,
    /// Those in service.
    pub running: i32,
    /// Those suspended.
    pub suspended: i32,
    /// Those retired.
    pub retired: i32,
}

/// Ready-made text for the columns of `kubectl get agencytenants`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Hosted systems: ready/all.
    #[schemars(length(max = 32))]
    pub systems: String,
    /// `requests.cpu`: used by pods/given to systems/total, in cores.
    #[schemars(length(max = 120))]
    pub cpu: String,
    /// `requests.cpu` that is given to systems, in percent of the total, rounded up.
    #[serde(default)]
    pub cpu_percent: i64,
    /// `requests.cpu` that pods use, in percent of the total, rounded up.
    #[serde(default)]
    pub cpu_used_percent: i64,
    /// `requests.memory`: used by pods/given to systems/total, in bytes.
    #[schemars(length(max = 120))]
    pub memory: String,
    /// `requests.memory` that is given to systems, in percent of the total, rounded up.
    #[serde(default)]
    pub memory_percent: i64,
    /// `requests.memory` that pods use, in percent of the total, rounded up.
    #[serde(default)]
    pub memory_used_percent: i64,
}
