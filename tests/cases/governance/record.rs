//! What is on record: who asked, who decided, and when the contract changed; for people, for events and for the audit log.

use std::{collections::BTreeSet, fs};

use acceptance::request::{APPROVER, REQUESTER};
use kube::api::{DeleteParams, ListParams, PostParams};
use serde_json::{Value, json};

use super::{approval, approved, approver, decide, request_yaml, requester, run_plugin};
use crate::cluster::{Person, admin, find_condition, shared};

/// The people of a tenant that was asked for and approved.
async fn people_of(name: &str) -> (Person, Person, Person) {
    let admin = admin().await;
    approved(&admin, name).await;
    (admin, requester().await, approver().await)
}

/// The history as event, who, generation and reason.
async fn history(admin: &Person, name: &str) -> Vec<(String, String, i64, String)> {
    let tenant = admin.get("AgencyTenant", "", name).await;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let entries = tenant["status"]["history"].as_array().cloned().unwrap_or_default();
    entries
        .iter()
        .map(|entry| (text(&entry["event"]), text(&entry["by"]), entry["generation"].as_i64().unwrap(), text(&entry["reason"])))
        .collect()
}

async fn until_recorded(admin: &Person, name: &str, entries: usize) -> Value {
    let recorded = |tenant: Option<&Value>| {
        tenant.is_some_and(|tenant| tenant["status"]["history"].as_array().is_some_and(|all| all.len() >= entries))
    };
    admin.until(&format!("{entries} entries are recorded"), "AgencyTenant", "", name, recorded).await.unwrap()
}

/// Lines of the audit log about an agency.
fn audit_log(name: &str) -> Vec<Value> {
    let log = fs::read_to_string(shared().operator.log()).unwrap();
    let lines = log.lines().filter(|line| line.starts_with("{\"audit\":")).map(|line| serde_json::from_str(line).unwrap());
    lines.filter(|line: &Value| line["agency"] == name).collect()
}

#[tokio::test]
async fn each_decision_is_on_record_with_its_own_words_in_history_events_and_audit_log() {
    let (admin, wang, li) = people_of("recorded").await;
    let zhao = shared().person("approver-zhao", &[APPROVER.group]).await;
    let stop = |by: &str, reason: &str| json!({ "decision": "Suspended", "generation": 1, "by": by, "reason": reason });
    decide(&li, "recorded", stop(APPROVER.user, "virus")).await.unwrap();
    until_recorded(&admin, "recorded", 3).await;
    decide(&li, "recorded", json!({ "decision": "Resumed", "generation": 1, "by": APPROVER.user, "reason": "clean" })).await.unwrap();
    until_recorded(&admin, "recorded", 4).await;
    decide(&zhao, "recorded", stop("approver-zhao", "a second attack")).await.unwrap();
    let tenant = until_recorded(&admin, "recorded", 5).await;
    assert_eq!(tenant["status"]["approval"]["time"], tenant["status"]["history"][4]["time"]);
    let told = admin.until_condition("AgencyTenant", "", "recorded", "Approved", "False", "Stopped").await;
    assert!(told.contains("approver-zhao") && told.contains("a second attack") && !told.contains("virus"), "{told}");
    let entry = |event: &str, by: &str, reason: &str| (event.to_owned(), by.to_owned(), 1, reason.to_owned());
    let wanted = [
        entry("Requested", REQUESTER.user, ""),
        entry("Approved", APPROVER.user, "tried"),
        entry("Suspended", APPROVER.user, "virus"),
        entry("Resumed", APPROVER.user, "clean"),
        entry("Suspended", "approver-zhao", "a second attack"),
    ];
    assert_eq!(history(&admin, "recorded").await, wanted);

    let log = audit_log("recorded");
    let told: BTreeSet<_> =
        log.iter().map(|line| (line["number"].as_i64().unwrap(), line["event"].as_str().unwrap(), line["by"].as_str().unwrap())).collect();
    let wanted = [
        (1, "Requested", REQUESTER.user),
        (2, "Approved", APPROVER.user),
        (3, "Suspended", APPROVER.user),
        (4, "Resumed", APPROVER.user),
        (5, "Suspended", "approver-zhao"),
    ];
    assert_eq!(told, wanted.into());
    assert!(log[0]["changes"].as_array().unwrap().iter().any(|line| line == "quota[pods]: 400"), "{}", log[0]);
    assert!(log.iter().all(|line| line["uid"] == tenant["metadata"]["uid"] && line["audit"] == "govcloud.io/v1alpha1"));

    // Events of the same kind do not hide each other.
    let selector = ListParams::default().fields("regarding.name=recorded,reason=Suspended");
    let both = async || {
        let events = admin.api("Event", "default").list(&selector).await.unwrap().items;
        let notes: Vec<String> = events.iter().map(|event| event.data["note"].as_str().unwrap().to_owned()).collect();
        notes
    };
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    let mut notes = both().await;
    while notes.len() < 2 && std::time::Instant::now() < deadline {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        notes = both().await;
    }
    notes.sort();
    assert_eq!(notes, ["the agency was stopped by approver-li: virus", "the agency was stopped by approver-zhao: a second attack"]);

    let printed = run_plugin(APPROVER, &["history", "recorded"]).await.unwrap();
    assert!(printed.lines().count() == 6 && printed.contains("a second attack"), "{printed}");
    let printed = run_plugin(REQUESTER, &["history", "recorded", "-o", "json"]).await.unwrap();
    let rows: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!((rows.as_array().unwrap().len(), &rows[4]["by"]), (5, &json!("approver-zhao")), "an Owner reads it too");
    drop(wang);
}

