//! `AgencyTenant`: what an agency gets.

use std::collections::BTreeMap;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    allowances::{Allow, Images},
    common::{DeletionPolicy, Quantity, Resources},
    objects::Objects,
    rules,
};

/// One agency on the cloud: its members, its quota, and what its systems may reach.
///
/// The operator creates the home namespace, named as the tenant, in which the agency declares its hosted systems.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "govcloud.io",
    version = "v1alpha1",
    kind = "AgencyTenant",
    plural = "agencytenants",
    shortname = "at",
    shortname = "agency",
    category = "govcloud",
    status = "super::tenant_status::AgencyTenantStatus",
    derive = "PartialEq",
    doc = "One agency on the cloud: its members, its quota, and what its systems may reach. The operator creates \
        the home namespace, named as the tenant, in which the agency declares its hosted systems.",
    validation = rules::name("tenant", 30),
    validation = rules::unreserved_name(),
    validation = rules::own_service_accounts(),
    printcolumn(name = "Stage", type_ = "string", json_path = ".status.stage", description = "Stage of the tenant: Requested, Active, Suspended, Rejected or Terminating"),
    printcolumn(name = "Approved", type_ = "string", json_path = ".status.conditions[?(@.type==\"Approved\")].status", description = "Whether the spec is the contract"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason"),
    printcolumn(name = "Systems", type_ = "string", json_path = ".status.summary.systems", description = "Hosted systems: ready/all"),
    printcolumn(name = "CPU", type_ = "string", json_path = ".status.summary.cpu", description = "requests.cpu: used by pods/given to systems/total"),
    printcolumn(name = "CPU%", type_ = "integer", json_path = ".status.summary.cpuPercent", description = "requests.cpu: given to systems, in percent of the total"),
    printcolumn(name = "CPU used%", type_ = "integer", json_path = ".status.summary.cpuUsedPercent", description = "requests.cpu: used by pods, in percent of the total", priority = 1),
    printcolumn(name = "Memory", type_ = "string", json_path = ".status.summary.memory", description = "requests.memory: used by pods/given to systems/total"),
    printcolumn(name = "Memory%", type_ = "integer", json_path = ".status.summary.memoryPercent", description = "requests.memory: given to systems, in percent of the total"),
    printcolumn(name = "Memory used%", type_ = "integer", json_path = ".status.summary.memoryUsedPercent", description = "requests.memory: used by pods, in percent of the total", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Display name", type_ = "string", json_path = ".spec.displayName", priority = 1),
)]
#[serde(rename_all = "camelCase")]
pub struct AgencyTenantSpec {
    /// Name of the agency as people know it, in any script; 1 to 64 characters. Example: 卫生健康委员会.
    #[schemars(length(min = 1, max = 64))]
    #[x_kube(validation = rules::plain_text())]
    pub display_name: String,

    /// Unit inside the agency that answers for this tenant; 1 to 64 characters. Example: 信息中心.
    #[schemars(length(min = 1, max = 64))]
    #[x_kube(validation = rules::plain_text())]
    pub responsible_unit: String,

    /// Whether the platform itself writes this spec, so that each change takes effect without approval. To set it, or to change a
    /// spec in which it is set, one needs the verb `approve` on agencytenants. An Owner may set it to false; changes then need
    /// approval. Default: false.
    #[serde(default)]
    pub preapproved: bool,

    /// Suspends the agency: the network of all its systems is closed both ways, and no new pod is admitted. An Owner may set
    /// it to true without approval; setting it back to false needs approval. Default: false.
    #[serde(default)]
    pub suspended: bool,

    /// Users, groups and `ServiceAccounts` with access to the agency's namespaces, each with a role. Nobody else gets access. At
    /// most 64; each subject once. Default: none. Example: `[{kind: Group, name: health-owners, role: Owner}]`.
    #[serde(default)]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "atomic"))]
    #[x_kube(validation = rules::each_subject_once())]
    pub members: Vec<Member>,

    /// The agency's total, over all of its namespaces. A map of quota key to amount. It must name requests.cpu,
    /// requests.memory, limits.cpu, limits.memory (cores, bytes) and pods (a count); it may name requests.storage,
    /// requests.ephemeral-storage, limits.ephemeral-storage (bytes), persistentvolumeclaims (a count) and devices as
    /// `requests.<domain>/<resource>`. Storage that is not named is 0, ephemeral storage that is not named is not counted, and a
    /// device that is not named is refused. The sum of all systems' shares never exceeds it.
    /// Example: `{requests.cpu: "40", requests.memory: 160Gi, limits.cpu: "80", limits.memory: 320Gi, pods: "400"}`.
    #[schemars(extend("maxProperties" = 24))]
    #[x_kube(validation = rules::known_keys())]
    #[x_kube(validation = rules::limits_cover_requests())]
    #[x_kube(validation = rules::whole_counts())]
    #[x_kube(validation = rules::complete_total())]
    pub quota: Resources,

