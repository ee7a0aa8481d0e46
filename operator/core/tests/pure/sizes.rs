//! Whatever the schema admits, fits: a namespace's annotations hold at most 262,144 bytes, and some of that is for others.

use govcloud_core::api::{
    common::MAX_CHARACTERS,
    objects::{MAX_OBJECTS, OBJECT_CAPS},
};
use serde_json::{Map, Value, json};

use super::{
    decisions::APPOINTMENTS,
    world::{object, settle, system, with_home},
};

/// What the API server admits of one object, keys and values together.
const ANNOTATIONS: usize = 262_144;
/// Room for what the programs of the platform write to namespaces.
const OTHERS: usize = 48 << 10;

/// The longest text of a number, padded with `fill` to so many bytes.
fn filled(number: usize, bytes: usize, fill: &str) -> String {
    let start = format!("{number:02}");
    format!("{start}{}", fill.repeat((bytes - start.len()) / fill.len()))
}

fn list(count: usize, bytes: usize) -> Vec<String> {
    (0..count).map(|number| filled(number, bytes, "a")).collect()
}

/// The contract with each field at the schema's bound, in the characters that take most bytes in JSON.
fn largest() -> Value {
    let members = |number| json!({"kind": "User", "name": filled(number, 253, "\\"), "role": "Deployer"});
    // What the names of four lists leave of the characters that all may have together.
    let pool = format!("pool={}", "a".repeat(MAX_CHARACTERS - 4 * 32 * 253 - 5));
    let egress = |number| {
        let ports: Vec<usize> = (0..16).map(|port| 50_000 + port).collect();
        json!({"cidr": format!("2001:db8:ffff:ffff:ffff:ffff:ff00:{number:04x}/128"), "ports": ports, "protocol": "UDP", "reason": "𠮷".repeat(128)})
    };
    let mut quota: Map<String, Value> = ["requests.cpu", "requests.memory", "limits.cpu", "limits.memory", "pods"]
        .map(|key| (key.to_owned(), json!("1")))
        .into_iter()
        .collect();
    quota.extend((0..19).map(|number| (format!("requests.{}/a", filled(number, 89, "a")), json!("0".repeat(31) + "1"))));
    let objects: Map<String, Value> = OBJECT_CAPS.iter().map(|cap| (cap.name.to_owned(), json!(MAX_OBJECTS))).collect();
    let amounts = json!({"cpu": "0".repeat(31) + "1", "memory": "0".repeat(31) + "1"});
    json!({
        "apiVersion": "govcloud.io/v1alpha1",
        "kind": "AgencyTenant",
        "metadata": {"name": "a".repeat(30)},
        "spec": {
            "displayName": "𠮷".repeat(64),
            "responsibleUnit": "𠮷".repeat(64),
            "adoptTenantUID": "00000000-0000-4000-8000-000000000000",
            "adoptNamespace": true,
            "members": (0..64).map(members).collect::<Vec<_>>(),
            "quota": quota,
            "objects": objects,
            "containerDefaults": {"default": amounts, "defaultRequest": amounts},
            "network": {"kubernetesAPI": "Allow", "egress": (0..64).map(egress).collect::<Vec<_>>()},
            "domains": list(32, 253),
            "images": {"registries": list(32, 200), "requireDigest": "Running"},
            "allow": {
                "storageClasses": list(32, 253),
                "ingressClasses": list(32, 253),
                "priorityClasses": list(32, 253),
                "runtimeClasses": list(32, 253),
                "nodePools": [pool],
                "serviceTypes": ["ClusterIP", "NodePort", "LoadBalancer"],
            },
        },
    })
}

#[test]
fn the_largest_contract_fits_into_the_annotations_of_its_namespaces() {
    let largest = largest();
    let home = largest["metadata"]["name"].as_str().unwrap();
    let mut seen = with_home(&largest.to_string(), vec![system(&APPOINTMENTS.replace("health", home))]);
    let plan = settle(&mut seen);
    for namespace in [home, &format!("{home}--appointments")] {
        let object = object(&plan, namespace, "Namespace", namespace).unwrap();
        let annotations = object["metadata"]["annotations"].as_object().unwrap();
        let sizes: Vec<_> = annotations.iter().map(|(key, value)| (key.len() + value.as_str().unwrap().len(), key)).collect();
        let sum: usize = sizes.iter().map(|(bytes, _)| bytes).sum();
        assert!(sum <= ANNOTATIONS - OTHERS, "{sum} bytes of annotations, {} too many: {sizes:#?}", sum - (ANNOTATIONS - OTHERS));
        assert!(sizes.iter().any(|(bytes, key)| *key == "govcloud.io/members" && *bytes > 64 * 253), "it is the largest: {sizes:#?}");
    }
}
