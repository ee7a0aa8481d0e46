//! Isolation: nothing in, nothing out, but what the contract opens. One policy selects every pod of the namespace.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use serde_json::{Map, Value, json};

use super::{
    content::Content,
    kind::{Build, Kind, Rank, WriteMode},
    suspension,
};
use crate::{
    api::{agency_tenant::BetweenSystems, hosted_system::WithinSystem},
    model::{
        names::{LABEL_NAMESPACE_NAME, LABEL_SYSTEM, LABEL_TENANT, LABEL_TENANT_UID, NETWORK_POLICY, NamespaceName},
        namespace::{Access, ChildInput},
        settings::{Pods, Settings},
        tenant::EgressRule,
    },
};

pub(super) static KIND: Kind = Kind {
    group: "networking.k8s.io",
    version: "v1",
    kind: "NetworkPolicy",
    plural: "networkpolicies",
    rank: Rank::Isolation,
    isolates: true,
    write: WriteMode::Replace,
    build: Build::Inside(build),
    content: Content::Fields(&["/spec"]),
    observe: Some(suspension::observe),
    initial_status: None,
    without_new_subjects: None,
    exposes: Some(exposes),
};

/// What a policy opens that has any rule.
pub const EXPOSES_NETWORK: &str = "Network";

fn build(input: &ChildInput) -> Vec<Value> {
    let open = input.namespace.access == Access::Open;
    vec![json!({
        "metadata": { "name": NETWORK_POLICY },
        "spec": {
            "podSelector": {},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": if open { ingress(input) } else { Vec::new() },
            "egress": if open { egress(input) } else { Vec::new() },
        },
    })]
}

fn ingress(input: &ChildInput) -> Vec<Value> {
    rules("from", [neighbours(input), callers(input).into_iter().map(pods).collect()])
}

fn egress(input: &ChildInput) -> Vec<Value> {
    let mut rules = rules("to", [neighbours(input)]);
    rules.push(dns(input));
    rules.extend(input.tenant.egress.iter().map(exit));
    rules.extend(api_server(input));
    rules
}

/// A rule for each list of peers that is not empty: an empty one would open to everybody.
fn rules<const N: usize>(direction: &str, peers: [Vec<Value>; N]) -> Vec<Value> {
    peers.into_iter().filter(|peers| !peers.is_empty()).map(|peers| json!({ direction: peers })).collect()
}

/// The pods of the namespace itself, unless its system keeps them apart, and, where the agency allows it, of its other systems.
fn neighbours(input: &ChildInput) -> Vec<Value> {
    let of_the_agency = json!({ LABEL_TENANT_UID: input.tenant.identity.uid });
    match (input.namespace.within_system, input.tenant.between_systems) {
        (WithinSystem::Allow, BetweenSystems::Deny) => vec![json!({ "podSelector": {} })],
        (WithinSystem::Allow, BetweenSystems::Allow) => {
            vec![json!({ "podSelector": {} }), json!({ "namespaceSelector": { "matchLabels": of_the_agency } })]
        }
        (WithinSystem::Deny, BetweenSystems::Deny) => Vec::new(),
        (WithinSystem::Deny, BetweenSystems::Allow) => {
            let others = json!([{ "key": LABEL_NAMESPACE_NAME, "operator": "NotIn", "values": [input.namespace.name.as_str()] }]);
            vec![json!({ "namespaceSelector": { "matchLabels": of_the_agency, "matchExpressions": others } })]
        }
    }
}

/// Pods of the platform that reach those of the agency: by all ports, for an Ingress or a scrape may name any.
fn callers<'a>(input: &ChildInput<'a>) -> Vec<&'a Pods> {
    input.settings.callers(&input.tenant.allow.ingress_classes)
}

fn pods(pods: &Pods) -> Value {
    let mut peer = json!({ "namespaceSelector": { "matchLabels": { LABEL_NAMESPACE_NAME: pods.namespace } } });
    if !pods.labels.is_empty() {
        peer["podSelector"] = json!({ "matchLabels": pods.labels });
    }
    peer
}

fn dns_servers(input: &ChildInput) -> Pods {
    Pods { namespace: input.settings.dns_namespace.clone(), labels: input.settings.dns_selector.clone() }
}

fn dns(input: &ChildInput) -> Value {
    let port = input.settings.dns_port;
    let caches = input.settings.dns_caches.iter().map(|address| json!({ "ipBlock": { "cidr": IpNet::from(*address).to_string() } }));
    json!({
        "to": std::iter::once(pods(&dns_servers(input))).chain(caches).collect::<Vec<_>>(),
        "ports": [{ "protocol": "UDP", "port": port }, { "protocol": "TCP", "port": port }],
    })
}

fn exit(exit: &EgressRule) -> Value {
    let except: Vec<String> = exit.except.iter().map(ToString::to_string).collect();
    let ports: Vec<Value> = exit.ports.iter().map(|port| json!({ "protocol": exit.protocol.as_str(), "port": port })).collect();
    json!({ "to": [{ "ipBlock": { "cidr": exit.range.to_string(), "except": except } }], "ports": ports })
}

/// The way to the API server, a rule a port.
fn api_server(input: &ChildInput) -> impl Iterator<Item = Value> {
    let servers = input.api_server.iter().filter(|_| input.reaches_api_server());
    let mut by_port: BTreeMap<u16, Vec<Value>> = BTreeMap::new();
    for server in servers {
        by_port.entry(server.port()).or_default().push(json!({ "ipBlock": { "cidr": IpNet::from(server.ip()).to_string() } }));
    }
    by_port.into_iter().map(|(port, peers)| json!({ "to": peers, "ports": [{ "protocol": "TCP", "port": port }] }))
}

