//! `HostedSystem`: one system of an agency, in its own workload namespace.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    common::{Condition, DeletionPolicy, Resources},
    rules,
};

/// One system of an agency.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "govcloud.io",
    version = "v1alpha1",
    kind = "HostedSystem",
    plural = "hostedsystems",
    shortname = "hs",
    category = "govcloud",
    namespaced,
    status = "HostedSystemStatus",
    derive = "PartialEq",
    selectable = ".spec.stage",
    doc = "One system of an agency, declared in the agency's home namespace. The operator gives it a workload namespace \
        `<tenant>--<system>` with isolation, its share of the agency's quota, and access for the agency's members.",
    validation = rules::name("system", 31),
    printcolumn(name = "Stage", type_ = "string", json_path = ".status.stage", description = "Present stage; the wanted one is spec.stage"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason"),
    printcolumn(name = "CPU", type_ = "string", json_path = ".status.summary.cpu", description = "requests.cpu: used by pods/granted"),
    printcolumn(name = "Memory", type_ = "string", json_path = ".status.summary.memory", description = "requests.memory: used by pods/granted"),
    printcolumn(name = "Pods", type_ = "string", json_path = ".status.summary.pods", description = "Pods: used/granted"),
    printcolumn(name = "Workload namespace", type_ = "string", json_path = ".status.namespace", description = "Namespace of the system's pods"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Display name", type_ = "string", json_path = ".spec.displayName", priority = 1),
)]
#[serde(rename_all = "camelCase")]
pub struct HostedSystemSpec {
    /// Name of the system as people know it, in any script; 1 to 64 characters. Example: 预约挂号统一平台.
    #[schemars(length(min = 1, max = 64))]
    #[x_kube(validation = rules::plain_text())]
    pub display_name: String,

    /// Field of public administration, by which the city views its systems. Example: Health.
    pub sector: Sector,

    /// Wanted stage; `status.stage` says which one holds. Suspended closes the network both ways and admits no new pod;
    /// Retired also ends the pods and all access, and keeps namespace and volumes. Default: Testing.
    #[serde(default)]
    pub stage: Stage,

    /// Level of the system under the national scheme of classified protection (等保), 1 to 4. Example: 3.
    #[schemars(range(min = 1, max = 4))]
    pub protection_level: i32,

    /// The system's share of the agency's total. Default: none, so that no pod is admitted.
    #[serde(default)]
    pub resources: Share,

    /// Traffic of the system's pods with each other. Default: all of it.
    #[serde(default)]
    pub network: SystemNetwork,

    /// Whether the system takes over a namespace `<tenant>--<system>` that was there before it, with everything in it. An
    /// administrator of the cluster must say so too, on the namespace itself: `kubectl govcloud adopt NAMESPACE --into
    /// TENANT/SYSTEM` shows what would change in it and writes the annotation `govcloud.io/adopt-into`. Default: false, and such
    /// a namespace is left alone. Example: true.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub adopt_namespace: bool,

    /// What happens to the workload namespace when the system or its tenant is deleted. Default: Retain.
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,
}

/// A system's share of its agency's total.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Share {
    /// Reserved for this system out of the agency's `spec.quota`. The same keys as there; what is not named is 0, but for
    /// `limits.*`: where only the request is named, the limit follows it in the proportion of the agency's total; and for
    /// ephemeral storage, which follows requests.memory so where the total names it. A share that does not fit waits, as condition
    /// `QuotaGranted` says. A share for pods names at least pods, requests.cpu and requests.memory. Default: nothing.
    /// Example: `{requests.cpu: "8", requests.memory: 32Gi, pods: "60"}`.
    #[serde(default)]
    #[schemars(extend("maxProperties" = 24))]
    #[x_kube(validation = rules::known_keys())]
    #[x_kube(validation = rules::limits_cover_requests())]
    #[x_kube(validation = rules::whole_counts())]
    #[x_kube(validation = rules::usable_share())]
    pub guaranteed: Resources,
}

