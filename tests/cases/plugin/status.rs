//! What is told of one agency and of one system, and of what waits for somebody.

use acceptance::request::{APPROVER, AUDITOR, REQUESTER, appoint};
use futures::{TryStreamExt, pin_mut};
use k8s_openapi::api::core::v1::Event;
use kube::{
    Api,
    api::PostParams,
    runtime::{WatchStreamExt, watcher},
};
use serde_json::json;
use tokio::time::timeout;

use super::{govcloud, govcloud_as, kubectl, run};
use crate::cluster::{PATIENCE, admin, shared, system_yaml, tenant_yaml};

#[tokio::test]
async fn the_status_of_an_agency_and_of_a_system_says_what_fails_and_what_to_do() {
    let admin = admin().await;
    admin.tenant_with_systems("described", &["web"]).await;
    admin.apply(&system_yaml("described", "big").replace("requests.cpu: '8'", "requests.cpu: '33'")).await;
    let message = admin.until_condition("HostedSystem", "described", "big", "QuotaGranted", "False", "QuotaWaiting").await;
    admin
        .until("both count", "AgencyTenant", "", "described", |tenant| {
            tenant.is_some_and(|tenant| tenant["status"]["summary"]["systems"] == "1/2")
        })
        .await;

    let told = govcloud(&["status", "described"]).await.done();
    let line = |begin: &str| told.lines().find(|line| line.trim_start().starts_with(begin)).unwrap_or_else(|| panic!("{begin}: {told}"));
    let words = |begin: &str| line(begin).split_whitespace().map(ToOwned::to_owned).collect::<Vec<_>>();
    assert_eq!(line("Display name:"), "Display name:      测试委员会");
    assert_eq!(line("Generation:"), "Generation:        1, of which 1 is in force");
    assert_eq!(words("requests.cpu"), ["requests.cpu", "0", "8", "40", "0%", "20%"]);
    assert_eq!(line("Systems"), "Systems (1 of 2 ready):");
    assert_eq!(words("web"), ["web", "Running", "True", "Ready", "described--web", "测试系统"]);
    assert_eq!(words("big")[1..4].join(" "), "Testing False QuotaWaiting".replace("Testing", &words("big")[1]));
    assert!(!told.contains("First condition") && !told.contains("Requested changes"), "{told}");

    let told = govcloud(&["status", "described/big"]).await.done();
    assert!(told.contains("First condition that is not True: QuotaGranted is False (QuotaWaiting), since 2"), "{told}");
    assert!(told.contains(&format!("\n  {message}\n")), "the message stands there in full: {told}");
    // The namespace says the same as the name.
    let home = govcloud(&["status", "-n", "described", "-o", "json"]).await.json();
    assert_eq!((&home["name"], &home["hostedSystems"][1]["name"]), (&json!("described"), &json!("web")));
    let workload = govcloud(&["status", "--namespace", "described--web", "-o", "json"]).await.json();
    assert_eq!((&workload["agency"], &workload["name"], &workload["wantedStage"]), (&json!("described"), &json!("web"), &json!("Running")));
    let cpu = workload["share"].as_array().unwrap().iter().find(|row| row["resource"] == "requests.cpu").unwrap();
    assert_eq!(*cpu, json!({"resource": "requests.cpu", "used": "0", "given": "8", "asked": "8", "usedPercent": 0}));

    let member = govcloud_as("anna", "described-audit", &["status", "described/web", "-o", "json"]).await.json();
    assert_eq!((&member["ready"], &member["unreadable"]), (&json!("True"), &json!(null)));
    let stranger = govcloud_as("nora", "others", &["status", "described"]).await.refused();
    assert!(
        stranger.starts_with("Error from server (Forbidden): agencytenants.govcloud.io \"described\" is forbidden: User \"nora\""),
        "{stranger}"
    );
    let nowhere = govcloud(&["status", "-n", "kube-system"]).await.refused();
    assert!(nowhere.contains("namespace kube-system is no agency's; name an agency"), "{nowhere}");
    let absent = govcloud(&["status", "described/nothing"]).await.refused();
    assert!(absent.contains("hostedsystem/nothing not found in namespace described"), "{absent}");
}

