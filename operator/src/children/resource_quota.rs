//! The one `ResourceQuota` of a namespace: a closed world, live from its first moment.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{Build, Kind, Rank, Write};
use crate::{
    api::allowances::ServiceType,
    names::{ANNOTATION_EPOCH, QUOTA},
    plan::{
        amount::{self, Amount, Amounts},
        desired::{Access, Space},
        quota::STANDARD_KEYS,
        snapshot::QuotaState,
    },
};

pub(super) static KIND: Kind = Kind {
    group: "",
    version: "v1",
    kind: "ResourceQuota",
    plural: "resourcequotas",
    rank: Rank::Guard,
    write: Write::Guard,
    build: Build::Inside(build),
    content,
    figures: Some(figures),
    prime: Some(prime),
    narrow: None,
    opens: None,
};

/// Most Services in one namespace, of whichever type the contract allows.
const SERVICES: u32 = 60;

/// Most objects of a kind in one namespace, so that nobody fills the API server's store. Kinds of Kubernetes itself only: while
/// the controller manager does not know a custom kind yet, a quota on its count refuses every one ("status unknown").
const OBJECT_CAPS: [(&str, u32); 19] = [
    ("configmaps", 200),
    ("secrets", 200),
    ("services", SERVICES),
    ("persistentvolumeclaims", 100),
    ("replicationcontrollers", 20),
    ("count/serviceaccounts", 40),
    ("count/deployments.apps", 100),
    ("count/replicasets.apps", 1000),
    ("count/statefulsets.apps", 60),
    ("count/cronjobs.batch", 60),
    ("count/jobs.batch", 300),
    ("count/ingresses.networking.k8s.io", 40),
    ("count/networkpolicies.networking.k8s.io", 60),
    ("count/leases.coordination.k8s.io", 60),
    ("count/daemonsets.apps", 40),
    ("count/horizontalpodautoscalers.autoscaling", 100),
    ("count/poddisruptionbudgets.policy", 100),
    ("count/roles.rbac.authorization.k8s.io", 60),
    ("count/rolebindings.rbac.authorization.k8s.io", 60),
];

fn build(space: &Space) -> Vec<Value> {
    let hard: BTreeMap<String, String> = hard(space).iter().map(|(key, amount)| (key.clone(), amount.text(key))).collect();
    let mut quota = json!({ "metadata": { "name": QUOTA }, "spec": { "hard": hard } });
    if space.epoch > 0 {
        quota["metadata"]["annotations"] = json!({ ANNOTATION_EPOCH: space.epoch.to_string() });
    }
    vec![quota]
}

/// Every key that admission should judge; what nobody claimed is 0.
fn hard(space: &Space) -> Amounts {
    let mut hard: Amounts = OBJECT_CAPS.iter().map(|(key, cap)| ((*key).to_owned(), Amount::whole(*cap))).collect();
    for key in STANDARD_KEYS
        .into_iter()
        .chain(["services.nodeports", "services.loadbalancers"])
        .chain(space.tenant.quota.keys().map(String::as_str))
    {
        hard.insert(key.to_owned(), Amount::ZERO);
    }
    for (key, allowed) in [("services.nodeports", ServiceType::NodePort), ("services.loadbalancers", ServiceType::LoadBalancer)] {
        if space.tenant.allow.service_types.contains(&allowed) {
            hard.insert(key.to_owned(), Amount::whole(SERVICES));
        }
    }
    hard.extend(space.hard.iter().map(|(key, amount)| (key.clone(), *amount)));
    if space.access != Access::Open {
        hard.insert("pods".to_owned(), Amount::ZERO);
    }
    if space.access == Access::Members {
        hard.insert("persistentvolumeclaims".to_owned(), Amount::ZERO);
    }
    hard
}

/// Amounts, not texts: the API server writes some quantities another way. Scopes would narrow what the quota judges.
fn content(object: &Value) -> Value {
    let hard: Map<String, Value> =
        read(&object["spec"]["hard"]).iter().map(|(key, amount)| (key.clone(), json!(amount.text(key)))).collect();
    json!({ "hard": hard, "scopes": object["spec"]["scopes"], "scopeSelector": object["spec"]["scopeSelector"] })
}

fn figures(object: &Value) -> QuotaState {
    let [wanted, hard, used] = [&object["spec"]["hard"], &object["status"]["hard"], &object["status"]["used"]].map(read);
    let epoch = object["metadata"]["annotations"][ANNOTATION_EPOCH].as_str().and_then(|text| text.parse().ok()).unwrap_or_default();
    // Volumes are counted for what is left of a closed namespace; the other caps are the same for all and handed out to nobody.
    let told =
        |key: &str| key == "persistentvolumeclaims" || !key.starts_with("services.") && OBJECT_CAPS.iter().all(|(cap, _)| *cap != key);
    QuotaState::new(&wanted, &hard, &used, epoch, told)
}

fn read(amounts: &Value) -> Amounts {
    let fields = amounts.as_object().into_iter().flatten();
    fields.filter_map(|(key, text)| Some((key.clone(), Amount::parse(text.as_str()?).ok()?))).collect()
}

/// Admission enforces `status.hard`, which the controller manager fills in at its leisure. In a new, empty namespace
/// nothing is used; elsewhere `used` is left out, and admission refuses until the controller manager has counted.
fn prime(created: &Value, fresh: bool) -> Value {
    let hard = created["spec"]["hard"].clone();
    let none = |key: &String| (key.clone(), json!(amount::Amount::ZERO.text(key)));
    let used: Map<String, Value> = hard.as_object().filter(|_| fresh).into_iter().flat_map(Map::keys).map(none).collect();
    json!({ "hard": hard, "used": used })
}
