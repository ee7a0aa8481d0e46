//! The tenant's total: handed out in order, waited for with numbers, never exceeded.

mod containers;
mod counts;
mod scratch;

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use acceptance::audit;
use futures::{StreamExt, pin_mut};
use govcloud_core::model::amounts::Amount;
use kube::runtime::{WatchStreamExt, watcher};
use serde_json::json;

use crate::cluster::{Person, admin, pod_yaml, shared, system_yaml};

fn cpu(share: &str) -> serde_json::Value {
    json!({"spec": {"resources": {"guaranteed": {"requests.cpu": share}}}})
}

#[tokio::test]
async fn a_share_that_does_not_fit_waits_with_the_numbers_and_is_granted_when_it_fits() {
    let admin = admin().await;
    admin.tenant_with_systems("waits", &["first"]).await;
    admin.apply(&system_yaml("waits", "second").replace("requests.cpu: '8'", "requests.cpu: '35'")).await;
    let message = admin.until_condition("HostedSystem", "waits", "second", "QuotaGranted", "False", "QuotaWaiting").await;
    assert!(message.contains("requests.cpu: 35 wanted, 32 free (total 40, held by others 8)"), "{message}");
    assert!(message.contains("lower spec.resources.guaranteed, or raise spec.quota of agencytenant/waits"), "{message}");
    let hard = admin.get("ResourceQuota", "waits--second", "govcloud-quota").await["status"]["hard"].clone();
    assert_eq!((&hard["requests.cpu"], &hard["pods"]), (&json!("0"), &json!("0")), "a waiting system holds nothing");

    admin.patch("HostedSystem", "waits", "first", cpu("5")).await;
    admin.system_ready("waits", "second").await;
    let hard = admin.get("ResourceQuota", "waits--second", "govcloud-quota").await["status"]["hard"].clone();
    assert_eq!(hard["requests.cpu"], "35");
}

#[tokio::test]
async fn a_lowered_total_is_served_only_when_it_fits() {
    let admin = admin().await;
    admin.tenant_with_systems("lowering", &["web"]).await;
    admin.patch("AgencyTenant", "", "lowering", json!({"spec": {"quota": {"requests.cpu": "5"}}})).await;
    let message = admin.until_condition("AgencyTenant", "", "lowering", "QuotaWithinBudget", "False", "LoweringPending").await;
    assert!(message.contains("spec.quota[requests.cpu]: 5 is below the 8 that the systems hold"), "{message}");
    let served = |tenant: &serde_json::Value| tenant["status"]["quota"]["total"]["requests.cpu"].clone();
    assert_eq!(served(&admin.get("AgencyTenant", "", "lowering").await), "40");
    admin.patch("HostedSystem", "lowering", "web", cpu("4")).await;
    admin.until_condition("AgencyTenant", "", "lowering", "QuotaWithinBudget", "True", "WithinBudget").await;
    assert_eq!(served(&admin.get("AgencyTenant", "", "lowering").await), "5");
}

#[tokio::test]
async fn the_sum_in_force_never_exceeds_the_total_being_served_at_any_moment() {
    let admin = admin().await;
    admin.apply(&crate::cluster::tenant_yaml("ledger")).await;
    admin.tenant_ready("ledger").await;
    let highest = Arc::new(Mutex::new((Amount::ZERO, 0)));
    let watched = tokio::spawn(watch_sum(shared().admin().await, highest.clone()));
    let systems = ["a", "b", "c", "d"];
    for system in systems {
        admin.apply(&system_yaml("ledger", system).replace("requests.cpu: '8'", "requests.cpu: '10'")).await;
    }
    for system in systems {
        admin.system_ready("ledger", system).await;
    }
    // Shares move between the systems while the sum stays at the total.
    for (from, to) in [("a", "b"), ("c", "d"), ("b", "c")] {
        admin.patch("HostedSystem", "ledger", to, cpu("18")).await;
        admin.until_condition("HostedSystem", "ledger", to, "QuotaGranted", "False", "QuotaWaiting").await;
        admin.patch("HostedSystem", "ledger", from, cpu("2")).await;
        admin.system_ready("ledger", to).await;
        admin.patch("HostedSystem", "ledger", to, cpu("10")).await;
        admin.system_ready("ledger", to).await;
        admin.patch("HostedSystem", "ledger", from, cpu("10")).await;
        admin.system_ready("ledger", from).await;
    }
    watched.abort();
    let (highest, revisions) = *highest.lock().unwrap();
    assert!(revisions > 20, "only {revisions} revisions were seen");
    assert_eq!(highest.to_string(), "40", "the highest sum of status.hard[requests.cpu] that was ever in force");
}

