//! The tenants that are attacked, their neighbours, and what is there beside them.

use std::collections::BTreeMap;

use acceptance::ControlPlane;
use kube::{
    Client,
    api::{Patch, PatchParams},
};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::people;
use crate::cluster::{Person, shared, system_yaml};

const TENANTS: &str = include_str!("tables/tenants-there.yaml");
const THINGS: &str = include_str!("tables/things-there.yaml");

/// A control plane on which everything is there that the tables speak of.
pub struct World {
    plane: &'static ControlPlane,
    pub admin: Person,
    uids: Vec<(&'static str, String)>,
    /// Whether nobody takes on what is approved.
    pub operator_is_dead: bool,
}

impl World {
    /// On the shared control plane; made once.
    pub async fn on_shared() -> Self {
        static MADE: OnceCell<()> = OnceCell::const_new();
        let plane = &shared().plane;
        MADE.get_or_init(|| async { make(&shared().admin().await, plane).await }).await;
        Self::of(plane).await
    }

    /// On a control plane where an operator runs now; it may be stopped afterwards.
    pub async fn on(plane: &'static ControlPlane) -> Self {
        make(&Person { client: plane.client().await.unwrap() }, plane).await;
        Self::of(plane).await
    }

    async fn of(plane: &'static ControlPlane) -> Self {
        let admin = Person { client: plane.client().await.unwrap() };
        let mut uids = Vec::new();
        for (placeholder, tenant) in [("CLINIC-UID", "clinic"), ("MUSEUM-UID", "museum")] {
            let tenant = admin.get("AgencyTenant", "", tenant).await;
            uids.push((placeholder, tenant["metadata"]["uid"].as_str().unwrap().to_owned()));
        }
        Self { plane, admin, uids, operator_is_dead: false }
    }

    /// The same once the operator is dead: what is approved now is not served.
    pub async fn with_the_operator_dead(self) -> Self {
        let approver = approver(self.plane).await;
        self.renew("studio").await;
        approve(&approver, "studio").await;
        self.admin.patch("AgencyTenant", "", "salon", json!({"spec": {"preapproved": true}})).await;
        decide(&approver, "salon", "Rejected").await;
        Self { operator_is_dead: true, ..self }
    }

    /// Makes a tenant anew. On a control plane where another case was before, an operator may have served it since.
    async fn renew(&self, name: &str) {
        self.admin.patch("AgencyTenant", "", name, json!({"metadata": {"finalizers": null}})).await;
        self.admin.delete("AgencyTenant", "", name).await;
        self.admin.gone("AgencyTenant", "", name).await;
        let text = TENANTS.split("\n---\n").find(|text| text.contains(&format!("name: {name}"))).unwrap();
        self.admin.apply(text).await;
    }

    /// A text of a table with its placeholders filled in.
    pub fn filled(&self, text: &str) -> String {
        self.uids.iter().fold(digests(text), |text, (placeholder, uid)| text.replace(placeholder, uid))
    }

    /// A client for each of these people.
    pub async fn clients<'a>(&self, words: impl Iterator<Item = &'a str>) -> BTreeMap<&'a str, Client> {
        let mut clients = BTreeMap::new();
        for word in words {
            if !clients.contains_key(word) {
                clients.insert(word, self.client(word).await);
            }
        }
        clients
    }

    /// The client of somebody.
    pub async fn client(&self, word: &str) -> Client {
        match people::person(word) {
            None => self.admin.client.clone(),
            Some((user, groups)) => self.plane.client_as(user, groups).await.unwrap(),
        }
    }
}

fn digests(text: &str) -> String {
    text.replace("DIGEST", &format!("sha256:{}", "ab".repeat(32)))
}

