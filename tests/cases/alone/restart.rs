//! The operator idles, ends, is killed and starts again.

use std::time::{Duration, Instant};

use futures::future::join_all;
use serde_json::json;
use tokio::time::sleep;

use super::Alone;
use crate::cluster::{Person, find_condition};

/// Longest time that ending by itself may take.
const STOPS_WITHIN: Duration = Duration::from_secs(5);
const SYSTEMS: [&str; 2] = ["db", "web"];

#[tokio::test]
async fn a_quiet_cloud_is_silent_also_after_a_restart() {
    let alone = Alone::turn().await;
    let operator = alone.start().await;
    let admin = alone.admin().await;
    tokio::join!(admin.tenant_with_systems("quiet", &SYSTEMS), admin.tenant_with_systems("silence", &SYSTEMS));
    alone.settled().await;
    let position = alone.position();
    sleep(Duration::from_mins(1)).await;
    assert_eq!(alone.writes_since(position), [""; 0]);

    let position = alone.position();
    admin.patch("HostedSystem", "quiet", "web", json!({"spec": {"resources": {"guaranteed": {"pods": 61}}}})).await;
    admin.system_ready("quiet", "web").await;
    alone.settled().await;
    let mut writes = alone.writes_since(position);
    writes.sort();
    writes.dedup();
    let expected =
        ["update agencytenants/status quiet", "update hostedsystems/status quiet/web", "update resourcequotas quiet--web/govcloud-quota"];
    assert_eq!(writes, expected);

    let position = alone.position();
    operator.stop().await.unwrap();
    let operator = alone.start().await;
    sleep(Duration::from_secs(10)).await;
    assert_eq!(alone.writes_since(position), [""; 0]);
    assert!(!alone.requests_since(position).is_empty(), "the operator's account has another name");
    operator.stop().await.unwrap();
}

/// Ten tenants with two systems each; every answer waits for the operator, so this goes on while there is none.
async fn ten_tenants(admin: &Person, prefix: &str) {
    let names: Vec<_> = (0..10).map(|number| format!("{prefix}-{number}")).collect();
    join_all(names.iter().map(|name| admin.tenant_with_systems(name, &SYSTEMS))).await;
}

async fn until_namespace(admin: &Person, name: &str) {
    admin.until("it is there", "Namespace", "", name, |namespace| namespace.is_some()).await;
}

/// Systems of these tenants that are ready.
async fn ready_systems(admin: &Person, prefix: &str) -> usize {
    let systems = admin.api("HostedSystem", "").list(&Default::default()).await.unwrap();
    let systems = systems.items.into_iter().map(|object| serde_json::to_value(object).unwrap());
    let ours = systems.filter(|object| object["metadata"]["namespace"].as_str().unwrap().starts_with(prefix));
    ours.filter(|object| find_condition(object, "Ready")["status"] == "True").count()
}

/// Each namespace has each child once, and everything is ready.
async fn is_whole(admin: &Person, prefix: &str) {
    assert_eq!(ready_systems(admin, prefix).await, 20);
    let namespaces = admin.names("Namespace", "").await;
    let namespaces: Vec<_> = namespaces.iter().filter(|name| name.starts_with(prefix)).collect();
    assert_eq!(namespaces.len(), 30);
    for namespace in namespaces {
        for (kind, name) in
            [("ResourceQuota", "govcloud-quota"), ("NetworkPolicy", "govcloud-isolation"), ("LimitRange", "govcloud-defaults")]
        {
            assert_eq!(admin.names(kind, namespace).await, [name], "{namespace}");
        }
        let pipelines = usize::from(!namespace.contains("--")); // of the systems, at home
        assert_eq!(admin.names("RoleBinding", namespace).await.len(), 3 + pipelines, "{namespace}");
    }
}

#[tokio::test]
async fn told_to_stop_it_ends_by_itself_in_the_middle_of_its_work() {
    let alone = Alone::turn().await;
    let operator = alone.start().await;
    let admin = alone.admin().await;
    let interrupt = async {
        until_namespace(&admin, "stopped-3").await;
        let begin = Instant::now();
        operator.stop().await.unwrap();
        assert!(begin.elapsed() < STOPS_WITHIN, "it took {:?} to stop", begin.elapsed());
        assert!(ready_systems(&admin, "stopped-").await < 20);
        alone.start().await
    };
    let (operator, ()) = tokio::join!(interrupt, ten_tenants(&admin, "stopped"));
    is_whole(&admin, "stopped-").await;
    let begin = Instant::now();
    operator.stop().await.unwrap();
    assert!(begin.elapsed() < STOPS_WITHIN, "it took {:?} to stop while idle", begin.elapsed());
}

#[tokio::test]
async fn killed_in_the_middle_of_its_work_it_takes_up_where_it_was() {
    let alone = Alone::turn().await;
    let mut operator = alone.start().await;
    let admin = alone.admin().await;
    let interrupt = async {
        for namespace in ["crashed-3", "crashed-5--web"] {
            until_namespace(&admin, namespace).await;
            operator.kill().unwrap();
            assert!(ready_systems(&admin, "crashed-").await < 20, "everything was there before {namespace} was seen");
            operator = alone.start_after_kill().await;
        }
        operator
    };
    let (operator, ()) = tokio::join!(interrupt, ten_tenants(&admin, "crashed"));
    is_whole(&admin, "crashed-").await;
    operator.stop().await.unwrap();
}
