//! The whole world of a tenant, in a form in which those of two tenants with the same history are the same.

use std::collections::BTreeMap;

use futures::future::join_all;
use serde_json::Value;

use crate::cluster::{Person, find_condition};

const KINDS: [&str; 12] = [
    "AgencyTenant",
    "HostedSystem",
    "Namespace",
    "NetworkPolicy",
    "ResourceQuota",
    "LimitRange",
    "ServiceAccount",
    "RoleBinding",
    "Pod",
    "PersistentVolumeClaim",
    "ClusterRole",
    "ClusterRoleBinding",
];

/// The tenant in whose name an object stands.
fn tenant_of<'a>(namespace: &'a str, name: &'a str) -> &'a str {
    let place = if namespace.is_empty() { name.trim_start_matches("govcloud:tenant:").trim_end_matches(":view") } else { namespace };
    place.split("--").next().unwrap_or_default()
}

/// Worlds by tenant.
pub type Worlds = BTreeMap<String, World>;

/// What a tenant is and has: objects by kind, namespace and name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct World(BTreeMap<String, Value>);

/// The worlds of these tenants as they are now; of one that has nothing, an empty one.
pub async fn worlds(admin: &Person, tenants: &[String]) -> Worlds {
    let mut worlds: Worlds = tenants.iter().map(|tenant| (tenant.clone(), World::default())).collect();
    let mut uids = BTreeMap::new();
    let lists = KINDS.map(|kind| async move { (kind, admin.api(kind, "").list(&Default::default()).await.unwrap()) });
    for (kind, list) in join_all(lists).await {
        for object in list.items {
            let name = object.metadata.name.clone().unwrap();
            let namespace = object.metadata.namespace.clone().unwrap_or_default();
            let tenant = tenant_of(&namespace, &name).to_owned();
            let Some(world) = worlds.get_mut(&tenant) else { continue };
            let object = serde_json::to_value(object).unwrap();
            if kind == "Namespace" {
                uids.insert(tenant.clone(), object["metadata"]["labels"]["govcloud.io/tenant-uid"].clone());
            }
            world.0.insert(format!("{kind} {namespace}/{name}"), object);
        }
    }
    let normal = |(tenant, world): (String, World)| {
        let uid = uids.get(&tenant).and_then(Value::as_str).unwrap_or("no namespace").to_owned();
        let world = world.normal(&tenant, &uid);
        (tenant, world)
    };
    worlds.into_iter().map(normal).collect()
}

impl World {
    fn normal(self, tenant: &str, uid: &str) -> Self {
        let normal = |(key, object): (String, Value)| {
            let text = strip(key.split(' ').next().unwrap(), object).to_string().replace(tenant, "TENANT").replace(uid, "UID");
            (key.replace(tenant, "TENANT"), serde_json::from_str(&text).unwrap())
        };
        Self(self.0.into_iter().map(normal).collect())
    }

    /// What is still on its way: it is ending, or its status does not tell of it as it is, or tells of something amiss.
    pub fn unfinished(&self) -> Option<String> {
        let orphaned = !self.0.contains_key("AgencyTenant /TENANT");
        let on_its_way = |(key, object): (&String, &Value)| {
            let ready = find_condition(object, if orphaned { "Accepted" } else { "Ready" });
            let told = ready["observedGeneration"] == object["metadata"]["generation"];
            let as_wished = if orphaned { ready["reason"] == "NoTenant" } else { ready["status"] == "True" };
            let kept = key.starts_with("AgencyTenant") || key.starts_with("HostedSystem");
            let ends = object["metadata"].get("deletionTimestamp").is_some();
            (ends || kept && !(told && as_wished)).then(|| format!("{key}: {object}"))
        };
        self.0.iter().find_map(on_its_way)
    }

    /// An object of it, null where there is none.
    pub fn object(&self, key: &str) -> &Value {
        self.0.get(key).unwrap_or(&Value::Null)
    }

    /// How it differs from what it should be, a line for each object.
    pub fn differences(&self, expected: &Self) -> Vec<String> {
        let keys: std::collections::BTreeSet<&String> = self.0.keys().chain(expected.0.keys()).collect();
        let differing = keys.into_iter().filter(|key| self.0.get(*key) != expected.0.get(*key));
        differing.map(|key| format!("{key}: {} and not {}", self.object(key), expected.object(key))).collect()
    }
}

/// Without what is never the same twice, and what others tell at their leisure.
fn strip(kind: &str, mut object: Value) -> Value {
    for field in ["uid", "resourceVersion", "creationTimestamp", "managedFields", "ownerReferences"] {
        remove(&mut object, "/metadata", field);
    }
    for time in ["/metadata/deletionTimestamp", "/metadata/labels/govcloud.io~1retained-since"] {
        if let Some(time) = object.pointer_mut(time) {
            *time = "set".into();
        }
    }
    remove(&mut object, "/metadata/annotations", "govcloud.io/epoch");
    match kind {
        "AgencyTenant" | "HostedSystem" => {
            for entry in object["status"]["grants"].as_array_mut().into_iter().flatten() {
                remove(entry, "", "epoch");
            }
            // Figures of use may be a minute old.
            remove(&mut object, "/status/quota", "used");
            let of_use = ["cpu", "cpuUsedPercent", "memory", "memoryUsedPercent", "pods"];
            for field in of_use {
                remove(&mut object, "/status/summary", field);
            }
            remove(&mut object, "/status/approval", "time");
            for entry in object["status"]["history"].as_array_mut().into_iter().flatten() {
                remove(entry, "", "time");
            }
            for condition in object["status"]["conditions"].as_array_mut().into_iter().flatten() {
                remove(condition, "", "lastTransitionTime");
            }
        }
        // The controller manager counts its own objects, some of which come late.
        "ResourceQuota" => remove(&mut object, "/status", "used"),
        "Pod" => object = Value::Null,
        _ => remove(&mut object, "/metadata", "generation"),
    }
    object
}

fn remove(object: &mut Value, place: &str, field: &str) {
    if let Some(fields) = object.pointer_mut(place).and_then(Value::as_object_mut) {
        fields.remove(field);
    }
}

/// In what the other worlds differ from this tenant's.
pub fn unlike(worlds: &Worlds, tenant: &str) -> Vec<String> {
    let model = &worlds[tenant];
    worlds.iter().flat_map(|(other, world)| world.differences(model).into_iter().map(move |line| format!("{other}: {line}"))).collect()
}

/// The version of each of a tenant's objects; of a quota what it says, since Kubernetes counts what is used when it gets to it.
pub async fn versions(admin: &Person, tenant: &str) -> BTreeMap<String, String> {
    let mut versions = BTreeMap::new();
    for kind in KINDS {
        for object in admin.api(kind, "").list(&Default::default()).await.unwrap().items {
            let (name, namespace) = (object.metadata.name.unwrap(), object.metadata.namespace.unwrap_or_default());
            if tenant_of(&namespace, &name) == tenant {
                let said = format!("{:?} {}", object.metadata.annotations, object.data["spec"]);
                let version = if kind == "ResourceQuota" { said } else { object.metadata.resource_version.unwrap() };
                versions.insert(format!("{kind} {namespace}/{name}"), version);
            }
        }
    }
    versions
}
