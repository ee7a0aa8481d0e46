//! Isolation: nothing in, nothing out, but what the contract opens. One policy selects every pod of the namespace.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Build, Kind, Rank, Write};
use crate::{
    api::agency_tenant::BetweenSystems,
    names::{LABEL_NAMESPACE_NAME, LABEL_TENANT_UID, NETWORK_POLICY, NamespaceName, TenantName, is_ours},
    plan::{
        desired::{Access, Space},
        intent::Exit,
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
    vec![json!({ "from": neighbours(space) })]
}

fn egress(space: &Space) -> Vec<Value> {
    let mut rules = vec![json!({ "to": neighbours(space) }), dns(space)];
    rules.extend(space.tenant.egress.iter().map(exit));
    rules
}

/// The pods of the namespace itself and, where the agency allows it, of its other systems.
fn neighbours(space: &Space) -> Vec<Value> {
    let mut peers = vec![json!({ "podSelector": {} })];
    if space.tenant.between_systems == BetweenSystems::Allow {
        peers.push(json!({ "namespaceSelector": { "matchLabels": { LABEL_TENANT_UID: space.tenant.identity.uid } } }));
    }
    peers
}

fn dns(space: &Space) -> Value {
    let settings = space.settings;
    json!({
        "to": [{
            "namespaceSelector": { "matchLabels": { LABEL_NAMESPACE_NAME: settings.dns_namespace } },
            "podSelector": { "matchLabels": settings.dns_selector },
        }],
        "ports": [
            { "protocol": "UDP", "port": settings.dns_port },
            { "protocol": "TCP", "port": settings.dns_port },
        ],
    })
}

fn exit(exit: &Exit) -> Value {
    let except: Vec<String> = exit.except.iter().map(ToString::to_string).collect();
    let ports: Vec<Value> = exit.ports.iter().map(|port| json!({ "protocol": "TCP", "port": port })).collect();
    json!({ "to": [{ "ipBlock": { "cidr": exit.range.to_string(), "except": except } }], "ports": ports })
}

/// What our own policy of a namespace opens that members could not write by themselves.
pub(super) fn opened_by_us(space: &Space) -> BTreeSet<String> {
    build(space).iter().flat_map(opens).collect()
}

/// A policy of others adds to ours whatever it lets through: a word for that, and one for each opening that members may write at most
/// where ours has it too.
fn opens(object: &Value) -> Vec<String> {
    let agency = NamespaceName::new(object["metadata"]["namespace"].as_str().unwrap_or_default()).tenant();
    let rules = |way: &'static str| object["spec"][way].as_array().into_iter().flatten();
    let inbound = rules("ingress").flat_map(|rule| beyond(&agency, &rule["from"], true));
    let outbound = rules("egress").flat_map(|rule| beyond(&agency, &rule["to"], false));
    let any = rules("ingress").chain(rules("egress")).next().map(|_| OPENS_NETWORK.to_owned());
    any.into_iter().chain(inbound).chain(outbound).collect()
}

/// Peers other than pods of the namespace, namespaces of the agency, and ranges on the way out.
fn beyond(agency: &TenantName, peers: &Value, inbound: bool) -> Vec<String> {
    let peers = peers.as_array().filter(|peers| !peers.is_empty());
    let Some(peers) = peers else { return vec![format!("{OPENS_NETWORK}/everybody")] };
    let word = |peer: &Value| match (&peer["namespaceSelector"], &peer["ipBlock"]["cidr"]) {
        (selector @ Value::Object(_), _) => {
            let labels = selector["matchLabels"].as_object().into_iter().flatten();
            let mut own = labels.map(|(label, value)| match label.as_str() {
                LABEL_NAMESPACE_NAME => NamespaceName::new(value.as_str().unwrap_or_default()).tenant() == *agency,
                label => is_ours(label),
            });
            let own = selector["matchExpressions"].is_null() && own.any(|own| own);
            (!own).then(|| format!("{OPENS_NETWORK}/namespaces/{selector}"))
        }
        (_, Value::String(range)) if inbound => Some(format!("{OPENS_NETWORK}/from/{range}")),
        _ => None,
    };
    peers.iter().filter_map(word).collect()
}
