//! Where RBAC says yes and a policy may still say no: every write that the table allows somebody, on every object that is there, tried
//! for real without effect (`dryRun=All`). A permission review does not see what a policy refuses.
//!
//! Objects are those that the operator manages, the two kinds of govcloud, and one harmless object of every kind that members create:
//! beside each refusal stands the same write on an object of theirs. Pods are not entered.

use std::collections::BTreeSet;

use acceptance::{
    ControlPlane,
    manifests::{self, Applier},
};
use kube::{
    Api, ResourceExt,
    api::{ApiResource, DeleteParams, DynamicObject, ListParams},
    discovery::{Discovery, Scope},
};

use super::{
    table::{Cells, cell},
    world::{CLUSTER, PLACES, PRINCIPALS},
};
use crate::cluster::Person;

/// Who is tried; the others write nothing.
const WHO: [&str; 8] = ["requester", "owner", "deployer", "pipeline", "system-admin", "security-admin", "platform", "operator"];
/// Where everything that is managed and every sample is a target, and where what is named here.
const INSIDE: [&str; 2] = ["home", "own"];
const OUTSIDE: [(&str, &str, &[&str]); 6] = [
    (CLUSTER, "agencytenants", &["matrix", "outsider"]),
    (CLUSTER, "namespaces", &["matrix", "matrix--web", "kube-system"]),
    (CLUSTER, "clusterroles", &["govcloud:tenant:matrix", "govcloud:owner"]),
    (CLUSTER, "clusterrolebindings", &["govcloud:tenant:matrix", "cluster-admin"]),
    ("kube-system", "rolebindings", &["system::leader-locking-kube-controller-manager"]),
    ("kube-system", "serviceaccounts", &["default"]),
];
/// No policy guards what is only told or asked.
const UNTRIED: [&str; 3] = ["events", "events.events.k8s.io", "localsubjectaccessreviews.authorization.k8s.io"];
/// Tells the harmless objects from what Kubernetes makes of them.
const SAMPLE: &str = "matrix.example/sample";
const POD: &str = "{securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}, containers: [{name: main, \
    image: 'registry.example.gov.cn/base/web:1', \
    securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}}]}";

/// An object that somebody may write.
pub struct Target {
    pub place: &'static str,
    /// As the table names its resource.
    pub what: String,
    pub resource: ApiResource,
    pub object: DynamicObject,
}

impl Target {
    pub fn is_sample(&self) -> bool {
        self.object.labels().contains_key(SAMPLE)
    }
}

/// One harmless object of each kind, in a workload namespace.
fn samples() -> Vec<DynamicObject> {
    let once = POD.replacen('{', "{restartPolicy: Never, ", 1);
    let text = include_str!("samples.yaml").replace("spec: POD", &format!("spec: {POD}")).replace("spec: ONCE", &format!("spec: {once}"));
    let mut samples = manifests::parse(&text).unwrap();
    for object in &mut samples {
        object.metadata.namespace = Some("matrix--web".to_owned());
        object.labels_mut().insert(SAMPLE.to_owned(), "yes".to_owned());
    }
    samples
}

pub async fn bring_samples(admin: &Person) {
    for object in samples() {
        admin.apply(&serde_json::to_string(&object).unwrap()).await;
    }
}

pub async fn take_samples(admin: &Person) {
    let applier = Applier::new(admin.client.clone(), "case").await.unwrap();
    for object in samples() {
        applier.api(&object).unwrap().delete(&object.name_any(), &DeleteParams::background()).await.unwrap();
    }
}

/// Tries everything; gives what came of it: who, with which outcome, by which attempt, on what.
pub async fn outcomes(plane: &ControlPlane, admin: &Person, allowed: &Cells) -> Cells {
    let targets = targets(admin, allowed).await;
    let whos = PRINCIPALS.iter().filter(|principal| WHO.contains(&principal.key));
    let tried = whos.map(|principal| {
        let targets = &targets;
        async move {
            let person = principal.sign_in(plane).await;
            let mut cells = Cells::new();
            for target in targets {
                for (attempt, outcome) in target.attempts(principal, &person, admin, allowed).await {
                    let on = format!("{}/{}/{}", target.place, target.resource.plural, target.object.name_any());
                    cells.insert(cell(principal.key, &outcome, attempt, &on));
                }
            }
            cells
        }
    });
    futures::future::join_all(tried).await.into_iter().flatten().collect()
}