#[tokio::test]
async fn my_agencies_are_told_with_the_first_condition_that_fails_and_with_what_they_ask_for() {
    let admin = admin().await;
    admin.apply(&tenant_yaml("mine-first")).await;
    admin.tenant_ready("mine-first").await;
    // Asked for by a person, for a domain that another one has.
    let owner = format!("  members: [{{\"kind\":\"User\",\"name\":\"{}\",\"role\":\"Owner\"}},", REQUESTER.user);
    let yaml = tenant_yaml("mine-second").replace("  preapproved: true\n", "").replace("  members: [", &owner);
    let yaml = yaml.replace("domains: [mine-second.example.gov.cn]", "domains: [mine-first.example.gov.cn]");
    let object = acceptance::manifests::parse(&yaml).unwrap().remove(0);
    let person = shared().person(REQUESTER.user, &[REQUESTER.group]).await;
    person.api("AgencyTenant", "").create(&PostParams::default(), &object).await.unwrap();
    let invalid = admin.until_condition("AgencyTenant", "", "mine-second", "Accepted", "False", "Invalid").await;
    person.until("the request", "AgencyTenant", "", "mine-second", |tenant| tenant.is_some()).await;

    let mine = async || {
        let rows = govcloud_as(REQUESTER.user, REQUESTER.group, &["my", "-o", "json"]).await.json();
        rows.as_array().unwrap().iter().find(|row| row["name"] == "mine-second").unwrap().clone()
    };
    let row = mine().await;
    assert_eq!((&row["stage"], &row["approved"], &row["message"]), (&json!("Requested"), &json!("False"), &json!(invalid)));
    let table = govcloud_as(REQUESTER.user, REQUESTER.group, &["my"]).await.done();
    let first = invalid.split(". ").next().unwrap();
    assert!(table.lines().any(|line| line.starts_with("mine-second ") && line.ends_with(first)), "{first}: {table}");

    // Once it is valid, it waits for an approver.
    person.patch("AgencyTenant", "", "mine-second", json!({"spec": {"domains": ["mine-second.example.gov.cn"]}})).await;
    admin.until_condition("AgencyTenant", "", "mine-second", "Accepted", "True", "Accepted").await;
    let message = mine().await["message"].as_str().unwrap().to_owned();
    assert!(message.starts_with("generation 2 of requester-wang waits for an approver"), "{message}");
    let told = govcloud_as(REQUESTER.user, REQUESTER.group, &["status", "mine-second"]).await.done();
    for words in [
        "and nothing is approved yet",
        "\nRequested changes:\n",
        "\n  quota[pods]: 400\n",
        "\n  domains: mine-second.example.gov.cn is added\n",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
}

#[tokio::test]
async fn the_platforms_people_see_the_events_of_agencies_and_systems_and_members_those_of_their_systems() {
    let admin = admin().await;
    appoint(&admin.client).await.unwrap();
    // Too much for the agency, so that both have something to tell.
    admin.tenant_with_systems("eventful", &[]).await;
    admin.apply(&system_yaml("eventful", "big").replace("requests.cpu: '8'", "requests.cpu: '41'")).await;
    admin.until_condition("HostedSystem", "eventful", "big", "QuotaGranted", "False", "QuotaExceeded").await;
    admin.patch("AgencyTenant", "", "eventful", json!({"spec": {"suspended": true}})).await;
    admin.until_condition("AgencyTenant", "", "eventful", "Ready", "True", "Suspended").await;
    let told = async |kind: &str, namespace: &str, name: &str| {
        let events: Api<Event> = Api::namespaced(admin.client.clone(), namespace);
        let about = format!("involvedObject.kind={kind},involvedObject.name={name}");
        let seen = watcher(events, watcher::Config::default().fields(&about)).applied_objects();
        pin_mut!(seen);
        let event = timeout(PATIENCE, seen.try_next()).await.unwrap_or_else(|_| panic!("no event about {kind} {name}"));
        assert!(event.unwrap().is_some());
    };
    told("AgencyTenant", "default", "eventful").await;
    told("HostedSystem", "eventful", "big").await;

    let described = async |user: &str, group: &str, arguments: &[&str]| {
        let whom = ["--as", user, "--as-group", group, "--as-group", "system:authenticated"];
        run(kubectl(&[&["describe"], arguments, &whom].concat()).await).await.done()
    };
    let (agency, system) = (&["agencytenant", "eventful"][..], &["hostedsystem", "big", "-n", "eventful"][..]);
    for (person, objects) in [(APPROVER, [agency, system]), (AUDITOR, [agency, system])] {
        for object in objects {
            let told = described(person.user, person.group, object).await;
            assert!(told.contains("govcloud.io/operator") && !told.ends_with("<none>\n"), "{}: {told}", person.user);
        }
    }
    // The events of all agencies are in one namespace, so members see none of them.
    assert!(described("olga", "eventful-owners", agency).await.ends_with("<none>\n"));
    assert!(described("olga", "eventful-owners", system).await.contains("govcloud.io/operator"));
    let told = govcloud_as(APPROVER.user, APPROVER.group, &["status", "eventful", "-o", "json"]).await.json();
    assert!(!told["events"].as_array().unwrap().is_empty() && told["unreadable"].is_null(), "{told}");
    let told = govcloud_as("olga", "eventful-owners", &["status", "eventful", "-o", "json"]).await.json();
    assert_eq!((&told["events"], &told["unreadable"]), (&json!([]), &json!(["events in namespace default"])));
}
