//! What holds for any tenant, however it is written.

use std::collections::{BTreeMap, BTreeSet};

use govcloud_core::{
    api::{
        AgencyTenantSpec, DeletionPolicy, HostedSystemSpec, Quantity, Resources, Stage,
        agency_tenant::{BetweenSystems, ContainerDefaults, Egress, KubernetesApi, Member, Network, PodSecurity, Role, SubjectKind},
        allowances::{Allow, Images},
        hosted_system::{Sector, Share, SystemNetwork, WithinSystem},
    },
    children::manifests::Manifests,
    model::{
        names::{ANNOTATION_CONTRACT, NamespaceName},
        snapshot::Snapshot,
    },
    plan::diff::Change,
    step::{next_step, step},
    views::foresight,
};
use proptest::{
    collection::{btree_map, vec},
    prelude::*,
    sample::select,
};

use super::world::{carry_out, decide, object, root, settings, settle, snapshot, unreadable};

const KEYS: [&str; 7] =
    ["requests.cpu", "requests.memory", "limits.cpu", "limits.memory", "pods", "requests.storage", "requests.example.com/gpu"];

fn resources() -> impl Strategy<Value = Resources> {
    btree_map(select(&KEYS).prop_map(String::from), "[1-9][0-9]{0,2}(m|Gi)?".prop_map(Quantity), 0..6)
}

fn member() -> impl Strategy<Value = Member> {
    let kind = select(&[SubjectKind::User, SubjectKind::Group, SubjectKind::ServiceAccount][..]);
    (kind, "[a-z]{1,9}", select(&Role::ALL[..])).prop_map(|(kind, name, role)| {
        let namespace = if kind == SubjectKind::ServiceAccount { "health--web" } else { "" };
        Member { kind, name, namespace: namespace.into(), role }
    })
}

fn egress() -> impl Strategy<Value = Egress> {
    ((0_u8..=255, 0_u8..=255, 0_u8..=32), vec(1..=65535_i32, 1..3)).prop_map(|((a, b, prefix), ports)| {
        let range: ipnet::Ipv4Net = format!("{a}.{b}.0.0/{prefix}").parse().unwrap();
        Egress { cidr: range.trunc().to_string(), ports, protocol: None, reason: "x".into() }
    })
}

fn tenant_spec() -> impl Strategy<Value = AgencyTenantSpec> {
    let apis = select(&[KubernetesApi::Deny, KubernetesApi::Allow][..]);
    let network = (select(&[BetweenSystems::Deny, BetweenSystems::Allow][..]), apis, vec(egress(), 0..3));
    let network = network.prop_map(|(between_systems, kubernetes_api, egress)| Network { between_systems, kubernetes_api, egress });
    let security = select(&[PodSecurity::Restricted, PodSecurity::Baseline][..]);
    ("\\PC{1,20}", vec(member(), 0..6), resources(), network, security, deletion_policy()).prop_map(
        |(display_name, members, quota, network, pod_security, deletion_policy)| AgencyTenantSpec {
            display_name,
            responsible_unit: "unit".into(),
            preapproved: true,
            suspended: false,
            members,
            quota,
            objects: BTreeMap::new(),
            container_defaults: ContainerDefaults::default(),
            network,
            domains: Vec::new(),
            images: Images::default(),
            allow: Allow::default(),
            pod_security,
            adopt_tenant_uid: None,
            adopt_namespace: false,
            deletion_policy,
        },
    )
}

fn deletion_policy() -> impl Strategy<Value = DeletionPolicy> {
    select(&[DeletionPolicy::Retain, DeletionPolicy::Delete][..])
}

fn system_spec() -> impl Strategy<Value = HostedSystemSpec> {
    let stage = select(&[Stage::Testing, Stage::Running, Stage::Suspended, Stage::Retired][..]);
    let within = select(&[WithinSystem::Allow, WithinSystem::Deny][..]);
    (stage, resources(), within, deletion_policy()).prop_map(|(stage, guaranteed, within_system, deletion_policy)| HostedSystemSpec {
        display_name: "系统".into(),
        sector: Sector::Health,
        stage,
        protection_level: 2,
        resources: Share { guaranteed },
        network: SystemNetwork { within_system },
        adopt_namespace: false,
        deletion_policy,
    })
}

prop_compose! {
    fn any_snapshot()(spec in tenant_spec(), deleting in any::<bool>(),
        systems in btree_map("[a-z][a-z0-9]{0,8}", (system_spec(), any::<bool>(), 0..3_u8), 0..5)) -> Snapshot {
        let mut seen = snapshot(root("health".into(), String::new(), Ok(spec), Default::default()), Vec::new());
        settle(&mut seen);
        if let Some(tenant) = seen.tenant.as_mut() {
            tenant.deleting = deleting && systems.len() == 1;
        }
        let systems = systems.into_iter().map(|(name, (spec, deleting, age))| {
            let mut system = root(name, "health".into(), Ok(spec), Default::default());
            system.deleting = deleting;
            system.created = format!("2026-01-0{}T00:00:00Z", age + 1);
            system.into()
        });
        seen.systems = systems.collect();
        seen
    }
}

