//! Where RBAC says yes and a policy may still say no: every write that the table allows somebody, on every object that is there, tried
//! for real without effect (`dryRun=All`). A permission review does not see what a policy refuses.
//!
//! Objects are those that the operator manages, the two kinds of govcloud, and one harmless object of every kind that members create:
//! beside each refusal stands the same write on an object of theirs. Entering pods and subresources other than those of
//! `subresource` cannot be tried without effect, or hold nothing that a policy guards.

use std::collections::BTreeSet;

use kube::{
    Api, ResourceExt,
    api::{ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams},
    discovery::{Discovery, Scope},
};
use serde_json::{Value, json};

use super::{
    table::{Cells, cell},
    world::{CLUSTER, PLACES, PRINCIPALS, Principal},
};
use crate::cluster::Person;

/// Who is tried; the others write nothing.
const WHO: [&str; 7] = ["requester", "owner", "deployer", "pipeline", "system-admin", "security-admin", "platform"];
const WHERE: [&str; 3] = [CLUSTER, "home", "own"];
/// Tells the harmless objects from what Kubernetes makes of them.
const SAMPLE: &str = "matrix.example/sample";
const POD: &str = "{securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}, containers: [{name: main, \
    image: 'registry.example.gov.cn/base/web:1', \
    securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}}]}";

/// An object that somebody may write.
struct Target {
    place: &'static str,
    /// As the table names its resource.
    what: String,
    resource: ApiResource,
    object: DynamicObject,
}

/// Brings one harmless object of each kind into a workload namespace.
pub async fn bring_samples(admin: &Person) {
    let once = POD.replacen('{', "{restartPolicy: Never, ", 1);
    let text = include_str!("samples.yaml").replace("spec: POD", &format!("spec: {POD}")).replace("spec: ONCE", &format!("spec: {once}"));
    for mut object in acceptance::manifests::parse(&text).unwrap() {
        object.metadata.namespace = Some("matrix--web".to_owned());
        object.labels_mut().insert(SAMPLE.to_owned(), "yes".to_owned());
        admin.apply(&serde_json::to_string(&object).unwrap()).await;
    }
}

