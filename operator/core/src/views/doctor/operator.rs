//! Whether the operator is there, may do its work, and does it.

use k8s_openapi::api::rbac::v1::PolicyRule;
use serde_json::Value;

use super::{
    facts::{Facts, holds, meta, place},
    finding::{Problem, Report, fail, several, unknown, warn},
    installation::{has_ended, lease, renewed},
};
use crate::model::names::{LABEL_VERSION, LEASE_NAME, LEASE_ROLE, OPERATOR};

/// Roles that may approve a tenant.
const APPROVERS: [&str; 2] = ["govcloud:security-admin", "govcloud:platform"];

pub(super) fn bindings(facts: &Facts) -> Result<Report, Problem> {
    let cluster = facts.all("clusterrolebindings")?;
    let at_home = facts.all("rolebindings")?;
    let operator = |subject: &Value| {
        let (namespace, name) = (subject["namespace"].as_str().unwrap_or_default(), subject["name"].as_str().unwrap_or_default());
        facts.account.as_ref().is_some_and(|account| (account.0.as_str(), account.1.as_str()) == (namespace, name))
    };
    let mut problems = Vec::new();
    for (kind, bindings, role) in [("ClusterRoleBinding", cluster, OPERATOR), ("RoleBinding", at_home, LEASE_ROLE)] {
        if !is_bound(bindings, role, operator) {
            let whom = facts.account.as_ref().map_or("any account".to_owned(), words_of_account);
            let cure = "restore the binding as the chart has it: helm upgrade, or charts/govcloud/plain/operator.yaml";
            problems.push(fail(format!("no {kind} gives ClusterRole {role} to {whom}"), cure));
        }
    }
    if !APPROVERS.iter().any(|role| is_bound(cluster, role, |_| true)) {
        let roles = APPROVERS.join(" and ");
        let message =
            format!("ClusterRoles {roles} are bound to nobody, so only who has the verb approve by another role can approve tenants");
        problems.push(warn(message, "name them in the chart's value bindings.securityAdmin"));
    }
    Ok(Report::new("the operator and those who approve tenants have their roles", problems))
}

/// Whether one of the bindings gives the role to such a subject.
fn is_bound(bindings: &[Value], role: &str, subject: impl Fn(&Value) -> bool) -> bool {
    let of_role = bindings.iter().filter(|binding| binding["roleRef"]["name"] == role);
    of_role.flat_map(|binding| binding["subjects"].as_array().into_iter().flatten()).any(subject)
}

fn words_of_account((namespace, name): &(String, String)) -> String {
    format!("ServiceAccount {namespace}/{name}")
}

pub(super) fn permissions(facts: &Facts) -> Result<Report, Problem> {
    let denied: Vec<String> = facts.denied.as_ref().map_err(unknown)?.iter().map(words).collect();
    let whom = facts.account.as_ref().map(words_of_account).unwrap_or_default();
    let cure =
        format!("give it ClusterRoles {OPERATOR} and {LEASE_ROLE} as the chart does, and see that no authorizer before RBAC denies it");
    let problem = (!denied.is_empty()).then(|| fail(format!("{whom}, the operator's, may not {}", several(&denied)), cure));
    Ok(Report::new(format!("{whom} may do all that the operator's roles say"), problem.into_iter().collect()))
}

/// Such as `create rolebindings.rbac.authorization.k8s.io`.
fn words(rule: &PolicyRule) -> String {
    let first = |words: &Option<Vec<String>>| words.as_ref().and_then(|words| words.first().cloned()).unwrap_or_default();
    let (group, name) = (first(&rule.api_groups), first(&rule.resource_names));
    let verb = rule.verbs.first().map(String::as_str).unwrap_or_default();
    let dot = if group.is_empty() { "" } else { "." };
    let slash = if name.is_empty() { "" } else { "/" };
    format!("{verb} {}{dot}{group}{slash}{name}", first(&rule.resources))
}

pub(super) fn replicas(facts: &Facts) -> Result<Report, Problem> {
    let deployments = facts.all("deployments")?;
    let mut problems = Vec::new();
    for deployment in deployments {
        problems.extend(short_of(facts, deployment)?.or_else(|| unfinished(facts, deployment)));
    }
    let told: Vec<String> = deployments.iter().map(count).collect();
    if told.len() > 1 {
        problems.push(warn(format!("there is more than one Deployment of the operator: {}", told.join(", ")), "keep one"));
    }
    let well = if told.is_empty() {
        "there is no Deployment of the chart; Leader says whether a replica runs".to_owned()
    } else {
        told.join(", ")
    };
    Ok(Report::new(well, problems))
}

/// How many replicas are ready, and how many are wanted.
fn ready(deployment: &Value) -> (i64, i64) {
    (deployment["status"]["readyReplicas"].as_i64().unwrap_or_default(), deployment["spec"]["replicas"].as_i64().unwrap_or(1))
}

