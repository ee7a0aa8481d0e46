//! The leader killed, the node drained, the operator upgraded under load; meanwhile pods try without a pause to reach another
//! agency's pod.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, anyhow, bail, ensure};

use super::{
    images,
    install::{RUNNING, STRANGER, refused, rolled_out},
    node::{Node, until},
    objects,
    seen::{self, PATIENCE, SYSTEM, TIMEOUT, saw},
};
use crate::Helm;

/// Another replica may lead once the lease of the one before has ended.
const LEADS_WITHIN: Duration = Duration::from_secs(30);
/// As many connections as are tried without an operator, at least.
const TRIES: u64 = 100;

/// No connection from outside of the system has been answered since its pods began to try, and each one within it.
fn isolated(node: &Node) -> Result<()> {
    for namespace in [STRANGER, "default", RUNNING] {
        let (made, answered) = seen::watched(node, namespace)?;
        saw(format!("from {namespace} to {RUNNING}: {made} connections tried so far, {answered} answered"));
        let expected = if namespace == RUNNING { made } else { 0 };
        ensure!(made > 0 && answered == expected, "{answered} of {made} connections from {namespace} were answered, and not {expected}");
    }
    Ok(())
}

/// The leader is killed before it can give its lease back, and its pod deleted: the other replica leads, and carries out what was changed meanwhile.
pub fn leader_killed(node: &Node) -> Result<()> {
    let former = seen::until_leader(node, |_| true)?;
    let container = ["get", "pod", &former, "-n", SYSTEM, "-o", "jsonpath={.status.containerStatuses[0].containerID}"];
    let container = node.kubectl(&container)?;
    let began = Instant::now();
    node.ctr(&["tasks", "kill", "--signal", "SIGKILL", container.trim_start_matches("containerd://")], None)?;
    node.kubectl(&["delete", "pod", &former, "-n", SYSTEM, "--grace-period=0", "--force", "--wait=false"])?;
    node.apply(&objects::system("education", "library"))?;
    let leader = until("another replica leads", LEADS_WITHIN, || Ok(seen::leader(node)?.filter(|pod| *pod != former)))?;
    saw(format!("{former} was killed, and {leader} leads {:.1} s later", began.elapsed().as_secs_f64()));
    node.kubectl(&["wait", "--for=condition=Ready", "hostedsystem/library", "-n", "education", TIMEOUT])?;
    saw(format!("a system that was declared meanwhile is Ready {:.1} s after the kill", began.elapsed().as_secs_f64()));
    seen::operator_is_well(node)?;
    isolated(node)
}

/// The node is drained: one replica is evicted, and the other one works on, because nothing else may take its place.
pub fn drained(node: &Node) -> Result<()> {
    let name = seen::node_name(node)?;
    let before = seen::children(node, &["health", RUNNING, "education", STRANGER])?;
    // On the only node, cluster DNS has nowhere else to go.
    let drain = ["drain", &name, "--ignore-daemonsets", "--delete-emptydir-data", "--pod-selector=k8s-app!=kube-dns", "--timeout=30s"];
    let refusal = node.refused(&drain, "")?;
    let kept = |line: &&str| line.contains("disruption budget") && line.contains("govcloud-operator");
    ensure!(refusal.lines().any(|line| kept(&line)), "no replica of the operator is kept by its PodDisruptionBudget: {refusal}");
    let pods = seen::operator_pods(node)?;
    let ready: Vec<_> = pods.iter().filter(|pod| seen::is_ready(pod)).map(seen::name).collect();
    ensure!(pods.len() == 2 && ready.len() == 1, "{} of {} replicas are ready while the node is drained", ready.len(), pods.len());
    let leader = seen::until_leader(node, |pod| pod == ready[0])?;
    saw(format!("one replica was evicted and waits for a node; {leader} is kept by the PodDisruptionBudget and leads"));
    node.apply(&objects::system("education", "archive"))?;
    node.kubectl(&["wait", "--for=condition=Ready", "hostedsystem/archive", "-n", "education", TIMEOUT])?;
    saw("a system that was declared meanwhile is Ready");
    isolated(node)?;
    node.kubectl(&["uncordon", &name])?;
    for (namespace, workload) in [("ingress-traefik", "traefik"), (RUNNING, "web"), (RUNNING, "watcher"), (STRANGER, "watcher")] {
        rolled_out(node, namespace, workload)?;
    }
    unchanged(node, &before)?;
    seen::operator_is_well(node)?;
    all_ready(node)
}

