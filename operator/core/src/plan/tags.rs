//! Pods that run by tag where images must name a digest: they run on, but are not created again.
//!
//! They are looked for from the moment that a system's stage or its contract asks for digests, before a pod is lost, and no longer
//! when none is left. Not earlier: a system in test may name tags for as long as it likes, and a condition that every such system
//! has would tell nobody anything. Before the change itself, kubectl shows the warning of policy govcloud-images-warning.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{
    api::{
        Stage,
        conditions::{find, kind, reason},
    },
    model::{
        failed_creates::Workload,
        names::NamespaceName,
        root::SystemRoot,
        snapshot::{Question, Snapshot},
        tenant::{System, Tenant},
    },
    plan::{intent::Intent, inventory::Inventory},
};

/// Whether the images of this system's pods must name a digest. A system that has no pods is not asked.
#[must_use]
pub fn is_required(tenant: &Tenant, system: &System) -> bool {
    matches!(system.stage, Stage::Testing | Stage::Running) && tenant.images.require_digest.applies(system.running)
}

/// The question about pods of each namespace in which images must name a digest, with whether it is to be asked now.
#[must_use]
pub fn questions(snapshot: &Snapshot, inventory: &Inventory, intent: &Intent) -> Vec<(Question, bool)> {
    let Some(Ok(tenant)) = &intent.tenant else { return Vec::new() };
    let served = intent.systems.iter().filter_map(|(_, system)| system.as_ref().ok()).filter(|system| is_required(tenant, system));
    let place = |system: &System| {
        let root = snapshot.systems.iter().find(|root| root.name == system.name.as_str())?;
        let namespace = snapshot.name.workload(&system.name);
        let due = is_due(snapshot, inventory, root, system.stage, &namespace);
        Some((Question::PodsByTag(namespace), due))
    };
    served.filter_map(place).collect()
}

fn is_due(snapshot: &Snapshot, inventory: &Inventory, root: &SystemRoot, stage: Stage, namespace: &NamespaceName) -> bool {
    let Some(entry) = inventory.of(namespace).entry else { return false };
    if let Some(tags) = snapshot.tags.get(namespace) {
        let comes_into_force = entry.requires_digests && !tags.enforced;
        return comes_into_force || tags.look_again_at().is_some_and(|time| time <= snapshot.now.as_second());
    }
    // Nothing is known, after a start for example: what was told may hold still, and what changes may not have been told yet.
    let told = find(&root.status.conditions, kind::PODS_ADMITTED).map(|condition| condition.reason.as_str());
    let changes = !entry.requires_digests || root.status.stage.is_some_and(|former| former != stage);
    changes || matches!(told, Some(reason::TAGS_IN_USE | reason::FAILED_CREATE))
}

/// Workloads of a namespace that have a pod with an image that names no digest, as `Kind name`. The platform's own images need none.
#[must_use]
pub fn by_tag<'a>(
    namespace: &NamespaceName,
    pods: impl Iterator<Item = &'a Value>,
    is_of_the_platform: impl Fn(&str) -> bool,
) -> BTreeSet<String> {
    let stays = |pod: &&Value| {
        pod["metadata"]["deletionTimestamp"].is_null() && !matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"))
    };
    let is_refused = |image: &str| !image.contains("@sha256:") && !is_of_the_platform(image);
    let names_tag = |pod: &&Value| images(&pod["spec"]).any(is_refused);
    pods.filter(stays).filter(names_tag).map(|pod| workload(namespace, pod).shown()).collect()
}

fn images(spec: &Value) -> impl Iterator<Item = &str> {
    let list = |field: &str| spec[field].as_array().into_iter().flatten();
    let containers = ["containers", "initContainers", "ephemeralContainers"].into_iter().flat_map(list);
    let volumes = list("volumes").filter_map(|volume| volume["image"]["reference"].as_str());
    containers.filter_map(|container| container["image"].as_str()).chain(volumes)
}

/// The controller that made the pod, or the pod.
fn workload(namespace: &NamespaceName, pod: &Value) -> Workload {
    let owners = pod["metadata"]["ownerReferences"].as_array().into_iter().flatten();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (kind, name) = match owners.into_iter().find(|owner| owner["controller"] == true) {
        Some(owner) => (text(&owner["kind"]), text(&owner["name"])),
        None => ("Pod".to_owned(), text(&pod["metadata"]["name"])),
    };
    Workload { namespace: namespace.clone(), kind, name }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::tags::{INTERVAL, Tags};

    fn pod(name: &str, owner: &Value, spec: &Value) -> Value {
        json!({ "metadata": { "name": name, "ownerReferences": owner }, "spec": spec, "status": { "phase": "Running" } })
    }

    #[test]
    fn a_workload_is_named_once_if_a_pod_of_it_names_a_tag() {
        let digest = format!("r.example/a@sha256:{}", "0".repeat(64));
        let tagged = json!({ "containers": [{ "image": digest }, { "image": "r.example/a:1" }] });
        let owner = |kind: &str, name: &str| json!([{ "kind": kind, "name": name, "controller": true }]);
        let mut ended = pod("ended", &Value::Null, &tagged);
        ended["status"]["phase"] = json!("Succeeded");
        let mut ending = pod("ending", &Value::Null, &tagged);
        ending["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        let pods = [
            pod("web-5d4f-bcdfg", &owner("ReplicaSet", "web-5d4f"), &tagged),
            pod("web-5d4f-hjklm", &owner("ReplicaSet", "web-5d4f"), &tagged),
            pod("nightly-29000000-bcdfg", &owner("Job", "nightly-29000000"), &tagged),
            pod("init", &Value::Null, &json!({ "initContainers": [{ "image": "r.example/a" }], "containers": [{ "image": digest }] })),
            pod("debugged", &Value::Null, &json!({ "ephemeralContainers": [{ "image": "r.example/a:1" }] })),
            pod("volume", &Value::Null, &json!({ "volumes": [{ "image": { "reference": "r.example/a:1" } }, { "emptyDir": {} }] })),
            pod("db-0", &owner("StatefulSet", "db"), &json!({ "containers": [{ "image": digest }, { "image": "r.example/mesh:1" }] })),
            ended,
            ending,
        ];
        let found = by_tag(&NamespaceName::new("health--web"), pods.iter(), |image| image == "r.example/mesh:1");
        let expected = ["Job nightly-*", "Pod debugged", "Pod init", "Pod volume", "ReplicaSet web-5d4f"];
        assert!(found.iter().eq(expected), "{found:?}");
    }

    #[test]
    fn pods_are_looked_for_again_while_there_may_be_some() {
        let tags = |enforced, workloads: Option<&[&str]>| Tags {
            looked: 100,
            enforced,
            workloads: workloads.map(|names| names.iter().map(ToString::to_string).collect()),
        };
        assert_eq!(tags(true, Some(&["Pod a"])).look_again_at(), Some(100 + INTERVAL));
        assert_eq!(tags(true, None).look_again_at(), Some(100 + INTERVAL));
        assert_eq!(tags(true, Some(&[])).look_again_at(), None);
    }
}
