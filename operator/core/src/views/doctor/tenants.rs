//! Whether the figures of quotas are true, and whether every namespace has its tenant.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    facts::{Facts, meta, named},
    finding::{Report, fail, several, warn},
};
use crate::model::names::{LABEL_TENANT, LABEL_TENANT_UID};

pub(super) fn quotas(facts: &Facts) -> Result<Report, String> {
    let (looked, miscounts) = facts.miscounts.as_ref().map_err(Clone::clone)?;
    let told: Vec<String> = miscounts
        .iter()
        .map(|found| {
            let [told, sum] = [found.told, found.sum].map(|amount| amount.text(&found.key));
            format!("namespace {} ({} is {told}, and its pods add up to {sum})", found.namespace, found.key)
        })
        .collect();
    let cure = "the quota controller counts no more: restart kube-controller-manager, and see its log and that every API group answers \
        (kubectl get apiservices); quota is neither freed nor charged as it should be until then";
    let problem = (!told.is_empty()).then(|| fail(format!("the status of quota is not true in {}", several(&told)), cure));
    Ok(Report::new(format!("the status of all {looked} is what the pods add up to"), problem.into_iter().collect()))
}

pub(super) fn namespaces(facts: &Facts) -> Result<Report, String> {
    let tenants = facts.all("agencytenants")?;
    let namespaces = facts.all("namespaces")?;
    let ours: Vec<&Value> = namespaces.iter().filter(|namespace| namespace["metadata"]["labels"][LABEL_TENANT].is_string()).collect();
    let mut left: BTreeMap<(&str, &str), Vec<String>> = BTreeMap::new();
    for namespace in ours.iter().filter(|namespace| namespace["status"]["phase"] != "Terminating") {
        let [tenant, uid] = [LABEL_TENANT, LABEL_TENANT_UID].map(|key| namespace["metadata"]["labels"][key].as_str().unwrap_or_default());
        if named(tenants, tenant).is_none_or(|found| meta(found, "uid") != uid) {
            left.entry((tenant, uid)).or_default().push(meta(namespace, "name").to_owned());
        }
    }
    let problems = left.into_iter().map(|((tenant, uid), names)| {
        let back = if uid.is_empty() { String::new() } else { format!(" with spec.adoptTenantUID: {uid}") };
        let whose = if uid.is_empty() { String::new() } else { format!(" of UID {uid}") };
        warn(
            format!("agencytenant {tenant}{whose} does not exist, and these namespaces of it are left: {}", several(&names)),
            format!(
                "create agencytenant {tenant}{back} to take them back, or delete them with all that they hold: kubectl delete namespace"
            ),
        )
    });
    Ok(Report::new(format!("all {} that have a tenant's label have their tenant", ours.len()), problems.collect()))
}
