//! A verb on a resource is missing in the operator's `ClusterRole`.

use std::{
    fs,
    time::{Duration, Instant, SystemTime},
};

use acceptance::Operator;
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use kube::Api;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::sleep,
};

use super::{ACCOUNT, Alone, PATIENCE, gate::Gate, start_on, until_readyz};
use crate::cluster::{Person, tenant_yaml};

const ROLE: &str = "govcloud-operator";

impl Alone {
    /// Takes verbs on a resource from the operator.
    pub(super) async fn take_away(&self, admin: &Person, group: &str, resource: &str, verbs: &[&str]) {
        let mut rules = admin.get("ClusterRole", "", ROLE).await["rules"].clone();
        for rule in rules.as_array_mut().unwrap().iter_mut().filter(|rule| rule["resources"] == json!([resource])) {
            rule["verbs"].as_array_mut().unwrap().retain(|verb| !verbs.contains(&verb.as_str().unwrap()));
        }
        admin.patch("ClusterRole", "", ROLE, json!({"rules": rules})).await;
        until_allowed(admin, group, resource, verbs, false).await;
    }

    /// Gives the operator the role that ships.
    pub(super) async fn give_back(&self) {
        Operator::install(self.plane).await.unwrap();
    }

    /// Waits until the operator that is starting names this on `/readyz`.
    async fn complaint(&self, about: &str) -> String {
        let begin = Instant::now();
        loop {
            match readyz(&self.youngest()).await {
                Ok(answer) if answer.contains(about) => return answer,
                last => assert!(begin.elapsed() < PATIENCE, "/readyz does not name {about}: {last:?}"),
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// Port of the operator that was started last; the harness names its log by it.
    fn youngest(&self) -> String {
        let logs = fs::read_dir(self.plane.directory()).unwrap().flatten().filter_map(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            let port = name.strip_prefix("operator-")?.strip_suffix(".log")?.to_owned();
            Some((entry.metadata().and_then(|metadata| metadata.modified()).unwrap_or(SystemTime::UNIX_EPOCH), port))
        });
        logs.max().unwrap().1
    }
}

async fn readyz(port: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(format!("127.0.0.1:{port}")).await?;
    stream.write_all(b"GET /readyz HTTP/1.0\r\n\r\n").await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

/// The API server takes a moment to see a changed role.
async fn until_allowed(admin: &Person, group: &str, resource: &str, verbs: &[&str], wanted: bool) {
    let begin = Instant::now();
    for verb in verbs {
        while is_allowed(admin, group, resource, verb).await != wanted {
            assert!(begin.elapsed() < PATIENCE, "{verb} {resource}: the API server does not see the changed role");
            sleep(Duration::from_millis(20)).await;
        }
    }
}

async fn is_allowed(admin: &Person, group: &str, resource: &str, verb: &str) -> bool {
    let text = |text: &str| Some(text.to_owned());
    let attributes = ResourceAttributes { group: text(group), resource: text(resource), verb: text(verb), ..ResourceAttributes::default() };
    let spec = SubjectAccessReviewSpec { user: text(ACCOUNT), resource_attributes: Some(attributes), ..SubjectAccessReviewSpec::default() };
    let review = SubjectAccessReview { spec, ..SubjectAccessReview::default() };
    let reviews: Api<SubjectAccessReview> = Api::all(admin.client.clone());
    reviews.create(&Default::default(), &review).await.unwrap().status.unwrap().allowed
}

#[tokio::test]
async fn without_the_right_to_isolate_nobody_is_let_in_and_others_stay_ready() {
    let alone = Alone::turn().await;
    let operator = alone.start().await;
    let admin = alone.admin().await;
    admin.tenant_with_systems("before", &["web"]).await;
    alone.take_away(&admin, "networking.k8s.io", "networkpolicies", &["create"]).await;

    admin.apply(&tenant_yaml("unguarded")).await;
    let message = admin.until_condition("AgencyTenant", "", "unguarded", "Provisioned", "False", "Forbidden").await;
    assert!(message.contains("cannot create resource \"networkpolicies\""), "{message}");
    admin.until_condition("AgencyTenant", "", "unguarded", "Ready", "False", "Forbidden").await;
    let complaint = until_readyz(&operator, 503, Duration::from_secs(5)).await;
    assert!(complaint.contains("cannot create resource \"networkpolicies\""), "{complaint}");

    let position = alone.position();
    sleep(Duration::from_secs(10)).await;
    let requests = alone.requests_since(position);
    assert!((1..20).contains(&requests.len()), "{} requests in 10 s: {:#?}", requests.len(), alone.writes_since(position));
    assert!(admin.names("RoleBinding", "unguarded").await.is_empty());
    admin.tenant_ready("before").await;
    admin.system_ready("before", "web").await;

    alone.give_back().await;
    admin.tenant_ready("unguarded").await;
    assert_eq!(admin.names("RoleBinding", "unguarded").await.len(), 3);
    until_readyz(&operator, 200, Duration::from_secs(5)).await;
    operator.stop().await.unwrap();
}

/// What is asked for while the operator cannot see, and what it says then.
async fn while_blind(alone: &Alone, admin: &Person) {
    let message = admin.until_condition("AgencyTenant", "", "blind", "Provisioned", "False", "Forbidden").await;
    assert!(message.contains("cannot list resource \"limitranges\""), "{message}");
    admin.until_condition("HostedSystem", "blind", "web", "Provisioned", "False", "Forbidden").await;
    let position = alone.position();
    admin.delete("NetworkPolicy", "blind--web", "govcloud-isolation").await;
    admin.patch("HostedSystem", "blind", "web", json!({"spec": {"resources": {"guaranteed": {"pods": 61}}}})).await;
    admin.until_condition("HostedSystem", "blind", "web", "Provisioned", "False", "Forbidden").await;
    sleep(Duration::from_secs(10)).await;
    // About this tenant: other cases have left theirs, of which all is told once too.
    let requests = alone.requests_since(position).into_iter().filter(|request| request.uri.contains("/blind")).count();
    assert!(requests < 30, "{requests} requests in 10 s");
    let told = ["update hostedsystems/status ", "update agencytenants/status ", "create events ", "patch events "];
    let children: Vec<_> =
        alone.writes_since(position).into_iter().filter(|write| !told.iter().any(|prefix| write.starts_with(prefix))).collect();
    assert!(children.is_empty(), "{children:#?}");
    alone.give_back().await;
}

#[tokio::test]
async fn an_operator_that_cannot_see_one_kind_of_child_changes_nothing() {
    let alone = Alone::turn().await;
    let operator = alone.start().await;
    let admin = alone.admin().await;
    admin.tenant_with_systems("blind", &["web"]).await;
    operator.stop().await.unwrap();
    alone.take_away(&admin, "", "limitranges", &["list", "watch"]).await;

    // It is not ready before it may see again, so both at once.
    let (operator, complaint, ()) =
        tokio::join!(alone.start(), alone.complaint("cannot list resource \"limitranges\""), while_blind(&alone, &admin));
    assert!(
        complaint.starts_with("HTTP/1.0 503")
            && complaint.contains("limitranges: ")
            && complaint.contains("cannot list resource \"limitranges\""),
        "{complaint}"
    );
    let served = admin.until("the share is served", "ResourceQuota", "blind--web", "govcloud-quota", |quota| {
        quota.is_some_and(|quota| quota["spec"]["hard"]["pods"] == "61")
    });
    served.await;
    admin.system_ready("blind", "web").await;
    admin.tenant_ready("blind").await;
    assert!(admin.look("NetworkPolicy", "blind--web", "govcloud-isolation").await.is_some());
    operator.stop().await.unwrap();
}

#[tokio::test]
async fn a_right_that_is_lost_and_given_back_while_it_runs_needs_no_restart() {
    let alone = Alone::turn().await;
    let (mut gate, plane) = Gate::before(alone.plane).await;
    let operator = start_on(&plane, alone.program).await;
    let admin = alone.admin().await;
    admin.tenant_with_systems("lost", &["web"]).await;
    alone.take_away(&admin, "", "limitranges", &["list", "watch"]).await;
    // A watch that has begun goes on; each begins anew after some minutes at the latest.
    gate.shut().await;
    gate.open().await;
    let message = admin.until_condition("AgencyTenant", "", "lost", "Provisioned", "False", "Forbidden").await;
    assert!(message.contains("resource \"limitranges\""), "{message}");
    let complaint = until_readyz(&operator, 503, Duration::from_secs(5)).await;
    assert!(complaint.contains("limitranges: "), "{complaint}");

    alone.give_back().await;
    until_readyz(&operator, 200, PATIENCE).await;
    admin.tenant_ready("lost").await;
    admin.system_ready("lost", "web").await;
    operator.stop().await.unwrap();
}

#[tokio::test]
async fn a_newcomer_waits_while_a_guard_is_missing_and_whoever_is_struck_off_goes_at_once() {
    let alone = Alone::turn().await;
    let operator = alone.start().await;
    let admin = alone.admin().await;
    admin.tenant_with_systems("widened", &["web"]).await;
    alone.take_away(&admin, "networking.k8s.io", "networkpolicies", &["create"]).await;
    admin.delete("NetworkPolicy", "widened--web", "govcloud-isolation").await;
    admin.until_condition("HostedSystem", "widened", "web", "Isolated", "False", "Forbidden").await;

    let members = json!([
        {"kind": "Group", "name": "widened-owners", "role": "Owner"},
        {"kind": "User", "name": "newcomer", "role": "Owner"},
        {"kind": "User", "name": "ci-widened", "role": "Auditor"},
    ]);
    admin.patch("AgencyTenant", "", "widened", json!({"spec": {"members": members}})).await;
    let names = |binding: &serde_json::Value| {
        let subjects = binding["subjects"].as_array().cloned().unwrap_or_default();
        subjects.iter().map(|subject| subject["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    // The deployer's right is taken away while isolation is missing; nobody gets a new one.
    let struck_off = admin.until("the deployer is out", "RoleBinding", "widened--web", "govcloud-deployer", |binding| {
        binding.is_some_and(|binding| names(binding) == ["deployer"])
    });
    struck_off.await;
    for (role, inside) in [("owner", vec!["widened-owners"]), ("auditor", vec![])] {
        let binding = admin.get("RoleBinding", "widened--web", &format!("govcloud-{role}")).await;
        assert_eq!(names(&binding), inside, "{role}");
    }

    alone.give_back().await;
    admin
        .until("the newcomer is in", "RoleBinding", "widened--web", "govcloud-owner", |binding| {
            binding.is_some_and(|binding| names(binding).contains(&"newcomer".to_owned()))
        })
        .await;
    admin.system_ready("widened", "web").await;
    operator.stop().await.unwrap();
}
