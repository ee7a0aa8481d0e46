//! `govcloud run`: the operator.

use std::net::{IpAddr, SocketAddr};

use anyhow::Context;
use clap::{Parser, ValueEnum};
use govcloud_core::model::settings::{IngressController, Pods, Settings, image_prefix, label};
use ipnet::IpNet;
use tracing_subscriber::EnvFilter;

use super::target::Target;
use crate::cluster::{self, live::Live};

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Address on which /livez, /readyz and /metrics are served.
    #[arg(long, env = "GOVCLOUD_LISTEN", default_value = "0.0.0.0:8080")]
    listen: SocketAddr,
    /// Number of tenants that are reconciled at the same time.
    #[arg(long, env = "GOVCLOUD_WORKERS", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=256))]
    workers: u16,
    /// Namespace of the cluster's DNS servers.
    #[arg(long, env = "GOVCLOUD_DNS_NAMESPACE", default_value = "kube-system")]
    dns_namespace: String,
    /// Labels of the DNS servers' pods, as key=value; several separated by commas.
    #[arg(long, env = "GOVCLOUD_DNS_SELECTOR", default_value = "k8s-app=kube-dns", value_delimiter = ',', value_parser = label)]
    dns_selector: Vec<(String, String)>,
    /// Port of the DNS servers' pods, TCP and UDP.
    #[arg(long, env = "GOVCLOUD_DNS_PORT", default_value_t = 53, value_parser = clap::value_parser!(u16).range(1..))]
    dns_port: u16,
    /// Address of a DNS cache that runs on every node, such as `NodeLocal DNSCache`, and that pods ask instead of the DNS servers, on
    /// the same port; several separated by commas. Example: 169.254.20.10.
    #[arg(long = "dns-cache", env = "GOVCLOUD_DNS_CACHES", value_name = "ADDRESS", value_delimiter = ',')]
    dns_caches: Vec<IpAddr>,
    /// The cluster's own address ranges (pods, services, nodes), which the egress of an agency may not contain; separated by commas.
    #[arg(long, env = "GOVCLOUD_CLUSTER_RANGES", value_delimiter = ',', default_values = ["10.0.0.0/8", "172.16.0.0/12"])]
    cluster_ranges: Vec<IpNet>,
    /// Pods of the controller that serves an ingress class, as CLASS=NAMESPACE or CLASS=NAMESPACE/KEY=VALUE,KEY=VALUE: they reach
    /// the pods of every agency whose contract has the class. May be given several times; in the environment separated by
    /// semicolons. Without it, no traffic arrives through the class. Example: public=ingress-nginx/app.kubernetes.io/name=ingress-nginx.
    #[arg(
        long = "ingress-controller",
        env = "GOVCLOUD_INGRESS_CONTROLLERS",
        value_name = "CLASS=NAMESPACE[/LABELS]",
        value_delimiter = ';'
    )]
    ingress_controllers: Vec<IngressController>,
    /// Pods that collect metrics, as NAMESPACE or NAMESPACE/KEY=VALUE,KEY=VALUE: they reach the pods of every agency. May be given
    /// several times; in the environment separated by semicolons. Example: monitoring/app.kubernetes.io/name=prometheus.
    #[arg(long = "metrics-collector", env = "GOVCLOUD_METRICS_COLLECTORS", value_name = "NAMESPACE[/LABELS]", value_delimiter = ';')]
    metrics_collectors: Vec<Pods>,
    /// Pods of other programs of the platform that must reach the pods of every agency, such as database operators, in the
    /// same form as --metrics-collector.
    #[arg(long = "platform-program", env = "GOVCLOUD_PLATFORM_PROGRAMS", value_name = "NAMESPACE[/LABELS]", value_delimiter = ';')]
    platform_programs: Vec<Pods>,
    /// Images of the platform's own programs that get into agencies' pods, such as a mesh's proxy or an agent that a webhook adds: the
    /// registry, and if wanted the first segments of the path. They are admitted in every agency, whatever its contract says of
    /// registries and digests, so name only what the platform itself builds or mirrors. May be given several times; in the
    /// environment separated by commas. Example: registry.example.gov.cn/mesh, which does not cover registry.example.gov.cn/mesh-other.
    #[arg(
        long = "platform-image",
        env = "GOVCLOUD_PLATFORM_IMAGES",
        value_name = "PREFIX",
        value_delimiter = ',',
        value_parser = image_prefix
    )]
    platform_images: Vec<String>,
    /// Format of the log.
    #[arg(long, env = "GOVCLOUD_LOG_FORMAT", value_enum, default_value = "text")]
    log_format: LogFormat,
    /// What is logged: error, warn, info, debug, or a filter such as govcloud=debug.
    #[arg(long, env = "GOVCLOUD_LOG", default_value = "info")]
    log: String,
}

/// What the environment of this command says of the operator.
#[derive(Parser)]
struct Environment {
    #[command(flatten)]
    arguments: Arguments,
}

/// The settings of the operator that runs or, where they are not known, those that `govcloud run` would take from the environment of
/// this command.
pub async fn settings(live: &mut Live) -> anyhow::Result<Settings> {
    match live.settings().await? {
        Some(settings) => Ok(settings),
        None => Ok(Environment::try_parse_from(["run"])?.arguments.settings()),
    }
}

impl Arguments {
    /// What the operator must know of its cluster.
    fn settings(&self) -> Settings {
        Settings {
            dns_namespace: self.dns_namespace.clone(),
            dns_selector: self.dns_selector.iter().cloned().collect(),
            dns_port: i32::from(self.dns_port),
            dns_caches: self.dns_caches.clone(),
            cluster_ranges: self.cluster_ranges.clone(),
            ingress_controllers: self.ingress_controllers.clone(),
            platform_programs: self.metrics_collectors.iter().chain(&self.platform_programs).cloned().collect(),
            platform_images: self.platform_images.clone(),
        }
    }
}

#[derive(Clone, Copy, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

pub(super) fn run(arguments: &Arguments, target: &Target) -> anyhow::Result<()> {
    let filter =
        EnvFilter::try_new(&arguments.log).with_context(|| format!("--log: '{}' is not a valid filter; example: info", arguments.log))?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match arguments.log_format {
        LogFormat::Text => log.with_ansi(false).init(),
        LogFormat::Json => log.json().init(),
    }
    let settings = arguments.settings();
    let runtime = tokio::runtime::Runtime::new().context("cannot start the threads of the runtime")?;
    let result = runtime.block_on(async {
        let config = target.config().await?;
        cluster::run(cluster::Options { config, listen: arguments.listen, workers: usize::from(arguments.workers), settings }).await
    });
    runtime.shutdown_background(); // whoever has lost the lease ends at once, whatever still waits for an answer
    result
}
