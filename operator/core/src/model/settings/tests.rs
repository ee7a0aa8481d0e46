use super::*;

fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn a_controller_is_a_class_a_namespace_and_if_wanted_labels() {
    let nginx: IngressController = "public=ingress-nginx".parse().unwrap();
    assert_eq!((nginx.class.as_str(), nginx.pods.namespace.as_str(), nginx.pods.labels.len()), ("public", "ingress-nginx", 0));
    let nginx: IngressController = "public=ingress-nginx/app.kubernetes.io/name=ingress-nginx,tier=edge".parse().unwrap();
    assert_eq!(nginx.pods.labels, labels(&[("app.kubernetes.io/name", "ingress-nginx"), ("tier", "edge")]));
}

#[test]
fn what_is_no_controller_is_refused_with_an_example() {
    for text in
        ["", "public", "=ingress-nginx", "public=", "public=Ingress", "ingress-nginx/app=web", "public=a/app", "public=a/app=", "public=a/"]
    {
        let refused = text.parse::<IngressController>().unwrap_err();
        assert!(refused.contains("write "), "{text}: {refused}");
    }
}

#[test]
fn an_agency_is_called_by_the_controllers_of_its_classes_and_by_the_platform() {
    let pods = |text: &str| text.parse::<Pods>().unwrap();
    let settings = Settings {
        ingress_controllers: ["public=edge", "internal=inner", "vpn=edge"].map(|text| text.parse().unwrap()).into(),
        platform_programs: vec![pods("monitoring/app=prometheus"), pods("monitoring/app=prometheus")],
        ..nothing()
    };
    let classes = ["vpn", "public", "none"].map(str::to_owned);
    assert_eq!(settings.callers(&classes), [&pods("edge"), &pods("monitoring/app=prometheus")]);
    assert_eq!(settings.callers(&[]), [&pods("monitoring/app=prometheus")]);
    assert_eq!(settings.without_controller(&classes), ["none"]);
}

fn nothing() -> Settings {
    Settings {
        dns_namespace: String::new(),
        dns_selector: BTreeMap::new(),
        dns_port: 53,
        dns_caches: Vec::new(),
        cluster_ranges: Vec::new(),
        ingress_controllers: Vec::new(),
        platform_programs: Vec::new(),
        platform_images: Vec::new(),
        account_namespaces: Vec::new(),
        approval_policies: ApprovalPolicies::default(),
    }
}

#[test]
fn an_image_is_the_platforms_if_whole_segments_agree() {
    let settings =
        Settings { platform_images: vec!["r.example/mesh".into(), "m.example".into(), "l.example:5000/a/b".into()], ..nothing() };
    for image in
        ["r.example/mesh", "r.example/mesh:1", "r.example/mesh@sha256:0", "r.example/mesh/proxy:1", "m.example/a", "l.example:5000/a/b/c"]
    {
        assert!(settings.is_of_the_platform(image), "{image}");
    }
    for image in [
        "r.example/mesh-evil:1",
        "r.example/mesh.evil/a",
        "r.example/other",
        "m.example",
        "m.example:5000/a",
        "m.example.evil/a",
        "e.example/r.example/mesh",
        "mesh",
        "",
    ] {
        assert!(!settings.is_of_the_platform(image), "{image}");
    }
    assert!(!nothing().is_of_the_platform("r.example/mesh"));
}

#[test]
fn a_prefix_of_images_names_its_registry_and_no_tag() {
    for text in ["r.example", "r.example/mesh", "r.example:5000/mesh/proxy-v2", "localhost/a", "docker.io/istio/proxyv2"] {
        assert_eq!(image_prefix(text).as_deref(), Ok(text));
    }
    for text in [
        "",
        "mesh",
        "istio/proxyv2",
        "r.example/",
        "r.example/mesh:1",
        "r.example/mesh@sha256:0",
        "R.example/mesh",
        "r.example/a,b",
        "r.example/-a",
        "r.example/a-",
        ".example/a",
        "r.example./a",
        "r.example/*",
        "r.example//a",
        "https://r.example/a",
    ] {
        assert!(image_prefix(text).unwrap_err().contains("write its registry"), "{text}");
    }
}
