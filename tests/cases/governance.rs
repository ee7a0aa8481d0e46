//! Agencies ask, the platform approves: each person with no more than the shipped roles, through kubectl's own requests and the
//! plugin.

mod approval;
mod chart;
mod cures;
mod domains;
mod entrance;
mod gitops;
mod guard_rails;
mod leaving;
mod record;
mod refused_pods;
mod request;
mod sidecars;
mod tags;
mod wanted;
mod warnings;

use std::{collections::BTreeMap, path::PathBuf};

use acceptance::{
    Operator,
    request::{self as people, plugin},
};
use kube::api::PostParams;
use serde_json::{Value, json};
use tokio::{sync::OnceCell, task::spawn_blocking};

use crate::cluster::{Person, shared, system_yaml};

/// The requester, who is among the Owners of whatever is asked for here.
async fn requester() -> Person {
    shared().person(people::REQUESTER.user, &[people::REQUESTER.group]).await
}

/// The approver, appointed as an administrator does.
async fn approver() -> Person {
    static APPOINTED: OnceCell<()> = OnceCell::const_new();
    let client = shared().admin().await.client;
    APPOINTED.get_or_init(|| async { people::appoint(&client).await.unwrap() }).await;
    shared().person(people::APPROVER.user, &[people::APPROVER.group]).await
}

/// What an agency asks for: not written by the platform, and by somebody who is its Owner.
fn request_yaml(name: &str) -> String {
    let yaml = crate::cluster::tenant_yaml(name).replace("  preapproved: true\n", "");
    let owner = format!("[{{\"kind\":\"User\",\"name\":\"{}\",\"role\":\"Owner\"}},", people::REQUESTER.user);
    yaml.replace("  members: [", &format!("  members: {owner}"))
}

/// A decision, as plain `kubectl patch --subresource=status` writes it.
async fn decide(person: &Person, name: &str, approval: Value) -> Result<(), String> {
    let patch = json!({ "status": { "approval": approval } });
    let parameters = kube::api::PatchParams::default();
    let answer = person.api("AgencyTenant", "").patch_status(name, &parameters, &kube::api::Patch::Merge(patch)).await;
    answer.map(drop).map_err(|error| error.to_string())
}

fn approval(decision: &str, generation: i64) -> Value {
    json!({ "decision": decision, "generation": generation, "by": people::APPROVER.user, "reason": "tried" })
}

/// What the requester asks for, approved and served.
async fn approved(admin: &Person, name: &str) {
    let object = acceptance::manifests::parse(&request_yaml(name)).unwrap().remove(0);
    requester().await.api("AgencyTenant", "").create(&PostParams::default(), &object).await.unwrap();
    decide(&approver().await, name, approval("Approved", 1)).await.unwrap();
    admin.tenant_ready(name).await;
}

/// The same with one system.
async fn approved_with_system(admin: &Person, name: &str) {
    approved(admin, name).await;
    admin.apply(&system_yaml(name, "web")).await;
    admin.system_ready(name, "web").await;
}

/// `kubectl` as the requester.
fn kubectl_as_requester(arguments: &[&str]) -> String {
    let (user, group) = (people::REQUESTER.user, people::REQUESTER.group);
    shared().kubectl(&[arguments, &["--as", user, "--as-group", group, "--as-group", "system:authenticated"]].concat())
}

/// Runs the plugin as somebody.
async fn run_plugin(person: people::Person, arguments: &[&str]) -> Result<String, String> {
    let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
    spawn_blocking(move || {
        let program: PathBuf = Operator::build().unwrap();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        plugin(&shared().plane, &program, person, &arguments).map_err(|error| format!("{error:#}"))
    })
    .await
    .unwrap()
}

/// Conditions of an object by type: status and reason.
fn conditions(object: &Value) -> BTreeMap<&str, (&str, &str)> {
    let all = object["status"]["conditions"].as_array().into_iter().flatten();
    all.filter_map(|condition| Some((condition["type"].as_str()?, (condition["status"].as_str()?, condition["reason"].as_str()?))))
        .collect()
}
