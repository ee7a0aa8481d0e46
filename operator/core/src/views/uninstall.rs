//! What `govcloud uninstall --dry-run` tells: what goes and what stays when the operator is removed, and when all of the product is.

use std::collections::BTreeSet;

use k8s_openapi::jiff::Timestamp;
use serde_json::Value;

use super::doctor::{Objects, has_ended};
use crate::{
    api::{PART_OF, part_of_selector},
    model::names::{LABEL_TENANT, OPERATOR, TENANT_ROLE_PREFIX},
};

/// Where the chart is installed when nothing tells of another place.
const NAMESPACE: &str = "govcloud-system";
/// Annotation of what Helm has installed: the name of the release.
const RELEASE: &str = "meta.helm.sh/release-name";

/// All that carries the product's label, by kind, plural and in words.
const LABELLED: [(&str, &str, &str); 5] = [
    ("CustomResourceDefinition", "customresourcedefinitions", "custom resource definitions"),
    ("ValidatingAdmissionPolicy", "validatingadmissionpolicies", "policies"),
    ("ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings", "bindings of policies"),
    ("ClusterRole", "clusterroles", "cluster roles"),
    ("ClusterRoleBinding", "clusterrolebindings", "cluster role bindings"),
];

/// The report, line by line; `shipped` are the objects that the chart brings, by kind and name.
///
/// # Errors
/// What could not be read.
pub fn report(objects: &Objects, shipped: &BTreeSet<(String, String)>, now: Timestamp) -> Result<Vec<String>, String> {
    let deployment = all(objects, "deployments")?.first();
    let home = deployment.and_then(|found| found["metadata"]["namespace"].as_str()).unwrap_or(NAMESPACE);
    let uninstall = uninstall(deployment, home);
    let namespaces = all(objects, "namespaces")?.iter().filter(|namespace| namespace["metadata"]["labels"][LABEL_TENANT].is_string());
    let namespaces: Vec<&str> = namespaces.map(name).collect();
    let mut lines = the_operator(objects, deployment, &uninstall)?;
    lines.push(format!("    {} namespaces of agencies with everything in them", namespaces.len()));
    lines.push("  Nothing new is set up and no change of others is reverted until the chart is installed again.".to_owned());
    lines.push(String::new());
    lines.extend(altogether(objects, shipped, &uninstall)?);
    lines.push("  keeps, each with its quota and its isolation, but without policies and roles:".to_owned());
    lines.extend(namespaces.iter().map(|name| format!("    namespace {name}")));
    lines.push(format!("  keeps namespace {home}, which is yours to delete"));
    if all(objects, "leases")?.iter().all(|lease| has_ended(lease, now)) {
        lines.push("No replica leads now: the definitions would wait for one that removes their objects' finalizers.".to_owned());
    }
    Ok(lines)
}

fn the_operator(objects: &Objects, deployment: Option<&Value>, uninstall: &str) -> Result<Vec<String>, String> {
    let (removed, kept): (Vec<&Value>, Vec<&Value>) =
        labelled(objects, "customresourcedefinitions")?.into_iter().partition(|definition| goes_with_its_release(definition));
    let mut lines = vec![
        format!("The operator alone: {uninstall}"),
        format!("  removes {}", deployment.map_or("nothing: no Deployment of the chart is there".to_owned(), described)),
    ];
    if !removed.is_empty() {
        lines.push(format!(
            "  removes {} custom resource definitions with all their objects, because the value crds.keep is false: use the commands below \
             instead, while an operator runs that removes the finalizers",
            removed.len()
        ));
    }
    lines.push("  keeps, in force as before:".to_owned());
    lines.push(format!("    {} custom resource definitions with {}", kept.len(), declared(objects)));
    for (kind, plural, words) in LABELLED.into_iter().skip(1) {
        let ours = labelled(objects, plural)?;
        let kept = ours.iter().filter(|object| kind != "ClusterRoleBinding" || name(object) != OPERATOR);
        lines.push(format!("    {} {words}", kept.count()));
    }
    Ok(lines)
}

fn altogether(objects: &Objects, shipped: &BTreeSet<(String, String)>, uninstall: &str) -> Result<Vec<String>, String> {
    let selector = part_of_selector();
    let plurals: Vec<&str> = LABELLED.iter().skip(1).map(|(_, plural, _)| *plural).collect();
    let mut lines = vec![
        "All of it, in this order, while the operator runs:".to_owned(),
        format!("  kubectl delete customresourcedefinitions --selector {selector}"),
        format!("  {uninstall}"),
        format!("  kubectl delete {} --selector {selector}", plurals.join(",")),
        format!("  removes what is named above, {}, and", declared(objects)),
    ];
    for (kind, plural, words) in LABELLED {
        let ours = labelled(objects, plural)?;
        lines.push(format!("    {} {words}", ours.len()));
        let is_foreign = |object: &&&Value| !shipped.contains(&(kind.to_owned(), name(object).to_owned())) && !is_made(name(object));
        let foreign = ours.iter().filter(is_foreign);
        lines.extend(
            foreign.map(|object| format!("      with {kind} {}, which is not the product's: to keep it, take its label off", name(object))),
        );
    }
    Ok(lines)
}

fn all<'a>(objects: &'a Objects, plural: &str) -> Result<&'a [Value], String> {
    match objects.get(plural) {
        Some(Ok(objects)) => Ok(objects),
        Some(Err(why)) => Err(format!("{plural} cannot be read: {why}")),
        None => Ok(&[]),
    }
}

fn labelled<'a>(objects: &'a Objects, plural: &str) -> Result<Vec<&'a Value>, String> {
    Ok(all(objects, plural)?.iter().filter(|object| object["metadata"]["labels"][PART_OF.0] == PART_OF.1).collect())
}

fn declared(objects: &Objects) -> String {
    let number = |plural: &str| objects.get(plural).and_then(|read| read.as_ref().ok()).map_or(0, Vec::len);
    format!("{} agency tenants and {} hosted systems", number("agencytenants"), number("hostedsystems"))
}

fn goes_with_its_release(definition: &Value) -> bool {
    let annotations = &definition["metadata"]["annotations"];
    annotations[RELEASE].is_string() && annotations["helm.sh/resource-policy"] != "keep"
}

/// Whether the operator or the chart makes objects of this name.
fn is_made(name: &str) -> bool {
    name.starts_with(TENANT_ROLE_PREFIX) || name == OPERATOR || (name.starts_with("govcloud:") && name.ends_with(":members"))
}

/// How the operator is removed: by Helm, but where something else has installed it.
fn uninstall(deployment: Option<&Value>, home: &str) -> String {
    let release = deployment.map(|deployment| deployment["metadata"]["annotations"][RELEASE].as_str());
    match release {
        None => format!("helm uninstall govcloud --namespace {home}"),
        Some(Some(release)) => format!("helm uninstall {release} --namespace {home}"),
        Some(None) => {
            let kinds = "deployments,poddisruptionbudgets,networkpolicies,configmaps,rolebindings,serviceaccounts";
            format!("kubectl delete --namespace {home} {kinds} --selector {}", part_of_selector())
        }
    }
}

fn described(deployment: &Value) -> String {
    let text = |field: &str| deployment["metadata"][field].as_str().unwrap_or_default();
    let rest = "account, bindings, settings, network policy, disruption budget and monitoring";
    format!("Deployment {}/{} and what belongs to it: {rest}", text("namespace"), text("name"))
}

fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap_or_default()
}
