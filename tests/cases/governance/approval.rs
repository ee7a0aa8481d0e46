//! Deciding: on what was seen, in one's own name, and not in one's own affair.

use acceptance::request::{APPROVER, REQUESTER};
use kube::api::PostParams;
use serde_json::json;

use super::{approval, approved_with_system, approver, decide, requester, run_plugin};
use crate::{
    cluster::{Person, admin, find_condition, shared},
    strangers::versions,
};

/// Versions of what the operator alone writes: a quota's use and the default account come from Kubernetes when they come.
async fn own_versions(admin: &Person, namespaces: &[&str]) -> Vec<String> {
    let mut versions = versions(admin, namespaces).await;
    versions.retain(|version| !version.starts_with("ResourceQuota") && !version.contains("/default "));
    versions
}

#[tokio::test]
async fn a_decision_is_refused_that_is_stale_not_ones_own_or_in_ones_own_affair() {
    let (admin, wang, li) = (admin().await, requester().await, approver().await);
    approved_with_system(&admin, "decided").await;
    wang.patch("AgencyTenant", "", "decided", json!({"spec": {"quota": {"pods": "500"}}})).await;
    let by_another = json!({ "decision": "Approved", "generation": 2, "by": "somebody" });
    let mut stale = approval("Approved", 1);
    stale["reason"] = json!("a decision that is there already is none");
    let table = [
        (stale, "rule approval-generation"),
        (approval("Approved", 3), "rule approval-generation"),
        (by_another, "rule approval-by"),
        (approval("Perhaps", 2), "Unsupported value"),
    ];
    for (approval, rule) in table {
        let refused = decide(&li, "decided", approval).await.unwrap_err();
        assert!(refused.contains(rule), "{rule}: {refused}");
    }
    // An approver who is a member of the tenant, by name or by group.
    let members = [("decided-ci", "x"), ("other", "decided-audit")];
    admin.patch("AgencyTenant", "", "decided", json!({"metadata": {"annotations": {"note": "kept"}}})).await;
    for (user, group) in members {
        let user = if user == "decided-ci" { "ci-decided" } else { user };
        let member = shared().person(user, &["platform-security", group]).await;
        let own = json!({ "decision": "Approved", "generation": 2, "by": user });
        let refused = decide(&member, "decided", own).await.unwrap_err();
        assert!(refused.contains("rule approval-member"), "{user}: {refused}");
    }
    // Whoever holds no `approve`.
    let refused = decide(&wang, "decided", json!({ "decision": "Approved", "generation": 2, "by": REQUESTER.user })).await.unwrap_err();
    assert!(refused.contains("cannot patch resource \"agencytenants/status\""), "{refused}");
    // The rest of the status is the operator's.
    let forged = json!({ "status": { "contractGeneration": 2 } });
    let parameters = kube::api::PatchParams::default();
    let forged = li.api("AgencyTenant", "").patch_status("decided", &parameters, &kube::api::Patch::Merge(forged)).await;
    assert!(forged.unwrap_err().to_string().contains("rule approval-status"));

    let absent = run_plugin(APPROVER, &["approve", "nowhere", "--yes"]).await.unwrap_err();
    assert!(absent.contains("agencytenant/nowhere not found"), "{absent}");
    let stale = run_plugin(APPROVER, &["approve", "decided", "--yes", "--generation", "1"]).await.unwrap_err();
    assert!(stale.contains("is at generation 2"), "{stale}");
    let nobody_to_ask = run_plugin(APPROVER, &["approve", "decided"]).await.unwrap_err();
    assert!(nobody_to_ask.contains("--yes --generation 2"), "{nobody_to_ask}");
    let without_reason = run_plugin(APPROVER, &["reject", "decided", "--yes"]).await.unwrap_err();
    assert!(without_reason.contains("--reason"), "{without_reason}");
    // After all that the contract is the first one, and the right decision is taken.
    assert_eq!(admin.get("AgencyTenant", "", "decided").await["status"]["contractGeneration"], 1);
    decide(&li, "decided", approval("Approved", 2)).await.unwrap();
    admin.until_condition("AgencyTenant", "", "decided", "Approved", "True", "Approved").await;
}

