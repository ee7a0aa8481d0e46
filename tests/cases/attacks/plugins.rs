//! What the API server's own admission plugins write into pods, and that it is admitted. The tables have the same pods beside those
//! that write other values themselves.

use kube::api::PostParams;
use serde_json::{Value, json};

use super::{World, change::changed, table};

/// A pod as the API server would create it.
async fn admitted(world: &World, person: &str, namespace: &str, base: &str, change: Value) -> Value {
    let person = crate::cluster::Person { client: world.client(person).await };
    let pod = serde_json::from_value(changed(&table::bases(world)[base], &change)).unwrap();
    let parameters = PostParams { dry_run: true, ..PostParams::default() };
    let pod = person.api("Pod", namespace).create(&parameters, &pod).await.unwrap_or_else(|error| panic!("{change}: {error}"));
    pod.data["spec"].clone()
}

fn tolerates(pod: &Value, key: &str) -> bool {
    pod["tolerations"].as_array().unwrap().iter().any(|toleration| toleration["key"] == key)
}

#[tokio::test]
async fn what_admission_plugins_write_into_pods_is_admitted() {
    let world = World::on_shared().await;

    // DefaultTolerationSeconds, and TaintNodesByCondition's toleration of PodTolerationRestriction.
    let pod = admitted(&world, "owner", "clinic--web", "pod", json!({})).await;
    assert!(tolerates(&pod, "node.kubernetes.io/not-ready") && tolerates(&pod, "node.kubernetes.io/memory-pressure"), "{pod}");
    // RuntimeClass, alone and beside what the author wrote.
    let zone = json!({"topology.kubernetes.io/zone": "a"});
    for (own, nodes) in [(json!({}), 1), (zone, 2)] {
        let runtime = json!({"spec": {"runtimeClassName": "kata", "nodeSelector": own}});
        let pod = admitted(&world, "neighbour", "museum--shop", "shop-pod", runtime).await;
        assert!(pod["nodeSelector"]["runtime"] == "kata" && tolerates(&pod, "runtime") && pod["overhead"]["cpu"] == "100m", "{pod}");
        assert_eq!(pod["nodeSelector"].as_object().unwrap().len(), nodes, "{pod}");
    }
    // ExtendedResourceToleration.
    let device = json!({"/spec/containers/0/resources": {"limits": {"example.com/gpu": "1"}}});
    assert!(tolerates(&admitted(&world, "neighbour", "museum--shop", "shop-pod", device).await, "example.com/gpu"));
    // PodNodeSelector and PodTolerationRestriction.
    let pod = admitted(&world, "odd-owner", "oddity--odd", "pod", json!({})).await;
    assert_eq!(pod["nodeSelector"], json!({"room": "odd", "floor": "2"}));
    assert!(tolerates(&pod, "room") && tolerates(&pod, "floor"), "{pod}");
}

#[tokio::test]
async fn a_queue_of_the_platform_says_where_a_job_runs() {
    let world = World::on_shared().await;
    let admin = &world.admin;
    admin.tenant_with_systems("queues", &["web"]).await;
    admin.until("is there", "ServiceAccount", "queues--web", "default", |account| account.is_some()).await;
    let job = |name: &str| {
        let mut job = changed(&table::bases(&world)["job"], &json!({"metadata": {"name": name}, "spec": {"suspend": true}}));
        job["spec"]["template"]["spec"]["containers"][0]["image"] = "registry.example.gov.cn/base/web:1".into();
        job["spec"]["template"]["spec"]["securityContext"] = json!({"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}});
        serde_json::from_value(job).unwrap()
    };
    let owner = crate::cluster::shared().person("olga", &["queues-owners"]).await;
    let queue = crate::cluster::Person { client: world.client("queue").await };
    for name in ["nightly", "chosen"] {
        owner.api("Job", "queues--web").create(&PostParams::default(), &job(name)).await.unwrap();
    }
    let go = json!({"spec": {"suspend": false, "template": {"spec": {"nodeSelector": {"pool": "gpu"}}}}});
    let refused = owner.try_patch("Job", "queues--web", "chosen", go.clone()).await.unwrap_err();
    assert!(refused.contains("rule node-selection: spec.template.spec.nodeSelector: \"pool=gpu\""), "{refused}");
    queue.patch("Job", "queues--web", "nightly", go).await;
    let runs = |job: Option<&Value>| job.is_some_and(|job| job["status"]["active"] == 1);
    admin.until("it has its pod", "Job", "queues--web", "nightly", runs).await;
}
