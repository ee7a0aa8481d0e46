//! Where the API server is may change, and may be hidden from the operator.

use acceptance::Operator;
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use kube::Api;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::{ACCOUNT, Alone, PATIENCE};
use crate::cluster::{Person, system_yaml, tenant_yaml};

const POLICY: &str = "govcloud-isolation";

/// The addresses behind the Service, as the API servers of a cluster write them.
fn slice(address: &str) -> String {
    format!(
        "{{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {{name: kubernetes, namespace: default, \
         labels: {{kubernetes.io/service-name: kubernetes}}}}, addressType: IPv4, \
         endpoints: [{{addresses: [{address}]}}], ports: [{{name: https, port: 6443, protocol: TCP}}]}}"
    )
}

async fn agency(admin: &Person, name: &str, reaches: &str) {
    admin.apply(&format!("{}  network: {{kubernetesAPI: {reaches}}}\n", tenant_yaml(name))).await;
    admin.tenant_ready(name).await;
    admin.apply(&system_yaml(name, "web")).await;
    admin.system_ready(name, "web").await;
}

/// The ways out by address, which is what the API server is reached by.
fn ways(policy: &Value) -> Vec<String> {
    let rules = policy["spec"]["egress"].as_array().into_iter().flatten();
    let blocks = rules.flat_map(|rule| {
        let port = rule["ports"][0]["port"].clone();
        let peers = rule["to"].as_array().into_iter().flatten();
        peers.filter_map(|peer| Some(peer["ipBlock"]["cidr"].as_str()?.to_owned())).map(move |cidr| format!("{cidr}:{port}"))
    });
    blocks.collect()
}

async fn until_ways(admin: &Person, namespace: &str, wanted: &[&str]) {
    admin
        .until("the ways to the API server", "NetworkPolicy", namespace, POLICY, |policy| {
            policy.is_some_and(|policy| ways(policy) == wanted)
        })
        .await;
}

