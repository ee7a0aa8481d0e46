//! Isolation: nothing in, nothing out, but what the contract opens. One policy selects every pod of the namespace.

use std::collections::BTreeMap;

use ipnet::IpNet;
use serde_json::{Value, json};

use super::{Build, Kind, Rank, Write};
use crate::{
    api::{agency_tenant::BetweenSystems, hosted_system::WithinSystem},
    names::{LABEL_NAMESPACE_NAME, LABEL_TENANT_UID, NETWORK_POLICY},
    plan::{
        desired::{Access, Space},
        intent::Exit,
        settings::Pods,
    },
};

pub(super) static KIND: Kind = Kind {
    group: "networking.k8s.io",
    version: "v1",
    kind: "NetworkPolicy",
    plural: "networkpolicies",
    rank: Rank::Guard,
    write: Write::Guard,
    build: Build::Inside(build),
    content: |object| object["spec"].clone(),
    figures: None,
    prime: None,
    narrow: None,
    opens: Some(opens),
};

/// What a policy opens that has any rule.
pub const OPENS_NETWORK: &str = "Network";

fn build(space: &Space) -> Vec<Value> {
    let open = space.access == Access::Open;
    vec![json!({
        "metadata": { "name": NETWORK_POLICY },
        "spec": {
            "podSelector": {},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": if open { ingress(space) } else { Vec::new() },
            "egress": if open { egress(space) } else { Vec::new() },
        },
    })]
}

fn ingress(space: &Space) -> Vec<Value> {
    rules("from", [neighbours(space), callers(space).into_iter().map(pods).collect()])
}

fn egress(space: &Space) -> Vec<Value> {
    let mut rules = rules("to", [neighbours(space)]);
    rules.push(dns(space));
    rules.extend(space.tenant.egress.iter().map(exit));
    rules.extend(api_server(space));
    rules
}

/// A rule for each list of peers that is not empty: an empty one would open to everybody.
fn rules<const N: usize>(direction: &str, peers: [Vec<Value>; N]) -> Vec<Value> {
    peers.into_iter().filter(|peers| !peers.is_empty()).map(|peers| json!({ direction: peers })).collect()
}

/// The pods of the namespace itself, unless its system keeps them apart, and, where the agency allows it, of its other systems.
fn neighbours(space: &Space) -> Vec<Value> {
    let of_the_agency = json!({ LABEL_TENANT_UID: space.tenant.identity.uid });
    match (space.within_system, space.tenant.between_systems) {
        (WithinSystem::Allow, BetweenSystems::Deny) => vec![json!({ "podSelector": {} })],
        (WithinSystem::Allow, BetweenSystems::Allow) => {
            vec![json!({ "podSelector": {} }), json!({ "namespaceSelector": { "matchLabels": of_the_agency } })]
        }
        (WithinSystem::Deny, BetweenSystems::Deny) => Vec::new(),
        (WithinSystem::Deny, BetweenSystems::Allow) => {
            let others = json!([{ "key": LABEL_NAMESPACE_NAME, "operator": "NotIn", "values": [space.namespace.as_str()] }]);
            vec![json!({ "namespaceSelector": { "matchLabels": of_the_agency, "matchExpressions": others } })]
        }
    }
}

/// Pods of the platform that reach those of the agency: by all ports, for an Ingress or a scrape may name any.
fn callers<'a>(space: &Space<'a>) -> Vec<&'a Pods> {
    space.settings.callers(&space.tenant.allow.ingress_classes)
}

fn pods(pods: &Pods) -> Value {
    let mut peer = json!({ "namespaceSelector": { "matchLabels": { LABEL_NAMESPACE_NAME: pods.namespace } } });
    if !pods.labels.is_empty() {
        peer["podSelector"] = json!({ "matchLabels": pods.labels });
    }
    peer
}

fn dns_servers(space: &Space) -> Pods {
    Pods { namespace: space.settings.dns_namespace.clone(), labels: space.settings.dns_selector.clone() }
}

fn dns(space: &Space) -> Value {
    let port = space.settings.dns_port;
    json!({
        "to": [pods(&dns_servers(space))],
        "ports": [{ "protocol": "UDP", "port": port }, { "protocol": "TCP", "port": port }],
    })
}

fn exit(exit: &Exit) -> Value {
    let except: Vec<String> = exit.except.iter().map(ToString::to_string).collect();
    let ports: Vec<Value> = exit.ports.iter().map(|port| json!({ "protocol": exit.protocol.as_str(), "port": port })).collect();
    json!({ "to": [{ "ipBlock": { "cidr": exit.range.to_string(), "except": except } }], "ports": ports })
}

/// The way to the API server, a rule a port.
fn api_server(space: &Space) -> impl Iterator<Item = Value> {
    let servers = space.api_server.iter().filter(|_| space.reaches_api_server());
    let mut by_port: BTreeMap<u16, Vec<Value>> = BTreeMap::new();
    for server in servers {
        by_port.entry(server.port()).or_default().push(json!({ "ipBlock": { "cidr": IpNet::from(server.ip()).to_string() } }));
    }
    by_port.into_iter().map(|(port, peers)| json!({ "to": peers, "ports": [{ "protocol": "TCP", "port": port }] }))
}

/// What the policy opens to pods of the platform, a line each, in the form that the guard rails read: an Owner may repeat it.
pub(super) fn platform_peers(space: &Space) -> Vec<String> {
    let (dns, port) = (dns_servers(space), space.settings.dns_port);
    let inward = callers(space).into_iter().map(|pods| line("ingress", pods, "*"));
    std::iter::once(line("egress", &dns, &format!("{port}/TCP;{port}/UDP"))).chain(inward).collect()
}

fn line(direction: &str, pods: &Pods, ports: &str) -> String {
    let labels: Vec<String> = pods.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let labels = if labels.is_empty() { "*".to_owned() } else { labels.join(",") };
    format!("{direction} {} {labels} {ports}", pods.namespace)
}

/// A policy of others adds to ours whatever it lets through.
fn opens(object: &Value) -> Vec<String> {
    let rules = ["ingress", "egress"].iter().filter_map(|direction| object["spec"][*direction].as_array()).map(Vec::len);
    if rules.sum::<usize>() > 0 { vec![OPENS_NETWORK.to_owned()] } else { Vec::new() }
}
