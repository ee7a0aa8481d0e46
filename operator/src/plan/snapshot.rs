//! What the operator sees of one tenant at one moment: plain data, gathered from the caches.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};

use crate::{
    api::{AgencyTenantSpec, AgencyTenantStatus, HostedSystemSpec, HostedSystemStatus, hosted_system::WithinSystem},
    names::{ENTRANCE_PREFIX, ENTRANCE_VIEW, NamespaceName, QUOTA, TenantName},
    plan::{
        amount::{Amount, Amounts, of},
        contract::Kept,
        ending::Ending,
        pod_classes::PodClasses,
        refusals::Refusal,
        rivals::Rival,
        tags::Tags,
    },
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

/// Where a child is: sorted so that all of a namespace stand together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChildKey {
    /// Namespace it is in; for a Namespace, its own name.
    pub namespace: NamespaceName,
    /// Index of its kind in the table of children.
    pub kind: usize,
    /// Name of the object.
    pub name: Arc<str>,
}

impl ChildKey {
    /// The tenant in whose name the object stands: by its namespace or, in cluster scope, by its own name.
    #[must_use]
    pub fn tenant(&self) -> TenantName {
        match self.name.strip_prefix(ENTRANCE_PREFIX) {
            Some(tenant) if self.namespace.is_cluster() => TenantName::new(tenant.strip_suffix(ENTRANCE_VIEW).unwrap_or(tenant)),
            _ => self.namespace.tenant(),
        }
    }
}

/// All that is kept of a child that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// UID, for preconditions.
    pub uid: Box<str>,
    /// `metadata.resourceVersion`, for preconditions.
    pub resource_version: Box<str>,
    /// Value of the tenant UID label, empty where there is none.
    pub tenant_uid: Arc<str>,
    /// Value of the display name annotation, empty where there is none.
    pub display_name: Box<str>,
    /// Of a namespace, whether the pods in it reach each other.
    pub within_system: WithinSystem,
    /// Of a namespace, whether images must name a digest, as the guard rails read it.
    pub requires_digests: bool,
    /// Of a namespace, the addresses of the API server that were last written to it, as the guard rails read them.
    pub api_server: Box<str>,
    /// Time of creation, in seconds since 1970.
    pub created: i64,
    /// Whether it is marked deleted.
    pub deleting: bool,
    /// Whether it has finalizers.
    pub held: bool,
    /// Of a namespace that is being deleted: what is left in it.
    pub remaining: Option<Box<Remaining>>,
    /// Hash of the content that the operator defines.
    pub hash: u64,
    /// What an object that others wrote opens: whom it lets in, or the network. Empty where members could not have written it.
    pub opens: Vec<String>,
    /// Figures of a `ResourceQuota`.
    pub quota: Option<Box<QuotaState>>,
}

/// What is left in a namespace that is being deleted, as its own conditions say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remaining {
    /// When its deletion began, in seconds since 1970.
    pub since: i64,
    /// Messages of its conditions that are True.
    pub messages: String,
    /// Finalizers of objects in it are among what is left.
    pub finalizers: bool,
    /// All of these finalizers are Kubernetes' own, which it removes itself as a rule.
    pub of_kubernetes: bool,
    /// APIs of the cluster do not answer, so nobody knows what is left.
    pub undiscovered: bool,
}

/// Figures of a `ResourceQuota`: what is not 0 of the keys that are handed out, and what is to be said of all keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QuotaState {
    /// `spec.hard`: what is wanted.
    pub wanted: Arc<Amounts>,
    /// `status.hard`: what admission enforces.
    pub hard: Arc<Amounts>,
    /// `status.used`.
    pub used: Amounts,
    /// The ledger's entry that it was last written for.
    pub epoch: i64,
    /// Whether admission enforces what the spec wants.
    pub live: bool,
    /// Whether admission judges every key, be it by a former amount.
    pub enforced: bool,
    /// Whether every key's use is known.
    pub counted: bool,
}

