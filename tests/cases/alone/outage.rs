//! The API server is gone, or there and silent, and comes back. Whoever leads cannot keep its lease then: it ends, and is started
//! again, as whatever supervises it would do.

use std::{
    fs,
    time::{Duration, Instant},
};

use acceptance::Operator;
use serde_json::json;
use tokio::time::sleep;

use super::{Alone, PATIENCE, gate::Gate, lines_of_log, process::Process, start_on, until_readyz};
use crate::cluster::Person;

const UNREADY_WITHIN: Duration = Duration::from_secs(30);
/// The deadline of a renewal, and a little more.
const ENDS_WITHIN: Duration = Duration::from_secs(10);

async fn hand_out(admin: &Person, tenant: &str, pods: u32) {
    admin.patch("HostedSystem", tenant, "web", json!({"spec": {"resources": {"guaranteed": {"pods": pods}}}})).await;
}

async fn until_handed_out(admin: &Person, tenant: &str, pods: &str) {
    let namespace = format!("{tenant}--web");
    admin
        .until("the share is served", "ResourceQuota", &namespace, "govcloud-quota", |quota| {
            quota.is_some_and(|quota| quota["spec"]["hard"]["pods"] == pods)
        })
        .await;
    admin.system_ready(tenant, "web").await;
}

/// The leader ends, not with 0, and its log says why; then it is started again.
async fn ends_and_is_started_again(operator: &mut Operator) {
    let status = operator.ended(ENDS_WITHIN).await.unwrap();
    assert_eq!(status.code(), Some(1));
    let log = fs::read_to_string(operator.log()).unwrap();
    assert!(log.contains("lease govcloud-system/govcloud-operator was not renewed within 7 s: the API server did not answer"), "{log}");
    operator.again().unwrap();
    until_alive(operator).await;
    until_readyz(operator, 503, UNREADY_WITHIN).await;
}

async fn until_alive(operator: &Operator) {
    let begin = Instant::now();
    while operator.get("/livez").await.is_err() {
        assert!(begin.elapsed() < PATIENCE, "it does not start");
        sleep(Duration::from_millis(20)).await;
    }
}

/// Alive, not ready and calm for ten seconds.
async fn bears_it(operator: &mut Operator) {
    let process = Process::operator(operator).unwrap();
    let (lines, used) = (lines_of_log(operator), process.used());
    for _ in 0..10 {
        assert_eq!(operator.get("/livez").await.unwrap(), (200, "ok".to_owned()));
        let (code, complaint) = operator.get("/readyz").await.unwrap();
        assert_eq!(code, 503, "{complaint}");
        sleep(Duration::from_secs(1)).await;
    }
    assert!(operator.is_running());
    let (lines, used) = (lines_of_log(operator) - lines, process.used() - used);
    assert!(lines < 100, "{lines} lines of log in 10 s");
    assert!(used < 100, "{used} hundredths of a second of processor time in 10 s");
}

#[tokio::test]
async fn an_api_server_that_is_gone_is_waited_for() {
    let alone = Alone::turn().await;
    let (mut gate, plane) = Gate::before(alone.plane).await;
    let mut operator = start_on(&plane, alone.program).await;
    let admin = alone.admin().await;
    admin.tenant_with_systems("gone", &["web"]).await;

    gate.shut().await;
    let complaint = until_readyz(&operator, 503, UNREADY_WITHIN).await;
    assert!(complaint.contains(": ") && complaint.to_lowercase().contains("connect"), "{complaint}");
    hand_out(&admin, "gone", 61).await;
    ends_and_is_started_again(&mut operator).await;
    bears_it(&mut operator).await;
    let quota = admin.get("ResourceQuota", "gone--web", "govcloud-quota").await;
    assert_eq!(quota["spec"]["hard"]["pods"], "60", "the operator has another way to the API server");

    gate.open().await;
    until_readyz(&operator, 200, PATIENCE).await;
    until_handed_out(&admin, "gone", "61").await;
    operator.stop().await.unwrap();
}

#[tokio::test]
async fn an_api_server_that_does_not_answer_is_waited_for() {
    let alone = Alone::turn().await;
    let mut operator = alone.start().await;
    let admin = alone.admin().await;
    admin.tenant_with_systems("silent", &["web"]).await;

    let halted = Process::component(alone.plane, "kube-apiserver").unwrap().halt();
    let complaint = until_readyz(&operator, 503, UNREADY_WITHIN).await;
    let silence = ["answer", "timed out", "deadline"];
    assert!(silence.iter().any(|word| complaint.contains(word)), "{complaint}");
    ends_and_is_started_again(&mut operator).await;
    bears_it(&mut operator).await;

    drop(halted);
    until_readyz(&operator, 200, PATIENCE).await;
    hand_out(&admin, "silent", 61).await;
    until_handed_out(&admin, "silent", "61").await;
    operator.stop().await.unwrap();
}
