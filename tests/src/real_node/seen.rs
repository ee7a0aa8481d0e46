//! What the node shows: the operator's pods, who reaches whom, and what must not change.

use std::{collections::BTreeMap, fmt::Display, time::Duration};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::node::{Node, until};

/// Long, because it ends as soon as what is waited for is there.
pub const PATIENCE: Duration = Duration::from_mins(5);
/// The same for `kubectl` and Helm.
pub const TIMEOUT: &str = "--timeout=300s";
/// Namespace and name of what the chart installs.
pub const SYSTEM: &str = "govcloud-system";
const NAME: &str = "govcloud-operator";

/// Prints a line of what was seen.
pub fn saw(line: impl Display) {
    println!("  {line}");
}

/// Prints what may explain a failure, before the node is gone.
pub fn explain(node: &Node) {
    for arguments in [
        &["get", "pods", "-A", "-o", "wide"][..],
        &["get", "events", "-A", "--field-selector=type=Warning", "--sort-by=.lastTimestamp"],
        &["logs", "-n", SYSTEM, "-l", "app.kubernetes.io/component=operator", "--tail=20", "--prefix"],
    ] {
        match node.kubectl(arguments) {
            Ok(printed) => println!("{printed}"),
            Err(error) => println!("{error:#}"),
        }
    }
}

pub fn json(node: &Node, arguments: &[&str]) -> Result<Value> {
    let text = node.kubectl(&[arguments, &["-o", "json"]].concat())?;
    serde_json::from_str(&text).with_context(|| format!("reading what kubectl {} prints", arguments.join(" ")))
}

/// The pods of a workload that are not on their way out.
pub fn pods(node: &Node, namespace: &str, selector: &str) -> Result<Vec<Value>> {
    let mut pods = json(node, &["get", "pods", "-n", namespace, "-l", selector])?;
    let mut pods = std::mem::take(pods["items"].as_array_mut().context("a list of pods has no items")?);
    pods.retain(|pod| pod["metadata"].get("deletionTimestamp").is_none());
    Ok(pods)
}

pub fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap_or_default()
}

pub fn is_ready(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array();
    conditions.is_some_and(|all| all.iter().any(|condition| condition["type"] == "Ready" && condition["status"] == "True"))
}

pub fn operator_pods(node: &Node) -> Result<Vec<Value>> {
    pods(node, SYSTEM, "app.kubernetes.io/component=operator")
}

/// The pod of the replica that leads, if one does.
pub fn leader(node: &Node) -> Result<Option<String>> {
    let holder = node.kubectl(&["get", "lease", NAME, "-n", SYSTEM, "-o", "jsonpath={.spec.holderIdentity}"])?;
    Ok(holder.rsplit_once('_').map(|(pod, _)| pod.to_owned()))
}

pub fn until_leader(node: &Node, is_wanted: impl Fn(&str) -> bool) -> Result<String> {
    until("a replica leads", PATIENCE, || Ok(leader(node)?.filter(|pod| is_wanted(pod))))
}

/// Both replicas are ready and none was restarted; nothing that they asked for was denied. Tells their memory.
pub fn operator_is_well(node: &Node) -> Result<()> {
    node.kubectl(&["rollout", "status", "deployment", NAME, "-n", SYSTEM, TIMEOUT])?;
    let pods = until("two pods of the operator are ready", PATIENCE, || {
        Ok(Some(operator_pods(node)?).filter(|pods| pods.len() == 2 && pods.iter().all(is_ready)))
    })?;
    let leader = until_leader(node, |pod| pods.iter().any(|one| name(one) == pod))?;
    let memory = until("kubelet tells the memory of each replica", PATIENCE, || {
        Ok(Some(memory(node)?).filter(|memory| pods.iter().all(|pod| memory.contains_key(name(pod)))))
    })?;
    for pod in &pods {
        let name = name(pod);
        let restarts = &pod["status"]["containerStatuses"][0]["restartCount"];
        ensure!(*restarts == 0, "pod {name} was restarted {restarts} times: {}", node.kubectl(&["logs", "-p", name, "-n", SYSTEM])?);
        let log = node.kubectl(&["logs", name, "-n", SYSTEM])?;
        let denied = log.lines().find(|line| line.contains("forbidden") || line.contains("denied"));
        ensure!(denied.is_none(), "pod {name} logs: {}", denied.unwrap_or_default());
        let unhealthy = format!("--field-selector=reason=Unhealthy,involvedObject.name={name}");
        let unhealthy = node.kubectl(&["get", "events", "-n", SYSTEM, &unhealthy, "-o", "jsonpath={.items[*].message}"])?;
        ensure!(!unhealthy.contains("Liveness"), "kubelet found pod {name} not live: {unhealthy}");
        let warnings: Vec<_> = log.lines().filter(|line| line.contains("WARN") || line.contains("ERROR")).collect();
        let role = if name == leader { "leads" } else { "stands by" };
        let memory = memory[name] / f64::from(1 << 20);
        saw(format!("{name} {role}: ready, 0 restarts, memory {memory:.1} MiB, {} warnings in its log, nothing denied", warnings.len()));
        for warning in warnings.iter().take(3) {
            saw(format!("    {warning}"));
        }
    }
    Ok(())
}

