//! A tenant and its systems as they are asked for, checked.

use std::fmt;

use ipnet::IpNet;

use crate::{
    api::{
        DeletionPolicy, Quantity, Stage,
        agency_tenant::{BetweenSystems, KubernetesApi, Member, PodSecurity, Protocol},
        allowances::{Allow, Images},
        hosted_system::WithinSystem,
        objects::Objects,
    },
    model::{
        amounts::{Amounts, Follows},
        names::{SystemName, TenantName},
        ownership::Identity,
    },
};

/// One thing wrong with an object that the schema could not see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Path of the field. Example: `spec.network.egress[10.0.0.0/8].cidr`.
    pub field: String,
    /// What is wrong with its value, and the cure.
    pub complaint: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.complaint)
    }
}

/// A tenant whose contract can be served.
#[derive(Clone, Debug, PartialEq)]
pub struct Tenant {
    /// Name, also of the home namespace.
    pub name: TenantName,
    /// Its UID, and that of the tenant whose namespaces it takes over.
    pub identity: Identity,
    /// Name as people know it.
    pub display_name: String,
    /// Who may enter.
    pub members: Vec<Member>,
    /// The total.
    pub quota: Amounts,
    /// Requests and limits of containers that name none, as quantities by resource.
    pub defaults: ContainerDefaults,
    /// Whether the systems reach each other.
    pub between_systems: BetweenSystems,
    /// Whether their pods reach the API server.
    pub kubernetes_api: KubernetesApi,
    /// Checked ways out.
    pub egress: Vec<EgressRule>,
    /// Counts of objects in each namespace that are above the defaults, by kind.
    pub objects: Objects,
    /// Domains of its hostnames.
    pub domains: Vec<String>,
    /// Where its images come from.
    pub images: Images,
    /// Shared classes that it may name.
    pub allow: Allow,
    /// Those of its ingress classes whose controller the operator is not told, so that no traffic arrives through them.
    pub classes_without_controller: Vec<String>,
    /// Whether all of its systems are suspended.
    pub suspended: bool,
    /// The copy of the contract for the home namespace, empty where there is none.
    pub copy: String,
    /// Pod Security level.
    pub pod_security: PodSecurity,
    /// Whether a namespace of its name that was there before may become its home namespace.
    pub adopts_namespace: bool,
    /// What becomes of the home namespace on deletion.
    pub deletion_policy: DeletionPolicy,
    /// Whether the tenant is marked deleted.
    pub deleting: bool,
}

impl Tenant {
    /// What is to be said of ingress classes through which no traffic arrives, if there are such.
    #[must_use]
    pub fn without_ingress(&self) -> Option<String> {
        let classes = self.classes_without_controller.join(", ");
        let cause = "the operator runs without an --ingress-controller for it; ask a platform administrator to set one";
        (!classes.is_empty()).then(|| format!("no traffic arrives through ingress class {classes}: {cause}"))
    }
}

/// Defaults of a container: pairs of resource and quantity.
#[derive(Clone, Debug, PartialEq)]
pub struct ContainerDefaults {
    /// Requests.
    pub requests: [(&'static str, Quantity); 2],
    /// Limits.
    pub limits: [(&'static str, Quantity); 2],
}

/// A permitted destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EgressRule {
    /// Addresses.
    pub range: IpNet,
    /// Protected ranges inside of it, which stay closed.
    pub except: Vec<IpNet>,
    /// Protocol of the ports.
    pub protocol: Protocol,
    /// Ports.
    pub ports: Vec<i32>,
}

/// A hosted system whose spec can be served.
#[derive(Clone, Debug)]
pub struct System {
    /// Name.
    pub name: SystemName,
    /// Name as people know it.
    pub display_name: String,
    /// Creation time, which decides the order of shares.
    pub created: String,
    /// Wanted stage; Suspended with its tenant, Retired when it is marked deleted.
    pub stage: Stage,
    /// Whether it is in service, or would be if its tenant were not suspended.
    pub running: bool,
    /// Whether its pods reach each other.
    pub within_system: WithinSystem,
    /// The share that it asks for.
    pub wanted: Amounts,
    /// Keys of it that it does not name.
    pub follows: Follows,
    /// Whether a namespace of its name that was there before may become its workload namespace.
    pub adopts_namespace: bool,
    /// What becomes of the workload namespace on deletion.
    pub deletion_policy: DeletionPolicy,
    /// Whether the system is marked deleted.
    pub deleting: bool,
}
