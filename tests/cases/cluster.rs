//! The shared cluster, and what every case does with it: apply YAML, look, wait until something holds.

use std::{
    sync::{
        LazyLock, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use acceptance::{
    ControlPlane, Operator,
    manifests::{self, Applier},
};
use futures::{StreamExt, TryStreamExt, pin_mut};
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec, SubjectAccessReview, SubjectAccessReviewSpec,
};
use kube::{
    Api, Client, ResourceExt,
    api::{ApiResource, DeleteParams, DynamicObject, Patch, PatchParams, PostParams},
    core::GroupVersionKind,
    runtime::{WatchStreamExt, watcher},
};
use serde_json::{Value, json};

use crate::times;

/// Longest wait for anything; what takes a fraction of a second on an idle machine takes a few on a busy one.
pub const PATIENCE: Duration = Duration::from_secs(40);

/// The control plane with the operator running on it.
pub struct Cluster {
    pub plane: ControlPlane,
    pub operator: Operator,
}

/// Starts the shared cluster once; it ends with the test program.
pub fn shared() -> &'static Cluster {
    static SHARED: OnceLock<Cluster> = OnceLock::new();
    times::take();
    SHARED.get_or_init(|| {
        let start = || {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            runtime.block_on(Cluster::start(ControlPlane::from_environment)).unwrap_or_else(|error| panic!("{error:#}"))
        };
        std::thread::spawn(start).join().unwrap()
    })
}

impl Cluster {
    /// A control plane, with the operator installed and running.
    pub async fn start(plane: fn() -> anyhow::Result<ControlPlane>) -> anyhow::Result<Self> {
        let plane = tokio::task::spawn_blocking(plane).await??;
        Operator::install(&plane).await?;
        let operator = Operator::start(&plane).await?;
        Ok(Self { plane, operator })
    }

    /// The administrator.
    pub async fn admin(&self) -> Person {
        Person { client: self.plane.client().await.unwrap() }
    }

    /// Somebody else.
    pub async fn person(&self, user: &str, groups: &[&str]) -> Person {
        Person { client: self.plane.client_as(user, groups).await.unwrap() }
    }

    /// `kubectl` as the administrator: what it printed, on both streams.
    pub fn kubectl(&self, arguments: &[&str]) -> String {
        let output = self.plane.kubectl().args(arguments).output().unwrap();
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
    }
}

/// The administrator of the shared cluster.
pub async fn admin() -> Person {
    shared().admin().await
}

/// Somebody who talks to the API server.
pub struct Person {
    pub client: Client,
}

static KINDS: LazyLock<Vec<ApiResource>> = LazyLock::new(|| {
    let kinds = [
        ("govcloud.io", "v1alpha1", "AgencyTenant", "agencytenants"),
        ("govcloud.io", "v1alpha1", "HostedSystem", "hostedsystems"),
        ("", "v1", "Namespace", "namespaces"),
        ("", "v1", "Pod", "pods"),
        ("", "v1", "Secret", "secrets"),
        ("", "v1", "Service", "services"),
        ("", "v1", "ConfigMap", "configmaps"),
        ("", "v1", "PersistentVolume", "persistentvolumes"),
        ("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims"),
        ("", "v1", "ResourceQuota", "resourcequotas"),
        ("", "v1", "LimitRange", "limitranges"),
        ("", "v1", "ServiceAccount", "serviceaccounts"),
        ("", "v1", "Node", "nodes"),
        ("apps", "v1", "Deployment", "deployments"),
        ("apps", "v1", "DaemonSet", "daemonsets"),
        ("batch", "v1", "Job", "jobs"),
        ("coordination.k8s.io", "v1", "Lease", "leases"),
        ("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices"),
        ("events.k8s.io", "v1", "Event", "events"),
        ("cert-manager.io", "v1", "Certificate", "certificates"),
        ("cert-manager.io", "v1", "Issuer", "issuers"),
        ("networking.k8s.io", "v1", "Ingress", "ingresses"),
        ("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies"),
        ("networking.k8s.io", "v1", "IngressClass", "ingressclasses"),
        ("storage.k8s.io", "v1", "StorageClass", "storageclasses"),
        ("scheduling.k8s.io", "v1", "PriorityClass", "priorityclasses"),
        ("rbac.authorization.k8s.io", "v1", "Role", "roles"),
        ("rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings"),
        ("rbac.authorization.k8s.io", "v1", "ClusterRole", "clusterroles"),
        ("rbac.authorization.k8s.io", "v1", "ClusterRoleBinding", "clusterrolebindings"),
        ("admissionregistration.k8s.io", "v1", "ValidatingAdmissionPolicy", "validatingadmissionpolicies"),
        ("admissionregistration.k8s.io", "v1", "ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings"),
        ("admissionregistration.k8s.io", "v1", "MutatingAdmissionPolicyBinding", "mutatingadmissionpolicybindings"),
        ("apiregistration.k8s.io", "v1", "APIService", "apiservices"),
        ("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions"),
    ];
    kinds
        .map(|(group, version, kind, plural)| ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural))
        .to_vec()
});