/// The operator is upgraded to another tag of its image while agencies and systems are created and changed.
pub fn upgraded(node: &Node, helm: &Helm) -> Result<()> {
    let before = seen::children(node, &["health", RUNNING, "education", STRANGER])?;
    let ends = AtomicBool::new(false);
    let rounds = thread::scope(|scope| {
        let load = scope.spawn(|| load(node, &ends));
        let tag = format!("image.tag={}", images::NEXT);
        let upgraded =
            helm.chart(node.plane(), &["upgrade", "govcloud", "--namespace", SYSTEM, "--wait", TIMEOUT, "--reuse-values", "--set", &tag]);
        ends.store(true, Ordering::Relaxed);
        let rounds = load.join().map_err(|_| anyhow!("the load ended in a panic"))?;
        upgraded.and(rounds)
    })?;
    for pod in seen::operator_pods(node)? {
        let image = &pod["spec"]["containers"][0]["image"];
        ensure!(*image == format!("{}:{}", images::OPERATOR, images::NEXT), "{} runs {image}", seen::name(&pod));
    }
    saw(format!("upgraded while {rounds} agencies were created, each with a system, and two were changed as often"));
    all_ready(node)?;
    unchanged(node, &before)?;
    seen::operator_is_well(node)?;
    isolated(node)
}

/// The operator is uninstalled: what it made stays in force, and so do the policies.
pub fn uninstalled(node: &Node, helm: &Helm) -> Result<()> {
    let mut before = seen::children(node, &["health", RUNNING, "education", STRANGER])?;
    before.retain(|object, _| object != "ClusterRoleBinding /govcloud-operator");
    helm.run(node.plane(), &["uninstall", "govcloud", "--namespace", SYSTEM, "--wait", TIMEOUT])?;
    until("no replica of the operator is left", PATIENCE, || Ok(seen::operator_pods(node)?.is_empty().then_some(())))?;
    let (tried, _) = seen::watched(node, STRANGER)?;
    until("pods go on trying", PATIENCE, || Ok((seen::watched(node, STRANGER)?.0 > tried + TRIES).then_some(())))?;
    refused(node, &objects::pod(RUNNING, "nginx:1", false), "rule images")?;
    unchanged(node, &before)?;
    isolated(node)
}

/// Creates agencies and changes others until it is to end; what is not admitted is refused all the time. Gives how many rounds it took.
fn load(node: &Node, ends: &AtomicBool) -> Result<u32> {
    for round in 1.. {
        let name = format!("load-{round}");
        node.apply(&objects::agency(&name))?;
        node.kubectl(&["wait", "--for=condition=Ready", &format!("agencytenant/{name}"), TIMEOUT])?;
        node.apply(&objects::system(&name, "web"))?;
        let patch = |agency: &str, spec: &str| node.kubectl(&["patch", "agencytenant", agency, "--type=merge", "-p", spec]);
        patch("health", &format!(r#"{{"spec":{{"objects":{{"services":{}}}}}}}"#, 300 + round))?;
        patch("education", &format!(r#"{{"spec":{{"quota":{{"pods":"{}"}}}}}}"#, 40 + round))?;
        refused(node, &objects::pod(RUNNING, "nginx:1", false), "rule images")?;
        if ends.load(Ordering::Relaxed) {
            return Ok(round);
        }
    }
    bail!("the numbers of agencies have come to their end")
}

fn all_ready(node: &Node) -> Result<()> {
    for kind in [&["agencytenant"][..], &["hostedsystem", "-A"]] {
        let printed = node.kubectl(&[&["wait", "--for=condition=Ready", "--all", TIMEOUT], kind].concat())?;
        saw(format!("{} of kind {} are Ready", printed.lines().count(), kind[0]));
    }
    Ok(())
}

/// Every object that was there is the same one.
fn unchanged(node: &Node, before: &std::collections::BTreeMap<String, String>) -> Result<()> {
    let after = seen::children(node, &["health", RUNNING, "education", STRANGER])?;
    let other = before.iter().find(|(object, uid)| after.get(*object) != Some(uid));
    ensure!(other.is_none(), "{} was replaced or is gone", other.map_or("nothing", |(object, _)| object));
    saw(format!("{} namespaces, policies, quotas, roles and bindings are the same objects as before", before.len()));
    Ok(())
}
