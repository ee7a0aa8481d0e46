//! Whether the cluster is as the operator's settings say, and as isolation and quota need it.

use std::collections::BTreeMap;

use ipnet::IpNet;
use serde_json::Value;

use super::{
    facts::{Facts, holds, meta, named, place},
    finding::{Problem, Report, fail, several, unknown, warn},
    installation::renewed,
};
use crate::model::settings::Pods;

/// Clocks that differ by less are taken for the same.
const CLOCKS_DIFFER: i64 = 5;
/// A leader renews its lease every few seconds.
const RENEWED_WITHIN: i64 = 15;

/// `DaemonSets` that enforce `NetworkPolicies`, by their usual names.
const ENFORCE: [&str; 10] =
    ["antrea-agent", "azure-npm", "calico-node", "canal", "cilium", "kindnet", "kube-ovn-cni", "kube-router", "ovnkube-node", "weave-net"];

pub(super) fn kubernetes(facts: &Facts) -> Report {
    let problem = facts.kubernetes.as_ref().err().map(|why| fail(why, "upgrade the cluster"));
    Report::new(facts.kubernetes.clone().unwrap_or_default(), problem.into_iter().collect())
}

pub(super) fn clock(facts: &Facts) -> Report {
    let (now, ahead) = facts.clock;
    let mut problems = Vec::new();
    if ahead.abs() > CLOCKS_DIFFER {
        let way = if ahead > 0 { "ahead of" } else { "behind" };
        let message = format!("the API server's clock is {} s {way} this machine's", ahead.abs());
        problems.push(warn(message, "synchronise both clocks (NTP); tokens and certificates are judged by them"));
    }
    let renewals = facts.all("leases").unwrap_or_default().iter().filter_map(renewed);
    let latest = renewals.map(|renewed| renewed.as_second() - now.as_second()).max();
    // A lease that is renewed has a time of the last seconds in it.
    let is_behind = |ahead: &i64| facts.is_renewed && *ahead < -RENEWED_WITHIN;
    if let Some(ahead) = latest.filter(|ahead| *ahead > CLOCKS_DIFFER || is_behind(ahead)) {
        let way = if ahead > 0 { "ahead of" } else { "behind" };
        let message = format!("the clock of the operator's node is {} s {way} the API server's", ahead.abs());
        problems.push(warn(message, "synchronise the clocks of the nodes (NTP)"));
    }
    let whose = if latest.is_some() { "API server, operator and this machine" } else { "API server and this machine" };
    Report::new(format!("{whose} agree within {CLOCKS_DIFFER} s"), problems)
}

/// API groups that other programs serve: while one does not answer, no namespace is deleted to its end.
pub(super) fn api_services(facts: &Facts) -> Result<Report, Problem> {
    let all = facts.all("apiservices")?;
    let absent = all.iter().filter(|service| !holds(service, "Available"));
    let absent: Vec<String> = absent.map(|service| meta(service, "name").to_owned()).collect();
    let message = format!("not available: {}; no namespace is deleted to its end meanwhile", several(&absent));
    let cure = "repair the program that serves it, or delete what is left of it: kubectl get apiservices";
    let problem = (!absent.is_empty()).then(|| fail(message, cure));
    Ok(Report::new(format!("all {} are available", all.len()), problem.into_iter().collect()))
}

pub(super) fn network_plugin(facts: &Facts) -> Result<Report, Problem> {
    let sets = facts.all("daemonsets")?;
    let try_it = "isolation rests on the network plugin: try that a pod of one agency does not reach a pod of another";
    let found = sets.iter().find(|set| nodes(set).1 > 0 && enforces(set));
    let Some(set) = found else {
        let problem = match sets.iter().find(|set| meta(set, "name").contains("flannel")) {
            Some(set) => fail(
                format!("{} enforces no NetworkPolicies, so agencies are not isolated", place("DaemonSet", set)),
                "install a network plugin that does, such as Cilium or Calico",
            ),
            None => warn("no DaemonSet of a network plugin is known to enforce NetworkPolicies", try_it),
        };
        return Ok(Report::new("", vec![problem]));
    };
    let (ready, wanted) = nodes(set);
    let message = format!("{} is ready on {ready} of {wanted} nodes", place("DaemonSet", set));
    let problem = (ready < wanted).then(|| warn(message, "see its pods; where it does not run, new policies are not enforced"));
    Ok(Report::new(
        format!("{} enforces NetworkPolicies; no packet was sent to prove it", place("DaemonSet", set)),
        problem.into_iter().collect(),
    ))
}