/// What the policy opens to pods of the platform, a line each, in the form that the guard rails read: an Owner may repeat it. Of a
/// suspended system, what may go on to be open by others' policies.
pub(super) fn platform_peers(input: &ChildInput) -> Vec<String> {
    let (dns, port) = (dns_servers(input), input.settings.dns_port);
    if input.namespace.access == Access::Suspended {
        return input.settings.callers(&[]).into_iter().map(|pods| line("ingress", pods, "*")).collect();
    }
    let inward = callers(input).into_iter().map(|pods| line("ingress", pods, "*"));
    std::iter::once(line("egress", &dns, &format!("{port}/TCP;{port}/UDP"))).chain(inward).collect()
}

fn line(direction: &str, pods: &Pods, ports: &str) -> String {
    let labels: Vec<String> = pods.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let labels = if labels.is_empty() { "*".to_owned() } else { labels.join(",") };
    format!("{direction} {} {labels} {ports}", pods.namespace)
}

/// What members may repeat of the operator's own policies, whatever the contract opens now: a word for each namespace of the platform,
/// and whether a suspended system closes it. Metrics collectors and other programs of the platform bring no callers from outside.
#[must_use]
pub fn repeatable(settings: &Settings) -> BTreeMap<String, bool> {
    let programs = settings.platform_programs.iter().map(|pods| (word(&pods.namespace), false));
    let controllers = settings.ingress_controllers.iter().map(|controller| (word(&controller.pods.namespace), true));
    programs.chain(controllers).chain([(word(&settings.dns_namespace), true)]).collect()
}

/// A policy of others adds to ours whatever it lets through: a word for each of its peers but pods of its own namespace, one with a
/// slash for what members may write at most where ours has it too. One that selects no pod adds nothing.
fn exposes(object: &Value) -> Vec<String> {
    if suspension::selects_nothing(object) {
        return Vec::new();
    }
    let here = NamespaceName::new(object["metadata"]["namespace"].as_str().unwrap_or_default());
    let rules = |way: &'static str| object["spec"][way].as_array().into_iter().flatten();
    let inbound = rules("ingress").flat_map(|rule| beyond(&here, &rule["from"], true));
    let outbound = rules("egress").flat_map(|rule| beyond(&here, &rule["to"], false));
    let words: BTreeSet<String> = inbound.chain(outbound).collect();
    words.into_iter().collect()
}

/// A plain word for what members write by themselves: pods of the agency's other namespaces, DNS servers in whichever namespace, and
/// ranges on the way out.
fn beyond(here: &NamespaceName, peers: &Value, inbound: bool) -> Vec<String> {
    let peers = peers.as_array().filter(|peers| !peers.is_empty());
    let Some(peers) = peers else { return vec![format!("{EXPOSES_NETWORK}/everybody")] };
    let words = |peer: &Value| match (&peer["namespaceSelector"], &peer["ipBlock"]["cidr"]) {
        (selector @ Value::Object(_), _) => namespaces(here, selector, !inbound && peer["podSelector"].is_object()),
        (_, Value::String(range)) if inbound => vec![format!("{EXPOSES_NETWORK}/from/{range}")],
        (_, Value::String(_)) => vec![EXPOSES_NETWORK.to_owned()],
        _ => Vec::new(),
    };
    peers.iter().flat_map(words).collect()
}

/// Namespaces that are selected, by their names where the selector limits them to some.
fn namespaces(here: &NamespaceName, selector: &Value, outward_to_some_pods: bool) -> Vec<String> {
    let tenant = here.tenant();
    let own = || EXPOSES_NETWORK.to_owned();
    let is_of_the_agency =
        is_limited(selector, LABEL_TENANT, tenant.as_str()) || limit(selector, LABEL_TENANT_UID).is_some_and(|uids| uids.len() <= 1);
    if is_of_the_agency && here.system().is_some_and(|system| is_limited(selector, LABEL_SYSTEM, system.as_str())) {
        return Vec::new();
    }
    let is_any =
        selector["matchLabels"].as_object().is_none_or(Map::is_empty) && selector["matchExpressions"].as_array().is_none_or(Vec::is_empty);
    match limit(selector, LABEL_NAMESPACE_NAME) {
        Some(_) if is_limited(selector, LABEL_NAMESPACE_NAME, here.as_str()) => Vec::new(),
        _ if is_of_the_agency => vec![own()],
        None if is_any && outward_to_some_pods => vec![own()],
        None => vec![format!("{EXPOSES_NETWORK}/namespaces/{selector}")],
        Some(names) => {
            names.iter().map(|name| if NamespaceName::new(name.as_str()).tenant() == tenant { own() } else { word(name) }).collect()
        }
    }
}

/// The values to which a selector limits a label. Each part of it narrows the others, so whatever else one of them names is not selected.
fn limit(selector: &Value, label: &str) -> Option<BTreeSet<String>> {
    let expressions = selector["matchExpressions"].as_array().into_iter().flatten();
    let by_expression = expressions.filter(|one| one["key"] == label && one["operator"] == "In");
    let lists = by_expression.filter_map(|one| one["values"].as_array().map(Vec::as_slice));
    let lists = lists.chain(selector["matchLabels"].get(label).map(std::slice::from_ref));
    lists.map(|list| list.iter().filter_map(Value::as_str).map(str::to_owned).collect()).reduce(|all, list: BTreeSet<String>| &all & &list)
}

/// Whether a selector selects nothing that has another value of this label.
fn is_limited(selector: &Value, label: &str, only: &str) -> bool {
    limit(selector, label).is_some_and(|values| values.iter().all(|value| value == only))
}

fn word(namespace: &str) -> String {
    format!("{EXPOSES_NETWORK}/namespace/{namespace}")
}
