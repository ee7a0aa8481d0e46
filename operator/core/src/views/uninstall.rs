//! What `govcloud uninstall --dry-run` tells: what goes and what stays when the operator is removed, and when all of the product is.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::{
    api::{PART_OF, part_of_selector},
    model::names::{LABEL_TENANT, OPERATOR, TENANT_ROLE_PREFIX},
};

/// Lists of objects, as [`super::doctor::Facts`] has them.
type Objects = BTreeMap<&'static str, Result<Vec<Value>, String>>;

/// Where the chart is installed when nothing tells of another place.
const NAMESPACE: &str = "govcloud-system";

/// The report, line by line; `shipped` are the objects that the chart brings, by kind and name.
///
/// # Errors
/// What could not be read.
pub fn report(objects: &Objects, shipped: &BTreeSet<(String, String)>) -> Result<Vec<String>, String> {
    let all = |plural: &str| match objects.get(plural) {
        Some(Ok(objects)) => Ok(objects.as_slice()),
        Some(Err(why)) => Err(format!("{plural} cannot be read: {why}")),
        None => Ok(&[][..]),
    };
    let namespaces = all("namespaces")?.iter().filter(|namespace| namespace["metadata"]["labels"][LABEL_TENANT].is_string());
    let namespaces: Vec<&str> = namespaces.map(name).collect();
    let deployment = all("deployments")?.first();
    let home = deployment.and_then(|found| found["metadata"]["namespace"].as_str()).unwrap_or(NAMESPACE);
    let (uninstall, selector) = (uninstall(deployment, home), part_of_selector());
    let (mut removed, mut foreign) = (Vec::new(), Vec::new());
    for (kind, plural, words) in REMOVED {
        let ours: Vec<&Value> = all(plural)?.iter().filter(|object| object["metadata"]["labels"][PART_OF.0] == PART_OF.1).collect();
        removed.push(format!("{} {words}", ours.len()));
        let is_foreign = |object: &&&Value| !shipped.contains(&(kind.to_owned(), name(object).to_owned())) && !is_made(name(object));
        foreign.extend(ours.iter().filter(is_foreign).map(|object| format!("{kind} {}", name(object))));
    }
    let removed = removed.join(", ");
    let (tenants, systems) = (number(objects, "agencytenants"), number(objects, "hostedsystems"));
    let mut lines = vec![
        format!("The operator alone: {uninstall}"),
        format!("  removes {}", deployment.map_or("nothing: no Deployment of the chart is there".to_owned(), described)),
        format!("  keeps, in force as before: {removed};"),
        format!(
            "    {tenants} agency tenants, {systems} hosted systems, {} namespaces of agencies with everything in them",
            namespaces.len()
        ),
        "  Nothing new is set up and no change of others is reverted until the chart is installed again.".to_owned(),
        String::new(),
        "All of it, in this order, while the operator runs:".to_owned(),
        format!("  kubectl delete customresourcedefinitions --selector {selector}"),
        format!("  {uninstall}"),
        format!(
            "  kubectl delete validatingadmissionpolicies,validatingadmissionpolicybindings,clusterroles,clusterrolebindings --selector {selector}"
        ),
        format!("  removes also {removed}; {tenants} agency tenants, {systems} hosted systems"),
    ];
    lines.extend(
        foreign.iter().map(|object| format!("    {object}: not of the product, but with its label; take the label off to keep it")),
    );
    lines.push("  keeps, each with its quota and its isolation, but without policies and roles:".to_owned());
    lines.extend(namespaces.iter().map(|name| format!("    namespace {name}")));
    lines.push(format!("  keeps namespace {home}, which is yours to delete"));
    if !leads(all("leases")?) {
        lines.push("No replica leads now: the definitions would wait for one that removes its finalizers.".to_owned());
    }
    Ok(lines)
}

/// What all that carries the product's label is, by kind, plural and in words.
const REMOVED: [(&str, &str, &str); 5] = [
    ("CustomResourceDefinition", "customresourcedefinitions", "custom resource definitions"),
    ("ValidatingAdmissionPolicy", "validatingadmissionpolicies", "policies"),
    ("ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings", "bindings of policies"),
    ("ClusterRole", "clusterroles", "cluster roles"),
    ("ClusterRoleBinding", "clusterrolebindings", "cluster role bindings"),
];

/// Whether the operator or the chart made an object of this name.
fn is_made(name: &str) -> bool {
    name.starts_with(TENANT_ROLE_PREFIX) || name == OPERATOR || (name.starts_with("govcloud:") && name.ends_with(":members"))
}

/// How the operator is removed: by Helm, where Helm has installed it.
fn uninstall(deployment: Option<&Value>, home: &str) -> String {
    let Some(deployment) = deployment else { return format!("helm uninstall govcloud --namespace {home}") };
    match deployment["metadata"]["annotations"]["meta.helm.sh/release-name"].as_str() {
        Some(release) => format!("helm uninstall {release} --namespace {home}"),
        None => format!(
            "kubectl delete --namespace {home} deployments,poddisruptionbudgets,networkpolicies,configmaps,serviceaccounts --selector {}",
            part_of_selector()
        ),
    }
}

/// How many there are; without their definition there are none.
fn number(objects: &Objects, plural: &str) -> usize {
    objects.get(plural).and_then(|read| read.as_ref().ok()).map_or(0, Vec::len)
}

fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap_or_default()
}

fn described(deployment: &Value) -> String {
    let text = |field: &str| deployment["metadata"][field].as_str().unwrap_or_default();
    format!("Deployment {}/{} and its account, settings, network policy and disruption budget", text("namespace"), text("name"))
}

fn leads(leases: &[Value]) -> bool {
    leases.iter().any(|lease| lease["spec"]["holderIdentity"].as_str().is_some_and(|holder| !holder.is_empty()))
}