/// On how many nodes it is ready, and on how many it should be.
fn nodes(set: &Value) -> (i64, i64) {
    let number = |field: &str| set["status"][field].as_i64().unwrap_or_default();
    (number("numberReady"), number("desiredNumberScheduled"))
}

/// By its name, or by a container that does nothing else.
fn enforces(set: &Value) -> bool {
    let containers = set["spec"]["template"]["spec"]["containers"].as_array().into_iter().flatten();
    let mut agents = containers.filter(|container| {
        let image = container["image"].as_str().unwrap_or_default();
        image.contains("kube-network-policies") || container["name"] == "aws-eks-nodeagent"
    });
    let off = |agent: &Value| agent["args"].as_array().into_iter().flatten().any(|argument| argument == "--enable-network-policy=false");
    ENFORCE.contains(&meta(set, "name")) || agents.any(|agent| !off(agent))
}

pub(super) fn dns(facts: &Facts) -> Result<Report, Problem> {
    let settings = facts.settings()?;
    let place = format!("namespace {} with labels {}", settings.dns_namespace, labels(&settings.dns_selector));
    let pods = facts.pods(&settings.dns_namespace, &settings.dns_selector)?;
    let ports = |pod: &Value| -> Vec<i64> {
        let containers = pod["spec"]["containers"].as_array().into_iter().flatten();
        containers
            .flat_map(|container| container["ports"].as_array().into_iter().flatten())
            .filter_map(|port| port["containerPort"].as_i64())
            .collect()
    };
    let answers = |pod: &Value| ports(pod).is_empty() || ports(pod).contains(&settings.dns_port.into());
    let cure = "start the name servers, or set dnsNamespace, dnsSelector and dnsPort in the chart's value config as they have them";
    let problem = if pods.is_empty() {
        Some(fail(format!("no pod is in {place}, so agencies' pods resolve no name"), cure))
    } else if !pods.iter().any(|pod| answers(pod)) {
        let has: Vec<String> = pods.iter().flat_map(|pod| ports(pod)).map(|port| port.to_string()).collect();
        Some(fail(format!("no pod in {place} has port {}; they have {}", settings.dns_port, several(&has)), cure))
    } else if !pods.iter().any(|pod| holds(pod, "Ready")) {
        Some(fail(format!("no pod in {place} is ready"), format!("see why: kubectl -n {} describe pods", settings.dns_namespace)))
    } else {
        None
    };
    let has_cache = facts.all("daemonsets").unwrap_or_default().iter().any(|set| meta(set, "name") == "node-local-dns");
    let cache = (has_cache && settings.dns_caches.is_empty()).then(|| {
        let message = "DaemonSet node-local-dns answers on the nodes, and no address of it is in the operator's settings";
        warn(message, "name its addresses, such as 169.254.20.10, in dnsCaches of the chart's value config")
    });
    Ok(Report::new(format!("name servers in {place}: {}", pods.len()), problem.into_iter().chain(cache).collect()))
}

pub(super) fn programs(facts: &Facts) -> Result<Report, Problem> {
    let settings = facts.settings()?;
    let controllers = settings
        .ingress_controllers
        .iter()
        .map(|controller| (format!("controller of ingress class {}", controller.class), &controller.pods));
    let others = settings.platform_programs.iter().map(|pods| ("program of the platform".to_owned(), pods));
    let all: Vec<_> = controllers.chain(others).collect();
    let mut problems = Vec::new();
    for (what, pods) in &all {
        problems.extend(absent(facts, what, pods)?);
    }
    let classes = facts.all("ingressclasses")?;
    for class in settings.ingress_controllers.iter().map(|controller| &controller.class).filter(|class| named(classes, class).is_none()) {
        let cure = "create it, or correct the chart's value config.ingressControllers";
        problems.push(warn(format!("ingress class {class} of the settings does not exist"), cure));
    }
    Ok(Report::new(format!("all {} that the settings name have pods", all.len()), problems))
}

