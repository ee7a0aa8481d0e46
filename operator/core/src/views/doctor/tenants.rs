//! Whether the figures of quotas are true, whether every namespace has its tenant and is guarded, and whether tenants and systems are well.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::jiff::Timestamp;
use serde_json::Value;

use super::{
    facts::{Facts, meta, named},
    finding::{Problem, Report, Verdict, fail, several, unknown, warn},
};
use crate::{
    api::conditions::{kind, reason},
    model::names::{LABEL_TENANT, LABEL_TENANT_UID, NETWORK_POLICY, QUOTA},
};

/// So long the operator may take to set a namespace up, in seconds.
const SETTING_UP: i64 = 60;
/// What has been so for less than this, in seconds, may pass by itself.
const PASSING: i64 = 20;

pub(super) fn quotas(facts: &Facts) -> Result<Report, Problem> {
    let miscounts = facts.miscounts.as_ref().map_err(unknown)?;
    let told: Vec<String> = miscounts
        .iter()
        .map(|found| {
            let told = found.told.map_or("not counted".to_owned(), |told| told.text(&found.key));
            format!("namespace {} ({} is {told}, and its pods add up to {})", found.namespace, found.key, found.sum.text(&found.key))
        })
        .collect();
    let cure = "run this again in 5 minutes, after which the quota controller counts everything anew; if it is still so, see the log of \
        kube-controller-manager and APIServices, and restart kube-controller-manager";
    let problem = (!told.is_empty()).then(|| fail(format!("the status of quota is not true in {}", several(&told)), cure));
    let well = format!("the status of all {} is what the pods add up to", facts.all("resourcequotas")?.len());
    Ok(Report::new(well, problem.into_iter().collect()))
}

pub(super) fn namespaces(facts: &Facts) -> Result<Report, Problem> {
    let tenants = facts.all("agencytenants")?;
    let is_ours = |namespace: &&Value| namespace["metadata"]["labels"][LABEL_TENANT].is_string();
    let ours: Vec<&Value> = facts.all("namespaces")?.iter().filter(is_ours).collect();
    let mut left: BTreeMap<(&str, &str), Vec<String>> = BTreeMap::new();
    let mut open: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for namespace in ours.iter().filter(|namespace| namespace["status"]["phase"] != "Terminating") {
        let [tenant, uid] = [LABEL_TENANT, LABEL_TENANT_UID].map(|key| namespace["metadata"]["labels"][key].as_str().unwrap_or_default());
        if named(tenants, tenant).is_none_or(|found| meta(found, "uid") != uid) {
            left.entry((tenant, uid)).or_default().push(meta(namespace, "name").to_owned());
        } else if let Some(what) = lacks(facts, namespace)? {
            open.entry(what).or_default().push(meta(namespace, "name").to_owned());
        }
    }
    let mut problems: Vec<Problem> = left.into_iter().map(|((tenant, uid), names)| is_left(tenant, uid, &names)).collect();
    problems.extend(open.into_iter().map(|(what, names)| {
        let cure = "the operator writes it again while it leads; where it does not, condition Provisioned of the tenant or system says why";
        fail(format!("without {what}: namespaces {}", several(&names)), cure)
    }));
    Ok(Report::new(format!("all {} that have a tenant's label have their tenant, their isolation and their quota", ours.len()), problems))
}

/// What guards a namespace and is missing, unless it is being set up.
fn lacks(facts: &Facts, namespace: &Value) -> Result<Option<String>, Problem> {
    let created = meta(namespace, "creationTimestamp").parse().unwrap_or(facts.clock.0);
    if facts.clock.0.as_second() - created.as_second() < SETTING_UP {
        return Ok(None);
    }
    for (kind, plural, name) in [("NetworkPolicy", "networkpolicies", NETWORK_POLICY), ("ResourceQuota", "resourcequotas", QUOTA)] {
        let is_it = |object: &Value| meta(object, "name") == name && meta(object, "namespace") == meta(namespace, "name");
        if !facts.all(plural)?.iter().any(is_it) {
            return Ok(Some(format!("{kind} {name}")));
        }
    }
    Ok(None)
}

