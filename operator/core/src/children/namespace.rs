//! The namespace itself: created with its Pod Security level and its tenant, before anything is in it.

use ipnet::IpNet;
use k8s_openapi::jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{
    content::Content,
    kind::{Build, Kind, Rank, WriteMode},
    network_policy::platform_peers,
    role_binding::member_words,
};
use crate::{
    api::{
        agency_tenant::{BetweenSystems, PodSecurity},
        allowances::ServiceType,
        hosted_system::WithinSystem,
    },
    model::{
        ending::is_of_kubernetes,
        names::{ANNOTATION_CONTRACT, ANNOTATION_DISPLAY_NAME, LABEL_RETAINED_SINCE, rails},
        namespace::{Access, ChildInput},
        observed::{Entry, Remaining},
        tenant::EgressRule,
    },
};

/// Where images need no digest. Anything else, and nothing at all, requires one.
const OPTIONAL: &str = "Optional";
/// Where the network is closed.
const SUSPENDED: &str = "Suspended";

pub(super) static KIND: Kind = Kind {
    group: "",
    version: "v1",
    kind: "Namespace",
    plural: "namespaces",
    rank: Rank::Namespace,
    isolates: true,
    write: WriteMode::MetadataOnly,
    build: Build::Inside(build),
    content: Content::Fields(&[]), // its marks are all that is ours
    observe: Some(observe),
    initial_status: None,
    without_new_subjects: None,
    exposes: None,
};

fn observe(object: &Value, entry: &mut Entry) {
    let annotation = |name: &str| object["metadata"]["annotations"][name].as_str();
    let since = object["metadata"]["labels"][LABEL_RETAINED_SINCE].as_str().and_then(|since| since.parse::<Timestamp>().ok());
    entry.retained_since = since.map_or(0, Timestamp::as_second);
    entry.within_system = if annotation(rails::WITHIN_SYSTEM) == Some("Deny") { WithinSystem::Deny } else { WithinSystem::Allow };
    entry.requires_digests = annotation(rails::IMAGE_DIGESTS) != Some(OPTIONAL);
    entry.api_server = annotation(rails::KUBERNETES_API).unwrap_or_default().into();
    entry.remaining = remaining(object);
}

/// What is left in a namespace that is being deleted; none of one that is not.
fn remaining(object: &Value) -> Option<Box<Remaining>> {
    let since: Timestamp = object["metadata"]["deletionTimestamp"].as_str()?.parse().ok()?;
    let mut remaining = Remaining { since: since.as_second(), ..Remaining::default() };
    let conditions = object["status"]["conditions"].as_array().into_iter().flatten();
    for condition in conditions.filter(|condition| condition["status"] == "True") {
        let message = condition["message"].as_str().unwrap_or_default();
        match condition["type"].as_str() {
            Some("NamespaceFinalizersRemaining") => {
                remaining.finalizers = true;
                remaining.of_kubernetes = finalizers(message).all(is_of_kubernetes);
            }
            Some("NamespaceDeletionDiscoveryFailure" | "NamespaceDeletionGroupVersionParsingFailure") => remaining.undiscovered = true,
            Some("NamespaceDeletionContentFailure" | "NamespaceContentRemaining") => {}
            _ => continue,
        }
        let separator = if remaining.messages.is_empty() { "" } else { "; " };
        remaining.messages = format!("{}{separator}{message}", remaining.messages);
    }
    Some(Box::new(remaining))
}

/// The finalizers in `... has finalizers remaining: example.com/a in 1 resource instances, example.com/b in 2 resource instances`.
fn finalizers(message: &str) -> impl Iterator<Item = &str> {
    let list = message.split_once("remaining: ").map_or("", |(_, list)| list);
    list.split(", ").filter_map(|entry| entry.split(" in ").next())
}

