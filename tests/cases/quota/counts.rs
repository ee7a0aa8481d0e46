//! Counts of objects: generous by default, raised by the contract, refused in words beyond.

use govcloud_core::api::objects::OBJECT_CAPS;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use crate::cluster::{Person, admin, shared, system_yaml, tenant_yaml};

/// The ordinary tenant with these fields beside the others, and a system `web` in it.
async fn tenant_with(name: &str, fields: &str) {
    let admin = admin().await;
    admin.apply(&format!("{}{fields}", tenant_yaml(name))).await;
    admin.tenant_ready(name).await;
    admin.apply(&system_yaml(name, "web")).await;
    admin.system_ready(name, "web").await;
}

async fn service(person: &Person, namespace: &str, name: &str, spec: Value) -> Result<Value, String> {
    let object = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec});
    let object = serde_json::from_value(object).unwrap();
    let created = person.api("Service", namespace).create(&PostParams::default(), &object).await;
    created.map(|service| serde_json::to_value(service).unwrap()).map_err(|error| error.to_string())
}

/// A Service with so many ports.
fn with_ports(kind: &str, ports: u16) -> Value {
    let ports: Vec<_> = (0..ports).map(|number| json!({"name": format!("p{number}"), "port": 8000 + number})).collect();
    json!({"type": kind, "selector": {"app": "web"}, "ports": ports})
}

async fn hard(namespace: &str) -> Value {
    admin().await.get("ResourceQuota", namespace, "govcloud-quota").await["spec"]["hard"].clone()
}

#[tokio::test]
async fn a_system_of_more_than_sixty_services_fits_and_more_are_counted() {
    tenant_with("microservices", "").await;
    let deployer = shared().person("ci-microservices", &[]).await;
    for number in 0..61 {
        service(&deployer, "microservices--web", &format!("service-{number}"), with_ports("ClusterIP", 1)).await.unwrap();
    }
    let hard = hard("microservices--web").await;
    for cap in OBJECT_CAPS.iter().filter(|cap| !["nodeports", "loadbalancers"].contains(&cap.name)) {
        assert_eq!(hard[cap.key], cap.default.to_string(), "{}", cap.name);
    }
}

#[tokio::test]
async fn what_the_contract_raises_is_raised_in_each_of_its_namespaces_and_nothing_else_is() {
    let admin = admin().await;
    tenant_with("raised", "  objects: {roles: 101, services: 201}\n").await;
    let hard = hard("raised--web").await;
    assert_eq!((&hard["services"], &hard["count/roles.rbac.authorization.k8s.io"]), (&json!("201"), &json!("101")));
    assert_eq!(hard["configmaps"], "500");
    admin.patch("AgencyTenant", "", "raised", json!({"spec": {"objects": {"roles": 150, "services": null}}})).await;
    let lowered = |quota: Option<&Value>| quota.is_some_and(|quota| quota["spec"]["hard"]["services"] == "200");
    let quota = admin.until("is lowered again", "ResourceQuota", "raised--web", "govcloud-quota", lowered).await.unwrap();
    assert_eq!(quota["spec"]["hard"]["count/roles.rbac.authorization.k8s.io"], "150");
}

#[tokio::test]
async fn a_load_balancer_of_the_contract_needs_no_further_type_whatever_ports_it_has() {
    let types = "allow: {storageClasses: [standard], serviceTypes: [ClusterIP, LoadBalancer]}";
    let admin = admin().await;
    let yaml = tenant_yaml("balanced").replace("allow: {storageClasses: [standard], ingressClasses: [public]}", types);
    assert!(yaml.contains(types));
    admin.apply(&format!("{yaml}  objects: {{loadbalancers: 70}}\n")).await;
    admin.tenant_ready("balanced").await;
    admin.apply(&system_yaml("balanced", "web")).await;
    admin.system_ready("balanced", "web").await;
    let hard = hard("balanced--web").await;
    assert_eq!((&hard["services.loadbalancers"], &hard["services.nodeports"]), (&json!("70"), &json!("70")));

    let deployer = shared().person("ci-balanced", &[]).await;
    let lean = |mut spec: Value| {
        spec["allocateLoadBalancerNodePorts"] = json!(false);
        spec
    };
    for (name, spec) in
        [("one", with_ports("LoadBalancer", 1)), ("many", with_ports("LoadBalancer", 8)), ("lean", lean(with_ports("LoadBalancer", 8)))]
    {
        let made = service(&deployer, "balanced--web", name, spec).await.unwrap();
        assert_eq!(made["spec"]["ports"][0]["nodePort"].is_number(), name != "lean", "{made}");
    }
    let counted = |quota: Option<&Value>| {
        quota.is_some_and(|quota| {
            quota["status"]["used"]["services.loadbalancers"] == "3" && quota["status"]["used"]["services.nodeports"] == "9"
        })
    };
    admin.until("all are counted", "ResourceQuota", "balanced--web", "govcloud-quota", counted).await;

    let refused = service(&deployer, "balanced--web", "port", with_ports("NodePort", 1)).await.unwrap_err();
    assert!(refused.contains("rule service-types") && refused.contains("allowed: ClusterIP, LoadBalancer"), "{refused}");
    let patch = Patch::Merge(json!({"spec": {"type": "NodePort"}}));
    let refused = deployer.api("Service", "balanced--web").patch("one", &PatchParams::default(), &patch).await.unwrap_err().to_string();
    assert!(refused.contains("rule service-types"), "{refused}");
}

#[tokio::test]
async fn neither_a_load_balancer_nor_a_node_port_comes_without_the_contract() {
    tenant_with("unbalanced", "").await;
    let deployer = shared().person("ci-unbalanced", &[]).await;
    service(&deployer, "unbalanced--web", "inside", with_ports("ClusterIP", 3)).await.unwrap();
    for kind in ["LoadBalancer", "NodePort"] {
        let refused = service(&deployer, "unbalanced--web", "outside", with_ports(kind, 1)).await.unwrap_err();
        assert!(refused.contains("rule service-types") && refused.contains("spec.allow.serviceTypes"), "{refused}");
    }
    let hard = hard("unbalanced--web").await;
    assert_eq!((&hard["services.loadbalancers"], &hard["services.nodeports"]), (&json!("0"), &json!("0")));
}