/// Takes away or gives back that the operator may see the addresses, and waits until the API server knows it.
async fn let_see(alone: &Alone, admin: &Person, may: bool) {
    if may {
        alone.give_back().await;
    } else {
        let mut rules = admin.get("ClusterRole", "", "govcloud-operator").await["rules"].clone();
        rules.as_array_mut().unwrap().retain(|rule| rule["resources"] != json!(["endpointslices"]));
        admin.patch("ClusterRole", "", "govcloud-operator", json!({"rules": rules})).await;
    }
    let text = |text: &str| Some(text.to_owned());
    let attributes = ResourceAttributes {
        group: text("discovery.k8s.io"),
        resource: text("endpointslices"),
        namespace: text("default"),
        name: text("kubernetes"),
        verb: text("list"),
        ..ResourceAttributes::default()
    };
    let spec = SubjectAccessReviewSpec { user: text(ACCOUNT), resource_attributes: Some(attributes), ..SubjectAccessReviewSpec::default() };
    let review = SubjectAccessReview { spec, ..SubjectAccessReview::default() };
    let reviews: Api<SubjectAccessReview> = Api::all(admin.client.clone());
    let begin = Instant::now();
    while reviews.create(&Default::default(), &review).await.unwrap().status.unwrap().allowed != may {
        assert!(begin.elapsed() < PATIENCE, "the API server does not see the changed role");
        sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn another_address_reaches_every_agency_that_may_call_it_and_no_other() {
    let alone = Alone::turn().await;
    let operator = alone.start().await;
    let admin = alone.admin().await;
    let service = "10.96.0.1/32:443";
    for (name, reaches) in [("calling", "Allow"), ("calling-too", "Allow"), ("silent", "Deny")] {
        agency(&admin, name, reaches).await;
    }
    until_ways(&admin, "calling--web", &[service]).await;
    let silent = admin.get("NetworkPolicy", "silent--web", POLICY).await;
    assert_eq!(ways(&silent), [""; 0]);
    for server in ["192.0.2.10", "192.0.2.11"] {
        admin.apply(&slice(server)).await;
        for namespace in ["calling--web", "calling-too--web"] {
            until_ways(&admin, namespace, &[service, &format!("{server}/32:6443")]).await;
        }
    }
    assert_eq!(
        admin.get("NetworkPolicy", "silent--web", POLICY).await["metadata"]["resourceVersion"],
        silent["metadata"]["resourceVersion"]
    );
    assert_eq!(
        admin.get("Namespace", "", "calling--web").await["metadata"]["annotations"]["govcloud.io/kubernetes-api"],
        "10.96.0.1/32=443/TCP,192.0.2.11/32=6443/TCP"
    );

    // An Owner opens the same again, and no more.
    let owner = Person { client: alone.plane.client_as("wang", &["calling-owners"]).await.unwrap() };
    let policy = |port: u16| {
        format!(
            "{{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {{name: leader, namespace: calling--web}}, spec: {{podSelector: {{}}, \
             policyTypes: [Egress], egress: [{{to: [{{ipBlock: {{cidr: 192.0.2.11/32}}}}], ports: [{{port: {port}}}]}}]}}}}"
        )
    };
    owner.apply(&policy(6443)).await;
    let refused = owner.try_apply(&policy(10250)).await.unwrap_err();
    assert!(refused.contains("rule network-range") && refused.contains("192.0.2.11/32=6443/TCP"), "{refused}");

    // What is deleted comes back in a moment; nobody is cut off until then.
    let before = admin.get("NetworkPolicy", "calling--web", POLICY).await;
    admin.delete("EndpointSlice", "default", "kubernetes").await;
    alone.settled().await;
    assert_eq!(
        admin.get("NetworkPolicy", "calling--web", POLICY).await["metadata"]["resourceVersion"],
        before["metadata"]["resourceVersion"]
    );
    operator.stop().await.unwrap();
}

#[tokio::test]
async fn an_operator_that_may_not_see_the_addresses_keeps_the_way_and_repairs_the_rest() {
    let alone = Alone::turn().await;
    let operator = alone.start().await;
    let admin = alone.admin().await;
    for (name, reaches) in [("hidden", "Allow"), ("beside-hidden", "Deny")] {
        agency(&admin, name, reaches).await;
    }
    let before = admin.get("NetworkPolicy", "hidden--web", POLICY).await;
    assert_eq!(ways(&before), ["10.96.0.1/32:443"]);
    operator.stop().await.unwrap();

    let_see(&alone, &admin, false).await;
    let operator = Operator::launch(alone.plane, alone.program).await.unwrap();
    let message = admin.until_condition("HostedSystem", "hidden", "web", "Provisioned", "False", "Forbidden").await;
    assert!(message.contains("Service and EndpointSlice kubernetes"), "{message}");
    assert_eq!(admin.get("NetworkPolicy", "hidden--web", POLICY).await["spec"], before["spec"]);
    // What a stranger changes is repaired, and what is gone comes back with the way.
    admin.patch("NetworkPolicy", "hidden--web", POLICY, json!({"spec": {"ingress": [{}]}})).await;
    let as_before = |policy: Option<&Value>| policy.is_some_and(|policy| policy["spec"] == before["spec"]);
    admin.until("it is repaired", "NetworkPolicy", "hidden--web", POLICY, as_before).await;
    admin.delete("NetworkPolicy", "hidden--web", POLICY).await;
    admin.until("it is back", "NetworkPolicy", "hidden--web", POLICY, as_before).await;
    // Another agency is served as ever, and this one can still be closed.
    admin.apply(&system_yaml("beside-hidden", "second")).await;
    admin.system_ready("beside-hidden", "second").await;
    admin.patch("HostedSystem", "hidden", "web", json!({"spec": {"stage": "Suspended"}})).await;
    until_ways(&admin, "hidden--web", &[]).await;
    admin.patch("HostedSystem", "hidden", "web", json!({"spec": {"stage": "Running"}})).await;
    until_ways(&admin, "hidden--web", &["10.96.0.1/32:443"]).await;

    let_see(&alone, &admin, true).await;
    admin.system_ready("hidden", "web").await;
    until_ways(&admin, "hidden--web", &["10.96.0.1/32:443"]).await;
    operator.stop().await.unwrap();
}
