//! cert-manager, as a real process beside the operator: installed from the definitions in its own module, with its own account
//! and the rights that its chart gives it.

use std::fs::{self, File};
use std::path::PathBuf;

use anyhow::{Context, Result};
use kube::Client;

use crate::{
    ControlPlane, access,
    bound::{self, Bound},
    build_layout,
    go_program::CERT_MANAGER,
    manifests::{self, Applier},
    operator,
};

const NAME: &str = "cert-manager";
const MODULE: &str = "github.com/cert-manager/cert-manager";

/// A running cert-manager. It ends when this is dropped, and when this process ends without dropping it.
pub struct CertManager {
    _process: Bound,
    log: PathBuf,
}

impl CertManager {
    /// Builds it, installs it and starts it. It is at work as soon as its caches are filled.
    ///
    /// # Errors
    /// When it does not build or start, or the API server refuses one of its objects.
    pub async fn start(plane: &ControlPlane) -> Result<Self> {
        let (program, module) =
            tokio::task::spawn_blocking(|| Ok::<_, anyhow::Error>((CERT_MANAGER.build()?, CERT_MANAGER.module(MODULE)?))).await??;
        let client = plane.client().await?;
        operator::install_crds(&client, &module.join("deploy/crds")).await?;
        install_account(&client).await?;
        let token = operator::token(&client, NAME, NAME).await?;
        let file = |suffix| plane.directory().join(format!("{NAME}.{suffix}"));
        let (kubeconfig, log) = (file("kubeconfig"), file("log"));
        access::write_with_token(plane.kubeconfig(), &token, NAME, &kubeconfig)?;
        let output = File::create(&log).with_context(|| format!("creating {}", log.display()))?;
        let mut command = bound::with_parent(plane.program(), &program);
        command.env("KUBECONFIG", &kubeconfig).stdout(output.try_clone().context("sharing the log")?).stderr(output);
        Ok(Self { _process: Bound::start(&mut command)?, log })
    }

    /// What it has logged.
    #[must_use]
    pub fn logged(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

async fn install_account(client: &Client) -> Result<()> {
    let objects = manifests::read(&build_layout::workspace().join("tests/platform/cert-manager/rbac.yaml"))?;
    Applier::new(client.clone(), "platform").await?.apply_all(&objects).await
}
