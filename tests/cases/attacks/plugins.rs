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
