//! What should exist: one namespace's children, ready to be compared and written.

use std::net::SocketAddr;

use crate::{
    api::{
        Stage,
        agency_tenant::{Member, Role},
        hosted_system::WithinSystem,
    },
    model::{
        amounts::Amounts,
        names::{NamespaceName, SystemName, TenantName},
        ownership::Identity,
        pod_classes::PodClasses,
        settings::Settings,
        tenant::Tenant,
    },
};

/// What a namespace is for, and in which state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namespace {
    /// Its name.
    pub name: NamespaceName,
    /// The system that runs in it, none for a home namespace.
    pub system: Option<SystemName>,
    /// Name of agency or system as people know it.
    pub display_name: String,
    /// What is open in it.
    pub access: Access,
    /// Whether its system is in service.
    pub running: bool,
    /// Whether its pods reach each other.
    pub within_system: WithinSystem,
    /// Since when it is kept though its tenant or system was deleted, in seconds since 1970.
    pub retained_since: Option<i64>,
}

/// All that the builders of a namespace's children may know.
#[derive(Clone, Debug)]
pub struct ChildInput<'a> {
    /// The namespace.
    pub namespace: &'a Namespace,
    /// The tenant it belongs to.
    pub tenant: &'a Tenant,
    /// Settings of the cluster.
    pub settings: &'a Settings,
    /// What the cluster's classes put into pods.
    pub pod_classes: &'a PodClasses,
    /// Addresses of the API server; none as long as they are not known.
    pub api_server: &'a [SocketAddr],
    /// In a home namespace: workload namespaces whose pipelines may see to their own systems.
    pub pipelines: Vec<NamespaceName>,
    /// What it may use, by quota key.
    pub hard: Amounts,
    /// The ledger's entry for which its quota is written.
    pub epoch: i64,
}

impl ChildInput<'_> {
    /// Whether its pods reach the API server.
    #[must_use]
    pub fn reaches_api_server(&self) -> bool {
        self.namespace.access == Access::Open && self.tenant.kubernetes_api.is_open()
    }
}

/// What grants a tenant's members access to their own `AgencyTenant`: all that its builders may know.
#[derive(Clone, Copy, Debug)]
pub struct TenantAccess<'a> {
    /// The tenant.
    pub tenant: &'a TenantName,
    /// Whose marks it carries.
    pub identity: &'a Identity,
    /// Members of the contract, or the Owners of the request while there is none.
    pub members: &'a [Member],
    /// Whether the request may be withdrawn by deleting it: nothing is approved yet.
    pub withdrawable: bool,
    /// Whether it is not looked at, so that its Owners read it and take it back, and do not edit it.
    pub overlooked: bool,
}

impl TenantAccess<'_> {
    /// Whether anybody is to read it who does not edit it.
    #[must_use]
    pub fn has_viewers(&self) -> bool {
        self.members.iter().any(|member| member.role != Role::Owner)
    }
}

/// What is open in a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Members enter; no pods, no network: a home namespace.
    Members,
    /// Members enter, pods run, the network is open as far as the contract says.
    Open,
    /// Members enter; no new pods, no network.
    Suspended,
    /// Nobody enters; no pods, no network.
    Closed,
}

impl Access {
    /// Of a workload namespace in this stage.
    #[must_use]
    pub fn of(stage: Stage) -> Self {
        match stage {
            Stage::Testing | Stage::Running => Self::Open,
            Stage::Suspended => Self::Suspended,
            Stage::Retired => Self::Closed,
        }
    }
}
