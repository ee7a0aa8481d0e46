//! The image, the chart, a first agency with real pods, and the way in from outside of the cluster.

use anyhow::{Context, Result, ensure};

use super::{
    images::{self, Images},
    node::{Node, until},
    objects,
    seen::{self, PATIENCE, SYSTEM, TIMEOUT, saw},
};
use crate::Helm;

pub const RUNNING: &str = "health--appointments";
const TESTING: &str = "health--health-records";
pub const STRANGER: &str = "education--portal";
const HOST: &str = "appointments.health.example.gov.cn";
/// Settings of the operator: who of the platform reaches the agencies' pods, and whose pods read its metrics.
const CONFIG: &str = r#"config={"ingressControllers":[{"class":"public","namespace":"ingress-traefik","labels":{"app.kubernetes.io/name":"traefik"}}],
    "metricsCollectors":[{"namespace":"monitoring"}]}"#;

/// The operator's image and those of the tests' pods are on the node.
pub fn images(node: &Node) -> Result<Images> {
    saw(node.kubectl(&["get", "nodes", "-o", "wide", "--no-headers"])?);
    seen::node_name(node)?;
    let (digest, labels) = images::import_operator(node)?;
    let label = |name: &str| labels[format!("org.opencontainers.image.{name}")].as_str().unwrap_or("unknown").to_owned();
    saw(format!("{}:{} of commit {}, {digest}", images::OPERATOR, label("version"), label("revision")));
    let images = images::import_others(node)?;
    saw(format!("{}\n  {}", images.pod, images.traefik));
    Ok(images)
}

/// The chart is installed into an empty namespace with Pod Security `restricted`; nobody but the collectors of metrics reaches the operator.
pub fn chart(node: &Node, helm: &Helm, images: &Images) -> Result<()> {
    for (namespace, level) in [(SYSTEM, "restricted"), ("monitoring", "restricted")] {
        node.kubectl(&["create", "namespace", namespace])?;
        node.kubectl(&["label", "namespace", namespace, &format!("pod-security.kubernetes.io/enforce={level}")])?;
    }
    let install = ["install", "govcloud", "--namespace", SYSTEM, "--wait", TIMEOUT, "--set-json", CONFIG];
    let notes = helm.chart(node.plane(), &install)?;
    saw(notes.lines().find(|line| line.contains("STATUS")).unwrap_or("helm tells no status"));
    seen::operator_is_well(node)?;
    let pulled = pulled(node)?;
    ensure!(pulled.is_empty(), "images were pulled: {pulled}");
    saw("no image was pulled");

    for namespace in ["monitoring", "default"] {
        node.apply(&objects::workload(namespace, "client", &images.pod, &["serve"]))?;
        rolled_out(node, namespace, "client")?;
    }
    for pod in seen::operator_pods(node)? {
        let address = pod["status"]["podIP"].as_str().context("a pod of the operator has no address")?;
        let url = format!("http://{address}:8080/metrics");
        let collected =
            seen::answer(node, "monitoring", "client", &url, "").context("the collector of metrics does not reach the operator")?;
        saw(format!("{} gives {} lines of metrics to a pod of monitoring", seen::name(&pod), collected.lines().count()));
        ensure!(seen::answer(node, "default", "client", &url, "").is_none(), "a pod of namespace default reaches {url}");
    }
    saw("a pod of namespace default reaches neither");
    Ok(())
}

/// Events of the operator's images that were pulled, which cannot be: the node has them.
fn pulled(node: &Node) -> Result<String> {
    node.kubectl(&["get", "events", "-n", SYSTEM, "--field-selector=reason=Pulling", "-o", "jsonpath={.items[*].message}"])
}

pub fn rolled_out(node: &Node, namespace: &str, workload: &str) -> Result<()> {
    node.kubectl(&["rollout", "status", "deployment", workload, "-n", namespace, TIMEOUT]).map(drop)
}

