//! `govcloud run`: the operator.

use std::net::SocketAddr;

use anyhow::Context;
use clap::ValueEnum;
use ipnet::IpNet;
use tracing_subscriber::EnvFilter;

use crate::{cluster, plan::settings::Settings};

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Address of /livez, /readyz and /metrics.
    #[arg(long, env = "GOVCLOUD_LISTEN", default_value = "0.0.0.0:8080")]
    listen: SocketAddr,
    /// Tenants that are reconciled at the same time.
    #[arg(long, env = "GOVCLOUD_WORKERS", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=256))]
    workers: u16,
    /// Namespace of the cluster's DNS servers.
    #[arg(long, env = "GOVCLOUD_DNS_NAMESPACE", default_value = "kube-system")]
    dns_namespace: String,
    /// Labels of the DNS servers' pods, as key=value; several separated by commas.
    #[arg(long, env = "GOVCLOUD_DNS_SELECTOR", default_value = "k8s-app=kube-dns", value_delimiter = ',', value_parser = label)]
    dns_selector: Vec<(String, String)>,
    /// Port on which the DNS servers' pods answer, TCP and UDP.
    #[arg(long, env = "GOVCLOUD_DNS_PORT", default_value_t = 53, value_parser = clap::value_parser!(u16).range(1..))]
    dns_port: u16,
    /// The cluster's own address ranges (pods, services, nodes), which no agency's egress may name; separated by commas.
    #[arg(long, env = "GOVCLOUD_CLUSTER_RANGES", value_delimiter = ',', default_values = ["10.0.0.0/8", "172.16.0.0/12"])]
    cluster_ranges: Vec<IpNet>,
    /// Form of the log.
    #[arg(long, env = "GOVCLOUD_LOG_FORMAT", value_enum, default_value = "text")]
    log_format: LogFormat,
    /// What is logged: error, warn, info, debug, or a filter such as govcloud=debug.
    #[arg(long, env = "GOVCLOUD_LOG", default_value = "info")]
    log: String,
}

impl Arguments {
    /// What the operator must know of its cluster.
    pub(super) fn settings(&self) -> Settings {
        Settings {
            dns_namespace: self.dns_namespace.clone(),
            dns_selector: self.dns_selector.iter().cloned().collect(),
            dns_port: i32::from(self.dns_port),
            cluster_ranges: self.cluster_ranges.clone(),
        }
    }
}

#[derive(Clone, Copy, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

fn label(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or_else(|| format!("'{text}' is not a label; write key=value"))?;
    Ok((key.to_owned(), value.to_owned()))
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&arguments.log)
        .with_context(|| format!("--log: '{}' is not a filter; write for example info", arguments.log))?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match arguments.log_format {
        LogFormat::Text => log.with_ansi(false).init(),
        LogFormat::Json => log.json().init(),
    }
    let settings = arguments.settings();
    let options = cluster::Options { listen: arguments.listen, workers: usize::from(arguments.workers), settings };
    let runtime = tokio::runtime::Runtime::new().context("no threads to run on")?;
    let result = runtime.block_on(cluster::run(options));
    runtime.shutdown_background(); // whoever has lost the lease ends at once, whatever still waits for an answer
    result
}
