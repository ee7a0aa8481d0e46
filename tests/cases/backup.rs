//! A whole agency comes back from a backup, as Velero takes and restores it: in any order, with the operator running or not.

use kube::api::PostParams;
use serde_json::{Value, json};

use crate::{
    alone::Alone,
    cluster::{Person, admin, find_condition, shared, system_yaml, tenant_yaml},
};

const BACKUP_ACCOUNT: &str = "
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: velero}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}
subjects: [{kind: ServiceAccount, name: velero, namespace: velero}]
";

/// What an agency and the platform have in a system's namespace.
const THINGS: &str = "
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data, namespace: AGENCY--web}
spec: {storageClassName: standard, volumeName: AGENCY-data, accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: settings, namespace: AGENCY--web}, data: {key: value}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: AGENCY--web, finalizers: [example.com/cleans-up]}
spec:
  replicas: 0
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
      containers: [{name: main, image: registry.example.gov.cn/base/web:1, securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader, namespace: AGENCY--web}
rules: [{apiGroups: [''], resources: [configmaps], verbs: [get]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reader, namespace: AGENCY--web}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: AGENCY-audit}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: prometheus, namespace: AGENCY--web}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects: [{kind: ServiceAccount, name: prometheus, namespace: monitoring}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: own-pods, namespace: AGENCY--web}
spec: {podSelector: {}, policyTypes: [Ingress], ingress: [{from: [{podSelector: {}}]}]}
";

const VOLUME: &str = "
apiVersion: v1
kind: PersistentVolume
metadata: {name: AGENCY-data}
spec:
  capacity: {storage: 1Gi}
  accessModes: [ReadWriteOnce]
  storageClassName: standard
  persistentVolumeReclaimPolicy: Retain
  hostPath: {path: /var/lib/AGENCY}
  claimRef: {namespace: AGENCY--web, name: data}
";

/// Kinds in the namespaces, the operator's own objects among them: a backup takes all.
const KINDS: [&str; 9] = [
    "ServiceAccount",
    "PersistentVolumeClaim",
    "ConfigMap",
    "Deployment",
    "Role",
    "RoleBinding",
    "NetworkPolicy",
    "ResourceQuota",
    "LimitRange",
];

/// What was taken of one agency.
struct Backup {
    agency: &'static str,
    uid: Value,
    tenant: Value,
    systems: Vec<Value>,
    namespaces: Vec<Value>,
    volumes: Vec<Value>,
    things: Vec<Value>,
}

/// An object as a backup tool writes it down.
fn saved(mut object: Value) -> Value {
    for field in ["uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink"] {
        object["metadata"].as_object_mut().unwrap().remove(field);
    }
    if let Some(annotations) = object["metadata"]["annotations"].as_object_mut() {
        annotations.retain(|key, _| !key.starts_with("pv.kubernetes.io/"));
    }
    if object["kind"] == "PersistentVolume" {
        object["spec"]["claimRef"] =
            json!({"namespace": object["spec"]["claimRef"]["namespace"], "name": object["spec"]["claimRef"]["name"]});
    }
    object.as_object_mut().unwrap().remove("status");
    object
}

impl Backup {
    /// Sets an agency up and takes all of it down in writing.
    async fn of(admin: &Person, agency: &'static str) -> Self {
        admin.apply(BACKUP_ACCOUNT).await;
        admin.tenant_with_systems(agency, &["web"]).await;
        admin.apply(&VOLUME.replace("AGENCY", agency)).await;
        admin.apply(&THINGS.replace("AGENCY", agency)).await;
        admin.until("it is bound", "PersistentVolumeClaim", &web(agency), "data", is_bound).await;
        let tenant = admin.get("AgencyTenant", "", agency).await;
        let mut things = Vec::new();
        for namespace in [agency.to_owned(), web(agency)] {
            for kind in KINDS {
                for name in admin.names(kind, &namespace).await {
                    things.push(saved(admin.get(kind, &namespace, &name).await));
                }
            }
        }
        Self {
            agency,
            uid: tenant["metadata"]["uid"].clone(),
            tenant: saved(tenant),
            systems: vec![saved(admin.get("HostedSystem", agency, "web").await)],
            namespaces: vec![saved(admin.get("Namespace", "", agency).await), saved(admin.get("Namespace", "", &web(agency)).await)],
            volumes: vec![saved(admin.get("PersistentVolume", "", &format!("{agency}-data")).await)],
            things,
        }
    }

