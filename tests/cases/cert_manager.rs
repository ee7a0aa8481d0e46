//! A program of the platform at work in tenants' namespaces: cert-manager issues certificates for what members wrote, and the
//! guard rails are in nobody's way. It has a control plane of its own, because its kinds are the whole cluster's.

use acceptance::{CertManager, ControlPlane};
use serde_json::Value;

use crate::cluster::{Cluster, Person, find_condition};

const SPACE: &str = "notary--web";
const GROUP: &str = "cert-manager.io";

/// The CA of an agency, signed by itself, and the issuer that it is used by.
const AUTHORITY: &str = "
apiVersion: cert-manager.io/v1
kind: Issuer
metadata: {name: self-signed, namespace: notary--web}
spec: {selfSigned: {}}
---
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: {name: authority, namespace: notary--web}
spec:
  isCA: true
  commonName: notary
  secretName: authority
  privateKey: {algorithm: ECDSA, size: 256}
  issuerRef: {name: self-signed, kind: Issuer}
---
apiVersion: cert-manager.io/v1
kind: Issuer
metadata: {name: authority, namespace: notary--web}
spec: {ca: {secretName: authority}}
";

fn ingress(name: &str, host: &str) -> String {
    format!(
        "
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: {name}
  namespace: {SPACE}
  annotations: {{cert-manager.io/issuer: authority}}
spec:
  ingressClassName: public
  tls: [{{hosts: [{host}], secretName: {name}-tls}}]
  rules:
  - host: {host}
    http: {{paths: [{{path: /, pathType: Prefix, backend: {{service: {{name: web, port: {{number: 80}}}}}}}}]}}
"
    )
}

async fn until_issued(person: &Person, name: &str) {
    let issued = |object: Option<&Value>| object.is_some_and(|object| find_condition(object, "Ready")["status"] == "True");
    person.until("the certificate is issued", "Certificate", SPACE, name, issued).await;
}

#[tokio::test]
#[ignore = "builds cert-manager, which takes minutes"]
async fn cert_manager_issues_for_an_ingress_of_an_agency_while_its_members_write_and_read() {
    let cluster = Cluster::start(ControlPlane::start).await.unwrap_or_else(|error| panic!("{error:#}"));
    let admin = cluster.admin().await;
    admin.tenant_with_systems("notary", &["web"]).await;
    let manager = CertManager::start(&cluster.plane).await.unwrap_or_else(|error| panic!("{error:#}"));
    let owner = cluster.person("notary-head", &["notary-owners"]).await;
    let deployer = cluster.person("ci-notary", &[]).await;
    let auditor = cluster.person("notary-checks", &["notary-audit"]).await;

    // The kinds reach members with cert-manager's own ClusterRoles.
    owner.until_may("create", GROUP, "issuers", SPACE).await;
    auditor.until_may("watch", GROUP, "certificates", SPACE).await;
    owner.apply(AUTHORITY).await;
    until_issued(&admin, "authority").await;

    // The Ingress is the Deployer's, the Certificate for it cert-manager's.
    deployer.apply(&ingress("desk", "desk.notary.example.gov.cn")).await;
    until_issued(&auditor, "desk-tls").await;
    let secret = admin.get("Secret", SPACE, "desk-tls").await;
    assert_eq!(secret["type"], "kubernetes.io/tls");
    for key in ["tls.crt", "tls.key", "ca.crt"] {
        assert!(secret["data"][key].as_str().is_some_and(|value| !value.is_empty()), "{key} is missing");
    }
    let certificate = auditor.get("Certificate", SPACE, "desk-tls").await;
    assert_eq!(certificate["metadata"]["ownerReferences"][0]["kind"], "Ingress");

    // It renews what somebody deleted.
    admin.delete("Secret", SPACE, "desk-tls").await;
    let anew = |object: Option<&Value>| object.is_some_and(|object| object["metadata"]["uid"] != secret["metadata"]["uid"]);
    admin.until("the Secret is written anew", "Secret", SPACE, "desk-tls", anew).await;

    // Nobody gets a certificate by an Ingress for a host of others, nor do auditors write.
    let refused = deployer.try_apply(&ingress("fake", "desk.museum.example.gov.cn")).await.unwrap_err();
    assert!(refused.contains("govcloud-ingresses"), "{refused}");
    let refused = auditor.try_apply(AUTHORITY).await.unwrap_err();
    assert!(refused.contains("is forbidden"), "{refused}");

    admin.system_ready("notary", "web").await;
    let logged = manager.logged();
    assert!(!logged.contains("forbidden") && !logged.contains("ValidatingAdmissionPolicy"), "{logged}");
}
