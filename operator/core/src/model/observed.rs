//! The children of one tenant as the store keeps them: some hundred bytes each.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    api::hosted_system::WithinSystem,
    model::{
        amounts::{Amount, Amounts, of},
        names::{NamespaceName, TENANT_ROLE_PREFIX, TenantName, VIEW_SUFFIX, tenant_of},
        shared::Shared,
    },
};

/// Index of the namespaces' own row in the table of children.
pub const NAMESPACE: usize = 0;

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
    /// The tenant in whose name the object stands.
    #[must_use]
    pub fn tenant(&self) -> TenantName {
        TenantName::new(tenant_of_child(self.namespace.as_str(), &self.name))
    }
}

/// The tenant in whose name a child stands: by its namespace or, in cluster scope, by its own name.
#[must_use]
pub fn tenant_of_child<'a>(namespace: &'a str, name: &'a str) -> &'a str {
    match name.strip_prefix(TENANT_ROLE_PREFIX) {
        Some(tenant) if namespace.is_empty() => tenant.strip_suffix(VIEW_SUFFIX).unwrap_or(tenant),
        _ => tenant_of(namespace),
    }
}

/// All that is kept of a child that exists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
    /// Of a namespace that is kept though its tenant or system was deleted: since when, in seconds since 1970; 0 of any other.
    pub retained_since: i64,
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
    pub exposes: Vec<String>,
    /// Of a network policy that was made ineffective by a suspension: whether it can be put back as it was.
    pub restorable: Option<bool>,
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
pub type Observed = BTreeMap<ChildKey, Shared<Entry>>;

/// The children of one namespace, itself among them.
pub fn inside<'a>(observed: &'a Observed, namespace: &NamespaceName) -> impl Iterator<Item = (&'a ChildKey, &'a Entry)> {
    let namespace = namespace.clone();
    let first = ChildKey { namespace: namespace.clone(), kind: 0, name: Arc::default() };
    observed.range(first..).take_while(move |(key, _)| key.namespace == namespace).map(|(key, entry)| (key, &**entry))
}