    /// Loses everything, as with the cluster.
    async fn lose(&self, admin: &Person) {
        let web = web(self.agency);
        for (kind, namespace, name) in
            [("AgencyTenant", "", self.agency), ("HostedSystem", self.agency, "web"), ("Deployment", &web, "web")]
        {
            admin.patch(kind, namespace, name, json!({"metadata": {"finalizers": null}})).await;
            admin.delete(kind, namespace, name).await;
            admin.gone(kind, namespace, name).await;
        }
        for namespace in [&web, self.agency] {
            admin.delete("Namespace", "", namespace).await;
        }
        for namespace in [&web, self.agency] {
            admin.gone("Namespace", "", namespace).await;
        }
        let volume = format!("{}-data", self.agency);
        admin.delete("PersistentVolume", "", &volume).await;
        admin.gone("PersistentVolume", "", &volume).await;
    }

    /// What comes back is as it was, and served.
    async fn is_back(&self, admin: &Person, auditor: &Person) {
        admin.tenant_ready(self.agency).await;
        admin.system_ready(self.agency, "web").await;
        let web = web(self.agency);
        let claim = admin.until("it is bound again", "PersistentVolumeClaim", &web, "data", is_bound).await.unwrap();
        assert_eq!(claim["spec"]["volumeName"], json!(format!("{}-data", self.agency)), "it has its data");
        for thing in &self.things {
            let word = |field: &str| thing["metadata"][field].as_str().unwrap();
            let there = admin.look(thing["kind"].as_str().unwrap(), word("namespace"), word("name")).await;
            assert!(there.is_some(), "{} {} in {} is lost", thing["kind"], word("name"), word("namespace"));
        }
        let read = auditor.get("ConfigMap", &web, "settings").await;
        assert_eq!(read["data"]["key"], "value", "an Owner's binding lets a member in");
        let uid = admin.get("AgencyTenant", "", self.agency).await["metadata"]["uid"].clone();
        for namespace in [self.agency, &web] {
            assert_eq!(admin.get("Namespace", "", namespace).await["metadata"]["labels"]["govcloud.io/tenant-uid"], uid);
        }
    }

    /// Follows what the status says where the namespaces came back with the former tenant's UID.
    async fn adopt(&self, admin: &Person, velero: &Person) {
        let told = admin.until_condition("AgencyTenant", "", self.agency, "Ready", "False", "OrphanOf").await;
        assert!(
            told.contains(&format!("set spec.adoptTenantUID of agencytenant/{} to {}", self.agency, self.uid.as_str().unwrap())),
            "{told}"
        );
        velero.patch("AgencyTenant", "", self.agency, json!({"spec": {"adoptTenantUID": self.uid}})).await;
    }
}

fn web(agency: &str) -> String {
    format!("{agency}--web")
}

fn is_bound(claim: Option<&Value>) -> bool {
    claim.is_some_and(|claim| claim["status"]["phase"] == "Bound")
}

/// Creates what is not there; what is there stays, as a restore has it by default.
async fn restore(velero: &Person, objects: &[Value]) {
    for object in objects {
        let (kind, namespace) = (object["kind"].as_str().unwrap(), object["metadata"]["namespace"].as_str().unwrap_or_default());
        match velero.api(kind, namespace).create(&PostParams::default(), &serde_json::from_value(object.clone()).unwrap()).await {
            Ok(_) => {}
            Err(kube::Error::Api(status)) if status.code == 409 => {}
            Err(error) => panic!("{kind} {namespace}/{}: {error}", object["metadata"]["name"]),
        }
    }
}

const VELERO: (&str, [&str; 2]) = ("system:serviceaccount:velero:velero", ["system:serviceaccounts", "system:serviceaccounts:velero"]);

#[tokio::test]
async fn an_agency_comes_back_with_its_namespaces_first() {
    let admin = admin().await;
    let backup = Backup::of(&admin, "returns").await;
    let velero = shared().person(VELERO.0, &VELERO.1).await;
    backup.lose(&admin).await;
    restore(&velero, &backup.namespaces).await;
    restore(&velero, &backup.volumes).await;
    restore(&velero, &backup.things).await;
    restore(&velero, &backup.systems).await;
    restore(&velero, std::slice::from_ref(&backup.tenant)).await;
    backup.adopt(&admin, &velero).await;
    backup.is_back(&admin, &shared().person("zhao", &["returns-audit"]).await).await;
}