#[tokio::test]
async fn an_edit_waits_with_its_difference_and_what_is_served_stays() {
    let (admin, wang, li) = (admin().await, requester().await, approver().await);
    approved_with_system(&admin, "edited").await;
    let before = own_versions(&admin, &["edited", "edited--web"]).await;
    wang.patch("AgencyTenant", "", "edited", json!({"spec": {"quota": {"requests.cpu": "60"}, "podSecurity": "baseline"}})).await;
    let told = admin.until_condition("AgencyTenant", "", "edited", "Approved", "False", "ChangePending").await;
    for words in [
        "generation 2 of requester-wang waits for an approver since",
        "generation 1 stays in force",
        "quota[requests.cpu]: 40 becomes 60",
        "podSecurity: restricted becomes baseline",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
    admin.until_condition("AgencyTenant", "", "edited", "Ready", "False", "ChangePending").await;
    assert_eq!(own_versions(&admin, &["edited", "edited--web"]).await, before);
    let told = run_plugin(APPROVER, &["reject", "edited", "--yes", "--reason", "no budget"]).await.unwrap();
    assert!(told.contains("generation 1 is in force") && told.contains("podSecurity: restricted becomes baseline"), "{told}");
    let told = admin.until_condition("AgencyTenant", "", "edited", "Approved", "False", "Rejected").await;
    assert!(told.contains("no budget") && told.contains(APPROVER.user), "{told}");
    assert_eq!(own_versions(&admin, &["edited", "edited--web"]).await, before);

    // What only narrows needs nobody.
    let narrower = json!({"spec": {"quota": {"requests.cpu": "39"}, "podSecurity": "restricted"}});
    wang.patch("AgencyTenant", "", "edited", narrower).await;
    admin.until_condition("AgencyTenant", "", "edited", "Approved", "True", "Approved").await;
    assert_eq!(admin.get("AgencyTenant", "", "edited").await["status"]["quota"]["total"]["requests.cpu"], "39");
    drop(li);
}

#[tokio::test]
async fn the_plugin_approves_only_what_can_come_into_force() {
    let (admin, wang) = (admin().await, requester().await);
    approved_with_system(&admin, "sound").await;
    let allocated =
        |tenant: Option<&serde_json::Value>| tenant.is_some_and(|tenant| tenant["status"]["quota"]["allocated"]["pods"] == "60");
    admin.until("the share counts", "AgencyTenant", "", "sound", allocated).await;
    let edit = async |spec: serde_json::Value| {
        let generation = admin.get("AgencyTenant", "", "sound").await["metadata"]["generation"].clone();
        wang.patch("AgencyTenant", "", "sound", json!({ "spec": spec })).await;
        assert_ne!(admin.get("AgencyTenant", "", "sound").await["metadata"]["generation"], generation);
    };
    let approve = async |arguments: &[&str]| run_plugin(APPROVER, &[&["approve", "sound", "--yes"], arguments].concat()).await;
    // The operator's settings say which ranges are the cluster's own.
    edit(json!({"network": {"egress": [{"cidr": "10.96.0.0/16", "ports": [443], "reason": "省级平台"}]}})).await;
    let refused = approve(&["--allow-pending-quota"]).await.unwrap_err();
    assert!(
        refused.contains("is not valid, so it is not approved: spec.network.egress[10.96.0.0/16].cidr: lies in 10.0.0.0/8"),
        "{refused}"
    );
    edit(json!({"network": {"egress": []}, "quota": {"pods": "59"}})).await;
    let refused = approve(&[]).await.unwrap_err();
    for words in ["spec.quota[pods]: 59 is below the 60 that the systems hold", "--allow-pending-quota"] {
        assert!(refused.contains(words), "{words}: {refused}");
    }
    assert_eq!(admin.get("AgencyTenant", "", "sound").await["status"]["approval"]["generation"], 1);
    edit(json!({"quota": {"pods": "60"}, "podSecurity": "baseline"})).await;
    let told = approve(&[]).await.unwrap();
    assert!(!told.contains("Not checked"), "{told}");
    admin.until_condition("AgencyTenant", "", "sound", "Approved", "True", "Approved").await;
    edit(json!({"quota": {"pods": "59"}})).await;
    approve(&["--allow-pending-quota"]).await.unwrap();
    let told = admin.until_condition("AgencyTenant", "", "sound", "QuotaWithinBudget", "False", "LoweringPending").await;
    assert!(told.contains("spec.quota[pods]: 59 is below the 60"), "{told}");
}

#[tokio::test]
async fn an_emergency_stop_closes_everything_until_somebody_approves() {
    let (admin, wang) = (admin().await, requester().await);
    approved_with_system(&admin, "stopped").await;
    let closed = |policy: Option<&serde_json::Value>| policy.is_some_and(|policy| policy["spec"]["egress"].is_null());
    run_plugin(APPROVER, &["suspend", "stopped", "--yes", "--reason", "an attack"]).await.unwrap();
    admin.until("it is closed", "NetworkPolicy", "stopped--web", "govcloud-isolation", closed).await;
    let told = admin.until_condition("AgencyTenant", "", "stopped", "Approved", "False", "Stopped").await;
    assert!(told.contains("an attack") && told.contains(APPROVER.user), "{told}");
    let told = admin.until_condition("HostedSystem", "stopped", "web", "Ready", "False", "AgencyStopped").await;
    assert!(told.contains(&format!("agencytenant/stopped was stopped by {} at ", APPROVER.user)) && told.contains("(an attack)"), "{told}");
    // An Owner cannot lift it.
    wang.patch("AgencyTenant", "", "stopped", json!({"spec": {"suspended": false, "displayName": "另一个"}})).await;
    let refused = run_plugin(APPROVER, &["reject", "stopped", "--yes", "--reason", "not now"]).await.unwrap_err();
    assert!(refused.contains("rule approval-stop"), "{refused}");
    admin.until_condition("AgencyTenant", "", "stopped", "Approved", "False", "Stopped").await;
    run_plugin(APPROVER, &["approve", "stopped", "--yes"]).await.unwrap();
    admin.system_ready("stopped", "web").await;
    admin.until("it is open", "NetworkPolicy", "stopped--web", "govcloud-isolation", |policy| !closed(policy)).await;
}

#[tokio::test]
async fn a_contract_whose_status_is_lost_is_restored_from_the_home_namespace() {
    let (admin, wang) = (admin().await, requester().await);
    approved_with_system(&admin, "found").await;
    wang.patch("AgencyTenant", "", "found", json!({"spec": {"quota": {"pods": "500"}}})).await;
    admin.until_condition("AgencyTenant", "", "found", "Approved", "False", "ChangePending").await;
    let before = own_versions(&admin, &["found", "found--web"]).await;
    let mut object = admin.get("AgencyTenant", "", "found").await;
    object["status"] = json!({});
    let object = serde_json::from_value(object).unwrap();
    admin.api("AgencyTenant", "").replace_status("found", &PostParams::default(), &object).await.unwrap();
    let restored = |tenant: Option<&serde_json::Value>| {
        tenant.is_some_and(|tenant| {
            tenant["status"]["contractGeneration"] == 1 && find_condition(tenant, "Approved")["reason"] == "ChangePending"
        })
    };
    let tenant = admin.until("the contract is there again", "AgencyTenant", "", "found", restored).await.unwrap();
    assert_eq!(tenant["status"]["contract"]["quota"]["pods"], "400");
    assert_eq!(own_versions(&admin, &["found", "found--web"]).await, before);
}
