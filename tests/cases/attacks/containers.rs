//! Every list of containers in every kind of template, with every kind of image, and everything that a template may not say. A rule
//! that forgets one of them shows here.

use serde_json::{Value, json};

use super::{Row, World, change::changed, table};

/// Kinds that hold pods, with the path of what they hold.
const KINDS: [(&str, &str, &str); 8] = [
    ("v1", "Pod", ""),
    ("v1", "ReplicationController", "/spec/template"),
    ("apps/v1", "Deployment", "/spec/template"),
    ("apps/v1", "ReplicaSet", "/spec/template"),
    ("apps/v1", "StatefulSet", "/spec/template"),
    ("apps/v1", "DaemonSet", "/spec/template"),
    ("batch/v1", "Job", "/spec/template"),
    ("batch/v1", "CronJob", "/spec/jobTemplate/spec/template"),
];

/// Images with the rule that refuses them.
const IMAGES: [(&str, Option<&str>); 6] = [
    ("registry.example.gov.cn/clinic/other@DIGEST", None),
    ("registry.example.gov.cn/museum/web@DIGEST", Some("images")),
    ("nginx", Some("images")),
    ("registry.example.gov.cn/clinic/web:1", Some("image-digests")),
    ("registry.example.gov.cn/platform/mesh/proxy:1", None),
    ("registry.example.gov.cn/platform/mesh-other/proxy@DIGEST", Some("images")),
];

/// Where a pod names images, as a change of its spec.
fn places(image: &str, container: &Value) -> [(&'static str, Value); 4] {
    let mut other = container.clone();
    other["name"] = json!("other");
    other["image"] = json!(image);
    [
        ("containers[0]", json!({"/spec/containers/0/image": image})),
        ("containers[1]", json!({"/spec/containers/-": other})),
        ("initContainers", json!({"/spec/initContainers": [other]})),
        ("image volume", json!({"/spec/volumes": [{"name": "v", "image": {"reference": image}}]})),
    ]
}

/// What no template may say: what it is, the change, the policy and its rule.
fn faults() -> Vec<(&'static str, Value, &'static str, &'static str)> {
    let node = json!({"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
        {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["node-a"]}]}]}});
    let term = json!({"topologyKey": "kubernetes.io/hostname", "namespaces": ["museum--shop"]});
    let pods = json!({"requiredDuringSchedulingIgnoredDuringExecution": [term]});
    vec![
        ("a node's name", json!({"/spec/nodeName": "node-a"}), "scheduling", "node-name"),
        ("a scheduler of its own", json!({"/spec/schedulerName": "mine"}), "scheduling", "scheduler"),
        ("another's priority", json!({"/spec/priorityClassName": "others-high"}), "scheduling", "priority-classes"),
        ("another's runtime", json!({"/spec/runtimeClassName": "kata"}), "scheduling", "runtime-classes"),
        ("a toleration", json!({"/spec/tolerations": [{"key": "pool", "operator": "Exists"}]}), "scheduling", "tolerations"),
        ("a pool of nodes", json!({"/spec/nodeSelector": {"pool": "gpu"}}), "scheduling", "node-selection"),
        ("a node by its fields", json!({"/spec/affinity": {"nodeAffinity": node}}), "scheduling", "node-fields"),
        ("pods of a neighbour", json!({"/spec/affinity": {"podAffinity": pods}}), "scheduling", "pod-affinity"),
        ("a device", json!({"/spec/containers/0/resources": {"limits": {"example.com/gpu": "1"}}}), "resources", "resources"),
        ("a claim of a device", json!({"/spec/resourceClaims": [{"name": "d", "resourceClaimName": "d"}]}), "resources", "resource-claims"),
        ("a port of the node", json!({"/spec/containers/0/ports": [{"containerPort": 80, "hostPort": 80}]}), "resources", "host-ports"),
    ]
}

/// All of it.
pub fn rows(world: &World) -> Vec<Row> {
    let pod = table::bases(world)["pod"].clone();
    let mut rows = Vec::new();
    for (version, kind, path) in KINDS {
        let of = |pod: &Value| whole(version, kind, path, pod);
        rows.push(row(kind, "as it should be", of(&pod), None));
        for (image, rule) in IMAGES {
            let image = world.filled(image);
            for (place, change) in places(&image, &pod["spec"]["containers"][0]) {
                let denied = rule.map(|rule| ("images", rule));
                rows.push(row(kind, &format!("{image} in {place}"), of(&changed(&pod, &change)), denied));
            }
        }
        for (name, change, policy, rule) in faults() {
            // Pod Security refuses a pod's port of the node before; here, where it does not look at templates, the policy does.
            let denied = if kind == "Pod" && rule == "host-ports" { ("pod-security", "") } else { (policy, rule) };
            rows.push(row(kind, name, of(&changed(&pod, &change)), Some(denied)));
        }
    }
    rows
}

/// A pod as an object of a kind.
fn whole(version: &str, kind: &str, path: &str, pod: &Value) -> Value {
    if kind == "Pod" {
        return pod.clone();
    }
    let mut template = json!({"metadata": {"labels": {"app": "attempt"}}, "spec": pod["spec"]});
    if !kind.ends_with("Job") {
        template["spec"]["restartPolicy"] = json!("Always");
    }
    let mut object = json!({"apiVersion": version, "kind": kind, "metadata": {"name": "attempt"}, "spec": {}});
    match kind {
        "ReplicationController" => object["spec"]["selector"] = json!({"app": "attempt"}),
        "Job" => {}
        "CronJob" => object["spec"]["schedule"] = json!("0 3 * * *"),
        _ => object["spec"]["selector"] = json!({"matchLabels": {"app": "attempt"}}),
    }
    changed(&object, &json!({ path: template }))
}

fn row(kind: &str, name: &str, base: Value, denied: Option<(&str, &str)>) -> Row {
    let attack = if denied.is_some_and(|(policy, _)| policy == "images") { "18 A" } else { "16 A" };
    Row::creation(format!("containers: {kind} with {name}"), base, attack, denied)
}
