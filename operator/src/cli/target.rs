//! Which cluster is asked, and as whom: the flags that kubectl has for this.

use std::{error::Error, path::PathBuf};

use anyhow::{Context, anyhow};
use kube::{
    Client, Config,
    config::{InferConfigError, KubeConfigOptions, Kubeconfig, KubeconfigError},
};

use crate::error::with_causes;

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

/// The flag of commands that are about a namespace.
#[derive(clap::Args)]
pub(super) struct NamespaceArgument {
    /// Namespace. Default: that of the context.
    #[arg(long, short, value_name = "NAME")]
    namespace: Option<String>,
}

impl NamespaceArgument {
    /// The namespace that is meant.
    pub(super) fn of<'a>(&'a self, config: &'a Config) -> &'a str {
        self.namespace.as_deref().unwrap_or(&config.default_namespace)
    }
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
                let found = Kubeconfig::read_from(file).map_err(|error| in_words(&error))?;
                Config::from_custom_kubeconfig(found, &options).await.map_err(|error| in_words(&error))?
            }
            None if self.context.is_some() => Config::from_kubeconfig(&options).await.map_err(|error| in_words(&error))?,
            None => Config::infer().await.map_err(|error| inferred(&error))?,
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

/// An error in plain words. One about YAML quotes the place, which may hold a token.
fn in_words(error: &KubeconfigError) -> anyhow::Error {
    match error {
        KubeconfigError::Parse(_) => anyhow!("the kubeconfig is not valid; `kubectl config view` says where"),
        KubeconfigError::ReadConfig(error, file) => anyhow!("cannot read {}: {error}", file.display()),
        KubeconfigError::LoadContext(name) => anyhow!("the kubeconfig has no context {name}; `kubectl config get-contexts` lists them"),
        error => anyhow!("the kubeconfig cannot be used: {}", with_causes(error)),
    }
}

/// Outside of a pod, what is wrong with the kubeconfig is what helps.
fn inferred(error: &InferConfigError) -> anyhow::Error {
    let kubeconfig = error.source().and_then(|cause| cause.downcast_ref());
    kubeconfig
        .map_or_else(|| anyhow!("{error}"), in_words)
        .context("no cluster is configured: set KUBECONFIG or --kubeconfig, or run in a pod")
}
