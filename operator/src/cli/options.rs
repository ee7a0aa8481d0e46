//! The options of the operator, from flags, the environment and a file.

use std::{
    collections::BTreeMap,
    fs,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    num::NonZeroU16,
    path::Path,
};

use anyhow::Context;
use clap::ValueEnum;
use govcloud_core::model::settings::{IngressController, Pods, Settings, image_prefix, label, labels, namespace};
use ipnet::IpNet;
use serde::{Deserialize, Deserializer, de::Error};
use tracing_subscriber::{EnvFilter, filter::LevelFilter};

/// What is given. What is not has the default that its comment names.
#[derive(clap::Args, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default, expecting = "a map of settings")]
pub(super) struct Options {
    /// Address on which /livez, /readyz and /metrics are served. Default: 0.0.0.0:8080.
    #[arg(long, env = "GOVCLOUD_LISTEN", value_name = "ADDRESS", value_parser = address)]
    #[serde(deserialize_with = "checked_address")]
    listen: Option<SocketAddr>,
    /// Number of tenants that are reconciled at the same time, 1 to 256. Default: 16.
    #[arg(long, env = "GOVCLOUD_WORKERS", value_name = "NUMBER", value_parser = workers)]
    #[serde(deserialize_with = "checked_workers")]
    workers: Option<usize>,
    /// Namespace of the cluster's DNS servers. Default: kube-system.
    #[arg(long, env = "GOVCLOUD_DNS_NAMESPACE", value_name = "NAMESPACE", value_parser = namespace)]
    #[serde(deserialize_with = "checked_namespace")]
    dns_namespace: Option<String>,
    /// Labels of the DNS servers' pods, as key=value; several separated by commas. Default: k8s-app=kube-dns.
    #[arg(long, env = "GOVCLOUD_DNS_SELECTOR", value_name = "LABELS", value_delimiter = ',', value_parser = label)]
    #[serde(deserialize_with = "checked_selector")]
    dns_selector: Option<Vec<(String, String)>>,
    /// Port of the DNS servers' pods, TCP and UDP. Default: 53.
    #[arg(long, env = "GOVCLOUD_DNS_PORT", value_name = "PORT", value_parser = port)]
    #[serde(deserialize_with = "checked_port")]
    dns_port: Option<NonZeroU16>,
    /// Address of a DNS cache that runs on every node, such as `NodeLocal DNSCache`, and that pods ask instead of the DNS servers, on
    /// the same port; several separated by commas, in the file dnsCaches. Example: 169.254.20.10.
    #[arg(long = "dns-cache", env = "GOVCLOUD_DNS_CACHES", value_name = "ADDRESS", value_delimiter = ',', value_parser = cache)]
    #[serde(deserialize_with = "checked_caches")]
    dns_caches: Option<Vec<IpAddr>>,
    /// The cluster's own address ranges (pods, services, nodes), which the egress of an agency may not contain; separated by commas.
    /// Default: 10.0.0.0/8,172.16.0.0/12.
    #[arg(long, env = "GOVCLOUD_CLUSTER_RANGES", value_name = "RANGES", value_delimiter = ',', value_parser = range)]
    #[serde(deserialize_with = "checked_ranges")]
    cluster_ranges: Option<Vec<IpNet>>,
    /// Pods of the controller that serves an ingress class, as CLASS=NAMESPACE or CLASS=NAMESPACE/KEY=VALUE,KEY=VALUE: they reach
    /// the pods of every agency whose contract has the class. May be given several times; in the environment separated by
    /// semicolons; in the file ingressControllers, with class, namespace and labels. Without it, no traffic arrives through the class.
    /// Example: public=ingress-nginx/app.kubernetes.io/name=ingress-nginx.
    #[arg(
        long = "ingress-controller",
        env = "GOVCLOUD_INGRESS_CONTROLLERS",
        value_name = "CLASS=NAMESPACE[/LABELS]",
        value_delimiter = ';'
    )]
    ingress_controllers: Option<Vec<IngressController>>,
    /// Pods that collect metrics, as NAMESPACE or NAMESPACE/KEY=VALUE,KEY=VALUE: they reach the pods of every agency. May be given
    /// several times; in the environment separated by semicolons; in the file metricsCollectors, with namespace and labels.
    /// Example: monitoring/app.kubernetes.io/name=prometheus.
    #[arg(long = "metrics-collector", env = "GOVCLOUD_METRICS_COLLECTORS", value_name = "NAMESPACE[/LABELS]", value_delimiter = ';')]
    metrics_collectors: Option<Vec<Pods>>,
    /// Pods of other programs of the platform that must reach the pods of every agency, such as database operators, in the
    /// same form as --metrics-collector; in the file platformPrograms.
    #[arg(long = "platform-program", env = "GOVCLOUD_PLATFORM_PROGRAMS", value_name = "NAMESPACE[/LABELS]", value_delimiter = ';')]
    platform_programs: Option<Vec<Pods>>,
    /// Images of the platform's own programs that get into agencies' pods, such as a mesh's proxy or an agent that a webhook adds: the
    /// registry, and if wanted the first segments of the path. They are admitted in every agency, whatever its contract says of
    /// registries and digests, so name only what the platform itself builds or mirrors. May be given several times; in the
    /// environment separated by commas; in the file platformImages. Example: registry.example.gov.cn/mesh, which does not cover
    /// registry.example.gov.cn/mesh-other.
    #[arg(
        long = "platform-image",
        env = "GOVCLOUD_PLATFORM_IMAGES",
        value_name = "PREFIX",
        value_delimiter = ',',
        value_parser = image_prefix
    )]
    #[serde(deserialize_with = "checked_images")]
    platform_images: Option<Vec<String>>,
    /// Format of the log. Default: text.
    #[arg(long, env = "GOVCLOUD_LOG_FORMAT", value_enum)]
    log_format: Option<LogFormat>,
    /// What is logged: error, warn, info, debug, or a filter such as govcloud=debug. Default: info.
    #[arg(long, env = "GOVCLOUD_LOG", value_name = "LEVEL")]
    log: Option<String>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