impl Person {
    /// Objects of a kind; an empty namespace stands for cluster scope or all namespaces.
    pub fn api(&self, kind: &str, namespace: &str) -> Api<DynamicObject> {
        let resource = KINDS.iter().find(|resource| resource.kind == kind).unwrap_or_else(|| panic!("unknown kind {kind}"));
        match namespace {
            "" => Api::all_with(self.client.clone(), resource),
            _ => Api::namespaced_with(self.client.clone(), namespace, resource),
        }
    }

    /// Applies every document of a YAML text, or says what the API server answers.
    pub async fn try_apply(&self, yaml: &str) -> Result<(), String> {
        let objects = manifests::parse(yaml).map_err(|error| format!("{error:#}"))?;
        let applier = Applier::new(self.client.clone(), "case").await.map_err(|error| format!("{error:#}"))?;
        for object in &objects {
            applier.apply(object).await.map_err(|error| format!("{error:#}"))?;
        }
        Ok(())
    }

    /// Applies every document of a YAML text.
    pub async fn apply(&self, yaml: &str) {
        self.try_apply(yaml).await.unwrap_or_else(|error| panic!("{error}\n{yaml}"));
    }

    /// Merges a patch into an object, or says what the API server answers.
    pub async fn try_patch(&self, kind: &str, namespace: &str, name: &str, patch: Value) -> Result<DynamicObject, String> {
        let parameters = PatchParams::default();
        self.api(kind, namespace).patch(name, &parameters, &Patch::Merge(patch)).await.map_err(|error| error.to_string())
    }

    /// Merges a patch into an object.
    pub async fn patch(&self, kind: &str, namespace: &str, name: &str, patch: Value) {
        self.try_patch(kind, namespace, name, patch).await.unwrap_or_else(|error| panic!("{kind} {namespace}/{name}: {error}"));
    }

    /// Whether it may, as the API server decides now.
    pub async fn may(&self, verb: &str, group: &str, resource: &str, namespace: &str) -> bool {
        let text = |text: &str| Some(text.to_owned());
        let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
        let attributes = ResourceAttributes {
            verb: text(verb),
            group: text(group),
            resource: text(resource),
            subresource: text(subresource),
            namespace: text(namespace),
            ..ResourceAttributes::default()
        };
        let spec = SelfSubjectAccessReviewSpec { resource_attributes: Some(attributes), ..SelfSubjectAccessReviewSpec::default() };
        let review = SelfSubjectAccessReview { spec, ..SelfSubjectAccessReview::default() };
        let reviews: Api<SelfSubjectAccessReview> = Api::all(self.client.clone());
        reviews.create(&Default::default(), &review).await.unwrap().status.unwrap().allowed
    }