fn build(input: &ChildInput) -> Vec<Value> {
    let level = match input.tenant.pod_security {
        PodSecurity::Restricted => "restricted",
        PodSecurity::Baseline => "baseline",
    };
    let mut namespace = json!({
        "metadata": {
            "name": input.namespace.name.as_str(),
            "labels": {
                "pod-security.kubernetes.io/enforce": level,
                "pod-security.kubernetes.io/enforce-version": "latest",
                "pod-security.kubernetes.io/audit": "restricted",
                "pod-security.kubernetes.io/audit-version": "latest",
                "pod-security.kubernetes.io/warn": "restricted",
                "pod-security.kubernetes.io/warn-version": "latest",
            },
            "annotations": annotations(input),
        },
    });
    if let Some(since) = input.namespace.retained_since.and_then(|since| Timestamp::from_second(since).ok()) {
        namespace["metadata"]["labels"][LABEL_RETAINED_SINCE] = json!(since.strftime("%Y%m%dT%H%M%SZ").to_string());
    }
    vec![namespace]
}

fn annotations(input: &ChildInput) -> Map<String, Value> {
    let display_name = (ANNOTATION_DISPLAY_NAME.to_owned(), json!(input.namespace.display_name));
    // What is closed opens nothing any more, and its end must not depend on how much the contract says: it only ever gets less.
    if input.namespace.access == Access::Closed {
        return Map::from_iter([display_name]);
    }
    let copy = Some(&input.tenant.copy).filter(|copy| input.namespace.system.is_none() && !copy.is_empty());
    let copy = copy.map(|copy| (ANNOTATION_CONTRACT.to_owned(), json!(copy)));
    guard_rails(input).into_iter().chain([display_name]).chain(copy).collect()
}

/// The contract in the form that the guard rails read. What is missing allows nothing.
fn guard_rails(input: &ChildInput) -> Map<String, Value> {
    let (tenant, allow) = (input.tenant, &input.tenant.allow);
    let digests = if tenant.images.require_digest.applies(input.namespace.running) { "Required" } else { OPTIONAL };
    let types: Vec<&str> = allow.service_types.iter().copied().map(ServiceType::as_str).collect();
    let devices: Vec<&str> = tenant.quota.keys().filter(|key| key.contains('/')).filter_map(|key| key.strip_prefix("requests.")).collect();
    let mut members: Vec<String> = tenant.members.iter().map(member_words).collect();
    members.sort();
    let lines = [
        (rails::IMAGE_REGISTRIES, tenant.images.registries.join(",")),
        (rails::IMAGE_DIGESTS, digests.to_owned()),
        (rails::PLATFORM_IMAGES, input.settings.platform_images.join(",")),
        (rails::REQUIRE_DIGEST, if input.namespace.system.is_none() { tenant.images.require_digest.as_str() } else { "" }.to_owned()),
        (rails::DOMAINS, tenant.domains.join(",")),
        (rails::SERVICE_TYPES, types.join(",")),
        (rails::STORAGE_CLASSES, allow.storage_classes.join(",")),
        (rails::INGRESS_CLASSES, allow.ingress_classes.join(",")),
        (rails::PRIORITY_CLASSES, allow.priority_classes.join(",")),
        (rails::DEFAULT_PRIORITY_CLASS, input.pod_classes.default_priority().unwrap_or_default().to_owned()),
        (rails::RUNTIME_CLASSES, allow.runtime_classes.join(",")),
        (rails::RUNTIME_CLASS_NODES, input.pod_classes.lines(&allow.runtime_classes, |class| &class.nodes).join(",")),
        (rails::RUNTIME_CLASS_TOLERATIONS, input.pod_classes.lines(&allow.runtime_classes, |class| &class.tolerations).join(",")),
        (rails::NODE_POOLS, allow.node_pools.join(",")),
        (rails::DEVICES, devices.join(",")),
        (rails::PLATFORM_PEERS, platform_peers(input).join("\n")),
        (rails::WITHIN_SYSTEM, if input.namespace.within_system == WithinSystem::Deny { "Deny" } else { "" }.to_owned()),
        (rails::PROTECTED_RANGES, input.settings.protected_ranges().map(|range| range.to_string()).collect::<Vec<_>>().join(",")),
        (rails::MEMBERS, members.join("\n")),
    ];
    let lines = lines.into_iter().chain(ways(input)).filter(|(_, text)| !text.is_empty());
    lines.map(|(key, text)| (key.to_owned(), json!(text))).collect()
}