/// The annotation that names who wrote a spec.
const KEY: &str = "govcloud.io/requested-by";

#[tokio::test]
async fn who_asked_is_noted_by_the_api_server_and_nobody_writes_another_name() {
    let (admin, wang, _) = people_of("noted").await;
    let noted = async || admin.get("AgencyTenant", "", "noted").await["metadata"]["annotations"][KEY].clone();
    assert_eq!(noted().await, REQUESTER.user);
    // A name of somebody else, with an edit and without one, and taken away: it stays who edited last.
    let other = json!({ "metadata": { "annotations": { KEY: "somebody-else" } } });
    wang.patch("AgencyTenant", "", "noted", other.clone()).await;
    assert_eq!(noted().await, REQUESTER.user);
    let mut edit = other;
    edit["spec"] = json!({ "displayName": "别名" });
    wang.patch("AgencyTenant", "", "noted", edit).await;
    assert_eq!(noted().await, REQUESTER.user);
    wang.patch("AgencyTenant", "", "noted", json!({ "metadata": { "annotations": { KEY: null } } })).await;
    assert_eq!(noted().await, REQUESTER.user);
    // Another editor is noted with the edit.
    admin.patch("AgencyTenant", "", "noted", json!({ "spec": { "displayName": "又一个" } })).await;
    let by_admin = noted().await;
    assert_ne!(by_admin, REQUESTER.user);
    let tenant = until_recorded(&admin, "noted", 4).await;
    assert_eq!(tenant["status"]["history"][3]["by"], by_admin);
}

#[tokio::test]
async fn whoever_wrote_a_request_does_not_approve_it() {
    let (admin, li) = (admin().await, approver().await);
    admin.apply(&request_yaml("self-asked")).await;
    let by = admin.get("AgencyTenant", "", "self-asked").await["metadata"]["annotations"][KEY].clone();
    let nothing = run_plugin(APPROVER, &["suspend", "self-asked", "--yes", "--reason", "virus"]).await.unwrap_err();
    assert!(nothing.contains("there is nothing to stop"), "{nothing}");
    let blank = run_plugin(APPROVER, &["reject", "self-asked", "--yes", "--reason", " "]).await.unwrap_err();
    assert!(blank.contains("--reason is required"), "{blank}");
    let own = json!({ "decision": "Approved", "generation": 1, "by": by });
    let refused = decide(&admin, "self-asked", own).await.unwrap_err();
    assert!(refused.contains("rule approval-requester") && refused.contains("wrote generation 1"), "{refused}");
    decide(&li, "self-asked", approval("Approved", 1)).await.unwrap();
    admin.tenant_ready("self-asked").await;
}

