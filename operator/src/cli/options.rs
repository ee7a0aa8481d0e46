//! The options of the operator, from flags, the environment and a file.

mod values;

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    num::NonZeroU16,
    path::Path,
};

use anyhow::Context;
use clap::ValueEnum;
use govcloud_core::{
    api::agency_tenant::Role,
    model::{
        amounts::Amount,
        approval_policies::{ApprovalPolicies, QuotaGrowth},
        settings::{IngressController, Pods, Settings, image_prefix, label, namespace},
    },
};
use ipnet::IpNet;
use serde::Deserialize;
use tracing_subscriber::{EnvFilter, filter::LevelFilter};

pub(super) use self::values::amount;
use self::values::{
    address, cache, checked_address, checked_amounts, checked_caches, checked_egress, checked_images, checked_namespace,
    checked_namespaces, checked_percent, checked_port, checked_ranges, checked_roles, checked_selector, checked_workers, percent, port,
    range, role, workers,
};

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
    /// Namespaces of the platform whose `ServiceAccounts` agencies may name as members, such as those of Argo CD and Flux. What such an account
    /// may do in an agency is what its role says; that an agency names it needs approval as any member does. May be given several times; in
    /// the environment separated by commas; in the file accountNamespaces. Default: none. Example: argocd.
    #[arg(
        long = "account-namespace",
        env = "GOVCLOUD_ACCOUNT_NAMESPACES",
        value_name = "NAMESPACE",
        value_delimiter = ',',
        value_parser = namespace
    )]
    #[serde(deserialize_with = "checked_namespaces")]
    account_namespaces: Option<Vec<String>>,
    /// Growth of an agency's quota that policy/quota-growth approves at once: percent of each amount that a person approved last, 1 to 100.
    /// Only amounts of --approve-quota-amounts grow, and only while --capacity covers the totals of all agencies. Default: none.
    #[arg(long, env = "GOVCLOUD_APPROVE_QUOTA_PERCENT", value_name = "PERCENT", value_parser = percent)]
    #[serde(deserialize_with = "checked_percent")]
    approve_quota_percent: Option<u32>,
    /// The most that amounts may grow by that policy, as KEY=AMOUNT; several separated by commas. One that is not named does not grow.
    /// Example: requests.cpu=4,limits.cpu=8.
    #[arg(long, env = "GOVCLOUD_APPROVE_QUOTA_AMOUNTS", value_name = "AMOUNTS", value_delimiter = ',', value_parser = amount)]
    #[serde(deserialize_with = "checked_amounts")]
    approve_quota_amounts: Option<Vec<(String, Amount)>>,
    /// What the cloud has to hand out to all agencies together, in the same form: room that policy/quota-growth keeps to. One that is not
    /// named does not grow. Example: requests.cpu=2000,limits.cpu=4000.
    #[arg(long, env = "GOVCLOUD_CAPACITY", value_name = "AMOUNTS", value_delimiter = ',', value_parser = amount)]
    #[serde(deserialize_with = "checked_amounts")]
    capacity: Option<Vec<(String, Amount)>>,
    /// Ranges of addresses that policy/egress approves at once as further destinations of an agency, separated by commas. Default: none.
    /// Example: 203.0.113.0/24.
    #[arg(long, env = "GOVCLOUD_APPROVE_EGRESS", value_name = "RANGES", value_delimiter = ',', value_parser = range)]
    #[serde(deserialize_with = "checked_egress")]
    approve_egress: Option<Vec<IpNet>>,
    /// Roles with which policy/members approves further members at once: Deployer, Auditor. Default: none.
    #[arg(long, env = "GOVCLOUD_APPROVE_MEMBERS", value_name = "ROLES", value_delimiter = ',', value_parser = role)]
    #[serde(deserialize_with = "checked_roles")]
    approve_members: Option<Vec<Role>>,
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
            account_namespaces: self.account_namespaces.or(others.account_namespaces),
            approve_quota_percent: self.approve_quota_percent.or(others.approve_quota_percent),
            approve_quota_amounts: self.approve_quota_amounts.or(others.approve_quota_amounts),
            capacity: self.capacity.or(others.capacity),
            approve_egress: self.approve_egress.or(others.approve_egress),
            approve_members: self.approve_members.or(others.approve_members),
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
            account_namespaces: self.account_namespaces.clone().unwrap_or_default(),
            approval_policies: self.approval_policies(),
        }
    }

    fn approval_policies(&self) -> ApprovalPolicies {
        let amounts = |given: &Option<Vec<(String, Amount)>>| given.iter().flatten().cloned().collect();
        let growth = |percent| QuotaGrowth { percent, at_most: amounts(&self.approve_quota_amounts), capacity: amounts(&self.capacity) };
        ApprovalPolicies {
            quota_growth: self.approve_quota_percent.map(growth),
            egress: self.approve_egress.clone().unwrap_or_default(),
            members: self.approve_members.clone().unwrap_or_default(),
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

#[cfg(test)]
mod tests;