/// What Owners may open of the ways that the contract opens: of a suspended system none.
fn ways(input: &ChildInput) -> Vec<(&'static str, String)> {
    let tenant = input.tenant;
    if input.namespace.access == Access::Suspended {
        return vec![(rails::NETWORK, SUSPENDED.to_owned())];
    }
    vec![
        (rails::BETWEEN_SYSTEMS, if tenant.between_systems == BetweenSystems::Allow { "Allow" } else { "Deny" }.to_owned()),
        (rails::EGRESS, tenant.egress.iter().map(exit).collect::<Vec<_>>().join(",")),
        (rails::KUBERNETES_API, if tenant.kubernetes_api.is_open() { api_server(input) } else { String::new() }),
    ]
}

fn exit(exit: &EgressRule) -> String {
    let ports: Vec<String> = exit.ports.iter().map(|port| format!("{port}/{}", exit.protocol.as_str())).collect();
    format!("{}={}", exit.range, ports.join(";"))
}

fn api_server(input: &ChildInput) -> String {
    let entries = input.api_server.iter().map(|server| format!("{}={}/TCP", IpNet::from(server.ip()), server.port()));
    entries.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terminating(conditions: &Value) -> Remaining {
        let metadata = json!({ "deletionTimestamp": "1970-01-01T00:01:40Z" });
        *remaining(&json!({ "metadata": metadata, "status": { "conditions": conditions } })).unwrap()
    }

    #[test]
    fn what_is_left_in_a_namespace_is_what_its_own_conditions_say() {
        assert_eq!(remaining(&json!({ "metadata": { "name": "health" } })), None);
        let told = terminating(&json!([
            { "type": "NamespaceDeletionDiscoveryFailure", "status": "False", "message": "All resources successfully discovered" },
            { "type": "NamespaceContentRemaining", "status": "True", "message": "Some resources are remaining: configmaps. has 1 resource instances" },
            { "type": "NamespaceFinalizersRemaining", "status": "True", "message": "Some content in the namespace has finalizers remaining: example.com/gone in 1 resource instances" },
        ]));
        let messages = "Some resources are remaining: configmaps. has 1 resource instances; \
                        Some content in the namespace has finalizers remaining: example.com/gone in 1 resource instances";
        let expected = Remaining { since: 100, messages: messages.into(), finalizers: true, ..Remaining::default() };
        assert_eq!(told, expected);
        for kind in ["NamespaceDeletionDiscoveryFailure", "NamespaceDeletionGroupVersionParsingFailure"] {
            let told =
                terminating(&json!([{ "type": kind, "status": "True", "message": "no answer" }, { "type": "Other", "status": "True" }]));
            assert_eq!(told, Remaining { since: 100, messages: "no answer".into(), undiscovered: true, ..Remaining::default() });
        }
    }

    #[test]
    fn finalizers_of_kubernetes_itself_are_told_apart() {
        for (finalizers, of_kubernetes) in [
            ("kubernetes.io/pvc-protection in 1 resource instances", true),
            ("foregroundDeletion in 1 resource instances, batch.kubernetes.io/job-tracking in 2 resource instances", true),
            ("kubernetes.io/pvc-protection in 1 resource instances, kubernetes.io.example/x in 1 resource instances", false),
        ] {
            let message = format!("Some content in the namespace has finalizers remaining: {finalizers}");
            let told = terminating(&json!([{ "type": "NamespaceFinalizersRemaining", "status": "True", "message": message }]));
            assert_eq!(told.of_kubernetes, of_kubernetes, "{finalizers}");
        }
    }
}
