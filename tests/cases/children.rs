//! Every child appears with its exact content, in the order that leaves nobody unguarded.

use serde_json::{Value, json};

use crate::cluster::{admin, pod_yaml, shared, system_yaml, tenant_yaml};

/// The object's own content: without what the API server adds.
async fn content(kind: &str, namespace: &str, name: &str) -> Value {
    let mut object = admin().await.get(kind, namespace, name).await;
    let metadata = json!({ "labels": object["metadata"]["labels"], "annotations": object["metadata"]["annotations"] });
    object["metadata"] = metadata;
    // How often the quota was raised, and which generation of the contract it is, is history and not content.
    if let Some(annotations) = object["metadata"]["annotations"].as_object_mut() {
        annotations.remove("govcloud.io/epoch");
        annotations.remove("govcloud.io/contract");
    }
    object
}

async fn uid(tenant: &str) -> Value {
    admin().await.get("AgencyTenant", "", tenant).await["metadata"]["uid"].clone()
}

#[tokio::test]
async fn a_workload_namespace_has_each_child_with_its_exact_content() {
    let admin = admin().await;
    admin.tenant_with_systems("exact", &["web"]).await;
    let marks = json!({
        "app.kubernetes.io/managed-by": "govcloud",
        "govcloud.io/tenant": "exact",
        "govcloud.io/tenant-uid": uid("exact").await,
        "govcloud.io/system": "web",
    });

    let namespace = content("Namespace", "", "exact--web").await;
    let mut labels = marks.clone();
    for (mode, level) in [("enforce", "restricted"), ("audit", "restricted"), ("warn", "restricted")] {
        labels[format!("pod-security.kubernetes.io/{mode}")] = json!(level);
        labels[format!("pod-security.kubernetes.io/{mode}-version")] = json!("latest");
    }
    labels["kubernetes.io/metadata.name"] = json!("exact--web");
    let annotations = json!({
        "govcloud.io/display-name": "测试系统",
        "govcloud.io/between-systems": "Deny", "govcloud.io/domains": "exact.example.gov.cn",
        "govcloud.io/image-digests": "Optional",
        "govcloud.io/image-registries": "registry.example.gov.cn/exact,registry.example.gov.cn/base",
        "govcloud.io/ingress-classes": "public",
        "govcloud.io/members": "Group/exact-audit\nGroup/exact-owners\nUser/ci-exact",
        "govcloud.io/platform-images": "registry.example.gov.cn/platform/mesh",
        "govcloud.io/platform-peers": "egress kube-system k8s-app=kube-dns 53/TCP;53/UDP\ningress ingress-nginx * *\ningress monitoring * *",
        "govcloud.io/protected-ranges": "10.0.0.0/8,172.16.0.0/12,169.254.0.0/16,fe80::/10",
        "govcloud.io/service-types": "ClusterIP",
        "govcloud.io/storage-classes": "standard",
    });
    assert_eq!(namespace["metadata"], json!({ "labels": labels, "annotations": annotations }));

    let policy = content("NetworkPolicy", "exact--web", "govcloud-isolation").await;
    assert_eq!(policy["metadata"]["labels"], marks);
    assert_eq!(
        policy["spec"],
        json!({
            "podSelector": {},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [
                {"from": [{"podSelector": {}}]},
                {
                    "from": [
                        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress-nginx"}}},
                        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}},
                    ],
                },
            ],
            "egress": [
                {"to": [{"podSelector": {}}]},
                {
                    "to": [{
                        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
                        "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
                    }],
                    "ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}],
                },
            ],
        })
    );

    let quota = content("ResourceQuota", "exact--web", "govcloud-quota").await;
    let hard = &quota["spec"]["hard"];
    let claimed = [
        ("requests.cpu", "8"),
        ("requests.memory", "32Gi"),
        ("limits.cpu", "16"),
        ("limits.memory", "64Gi"),
        ("pods", "60"),
        ("requests.storage", "100Gi"),
        ("services.nodeports", "0"),
        ("services.loadbalancers", "0"),
        ("secrets", "1500"),
        ("configmaps", "500"),
        ("services", "200"),
    ];
    for (key, amount) in claimed {
        assert_eq!(hard[key], amount, "{key} in {hard:#}");
    }
    // A key with 0 would refuse the pods that say what they need, and admit the others.
    assert!(hard["requests.ephemeral-storage"].is_null() && hard["limits.ephemeral-storage"].is_null(), "{hard:#}");
    assert_eq!(quota["status"]["hard"], *hard, "the quota is not in force");

    let defaults = content("LimitRange", "exact--web", "govcloud-defaults").await;
    assert_eq!(
        defaults["spec"],
        json!({"limits": [{"type": "Container", "default": {"cpu": "500m", "memory": "512Mi"}, "defaultRequest": {"cpu": "100m", "memory": "128Mi"}}]})
    );

    let account = content("ServiceAccount", "exact--web", "deployer").await;
    assert_eq!(account["automountServiceAccountToken"], false);

    let pipeline = json!({"kind": "ServiceAccount", "name": "deployer", "namespace": "exact--web"});
    let subject = |kind: &str, name: &str| json!({"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name});
    let bindings = [
        ("owner", json!([subject("Group", "exact-owners")])),
        ("deployer", json!([subject("User", "ci-exact"), pipeline])),
        ("auditor", json!([subject("Group", "exact-audit")])),
    ];
    for (role, subjects) in bindings {
        let binding = content("RoleBinding", "exact--web", &format!("govcloud-{role}")).await;
        assert_eq!(binding["subjects"], subjects, "{role}");
        assert_eq!(
            binding["roleRef"],
            json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": format!("govcloud:{role}")})
        );
    }
    assert_eq!(admin.names("RoleBinding", "exact--web").await.len(), 3);
}

#[tokio::test]
async fn a_home_namespace_admits_members_and_no_pods() {
    let admin = admin().await;
    admin.tenant_with_systems("home-only", &["web"]).await;
    assert_eq!(
        content("NetworkPolicy", "home-only", "govcloud-isolation").await["spec"],
        json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]})
    );
    assert!(admin.look("ServiceAccount", "home-only", "deployer").await.is_none());
    let owner = shared().person("wang", &["home-only-owners"]).await;
    owner.apply(&pod_yaml("home-only--web", "allowed")).await;
    let refused = owner.try_apply(&pod_yaml("home-only", "refused")).await.unwrap_err();
    assert!(refused.contains("exceeded quota: govcloud-quota"), "{refused}");
}