#[tokio::test]
async fn the_inbox_lists_what_waits_with_warnings_and_decides_several_at_once() {
    let (admin, wang, li) = people_of("inbox-a").await;
    approved(&admin, "inbox-b").await;
    let ask = async |name: &str, spec: Value| {
        wang.patch("AgencyTenant", "", name, json!({ "spec": spec })).await;
        admin.until_condition("AgencyTenant", "", name, "Approved", "False", "ChangePending").await;
    };
    ask("inbox-a", json!({ "quota": { "requests.cpu": "60" } })).await;
    ask("inbox-b", json!({ "displayName": "别名", "members": [{ "kind": "User", "name": "x", "role": "Auditor" }] })).await;
    let rows = async || {
        let printed = run_plugin(APPROVER, &["requests", "-o", "json"]).await.unwrap();
        let rows: Vec<Value> = serde_json::from_str(&printed).unwrap();
        rows.into_iter().filter(|row| row["agency"].as_str().unwrap().starts_with("inbox-")).collect::<Vec<_>>()
    };
    let listed = rows().await;
    assert_eq!(listed.len(), 2, "{listed:?}");
    let [first, second] = [&listed[0], &listed[1]];
    assert_eq!(
        (&first["agency"], &first["by"], &first["generation"], &first["inForce"]),
        (&json!("inbox-a"), &json!(REQUESTER.user), &json!(2), &json!(1))
    );
    assert_eq!(first["changes"], json!(["quota[requests.cpu]: 40 becomes 60"]));
    assert_eq!((&first["warnings"], &second["warnings"][0]["reason"]), (&json!([]), &json!("NoOwner")));
    let printed = run_plugin(APPROVER, &["requests"]).await.unwrap();
    let line = printed.lines().find(|line| line.starts_with("inbox-a ")).unwrap();
    assert!(line.contains(REQUESTER.user) && line.contains("quota[requests.cpu]: 40 becomes 60"), "{printed}");
    let refused = run_plugin(REQUESTER, &["requests"]).await.unwrap_err();
    assert!(refused.contains("agencytenants.govcloud.io is forbidden"), "{refused}");

    // Tried first, then decided, both at once; the one that cannot be decided is named, the other is.
    let tried = run_plugin(APPROVER, &["approve", "inbox-a", "inbox-b", "--dry-run"]).await.unwrap();
    assert!(
        tried.contains("inbox-a: generation 2 would be approved") && tried.contains("inbox-b: generation 2 would be approved"),
        "{tried}"
    );
    assert_eq!(rows().await.len(), 2, "nothing was decided");
    decide(&li, "inbox-b", json!({ "decision": "Suspended", "generation": 2, "by": APPROVER.user, "reason": "virus" })).await.unwrap();
    admin.until_condition("AgencyTenant", "", "inbox-b", "Approved", "False", "Stopped").await;
    let listed = rows().await;
    assert_eq!(listed[1]["warnings"][1]["reason"], "Stopped", "{listed:?}");
    let both = run_plugin(APPROVER, &["reject", "inbox-a", "inbox-b", "--yes", "--reason", "no budget"]).await.unwrap_err();
    assert!(
        both.contains("inbox-a: generation 2 is rejected") && both.contains("not decided: 1 of 2") && both.contains("rule approval-stop"),
        "{both}"
    );
    // The stop ends without granting what waits.
    run_plugin(APPROVER, &["resume", "inbox-b", "--yes", "--reason", "clean"]).await.unwrap();
    let told = admin.until_condition("AgencyTenant", "", "inbox-b", "Approved", "False", "ChangePending").await;
    assert!(told.starts_with("generation 2 of requester-wang waits for an approver since"), "{told}");
    assert_eq!(admin.get("AgencyTenant", "", "inbox-b").await["status"]["contractGeneration"], 1);
}

