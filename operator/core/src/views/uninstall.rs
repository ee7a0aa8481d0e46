//! What `govcloud uninstall --dry-run` tells: what goes and what stays when the operator is removed, and when all of the product is.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{
    api::{PART_OF, part_of_selector},
    model::names::LABEL_TENANT,
};

/// Lists of objects, as [`super::doctor::Facts`] has them.
type Objects = BTreeMap<&'static str, Result<Vec<Value>, String>>;

/// Where the chart is installed when nothing tells of another place.
const NAMESPACE: &str = "govcloud-system";

/// The report, line by line.
///
/// # Errors
/// What could not be read.
pub fn report(objects: &Objects) -> Result<Vec<String>, String> {
    let all = |plural: &str| match objects.get(plural) {
        Some(Ok(objects)) => Ok(objects.as_slice()),
        Some(Err(why)) => Err(format!("{plural} cannot be read: {why}")),
        None => Ok(&[][..]),
    };
    let ours =
        |plural: &str| Ok::<_, String>(all(plural)?.iter().filter(|object| object["metadata"]["labels"][PART_OF.0] == PART_OF.1).count());
    let namespaces = all("namespaces")?.iter().filter(|namespace| namespace["metadata"]["labels"][LABEL_TENANT].is_string());
    let namespaces: Vec<&str> = namespaces.filter_map(|namespace| namespace["metadata"]["name"].as_str()).collect();
    let deployment = all("deployments")?.first();
    let home = deployment.and_then(|found| found["metadata"]["namespace"].as_str()).unwrap_or(NAMESPACE);
    let uninstall = format!("helm uninstall govcloud --namespace {home}");
    let selector = part_of_selector();
    let (tenants, systems) = (readable(objects, "agencytenants"), readable(objects, "hostedsystems"));
    let mut lines = vec![
        format!("The operator alone: {uninstall}"),
        format!("  removes {}", deployment.map_or("nothing: no Deployment of the chart is there".to_owned(), described)),
        "  keeps, in force as before:".to_owned(),
        format!(
            "    {} custom resource definitions with {tenants} agency tenants and {systems} hosted systems",
            ours("customresourcedefinitions")?
        ),
        format!(
            "    {} policies, {} bindings of policies, {} cluster roles, {} cluster role bindings",
            ours("validatingadmissionpolicies")?,
            ours("validatingadmissionpolicybindings")?,
            ours("clusterroles")?,
            ours("clusterrolebindings")?
        ),
        format!("    {} namespaces of agencies with everything in them", namespaces.len()),
        "  Nothing new is set up and no change of others is reverted until the chart is installed again.".to_owned(),
        String::new(),
        "All of it, in this order, while the operator runs:".to_owned(),
        format!("  kubectl delete customresourcedefinitions --selector {selector}"),
        format!("  {uninstall}"),
        format!(
            "  kubectl delete validatingadmissionpolicies,validatingadmissionpolicybindings,clusterroles,clusterrolebindings --selector {selector}"
        ),
        "  keeps, with quotas and network policies and without policies and roles:".to_owned(),
    ];
    lines.extend(namespaces.iter().map(|name| format!("    namespace {name}")));
    lines.push(format!("    namespace {home}"));
    if !leads(all("leases")?) {
        lines.push("No replica leads now: the definitions would wait for one that removes its finalizers.".to_owned());
    }
    Ok(lines)
}

/// How many there are; without their definition there are none.
fn readable(objects: &Objects, plural: &str) -> usize {
    objects.get(plural).and_then(|read| read.as_ref().ok()).map_or(0, Vec::len)
}

fn described(deployment: &Value) -> String {
    let text = |field: &str| deployment["metadata"][field].as_str().unwrap_or_default();
    format!("Deployment {}/{} and its account, settings, network policy and disruption budget", text("namespace"), text("name"))
}

fn leads(leases: &[Value]) -> bool {
    leases.iter().any(|lease| lease["spec"]["holderIdentity"].as_str().is_some_and(|holder| !holder.is_empty()))
}
