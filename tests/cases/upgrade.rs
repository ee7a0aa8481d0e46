//! From the version before to this one and back, as Helm and a Deployment do it: the policies first, then one replica after the other, so
//! that both versions run at once. The tenant's children are written only where the two versions write them differently, its isolation is
//! there at each revision, and what members may not do is refused all the time.

use std::{
    collections::BTreeMap,
    path::Path,
    time::{Duration, Instant},
};

use acceptance::{ControlPlane, Helm, Operator, Previous, audit, previous, workspace};
use kube::{ResourceExt, api::PostParams};
use serde_json::{Value, json};
use tokio::{
    sync::oneshot,
    task::{JoinHandle, spawn_blocking},
    time::sleep,
};

use crate::{
    alone::line,
    chart::{INSTALL, UPGRADE, empty_cluster},
    cluster::{PATIENCE, Person, tenant_yaml},
    history::History,
};

const ROLLBACK: [&str; 8] = ["rollback", "govcloud", "1", "--namespace", "govcloud-system", "--wait", "--timeout", "60s"];
const NOW: &str = env!("CARGO_PKG_VERSION");
const TENANT: &str = "renewed";
/// One that comes while the policies are older than the operator that leads.
const LATE: &str = "late";
const HOME_AND_SYSTEM: [&str; 2] = ["renewed", "renewed--web"];
/// A tenant is at rest when nothing was written for so long.
const REST: Duration = Duration::from_secs(3);

struct Upgrade<'a> {
    plane: &'a ControlPlane,
    helm: &'a Helm,
    admin: &'a Person,
}

#[tokio::test]
async fn helm_4_upgrades_from_the_previous_version_and_back_beside_a_tenant() {
    with(Helm::four).await;
}

#[tokio::test]
async fn helm_3_upgrades_from_the_previous_version_and_back_beside_a_tenant() {
    with(Helm::three).await;
}

async fn with(helm: fn() -> anyhow::Result<Helm>) {
    let built = spawn_blocking(move || Ok::<_, anyhow::Error>((helm()?, Previous::build()?, Operator::build()?)));
    let (helm, previous, program) = built.await.unwrap().unwrap_or_else(|error| panic!("{error:#}"));
    let (plane, admin) = empty_cluster().await;
    let upgrade = Upgrade { plane: &plane, helm: &helm, admin: &admin };
    let (chart, previous_chart) = (workspace().join("charts/govcloud"), previous.chart.to_string_lossy());
    let chart = chart.to_string_lossy();
    upgrade.helm(&["lint", "--strict", &chart]);
    upgrade.helm(&[&INSTALL[..], &[&previous_chart]].concat());
    let mut history = History::begin(&admin).await;
    let former = upgrade.start(&previous.program).await;
    admin.tenant_with_systems(TENANT, &["web"]).await;
    let (end, tries) = upgrade.members_try_all_the_time().await;
    let (rails, settings) = (upgrade.rails(previous::VERSION).await, upgrade.settings().await);

    upgrade.helm(&[&UPGRADE[..], &["--set", "config.workers=4", &chart]].concat());
    assert_eq!(upgrade.rails(NOW).await, rails);
    assert_ne!(upgrade.settings().await, settings);
    let later = upgrade.start(&program).await;
    upgrade.one_writes(&former, &later, "9").await;
    admin.tenant_with_systems("early", &[]).await; // by the former version, beside newer policies
    upgrade.hands_over(former, &later, "UDP").await;

    let former = upgrade.start(&previous.program).await;
    upgrade.one_writes(&later, &former, "10").await;
    upgrade.helm(&ROLLBACK);
    assert_eq!(upgrade.rails(previous::VERSION).await, rails);
    assert_eq!(upgrade.settings().await, settings);
    upgrade.lets_nobody_in(&later).await;
    upgrade.hands_over(later, &former, "TCP").await;
    admin.tenant_ready(LATE).await;

    end.send(()).unwrap();
    let tries = tries.await.unwrap();
    assert!(tries > 20, "members tried {tries} times only");
    history.catch_up(&admin, |tenant| [TENANT, LATE].contains(&tenant)).await;
    assert_eq!(history.unguarded(|tenant| [TENANT, LATE].contains(&tenant)), [""; 0]);
    always_isolated(&history);
    former.stop().await.unwrap();
}