#[tokio::test]
async fn who_asks_withdraws_the_first_request_and_a_later_one() {
    let (admin, wang, _) = people_of("taken-back").await;
    wang.patch("AgencyTenant", "", "taken-back", json!({ "spec": { "quota": { "pods": "500" } } })).await;
    admin.until_condition("AgencyTenant", "", "taken-back", "Ready", "False", "ChangePending").await;
    let tried = run_plugin(REQUESTER, &["withdraw", "taken-back", "--dry-run"]).await.unwrap();
    assert!(tried.contains("quota[pods]: 400 becomes 500") && tried.contains("--dry-run"), "{tried}");
    run_plugin(REQUESTER, &["withdraw", "taken-back", "--yes"]).await.unwrap();
    admin.until_condition("AgencyTenant", "", "taken-back", "Ready", "True", "Ready").await;
    assert_eq!(history(&admin, "taken-back").await.last().unwrap().0, "Withdrawn");
    let nothing = run_plugin(REQUESTER, &["withdraw", "taken-back", "--yes"]).await.unwrap_err();
    assert!(nothing.contains("there is nothing to withdraw"), "{nothing}");
    // What is approved an Owner does not delete.
    let refused = wang.api("AgencyTenant", "").delete("taken-back", &DeleteParams::default()).await.unwrap_err().to_string();
    assert!(refused.contains("cannot delete resource"), "{refused}");

    let object = acceptance::manifests::parse(&request_yaml("never-mind")).unwrap().remove(0);
    wang.api("AgencyTenant", "").create(&PostParams::default(), &object).await.unwrap();
    wang.until("the request is shown", "AgencyTenant", "", "never-mind", |tenant| tenant.is_some()).await;
    run_plugin(REQUESTER, &["withdraw", "never-mind", "--yes"]).await.unwrap();
    admin.gone("AgencyTenant", "", "never-mind").await;
    admin.gone("ClusterRoleBinding", "", "govcloud:tenant:never-mind").await;
}

