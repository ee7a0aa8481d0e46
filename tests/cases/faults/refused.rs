//! The API server refuses, is busy, or does not answer: what it was asked for is asked for again, and nobody else notices.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use acceptance::{Proxy, proxy::Fault};
use futures::future::join_all;
use serde_json::json;
use tokio::time::sleep;

use super::{
    Faulty,
    steps::Act,
    world::{unlike, versions},
};
use crate::{alone::Alone, cluster::Person};

const CODES: [u16; 7] = [409, 410, 422, 429, 500, 503, 504];

/// A change is served within this time to those whom no fault hits.
const SERVED_WITHIN: Duration = Duration::from_secs(2);

/// What each tenant goes through.
const LIFE: [Act; 4] = [
    Act::Create,
    Act::Declare(&["db", "web"]),
    Act::Tenant(
        r#"{"spec": {"displayName": "改名委员会", "podSecurity": "baseline", "quota": {"requests.cpu": "80"},
        "containerDefaults": {"default": {"cpu": "1", "memory": "1Gi"}},
        "members": [{"kind": "Group", "name": "others", "role": "Owner"}, {"kind": "User", "name": "pipeline", "role": "Deployer"},
            {"kind": "Group", "name": "auditors", "role": "Auditor"}],
        "network": {"betweenSystems": "Allow", "egress": [{"cidr": "203.0.113.0/24", "ports": [443], "reason": "省级平台"}]}}}"#,
    ),
    Act::System(r#"{"spec": {"displayName": "改名系统", "resources": {"guaranteed": {"requests.cpu": "16"}}}}"#),
];

/// The first request of each verb and resource in a tenant's name that is meant fails.
fn fail_each_once(proxy: &Proxy, tenant: &str, fault: Fault, meant: impl Fn(&str) -> bool + Send + 'static) {
    let (tenant, mut seen) = (tenant.to_owned(), BTreeMap::new());
    proxy.arm(fault, 0, usize::MAX, move |asked| {
        let kind = format!("{} {}/{}", asked.verb, asked.resource, asked.subresource);
        asked.tenant == tenant && meant(&kind) && {
            let times: &mut usize = seen.entry(kind).or_default();
            *times += 1;
            *times == 1
        }
    });
}

/// Changes a share of the neighbour's, and sees it served at once.
async fn serves(admin: &Person, neighbour: &str, pods: usize) {
    let begin = Instant::now();
    admin.patch("HostedSystem", neighbour, "web", json!({"spec": {"resources": {"guaranteed": {"pods": pods}}}})).await;
    let namespace = format!("{neighbour}--web");
    let wanted = json!(pods.to_string());
    admin
        .until("the share is served", "ResourceQuota", &namespace, "govcloud-quota", |quota| {
            quota.is_some_and(|quota| quota["status"]["hard"]["pods"] == wanted)
        })
        .await;
    assert!(begin.elapsed() <= SERVED_WITHIN, "{neighbour} was served after {:?}", begin.elapsed());
}

/// Tenants that have each a fault of their own, one that has none, and a neighbour that is there before.
async fn outlive(prefix: &str, kinds: Vec<(String, Fault)>, meant: fn(&str) -> bool) {
    let alone = Alone::turn().await;
    let admin = alone.admin().await;
    let faulty = Faulty::start_many(&alone).await;
    let (neighbour, twin) = (format!("{prefix}-neighbour"), format!("{prefix}-healthy"));
    admin.tenant_with_systems(&neighbour, &["web"]).await;
    let ill: Vec<(String, Fault)> = kinds.into_iter().map(|(name, fault)| (format!("{prefix}-{name}z"), fault)).collect();
    let all: Vec<String> = ill.iter().map(|(tenant, _)| tenant).chain([&twin]).cloned().collect();
    for (round, act) in LIFE.into_iter().enumerate() {
        for (tenant, fault) in &ill {
            fail_each_once(&faulty.proxy, tenant, fault.clone(), meant);
        }
        join_all(all.iter().map(|tenant| act.perform(&admin, tenant))).await;
        serves(&admin, &neighbour, 61 + round).await;
        faulty.settled(&admin, std::slice::from_ref(&neighbour)).await;
        let untouched = versions(&admin, &neighbour).await;
        sleep(super::QUIET).await;
        let worlds = faulty.settled(&admin, &all).await;
        println!("{prefix} {round}: in order {:.1?} after the last fault", faulty.proxy.last_fault().unwrap().elapsed());
        assert_eq!(unlike(&worlds, &twin), [""; 0], "{act:?}");
        assert_eq!(versions(&admin, &neighbour).await, untouched, "{act:?}: the neighbour was touched");
        faulty.proxy.disarm();
    }
    for tenant in &all {
        let writes = faulty.proxy.writes_of(tenant);
        assert!(!writes.iter().any(|asked| asked.verb.starts_with("delete")), "{tenant}: {writes:#?}");
    }
    faulty.end();
}

fn refusals(codes: &[u16]) -> Vec<(String, Fault)> {
    codes.iter().map(|code| (code.to_string(), Fault::Answer(*code))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conflict_and_a_busy_server_are_outlived() {
    outlive("busy", refusals(&[409, 429]), |_| true).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long sweep: run with --ignored"]
async fn any_refusal_is_outlived() {
    outlive("refused", refusals(&CODES), |_| true).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long sweep: run with --ignored"]
async fn a_request_that_gets_no_answer_is_outlived() {
    let meant = |kind: &str| kind.starts_with("create namespaces/") || kind.starts_with("update ");
    outlive("silent", vec![("writes".to_owned(), Fault::Silence)], meant).await;
}

async fn twenty_come_up(admin: &Person, prefix: &str) -> Duration {
    let names: Vec<String> = (0..20).map(|number| format!("{prefix}-{number}")).collect();
    let begin = Instant::now();
    join_all(names.iter().map(|name| Act::Create.perform(admin, name))).await;
    join_all(names.iter().map(|name| admin.tenant_ready(name))).await;
    begin.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_that_gets_no_answers_delays_no_other() {
    // At the same time, so that both bear what else the machine does.
    let (calm, alone) = tokio::join!(Alone::turn(), Alone::turn());
    let (calm_admin, admin) = (calm.admin().await, alone.admin().await);
    let (peaceful, faulty) = tokio::join!(Faulty::start(&calm), Faulty::start(&alone));
    let mut met = faulty.proxy.arm(Fault::Silence, 0, usize::MAX, |asked| asked.tenant == "poison" && asked.is_write());
    Act::Create.perform(&admin, "poison").await;
    met.reaches(1).await;
    let (without, with) = tokio::join!(twenty_come_up(&calm_admin, "swift"), twenty_come_up(&admin, "beside"));
    println!("20 tenants: {without:.1?} without, {with:.1?} beside a poisonous one");
    assert!(with <= without * 3 / 2 + Duration::from_millis(500), "{with:?} and not {without:?}");
    assert!(admin.look("Namespace", "", "poison").await.is_none(), "it got an answer after all");
    faulty.proxy.disarm();
    faulty.settled(&admin, &["poison".to_owned()]).await;
    faulty.end();
    peaceful.end();
}
