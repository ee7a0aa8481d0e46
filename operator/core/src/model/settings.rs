//! What the operator must know of its cluster.

use std::{collections::BTreeMap, net::IpAddr, str::FromStr};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// Settings of the cluster, the same for all tenants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    /// Namespace of the cluster's DNS servers.
    pub dns_namespace: String,
    /// Labels of their pods.
    pub dns_selector: BTreeMap<String, String>,
    /// Port on which the pods answer, TCP and UDP.
    pub dns_port: i32,
    /// Addresses of DNS caches on the nodes, which answer on the same port.
    pub dns_caches: Vec<IpAddr>,
    /// The cluster's own address ranges (pods, services, nodes), which no tenant's egress may name.
    pub cluster_ranges: Vec<IpNet>,
    /// Ingress controllers: each reaches the pods of the agencies whose contracts have its class.
    pub ingress_controllers: Vec<IngressController>,
    /// Programs of the platform that reach the pods of every agency: metrics collectors and others.
    pub platform_programs: Vec<Pods>,
    /// Images of the platform's own programs, each as a registry with the first segments of a path: admitted in every agency.
    pub platform_images: Vec<String>,
}

/// The controller of an ingress class. In a file: `class` beside the fields of its pods.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "IngressControllerFields", into = "IngressControllerFields")]
pub struct IngressController {
    /// The class, as contracts name it.
    pub class: String,
    /// Its pods.
    pub pods: Pods,
}

/// Pods of the platform: a namespace, and the labels that they have there; without labels every pod of the namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "PodsFields", into = "PodsFields")]
pub struct Pods {
    /// Name of the namespace.
    pub namespace: String,
    /// Labels of the pods.
    pub labels: BTreeMap<String, String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct IngressControllerFields {
    class: String,
    namespace: String,
    #[serde(default)]
    labels: BTreeMap<String, String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PodsFields {
    namespace: String,
    #[serde(default)]
    labels: BTreeMap<String, String>,
}

/// Link-local addresses, where clouds serve their metadata; never a destination.
const LINK_LOCAL: [&str; 2] = ["169.254.0.0/16", "fe80::/10"];

impl Settings {
    /// Every range that egress must not reach.
    pub fn protected_ranges(&self) -> impl Iterator<Item = IpNet> + '_ {
        self.cluster_ranges.iter().copied().chain(LINK_LOCAL.iter().filter_map(|range| range.parse().ok()))
    }

    /// The pods of the platform that reach those of an agency whose contract has these ingress classes, each once.
    #[must_use]
    pub fn callers(&self, classes: &[String]) -> Vec<&Pods> {
        let granted = self.ingress_controllers.iter().filter(|controller| classes.contains(&controller.class));
        let mut callers: Vec<&Pods> = granted.map(|controller| &controller.pods).chain(&self.platform_programs).collect();
        callers.sort();
        callers.dedup();
        callers
    }

    /// Whether this is an image of the platform's own programs. The policy `govcloud-images` says the same.
    #[must_use]
    pub fn is_of_the_platform(&self, image: &str) -> bool {
        let covers = |prefix: &String| {
            let rest = image.strip_prefix(prefix.as_str());
            rest.is_some_and(|rest| rest.starts_with('/') || prefix.contains('/') && (rest.is_empty() || rest.starts_with([':', '@'])))
        };
        self.platform_images.iter().any(covers)
    }

    /// Those of these ingress classes for which no controller is known, so that nothing arrives through them.
    #[must_use]
    pub fn without_controller<'a>(&self, classes: &'a [String]) -> Vec<&'a str> {
        let known = |class: &str| self.ingress_controllers.iter().any(|controller| controller.class == class);
        classes.iter().map(String::as_str).filter(|class| !known(class)).collect()
    }
}

impl FromStr for IngressController {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('=').filter(|(class, _)| is_class(class));
        let (class, pods) = parts.ok_or_else(|| format!("'{text}' does not begin with a class; write for example public=ingress-nginx"))?;
        Ok(Self { class: class.to_owned(), pods: pods.parse()? })
    }
}

impl TryFrom<IngressControllerFields> for IngressController {
    type Error = String;

    fn try_from(fields: IngressControllerFields) -> Result<Self, String> {
        let IngressControllerFields { class, namespace, labels } = fields;
        if !is_class(&class) {
            return Err(format!("'{class}' is not the name of an ingress class; write for example public"));
        }
        Ok(Self { class, pods: PodsFields { namespace, labels }.try_into()? })
    }
}