/// `examples/quickstart` is Ready, and its Deployer runs pods in both systems; what the contract and Pod Security do not admit is refused.
pub fn quickstart(node: &Node, images: &Images) -> Result<()> {
    let file = |name: &str| crate::workspace().join("examples/quickstart").join(name).to_string_lossy().into_owned();
    node.kubectl(&["apply", "-f", &file("agency.yaml")])?;
    node.kubectl(&["wait", "--for=condition=Ready", "agencytenant/health", TIMEOUT])?;
    node.kubectl(&["apply", "-f", &file("systems.yaml")])?;
    saw(node.kubectl(&["wait", "--for=condition=Ready", "hostedsystem", "--all", "-n", "health", TIMEOUT])?.replace('\n', "; "));
    for namespace in [RUNNING, TESTING] {
        let objects = objects::workload(namespace, "web", &images.pod, &["serve"]) + &objects::service(namespace, "web");
        node.apply_as("ci-health", &objects)?;
        rolled_out(node, namespace, "web")?;
        let level = "jsonpath={.metadata.labels.pod-security\\.kubernetes\\.io/enforce}";
        let level = node.kubectl(&["get", "namespace", namespace, "-o", level])?;
        ensure!(level == "restricted", "Pod Security of {namespace} is {level:?}");
        saw(format!("{namespace}: a pod runs under Pod Security {level}"));
    }
    refused(node, &objects::pod(RUNNING, &images.pod, true), "violates PodSecurity \"restricted")?;
    refused(node, &objects::pod(RUNNING, "nginx:1", false), "rule images")?;
    let by_tag = images.pod.split('@').next().unwrap_or_default().to_owned() + ":1";
    refused(node, &objects::pod(RUNNING, &by_tag, false), "rule image-digests")?;
    node.kubectl(&["get", "govcloud", "-A"])?.lines().filter(|line| !line.is_empty()).for_each(saw);
    Ok(())
}

/// The agency's Deployer may not create it.
pub fn refused(node: &Node, pod: &str, words: &str) -> Result<()> {
    let refusal = node.refused(&["create", "--as=ci-health", "-f", "-"], pod)?;
    ensure!(refusal.contains(words), "a pod is refused for another reason than {words:?}: {refusal}");
    Ok(())
}

/// A request with the system's host comes through the controller to the system's pod; pods of other namespaces do not reach it directly.
pub fn ingress(node: &Node, images: &Images) -> Result<()> {
    node.apply(&objects::CONTROLLER.replace("IMAGE", &images.traefik))?;
    rolled_out(node, "ingress-traefik", "traefik")?;
    node.apply_as("ci-health", &objects::ingress(RUNNING, "web", HOST))?;
    let web = seen::pods(node, RUNNING, "app=web")?.into_iter().next().context("the system has no pod")?;
    let controller = cluster_address(node, "ingress-traefik", "traefik")?;
    let answer = until("a request comes through the ingress controller", PATIENCE, || {
        Ok(seen::answer(node, "default", "client", &controller, HOST))
    })?;
    ensure!(answer == seen::name(&web), "pod {} was to answer, and {answer} did", seen::name(&web));
    saw(format!("a request for {HOST} comes from namespace default through Traefik to pod {answer}"));
    ensure!(seen::answer(node, "default", "client", &controller, "other.example.gov.cn").is_none(), "Traefik answers for another host");

    node.apply(objects::STRANGER)?;
    node.kubectl(&["wait", "--for=condition=Ready", "agencytenant/education", TIMEOUT])?;
    node.apply(&objects::system("education", "portal"))?;
    node.kubectl(&["wait", "--for=condition=Ready", "hostedsystem/portal", "-n", "education", TIMEOUT])?;
    let service = cluster_address(node, RUNNING, "web")?;
    let pod = format!("http://{}:8080/", web["status"]["podIP"].as_str().context("the system's pod has no address")?);
    for (namespace, deployer) in [(RUNNING, "ci-health"), (STRANGER, "ci-education"), ("default", "")] {
        let watcher = objects::workload(namespace, "watcher", &images.pod, &["watch", &service]);
        if deployer.is_empty() { node.apply(&watcher) } else { node.apply_as(deployer, &watcher) }?;
        rolled_out(node, namespace, "watcher")?;
    }
    for url in [&service, &pod] {
        for namespace in [RUNNING, STRANGER, "default"] {
            let reached = seen::answer(node, namespace, "watcher", url, "").is_some();
            ensure!(reached == (namespace == RUNNING), "a pod of {namespace} reaches {url}: {reached}");
        }
        saw(format!("{url} is reached by a pod of {RUNNING}, and by none of {STRANGER} and default"));
    }
    seen::operator_is_well(node)
}

fn cluster_address(node: &Node, namespace: &str, service: &str) -> Result<String> {
    let address = node.kubectl(&["get", "service", service, "-n", namespace, "-o", "jsonpath={.spec.clusterIP}"])?;
    Ok(format!("http://{address}/"))
}
