//! What the operator must know of its cluster.

use std::{collections::BTreeMap, net::IpAddr, str::FromStr};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::approval_policies::ApprovalPolicies;

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
    /// Namespaces of the platform whose `ServiceAccount`s agencies may have as members: those of deployment tools.
    #[serde(default)]
    pub account_namespaces: Vec<String>,
    /// Changes of a tenant that need no person's approval.
    #[serde(default)]
    pub approval_policies: ApprovalPolicies,
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
mod tests;