fn is_left(tenant: &str, uid: &str, names: &[String]) -> Problem {
    let back = if uid.is_empty() { String::new() } else { format!(" with spec.adoptTenantUID: {uid}") };
    let whose = if uid.is_empty() { String::new() } else { format!(" of UID {uid}") };
    warn(
        format!("agencytenant {tenant}{whose} does not exist, and these namespaces of it are left: {}", several(names)),
        format!("create agencytenant {tenant}{back} to take them back, or delete them with all that they hold: kubectl delete namespace"),
    )
}

/// Tenants and systems that somebody must do something about, by what their conditions say.
pub(super) fn conditions(facts: &Facts) -> Result<Report, Problem> {
    let mut found: BTreeMap<(Verdict, String), Vec<String>> = BTreeMap::new();
    let lists = [("agencytenants", facts.all("agencytenants")?), ("hostedsystems", facts.all("hostedsystems")?)];
    for (plural, object) in lists.iter().flat_map(|(plural, objects)| objects.iter().map(move |object| (plural, object))) {
        if let Some(trouble) = trouble(object, facts.clock.0) {
            found.entry(trouble).or_default().push(described(plural, object));
        }
    }
    let problems = found.into_iter().map(|((verdict, why), names)| {
        let cure = "the message of the condition says what to do: kubectl describe agencytenant or hostedsystem";
        Problem { verdict, ..warn(format!("{why}: {}", several(&names)), cure) }
    });
    let total = lists.iter().map(|(_, objects)| objects.len()).sum::<usize>();
    Ok(Report::new(format!("none of {total} tenants and systems is stalled or waits for the cluster"), problems.collect()))
}

/// What a person must look at: what does not pass by itself, and what the API server or another program holds up.
fn trouble(object: &Value, now: Timestamp) -> Option<(Verdict, String)> {
    let lasts = |found: &&Value| {
        let since = found["lastTransitionTime"].as_str().and_then(|text| text.parse::<Timestamp>().ok());
        since.is_none_or(|since| now.as_second() - since.as_second() >= PASSING)
    };
    let conditions = || object["status"]["conditions"].as_array().into_iter().flatten().filter(lasts);
    let why = |condition: &Value| condition["reason"].as_str().unwrap_or_default().to_owned();
    let is_stalled = |found: &&Value| found["type"] == kind::STALLED && found["status"] == "True" && found["reason"] != reason::REJECTED;
    if let Some(found) = conditions().find(is_stalled) {
        return Some((Verdict::Fail, format!("stalled ({})", why(found))));
    }
    let held_up = [reason::UNAVAILABLE, reason::FORBIDDEN, reason::CONTESTED, reason::POLICY_NOT_ACTIVE];
    let is_held_up = |found: &&Value| {
        found["type"] == kind::PROVISIONED && found["status"] == "False" && held_up.iter().any(|held| found["reason"] == *held)
    };
    conditions().find(is_held_up).map(|found| (Verdict::Warn, format!("not provisioned ({})", why(found))))
}

/// Those of these tenants or systems whose latest change the operator has not taken up, in words.
#[must_use]
pub fn behind(plural: &str, objects: &[Value]) -> BTreeSet<String> {
    let is_behind = |object: &&Value| {
        object["metadata"]["deletionTimestamp"].is_null() && object["metadata"]["generation"] != object["status"]["observedGeneration"]
    };
    objects.iter().filter(is_behind).map(|object| described(plural, object)).collect()
}

/// Such as hostedsystem/web in namespace health.
fn described(plural: &str, object: &Value) -> String {
    let (word, name) = (plural.trim_end_matches('s'), meta(object, "name"));
    match meta(object, "namespace") {
        "" => format!("{word}/{name}"),
        namespace => format!("{word}/{name} in namespace {namespace}"),
    }
}