#[tokio::test]
async fn a_member_is_let_in_by_role_and_a_stranger_is_not() {
    let cluster = shared();
    admin().await.tenant_with_systems("roles", &["web"]).await;
    let namespace = "roles--web";
    let owner = cluster.person("wang", &["roles-owners"]).await;
    owner.apply(&pod_yaml(namespace, "by-owner")).await;
    owner.apply(&system_yaml("roles", "second")).await;
    let auditor = cluster.person("li", &["roles-audit"]).await;
    assert_eq!(auditor.names("Pod", namespace).await, ["by-owner"]);
    let refused = auditor.try_apply(&pod_yaml(namespace, "by-auditor")).await.unwrap_err();
    assert!(refused.contains("is forbidden: User \"li\" cannot"), "{refused}");
    let stranger = cluster.person("zhao", &["exact-owners"]).await;
    let refused = stranger.try_apply(&pod_yaml(namespace, "by-stranger")).await.unwrap_err();
    assert!(refused.contains("is forbidden: User \"zhao\" cannot"), "{refused}");
}

#[tokio::test]
async fn a_member_cannot_touch_what_guards_the_namespace_nor_a_neighbour() {
    let cluster = shared();
    let admin = admin().await;
    admin.tenant_with_systems("fenced", &["web"]).await;
    admin.tenant_with_systems("neighbour", &["web"]).await;
    let owner = cluster.person("wang", &["fenced-owners"]).await;
    let relabel = json!({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "privileged"}}});
    let (unauthorized, managed) = ("is forbidden: User \"wang\" cannot patch", "rule marks-managed");
    let guards = [
        ("Namespace", "", "fenced--web", relabel, unauthorized),
        ("ResourceQuota", "fenced--web", "govcloud-quota", json!({"spec": {"hard": {"pods": "1000"}}}), unauthorized),
        ("LimitRange", "fenced--web", "govcloud-defaults", json!({"spec": {"limits": []}}), unauthorized),
        ("NetworkPolicy", "fenced--web", "govcloud-isolation", json!({"spec": {"egress": []}}), managed),
        ("NetworkPolicy", "fenced--web", "govcloud-isolation", json!({"spec": {"egress": [{}]}}), "denied request: rule "), // of two rules
        ("RoleBinding", "fenced--web", "govcloud-owner", json!({"subjects": []}), managed),
        ("AgencyTenant", "", "fenced", json!({"spec": {"quota": {"pods": 1000}}}), "rule tenant-preapproved"),
        ("HostedSystem", "neighbour", "web", json!({"spec": {"stage": "Suspended"}}), unauthorized),
    ];
    for (kind, namespace, name, patch, words) in guards {
        let refused = owner.try_patch(kind, namespace, name, patch.clone()).await.unwrap_err();
        assert!(refused.contains(words), "{kind}: {refused}");
        admin
            .try_patch(kind, namespace, name, json!({"metadata": {"annotations": {"control.example/try": "1"}}}))
            .await
            .expect("the admin may");
    }
    // What an Owner may read, an Auditor may not.
    admin.apply("{apiVersion: v1, kind: Secret, metadata: {name: key, namespace: fenced--web}}").await;
    assert_eq!(owner.names("Secret", "fenced--web").await, ["key"]);
    let auditor = cluster.person("li", &["fenced-audit"]).await;
    let refused = auditor.api("Secret", "fenced--web").get("key").await.unwrap_err().to_string();
    assert!(refused.contains("is forbidden: User \"li\" cannot get resource \"secrets\""), "{refused}");
}