    /// Counts of objects that each namespace of the agency may hold, by kind, where the default is too low. Keys: configmaps
    /// (default 500), secrets (1500), services (200), loadbalancers (60, where `allow.serviceTypes` lists the type), nodeports (60, where it
    /// lists `NodePort` or `LoadBalancer`: each port of a load balancer takes one; never below loadbalancers),
    /// replicationcontrollers (20), serviceaccounts, deployments, ingresses, leases, horizontalpodautoscalers and poddisruptionbudgets
    /// (200 each), replicasets (2200), statefulsets, cronjobs, networkpolicies, roles and rolebindings (100 each), daemonsets (40),
    /// jobs (500). A value is between the default and 10000. A namespace holds 100 volumes, or as many as
    /// persistentvolumeclaims in `quota` and in the system's share say. Default: none.
    /// Example: `{services: 400}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 20))]
    #[x_kube(validation = rules::known_objects())]
    #[x_kube(validation = rules::raised_objects())]
    pub objects: Objects,

    /// Requests and limits of containers that state none. Default: requests 100m and 128Mi, limits 500m and 512Mi.
    #[serde(default)]
    pub container_defaults: ContainerDefaults,

    /// What the agency's systems may reach. Default: only their own namespace and DNS.
    #[serde(default)]
    pub network: Network,

    /// Domains of the agency: its hostnames must be one of them or a subdomain. At most 32; a domain that belongs to another
    /// agency, or is a subdomain or parent of one that does, is not accepted. Default: none, and no Ingress is admitted. Example: `[health.example.gov.cn]`.
    #[serde(default)]
    #[schemars(length(max = 32), inner(length(min = 1, max = 253)), extend("x-kubernetes-list-type" = "set"))]
    #[x_kube(validation = rules::domains())]
    pub domains: Vec<String>,

    /// Registries of the agency's container images, and whether images must name a digest. Default: no registry, and no pod is
    /// admitted.
    #[serde(default)]
    pub images: Images,

    /// Classes of the cluster and types of Services that the agency may use. Default: no class, and only Services of type
    /// `ClusterIP`.
    #[serde(default)]
    pub allow: Allow,

    /// Pod Security level that is enforced in every namespace of the agency. Default: restricted.
    #[serde(default)]
    pub pod_security: PodSecurity,

    /// UID of a deleted tenant of this name, whose namespaces this one takes over with everything in them; the message of condition
    /// Ready has it (reason `OrphanOf`). A workload namespace is taken over when its system is created again. Default: none, and
    /// namespaces of another tenant stay unchanged. Example: 0f5c2f3e-6d0e-4a57-9a51-52a3c4d1c1aa.
    #[serde(default, rename = "adoptTenantUID", skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    #[x_kube(validation = rules::uid())]
    pub adopt_tenant_uid: Option<String>,

    /// Whether the tenant takes over an existing namespace of its name, with everything in it. An administrator of the cluster
    /// must agree too, on the namespace itself: `kubectl govcloud adopt NAMESPACE --into TENANT` shows what
    /// would change in it and sets the annotation `govcloud.io/adopt-into`. Default: false, and such a namespace stays unchanged.
    /// Example: true.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub adopt_namespace: bool,

    /// What happens to the home namespace when the tenant is deleted; each workload namespace follows its own
    /// system's `deletionPolicy`. Default: Retain.
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,
}

/// A subject with a role in the agency's namespaces.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::no_system_subject())]
#[x_kube(validation = rules::subject_name())]
#[x_kube(validation = rules::subject_bytes())]
#[x_kube(validation = rules::subject_namespace())]
pub struct Member {
    /// What the subject is: User, Group or `ServiceAccount`. Example: Group.
    pub kind: SubjectKind,
    /// Name of the subject, as the API server authenticates it; 1 to 253 bytes, none of Kubernetes' own
    /// `system:` names. Example: health-owners.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Namespace of a `ServiceAccount`: the tenant's own, one of its systems', or one of the platform that the operator's
    /// `--account-namespace` names, such as that of Argo CD or Flux. A User or Group leaves it out.
    /// Example: health--appointments.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(min = 1, max = 63))]
    pub namespace: String,
    /// What the subject may do: an Owner creates systems and runs their workloads, a Deployer deploys workloads into existing systems,
    /// an Auditor reads everything but Secrets.
    /// Example: Owner.
    pub role: Role,
}

/// Kind of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = super::values::note)]
pub enum SubjectKind {
    /// A person or program, by user name.
    User,
    /// All users of a group.
    Group,
    /// A `ServiceAccount` of the agency's own namespaces, or of one of the platform that the operator's settings name.
    ServiceAccount,
}

/// Role of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = super::values::note)]
pub enum Role {
    /// Creates hosted systems and runs their workloads.
    Owner,
    /// Deploys workloads into existing systems.
    Deployer,
    /// Reads everything but Secrets.
    Auditor,
}

