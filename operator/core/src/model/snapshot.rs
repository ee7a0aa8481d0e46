//! What the operator sees of one tenant at one moment: plain data, gathered from the store.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use k8s_openapi::jiff::Timestamp;

use serde::{Deserialize, Serialize};

use crate::{
    api::approval::Contract,
    model::{
        amounts::Amounts,
        ending::Ending,
        exports::Exports,
        failed_creates::FailedCreate,
        names::{NamespaceName, SystemName, TenantName},
        observed::Observed,
        outcome::{NamespaceOutcome, Outcome},
        pod_classes::PodClasses,
        root::{SystemRoot, TenantRoot},
        shared::Shared,
        tags::Tags,
    },
};

/// One tenant at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The time.
    pub now: Timestamp,
    /// Name of the tenant; there may be no such object.
    pub name: TenantName,
    /// The `AgencyTenant`.
    pub tenant: Option<Shared<TenantRoot>>,
    /// The copy of its contract on the home namespace; looked for only where its status has none.
    pub kept: Option<ContractBackup>,
    /// The copy of the contract of the tenant whose home namespace is about to be taken over.
    pub former: Option<ContractBackup>,
    /// What other tenants show to it.
    pub exports: Vec<Arc<Exports>>,
    /// The sum of the totals of all other tenants.
    pub promised: Amounts,
    /// Hosted systems declared in the namespace of the tenant's name.
    pub systems: Vec<Shared<SystemRoot>>,
    /// Every marked object in the tenant's namespaces.
    pub observed: Observed,
    /// Addresses of the API server; none as long as they are not known.
    pub api_server: Vec<SocketAddr>,
    /// Kinds that the operator cannot see, and why. Nothing is changed as long as there is one.
    pub blind: Vec<String>,
    /// What keeps the guard rails from being known to be in force, if anything. Nobody is let in as long as there is something.
    pub unguarded: Option<String>,
    /// What is known of the definitions of the two kinds; asked for only where something is about to end.
    pub crds: Crds,
    /// What the cluster's classes put into pods.
    pub pod_classes: Arc<PodClasses>,
    /// Workloads whose pods were refused lately and that still lack some, by namespace.
    pub failed_creates: BTreeMap<NamespaceName, Vec<FailedCreate>>,
    /// Pods by tag in namespaces where images must name a digest, as far as they were looked for.
    pub tags: BTreeMap<NamespaceName, Tags>,
    /// Pods in namespaces that are to have none, as far as they were looked for.
    pub ending: BTreeMap<NamespaceName, Ending>,
    /// Objects on which the API server does not let the operator put its finalizer: they are not served.
    pub finalizer_rejections: FinalizerRejections,
    /// Questions that the API server itself has answered in this round.
    pub answered: BTreeSet<Question>,
    /// What this reconcile has done so far.
    pub progress: Progress,
    /// How long the API server has refused an object in a namespace, each time that it was written.
    pub refused_for: BTreeMap<NamespaceName, Duration>,
    /// How long ago a child was written.
    pub since_write: Option<Duration>,
    /// How long ago the tenant's status was written.
    pub since_status: Option<Duration>,
}

/// What the API server said when it refused the operator's finalizer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FinalizerRejections {
    /// On the tenant itself.
    pub tenant: Option<String>,
    /// On hosted systems, by name.
    pub systems: BTreeMap<String, String>,
}

impl FinalizerRejections {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tenant.is_none() && self.systems.is_empty()
    }
}

/// What only the API server itself knows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Question {
    /// The copy of the contract on the home namespace of the tenant with this UID, whose status has none.
    Contract {
        /// The tenant's UID.
        uid: String,
    },
    /// The copy of the contract of the tenant whose home namespace is about to be taken over.
    FormerContract {
        /// The UID of that tenant.
        uid: String,
    },
    /// Whether the definitions of the two kinds stay.
    Crds,
    /// Whether there is really no such tenant.
    Tenant,
    /// Whether there is really no such system.
    System(SystemName),
    /// Whether there is really no such namespace of a tenant.
    Namespace(NamespaceName),
    /// The pods of this namespace that run by tag.
    PodsByTag(NamespaceName),
    /// The pods that are left in this namespace, which is to have none.
    PodsLeft(NamespaceName),
}

/// What a reconcile has done so far.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    /// Namespaces that are not written again in this reconcile, with their results: something failed there, or nothing was written.
    pub finished: Outcome,
    /// How often others were faster.
    stale: usize,
}

/// What others change faster than this is told, and looked at again later.
const STALE_ROUNDS: usize = 3;

impl Progress {
    /// Notes what became of changes. Namespaces in which something was written, and nothing failed, are looked at again.
    pub fn note(&mut self, outcome: Outcome) {
        if outcome.is_stale() && self.stale < STALE_ROUNDS {
            self.stale += 1;
            return;
        }
        let is_finished = |result: &NamespaceOutcome| result.written == 0 || !result.failures.is_empty();
        self.finished.namespaces.extend(outcome.namespaces.into_iter().filter(|(_, result)| is_finished(result)));
    }
}

/// The definitions of the two kinds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Crds {
    /// Whether one of them is being removed from the cluster, or is gone: then nothing but finalizers is touched.
    pub ending: bool,
    /// When the younger one was created, in seconds since 1970. Systems of older namespaces may not have been declared again yet.
    pub created: i64,
}

impl Snapshot {
    /// Nothing is known of this tenant yet.
    #[must_use]
    pub fn new(name: TenantName, now: Timestamp) -> Self {
        Self {
            now,
            name,
            tenant: None,
            kept: None,
            former: None,
            exports: Vec::new(),
            promised: Amounts::new(),
            systems: Vec::new(),
            observed: Observed::new(),
            api_server: Vec::new(),
            blind: Vec::new(),
            unguarded: None,
            crds: Crds::default(),
            pod_classes: Arc::default(),
            failed_creates: BTreeMap::new(),
            tags: BTreeMap::new(),
            ending: BTreeMap::new(),
            finalizer_rejections: FinalizerRejections::default(),
            answered: BTreeSet::new(),
            progress: Progress::default(),
            since_write: None,
            refused_for: BTreeMap::new(),
            since_status: None,
        }
    }

    /// The time, RFC 3339 in UTC.
    #[must_use]
    pub fn time(&self) -> String {
        self.now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    }
}

/// The copy of the contract that lies on the home namespace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ContractBackup {
    /// Generation of the spec that it is a copy of.
    pub generation: i64,
    /// Whether an approver has stopped the tenant.
    #[serde(default)]
    pub stopped: bool,
    /// The spec.
    pub spec: Contract,
}