impl From<IngressController> for IngressControllerFields {
    fn from(controller: IngressController) -> Self {
        let IngressController { class, pods: Pods { namespace, labels } } = controller;
        Self { class, namespace, labels }
    }
}

fn is_class(text: &str) -> bool {
    !text.is_empty() && !text.contains(['/', '='])
}

impl FromStr for Pods {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (namespace, labels) = text.split_once('/').map_or((text, None), |(namespace, labels)| (namespace, Some(labels)));
        let namespace = self::namespace(namespace)?;
        let labels = labels.into_iter().flat_map(|labels| labels.split(',')).map(label).collect::<Result<_, _>>()?;
        Ok(Self { namespace, labels })
    }
}

impl TryFrom<PodsFields> for Pods {
    type Error = String;

    fn try_from(fields: PodsFields) -> Result<Self, String> {
        labels(&fields.labels)?;
        Ok(Self { namespace: namespace(&fields.namespace)?, labels: fields.labels })
    }
}

impl From<Pods> for PodsFields {
    fn from(Pods { namespace, labels }: Pods) -> Self {
        Self { namespace, labels }
    }
}

/// The name of a namespace.
///
/// # Errors
/// What is wrong with it.
pub fn namespace(text: &str) -> Result<String, String> {
    let is_plain = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit();
    let is_name = text.len() <= 63 && text.starts_with(is_plain) && text.ends_with(is_plain);
    if is_name && text.chars().all(|letter| is_plain(letter) || letter == '-') {
        return Ok(text.to_owned());
    }
    Err(format!("'{text}' is not the name of a namespace; write for example monitoring"))
}

/// A label as key=value.
///
/// # Errors
/// What is wrong with it.
pub fn label(text: &str) -> Result<(String, String), String> {
    let parts = text.split_once('=').filter(|(key, value)| is_label(key, value));
    let (key, value) = parts.ok_or_else(|| format!("'{text}' is not a label; write key=value"))?;
    Ok((key.to_owned(), value.to_owned()))
}

/// Checks labels of a file.
///
/// # Errors
/// What is wrong with the first that is none.
pub fn labels(labels: &BTreeMap<String, String>) -> Result<(), String> {
    match labels.iter().find(|(key, value)| !is_label(key, value)) {
        Some((key, value)) => Err(format!("'{key}: {value}' is not a label; write a key and a value without blanks, for example app: web")),
        None => Ok(()),
    }
}

/// Neither part of a label is empty or holds a separator: the guard rails read them from lists.
fn is_label(key: &str, value: &str) -> bool {
    let is_part = |part: &str| !part.is_empty() && !part.contains([' ', '\n', ';', ',', '=']);
    is_part(key) && is_part(value)
}

/// A prefix of images: a registry's host, and if wanted the first segments of a path. No comma: the guard rails read a list.
///
/// # Errors
/// What is wrong with it.
pub fn image_prefix(text: &str) -> Result<String, String> {
    let word = |text: &str, others: &[char]| {
        let plain = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit();
        text.starts_with(plain) && text.ends_with(plain) && text.chars().all(|letter| plain(letter) || others.contains(&letter))
    };
    let mut segments = text.split('/');
    let host = segments.next().unwrap_or_default();
    let names_registry = host.contains(['.', ':']) || host == "localhost";
    if names_registry && word(host, &['.', '-', ':']) && segments.all(|segment| word(segment, &['.', '-', '_'])) {
        return Ok(text.to_owned());
    }
    Err(format!(
        "'{text}' is not the beginning of an image's name; write its registry and if wanted a path, in lower case, without tag, for \
         example registry.example.gov.cn/mesh"
    ))
}

#[cfg(test)]
mod tests {
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
        for text in [
            "",
            "public",
            "=ingress-nginx",
            "public=",
            "public=Ingress",
            "ingress-nginx/app=web",
            "public=a/app",
            "public=a/app=",
            "public=a/",
        ] {
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
        }
    }

    #[test]
    fn an_image_is_the_platforms_if_whole_segments_agree() {
        let settings =
            Settings { platform_images: vec!["r.example/mesh".into(), "m.example".into(), "l.example:5000/a/b".into()], ..nothing() };
        for image in [
            "r.example/mesh",
            "r.example/mesh:1",
            "r.example/mesh@sha256:0",
            "r.example/mesh/proxy:1",
            "m.example/a",
            "l.example:5000/a/b/c",
        ] {
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
}