fn count(deployment: &Value) -> String {
    let (ready, wanted) = ready(deployment);
    format!("{ready} of {wanted} replicas of {} are ready", place("Deployment", deployment))
}

fn short_of(facts: &Facts, deployment: &Value) -> Result<Option<Problem>, Problem> {
    let (ready, wanted) = ready(deployment);
    if ready >= wanted && ready > 0 {
        return Ok(None);
    }
    let (namespace, name) = (meta(deployment, "namespace"), meta(deployment, "name"));
    if wanted == 0 {
        return Ok(Some(fail(count(deployment), format!("run it: kubectl -n {namespace} scale deployment {name} --replicas=2"))));
    }
    let why = waits(facts, deployment)?;
    let message = if why.is_empty() { count(deployment) } else { format!("{}: {}", count(deployment), several(&why)) };
    let cure = format!("see why: kubectl -n {namespace} describe pods; kubectl -n {namespace} logs deployment/{name}");
    Ok(Some(if ready == 0 { fail(message, cure) } else { warn(message, cure) }))
}

/// A rollout that has not come to its end, or that is of another version than the policies.
fn unfinished(facts: &Facts, deployment: &Value) -> Option<Problem> {
    let number = |field: &str| deployment["status"][field].as_i64().unwrap_or_default();
    let cure = format!("see why: kubectl -n {} rollout status deployment/{}", meta(deployment, "namespace"), meta(deployment, "name"));
    let version = deployment["metadata"]["labels"][LABEL_VERSION].as_str().unwrap_or(facts.version);
    if number("updatedReplicas") < ready(deployment).1 || number("observedGeneration") < deployment["metadata"]["generation"].as_i64()? {
        return Some(warn(
            format!("the rollout of {} has not finished: {} replicas are new", place("Deployment", deployment), number("updatedReplicas")),
            cure,
        ));
    }
    (version != facts.version).then(|| {
        let message = format!("{} is of version {version}, and this govcloud is of {}", place("Deployment", deployment), facts.version);
        warn(message, "use the govcloud of that version")
    })
}

/// Why pods of a Deployment are not ready, each reason once.
fn waits(facts: &Facts, deployment: &Value) -> Result<Vec<String>, Problem> {
    let labels = serde_json::from_value(deployment["spec"]["selector"]["matchLabels"].clone()).unwrap_or_default();
    let mut why: Vec<String> = facts.pods(meta(deployment, "namespace"), &labels)?.into_iter().filter_map(waits_for).collect();
    why.sort();
    why.dedup();
    Ok(why)
}

/// Why a pod is not ready, in Kubernetes' words.
fn waits_for(pod: &Value) -> Option<String> {
    let mut statuses = pod["status"]["containerStatuses"].as_array().into_iter().flatten();
    let waiting = statuses.find_map(|status| status["state"]["waiting"]["reason"].as_str());
    let conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
    let unscheduled = conditions
        .filter(|found| found["type"] == "PodScheduled" && found["status"] == "False")
        .find_map(|found| found["message"].as_str());
    let unready = (!holds(pod, "Ready")).then_some("its readiness probe fails, or has not been asked yet");
    waiting.or(unscheduled).or(unready).map(ToOwned::to_owned)
}

pub(super) fn leader(facts: &Facts) -> Result<Report, Problem> {
    facts.all("leases")?;
    let cure = "see that the operator runs: kubectl --all-namespaces get pods -l app.kubernetes.io/name=govcloud";
    let Some(lease) = lease(&facts.objects) else {
        return Ok(Report::new("", vec![fail(format!("no replica has ever led: there is no Lease {LEASE_NAME}"), cure)]));
    };
    let place = place("Lease", lease);
    let holder = lease["spec"]["holderIdentity"].as_str().unwrap_or_default();
    let problem = if holder.is_empty() {
        Some(fail(format!("no replica leads: {place} has no holder"), cure))
    } else if has_ended(lease, facts.clock.0) && !facts.is_renewed {
        let at = renewed(lease).map(|time| time.to_string()).unwrap_or_default();
        Some(fail(format!("no replica leads: {holder} held {place} and renewed it last at {at}"), cure))
    } else {
        None
    };
    Ok(Report::new(format!("{holder} leads and renews {place}"), problem.into_iter().collect()))
}

pub(super) fn progress(facts: &Facts) -> Result<Report, Problem> {
    let lagging = facts.lagging.as_ref().map_err(unknown)?;
    let total = facts.all("agencytenants")?.len() + facts.all("hostedsystems")?.len();
    let cure = "read the log of the replica that leads: what it may not watch, and what the API server answers";
    let problem = (!lagging.is_empty()).then(|| fail(format!("the operator has not seen the latest change of {}", several(lagging)), cure));
    Ok(Report::new(format!("the operator has seen the latest change of all {total} tenants and systems"), problem.into_iter().collect()))
}
