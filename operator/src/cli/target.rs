//! Which cluster is asked, and as whom: the flags that kubectl has for this.

use std::{error::Error, path::PathBuf};

use anyhow::{Context, anyhow};
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig, KubeconfigError},
};

#[derive(clap::Args)]
#[command(next_help_heading = "Cluster options")]
pub(super) struct Target {
    /// Path of the kubeconfig file. Default: KUBECONFIG, ~/.kube/config or, in a pod, its own service account.
    #[arg(long, global = true, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// Name of the context in the kubeconfig file. Default: its current context.
    #[arg(long, global = true, value_name = "NAME")]
    context: Option<String>,
    /// User to impersonate.
    #[arg(long = "as", global = true, value_name = "USER")]
    user: Option<String>,
    /// Group to impersonate; may be given several times. Needs --as.
    #[arg(long = "as-group", global = true, value_name = "GROUP")]
    groups: Vec<String>,
}

impl Target {
    /// How to reach the API server.
    pub(super) async fn config(&self) -> anyhow::Result<Config> {
        if self.user.is_none() && !self.groups.is_empty() {
            anyhow::bail!("--as-group needs --as: a group is impersonated together with a user");
        }
        let options = KubeConfigOptions { context: self.context.clone(), ..KubeConfigOptions::default() };
        let mut config = match &self.kubeconfig {
            Some(file) => {
                let read = || format!("reading {}", file.display());
                let found = Kubeconfig::read_from(file).map_err(unquoted).with_context(read)?;
                Config::from_custom_kubeconfig(found, &options).await.map_err(unquoted).with_context(read)?
            }
            None if self.context.is_some() => Config::from_kubeconfig(&options).await.map_err(unquoted)?,
            None => {
                let none = "no cluster is configured: set KUBECONFIG or --kubeconfig, or run in a pod";
                Config::infer().await.map_err(unquoted).context(none)?
            }
        };
        if self.user.is_some() {
            config.auth_info.impersonate.clone_from(&self.user);
            config.auth_info.impersonate_groups = Some(self.groups.clone());
        }
        Ok(config)
    }

    /// A client of it.
    pub(super) async fn client(&self) -> anyhow::Result<Client> {
        Client::try_from(self.config().await?).context("the configuration of the cluster is invalid")
    }
}

/// An error as it is, but where a kubeconfig is no YAML: that one quotes the place, which may hold a token.
fn unquoted(error: impl Error + Send + Sync + 'static) -> anyhow::Error {
    let error = anyhow::Error::new(error);
    let is_about_yaml = |cause: &(dyn Error + 'static)| matches!(cause.downcast_ref(), Some(KubeconfigError::Parse(_)));
    if error.chain().any(is_about_yaml) { anyhow!("the kubeconfig is not valid; `kubectl config view` says where") } else { error }
}
