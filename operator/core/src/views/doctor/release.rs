//! Whether the cluster has the definitions, policies and roles of this version, as they are in the chart.

use serde_json::Value;

use super::{
    difference::difference,
    facts::{Facts, Shipped, holds, meta, named},
    finding::{Problem, Report, fail, unknown, warn},
};
use crate::{api::part_of_selector, model::names::LABEL_VERSION};

const DEFINITIONS: [(&str, &str); 1] = [("CustomResourceDefinition", "customresourcedefinitions")];
const GUARD_RAILS: [(&str, &str); 2] = [
    ("ValidatingAdmissionPolicy", "validatingadmissionpolicies"),
    ("ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings"),
];
const ROLES: [(&str, &str); 1] = [("ClusterRole", "clusterroles")];

pub(super) fn definitions(facts: &Facts) -> Result<Report, Problem> {
    let mut problems = compare(facts, &DEFINITIONS)?;
    for definition in facts.all("customresourcedefinitions")?.iter().filter(|definition| !holds(definition, "Established")) {
        let name = meta(definition, "name");
        let cure = format!("read its conditions: kubectl describe customresourcedefinition {name}");
        problems.push(fail(format!("CustomResourceDefinition {name} is not served"), cure));
    }
    Ok(Report::new(format!("those of version {} are there and served", facts.version), problems))
}

pub(super) fn policies(facts: &Facts) -> Result<Report, Problem> {
    let mut problems = compare(facts, &GUARD_RAILS)?;
    let there = facts.all("validatingadmissionpolicies")?;
    let mut unproven = None;
    for (policy, proof) in facts.proofs.iter().filter(|(policy, _)| named(there, policy).is_some()) {
        match proof {
            Ok(Ok(())) => {}
            Ok(Err(why)) => {
                problems.push(fail(why, "see the other findings of Policies; where there is none, wait some seconds and try again"));
            }
            Err(why) => unproven = Some(unknown(format!("whether they are in force: {policy}: {why}"))),
        }
    }
    problems.extend(unproven);
    let number = facts.shipped.iter().filter(|shipped| shipped.object["kind"] == "ValidatingAdmissionPolicy").count();
    Ok(Report::new(format!("all {number} are there, as version {} brings them, and in force", facts.version), problems))
}

pub(super) fn roles(facts: &Facts) -> Result<Report, Problem> {
    Ok(Report::new(format!("those of version {} are there, as it brings them", facts.version), compare(facts, &ROLES)?))
}

/// What differs of these kinds. With the objects of another version nothing is compared.
fn compare(facts: &Facts, kinds: &[(&str, &str)]) -> Result<Vec<Problem>, Problem> {
    if let Some(other) = other_version(facts) {
        let cure = format!("use the govcloud of version {other}, or install version {}", facts.version);
        return Ok(vec![warn(format!("the cluster has policies of version {other}, and this govcloud is of {}", facts.version), cure)]);
    }
    let mut problems = Vec::new();
    for (kind, plural) in kinds {
        let live = facts.all(plural)?;
        let all = || facts.shipped.iter().filter(|shipped| shipped.object["kind"] == *kind);
        if !all().any(|shipped| named(live, meta(&shipped.object, "name")).is_some()) {
            problems
                .push(fail(format!("none of the {} objects of kind {kind} is there", all().count()), "install the chart: helm install"));
            continue;
        }
        for Shipped { path, object } in all() {
            let name = meta(object, "name");
            match named(live, name) {
                None => problems.push(fail(
                    format!("{kind} {name} is missing, or has lost the label {}", part_of_selector()),
                    format!("apply it: kubectl apply --server-side --force-conflicts -f {path}"),
                )),
                // To apply it would leave what others have added.
                Some(found) => problems.extend(changed(object, found).map(|field| {
                    let message = format!("{kind} {name} is not as version {} brings it: {field} differs", facts.version);
                    fail(message, format!("put it back: kubectl replace -f {path}, and helm upgrade where Helm installed it"))
                })),
            }
        }
    }
    Ok(problems)
}

/// The version that all policies agree on, where it is not this program's.
fn other_version(facts: &Facts) -> Option<String> {
    let version = |policy: &Value| policy["metadata"]["labels"][LABEL_VERSION].as_str().unwrap_or_default().to_owned();
    let mut versions: Vec<String> = facts.all("validatingadmissionpolicies").ok()?.iter().map(version).collect();
    versions.dedup();
    <[String; 1]>::try_from(versions).ok().map(|[version]| version).filter(|version| !version.is_empty() && *version != facts.version)
}

/// Where an object is not as it is shipped.
fn changed(shipped: &Value, found: &Value) -> Option<String> {
    // What an aggregated role holds, the controller manager fills in.
    let fields: &[&str] = if shipped["aggregationRule"].is_object() { &["aggregationRule"] } else { &["spec", "rules"] };
    let of_fields = fields.iter().find_map(|field| {
        let path = difference(&shipped[field], &found[field])?;
        Some(if path.is_empty() || path.starts_with('[') { format!("{field}{path}") } else { format!("{field}.{path}") })
    });
    let labels = shipped["metadata"]["labels"].as_object().into_iter().flatten();
    let mut lost = labels.filter(|(key, value)| found["metadata"]["labels"][key.as_str()] != **value);
    of_fields.or_else(|| lost.next().map(|(key, _)| format!("label {key}")))
}
