//! What is too large to be judged is refused, and what is just not too large is judged: a policy in CEL has a budget, and beyond it
//! the API server refuses with words that nobody understands.

use serde_json::{Value, json};

use super::{Row, World, table};

/// Network policies, bindings and annotations up to the greatest size, and one more.
pub fn rows(world: &World) -> Vec<Row> {
    let bases = table::bases(world);
    let network = |way: &str, rules: Value| {
        let mut policy = bases["netpol"].clone();
        policy["spec"] = json!({"podSelector": {}, "policyTypes": [if way == "ingress" { "Ingress" } else { "Egress" }], way: rules});
        policy
    };
    let peers = |count: usize| network("ingress", vec![json!({"from": [{"podSelector": {}}]}); count].into());
    let ranges = |count: usize| {
        let blocks: Vec<_> = (0..count).map(|number| json!({"ipBlock": {"cidr": format!("203.0.113.{number}/32")}})).collect();
        network("egress", json!([{"to": blocks, "ports": [{"port": 443}, {"port": 8443}]}]))
    };
    let servers = |count: usize| {
        let named = json!({"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}});
        let server = json!({"namespaceSelector": named, "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}}});
        let ports = vec![json!({"port": 53, "protocol": "UDP"}); 64];
        network("egress", json!([{"to": vec![server; count], "ports": ports}]))
    };
    let subjects = |count: usize, user: &str| {
        let mut binding = bases["binding"].clone();
        binding["subjects"] = vec![json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}); count].into();
        binding
    };
    let marks = |count: usize, prefix: &str| {
        let mut object = bases["configmap"].clone();
        object["metadata"]["annotations"] = (0..count).map(|number| (format!("{prefix}/{number}"), json!("x"))).collect();
        object
    };
    let too_many = Some(("networkpolicies", "network-size"));
    let rows = [
        ("64 rules", peers(64), None),
        ("65 rules", peers(65), too_many),
        ("128 ranges", ranges(128), None),
        ("129 ranges", ranges(129), too_many),
        ("128 peers of the platform", servers(128), None),
        ("129 peers of the platform", servers(129), too_many),
        ("500 members bound", subjects(500, "ci-clinic"), None),
        ("500 strangers bound", subjects(500, "eve"), Some(("bindings", "bindings-subject"))),
        ("1000 annotations", marks(1000, "example.com"), None),
        ("1000 marks", marks(1000, "govcloud.io"), Some(("marks", "marks"))),
    ];
    rows.into_iter().map(|(name, base, denied)| Row::creation(format!("sizes: {name}"), base, "29 A", denied)).collect()
}
