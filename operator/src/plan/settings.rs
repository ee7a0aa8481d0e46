//! What the operator must know of its cluster.

use std::collections::BTreeMap;

use ipnet::IpNet;

/// Settings of the cluster, the same for all tenants.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Namespace of the cluster's DNS servers.
    pub dns_namespace: String,
    /// Labels of their pods.
    pub dns_selector: BTreeMap<String, String>,
    /// Port on which the pods answer, TCP and UDP.
    pub dns_port: i32,
    /// The cluster's own address ranges (pods, services, nodes), which no tenant's egress may name.
    pub cluster_ranges: Vec<IpNet>,
}

/// Link-local addresses, where clouds serve their metadata; never a destination.
const LINK_LOCAL: [&str; 2] = ["169.254.0.0/16", "fe80::/10"];

impl Settings {
    /// Every range that egress must not reach.
    pub fn protected_ranges(&self) -> impl Iterator<Item = IpNet> + '_ {
        self.cluster_ranges.iter().copied().chain(LINK_LOCAL.iter().filter_map(|range| range.parse().ok()))
    }
}