enum LogFormat {
    #[default]
    Text,
    Json,
}

const DEFAULT_RANGES: [&str; 2] = ["10.0.0.0/8", "172.16.0.0/12"];

impl Options {
    /// Reads a file. An empty one says nothing.
    ///
    /// # Errors
    /// The file, the path of the field and what is wrong with it.
    pub(super) fn read(file: &Path) -> anyhow::Result<Self> {
        let text = fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
        Self::parse(&text).with_context(|| format!("{} is not a valid file of settings", file.display()))
    }

    fn parse(text: &str) -> anyhow::Result<Self> {
        let yaml: serde_yaml::Value = serde_yaml::from_str(text)?;
        let said: Option<Self> = serde_path_to_error::deserialize(yaml)?;
        Ok(said.unwrap_or_default())
    }

    /// These, and where one is not given, that of `others`.
    pub(super) fn or(self, others: Self) -> Self {
        Self {
            listen: self.listen.or(others.listen),
            workers: self.workers.or(others.workers),
            dns_namespace: self.dns_namespace.or(others.dns_namespace),
            dns_selector: self.dns_selector.or(others.dns_selector),
            dns_port: self.dns_port.or(others.dns_port),
            dns_caches: self.dns_caches.or(others.dns_caches),
            cluster_ranges: self.cluster_ranges.or(others.cluster_ranges),
            ingress_controllers: self.ingress_controllers.or(others.ingress_controllers),
            metrics_collectors: self.metrics_collectors.or(others.metrics_collectors),
            platform_programs: self.platform_programs.or(others.platform_programs),
            platform_images: self.platform_images.or(others.platform_images),
            log_format: self.log_format.or(others.log_format),
            log: self.log.or(others.log),
        }
    }

    pub(super) fn listen(&self) -> SocketAddr {
        self.listen.unwrap_or_else(|| (Ipv4Addr::UNSPECIFIED, 8080).into())
    }

    pub(super) fn workers(&self) -> usize {
        self.workers.unwrap_or(16)
    }

    /// What the operator must know of its cluster.
    pub(super) fn settings(&self) -> Settings {
        let default_selector = || vec![("k8s-app".to_owned(), "kube-dns".to_owned())];
        let default_ranges = || DEFAULT_RANGES.iter().filter_map(|range| range.parse().ok()).collect();
        Settings {
            dns_namespace: self.dns_namespace.clone().unwrap_or_else(|| "kube-system".to_owned()),
            dns_selector: self.dns_selector.clone().unwrap_or_else(default_selector).into_iter().collect(),
            dns_port: self.dns_port.map_or(53, |port| port.get().into()),
            dns_caches: self.dns_caches.clone().unwrap_or_default(),
            cluster_ranges: self.cluster_ranges.clone().unwrap_or_else(default_ranges),
            ingress_controllers: self.ingress_controllers.clone().unwrap_or_default(),
            platform_programs: self.metrics_collectors.iter().chain(&self.platform_programs).flatten().cloned().collect(),
            platform_images: self.platform_images.clone().unwrap_or_default(),
        }
    }

