//! Every name that the operator gives or reads: labels, annotations, child objects, namespaces.
//! A string of these kinds stands nowhere else.

use std::{borrow::Borrow, fmt, sync::Arc};

/// API group of the two kinds, and prefix of every label and annotation.
pub const GROUP: &str = "govcloud.io";
/// Field manager of every write, and the user agent's first word.
pub const FIELD_MANAGER: &str = "govcloud";

/// Name of the tenant; on every namespace and child. Watches select by it.
pub const LABEL_TENANT: &str = "govcloud.io/tenant";
/// UID of the tenant, so that a namesake created later is told apart. Network policies select by it.
pub const LABEL_TENANT_UID: &str = "govcloud.io/tenant-uid";
/// Name of the hosted system; on workload namespaces and their children.
pub const LABEL_SYSTEM: &str = "govcloud.io/system";
/// On a namespace that is kept though its tenant or system was deleted: since when, in UTC. Example: 20260131T093000Z. A label, because
/// labels have no size together that others could use up, and lists select by it.
pub const LABEL_RETAINED_SINCE: &str = "govcloud.io/retained-since";
/// Says to other tools which program owns the object.
pub const LABEL_MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// Name of a namespace as Kubernetes itself labels it; immutable.
pub const LABEL_NAMESPACE_NAME: &str = "kubernetes.io/metadata.name";
/// Prefix of the Pod Security labels, all of which are the operator's on its namespaces.
pub const POD_SECURITY_PREFIX: &str = "pod-security.kubernetes.io/";
/// Prefixes of the labels that carry the rules of a `ClusterRole` into others: those of a tenant's own role must stay in it.
pub const AGGREGATION_PREFIXES: [&str; 2] = ["rbac.authorization.k8s.io/", "rbac.govcloud.io/"];
/// Prefix of our own labels and annotations.
pub const MARK_PREFIX: &str = "govcloud.io/";
/// On a quota: the ledger's entry that it was last written for. See `plan::ledger`.
pub const ANNOTATION_EPOCH: &str = "govcloud.io/epoch";
/// Display name, as people write it; any script, hence an annotation.
pub const ANNOTATION_DISPLAY_NAME: &str = "govcloud.io/display-name";
/// The approved spec, on the home namespace: it restores `status.contract` where a status was lost.
pub const ANNOTATION_CONTRACT: &str = "govcloud.io/contract";
/// On a namespace that was there before: the tenant, or tenant and system with a slash, that may take it over. Written by
/// administrators of the cluster alone.
pub const ANNOTATION_ADOPT_INTO: &str = "govcloud.io/adopt-into";
/// On a system with `deletionPolicy: Delete`: its UID, which confirms that its deletion takes volumes along.
pub const ANNOTATION_CONFIRM_DELETE: &str = "govcloud.io/confirm-delete";
/// On a tenant: user name of who wrote its spec last. A `MutatingAdmissionPolicy` of the chart fills it in, and a policy refuses any other name.
pub const ANNOTATION_REQUESTED_BY: &str = "govcloud.io/requested-by";
/// On a network policy that members wrote, while their system is suspended: its own pod selector, as JSON.
pub const ANNOTATION_POD_SELECTOR: &str = "govcloud.io/suspended-pod-selector";
/// What such a policy selects pods by instead. No pod carries it.
pub const LABEL_SUSPENDED: &str = "govcloud.io/suspended";
/// Keeps the two kinds until their namespaces are in the state that `deletionPolicy` asks for.
pub const FINALIZER: &str = "govcloud.io/hold";

