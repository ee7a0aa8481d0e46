use std::collections::BTreeMap;

use super::*;

/// Every option, and none with its default.
const ALL: &str = "
listen: 127.0.0.1:9090
workers: 4
dnsNamespace: dns
dnsSelector: {app: coredns}
dnsPort: 5353
dnsCaches: [169.254.20.10]
clusterRanges: [192.0.2.0/24]
ingressControllers:
- {class: public, namespace: ingress-nginx, labels: {app.kubernetes.io/name: ingress-nginx}}
metricsCollectors: [{namespace: monitoring}]
platformPrograms: [{namespace: databases, labels: {app: operator}}]
platformImages: [registry.example.gov.cn/mesh]
accountNamespaces: [argocd]
approveQuotaPercent: 20
approveQuotaAmounts: {requests.cpu: 4}
capacity: {requests.cpu: '2000', requests.memory: 8Ti}
approveEgress: [203.0.113.0/24]
approveMembers: [Deployer, Auditor]
logFormat: json
log: govcloud=debug
";

#[test]
fn a_file_says_what_flags_do() {
    let said = Options::parse(ALL).unwrap();
    assert_eq!((said.listen().port(), said.workers(), said.log.as_deref()), (9090, 4, Some("govcloud=debug")));
    assert!(said.log_format == Some(LogFormat::Json));
    let pods = |text: &str| text.parse::<Pods>().unwrap();
    let wanted = Settings {
        dns_namespace: "dns".to_owned(),
        dns_selector: BTreeMap::from([("app".to_owned(), "coredns".to_owned())]),
        dns_port: 5353,
        dns_caches: vec!["169.254.20.10".parse().unwrap()],
        cluster_ranges: vec!["192.0.2.0/24".parse().unwrap()],
        ingress_controllers: vec!["public=ingress-nginx/app.kubernetes.io/name=ingress-nginx".parse().unwrap()],
        platform_programs: vec![pods("monitoring"), pods("databases/app=operator")],
        platform_images: vec!["registry.example.gov.cn/mesh".to_owned()],
        account_namespaces: vec!["argocd".to_owned()],
        approval_policies: ApprovalPolicies {
            quota_growth: Some(QuotaGrowth {
                percent: 20,
                at_most: [amount("requests.cpu=4").unwrap()].into(),
                capacity: [amount("requests.cpu=2000").unwrap(), amount("requests.memory=8Ti").unwrap()].into(),
            }),
            egress: vec!["203.0.113.0/24".parse().unwrap()],
            members: vec![Role::Deployer, Role::Auditor],
        },
    };
    assert_eq!(said.settings(), wanted);
}

#[test]
fn an_empty_file_leaves_the_defaults() {
    for text in ["", "# nothing\n", "{}", "dnsSelector:\nlog:\n"] {
        let said = Options::parse(text).unwrap();
        assert_eq!((said.listen(), said.workers()), ("0.0.0.0:8080".parse().unwrap(), 16), "{text}");
        let settings = said.settings();
        assert_eq!((settings.dns_namespace.as_str(), settings.dns_port, settings.cluster_ranges.len()), ("kube-system", 53, 2));
        assert_eq!(settings.dns_selector, BTreeMap::from([("k8s-app".to_owned(), "kube-dns".to_owned())]));
    }
}

#[test]
fn what_a_flag_says_comes_before_the_file() {
    let flags = Options { workers: Some(8), dns_caches: Some(Vec::new()), ..Options::default() };
    let said = flags.or(Options::parse(ALL).unwrap());
    assert_eq!((said.workers(), said.listen().port()), (8, 9090));
    assert_eq!(said.settings().dns_caches, Vec::<IpAddr>::new());
}