fn absent(facts: &Facts, what: &str, pods: &Pods) -> Result<Option<Problem>, Problem> {
    let place = if pods.labels.is_empty() { String::new() } else { format!(" with labels {}", labels(&pods.labels)) };
    let cure = "install it, or correct ingressControllers, metricsCollectors or platformPrograms in the chart's value config";
    if named(facts.all("namespaces")?, &pods.namespace).is_none() {
        return Ok(Some(fail(
            format!("{what}: namespace {} does not exist, so nothing from it reaches the agencies' pods", pods.namespace),
            cure,
        )));
    }
    let found = facts.pods(&pods.namespace, &pods.labels)?;
    if !found.is_empty() && !found.iter().any(|pod| holds(pod, "Ready")) {
        let cure = format!("see why: kubectl -n {} describe pods", pods.namespace);
        return Ok(Some(warn(format!("{what}: no pod in namespace {}{place} is ready", pods.namespace), cure)));
    }
    Ok(found.is_empty().then(|| warn(format!("{what}: no pod is in namespace {}{place}", pods.namespace), cure)))
}

fn labels(labels: &BTreeMap<String, String>) -> String {
    labels.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",")
}

pub(super) fn cluster_ranges(facts: &Facts) -> Result<Report, Problem> {
    let settings = facts.settings()?;
    let covered = |range: &IpNet| settings.cluster_ranges.iter().any(|known| known.contains(range));
    let mut outside = Vec::new();
    for (what, range) in ranges(facts)? {
        if !covered(&range) {
            outside.push(format!("{what} {range}"));
        }
    }
    let cure = "add them to clusterRanges in the chart's value config; until then an approved egress rule may name them";
    let problem = (!outside.is_empty()).then(|| fail(format!("not in the cluster's ranges: {}", several(&outside)), cure));
    Ok(Report::new(
        "they hold the ranges of services and of nodes' pods, and the addresses of all nodes and pods",
        problem.into_iter().collect(),
    ))
}

/// Addresses of the cluster itself, and whose they are.
fn ranges(facts: &Facts) -> Result<Vec<(&'static str, IpNet)>, Problem> {
    let texts = |value: &Value| -> Vec<String> {
        value.as_array().into_iter().flatten().filter_map(|text| text.as_str().map(ToOwned::to_owned)).collect()
    };
    let mut told = Vec::new();
    for range in facts.all("servicecidrs")? {
        told.extend(texts(&range["spec"]["cidrs"]).into_iter().map(|text| ("services", text)));
    }
    for service in facts.all("services")? {
        told.extend(texts(&service["spec"]["clusterIPs"]).into_iter().map(|text| ("Service default/kubernetes", text)));
    }
    for node in facts.all("nodes")? {
        told.extend(texts(&node["spec"]["podCIDRs"]).into_iter().map(|text| ("pods of a node", text)));
        let addresses = node["status"]["addresses"].as_array().into_iter().flatten();
        let internal = addresses.filter(|address| address["type"] == "InternalIP").filter_map(|address| address["address"].as_str());
        told.extend(internal.map(|text| ("node", text.to_owned())));
    }
    let range = |text: &str| text.parse::<IpNet>().ok().or_else(|| Some(IpNet::from(text.parse::<std::net::IpAddr>().ok()?)));
    let pods = facts.pod_addresses.as_ref().map_err(unknown)?.iter().map(|address| ("pod", IpNet::from(*address)));
    let told = told.iter().filter_map(|(what, text)| Some((*what, range(text)?)));
    let mut ranges: Vec<_> = told.chain(pods).filter(|(_, range)| !range.addr().is_loopback()).collect();
    ranges.sort();
    ranges.dedup();
    Ok(ranges)
}

pub(super) fn storage_class(facts: &Facts) -> Result<Report, Problem> {
    let is_default = |class: &&Value| class["metadata"]["annotations"]["storageclass.kubernetes.io/is-default-class"] == "true";
    let defaults: Vec<String> =
        facts.all("storageclasses")?.iter().filter(is_default).map(|class| meta(class, "name").to_owned()).collect();
    let problem = match defaults.len() {
        1 => None,
        0 => Some(warn(
            "no StorageClass is the default, so a claim that names none gets no volume",
            "mark one: kubectl annotate storageclass NAME storageclass.kubernetes.io/is-default-class=true",
        )),
        _ => Some(warn(
            format!("{} are all the default; Kubernetes takes the youngest", several(&defaults)),
            "leave the annotation storageclass.kubernetes.io/is-default-class to one",
        )),
    };
    Ok(Report::new(format!("{} is the default", several(&defaults)), problem.into_iter().collect()))
}