proptest! {
    #[test]
    fn the_plan_is_the_same_whatever_the_order_of_the_input(seen in any_snapshot()) {
        let mut reversed = seen.clone();
        reversed.systems.reverse();
        if let Some(Ok(spec)) = reversed.tenant.as_mut().map(|root| root.spec.as_mut()) {
            spec.members.reverse();
        }
        let objects = |snapshot: &Snapshot| {
            let (plan, _) = decide(snapshot);
            let objects = plan.namespaces.iter().chain(&plan.tenant_access).flat_map(|space| &space.desired).map(|desired| {
                let mut object = desired.object.clone();
                object["metadata"]["annotations"][ANNOTATION_CONTRACT].take(); // it is the spec as it was written
                (desired.key(), object)
            });
            objects.collect::<std::collections::BTreeMap<_, _>>()
        };
        prop_assert_eq!(objects(&seen), objects(&seen));
        prop_assert_eq!(objects(&seen), objects(&reversed));
    }

    #[test]
    fn what_was_applied_is_kept(mut seen in any_snapshot()) {
        settle(&mut seen);
        let (_, changes) = decide(&seen);
        for change in changes.iter().flat_map(|space| &space.changes) {
            prop_assert!(matches!(change, Change::Keep(_)), "{change:?}");
        }
    }

    #[test]
    fn what_was_built_before_is_what_is_built_now(seen in any_snapshot(), edited in any_snapshot()) {
        let mut manifests = Manifests::default();
        let (mut seen, tenant) = (seen, edited.tenant);
        for round in 0..20 {
            let (again, anew) = (next_step(&seen, &settings(), &mut manifests), step(&seen, &settings()));
            prop_assert_eq!(format!("{again:?}"), format!("{anew:?}"));
            foresight::carry_out(&mut seen, anew);
            if round == 8 {
                seen.tenant.clone_from(&tenant);
            }
        }
    }

    #[test]
    fn names_are_valid_and_unique_and_lie_in_the_tenants_namespaces(seen in any_snapshot()) {
        let (plan, _) = decide(&seen);
        let mut places = BTreeSet::new();
        for desired in plan.namespaces.iter().flat_map(|space| &space.desired) {
            prop_assert!(places.insert((desired.kind.plural, desired.key())), "{:?} twice", desired.key());
            for name in [&desired.name, desired.namespace.as_str()] {
                prop_assert!(!name.is_empty() && name.len() <= 63, "{name}");
                prop_assert!(name.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-'), "{name}");
            }
            prop_assert!(desired.namespace.tenant().as_str() == "health");
            let place = if desired.kind.is_namespace() { &desired.object["metadata"]["name"] } else { &desired.object["metadata"]["namespace"] };
            prop_assert_eq!(place.as_str(), Some(desired.namespace.as_str()));
        }
    }

    #[test]
    fn isolation_and_quota_are_always_there_and_whoever_is_out_has_no_way_in(seen in any_snapshot()) {
        let (plan, _) = decide(&seen);
        for space in &plan.namespaces {
            let namespace = space.namespace.as_str();
            let policy = object(&plan, namespace, "NetworkPolicy", "govcloud-isolation").expect("isolation");
            prop_assert_eq!(&policy["spec"]["podSelector"], &serde_json::json!({}));
            prop_assert_eq!(&policy["spec"]["policyTypes"], &serde_json::json!(["Ingress", "Egress"]));
            let quota = object(&plan, namespace, "ResourceQuota", "govcloud-quota").expect("quota");
            for key in ["requests.cpu", "limits.memory", "pods", "services.nodeports", "services.loadbalancers"] {
                prop_assert!(quota["spec"]["hard"].get(key).is_some(), "{key}");
            }
            let level = &object(&plan, namespace, "Namespace", namespace).expect("namespace")["metadata"]["labels"]["pod-security.kubernetes.io/enforce"];
            prop_assert!(level == "restricted" || level == "baseline");
            let bound = space.desired.iter().any(|desired| desired.kind.kind == "RoleBinding");
            let closed = space.goal != govcloud_core::plan::Goal::Serve;
            prop_assert!(!(closed && bound), "a closed namespace has bindings");
        }
    }

    #[test]
    fn no_text_in_a_spec_panics(texts in vec("\\PC{0,60}", 12), number in any::<i64>()) {
        let spec = serde_json::json!({
            "displayName": texts[0], "responsibleUnit": texts[1],
            "members": [{"kind": "User", "name": texts[2], "namespace": texts[3], "role": "Owner"}],
            "quota": {(texts[4].clone()): texts[5], "pods": number, "requests.cpu": texts[6]},
            "containerDefaults": {"default": {"cpu": texts[7], "memory": number}},
            "network": {"egress": [{"cidr": texts[8], "ports": [number % 70000], "reason": texts[9]}]},
        });
        let spec = serde_json::from_value::<AgencyTenantSpec>(spec).map_err(|error| unreadable("spec", &error.to_string()));
        let system = serde_json::json!({"displayName": texts[10], "sector": "Health", "protectionLevel": 2, "resources": {"guaranteed": {"requests.cpu": texts[11]}}});
        let system = serde_json::from_value::<HostedSystemSpec>(system).map_err(|error| unreadable("spec", &error.to_string()));
        let system = root("web".into(), "health".into(), system, Default::default());
        let mut seen = snapshot(root("health".into(), String::new(), spec, Default::default()), vec![system.into()]);
        let (_, changes) = decide(&seen);
        carry_out(&mut seen, &changes);
        decide(&seen);
    }

    #[test]
    fn a_deleted_tenant_ends_with_closed_namespaces_or_none(mut seen in any_snapshot(), pods in 0..5_u32) {
        settle(&mut seen);
        let namespaces: BTreeSet<NamespaceName> = seen.observed.keys().map(|key| key.namespace.clone()).collect();
        for namespace in &namespaces {
            super::world::set_pods(&mut seen, namespace, pods);
        }
        let Some(root) = seen.tenant.as_mut() else { unreachable!() };
        root.deleting = true;
        let plan = settle(&mut seen);
        for space in &plan.namespaces {
            prop_assert!(space.drained && space.goal == govcloud_core::plan::Goal::Close, "{} is {:?}, drained: {}", space.namespace, space.goal, space.drained);
        }
    }
}
