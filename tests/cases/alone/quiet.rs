//! Nothing makes the operator run hot: not a wish that cannot be met, not another program that writes against it, not a right that
//! it lost.

use std::time::{Duration, Instant};

use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::Alone;
use crate::cluster::{Person, find_condition, system_yaml};

/// Writes the same again as soon as it is undone, for so long; how often it did.
async fn insist(admin: &Person, kind: &str, namespace: &str, name: &str, patch: Value, lasts: Duration) -> usize {
    let (begin, mut times) = (Instant::now(), 0);
    while begin.elapsed() < lasts {
        let by = PatchParams { field_manager: Some("insistent".into()), ..PatchParams::default() };
        admin.api(kind, namespace).patch(name, &by, &Patch::Merge(&patch)).await.unwrap();
        times += 1;
    }
    times
}

const FIGHT: Duration = Duration::from_secs(15);

#[tokio::test]
async fn a_program_that_writes_against_it_is_answered_ever_less_often_and_named() {
    let alone = Alone::turn().await;
    let operator = alone.start().await;
    let admin = alone.admin().await;
    admin.tenant_with_systems("fought", &["web"]).await;
    admin.tenant_with_systems("beside", &["web"]).await;
    alone.settled().await;
    let fights = [
        ("NetworkPolicy", "fought--web", "govcloud-isolation", json!({"spec": {"egress": [{}]}})),
        ("ResourceQuota", "fought--web", "govcloud-quota", json!({"spec": {"hard": {"pods": "1"}}})),
        ("Namespace", "", "fought--web", json!({"metadata": {"labels": {"govcloud.io/system": "other"}}})),
    ];
    let position = alone.position();
    let beside = async {
        sleep(FIGHT / 2).await;
        let told = admin.get("HostedSystem", "fought", "web").await;
        let told = find_condition(&told, "Provisioned").clone();
        assert_eq!((&told["status"], &told["reason"]), (&json!("False"), &json!("Contested")), "{told}");
        let words = "Namespace fought--web: field manager \"insistent\" keeps changing metadata.labels[govcloud.io/system]; ";
        assert!(told["message"].as_str().unwrap().starts_with(words), "{told}");
        let begin = Instant::now();
        admin.patch("HostedSystem", "beside", "web", json!({"spec": {"resources": {"guaranteed": {"pods": 61}}}})).await;
        admin.system_ready("beside", "web").await;
        assert!(begin.elapsed() < Duration::from_secs(5), "another tenant waited {:?}", begin.elapsed());
    };
    let insist = fights.iter().map(|(kind, namespace, name, patch)| insist(&admin, kind, namespace, name, patch.clone(), FIGHT));
    let (times, ()) = tokio::join!(futures::future::join_all(insist), beside);
    assert!(times.iter().all(|times| *times > 100), "nobody fought: {times:?}");
    let writes = alone.writes_since(position);
    let of = |resource: &str, place: &str| writes.iter().filter(|write| write.contains(resource) && write.ends_with(place)).count();
    for (resource, place) in [
        (" networkpolicies ", "fought--web/govcloud-isolation"),
        (" resourcequotas ", "fought--web/govcloud-quota"),
        (" namespaces ", "fought--web"),
    ] {
        let repairs = of(resource, place);
        assert!((5..20).contains(&repairs), "{repairs} writes of{resource}in {} s", FIGHT.as_secs());
    }
    assert!(writes.len() < 150, "{} writes: {writes:#?}", writes.len());

    admin
        .until("it is put right", "NetworkPolicy", "fought--web", "govcloud-isolation", |policy| {
            policy.is_some_and(|policy| policy["spec"]["egress"] != json!([{}]))
        })
        .await;
    admin.system_ready("fought", "web").await;
    operator.stop().await.unwrap();
}

#[tokio::test]
async fn a_wish_that_cannot_be_met_costs_nothing() {
    let alone = Alone::turn().await;
    let operator = alone.start().await;
    let admin = alone.admin().await;
    admin.tenant_with_systems("wishes", &["web"]).await;
    admin.apply(&system_yaml("wishes", "vast").replace("requests.cpu: '8'", "requests.cpu: '4000'")).await;
    admin.until_condition("HostedSystem", "wishes", "vast", "QuotaGranted", "False", "QuotaExceeded").await;
    let told = admin.until_condition("HostedSystem", "wishes", "vast", "Stalled", "True", "QuotaExceeded").await;
    assert!(told.contains("requests.cpu: 4k wanted") || told.contains("requests.cpu: 4000 wanted"), "{told}");
    admin
        .patch(
            "AgencyTenant",
            "",
            "wishes",
            json!({"spec": {"network": {"egress": [{"cidr": "10.1.0.0/16", "ports": [443], "reason": "x"}]}}}),
        )
        .await;
    admin.until_condition("AgencyTenant", "", "wishes", "Accepted", "False", "Invalid").await;
    alone.settled().await;
    let position = alone.position();
    sleep(Duration::from_secs(10)).await;
    assert_eq!(alone.writes_since(position), [""; 0]);
    operator.stop().await.unwrap();
}

#[tokio::test]
async fn news_of_what_it_may_not_put_right_does_not_make_it_run() {
    let alone = Alone::turn().await;
    let operator = alone.start().await;
    let admin = alone.admin().await;
    admin.tenant_with_systems("forbidden", &["web"]).await;
    alone.take_away(&admin, "networking.k8s.io", "networkpolicies", &["update"]).await;
    let position = alone.position();
    let lasts = Duration::from_secs(10);
    let flips = async {
        let begin = Instant::now();
        let mut number = 0;
        while begin.elapsed() < lasts {
            number += 1;
            let spec = json!({"spec": {"podSelector": {"matchLabels": {"app": number.to_string()}}}});
            admin.patch("NetworkPolicy", "forbidden--web", "govcloud-isolation", spec).await;
        }
        number
    };
    let changes = flips.await;
    let requests = alone.requests_since(position).len();
    assert!(changes > 100 && (1..100).contains(&requests), "{requests} requests for {changes} changes in {} s", lasts.as_secs());
    admin.until_condition("HostedSystem", "forbidden", "web", "Isolated", "False", "Forbidden").await;
    alone.give_back().await;
    admin.system_ready("forbidden", "web").await;
    operator.stop().await.unwrap();
}