/// Memory in use by the operator's pods, in bytes, as kubelet tells it.
fn memory(node: &Node) -> Result<BTreeMap<String, f64>> {
    let path = format!("/api/v1/nodes/{}/proxy/metrics/resource", node_name(node)?);
    let metrics = node.kubectl(&["get", "--raw", &path])?;
    let of_pod = |line: &str| {
        let (labels, values) = line.strip_prefix("pod_memory_working_set_bytes{")?.split_once("} ")?;
        let pod = labels.strip_prefix(&format!("namespace=\"{SYSTEM}\",pod=\""))?.strip_suffix('"')?;
        Some((pod.to_owned(), values.split(' ').next()?.parse().ok()?))
    };
    // Of a pod that has just been started, kubelet tells 0.
    Ok(metrics.lines().filter_map(of_pod).filter(|(_, bytes)| *bytes > 0.0).collect())
}

/// The one node.
pub fn node_name(node: &Node) -> Result<String> {
    let nodes = node.kubectl(&["get", "nodes", "-o", "jsonpath={.items[*].metadata.name}"])?;
    ensure!(!nodes.is_empty() && !nodes.contains(' '), "the cluster has to have one node, and has: {nodes}");
    Ok(nodes)
}

/// What a pod of a workload is answered at an address, as a host; nothing when it does not get there.
pub fn answer(node: &Node, namespace: &str, workload: &str, url: &str, host: &str) -> Option<String> {
    node.kubectl(&["exec", "-n", namespace, &format!("deployment/{workload}"), "--", "/pod", "get", url, host]).ok()
}

/// Connections that a watching pod has made, and how many of them were answered.
pub fn watched(node: &Node, namespace: &str) -> Result<(u64, u64)> {
    let line = node.kubectl(&["logs", "deployment/watcher", "-n", namespace, "--tail=1"])?;
    let numbers = line.split_once(' ').and_then(|(made, answered)| Some((made.parse().ok()?, answered.parse().ok()?)));
    numbers.with_context(|| format!("the watching pod in {namespace} prints {line:?}"))
}

/// UIDs of the objects that make up the agencies' namespaces, and of the policies, each by kind, namespace and name.
pub fn children(node: &Node, namespaces: &[&str]) -> Result<BTreeMap<String, String>> {
    let kinds = "namespaces,networkpolicies,resourcequotas,limitranges,serviceaccounts,rolebindings,clusterroles,clusterrolebindings,\
        validatingadmissionpolicies,validatingadmissionpolicybindings";
    let each = "jsonpath={range .items[*]}{.kind} {.metadata.namespace}/{.metadata.name}={.metadata.uid}{'\\n'}{end}";
    let printed = node.kubectl(&["get", kinds, "-A", "-o", each])?;
    let is_one = |object: &str| {
        let (namespace, name) = object.split_once(' ').and_then(|(_, path)| path.split_once('/')).unwrap_or_default();
        namespaces.contains(&namespace) || (namespace.is_empty() && (name.contains("govcloud") || namespaces.contains(&name)))
    };
    let objects = printed.lines().filter_map(|line| line.split_once('=')).filter(|(object, _)| is_one(object));
    Ok(objects.map(|(object, uid)| (object.to_owned(), uid.to_owned())).collect())
}
