//! What to do about a refusal, in terms of the two kinds: the words of whoever refused → the field to change.

use crate::{
    api::objects::OBJECT_CAPS,
    model::{
        amounts::STANDARD_KEYS,
        failed_creates::FailedCreate,
        names::{LIMIT_RANGE, NamespaceName, QUOTA},
    },
};

/// Where a refusal happened.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The workload namespace.
    pub namespace: &'a NamespaceName,
    /// Keys of the tenant's total.
    pub keys: &'a [String],
}

/// What to do about it; none where the words of the refusal say it themselves, as those of the policies do.
#[must_use]
pub fn cure(refusal: &FailedCreate, place: Place) -> Option<String> {
    let cause = refusal.cause.as_str();
    let tenant = place.namespace.tenant();
    let between = |before: &str, after: &str| Some(cause.split_once(before)?.1.split_once(after)?.0.trim());
    if cause.contains("aggregate container requests of ") || cause.contains("must be less than or equal to pod limits of ") {
        return Some(format!(
            "a container that states nothing gets spec.containerDefaults of agencytenant/{tenant} (LimitRange {LIMIT_RANGE}), also where the pod \
             states resources: set resources of each container so that they fit into those of the pod"
        ));
    }
    if let Some(resource) = between("must be less than or equal to ", " limit") {
        let (source, raise) = if ["cpu", "memory"].contains(&resource) {
            let field = "spec.containerDefaults.default";
            (format!("{field} of agencytenant/{tenant} (LimitRange {LIMIT_RANGE})"), format!(", or raise {field}.{resource}"))
        } else {
            (format!("one by LimitRange {LIMIT_RANGE}"), String::new())
        };
        return Some(format!(
            "a container that states no limit gets {source}: set resources.limits.{resource} of the container to at least its request{raise}"
        ));
    }
    if let Some(name) = between("exceeded quota: ", ",") {
        return Some(if name == QUOTA { over_quota(refusal, place) } else { of_the_members("ResourceQuota", name, place) });
    }
    if let Some(name) = between("failed quota: ", ":") {
        let resources = cause.split_once("must specify ").map_or("the resources", |(_, resources)| resources);
        return Some(if name == QUOTA {
            format!(
                "state {resources} in each container, or have spec.containerDefaults of agencytenant/{tenant} give containers a default and a \
                 defaultRequest of it"
            )
        } else {
            of_the_members("ResourceQuota", name, place)
        });
    }
    if cause.contains("violates PodSecurity") {
        let level = if cause.contains("restricted:") {
            format!(", or have spec.podSecurity of agencytenant/{tenant} set to baseline if the workload cannot run without")
        } else {
            String::new()
        };
        return Some(format!("set in the pod template what the message names{level}"));
    }
    if ["minimum ", "maximum "].iter().any(|word| cause.starts_with(word)) && cause.contains(" usage per ") {
        return Some(format!("change the container's resources, or the LimitRange in namespace {} that says so", place.namespace));
    }
    if cause.contains("error looking up service account") {
        return Some("create that ServiceAccount, or correct serviceAccountName in the pod template".to_owned());
    }
    if cause.contains("no PriorityClass with name") {
        return Some("correct or remove priorityClassName in the pod template".to_owned());
    }
    if cause.contains("RuntimeClass") && cause.contains("not found") {
        return Some("correct or remove runtimeClassName in the pod template".to_owned());
    }
    cause.contains("failed calling webhook").then(|| "the webhook is the platform's: tell a platform administrator".to_owned())
}