impl QuotaState {
    /// Reads the figures; `told` says which keys are handed out to systems.
    #[must_use]
    pub fn new(wanted: &Amounts, hard: &Amounts, used: &Amounts, epoch: i64, told: impl Fn(&str) -> bool) -> Self {
        let some = |amounts: &Amounts| -> Amounts {
            amounts
                .iter()
                .filter(|(key, amount)| **amount > Amount::ZERO && told(key))
                .map(|(key, amount)| (key.clone(), *amount))
                .collect()
        };
        let live = wanted == hard;
        let kept = Arc::new(some(wanted));
        Self {
            hard: if live { kept.clone() } else { Arc::new(some(hard)) },
            wanted: kept,
            used: some(used),
            epoch,
            live,
            enforced: wanted.keys().all(|key| hard.contains_key(key)),
            counted: wanted.keys().all(|key| used.contains_key(key)),
        }
    }

    /// Whether admission lets no pod in, and there is none.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.is_closed() && self.counted && of(&self.used, PODS) == Amount::ZERO
    }

    /// Whether admission lets no pod in.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.enforced && of(&self.hard, PODS) == Amount::ZERO
    }
}

const PODS: &str = "pods";

/// Children by place.
pub type Observed = BTreeMap<ChildKey, Entry>;

/// The children of one namespace, itself among them.
pub fn inside<'a>(observed: &'a Observed, namespace: &NamespaceName) -> impl Iterator<Item = (&'a ChildKey, &'a Entry)> {
    let namespace = namespace.clone();
    let first = ChildKey { namespace: namespace.clone(), kind: 0, name: Arc::default() };
    observed.range(first..).take_while(move |(key, _)| key.namespace == namespace)
}

/// One tenant at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Name of the tenant; there may be no such object.
    pub name: TenantName,
    /// The `AgencyTenant`.
    pub tenant: Option<TenantRoot>,
    /// The copy of its contract on the home namespace; looked for only where its status has none.
    pub kept: Option<Kept>,
    /// The copy of the contract of the tenant whose home namespace is about to be taken over.
    pub former: Option<Kept>,
    /// Other tenants that are in its way.
    pub rivals: Vec<Rival>,
    /// Hosted systems declared in the namespace of the tenant's name.
    pub systems: Vec<SystemRoot>,
    /// Every marked object in the tenant's namespaces.
    pub observed: Observed,
    /// Addresses of the API server; none as long as they are not known.
    pub api_server: Vec<SocketAddr>,
    /// Kinds that the operator cannot see, and why. Nothing is changed as long as there is one.
    pub blind: Vec<String>,
    /// What is known of the definitions of the two kinds; asked for only where something is about to end.
    pub definitions: Definitions,
    /// What the cluster's classes put into pods.
    pub pod_classes: Arc<PodClasses>,
    /// Workloads whose pods were refused lately and that still lack some, by namespace.
    pub refusals: BTreeMap<NamespaceName, Vec<Refusal>>,
    /// Pods by tag in namespaces where images must name a digest, as far as they were looked for.
    pub tags: BTreeMap<NamespaceName, Tags>,
    /// Pods in namespaces that are to have none, as far as they were looked for.
    pub ending: BTreeMap<NamespaceName, Ending>,
    /// Hosted systems that the API server does not let the operator hold, and its words: they are not served. An empty name
    /// stands for the tenant itself.
    pub refused: BTreeMap<String, String>,
}

/// The definitions of the two kinds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Definitions {
    /// Whether one of them is being removed from the cluster, or is gone: then nothing but finalizers is touched.
    pub ending: bool,
    /// When the younger one was created, in seconds since 1970. Systems of older namespaces may not have been declared again yet.
    pub created: i64,
}

impl Snapshot {
    /// Whether there is a quota in this namespace and admission enforces it as it is written.
    #[must_use]
    pub fn quota_is_live(&self, namespace: &NamespaceName) -> bool {
        let mut here = inside(&self.observed, namespace).filter(|(key, _)| &*key.name == QUOTA);
        here.any(|(_, entry)| entry.quota.as_ref().is_some_and(|quota| quota.live))
    }
}
