//! What objects of others open, in the words in which they are judged, and what the cache keeps of an object.

use govcloud_core::{
    api::agency_tenant::Member,
    children::{Kind, TABLE, member_words, repeatable},
    model::{
        amounts::{Amount, Amounts},
        names::NamespaceName,
        observed::{ChildKey, Entry, NAMESPACE, QuotaState},
    },
};
use serde_json::{Value, json};

use super::world::settings;

fn row(kind: &str) -> &'static Kind {
    TABLE.iter().find(|row| row.kind == kind).unwrap()
}

/// The words of an object in this namespace, whose other parts are YAML.
fn exposed(kind: &str, namespace: &str, object: &str) -> Vec<String> {
    let mut object: Value = serde_yaml::from_str(object).unwrap();
    object["metadata"] = json!({ "namespace": namespace });
    row(kind).entry(&object).exposes
}

#[test]
fn a_policy_opens_a_word_for_each_peer_beyond_its_own_namespace() {
    let here = "health--web";
    let selected = |selector: &str| format!("ingress: [{{from: [{{namespaceSelector: {selector}}}]}}]");
    let named = |name: &str| selected(&format!("{{matchLabels: {{kubernetes.io/metadata.name: {name}}}}}"));
    let by = |key: &str, operator: &str, values: &str| {
        selected(&format!("{{matchExpressions: [{{key: {key}, operator: {operator}, values: {values}}}]}}"))
    };
    let name = "kubernetes.io/metadata.name";
    let table = [
        (String::new(), vec![]),
        ("ingress: [], egress: []".to_owned(), vec![]),
        ("ingress: [{}]".to_owned(), vec!["Network/everybody"]),
        ("ingress: [{from: []}]".to_owned(), vec!["Network/everybody"]),
        ("egress: [{}]".to_owned(), vec!["Network/everybody"]),
        ("egress: [{to: [], ports: [{port: 443}]}]".to_owned(), vec!["Network/everybody"]),
        ("ingress: [{from: [{podSelector: {}}]}]".to_owned(), vec![]),
        ("egress: [{to: [{podSelector: {matchLabels: {app: db}}}]}]".to_owned(), vec![]),
        ("ingress: [{from: [{ipBlock: {cidr: 203.0.113.0/24}}]}]".to_owned(), vec!["Network/from/203.0.113.0/24"]),
        ("egress: [{to: [{ipBlock: {cidr: 203.0.113.0/24}}]}]".to_owned(), vec!["Network"]),
        ("egress: [{to: [{ipBlock: {cidr: 203.0.113.0/24}}, {ipBlock: {cidr: 10.0.0.0/8}}]}]".to_owned(), vec!["Network"]),
        (
            "ingress: [{from: [{podSelector: {}}]}, {}], egress: [{to: [{ipBlock: {cidr: '::/0'}}]}]".to_owned(),
            vec!["Network", "Network/everybody"],
        ),
        // Namespaces by their names: its own is nobody else's affair, the agency's are its own, others are named.
        (named(here), vec![]),
        (named("health"), vec!["Network"]),
        (named("health--db"), vec!["Network"]),
        (named("backup"), vec!["Network/namespace/backup"]),
        (named("healthy--web"), vec!["Network/namespace/healthy--web"]),
        (by(name, "In", "[health--web]"), vec![]),
        (by(name, "In", "[]"), vec![]),
        (by(name, "In", "[health--web, backup, health--db, dns]"), vec!["Network", "Network/namespace/backup", "Network/namespace/dns"]),
        (
            by(name, "NotIn", "[health--web]"),
            vec![
                r#"Network/namespaces/{"matchExpressions":[{"key":"kubernetes.io/metadata.name","operator":"NotIn","values":["health--web"]}]}"#,
            ],
        ),
        (
            selected(
                "{matchLabels: {kubernetes.io/metadata.name: backup}, matchExpressions: [{key: kubernetes.io/metadata.name, operator: In, values: [backup, dns]}]}",
            ),
            vec!["Network/namespace/backup"],
        ),
        (
            selected(
                "{matchLabels: {kubernetes.io/metadata.name: backup}, matchExpressions: [{key: kubernetes.io/metadata.name, operator: In, values: [dns]}]}",
            ),
            vec![],
        ),
        (
            selected("{matchLabels: {team: a}, matchExpressions: [{key: team, operator: In, values: [health--web]}]}"),
            vec![
                r#"Network/namespaces/{"matchExpressions":[{"key":"team","operator":"In","values":["health--web"]}],"matchLabels":{"team":"a"}}"#,
            ],
        ),
        // Namespaces by the marks of their tenant and system.
        (selected("{matchLabels: {govcloud.io/tenant: health}}"), vec!["Network"]),
        (selected("{matchLabels: {govcloud.io/tenant: tax}}"), vec![r#"Network/namespaces/{"matchLabels":{"govcloud.io/tenant":"tax"}}"#]),
        (selected("{matchLabels: {govcloud.io/tenant-uid: '7'}}"), vec!["Network"]),
        (by("govcloud.io/tenant-uid", "In", "['7']"), vec!["Network"]),
        (
            by("govcloud.io/tenant-uid", "In", "['7', '8']"),
            vec![r#"Network/namespaces/{"matchExpressions":[{"key":"govcloud.io/tenant-uid","operator":"In","values":["7","8"]}]}"#],
        ),
        (selected("{matchLabels: {govcloud.io/tenant: health, govcloud.io/system: web}}"), vec![]),
        (selected("{matchLabels: {govcloud.io/tenant-uid: '7', govcloud.io/system: web}}"), vec![]),
        (selected("{matchLabels: {govcloud.io/tenant: health, govcloud.io/system: db}}"), vec!["Network"]),
        (
            selected("{matchLabels: {govcloud.io/tenant: tax, govcloud.io/system: web}}"),
            vec![r#"Network/namespaces/{"matchLabels":{"govcloud.io/system":"web","govcloud.io/tenant":"tax"}}"#],
        ),
        (selected("{matchLabels: {govcloud.io/system: web}}"), vec![r#"Network/namespaces/{"matchLabels":{"govcloud.io/system":"web"}}"#]),
        (selected("{matchLabels: {govcloud.io/tenant: health, kubernetes.io/metadata.name: backup}}"), vec!["Network"]),
        // Any namespace at all: members may write it outward, to some pods of it, as for DNS.
        (selected("{}"), vec!["Network/namespaces/{}"]),
        ("ingress: [{from: [{namespaceSelector: {}, podSelector: {}}]}]".to_owned(), vec!["Network/namespaces/{}"]),
        ("egress: [{to: [{namespaceSelector: {}}]}]".to_owned(), vec!["Network/namespaces/{}"]),
        ("egress: [{to: [{namespaceSelector: {}, podSelector: {}}]}]".to_owned(), vec!["Network"]),
        ("egress: [{to: [{namespaceSelector: {matchLabels: {}, matchExpressions: []}, podSelector: {}}]}]".to_owned(), vec!["Network"]),
        (
            "egress: [{to: [{namespaceSelector: {matchLabels: {team: a}}, podSelector: {}}]}]".to_owned(),
            vec![r#"Network/namespaces/{"matchLabels":{"team":"a"}}"#],
        ),
        (
            "egress: [{to: [{namespaceSelector: {matchExpressions: [{key: team, operator: Exists}]}, podSelector: {}}]}]".to_owned(),
            vec![r#"Network/namespaces/{"matchExpressions":[{"key":"team","operator":"Exists"}]}"#],
        ),
    ];
    for (spec, words) in table {
        assert_eq!(exposed("NetworkPolicy", here, &format!("{{spec: {{{spec}}}}}")), words, "{spec}");
    }
}

#[test]
fn a_binding_opens_a_word_for_each_subject_where_members_could_have_written_it() {
    let user = "{kind: User, name: li}";
    let account = "{kind: ServiceAccount, name: robot, namespace: backup}";
    let table: [(&str, &str, &[&str]); 19] = [
        ("Role, name: reader", "[]", &[]),
        ("Role, name: reader", user, &["User/li"]),
        ("Role, name: reader", "{kind: Group, name: owners}", &["Group/owners"]),
        ("Role, name: reader", account, &["ServiceAccount/backup/robot"]),
        ("Role, name: reader", "{kind: ServiceAccount, name: robot}", &["ServiceAccount/health--web/robot"]),
        ("Role, name: reader", "{kind: User, name: 'system:serviceaccount:backup:robot'}", &["ServiceAccount/backup/robot"]),
        ("Role, name: reader", "{kind: User, name: 'system:serviceaccount:backup'}", &["User/system:serviceaccount:backup"]),
        ("Role, name: reader", "{kind: User, name: 'system:serviceaccounts:backup'}", &["User/system:serviceaccounts:backup"]),
        ("Role, name: reader", "{kind: Group, name: 'system:serviceaccounts:backup'}", &["ServiceAccount/backup/*"]),
        ("Role, name: reader", "{kind: Group, name: 'system:serviceaccounts'}", &["Group/system:serviceaccounts"]),
        ("Role, name: reader", "{kind: Group, name: 'system:authenticated'}", &["Group/system:authenticated"]),
        ("Role, name: view", user, &["User/li"]),
        ("ClusterRole, name: 'govcloud:deployer'", user, &["User/li"]),
        ("ClusterRole, name: 'govcloud:auditor'", account, &["ServiceAccount/backup/robot"]),
        ("ClusterRole, name: 'govcloud:owner'", user, &[]),
        ("ClusterRole, name: view", user, &[]),
        ("ClusterRole, name: view", account, &["ServiceAccount/backup/robot"]),
        ("ClusterRole, name: edit", account, &[]),
        ("ClusterRole, name: view", "{kind: Group, name: 'system:serviceaccounts:backup'}", &["ServiceAccount/backup/*"]),
    ];
    for (role, subject, words) in table {
        let subjects = if subject == "[]" { subject.to_owned() } else { format!("[{subject}]") };
        let binding = format!("{{roleRef: {{kind: {role}}}, subjects: {subjects}}}");
        assert_eq!(exposed("RoleBinding", "health--web", &binding), words, "{binding}");
    }
    let mixed = format!("{{roleRef: {{kind: ClusterRole, name: view}}, subjects: [{account}, {user}]}}");
    assert!(exposed("RoleBinding", "health--web", &mixed).is_empty(), "members bind that role to accounts alone");
}

#[test]
fn what_the_operator_wrote_opens_nothing_to_be_judged() {
    let ours = json!({ "metadata": { "namespace": "health", "labels": { "govcloud.io/tenant-uid": "7" } }, "spec": { "ingress": [{}] } });
    assert!(row("NetworkPolicy").entry(&ours).exposes.is_empty());
    for kind in ["Namespace", "ResourceQuota", "LimitRange", "ServiceAccount", "ClusterRole", "ClusterRoleBinding"] {
        assert!(exposed(kind, "health", "{spec: {ingress: [{}]}, subjects: [{kind: User, name: li}]}").is_empty(), "{kind}");
    }
}

#[test]
fn a_member_has_the_word_of_a_binding_that_lets_it_in() {
    for (member, word) in [
        ("{kind: User, name: li, role: Owner}", "User/li"),
        ("{kind: Group, name: owners, role: Auditor}", "Group/owners"),
        ("{kind: ServiceAccount, name: robot, namespace: health, role: Deployer}", "ServiceAccount/health/robot"),
    ] {
        assert_eq!(member_words(&serde_yaml::from_str::<Member>(member).unwrap()), word);
        let subject = member.split(", role").next().unwrap();
        let binding = format!("{{roleRef: {{kind: Role, name: reader}}, subjects: [{subject}}}]}}");
        assert_eq!(exposed("RoleBinding", "health", &binding), [word]);
    }
}

#[test]
fn members_may_repeat_the_ways_of_the_platform_and_a_suspension_closes_all_but_those_of_its_programs() {
    let expected = [
        ("Network/namespace/ingress-nginx".to_owned(), true),
        ("Network/namespace/kube-system".to_owned(), true),
        ("Network/namespace/monitoring".to_owned(), false),
    ];
    assert_eq!(repeatable(&settings()), expected.into());
}

#[test]
fn while_a_namespace_is_not_guarded_a_binding_keeps_those_who_are_in_and_lets_nobody_else_in() {
    let subjects = |names: &[&str]| -> Vec<Value> { names.iter().map(|name| json!({ "kind": "User", "name": name })).collect() };
    let binding = |names: &[&str]| json!({ "roleRef": { "name": "govcloud:owner" }, "subjects": subjects(names) });
    for kind in ["RoleBinding", "ClusterRoleBinding"] {
        let without = row(kind).without_new_subjects.unwrap();
        for (desired, live, kept) in
            [(&["a", "b"][..], &["b", "c"][..], &["b"][..]), (&["a"], &["a"], &["a"]), (&["a"], &["b"], &[]), (&[], &["a"], &[])]
        {
            assert_eq!(without(&binding(desired), &binding(live)), binding(kept), "{kind} {desired:?} {live:?}");
        }
        assert_eq!(without(&binding(&["a"]), &json!({ "roleRef": {} })), binding(&[]), "{kind}");
    }
    assert!(TABLE.iter().filter(|row| row.without_new_subjects.is_some()).count() == 2, "nothing else lets anybody in");
}

#[test]
fn the_cache_keeps_of_an_object_what_decides_over_it() {
    let object = json!({ "metadata": {
        "uid": "u", "resourceVersion": "5", "creationTimestamp": "1970-01-01T00:01:40Z", "deletionTimestamp": "2026-01-01T00:00:00Z",
        "finalizers": ["example.com/a"], "labels": { "govcloud.io/tenant-uid": "t" }, "annotations": { "govcloud.io/display-name": "名" },
    } });
    let entry = row("LimitRange").entry(&object);
    let expected = Entry {
        uid: "u".into(),
        resource_version: "5".into(),
        tenant_uid: "t".into(),
        display_name: "名".into(),
        created: 100,
        deleting: true,
        held: true,
        hash: entry.hash,
        ..Entry::default()
    };
    assert_eq!(entry, expected);
    for living in [json!({ "metadata": {} }), json!({ "metadata": { "deletionTimestamp": null, "finalizers": [] } })] {
        let entry = row("LimitRange").entry(&living);
        assert_eq!((entry.deleting, entry.held, entry.created), (false, false, 0), "{living}");
    }
}

fn amounts(pairs: &[(&str, u32)]) -> Amounts {
    pairs.iter().map(|(key, amount)| ((*key).to_owned(), Amount::whole(*amount))).collect()
}

#[test]
fn of_a_quota_the_figures_that_are_handed_out_are_kept_and_of_the_rest_whether_they_hold() {
    let read = |text: &str| *row("ResourceQuota").entry(&serde_yaml::from_str(text).unwrap()).quota.unwrap();
    let pods = amounts(&[("pods", 60)]);
    let expected = QuotaState {
        wanted: pods.clone().into(),
        hard: pods.clone().into(),
        used: amounts(&[("pods", 7)]),
        epoch: 3,
        live: true,
        enforced: true,
        counted: true,
    };
    let told = "{metadata: {annotations: {govcloud.io/epoch: '3'}}, spec: {hard: {pods: '60', services: '5', requests.cpu: '0'}}, \
                status: {hard: {pods: '60', services: '5', requests.cpu: '0'}, used: {pods: '7', services: '2', requests.cpu: '0'}}}";
    assert_eq!(read(told), expected);
    assert_eq!(
        read("{spec: {hard: {pods: '60'}}}"),
        QuotaState { wanted: pods.into(), ..QuotaState::default() },
        "nothing is known of it yet"
    );
}

#[test]
fn a_quota_is_live_enforced_counted_closed_and_drained_each_by_its_own_figures() {
    let quota = |wanted: &[(&str, u32)], hard: &[(&str, u32)], used: &[(&str, u32)]| {
        let quota = QuotaState::new(&amounts(wanted), &amounts(hard), &amounts(used), 0, |_| true);
        [quota.live, quota.enforced, quota.counted, quota.is_closed(), quota.is_drained()]
    };
    let (open, closed) = (&[("pods", 3), ("services", 1)][..], &[("pods", 0), ("services", 1)][..]);
    let none = &[("pods", 0), ("services", 0)][..];
    for (wanted, hard, used, expected) in [
        (open, open, none, [true, true, true, false, false]),
        (closed, open, none, [false, true, true, false, false]),
        (closed, closed, none, [true, true, true, true, true]),
        (closed, closed, &[("pods", 2), ("services", 0)], [true, true, true, true, false]),
        (closed, closed, &[("pods", 0)], [true, true, false, true, false]),
        (closed, &[("services", 1)], none, [false, false, true, false, false]),
    ] {
        assert_eq!(quota(wanted, hard, used), expected, "{wanted:?} {hard:?} {used:?}");
    }
}

#[test]
fn an_object_stands_in_the_name_of_a_tenant_by_its_namespace_or_in_cluster_scope_by_its_own_name() {
    let tenant = |namespace: &str, name: &str| {
        let key = ChildKey { namespace: NamespaceName::new(namespace), kind: NAMESPACE, name: name.into() };
        key.tenant().to_string()
    };
    assert_eq!(tenant("health--web", "govcloud:tenant:tax"), "health");
    assert_eq!(tenant("health", "x"), "health");
    assert_eq!((tenant("", "govcloud:tenant:tax"), tenant("", "govcloud:tenant:tax:view")), ("tax".to_owned(), "tax".to_owned()));
}
