//! One object, tried by one person in every way that the table lets them.

use kube::{
    Api, ResourceExt,
    api::{DeleteParams, DynamicObject, ListParams, ObjectMeta, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};

use super::{
    table::{Cells, cell},
    tries::{self, Target, outcome},
    world::{CLUSTER, Principal},
};
use crate::cluster::Person;

impl Target {
    /// Whether the table lets them.
    fn lets(&self, who: &str, subresource: &str, verb: &str, allowed: &Cells) -> bool {
        let whole = format!("{}{subresource}", self.what);
        let one = format!("{whole}[{}]", self.object.name_any());
        let holds = |place: &str, what: &str| allowed.contains(&cell(who, place, what, verb));
        [CLUSTER, self.place].iter().any(|place| holds(place, &whole) || holds(place, &one))
    }

    /// Every attempt that the table lets them make, and what came of it.
    pub async fn attempts(&self, who: &Principal, person: &Person, admin: &Person, allowed: &Cells) -> Vec<(&'static str, String)> {
        let api = tries::api(person, &self.resource, self.place);
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
            for (attempt, patch) in self.patches(who.key) {
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
        outcomes.extend(self.subresources(who, &api, allowed).await);
        outcomes
    }

    async fn subresources(&self, who: &Principal, api: &Api<DynamicObject>, allowed: &Cells) -> Vec<(&'static str, String)> {
        let name = self.object.name_any();
        let mut outcomes = Vec::new();
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

    /// As new objects: as it is without marks, and where that is harmless with one.
    fn copies(&self) -> Vec<(&'static str, DynamicObject)> {
        let mut plain = self.object.clone();
        plain.metadata = ObjectMeta { name: Some("copy".to_owned()), ..Default::default() };
        // Given by the API server, the scheduler and controllers to the one that is copied.
        for path in ["/status", "/spec/clusterIP", "/spec/clusterIPs", "/spec/nodeName"] {
            remove(&mut plain.data, path);
        }
        if self.resource.kind == "Job" {
            remove(&mut plain.data, "/spec/selector");
            remove(&mut plain.data, "/spec/template/metadata");
        }
        let mut marked = plain.clone();
        marked.labels_mut().insert("govcloud.io/tenant".to_owned(), "matrix".to_owned());
        self.is_sample().then_some(("create-marked", marked)).into_iter().chain([("create", plain)]).collect()
    }

    /// The whole object with a harmless label.
    async fn update(&self, api: &Api<DynamicObject>, admin: &Person) -> String {
        loop {
            let mut object = tries::api(admin, &self.resource, self.place).get(&self.object.name_any()).await.unwrap();
            object.labels_mut().insert("team.example/touched".to_owned(), "yes".to_owned());
            let parameters = PostParams { dry_run: true, ..PostParams::default() };
            match api.replace(&object.name_any(), &parameters, &object).await {
                Err(kube::Error::Api(status)) if status.code == 409 => {} // somebody wrote in between
                answer => return outcome(answer),
            }
        }
    }

    /// Each against one policy at most: which of two is named is left to chance.
    fn patches(&self, who: &str) -> Vec<(&'static str, Value)> {
        let owner = json!([{ "apiVersion": "v1", "kind": "ConfigMap", "name": "dead", "uid": "0f5c2f3e-6d0e-4a57-9a51-52a3c4d1c1aa" }]);
        let mut finalizers = self.object.finalizers().to_vec();
        finalizers.push("example.com/never".to_owned());
        let everybody = json!([{ "apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "system:authenticated" }]);
        let name = json!({ "displayName": "另一个名字" });
        let mut patches = vec![
            ("label", json!({ "metadata": { "labels": { "team.example/touched": "yes" } } })),
            ("owner", json!({ "metadata": { "ownerReferences": owner } })),
        ];
        // Declarations of other systems are closed to a pipeline already, namespaces of others to the operator.
        let closed = [("pipeline", "hostedsystems/db"), ("operator", "namespaces/kube-system")];
        if !closed.contains(&(who, &format!("{}/{}", self.resource.plural, self.object.name_any()))) {
            patches.push(("mark", json!({ "metadata": { "labels": { "govcloud.io/tenant": "outsider" } } })));
            patches.push(("finalizer", json!({ "metadata": { "finalizers": finalizers } })));
        }
        match self.resource.kind.as_str() {
            "AgencyTenant" => {
                patches.push(("spec", json!({ "spec": name })));
                patches.push(("request", json!({ "spec": { "displayName": "另一个名字", "preapproved": false } })));
            }
            "HostedSystem" => patches.push(("spec", json!({ "spec": name }))),
            "NetworkPolicy" if self.is_sample() => patches.push(("open", json!({ "spec": { "ingress": [{}] } }))),
            "RoleBinding" if self.is_sample() => patches.push(("let-in", json!({ "subjects": everybody }))),
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
            ("forge-stage", json!({ "stage": "Terminating" })),
            ("forge-contract", json!({ "contractGeneration": 99 })),
        ]
    }
}

/// Takes a field out, if it is there.
fn remove(object: &mut Value, path: &str) {
    let (parent, key) = path.rsplit_once('/').unwrap();
    if let Some(parent) = object.pointer_mut(parent).and_then(Value::as_object_mut) {
        parent.remove(key);
    }
}