    /// Waits until the controller manager has gathered the rules of an aggregated role and the authorizer has read them.
    pub async fn until_may(&self, verb: &str, group: &str, resource: &str, namespace: &str) {
        let begin = Instant::now();
        while !self.may(verb, group, resource, namespace).await {
            assert!(begin.elapsed() < PATIENCE, "may not {verb} {resource} in {namespace} after {} s", PATIENCE.as_secs());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Marks an object deleted; that volumes go along is confirmed before.
    pub async fn delete(&self, kind: &str, namespace: &str, name: &str) {
        if ["AgencyTenant", "HostedSystem"].contains(&kind) {
            let system = self.get(kind, namespace, name).await;
            if kind == "AgencyTenant" || system["spec"]["deletionPolicy"] == "Delete" {
                let confirmation = json!({"metadata": {"annotations": {"govcloud.io/confirm-delete": system["metadata"]["uid"]}}});
                self.patch(kind, namespace, name, confirmation).await;
            }
        }
        self.api(kind, namespace)
            .delete(name, &DeleteParams::default())
            .await
            .unwrap_or_else(|error| panic!("{kind} {namespace}/{name}: {error}"));
    }

    /// The object as it is, if it is.
    pub async fn look(&self, kind: &str, namespace: &str, name: &str) -> Option<Value> {
        let found = self.api(kind, namespace).get_opt(name).await.unwrap_or_else(|error| panic!("{kind} {namespace}/{name}: {error}"));
        found.map(|object| serde_json::to_value(object).unwrap())
    }

    /// The object as it is.
    pub async fn get(&self, kind: &str, namespace: &str, name: &str) -> Value {
        self.look(kind, namespace, name).await.unwrap_or_else(|| panic!("there is no {kind} {namespace}/{name}"))
    }

    /// Names of all objects of a kind in a namespace.
    pub async fn names(&self, kind: &str, namespace: &str) -> Vec<String> {
        let list =
            self.api(kind, namespace).list(&Default::default()).await.unwrap_or_else(|error| panic!("{kind} in {namespace}: {error}"));
        list.items.iter().map(ResourceExt::name_any).collect()
    }

    /// Watches an object until it is as wanted; `None` stands for its absence.
    pub async fn until(
        &self,
        what: &str,
        kind: &str,
        namespace: &str,
        name: &str,
        wanted: impl Fn(Option<&Value>) -> bool,
    ) -> Option<Value> {
        let events = watcher::watch_object(self.api(kind, namespace), name)
            .default_backoff()
            .map_ok(|object| object.map(|object| serde_json::to_value(object).unwrap()));
        pin_mut!(events);
        let mut last = None;
        let found = tokio::time::timeout(PATIENCE, async {
            while let Some(event) = events.next().await {
                if let Ok(object) = event {
                    if wanted(object.as_ref()) {
                        return object;
                    }
                    last = object;
                }
            }
            panic!("the watch of {kind} {namespace}/{name} ended")
        });
        found.await.unwrap_or_else(|_| panic!("{what}: {kind} {namespace}/{name} is not so after {} s, but {last:#?}", PATIENCE.as_secs()))
    }

    /// Waits until a condition has this status and reason, for the generation that is there; returns its message.
    pub async fn until_condition(&self, kind: &str, namespace: &str, name: &str, condition: &str, status: &str, reason: &str) -> String {
        let what = format!("{condition}={status} ({reason})");
        let object = self.until(&what, kind, namespace, name, |object| {
            let Some(object) = object else { return false };
            let found = find_condition(object, condition);
            found["status"] == status && found["reason"] == reason && found["observedGeneration"] == object["metadata"]["generation"]
        });
        let object = object.await.unwrap_or_default();
        find_condition(&object, condition)["message"].as_str().unwrap_or_default().to_owned()
    }

    /// Waits until a tenant is ready and whoever has access by it may use that.
    pub async fn tenant_ready(&self, name: &str) {
        self.until_condition("AgencyTenant", "", name, "Ready", "True", "Ready").await;
        self.until_bindings_are_read().await;
    }

    /// Waits until a system is ready and whoever has access by it may use that.
    pub async fn system_ready(&self, tenant: &str, name: &str) {
        self.until_condition("HostedSystem", tenant, name, "Ready", "True", "Ready").await;
        self.until_bindings_are_read().await;
    }

    /// Waits until the authorizer has read all bindings that were written before. It reads each kind by a watch of its own, in the order of
    /// the writes and somewhat later than they are answered: once it knows a new one, it knows all former ones.
    async fn until_bindings_are_read(&self) {
        tokio::join!(
            self.until_a_new_binding_is_read("RoleBinding", "default"),
            self.until_a_new_binding_is_read("ClusterRoleBinding", "")
        );
    }

    async fn until_a_new_binding_is_read(&self, kind: &str, namespace: &str) {
        static MADE: AtomicUsize = AtomicUsize::new(0);
        let name = format!("reader-{}", MADE.fetch_add(1, Ordering::Relaxed));
        let binding = json!({
            "metadata": {"name": name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": name}],
        });
        let bindings = self.api(kind, namespace);
        bindings.create(&PostParams::default(), &serde_json::from_value(binding).unwrap()).await.unwrap();
        let attributes = ResourceAttributes {
            verb: Some("get".to_owned()),
            resource: Some("pods".to_owned()),
            namespace: Some("default".to_owned()),
            ..ResourceAttributes::default()
        };
        let spec = SubjectAccessReviewSpec { user: Some(name.clone()), resource_attributes: Some(attributes), ..Default::default() };
        let review = SubjectAccessReview { spec, ..SubjectAccessReview::default() };
        let reviews: Api<SubjectAccessReview> = Api::all(self.client.clone());
        let begin = Instant::now();
        while !reviews.create(&PostParams::default(), &review).await.unwrap().status.unwrap().allowed {
            assert!(begin.elapsed() < PATIENCE, "the authorizer has not read {kind} {name} after {} s", PATIENCE.as_secs());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self.delete(kind, namespace, &name).await;
    }

    /// Waits until an object is gone.
    pub async fn gone(&self, kind: &str, namespace: &str, name: &str) {
        self.until("it is gone", kind, namespace, name, |object| object.is_none()).await;
    }

    /// Applies a tenant with systems, as each becomes possible, and waits until all are ready.
    pub async fn tenant_with_systems(&self, tenant: &str, systems: &[&str]) {
        self.apply(&tenant_yaml(tenant)).await;
        self.tenant_ready(tenant).await;
        for system in systems {
            self.apply(&system_yaml(tenant, system)).await;
        }
        for system in systems {
            self.system_ready(tenant, system).await;
        }
    }
}

/// A condition of an object, null where there is none.
pub fn find_condition<'a>(object: &'a Value, kind: &str) -> &'a Value {
    let mut conditions = object["status"]["conditions"].as_array().into_iter().flatten();
    conditions.find(|condition| condition["type"] == kind).unwrap_or(&Value::Null)
}

/// An ordinary tenant.
pub fn tenant_yaml(name: &str) -> String {
    let members = json!([
        {"kind": "Group", "name": format!("{name}-owners"), "role": "Owner"},
        {"kind": "User", "name": format!("ci-{name}"), "role": "Deployer"},
        {"kind": "Group", "name": format!("{name}-audit"), "role": "Auditor"},
    ]);
    format!(
        "
apiVersion: govcloud.io/v1alpha1
kind: AgencyTenant
metadata: {{name: {name}}}
spec:
  displayName: 测试委员会
  responsibleUnit: 信息中心
  preapproved: true
  members: {members}
  domains: [{name}.example.gov.cn]
  images: {{registries: [registry.example.gov.cn/{name}, registry.example.gov.cn/base], requireDigest: Never}}
  allow: {{storageClasses: [standard], ingressClasses: [public]}}
  quota: {{requests.cpu: '40', requests.memory: 160Gi, limits.cpu: '80', limits.memory: 320Gi, requests.storage: 2Ti, pods: 400}}
"
    )
}

/// An ordinary system with a fifth of the ordinary tenant's total.
pub fn system_yaml(tenant: &str, name: &str) -> String {
    format!(
        "
apiVersion: govcloud.io/v1alpha1
kind: HostedSystem
metadata: {{name: {name}, namespace: {tenant}}}
spec:
  displayName: 测试系统
  sector: Health
  stage: Running
  protectionLevel: 3
  resources: {{guaranteed: {{requests.cpu: '8', requests.memory: 32Gi, pods: 60, requests.storage: 100Gi}}}}
"
    )
}

/// A pod that the restricted Pod Security level admits.
pub fn pod_yaml(namespace: &str, name: &str) -> String {
    format!(
        "
apiVersion: v1
kind: Pod
metadata: {{name: {name}, namespace: {namespace}}}
spec:
  securityContext: {{runAsNonRoot: true, seccompProfile: {{type: RuntimeDefault}}}}
  containers:
  - name: main
    image: registry.example.gov.cn/base/web:1
    securityContext: {{allowPrivilegeEscalation: false, capabilities: {{drop: [ALL]}}}}
"
    )
}
