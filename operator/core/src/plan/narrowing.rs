//! Changes that only take away, so that they need no approval.

use crate::{
    api::{
        AgencyTenantSpec,
        agency_tenant::{BetweenSystems, Egress, KubernetesApi, PodSecurity, Role},
    },
    model::amounts::{Amounts, amounts, of},
};

/// Whether a change only takes away what may be taken away without approval; `held` is what the systems hold.
#[must_use]
pub fn narrows(from: &AgencyTenantSpec, to: &AgencyTenantSpec, held: &Amounts) -> bool {
    let mut widened = to.clone();
    if to.suspended {
        widened.suspended = from.suspended;
    }
    if !to.preapproved {
        widened.preapproved = from.preapproved;
    }
    if !to.adopt_namespace {
        widened.adopt_namespace = from.adopt_namespace;
    }
    if to.network.between_systems == BetweenSystems::Deny {
        widened.network.between_systems = from.network.between_systems;
    }
    if to.network.kubernetes_api == KubernetesApi::Deny {
        widened.network.kubernetes_api = from.network.kubernetes_api;
    }
    if to.pod_security == PodSecurity::Restricted {
        widened.pod_security = from.pod_security;
    }
    let granted: Vec<Egress> = from.network.egress.iter().map(Egress::with_protocol).collect();
    if to.network.egress.iter().all(|exit| granted.contains(&exit.with_protocol())) {
        widened.network.egress.clone_from(&from.network.egress);
    }
    if to.images.registries.iter().all(|registry| from.images.registries.contains(registry)) {
        widened.images.registries.clone_from(&from.images.registries);
    }
    let mut leaving = from.members.iter().filter(|member| !to.members.contains(member));
    if leaving.all(|member| member.role != Role::Owner) && to.members.iter().all(|member| from.members.contains(member)) {
        widened.members.clone_from(&from.members);
    }
    if lowers(from, to, held) {
        widened.quota.clone_from(&from.quota);
    }
    widened == *from
}

/// Whether no amount is above the former one or below what is held.
fn lowers(from: &AgencyTenantSpec, to: &AgencyTenantSpec, held: &Amounts) -> bool {
    let (Ok(old), Ok(new)) = (amounts(&from.quota), amounts(&to.quota)) else { return false };
    new.keys().all(|key| old.contains_key(key)) && old.keys().all(|key| of(&new, key) <= of(&old, key) && of(&new, key) >= of(held, key))
}