impl Upgrade<'_> {
    fn helm(&self, arguments: &[&str]) {
        self.helm.run(self.plane, arguments).unwrap_or_else(|error| panic!("{error:#}"));
    }

    async fn start(&self, program: &Path) -> Operator {
        Operator::start_program(self.plane, program).await.unwrap_or_else(|error| panic!("{error:#}"))
    }

    /// While both versions run, the leader hands a share out and the standby, which is ready, writes nothing.
    async fn one_writes(&self, leader: &Operator, standby: &Operator, share: &str) {
        let position = self.position();
        let wanted = json!({"spec": {"resources": {"guaranteed": {"requests.cpu": share}}}});
        self.admin.patch("HostedSystem", TENANT, "web", wanted).await;
        let handed_out = |quota: Option<&Value>| quota.is_some_and(|quota| quota["status"]["hard"]["requests.cpu"] == share);
        self.admin.until("the share is handed out", "ResourceQuota", "renewed--web", "govcloud-quota", handed_out).await;
        self.admin.system_ready(TENANT, "web").await;
        self.at_rest().await;
        assert!(!self.writes_of(leader, position).is_empty());
        assert_eq!(self.writes_of(standby, position), [""; 0]);
    }

    /// The leader ends and the other version takes over. It writes once what it writes otherwise, and nothing else of the tenant.
    async fn hands_over(&self, leader: Operator, standby: &Operator, protocol: &str) {
        let (position, before) = (self.position(), self.children().await);
        leader.stop().await.unwrap();
        let rewritten = |policy: Option<&Value>| policy.is_some_and(|policy| first_protocol_of_dns(policy) == protocol);
        self.admin.until("it is written as this version does", "NetworkPolicy", "renewed--web", "govcloud-isolation", rewritten).await;
        self.at_rest().await;
        let after = self.children().await;
        let changed: Vec<&String> = after.keys().filter(|key| before.get(*key) != after.get(*key)).collect();
        assert_eq!(changed, ["NetworkPolicy renewed--web/govcloud-isolation"]);
        assert!(before.keys().eq(after.keys()), "{before:#?} {after:#?}");
        let mut writes = self.writes_of(standby, position);
        writes.retain(|write| !write.contains(LATE));
        assert_eq!(writes, ["update networkpolicies renewed--web/govcloud-isolation"]);
    }

    /// A leader that finds older policies than its own isolates a new tenant, and lets nobody into it.
    async fn lets_nobody_in(&self, leader: &Operator) {
        let begin = Instant::now();
        let complaint = format!("is of version {}", previous::VERSION);
        while !leader.get("/readyz").await.unwrap().1.contains(&complaint) {
            assert!(begin.elapsed() < PATIENCE, "the leader does not notice that its policies are older");
            sleep(Duration::from_millis(50)).await;
        }
        self.admin.apply(&tenant_yaml(LATE)).await;
        let told = self.admin.until_condition("AgencyTenant", "", LATE, "Provisioned", "False", "PolicyNotActive").await;
        assert!(told.contains(&complaint), "{told}");
        self.admin.get("NetworkPolicy", LATE, "govcloud-isolation").await;
        assert_eq!(self.admin.names("RoleBinding", LATE).await, [""; 0]);
        assert!(self.admin.look("ClusterRoleBinding", "", "govcloud:tenant:late").await.is_none());
    }

    /// An Owner tries, in dry runs and until told to end, what the policies refuse to members and beside it what they admit; gives how often.
    async fn members_try_all_the_time(&self) -> (oneshot::Sender<()>, JoinHandle<usize>) {
        let owner = Person { client: self.plane.client_as("an-owner", &["renewed-owners"]).await.unwrap() };
        for (group, resource) in [("rbac.authorization.k8s.io", "rolebindings"), ("networking.k8s.io", "networkpolicies")] {
            owner.until_may("create", group, resource, "renewed--web").await;
        }
        let (end, mut ended) = oneshot::channel();
        let trying = tokio::spawn(async move {
            let mut times = 0;
            while ended.try_recv().is_err() {
                for (kind, object, refused_by) in tries() {
                    let dry_run = PostParams { dry_run: true, ..PostParams::default() };
                    let object = serde_json::from_value(object).unwrap();
                    let answer = owner.api(kind, "renewed--web").create(&dry_run, &object).await;
                    let answer = answer.map(drop).map_err(|error| error.to_string());
                    match refused_by {
                        None => assert_eq!(answer, Ok(()), "a member's own {kind}"),
                        Some(policy) => {
                            let words = format!("ValidatingAdmissionPolicy '{policy}'");
                            assert!(answer.as_ref().is_err_and(|told| told.contains(&words)), "{kind}: {answer:?}");
                        }
                    }
                }
                times += 1;
                sleep(Duration::from_millis(50)).await;
            }
            times
        });
        (end, trying)
    }

    /// UID and generation of each policy and binding, all of which are of a version.
    async fn rails(&self, version: &str) -> BTreeMap<String, [Value; 2]> {
        let mut found = BTreeMap::new();
        for kind in ["ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"] {
            for object in self.admin.api(kind, "").list(&Default::default()).await.unwrap().items {
                let name = object.name_any();
                let metadata = serde_json::to_value(object.metadata).unwrap();
                assert_eq!(metadata["labels"]["app.kubernetes.io/version"], version, "{kind} {name}");
                found.insert(format!("{kind} {name}"), [metadata["uid"].clone(), metadata["generation"].clone()]);
            }
        }
        assert!(found.len() > 30, "{found:#?}");
        found
    }

    /// The operator's settings, and what its pods are made of.
    async fn settings(&self) -> [Value; 2] {
        let get = async |kind| self.admin.get(kind, "govcloud-system", "govcloud-operator").await;
        [get("ConfigMap").await["data"].clone(), get("Deployment").await["spec"]["template"].clone()]
    }

    /// UID and version of each object in the tenant's two namespaces, of these themselves, and of what is its own in the whole cluster.
    async fn children(&self) -> BTreeMap<String, [Option<String>; 2]> {
        let mut found = BTreeMap::new();
        for kind in [
            "Namespace",
            "NetworkPolicy",
            "ResourceQuota",
            "LimitRange",
            "ServiceAccount",
            "RoleBinding",
            "ClusterRole",
            "ClusterRoleBinding",
        ] {
            for object in self.admin.api(kind, "").list(&Default::default()).await.unwrap().items {
                let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
                let in_cluster = kind.starts_with("Cluster") && name.ends_with(":renewed");
                if in_cluster
                    || HOME_AND_SYSTEM.contains(&namespace.as_str())
                    || (kind == "Namespace" && HOME_AND_SYSTEM.contains(&name.as_str()))
                {
                    found.insert(format!("{kind} {namespace}/{name}"), [object.uid(), object.resource_version()]);
                }
            }
        }
        found
    }

    fn position(&self) -> u64 {
        audit::position(self.plane.audit_log().unwrap()).unwrap()
    }

    /// What operators wrote since then but for their lease and events, with who it was.
    fn all_writes(&self, position: u64) -> Vec<audit::Request> {
        let mut requests = audit::requests_since(self.plane.audit_log().unwrap(), position).unwrap();
        let is_meant = |request: &audit::Request| {
            let resource = request.object_ref.as_ref().map_or("", |object| &object.resource);
            request.is_write() && request.user_agent.starts_with("govcloud/") && !["leases", "events"].contains(&resource)
        };
        requests.retain(is_meant);
        requests
    }

    fn writes_of(&self, operator: &Operator, position: u64) -> Vec<String> {
        self.all_writes(position).iter().filter(|request| request.is_by(operator.credential())).map(line).collect()
    }

    /// Waits until no operator has written anything for some seconds.
    async fn at_rest(&self) {
        let begin = Instant::now();
        loop {
            let position = self.position();
            sleep(REST).await;
            let writes = self.all_writes(position);
            if writes.is_empty() {
                return;
            }
            assert!(begin.elapsed() < PATIENCE, "the operators do not come to rest: {:#?}", writes.iter().map(line).collect::<Vec<_>>());
        }
    }
}