#[tokio::test]
async fn less_than_asked_is_granted_with_a_reason_and_more_by_nobody() {
    let (admin, wang, li) = people_of("lessened").await;
    wang.patch("AgencyTenant", "", "lessened", json!({ "spec": { "quota": { "requests.cpu": "80" } } })).await;
    admin.until_condition("AgencyTenant", "", "lessened", "Approved", "False", "ChangePending").await;
    let grant = |quota: Value, reason: &str| json!({ "decision": "Approved", "generation": 2, "by": APPROVER.user, "reason": reason, "quota": quota });
    for (quota, reason, words) in [
        (json!({ "requests.cpu": "81" }), "x", "is more than spec.quota asks for (80)"),
        (json!({ "requests.example.com/gpu": "1" }), "x", "is not in spec.quota"),
        (json!({ "requests.cpu": "60" }), "", "give the reason"),
    ] {
        let refused = decide(&li, "lessened", grant(quota, reason)).await.unwrap_err();
        assert!(refused.contains("rule approval-quota") && refused.contains(words), "{words}: {refused}");
    }
    let refused = run_plugin(APPROVER, &["approve", "lessened", "--yes", "--quota", "requests.cpu=60"]).await.unwrap_err();
    assert!(refused.contains("--quota needs --reason"), "{refused}");
    let told =
        run_plugin(APPROVER, &["approve", "lessened", "--yes", "--quota", "requests.cpu=60", "--reason", "half of it"]).await.unwrap();
    assert!(told.contains("Granted of spec.quota: requests.cpu 60 of 80"), "{told}");
    let told = admin.until_condition("AgencyTenant", "", "lessened", "Approved", "True", "Approved").await;
    assert!(told.contains("it has less than spec.quota names: requests.cpu 60 and not 80"), "{told}");
    admin.tenant_ready("lessened").await;
    let status = admin.get("AgencyTenant", "", "lessened").await["status"].clone();
    assert_eq!((&status["quota"]["total"]["requests.cpu"], &status["approval"]["quota"]["requests.cpu"]), (&json!("60"), &json!("60")));
    wang.patch("AgencyTenant", "", "lessened", json!({ "spec": { "displayName": "别名" } })).await;
    admin.until_condition("AgencyTenant", "", "lessened", "Approved", "False", "ChangePending").await;
    let refused = run_plugin(APPROVER, &["approve", "lessened", "--yes", "--quota", "limits.cpu=5", "--reason", "x"]).await.unwrap_err();
    assert!(refused.contains("status.approval.quota[limits.cpu]: 5 is below the 60 of requests.cpu"), "{refused}");
    // Without a reason, and with amounts that are none, a decision is recorded as any other.
    let plain = json!({ "decision": "Approved", "generation": 3, "by": APPROVER.user, "reason": "", "quota": null, "time": null });
    decide(&li, "lessened", plain).await.unwrap();
    admin.until_condition("AgencyTenant", "", "lessened", "Ready", "True", "Ready").await;
    // A merge patch keeps the amounts of the decision before; they are no part of another approval, and in no other decision's way.
    wang.patch("AgencyTenant", "", "lessened", json!({ "spec": { "quota": { "requests.cpu": "70" } } })).await;
    admin.until_condition("AgencyTenant", "", "lessened", "Approved", "False", "ChangePending").await;
    let granted =
        json!({ "decision": "Approved", "generation": 4, "by": APPROVER.user, "reason": "a bit", "quota": { "requests.cpu": "65" } });
    decide(&li, "lessened", granted).await.unwrap();
    admin.until_condition("AgencyTenant", "", "lessened", "Ready", "True", "Ready").await;
    let stop = json!({ "decision": "Suspended", "generation": 4, "by": APPROVER.user, "reason": "virus" });
    decide(&li, "lessened", stop).await.unwrap();
    decide(&li, "lessened", json!({ "decision": "Resumed", "generation": 4, "by": APPROVER.user, "reason": "clean" })).await.unwrap();
    wang.patch("AgencyTenant", "", "lessened", json!({ "spec": { "quota": { "requests.cpu": "75" } } })).await;
    admin.until_condition("AgencyTenant", "", "lessened", "Approved", "False", "ChangePending").await;
    let left = json!({ "decision": "Approved", "generation": 5, "by": APPROVER.user, "reason": "all of it" });
    let refused = decide(&li, "lessened", left).await.unwrap_err();
    assert!(refused.contains("rule approval-quota") && refused.contains("write null for the amounts"), "{refused}");
    run_plugin(APPROVER, &["approve", "lessened", "--yes"]).await.unwrap();
    admin.until_condition("AgencyTenant", "", "lessened", "Ready", "True", "Ready").await;
    assert_eq!(admin.get("AgencyTenant", "", "lessened").await["status"]["quota"]["total"]["requests.cpu"], "75");
    let same = run_plugin(APPROVER, &["approve", "lessened", "--yes"]).await.unwrap_err();
    assert!(same.contains("you have decided the same of generation 5"), "{same}");
    let nothing = run_plugin(APPROVER, &["approve", "lessened", "--yes", "--reason", "again"]).await.unwrap_err();
    assert!(nothing.contains("rule approval-nothing") && nothing.contains("generation 5 is in force already"), "{nothing}");
}

#[tokio::test]
async fn a_small_change_needs_nobody_and_says_which_policy_approved_it() {
    let (admin, wang, _) = people_of("small").await;
    // The operator of the cases runs with --approve-egress 198.18.7.0/24.
    let exit = |cidr: &str| json!({ "cidr": cidr, "ports": [443], "protocol": "TCP", "reason": "省级平台" });
    wang.patch("AgencyTenant", "", "small", json!({ "spec": { "network": { "egress": [exit("198.18.7.16/28")] } } })).await;
    let tenant = until_recorded(&admin, "small", 4).await;
    let last = &tenant["status"]["history"][3];
    assert_eq!((&last["event"], &last["by"], &last["generation"]), (&json!("Approved"), &json!("policy/egress"), &json!(2)));
    let told = find_condition(&tenant, "Approved")["message"].as_str().unwrap_or_default().to_owned();
    admin.until_condition("AgencyTenant", "", "small", "Approved", "True", "Approved").await;
    assert!(admin.get("NetworkPolicy", "small", "govcloud-isolation").await["spec"].is_object(), "{told}");
    wang.patch(
        "AgencyTenant",
        "",
        "small",
        json!({ "spec": { "network": { "egress": [exit("198.18.7.16/28"), exit("198.18.8.0/24")] } } }),
    )
    .await;
    admin.until_condition("AgencyTenant", "", "small", "Approved", "False", "ChangePending").await;
}