#[tokio::test]
async fn a_change_and_its_reversal_leave_nothing_behind() {
    let admin = admin().await;
    let plain = tenant_yaml("there-and-back");
    admin.tenant_with_systems("there-and-back", &["web"]).await;
    let namespaces = ["there-and-back", "there-and-back--web"];
    let kinds = ["NetworkPolicy", "ResourceQuota", "LimitRange", "ServiceAccount", "RoleBinding"];
    let world = || async {
        let mut world = Vec::new();
        for namespace in namespaces {
            let labels = content("Namespace", "", namespace).await["metadata"].clone();
            world.push((namespace, "Namespace", namespace.to_owned(), labels));
            for kind in kinds {
                for name in admin.names(kind, namespace).await {
                    let mut object = content(kind, namespace, &name).await;
                    object["status"] = Value::Null;
                    world.push((namespace, kind, name, object));
                }
            }
        }
        world
    };
    let before = world().await;
    let changed = plain
        .replace("requests.cpu: '40'", "requests.cpu: '48'")
        .replace("\"role\":\"Auditor\"", "\"role\":\"Owner\"")
        .replace("displayName: 测试委员会", "displayName: 改名委员会")
        + "  podSecurity: baseline
  containerDefaults: {default: {cpu: '1', memory: 1Gi}}
  network: {betweenSystems: Allow, egress: [{cidr: 203.0.113.0/24, ports: [443, 8443], reason: 省级平台}]}
";
    admin.apply(&changed).await;
    admin
        .until("the level is baseline", "Namespace", "", "there-and-back--web", |object| {
            object.is_some_and(|object| object["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "baseline")
        })
        .await;
    admin
        .until("the way out is open", "NetworkPolicy", "there-and-back--web", "govcloud-isolation", |object| {
            object.is_some_and(|object| object["spec"]["egress"][2]["to"][0]["ipBlock"]["cidr"] == "203.0.113.0/24")
        })
        .await;
    admin.gone("RoleBinding", "there-and-back--web", "govcloud-auditor").await;
    admin.tenant_ready("there-and-back").await;
    assert_ne!(before, world().await);

    admin.apply(&plain).await;
    admin
        .until("the level is restricted", "Namespace", "", "there-and-back--web", |object| {
            object.is_some_and(|object| object["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted")
        })
        .await;
    admin.until("the auditors are back", "RoleBinding", "there-and-back--web", "govcloud-auditor", |object| object.is_some()).await;
    admin.tenant_ready("there-and-back").await;
    admin.system_ready("there-and-back", "web").await;
    assert_eq!(before, world().await);
}

#[tokio::test]
async fn a_foreign_label_stays_and_a_changed_guard_is_repaired() {
    let admin = admin().await;
    admin.tenant_with_systems("repaired", &["web"]).await;
    let label = json!({"metadata": {"labels": {"team.example/cost-centre": "42"}}});
    admin.patch("NetworkPolicy", "repaired--web", "govcloud-isolation", label).await;
    admin.patch("NetworkPolicy", "repaired--web", "govcloud-isolation", json!({"spec": {"egress": [{}]}})).await;
    let repaired = admin.until("the open egress is closed", "NetworkPolicy", "repaired--web", "govcloud-isolation", |object| {
        object.is_some_and(|object| object["spec"]["egress"] != json!([{}]))
    });
    assert_eq!(repaired.await.unwrap()["metadata"]["labels"]["team.example/cost-centre"], "42");
    admin.delete("ResourceQuota", "repaired--web", "govcloud-quota").await;
    admin
        .until("the quota is back and in force", "ResourceQuota", "repaired--web", "govcloud-quota", |object| {
            object.is_some_and(|object| object["metadata"]["deletionTimestamp"].is_null() && object["status"]["hard"]["pods"] == "60")
        })
        .await;
}