/// What a member tries, and the policy that refuses it.
fn tries() -> [(&'static str, Value, Option<&'static str>); 4] {
    let binding = |subject: Value| {
        let role = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "govcloud:deployer"});
        json!({"metadata": {"name": "tried"}, "roleRef": role, "subjects": [subject]})
    };
    let policy =
        |from: Value| json!({"metadata": {"name": "tried"}, "spec": {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [from]}});
    [
        ("RoleBinding", binding(json!({"kind": "ServiceAccount", "name": "ci", "namespace": "museum--shop"})), Some("govcloud-bindings")),
        ("RoleBinding", binding(json!({"kind": "ServiceAccount", "name": "ci", "namespace": "renewed--web"})), None),
        ("NetworkPolicy", policy(json!({})), Some("govcloud-networkpolicies")),
        ("NetworkPolicy", policy(json!({"from": [{"podSelector": {}}]})), None),
    ]
}

/// The protocol that a policy names first on the way to the name servers: what the two versions write differently.
fn first_protocol_of_dns(policy: &Value) -> &Value {
    let mut rules = policy["spec"]["egress"].as_array().into_iter().flatten();
    rules.find(|rule| rule["ports"][0]["port"] == 53).map_or(&Value::Null, |rule| &rule["ports"][0]["protocol"])
}

/// At each revision the tenant's namespaces have the isolation that they had at first, and a quota.
fn always_isolated(history: &History) {
    for namespace in HOME_AND_SYSTEM {
        let opened: Vec<String> = history
            .of("NetworkPolicy", namespace)
            .map(|revision| {
                let mut spec = revision.object.as_ref().unwrap_or_else(|| panic!("it was deleted: {namespace}"))["spec"].clone();
                for rule in spec["egress"].as_array_mut().into_iter().flatten() {
                    if let Some(ports) = rule["ports"].as_array_mut() {
                        ports.sort_by_key(Value::to_string);
                    }
                }
                spec.to_string()
            })
            .collect();
        assert_eq!(opened.len(), if namespace == "renewed" { 1 } else { 3 }, "{namespace}: {opened:#?}");
        assert!(opened.iter().all(|spec| *spec == opened[0]), "{namespace}: {opened:#?}");
        assert!(history.of("ResourceQuota", namespace).all(|revision| revision.object.is_some()), "the quota of {namespace} was deleted");
    }
}
