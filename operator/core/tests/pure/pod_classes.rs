//! What the guard rails are told of the cluster's classes, and of pools of nodes.

use std::sync::Arc;

use govcloud_core::{
    model::{
        pod_classes::{PodClasses, default_value, scheduling},
        snapshot::Snapshot,
    },
    plan::spec_diff::difference,
};
use serde_json::{Value, json};

use crate::world::{decide, snapshot, system, tenant};

const TENANT: &str = "
metadata: {name: health}
spec:
  displayName: 卫生健康委员会
  responsibleUnit: 信息中心
  quota: {requests.cpu: '40', requests.memory: 160Gi, limits.cpu: '80', limits.memory: 320Gi, pods: '400'}
  allow: {runtimeClasses: [kata, absent], nodePools: [pool=gpu, edge=]}
";

const SYSTEM: &str = "
metadata: {name: web, namespace: health}
spec: {displayName: 预约挂号, sector: Health, protectionLevel: 3}
";

fn annotations(seen: &Snapshot) -> Vec<Value> {
    let (plan, _) = decide(seen);
    let namespaces = plan.namespaces.iter().flat_map(|space| &space.desired).filter(|child| child.kind.kind == "Namespace");
    namespaces.map(|namespace| namespace.object["metadata"]["annotations"].clone()).collect()
}

fn classes() -> PodClasses {
    let toleration = json!({"key": "runtime", "value": "kata", "effect": "NoSchedule"});
    let kata =
        json!({"scheduling": {"nodeSelector": {"runtime": "kata", "zone": "a"}, "tolerations": [toleration, {"operator": "Exists"}]}});
    let others = json!({"scheduling": {"nodeSelector": {"runtime": "others"}}});
    PodClasses {
        default_priorities: [("upper".to_owned(), 2000), ("lower".to_owned(), -5)].into(),
        runtimes: [("kata".to_owned(), scheduling(&kata)), ("others".to_owned(), scheduling(&others))].into(),
    }
}

#[test]
fn namespaces_tell_the_default_priority_and_what_granted_runtimes_bring() {
    let mut seen = snapshot(tenant(TENANT), vec![system(SYSTEM)]);
    for annotations in annotations(&seen) {
        assert_eq!(annotations["govcloud.io/node-pools"], "pool=gpu,edge=");
        assert_eq!(annotations["govcloud.io/default-priority-class"], Value::Null);
        assert_eq!(annotations["govcloud.io/runtime-class-nodes"], Value::Null);
    }
    seen.pod_classes = Arc::new(classes());
    for annotations in annotations(&seen) {
        assert_eq!(annotations["govcloud.io/default-priority-class"], "lower", "as the API server chooses of several");
        assert_eq!(annotations["govcloud.io/runtime-class-nodes"], "kata runtime=kata,kata zone=a");
        assert_eq!(annotations["govcloud.io/runtime-class-tolerations"], "kata runtime Equal kata NoSchedule,kata  Exists  ");
    }
}

#[test]
fn a_class_is_read_as_the_api_server_serves_it() {
    assert_eq!(default_value(&json!({"value": 7, "globalDefault": true})), Some(7));
    assert_eq!(default_value(&json!({"value": 7})), None);
    assert_eq!(scheduling(&json!({"handler": "runc"})), scheduling(&json!({})));
}

#[test]
fn a_pool_that_is_asked_for_is_told_to_whoever_decides() {
    let [without, with] = ["allow: {}", "allow: {nodePools: [pool=gpu]}"].map(|allow| {
        let spec = TENANT.replace("allow: {runtimeClasses: [kata, absent], nodePools: [pool=gpu, edge=]}", allow);
        tenant(&spec).spec.unwrap()
    });
    assert_eq!(difference(Some(&without), &with), ["allow.nodePools: pool=gpu is added"]);
    assert_eq!(difference(Some(&with), &without), ["allow.nodePools: pool=gpu is removed"]);
}