/// Every object that is managed, ours, or a sample, of every resource that somebody who is tried writes.
async fn targets(admin: &Person, allowed: &Cells) -> Vec<Target> {
    let written: BTreeSet<&str> = allowed
        .iter()
        .filter(|cell| WHO.contains(&cell.who.as_str()) && !["get", "list", "watch"].contains(&cell.word.as_str()))
        .filter_map(|cell| cell.what.split(['/', '[']).next())
        .collect();
    let discovery = Discovery::new(admin.client.clone()).run_aggregated().await.unwrap();
    let mut targets = Vec::new();
    for (resource, capabilities) in discovery.groups().flat_map(kube::discovery::ApiGroup::recommended_resources) {
        let group = if resource.group.is_empty() { String::new() } else { format!(".{}", resource.group) };
        let what = format!("{}{group}", resource.plural);
        if UNTRIED.contains(&what.as_str()) || !written.contains(what.as_str()) {
            continue;
        }
        for place in PLACES.iter().filter(|place| (capabilities.scope == Scope::Cluster) == (place.key == CLUSTER)) {
            let found = targets_in(admin, &resource, place.key, &what).await;
            targets.extend(found);
        }
        assert!(
            targets.iter().any(|target| target.what == what),
            "there is nothing to try of {what}, which somebody may write: add it to samples.yaml"
        );
    }
    targets
}

async fn targets_in(admin: &Person, resource: &ApiResource, place: &'static str, what: &str) -> Vec<Target> {
    let objects = api(admin, resource, place).list(&ListParams::default()).await.unwrap().items;
    let listed = OUTSIDE.iter().find(|(there, plural, _)| *there == place && *plural == resource.plural);
    let wanted = |object: &DynamicObject| match listed {
        Some((_, _, names)) => names.contains(&object.name_any().as_str()),
        None if !INSIDE.contains(&place) => false,
        None if resource.plural == "hostedsystems" => true,
        None => [SAMPLE, "govcloud.io/tenant"].iter().any(|label| object.labels().contains_key(*label)),
    };
    let target = |object| Target { place, what: what.to_owned(), resource: resource.clone(), object };
    objects.into_iter().filter(wanted).map(target).collect()
}

pub fn api(person: &Person, resource: &ApiResource, place: &str) -> Api<DynamicObject> {
    match PLACES.iter().find(|known| known.key == place) {
        Some(found) if place != CLUSTER => Api::namespaced_with(person.client.clone(), found.namespace, resource),
        _ => Api::all_with(person.client.clone(), resource),
    }
}

/// `allowed`, or which policy refused by which rule.
pub fn outcome<T>(answer: kube::Result<T>) -> String {
    let status = match answer {
        Ok(_) => return "allowed".to_owned(),
        Err(kube::Error::Api(status)) => status,
        Err(error) => panic!("{error}"),
    };
    let after = |prefix: &str, end: &str| {
        let (_, rest) = status.message.split_once(prefix)?;
        rest.split(end).next().map(str::to_owned)
    };
    match (after("ValidatingAdmissionPolicy '", "'"), after("denied request: rule ", ":")) {
        (Some(policy), Some(rule)) => format!("{policy} {rule}"),
        (Some(policy), None) => policy,
        _ if status.message.contains("attempting to grant RBAC permissions") => "RBAC (nobody grants what they lack)".to_owned(),
        _ if status.message.contains("this namespace may not be deleted") => "Kubernetes itself".to_owned(),
        _ if status.message.contains("exceeded quota") => "quota".to_owned(),
        _ => panic!("neither allowed nor refused by a policy: {}", status.message),
    }
}