/// What the guard rails read on every namespace of a tenant: lists, separated by commas.
pub mod rails {
    /// Registries of images.
    pub const IMAGE_REGISTRIES: &str = "govcloud.io/image-registries";
    /// Whether images must be named by digest: Required or Optional.
    pub const IMAGE_DIGESTS: &str = "govcloud.io/image-digests";
    /// Images of the platform's own programs, admitted whatever the two above say: registries with the first segments of a path.
    pub const PLATFORM_IMAGES: &str = "govcloud.io/platform-images";
    /// On the home namespace: which systems must name images by digest, as the contract says it.
    pub const REQUIRE_DIGEST: &str = "govcloud.io/require-digest";
    /// Domains of hostnames.
    pub const DOMAINS: &str = "govcloud.io/domains";
    /// Types of Services.
    pub const SERVICE_TYPES: &str = "govcloud.io/service-types";
    /// Storage classes.
    pub const STORAGE_CLASSES: &str = "govcloud.io/storage-classes";
    /// Ingress classes.
    pub const INGRESS_CLASSES: &str = "govcloud.io/ingress-classes";
    /// Priority classes.
    pub const PRIORITY_CLASSES: &str = "govcloud.io/priority-classes";
    /// The priority class of pods that name none.
    pub const DEFAULT_PRIORITY_CLASS: &str = "govcloud.io/default-priority-class";
    /// Runtime classes.
    pub const RUNTIME_CLASSES: &str = "govcloud.io/runtime-classes";
    /// Where the pods of these go: class, blank, label of nodes as key=value.
    pub const RUNTIME_CLASS_NODES: &str = "govcloud.io/runtime-class-nodes";
    /// What the pods of these tolerate: class, key, operator, value and effect, separated by blanks.
    pub const RUNTIME_CLASS_TOLERATIONS: &str = "govcloud.io/runtime-class-tolerations";
    /// Pools of nodes, each as key=value.
    pub const NODE_POOLS: &str = "govcloud.io/node-pools";
    /// Devices that the total names.
    pub const DEVICES: &str = "govcloud.io/devices";
    /// That the network is closed because the system is suspended: Suspended; absent where it is not.
    pub const NETWORK: &str = "govcloud.io/network";
    /// Whether the agency's systems reach each other: Allow or Deny.
    pub const BETWEEN_SYSTEMS: &str = "govcloud.io/between-systems";
    /// Approved destinations: range, `=`, ports with protocol separated by semicolons. Example: `203.0.113.0/24=443/TCP`.
    pub const EGRESS: &str = "govcloud.io/egress";
    /// Addresses of the API server, in the same form; absent where pods do not reach it.
    pub const KUBERNETES_API: &str = "govcloud.io/kubernetes-api";
    /// Pods of the platform that the isolation opens, one a line: `ingress` or `egress`, namespace, labels separated by commas,
    /// ports separated by semicolons; `*` for any. Example: `ingress monitoring app=prometheus *`.
    pub const PLATFORM_PEERS: &str = "govcloud.io/platform-peers";
    /// Whether the pods of a system reach each other; absent for Allow.
    pub const WITHIN_SYSTEM: &str = "govcloud.io/within-system";
    /// Ranges that no egress reaches.
    pub const PROTECTED_RANGES: &str = "govcloud.io/protected-ranges";
    /// Who may be let in: kind, slash, name; one a line.
    pub const MEMBERS: &str = "govcloud.io/members";
}