fn over_quota(refusal: &FailedCreate, place: Place) -> String {
    let (tenant, system) = (place.namespace.tenant(), place.namespace.system());
    let requested = refusal.cause.split_once("requested: ").and_then(|(_, rest)| rest.split_once(", used: "));
    let keys: Vec<&str> = requested.iter().flat_map(|(amounts, _)| amounts.split(',')).filter_map(|pair| pair.split('=').next()).collect();
    let is_share = |key: &&str| STANDARD_KEYS.contains(key) || place.keys.iter().any(|other| other == key);
    let (share, caps): (Vec<&str>, Vec<&str>) = keys.into_iter().partition(is_share);
    let (caps, others): (Vec<&str>, Vec<&str>) = caps.into_iter().partition(|key| OBJECT_CAPS.iter().any(|cap| cap.key == *key));
    let fields = |path: &str, keys: &[&str]| keys.iter().map(|key| format!("{path}[{key}]")).collect::<Vec<_>>().join(", ");
    let system = system.map_or_else(String::new, |system| system.to_string());
    let mut cures = Vec::new();
    if !share.is_empty() {
        cures.push(format!("raise {} of hostedsystem/{system} in namespace {tenant}", fields("spec.resources.guaranteed", &share)));
    }
    if !caps.is_empty() {
        let names: Vec<&str> = caps.iter().map(|key| OBJECT_CAPS.iter().find(|cap| cap.key == *key).map_or(*key, |cap| cap.name)).collect();
        cures.push(format!("have {} of agencytenant/{tenant} raised, or delete what is not needed", fields("spec.objects", &names)));
    }
    if !others.is_empty() {
        cures.push(format!(
            "have {} of agencytenant/{tenant} named, and then set {} of hostedsystem/{system} in namespace {tenant}",
            fields("spec.quota", &others),
            fields("spec.resources.guaranteed", &others)
        ));
    }
    if !share.is_empty() && refusal.workload.kind == "ReplicaSet" {
        cures.push("for a rolling update without room set strategy.rollingUpdate.maxSurge: 0 in the Deployment".to_owned());
    }
    cures.join("; ")
}

