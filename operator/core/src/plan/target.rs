//! What should be so for one tenant.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::{
    children::desired::Desired,
    model::names::{NamespaceName, SystemName},
    plan::quota::Allocation,
};

/// Everything that should be so for one tenant.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// The namespaces, home first. None where nothing may be touched.
    pub namespaces: Vec<NamespacePlan>,
    /// What grants the members access to their own `AgencyTenant`, in cluster scope. None where nobody knows who they are.
    pub tenant_access: Option<NamespacePlan>,
    /// The tenant's total, handed out.
    pub allocation: Allocation,
    /// The agency's members, in the words in which bindings are read.
    pub members: BTreeSet<String>,
    /// Users and groups that were members and are no longer, in the same words.
    pub former: BTreeSet<String>,
    /// Namespaces that stay as they are until their systems are declared again.
    pub untouched: Vec<NamespaceName>,
}

/// One namespace as it should be.
#[derive(Clone, Debug)]
pub struct NamespacePlan {
    /// Its name, empty for cluster scope.
    pub namespace: NamespaceName,
    /// Its system, none for the home namespace.
    pub system: Option<SystemName>,
    /// Its children, itself among them.
    pub desired: Vec<Arc<Desired>>,
    /// What is to become of it.
    pub goal: Goal,
    /// Whether a namespace that was there before may be taken over.
    pub adopts: bool,
    /// Whether its quota admits no pod and counts none.
    pub drained: bool,
    /// What objects of others may open in it.
    pub tolerance: Tolerance,
    /// Whether it opens the way to the API server, and nobody can see where that is: the addresses are those that were known last.
    pub api_server_unknown: bool,
}

/// What is to become of a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// It serves.
    Serve,
    /// It is kept, closed and without pods.
    Close,
    /// It is closed, then deleted.
    Remove,
}

impl Plan {
    /// The plan of one namespace.
    #[must_use]
    pub fn namespace(&self, namespace: &NamespaceName) -> Option<&NamespacePlan> {
        self.namespaces.iter().find(|space| &space.namespace == namespace)
    }
}

/// What objects that members wrote may open in a namespace.
#[derive(Clone, Debug, Default)]
pub struct Tolerance {
    /// Whether they may let the agency's members and accounts in.
    pub access: bool,
    /// Whether they may open the network.
    pub network: bool,
    /// What members may repeat of the operator's own network policy, in the words of its kind, and whether a suspended system closes it.
    pub repeatable: BTreeMap<String, bool>,
}