impl Role {
    /// Every role, in order of rights.
    pub const ALL: [Self; 3] = [Self::Owner, Self::Deployer, Self::Auditor];
}

/// Requests and limits of containers that state none.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::default_covers_request("cpu"))]
#[x_kube(validation = rules::default_covers_request("memory"))]
pub struct ContainerDefaults {
    /// Requests of a container that states none. Default: 100m and 128Mi.
    #[serde(default = "ContainerResources::small")]
    pub default_request: ContainerResources,
    /// Limits of a container that states none. Default: 500m and 512Mi.
    #[serde(default = "ContainerResources::medium")]
    pub default: ContainerResources,
}

impl Default for ContainerDefaults {
    fn default() -> Self {
        Self { default_request: ContainerResources::small(), default: ContainerResources::medium() }
    }
}

/// Amounts for one container.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ContainerResources {
    /// CPU in cores. Example: 100m.
    pub cpu: Quantity,
    /// Memory in bytes. Example: 128Mi.
    pub memory: Quantity,
}

impl ContainerResources {
    fn small() -> Self {
        Self { cpu: Quantity("100m".into()), memory: Quantity("128Mi".into()) }
    }

    fn medium() -> Self {
        Self { cpu: Quantity("500m".into()), memory: Quantity("512Mi".into()) }
    }
}

/// What the agency's systems may reach.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Network {
    /// Whether pods of the agency's systems reach those of its other systems. Default: Deny.
    #[serde(default)]
    pub between_systems: BetweenSystems,
    /// Whether pods of the agency's systems reach the API server of the cluster, by the address of its Service and by those of
    /// its servers: for leader election, controllers and CI agents. What a pod may do there is decided by the Roles that are
    /// bound to its `ServiceAccount`. Default: Deny.
    #[serde(default, rename = "kubernetesAPI")]
    pub kubernetes_api: KubernetesApi,
    /// Address ranges outside the cluster that every system of the agency may connect to. At most 64; a range that is reached by two
    /// protocols has two entries. Default: none. Example: `[{cidr: 203.0.113.0/24, ports: [443], protocol: TCP, reason: 省级平台}]`.
    #[serde(default)]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "atomic"))]
    // No map: its key would be range and protocol, and a key must be required or have a default.
    pub egress: Vec<Egress>,
}

/// Traffic among the systems of one agency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = super::values::note)]
pub enum BetweenSystems {
    /// A system does not reach other systems.
    #[default]
    Deny,
    /// Every system of the agency reaches every other that is not suspended or retired.
    Allow,
}

/// Traffic from pods to the API server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = super::values::note)]
pub enum KubernetesApi {
    /// No pod reaches the API server.
    #[default]
    Deny,
    /// Every pod of a system that is not suspended or retired reaches the API server.
    Allow,
}

impl KubernetesApi {
    /// Whether pods reach the API server.
    #[must_use]
    pub fn is_open(self) -> bool {
        self == Self::Allow
    }
}

/// A range of addresses outside the cluster that pods may connect to.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Egress {
    /// Range of destination addresses, IPv4 or IPv6, with no bits set after the prefix. It must not lie inside the
    /// cluster's own ranges; a wider range is opened without them. Example: 203.0.113.0/24.
    #[schemars(length(min = 1, max = 43))]
    #[x_kube(validation = rules::range())]
    #[x_kube(validation = rules::first_address())]
    pub cidr: String,
    /// Ports of the destination, 1 to 65535; 1 to 16 of them. Example: `[443]`.
    #[schemars(length(min = 1, max = 16), inner(range(min = 1, max = 65535)), extend("x-kubernetes-list-type" = "set"))]
    pub ports: Vec<i32>,
    /// Protocol of the ports: TCP or UDP. Default: TCP.
    /// Example: UDP.
    // No default in the schema: tools that compare what was applied with what is stored would see a difference for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Protocol")]
    pub protocol: Option<Protocol>,
    /// Why the agency needs it, for the approver; 1 to 128 characters. Example: 省级平台.
    #[schemars(length(min = 1, max = 128))]
    #[x_kube(validation = rules::plain_text())]
    pub reason: String,
}

impl Egress {
    /// The entry with the protocol that an absent one stands for.
    #[must_use]
    pub fn with_protocol(&self) -> Self {
        Self { protocol: Some(self.protocol.unwrap_or_default()), ..self.clone() }
    }
}

/// Protocol of a port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = super::values::note)]
pub enum Protocol {
    /// TCP.
    #[default]
    #[serde(rename = "TCP")]
    Tcp,
    /// UDP.
    #[serde(rename = "UDP")]
    Udp,
}

impl Protocol {
    /// The name as written in Kubernetes.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
        }
    }
}

/// Pod Security level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(transform = super::values::note)]
pub enum PodSecurity {
    /// No privileges: pods run as non-root, without added capabilities and without access to the node.
    #[default]
    Restricted,
    /// Pods may run as root in their containers, without access to the node.
    Baseline,
}