#[tokio::test]
async fn an_agency_comes_back_with_its_declarations_first() {
    let admin = admin().await;
    let backup = Backup::of(&admin, "declares").await;
    let velero = shared().person(VELERO.0, &VELERO.1).await;
    backup.lose(&admin).await;
    restore(&velero, std::slice::from_ref(&backup.tenant)).await;
    admin.tenant_ready("declares").await; // the operator has made its home namespace anew
    restore(&velero, &backup.systems).await;
    admin.system_ready("declares", "web").await;
    restore(&velero, &backup.namespaces).await;
    restore(&velero, &backup.things).await;
    restore(&velero, &backup.volumes).await;
    backup.is_back(&admin, &shared().person("zhao", &["declares-audit"]).await).await;
}

#[tokio::test]
async fn an_agency_comes_back_while_the_operator_is_dead() {
    let alone = Alone::turn().await;
    let admin = alone.admin().await;
    let operator = alone.start().await;
    let backup = Backup::of(&admin, "sleeps").await;
    operator.stop().await.unwrap();
    let velero = Person { client: alone.plane.client_as(VELERO.0, &VELERO.1).await.unwrap() };
    backup.lose(&admin).await;
    restore(&velero, &backup.namespaces).await;
    restore(&velero, std::slice::from_ref(&backup.tenant)).await;
    restore(&velero, &backup.things).await;
    restore(&velero, &backup.volumes).await;
    restore(&velero, &backup.systems).await;
    let operator = alone.start().await;
    backup.adopt(&admin, &velero).await;
    let auditor = Person { client: alone.plane.client_as("zhao", &["sleeps-audit"]).await.unwrap() };
    backup.is_back(&admin, &auditor).await;
    operator.stop().await.unwrap();
}

#[tokio::test]
async fn what_kubectl_exports_is_created_again_elsewhere() {
    let admin = admin().await;
    admin
        .apply(
            "
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: backup-gitops}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: 'govcloud:platform'}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: backup-gitops}]
",
        )
        .await;
    admin.apply(&tenant_yaml("exports")).await;
    admin.tenant_ready("exports").await;
    admin.apply(&system_yaml("exports", "web").replace("stage: Running", "stage: Testing\n  deletionPolicy: Delete")).await;
    admin.system_ready("exports", "web").await;
    let confirmation = json!({"metadata": {"annotations": {"govcloud.io/confirm-delete": admin.get("HostedSystem", "exports", "web").await["metadata"]["uid"]}}});
    admin.patch("HostedSystem", "exports", "web", confirmation).await;
    let exported = async |kind: &str, namespace: &str, name: &str| {
        let object = admin.get(kind, namespace, name).await;
        assert!(object["metadata"]["finalizers"].as_array().is_some_and(|finalizers| finalizers.contains(&json!("govcloud.io/hold"))));
        object
    };
    let (tenant, system) = (exported("AgencyTenant", "", "exports").await, exported("HostedSystem", "exports", "web").await);
    admin.delete("HostedSystem", "exports", "web").await;
    admin.gone("HostedSystem", "exports", "web").await;
    admin.delete("AgencyTenant", "", "exports").await;
    admin.gone("AgencyTenant", "", "exports").await;
    admin.delete("Namespace", "", "exports").await;
    admin.gone("Namespace", "", "exports").await;

    let create = async |person: &Person, mut object: Value| {
        object["metadata"].as_object_mut().unwrap().remove("resourceVersion"); // kubectl leaves it out
        let (kind, namespace) = (object["kind"].as_str().unwrap().to_owned(), object["metadata"]["namespace"].as_str().unwrap_or_default());
        let created = person.api(&kind, namespace).create(&PostParams::default(), &serde_json::from_value(object.clone()).unwrap()).await;
        created.unwrap_or_else(|error| panic!("{kind}: {error}"))
    };
    create(&shared().person("backup-gitops", &[]).await, tenant).await;
    admin.tenant_ready("exports").await;
    let system = create(&shared().person("wang", &["exports-owners"]).await, system).await;
    admin.system_ready("exports", "web").await;
    // The confirmation is that of an object that is gone.
    let refused = admin.api("HostedSystem", "exports").delete("web", &Default::default()).await.unwrap_err().to_string();
    assert!(refused.contains("rule system-confirm") && refused.contains(&system.metadata.uid.unwrap()), "{refused}");
    let kept = admin.get("HostedSystem", "exports", "web").await;
    assert_eq!(find_condition(&kept, "Ready")["status"], "True");
}