/// The one `ResourceQuota` of a namespace.
pub const QUOTA: &str = "govcloud-quota";
/// The one `LimitRange` of a namespace.
pub const LIMIT_RANGE: &str = "govcloud-defaults";
/// The isolation policy of a namespace.
pub const NETWORK_POLICY: &str = "govcloud-isolation";
/// `ServiceAccount` of a system's delivery pipeline.
pub const DEPLOYER: &str = "deployer";
/// Begins the name of each `ClusterRole`, and of its binding, that grants a tenant's members access to their own `AgencyTenant`.
pub const TENANT_ROLE_PREFIX: &str = "govcloud:tenant:";
/// Ends that of the Deployers and Auditors, who read it only. No tenant's name holds a colon.
pub const VIEW_SUFFIX: &str = ":view";
/// The guard rails, each a policy and its binding, in `charts/govcloud/policies/`. A policy there that only warns is none: it
/// denies nothing by which it could be proven, and nobody waits for it.
pub const POLICIES: [&str; 17] = [
    "govcloud-approvals",
    "govcloud-bindings",
    "govcloud-claims",
    "govcloud-images",
    "govcloud-ingresses",
    "govcloud-marks",
    "govcloud-namespaces",
    "govcloud-networkpolicies",
    "govcloud-operator",
    "govcloud-operator-bindings",
    "govcloud-operator-outside",
    "govcloud-resources",
    "govcloud-scheduling",
    "govcloud-secrets",
    "govcloud-services",
    "govcloud-systems",
    "govcloud-tenants",
];
/// Label of policies and their bindings: the version of the operator whose chart brings them.
pub const LABEL_VERSION: &str = "app.kubernetes.io/version";
/// Begins the name of the `ClusterRole` that each policy refuses always, so that it can be proven to be in force.
pub const PROBE_PREFIX: &str = "govcloud:probe:";
/// The operator's `ClusterRole`.
pub const OPERATOR: &str = "govcloud-operator";

/// The lease that one replica of the operator holds, in the operator's namespace.
pub const LEASE_NAME: &str = "govcloud-operator";
/// Annotation of the lease: the settings of the replica that holds it, as JSON. Commands that show what the operator would do read it.
pub const ANNOTATION_SETTINGS: &str = "govcloud.io/settings";
/// `ClusterRole` that lets the operator hold it.
pub const LEASE_ROLE: &str = "govcloud-operator-lease";

/// Joins tenant and system in the name of a workload namespace; in neither of the two names.
pub const SEPARATOR: &str = "--";

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes the name as the API server holds it; its form is the schema's to check.
            pub fn new(name: impl Into<Arc<str>>) -> Self {
                Self(name.into())
            }

            /// The bare string.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

/// What is wrong with a tenant's name. The schema says the same of every new object.
#[must_use]
pub fn tenant_name_complaint(name: &str) -> Option<&'static str> {
    let reserved =
        ["kube-", "openshift", "govcloud"].iter().any(|prefix| name.starts_with(prefix)) || name.ends_with("-system") || name == "default";
    match is_name(name, 30) {
        false => Some("is not a tenant name; use 1 to 30 lower-case letters, digits and single hyphens, beginning with a letter"),
        true if reserved => Some("is reserved (kube-*, openshift*, govcloud*, *-system, default); choose the agency's own name"),
        true => None,
    }
}

/// What is wrong with a system's name.
#[must_use]
pub fn system_name_complaint(name: &str) -> Option<&'static str> {
    let complaint = "is not a system name; use 1 to 31 lower-case letters, digits and single hyphens, beginning with a letter";
    (!is_name(name, 31)).then_some(complaint)
}

fn is_name(name: &str, longest: usize) -> bool {
    let letters = name.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-');
    letters
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && !name.ends_with('-')
        && !name.contains(SEPARATOR)
        && name.len() <= longest
}

name_type!(
    /// Name of an `AgencyTenant`, and of its home namespace.
    TenantName
);
name_type!(
    /// Name of a `HostedSystem` within its tenant.
    SystemName
);
name_type!(
    /// Name of a namespace.
    NamespaceName
);

impl Borrow<str> for TenantName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl TenantName {
    /// The namespace in which the tenant's hosted systems are declared.
    #[must_use]
    pub fn home(&self) -> NamespaceName {
        NamespaceName::new(self.as_str())
    }

    /// The `ClusterRole`, and its binding, that grants the tenant's Owners access to their own `AgencyTenant`.
    #[must_use]
    pub fn owner_role(&self) -> String {
        format!("{TENANT_ROLE_PREFIX}{self}")
    }

