//! The one `ResourceQuota` of a namespace. It names every key, so what nobody was granted is 0; its status is written with it.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::kind::{Build, Kind, Rank, WriteMode};
use crate::{
    api::{
        allowances::ServiceType,
        objects::{OBJECT_CAPS, ObjectCap},
    },
    model::{
        amounts::{self, Amount, Amounts, STANDARD_KEYS},
        names::{ANNOTATION_EPOCH, QUOTA},
        namespace::{Access, ChildInput},
        observed::QuotaState,
    },
};

pub(super) static KIND: Kind = Kind {
    group: "",
    version: "v1",
    kind: "ResourceQuota",
    plural: "resourcequotas",
    rank: Rank::Isolation,
    isolates: true,
    write: WriteMode::Replace,
    build: Build::Inside(build),
    content,
    observe: Some(|object, entry| entry.quota = Some(Box::new(figures(object)))),
    initial_status: Some(initial_status),
    without_new_subjects: None,
    exposes: None,
};

/// Quota key of the number of volumes.
const VOLUME_COUNT: &str = "persistentvolumeclaims";

/// Volumes in one namespace, where neither total nor share counts them.
const VOLUMES: u32 = 100;

fn build(input: &ChildInput) -> Vec<Value> {
    let hard: BTreeMap<String, String> = hard(input).iter().map(|(key, amount)| (key.clone(), amount.text(key))).collect();
    let mut quota = json!({ "metadata": { "name": QUOTA }, "spec": { "hard": hard } });
    if input.epoch > 0 {
        quota["metadata"]["annotations"] = json!({ ANNOTATION_EPOCH: input.epoch.to_string() });
    }
    vec![quota]
}

/// Every key that admission should judge; what nobody claimed is 0.
fn hard(input: &ChildInput) -> Amounts {
    let mut hard: Amounts = OBJECT_CAPS.iter().map(|cap| (cap.key.to_owned(), count(input, cap))).collect();
    hard.insert(VOLUME_COUNT.to_owned(), Amount::whole(VOLUMES));
    for key in STANDARD_KEYS.into_iter().chain(input.tenant.quota.keys().map(String::as_str)) {
        hard.insert(key.to_owned(), Amount::ZERO);
    }
    hard.extend(input.hard.iter().map(|(key, amount)| (key.clone(), *amount)));
    if input.namespace.access != Access::Open {
        hard.insert("pods".to_owned(), Amount::ZERO);
    }
    if input.namespace.access == Access::Members {
        hard.insert(VOLUME_COUNT.to_owned(), Amount::ZERO);
    }
    hard
}

/// How many objects of a kind. A load balancer takes a node port of its own for each of its ports, unless it asks for none; whether a
/// Service may be of type `NodePort` says a policy.
fn count(input: &ChildInput, cap: &ObjectCap) -> Amount {
    let allows = |kinds: &[ServiceType]| kinds.iter().any(|kind| input.tenant.allow.service_types.contains(kind));
    let wanted = |name: &str, default: i32| input.tenant.objects.get(name).copied().unwrap_or_default().max(default);
    let most = match cap.name {
        "nodeports" if !allows(&[ServiceType::NodePort, ServiceType::LoadBalancer]) => 0,
        "loadbalancers" if !allows(&[ServiceType::LoadBalancer]) => 0,
        // Each load balancer takes one at least.
        "nodeports" => wanted(cap.name, cap.default).max(wanted("loadbalancers", 0)),
        _ => wanted(cap.name, cap.default),
    };
    Amount::whole(u32::try_from(most).unwrap_or_default())
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
    // Volumes are counted for what is left of a closed namespace; the counts of other objects are handed out to nobody.
    let told = |key: &str| OBJECT_CAPS.iter().all(|cap| cap.key != key);
    QuotaState::new(&wanted, &hard, &used, epoch, told)
}

fn read(amounts: &Value) -> Amounts {
    let fields = amounts.as_object().into_iter().flatten();
    fields.filter_map(|(key, text)| Some((key.clone(), Amount::parse(text.as_str()?).ok()?))).collect()
}

/// Admission enforces `status.hard`, which the controller manager fills in later. In a new, empty namespace
/// nothing is used; elsewhere `used` is left out, and admission refuses until the controller manager has counted.
fn initial_status(created: &Value, fresh: bool) -> Value {
    let hard = created["spec"]["hard"].clone();
    let none = |key: &String| (key.clone(), json!(amounts::Amount::ZERO.text(key)));
    let used: Map<String, Value> = hard.as_object().filter(|_| fresh).into_iter().flat_map(Map::keys).map(none).collect();
    json!({ "hard": hard, "used": used })
}