#[test]
fn the_values_of_the_chart_have_every_setting() {
    let schema = include_str!("../../../../charts/govcloud/values.schema.json");
    let schema: serde_yaml::Value = serde_yaml::from_str(schema).unwrap();
    let of_chart = schema["properties"]["config"]["properties"].as_mapping().unwrap().keys();
    let all: serde_yaml::Mapping = serde_yaml::from_str(ALL).unwrap();
    let mut settings: Vec<_> = all.keys().filter(|key| key.as_str() != Some("listen")).collect(); // its port is the pod's own
    let mut of_chart: Vec<_> = of_chart.collect();
    settings.sort_by_key(|key| key.as_str());
    of_chart.sort_by_key(|key| key.as_str());
    assert_eq!(of_chart, settings);
    let refused = Options::parse("x: 1").err().unwrap().to_string();
    assert_eq!(refused.matches('`').count() / 2 - 1, all.len(), "each is in {ALL}: {refused}");
}

#[test]
fn a_word_that_is_no_level_silences_nothing() {
    for text in ["info", "WARN", "off", "govcloud=debug", "warn,govcloud=debug"] {
        assert!(log_filter(text).is_ok(), "{text}");
    }
    for text in ["loud", "warning", "", "info,loud", "govcloud=loud"] {
        assert!(log_filter(text).unwrap_err().contains("is no level"), "{text}");
    }
}

#[test]
fn what_is_wrong_in_a_file_is_told_with_its_place() {
    for (text, place, words) in [
        ("worker: 4", "worker", "unknown field `worker`, expected one of `listen`, `workers`"),
        ("workers: 0", "workers", "'0' is not a number from 1 to 256"),
        ("workers: many", "workers", "'many' is not a number from 1 to 256"),
        ("workers: [1]", "workers", "it is neither a text nor a number"),
        ("listen: 8080", "listen", "'8080' is not an address with a port; write for example 0.0.0.0:8080"),
        ("dnsNamespace: Kube System", "dnsNamespace", "'Kube System' is not the name of a namespace; write for example monitoring"),
        ("dnsPort: 0", "dnsPort", "'0' is not a port from 1 to 65535"),
        ("dnsSelector: {app: ''}", "dnsSelector", "'app: ' is not a label"),
        ("dnsSelector: {}", "dnsSelector", "name those of the DNS servers"),
        ("dnsCaches: [here]", "dnsCaches", "'here' is not an address"),
        ("clusterRanges: []", "clusterRanges", "name its own"),
        ("clusterRanges: [10.0.0.0/8, here]", "clusterRanges", "'here' is not a range of addresses; write for example 10.0.0.0/8"),
        ("ingressControllers: [{class: public, namespace: Edge}]", "ingressControllers[0]", "'Edge' is not the name of a namespace"),
        ("ingressControllers: [{class: a/b, namespace: edge}]", "ingressControllers[0]", "'a/b' is not the name of an ingress class"),
        ("metricsCollectors: [{namespace: a, labels: {b: 'c d'}}]", "metricsCollectors[0]", "'b: c d' is not a label"),
        ("ingressControllers: [{class: public}]", "ingressControllers[0]", "missing field `namespace`"),
        ("metricsCollectors: [{namespace: a, label: {}}]", "metricsCollectors[0]", "unknown field `label`"),
        ("platformImages: [mesh]", "platformImages", "write its registry"),
        ("accountNamespaces: [Argo CD]", "accountNamespaces", "'Argo CD' is not the name of a namespace"),
        ("approveQuotaPercent: 0", "approveQuotaPercent", "'0' is not a percentage from 1 to 100"),
        ("capacity: {requests.cpu: many}", "capacity", "requests.cpu: 'many' is not a quantity"),
        ("approveEgress: [here]", "approveEgress", "'here' is not a range"),
        ("approveMembers: [Owner]", "approveMembers", "'Owner' is not Deployer or Auditor; a person approves every other role"),
        ("logFormat: xml", "logFormat", "unknown variant `xml`, expected `text` or `json`"),
        ("[1]", "invalid type", "sequence, expected a map of settings"),
    ] {
        let Err(refused) = Options::parse(text) else { panic!("{text} is read") };
        let refused = format!("{refused:#}");
        assert!(refused.starts_with(place) && refused.contains(words), "{text}: {refused}");
    }
}