/// Makes it all, or leaves it as it is where it is there.
async fn make(admin: &Person, plane: &ControlPlane) {
    if admin.look("HostedSystem", "clinic", "leaving").await.is_some() {
        return;
    }
    // People first: the approver is one of them. What lies in the tenants' namespaces comes when those are there.
    let things = digests(THINGS);
    let (inside, outside): (Vec<&str>, Vec<&str>) = things.split("\n---\n").partition(|text| text.contains("namespace: clinic"));
    admin.apply(&outside.join("\n---\n")).await;
    admin.apply(TENANTS).await;
    let approver = approver(plane).await;
    for tenant in ["clinic", "pretender", "halted"] {
        approve(&approver, tenant).await;
        if tenant != "pretender" {
            admin.tenant_ready(tenant).await;
        }
    }
    decide(&approver, "halted", "Suspended").await;
    // So that there is a generation that is past.
    admin.patch("AgencyTenant", "", "atelier", json!({"spec": {"displayName": "画室二"}})).await;
    admin.tenant_ready("museum").await;
    admin.until_condition("AgencyTenant", "", "pretender", "Accepted", "False", "Invalid").await;
    for open in ["atelier", "studio", "salon"] {
        admin.until_condition("AgencyTenant", "", open, "Approved", "False", "Requested").await;
    }
    let small = |tenant: &str, system: &str| system_yaml(tenant, system).replace("requests.cpu: '8'", "requests.cpu: '4'");
    let systems = [("clinic", "web"), ("clinic", "db"), ("clinic", "archive"), ("clinic", "going"), ("museum", "shop")];
    for (tenant, system) in systems {
        let share = if tenant == "museum" { "pods: 60, requests.example.com/gpu: '2'" } else { "pods: 60" };
        let deletion = if system == "archive" { "  deletionPolicy: Delete\n" } else { "" };
        admin.apply(&format!("{}{deletion}", small(tenant, system).replace("pods: 60", share))).await;
    }
    for (tenant, system) in systems {
        admin.system_ready(tenant, system).await;
        let namespace = format!("{tenant}--{system}");
        admin.until("has its account", "ServiceAccount", &namespace, "default", |account| account.is_some()).await;
    }
    let paused = small("clinic", "paused").replace("32Gi", "1Gi").replace("stage: Running", "stage: Suspended");
    admin.apply(&paused).await;
    admin.until_condition("HostedSystem", "clinic", "paused", "Ready", "True", "Suspended").await;
    for namespace in ["clinic", "oddity", "oddity--odd", "plain-ground"] {
        admin.until("has its account", "ServiceAccount", namespace, "default", |account| account.is_some()).await;
    }
    admin.apply(&inside.join("\n---\n")).await;
    let rests = |policy: Option<&Value>| {
        policy.is_some_and(|policy| policy["metadata"]["annotations"]["govcloud.io/suspended-pod-selector"].is_string())
    };
    admin.until("has no effect", "NetworkPolicy", "clinic--paused", "resting", rests).await;
    admin.patch("HostedSystem", "clinic", "going", json!({"metadata": {"finalizers": ["example.com/held", "govcloud.io/hold"]}})).await;
    admin.delete("HostedSystem", "clinic", "going").await;
    admin
        .until("is released", "HostedSystem", "clinic", "going", |system| {
            system.is_some_and(|system| system["metadata"]["finalizers"] == json!(["example.com/held"]))
        })
        .await;
    admin.apply(&format!("{}  deletionPolicy: Delete\n", small("clinic", "leaving"))).await;
    admin.system_ready("clinic", "leaving").await;
    let uid = admin.get("HostedSystem", "clinic", "leaving").await["metadata"]["uid"].clone();
    admin.patch("HostedSystem", "clinic", "leaving", json!({"metadata": {"annotations": {"govcloud.io/confirm-delete": uid}}})).await;
}

async fn approver(plane: &ControlPlane) -> Person {
    Person { client: plane.client_as("attacks-sec", &[]).await.unwrap() }
}

async fn approve(approver: &Person, tenant: &str) {
    decide(approver, tenant, "Approved").await;
}

async fn decide(approver: &Person, tenant: &str, decision: &str) {
    let generation = approver.get("AgencyTenant", "", tenant).await["metadata"]["generation"].clone();
    let approval =
        json!({"status": {"approval": {"decision": decision, "generation": generation, "by": "attacks-sec", "reason": "tried"}}});
    let tenants = approver.api("AgencyTenant", "");
    let patched = tenants.patch_status(tenant, &PatchParams::default(), &Patch::Merge(approval)).await;
    patched.unwrap_or_else(|error| panic!("{tenant} is not approved: {error}"));
}