    /// Sends the log to standard error.
    ///
    /// # Errors
    /// What is wrong with the filter.
    pub(super) fn start_log(&self) -> anyhow::Result<()> {
        let filter = log_filter(self.log.as_deref().unwrap_or("info")).map_err(anyhow::Error::msg)?;
        let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
        match self.log_format.unwrap_or_default() {
            LogFormat::Text => log.with_ansi(false).init(),
            LogFormat::Json => log.json().init(),
        }
        Ok(())
    }
}

/// A single word that is no level would be the name of a part of the program, and all others would be silent.
fn log_filter(text: &str) -> Result<EnvFilter, String> {
    let is_directive = |word: &str| word.contains('=') || !word.is_empty() && word.parse::<LevelFilter>().is_ok();
    let filter = EnvFilter::try_new(text).ok().filter(|_| text.split(',').all(is_directive));
    filter.ok_or_else(|| format!("log: '{text}' is no level and no filter; write error, warn, info, debug, or for example govcloud=debug"))
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| format!("'{text}' is not an address with a port; write for example 0.0.0.0:8080"))
}

fn workers(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| (1..=256).contains(number));
    number.ok_or_else(|| format!("'{text}' is not a number from 1 to 256"))
}

fn port(text: &str) -> Result<NonZeroU16, String> {
    text.parse().map_err(|_| format!("'{text}' is not a port from 1 to 65535"))
}

fn cache(text: &str) -> Result<IpAddr, String> {
    text.parse().map_err(|_| format!("'{text}' is not an address; write for example 169.254.20.10"))
}

fn range(text: &str) -> Result<IpNet, String> {
    text.parse().map_err(|_| format!("'{text}' is not a range of addresses; write for example 10.0.0.0/8"))
}

/// A text or a number of the file, as it would stand on the command line.
#[derive(Deserialize)]
#[serde(untagged, expecting = "it is neither a text nor a number")]
enum Word {
    Text(String),
    Number(u64),
}

impl Word {
    fn read<T>(&self, read: impl Fn(&str) -> Result<T, String>) -> Result<T, String> {
        match self {
            Self::Text(text) => read(text),
            Self::Number(number) => read(&number.to_string()),
        }
    }
}

/// Reads a field of the file by the rule of its flag.
fn checked<'de, D: Deserializer<'de>, T>(field: D, read: impl Fn(&str) -> Result<T, String>) -> Result<Option<T>, D::Error> {
    let word: Option<Word> = Option::deserialize(field)?;
    word.map(|word| word.read(read)).transpose().map_err(D::Error::custom)
}

/// Reads a list of the file by the rule of its flag.
fn checked_list<'de, D: Deserializer<'de>, T>(field: D, read: impl Fn(&str) -> Result<T, String>) -> Result<Option<Vec<T>>, D::Error> {
    let words: Option<Vec<Word>> = Option::deserialize(field)?;
    words.map(|words| words.iter().map(|word| word.read(&read)).collect()).transpose().map_err(D::Error::custom)
}

fn checked_address<'de, D: Deserializer<'de>>(field: D) -> Result<Option<SocketAddr>, D::Error> {
    checked(field, address)
}

fn checked_workers<'de, D: Deserializer<'de>>(field: D) -> Result<Option<usize>, D::Error> {
    checked(field, workers)
}

fn checked_namespace<'de, D: Deserializer<'de>>(field: D) -> Result<Option<String>, D::Error> {
    checked(field, namespace)
}

fn checked_port<'de, D: Deserializer<'de>>(field: D) -> Result<Option<NonZeroU16>, D::Error> {
    checked(field, port)
}

fn checked_caches<'de, D: Deserializer<'de>>(field: D) -> Result<Option<Vec<IpAddr>>, D::Error> {
    checked_list(field, cache)
}

fn checked_ranges<'de, D: Deserializer<'de>>(field: D) -> Result<Option<Vec<IpNet>>, D::Error> {
    match checked_list(field, range)? {
        Some(ranges) if ranges.is_empty() => {
            Err(D::Error::custom("without a range, agencies' egress may open the cluster itself; name its own"))
        }
        ranges => Ok(ranges),
    }
}

fn checked_images<'de, D: Deserializer<'de>>(field: D) -> Result<Option<Vec<String>>, D::Error> {
    checked_list(field, image_prefix)
}

fn checked_selector<'de, D: Deserializer<'de>>(field: D) -> Result<Option<Vec<(String, String)>>, D::Error> {
    let Some(selector) = Option::<BTreeMap<String, String>>::deserialize(field)? else { return Ok(None) };
    if selector.is_empty() {
        return Err(D::Error::custom(
            "no label selects every pod of the namespace; name those of the DNS servers, for example k8s-app: kube-dns",
        ));
    }
    labels(&selector).map_err(D::Error::custom)?;
    Ok(Some(selector.into_iter().collect()))
}

#[cfg(test)]
mod tests;
