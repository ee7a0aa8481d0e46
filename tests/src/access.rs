//! Who talks to the API server: clients and kubeconfigs.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use k8s_openapi::ByteString;
use kube::Client;
use kube::config::{Config, KubeConfigOptions, Kubeconfig};
use serde_json::json;

/// Tells the harness's own requests apart in the audit log.
pub const USER_AGENT: &str = "govcloud-harness";

/// A user to impersonate, with groups.
pub type Impersonated<'a> = (&'a str, &'a [&'a str]);

/// A client of a kubeconfig's current context. It belongs to the runtime that it is made in.
pub async fn client(kubeconfig: &Path, as_user: Option<Impersonated<'_>>) -> Result<Client> {
    let failed = || format!("using the kubeconfig {}", kubeconfig.display());
    let content = Kubeconfig::read_from(kubeconfig).with_context(failed)?;
    let mut config = Config::from_custom_kubeconfig(content, &KubeConfigOptions::default()).await.with_context(failed)?;
    config.connect_timeout = Some(Duration::from_secs(5));
    config.write_timeout = Some(Duration::from_secs(30));
    if config.cluster_url.host().is_some_and(|host| host == "127.0.0.1" || host == "localhost") {
        // A proxy of the environment cannot reach this machine's own loopback.
        config.proxy_url = None;
    }
    config.headers.push(("user-agent".parse()?, USER_AGENT.parse()?));
    if let Some((user, groups)) = as_user {
        config.auth_info.impersonate = Some(user.to_owned());
        config.auth_info.impersonate_groups = Some(groups.iter().map(ToString::to_string).collect());
    }
    Client::try_from(config).with_context(failed)
}

/// Writes a kubeconfig for the same cluster with nothing but a token and a namespace, readable for the owner alone.
pub fn write_with_token(base: &Path, token: &str, namespace: &str, path: &Path) -> Result<()> {
    let base_config = Kubeconfig::read_from(base).with_context(|| format!("reading the kubeconfig {}", base.display()))?;
    let Some(cluster) = current_cluster(&base_config) else {
        bail!("the current context of {} names no cluster: set it with `kubectl config use-context`", base.display());
    };
    let content = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "cluster", "cluster": cluster}],
        "users": [{"name": "operator", "user": {"token": token}}],
        "contexts": [{"name": "operator", "context": {"cluster": "cluster", "user": "operator", "namespace": namespace}}],
        "current-context": "operator",
    });
    write_private(path, content.to_string().as_bytes())
}

/// Writes a kubeconfig for the same cluster and the same credentials that acts as somebody else.
pub fn write_as(base: &Path, user: &str, groups: &[&str], path: &Path) -> Result<()> {
    let mut config = Kubeconfig::read_from(base).with_context(|| format!("reading the kubeconfig {}", base.display()))?;
    for auth in config.auth_infos.iter_mut().filter_map(|named| named.auth_info.as_mut()) {
        auth.impersonate = Some(user.to_owned());
        auth.impersonate_groups = Some(groups.iter().map(ToString::to_string).collect());
    }
    write_private(path, serde_json::to_string(&config)?.as_bytes())
}

/// How the API server's audit log calls a token: by the ID in it.
pub fn credential_of(token: &str) -> Result<String> {
    let claims = token.split('.').nth(1).context("the token is no JWT")?;
    let mut padded = claims.replace('-', "+").replace('_', "/");
    padded.extend(std::iter::repeat_n('=', (4 - claims.len() % 4) % 4));
    let ByteString(claims) = serde_json::from_value(json!(padded)).context("the token's claims are not base64")?;
    let claims: serde_json::Value = serde_json::from_slice(&claims).context("the token's claims are not JSON")?;
    Ok(format!("JTI={}", claims["jti"].as_str().context("the token has no ID")?))
}

fn current_cluster(config: &Kubeconfig) -> Option<&kube::config::Cluster> {
    let current = config.current_context.as_ref()?;
    let context = config.contexts.iter().find(|context| &context.name == current)?.context.as_ref()?;
    config.clusters.iter().find(|cluster| cluster.name == context.cluster)?.cluster.as_ref()
}

fn write_private(path: &Path, content: &[u8]) -> Result<()> {
    // The mode counts at creation only.
    let _ = fs::remove_file(path);
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(content))
        .with_context(|| format!("writing {}", path.display()))
}