/// The log's end, once it holds all that was answered before: a watch may tell of a write before the log does.
async fn logged_so_far(admin: &Person, log: &Path, namespace: &str) -> u64 {
    let begin = audit::position(log).unwrap();
    admin.patch("Namespace", "", namespace, json!({"metadata": {"annotations": {"control.example/mark": "1"}}})).await;
    let marked = |request: &audit::Request| {
        request.verb == "patch"
            && request.object_ref.as_ref().is_some_and(|object| object.resource == "namespaces" && object.name == namespace)
    };
    while !audit::requests_since(log, begin).unwrap().iter().any(marked) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    audit::position(log).unwrap()
}

#[tokio::test]
async fn figures_of_use_do_not_wake_the_api_server() {
    let (cluster, admin) = (shared(), admin().await);
    let Some(log) = cluster.plane.audit_log() else { return }; // a cluster of the user's own keeps its log to itself
    admin.tenant_with_systems("in-use", &["web"]).await;
    let since = logged_so_far(&admin, log, "in-use").await;
    for number in 1..=4 {
        admin.apply(&pod_yaml("in-use--web", &format!("pod-{number}"))).await;
        let counted =
            |quota: Option<&serde_json::Value>| quota.is_some_and(|quota| quota["status"]["used"]["pods"] == json!(number.to_string()));
        admin.until("the pod is counted", "ResourceQuota", "in-use--web", "govcloud-quota", counted).await;
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let requests = audit::requests_since(log, since).unwrap();
    let written = |resource: &str| {
        let of_tenant =
            |object: &audit::ObjectRef| object.resource == resource && (object.name == "in-use" || object.namespace == "in-use");
        requests.iter().filter(|request| request.is_write() && request.object_ref.as_ref().is_some_and(of_tenant)).count()
    };
    // One more, where a minute has passed since the figures were told last.
    assert!(written("agencytenants") <= 1, "use is told once a minute, not pod by pod");
    assert_eq!(written("hostedsystems"), 0);
    // A change of anything else takes the figures along.
    admin.apply(&system_yaml("in-use", "second")).await;
    admin
        .until("the use is told", "AgencyTenant", "", "in-use", |tenant| {
            tenant.is_some_and(|tenant| tenant["status"]["quota"]["used"]["pods"] == "4" && tenant["status"]["summary"]["systems"] == "2/2")
        })
        .await;
}

/// Follows every revision of the tenant's quotas and notes the highest sum in force.
async fn watch_sum(admin: Person, highest: Arc<Mutex<(Amount, usize)>>) {
    let selector = watcher::Config::default().labels("govcloud.io/tenant=ledger");
    let quotas = watcher::watcher(admin.api("ResourceQuota", ""), selector).default_backoff().applied_objects();
    pin_mut!(quotas);
    let mut hard: BTreeMap<String, Amount> = BTreeMap::new();
    while let Some(Ok(quota)) = quotas.next().await {
        let text = quota.data["status"]["hard"]["requests.cpu"].as_str().unwrap_or("0").to_owned();
        hard.insert(quota.metadata.namespace.unwrap_or_default(), Amount::parse(&text).unwrap());
        let sum = hard.values().fold(Amount::ZERO, |sum, amount| sum.plus(*amount));
        let mut highest = highest.lock().unwrap();
        *highest = (highest.0.max(sum), highest.1 + 1);
    }
}
