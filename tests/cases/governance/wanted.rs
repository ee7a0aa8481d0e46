//! A change of what is wanted is no repair: however often somebody changes a spec or a decision, it is carried out at once, and no
//! condition says that another program was at work.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{approval, approved_with_system, approver, decide, requester};
use crate::{
    cluster::{Person, admin, system_yaml},
    history::History,
};

/// Pairs of a stop and an approval that ends it.
const PAIRS: usize = 8;

/// Waits until the network of the system is closed, or open.
async fn until_network(admin: &Person, tenant: &str, closed: bool) {
    let is_so = |policy: Option<&Value>| policy.is_some_and(|policy| policy["spec"]["egress"].is_null() == closed);
    admin.until("the network follows", "NetworkPolicy", &format!("{tenant}--web"), "govcloud-isolation", is_so).await;
}

/// Stops the agency and approves it again, some times in a row; how long it took until each was carried out, together.
async fn stopped_and_approved(admin: &Person, li: &Person, tenant: &str) -> Duration {
    let begin = Instant::now();
    for decision in ["Suspended", "Approved"].repeat(PAIRS) {
        decide(li, tenant, approval(decision, 1)).await.unwrap();
        until_network(admin, tenant, decision == "Suspended").await;
    }
    begin.elapsed()
}

#[tokio::test]
async fn however_often_somebody_changes_what_is_wanted_no_other_program_is_said_to_be_at_work() {
    let (admin, wang, li) = (admin().await, requester().await, approver().await);
    approved_with_system(&admin, "wanted").await;
    let mut history = History::of_kinds(&admin, &["AgencyTenant", "HostedSystem"]).await;
    for number in 0..12 {
        wang.patch("HostedSystem", "wanted", "web", json!({"spec": {"displayName": format!("系统{number}")}})).await;
    }
    let from_ingress = "
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: own, namespace: wanted--web}, spec: {podSelector: {}, policyTypes: [Ingress],
 ingress: [{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: ingress-nginx}},
   podSelector: {matchLabels: {app.kubernetes.io/name: ingress-nginx}}}]}]}}";
    // A deployment tool applies the Owner's policy each time that the system runs.
    for stage in ["Suspended", "Running"].repeat(8) {
        wang.patch("HostedSystem", "wanted", "web", json!({"spec": {"stage": stage}})).await;
        until_network(&admin, "wanted", stage == "Suspended").await;
        if stage == "Running" {
            admin.system_ready("wanted", "web").await;
            wang.apply(from_ingress).await;
        }
    }
    stopped_and_approved(&admin, &li, "wanted").await;
    for number in 0..12 {
        wang.patch("AgencyTenant", "", "wanted", json!({"spec": {"displayName": format!("机构{number}")}})).await;
        let generation = admin.get("AgencyTenant", "", "wanted").await["metadata"]["generation"].as_i64().unwrap();
        decide(&li, "wanted", approval("Approved", generation)).await.unwrap();
        let in_force = |tenant: Option<&Value>| tenant.is_some_and(|tenant| tenant["status"]["contractGeneration"] == generation);
        admin.until("it is in force", "AgencyTenant", "", "wanted", in_force).await;
    }
    admin.tenant_ready("wanted").await;
    admin.system_ready("wanted", "web").await;
    history.catch_up(&admin, |tenant| tenant == "wanted").await;
    for kind in ["Provisioned", "Ready", "Isolated"] {
        assert!(history.conditions(kind).count() > 12, "{kind} was not told of");
        let contested: Vec<_> = history.conditions(kind).filter(|told| told["reason"] == "Contested").collect();
        assert!(contested.is_empty(), "{kind}: {contested:#?}");
    }
}

#[tokio::test]
async fn a_stop_does_not_wait_for_what_failed_before() {
    let (admin, li) = (admin().await, approver().await);
    for tenant in ["failing", "unfailing"] {
        approved_with_system(&admin, tenant).await;
    }
    // A namespace that is somebody else's: what fails there is tried again, ever less often.
    admin.apply("{apiVersion: v1, kind: Namespace, metadata: {name: failing--taken}}").await;
    admin.apply(&system_yaml("failing", "taken")).await;
    admin.until_condition("HostedSystem", "failing", "taken", "Stalled", "True", "Conflict").await;
    let [failing, unfailing] = ["failing", "unfailing"].map(|tenant| stopped_and_approved(&admin, &li, tenant));
    let (failing, unfailing) = tokio::join!(failing, unfailing);
    assert!(failing < unfailing + Duration::from_secs(4), "{failing:?} where something fails, {unfailing:?} where nothing does");
}