/// Traffic of a system's pods with each other.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SystemNetwork {
    /// Whether the system's pods reach each other. With Deny they do so only where `NetworkPolicies` of the Owners allow it,
    /// as egress of the one pod and as ingress of the other; DNS, the contract's destinations, ingress controllers, metrics
    /// collectors and other programs of the platform pass as before. Default: Allow.
    #[serde(default)]
    pub within_system: WithinSystem,
}

/// Traffic among the pods of one system.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = super::values::note)]
pub enum WithinSystem {
    /// Every pod of the system reaches every other.
    #[default]
    Allow,
    /// A pod reaches another only where the Owners' own `NetworkPolicies` allow it.
    Deny,
}

/// Fields of public administration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = super::values::note)]
pub enum Sector {
    /// Service halls, approvals and other services of the government to people and firms.
    GovernmentServices,
    /// Police, fire brigades, emergencies and justice.
    PublicSafety,
    /// Roads, railways, traffic and public transport.
    Transport,
    /// Air, water, soil, weather and nature.
    Environment,
    /// Land, surveying and the planning of town and country.
    Planning,
    /// Housing, property and construction.
    Housing,
    /// Hospitals, disease control, and food and drug safety.
    Health,
    /// Schools, universities and examinations.
    Education,
    /// Culture, heritage, sports and tourism.
    CultureAndTourism,
    /// Employment, pensions and social insurance.
    SocialSecurity,
    /// Welfare, communities, marriages and care for the elderly.
    CivilAffairs,
    /// Registration of firms, quality, prices and consumer protection.
    MarketSupervision,
    /// Industry, commerce, agriculture and statistics of the economy.
    Economy,
    /// Budgets, taxes and audits.
    Finance,
    /// Data, identity and infrastructure that agencies share.
    Data,
    /// Utilities, sanitation, parks and the upkeep of the city.
    CityManagement,
    /// Research, technology and intellectual property.
    Science,
}

/// Stage of a system's life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = super::values::note)]
pub enum Stage {
    /// In test.
    #[default]
    Testing,
    /// In service.
    Running,
    /// Network closed, no new pods; everything kept.
    Suspended,
    /// No pods, no access, no network; namespace and volumes kept.
    Retired,
}

impl Stage {
    /// The name as written in the spec.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Testing => "Testing",
            Self::Running => "Running",
            Self::Suspended => "Suspended",
            Self::Retired => "Retired",
        }
    }
}

/// Observed state; written by the operator alone.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HostedSystemStatus {
    /// `metadata.generation` that this status describes; -1 as long as no operator has seen the object.
    #[serde(default = "unseen")]
    pub observed_generation: i64,
    /// Present stage: the wanted one once everything for it is done, the former one until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<Stage>,
    /// Workload namespace of the system. Example: health--appointments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub namespace: Option<String>,
    /// Share of the agency's total that is reserved for the system at present.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "super::common::figures", extend("x-kubernetes-map-type" = "atomic"))]
    pub granted: Option<Resources>,
    /// The figures in short, for `kubectl get`; what is used is refreshed at most once a minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kubernetes-map-type" = "atomic"))]
    pub summary: Option<SystemSummary>,
    /// Accepted, `QuotaGranted`, Provisioned, Isolated, `PodsAdmitted`, Ready, Stalled.
    #[serde(default)]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

/// Ready-made text for the columns of `kubectl get hostedsystems`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SystemSummary {
    /// `requests.cpu`: used by pods/granted, in cores.
    #[schemars(length(max = 80))]
    pub cpu: String,
    /// `requests.memory`: used by pods/granted, in bytes.
    #[schemars(length(max = 80))]
    pub memory: String,
    /// Pods: used/granted.
    #[schemars(length(max = 80))]
    pub pods: String,
}

/// `observedGeneration` of an object that no operator has seen.
pub(super) fn unseen() -> i64 {
    -1
}