/// Tries everything; gives what came of it: who, with which outcome, on what, by which attempts.
pub async fn outcomes(plane: &acceptance::ControlPlane, admin: &Person, allowed: &Cells) -> Cells {
    let targets = targets(admin, allowed).await;
    let whos = PRINCIPALS.iter().filter(|principal| WHO.contains(&principal.key));
    let tried = whos.map(|principal| {
        let targets = &targets;
        async move {
            let person = principal.sign_in(plane).await;
            let mut cells = Cells::new();
            for target in targets {
                for (attempt, outcome) in target.attempts(principal, &person, admin, allowed).await {
                    let what = format!("{} {}/{}", target.place, target.resource.plural, target.object.name_any());
                    cells.insert(cell(principal.key, &outcome, &what, attempt));
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
        if !written.contains(what.as_str()) {
            continue;
        }
        for place in PLACES.iter().filter(|place| WHERE.contains(&place.key)) {
            if (capabilities.scope == Scope::Cluster) != (place.key == CLUSTER) {
                continue;
            }
            let found = targets_in(admin, &resource, place.key, &what).await;
            targets.extend(found);
        }
        assert!(targets.iter().any(|target| target.what == what), "samples.yaml has nothing for {what}, which members may write");
    }
    targets
}

async fn targets_in(admin: &Person, resource: &ApiResource, place: &'static str, what: &str) -> Vec<Target> {
    let objects = api(admin, resource, place).list(&ListParams::default()).await.unwrap().items;
    let wanted = |object: &DynamicObject| match resource.plural.as_str() {
        "agencytenants" => ["matrix", "outsider"].contains(&object.name_any().as_str()),
        "hostedsystems" => true,
        _ => [SAMPLE, "govcloud.io/tenant"].iter().any(|label| object.labels().contains_key(*label)),
    };
    let target = |object| Target { place, what: what.to_owned(), resource: resource.clone(), object };
    objects.into_iter().filter(wanted).map(target).collect()
}

fn api(person: &Person, resource: &ApiResource, place: &str) -> Api<DynamicObject> {
    match PLACES.iter().find(|known| known.key == place) {
        Some(found) if place != CLUSTER => Api::namespaced_with(person.client.clone(), found.namespace, resource),
        _ => Api::all_with(person.client.clone(), resource),
    }
}

impl Target {
    /// Whether the table lets them.
    fn lets(&self, who: &str, subresource: &str, verb: &str, allowed: &Cells) -> bool {
        let whole = format!("{}{subresource}", self.what);
        let one = format!("{whole}[{}]", self.object.name_any());
        let holds = |place: &str, what: &str| allowed.contains(&cell(who, place, what, verb));
        [CLUSTER, self.place].iter().any(|place| holds(place, &whole) || holds(place, &one))
    }

    async fn attempts(&self, who: &Principal, person: &Person, admin: &Person, allowed: &Cells) -> Vec<(&'static str, String)> {
        let api = api(person, &self.resource, self.place);
        let name = self.object.name_any();
        let lets = |verb| self.lets(who.key, "", verb, allowed);
        let mut outcomes = Vec::new();
        if lets("create") {
            for (attempt, copy) in self.copies() {
                let parameters = PostParams { dry_run: true, ..PostParams::default() };
                outcomes.push((attempt, outcome(api.create(&parameters, &copy).await)));
            }
        }
        if lets("update") {
            outcomes.push(("update", self.update(&api, admin).await));
        }
        if lets("patch") {
            for (attempt, patch) in self.patches() {
                let parameters = PatchParams { dry_run: true, ..PatchParams::default() };
                outcomes.push((attempt, outcome(api.patch(&name, &parameters, &Patch::Merge(patch)).await)));
            }
        }
        let parameters = DeleteParams { dry_run: true, ..DeleteParams::default() };
        if lets("delete") {
            outcomes.push(("delete", outcome(api.delete(&name, &parameters).await)));
        }
        if lets("deletecollection") {
            let one = ListParams::default().fields(&format!("metadata.name={name}"));
            outcomes.push(("deletecollection", outcome(api.delete_collection(&parameters, &one).await)));
        }
        if self.lets(who.key, "/status", "patch", allowed) {
            for (attempt, status) in self.statuses(who.user) {
                let parameters = PatchParams { dry_run: true, ..PatchParams::default() };
                let answer = api.patch_status(&name, &parameters, &Patch::Merge(json!({ "status": status }))).await;
                outcomes.push((attempt, outcome(answer)));
            }
        }
        if self.lets(who.key, "/token", "create", allowed) {
            let request = json!({ "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": { "audiences": [] } });
            let parameters = PostParams { dry_run: true, ..PostParams::default() };
            let answer: Result<Value, _> = api.create_subresource("token", &name, &parameters, &request).await;
            outcomes.push(("token", outcome(answer)));
        }
        outcomes
    }

    /// As new objects: with the operator's marks, where it has some, and without.
    fn copies(&self) -> Vec<(&'static str, DynamicObject)> {
        let mut marked = self.object.clone();
        let labels = marked.metadata.labels.take();
        marked.metadata = kube::api::ObjectMeta { name: Some("copy".to_owned()), ..Default::default() };
        if let Some(data) = marked.data.as_object_mut() {
            data.remove("status");
        }
        // Given by the API server to the one that was copied.
        for path in ["/spec/clusterIP", "/spec/clusterIPs", "/spec/selector/matchLabels/batch.kubernetes.io~1controller-uid"] {
            let (parent, key) = path.rsplit_once('/').unwrap();
            let key = key.replace("~1", "/");
            if let Some(parent) = marked.data.pointer_mut(parent).and_then(Value::as_object_mut) {
                parent.remove(&key);
            }
        }
        if self.resource.kind == "Job" {
            marked.data["spec"]["selector"] = Value::Null;
            marked.data["spec"]["template"]["metadata"] = Value::Null;
        }
        let plain = marked.clone();
        marked.metadata.labels = labels;
        let has_marks = marked.labels().keys().any(|key| key.starts_with("govcloud.io/"));
        has_marks.then_some(("create-marked", marked)).into_iter().chain([("create", plain)]).collect()
    }

    /// The whole object with a harmless label.
    async fn update(&self, api: &Api<DynamicObject>, admin: &Person) -> String {
        loop {
            let mut object = self::api(admin, &self.resource, self.place).get(&self.object.name_any()).await.unwrap();
            object.labels_mut().insert("team.example/touched".to_owned(), "yes".to_owned());
            let parameters = PostParams { dry_run: true, ..PostParams::default() };
            match api.replace(&object.name_any(), &parameters, &object).await {
                Err(kube::Error::Api(status)) if status.code == 409 => {} // somebody wrote in between
                answer => return outcome(answer),
            }
        }
    }

    fn patches(&self) -> Vec<(&'static str, Value)> {
        let owner = json!([{ "apiVersion": "v1", "kind": "ConfigMap", "name": "dead", "uid": "0f5c2f3e-6d0e-4a57-9a51-52a3c4d1c1aa" }]);
        let mut finalizers = self.object.finalizers().to_vec();
        finalizers.push("example.com/never".to_owned());
        let mut patches = vec![
            ("label", json!({ "metadata": { "labels": { "team.example/touched": "yes" } } })),
            ("mark", json!({ "metadata": { "labels": { "govcloud.io/tenant": "outsider" } } })),
            ("owner", json!({ "metadata": { "ownerReferences": owner } })),
            ("finalizer", json!({ "metadata": { "finalizers": finalizers } })),
        ];
        let everybody = json!([{ "apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "system:authenticated" }]);
        match self.resource.kind.as_str() {
            "AgencyTenant" => patches.extend([
                ("spec", json!({ "spec": { "displayName": "另一个名字" } })),
                ("request", json!({ "spec": { "displayName": "另一个名字", "preapproved": false } })),
            ]),
            "HostedSystem" => patches.push(("spec", json!({ "spec": { "displayName": "另一个名字" } }))),
            "NetworkPolicy" => patches.push(("open", json!({ "spec": { "ingress": [{}] } }))),
            "RoleBinding" => patches.push(("let-in", json!({ "subjects": everybody }))),
            _ => {}
        }
        patches
    }

    fn statuses(&self, user: &str) -> Vec<(&'static str, Value)> {
        let generation = self.object.metadata.generation;
        let decision = |by: &str| json!({ "approval": { "decision": "Suspended", "generation": generation, "by": by, "reason": "试" } });
        vec![
            ("decide", decision(user)),
            ("decide-as-another", decision("somebody")),
            ("forge-stage", json!({ "stage": "Retired" })),
            ("forge-contract", json!({ "contractGeneration": 99 })),
        ]
    }
}

/// `allowed`, or which policy refused by which rule.
fn outcome<T>(answer: kube::Result<T>) -> String {
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
        _ if status.message.contains("attempting to grant RBAC permissions") => "RBAC: nobody grants what they lack".to_owned(),
        _ if status.message.contains("exceeded quota") => "quota".to_owned(),
        _ => panic!("neither allowed nor refused by a policy: {}", status.message),
    }
}
