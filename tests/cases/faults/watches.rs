//! Watches that are refused, end, or stall.

use std::{collections::BTreeSet, time::Duration};

use acceptance::proxy::{End, Fault};
use tokio::time::sleep;

use super::{
    Faulty,
    steps::Act,
    world::{unlike, versions},
};
use crate::{alone::Alone, cluster::Person};

const CHANGE: Act = Act::Tenant(r#"{"spec": {"podSecurity": "baseline", "network": {"betweenSystems": "Allow"}}}"#);

/// A tenant is created, declares systems as soon as it can, and is changed.
async fn live(admin: &Person, tenant: &str) {
    Act::Create.perform(admin, tenant).await;
    admin.tenant_ready(tenant).await;
    Act::Declare(&["db", "web"]).perform(admin, tenant).await;
    admin.system_ready(tenant, "web").await;
    CHANGE.perform(admin, tenant).await;
}

/// One tenant lives in peace, then another one while the watches are dealt with; nobody can tell which is which.
async fn live_beside(alone: &Alone, prefix: &str, deal: impl AsyncFn(&Faulty)) {
    let admin = alone.admin().await;
    let faulty = Faulty::start(alone).await;
    let (peaceful, troubled) = (format!("{prefix}-peacefulz"), format!("{prefix}-troubledz"));
    live(&admin, &peaceful).await;
    faulty.settled(&admin, std::slice::from_ref(&peaceful)).await;
    let untouched = versions(&admin, &peaceful).await;
    tokio::join!(deal(&faulty), live(&admin, &troubled));
    let worlds = faulty.settled(&admin, &[peaceful.clone(), troubled.clone()]).await;
    println!("{prefix}: in order {:.1?} after the last fault", faulty.proxy.last_fault().unwrap().elapsed());
    assert_eq!(unlike(&worlds, &peaceful), [""; 0]);
    assert_eq!(versions(&admin, &peaceful).await, untouched, "the other tenant was touched");
    let writes = faulty.proxy.writes_of(&troubled);
    assert!(writes.iter().all(|asked| !asked.verb.starts_with("delete")), "{writes:#?}");
    faulty.end();
}

async fn end_each_second(faulty: &Faulty, how: End) {
    for _ in 0..5 {
        faulty.proxy.end_watches(how);
        sleep(Duration::from_secs(1)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn watches_that_are_cut_are_taken_up_again() {
    let alone = Alone::turn().await;
    live_beside(&alone, "cut", async |faulty| end_each_second(faulty, End::Cut).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn watches_whose_version_is_too_old_list_anew() {
    let alone = Alone::turn().await;
    live_beside(&alone, "expired", async |faulty| end_each_second(faulty, End::Gone).await).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long sweep: run with --ignored"]
async fn watches_that_stall_are_waited_for() {
    let alone = Alone::turn().await;
    let stall = async |faulty: &Faulty| {
        faulty.proxy.stall_watches(true);
        sleep(Duration::from_secs(20)).await;
        faulty.proxy.stall_watches(false);
    };
    live_beside(&alone, "stalled", stall).await;
}

/// Starts an operator whose first list and first watch of each resource fail, and sees that it serves.
async fn starts_in_spite_of(alone: &Alone, admin: &Person, tenant: &str, fault: Fault, verbs: &'static [&'static str]) {
    let mut seen = BTreeSet::new();
    let meant =
        move |asked: &acceptance::proxy::Asked| verbs.contains(&asked.verb) && seen.insert(format!("{} {}", asked.verb, asked.resource));
    let faulty = Faulty::start_with(alone, alone.program, |proxy| drop(proxy.arm(fault, 0, usize::MAX, meant))).await;
    Act::Create.perform(admin, tenant).await;
    faulty.settled(admin, &[tenant.to_owned()]).await;
    faulty.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_and_watches_that_are_refused_are_asked_for_again() {
    let alone = Alone::turn().await;
    let admin = alone.admin().await;
    for code in [409, 410, 422, 429, 500, 503, 504] {
        starts_in_spite_of(&alone, &admin, &format!("unlisted-{code}"), Fault::Answer(code), &["list", "watch"]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_gets_no_answer_is_asked_for_again() {
    let alone = Alone::turn().await;
    let admin = alone.admin().await;
    starts_in_spite_of(&alone, &admin, "unanswered", Fault::Silence, &["list"]).await;
}