fn of_the_members(kind: &str, name: &str, place: Place) -> String {
    format!("{kind} {name} in namespace {} is not the operator's: change or delete it there", place.namespace)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::failed_creates::read;

    fn told(kind: &str, message: &str) -> Option<String> {
        let event = json!({
            "metadata": { "namespace": "health--web" },
            "involvedObject": { "kind": kind, "name": "web" },
            "message": message,
        });
        let namespace = NamespaceName::new("health--web");
        let keys = ["requests.example.com/gpu".to_owned()];
        cure(&read(&event, |_| None).unwrap(), Place { namespace: &namespace, keys: &keys })
    }

    #[test]
    fn each_cause_has_its_cure() {
        let cases = [
            (
                "ReplicaSet",
                "Error creating: Pod \"web-x8k2p\" is invalid: spec.containers[0].resources.requests: Invalid value: \"512Mi\": must be less than or equal to memory limit of 256Mi",
                "a container that states no limit gets spec.containerDefaults.default of agencytenant/health (LimitRange govcloud-defaults): set resources.limits.memory of the container to at least its request, or raise spec.containerDefaults.default.memory",
            ),
            (
                "ReplicaSet",
                "Error creating: Pod \"web-x8k2p\" is invalid: spec.containers[0].resources.requests: Invalid value: \"1Gi\": must be less than or equal to ephemeral-storage limit of 512Mi",
                "a container that states no limit gets one by LimitRange govcloud-defaults: set resources.limits.ephemeral-storage of the container to at least its request",
            ),
            (
                "ReplicaSet",
                "Error creating: Pod \"web-x8k2p\" is invalid: [spec.resources.requests[cpu]: Invalid value: \"50m\": must be greater than or equal to aggregate container requests of 100m, spec.resources.containers[0][memory].limits: Invalid value: \"512Mi\": must be less than or equal to pod limits of 128Mi]",
                "a container that states nothing gets spec.containerDefaults of agencytenant/health (LimitRange govcloud-defaults), also where the pod states resources: set resources of each container so that they fit into those of the pod",
            ),
            (
                "StatefulSet",
                "create Claim data-web-0 for Pod web-0 in StatefulSet web failed error: persistentvolumeclaims \"data-web-0\" is forbidden: exceeded quota: govcloud-quota, requested: persistentvolumeclaims=1, used: persistentvolumeclaims=100, limited: persistentvolumeclaims=100",
                "have spec.quota[persistentvolumeclaims] of agencytenant/health named, and then set spec.resources.guaranteed[persistentvolumeclaims] of hostedsystem/web in namespace health",
            ),
            (
                "ReplicaSet",
                "Error creating: pods \"web-x8k2p\" is forbidden: exceeded quota: govcloud-quota, requested: pods=1, used: pods=2, limited: pods=2",
                "raise spec.resources.guaranteed[pods] of hostedsystem/web in namespace health; for a rolling update without room set strategy.rollingUpdate.maxSurge: 0 in the Deployment",
            ),
            (
                "Job",
                "Error creating: pods \"web-x8k2p\" is forbidden: exceeded quota: govcloud-quota, requested: limits.cpu=1,requests.example.com/gpu=1, used: limits.cpu=2,requests.example.com/gpu=0, limited: limits.cpu=2,requests.example.com/gpu=0",
                "raise spec.resources.guaranteed[limits.cpu], spec.resources.guaranteed[requests.example.com/gpu] of hostedsystem/web in namespace health",
            ),
            (
                "CronJob",
                "Error creating job: jobs.batch \"web-29734001\" is forbidden: exceeded quota: govcloud-quota, requested: count/jobs.batch=1, used: count/jobs.batch=300, limited: count/jobs.batch=300",
                "have spec.objects[jobs] of agencytenant/health raised, or delete what is not needed",
            ),
            (
                "ReplicaSet",
                "Error creating: pods \"web-x8k2p\" is forbidden: exceeded quota: team, requested: pods=1, used: pods=2, limited: pods=2",
                "ResourceQuota team in namespace health--web is not the operator's: change or delete it there",
            ),
            (
                "ReplicaSet",
                "Error creating: pods \"web-x8k2p\" is forbidden: failed quota: govcloud-quota: must specify limits.cpu for: main",
                "state limits.cpu for: main in each container, or have spec.containerDefaults of agencytenant/health give containers a default and a defaultRequest of it",
            ),
            (
                "ReplicaSet",
                "Error creating: pods \"web-x8k2p\" is forbidden: violates PodSecurity \"restricted:latest\": unrestricted capabilities",
                "set in the pod template what the message names, or have spec.podSecurity of agencytenant/health set to baseline if the workload cannot run without",
            ),
            (
                "ReplicaSet",
                "Error creating: pods \"web-x8k2p\" is forbidden: violates PodSecurity \"baseline:latest\": privileged",
                "set in the pod template what the message names",
            ),
            (
                "ReplicaSet",
                "Error creating: pods \"web-x8k2p\" is forbidden: error looking up service account health--web/app: serviceaccount \"app\" not found",
                "create that ServiceAccount, or correct serviceAccountName in the pod template",
            ),
            (
                "ReplicaSet",
                "Error creating: pods \"web-x8k2p\" is forbidden: maximum memory usage per Container is 1Gi, but limit is 2Gi",
                "change the container's resources, or the LimitRange in namespace health--web that says so",
            ),
            (
                "ReplicaSet",
                "Error creating: Pod \"web-x8k2p\" is invalid: spec: must be less than or equal to pod limits of 128Mi",
                "a container that states nothing gets spec.containerDefaults of agencytenant/health (LimitRange govcloud-defaults), also where the pod states resources: set resources of each container so that they fit into those of the pod",
            ),
            (
                "ReplicaSet",
                "Error creating: pods \"web-x8k2p\" is forbidden: no PriorityClass with name urgent was found",
                "correct or remove priorityClassName in the pod template",
            ),
            (
                "ReplicaSet",
                "Error creating: pods \"web-x8k2p\" is forbidden: pod rejected: RuntimeClass \"kata\" not found",
                "correct or remove runtimeClassName in the pod template",
            ),
            (
                "ReplicaSet",
                "Error creating: Internal error occurred: failed calling webhook \"a.example\": timeout",
                "the webhook is the platform's: tell a platform administrator",
            ),
            (
                "ReplicaSet",
                "Error creating: pods \"web-x8k2p\" is forbidden: failed quota: team: must specify limits.cpu for: main",
                "ResourceQuota team in namespace health--web is not the operator's: change or delete it there",
            ),
        ];
        for (kind, message, expected) in cases {
            assert_eq!(told(kind, message).as_deref(), Some(expected), "{message}");
        }
    }

    #[test]
    fn a_cause_that_says_itself_what_to_do_or_only_sounds_like_one_of_these_has_none() {
        for cause in [
            "rule images: write the digest",
            "RuntimeClass \"kata\" is no good",
            "configmap \"app\" not found",
            "maximum of everything",
            "the usage per Container is unknown",
        ] {
            assert_eq!(told("ReplicaSet", &format!("Error creating: pods \"web-x8k2p\" is forbidden: {cause}")), None, "{cause}");
        }
    }
}