    /// The `ClusterRole`, and its binding, that lets the tenant's Deployers and Auditors read their own `AgencyTenant`.
    #[must_use]
    pub fn view_role(&self) -> String {
        format!("{TENANT_ROLE_PREFIX}{self}{VIEW_SUFFIX}")
    }

    /// The namespace in which one system runs.
    #[must_use]
    pub fn workload(&self, system: &SystemName) -> NamespaceName {
        NamespaceName::new(format!("{self}{SEPARATOR}{system}"))
    }
}

impl NamespaceName {
    /// No namespace: where cluster-scoped objects are.
    #[must_use]
    pub fn cluster() -> Self {
        Self::new("")
    }

    /// Whether this is no namespace but cluster scope.
    #[must_use]
    pub fn is_cluster(&self) -> bool {
        self.as_str().is_empty()
    }

    /// The tenant by whose rule of names this namespace would be called: what stands before `--`.
    #[must_use]
    pub fn tenant(&self) -> TenantName {
        TenantName::new(tenant_of(self.as_str()))
    }

    /// The tenant, or tenant and system with a slash, whose namespace this is by its name. Example: health/appointments.
    #[must_use]
    pub fn bearer(&self) -> String {
        self.as_str().replacen(SEPARATOR, "/", 1)
    }

    /// The system after `--`, none for a home namespace.
    #[must_use]
    pub fn system(&self) -> Option<SystemName> {
        self.as_str().split_once(SEPARATOR).map(|(_, system)| SystemName::new(system))
    }
}

/// The tenant by whose rule of names a namespace would be called: what stands before `--`.
#[must_use]
pub fn tenant_of(namespace: &str) -> &str {
    namespace.split_once(SEPARATOR).map_or(namespace, |(tenant, _)| tenant)
}

/// Whether a label or annotation is the operator's alone: kept as planned, removed when not planned.
#[must_use]
pub fn is_ours(key: &str) -> bool {
    let prefixes = [MARK_PREFIX, POD_SECURITY_PREFIX].into_iter().chain(AGGREGATION_PREFIXES);
    prefixes.into_iter().any(|prefix| key.starts_with(prefix)) || key == LABEL_MANAGED_BY
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_workload_namespace_names_its_tenant_and_system() {
        let namespace = TenantName::new("health").workload(&SystemName::new("disease-watch"));
        assert_eq!(namespace.as_str(), "health--disease-watch");
        assert_eq!(namespace.tenant().as_str(), "health");
        assert_eq!(namespace.system(), Some(SystemName::new("disease-watch")));
        assert_eq!(TenantName::new("health").home().system(), None);
    }

    #[test]
    fn a_tenant_is_found_by_the_text_of_its_name() {
        let tenants = BTreeSet::from(["education", "health"].map(TenantName::new));
        assert!(tenants.contains("health") && !tenants.contains("transport"));
    }

    #[test]
    fn names_are_judged_as_the_schema_does() {
        for name in ["a", "health", "a23456789-123456789-123456789", "kubernetes", "systems"] {
            assert_eq!(tenant_name_complaint(name), None, "{name}");
        }
        for name in
            ["", "Health", "2a", "a-", "a--b", "a.b", "a23456789-123456789-123456789-1", "kube-x", "x-system", "default", "govcloudx"]
        {
            assert!(tenant_name_complaint(name).is_some(), "{name}");
        }
        assert!(system_name_complaint("web--two").is_some() && system_name_complaint("kube-x").is_none());
    }

    #[test]
    fn foreign_labels_are_not_ours() {
        assert!(is_ours("govcloud.io/tenant") && is_ours("pod-security.kubernetes.io/warn"));
        assert!(is_ours("rbac.authorization.k8s.io/aggregate-to-view") && is_ours("rbac.govcloud.io/aggregate-to-auditor"));
        assert!(!is_ours("kubernetes.io/metadata.name") && !is_ours("team.example/cost-centre"));
    }
}
