//! The programs of a platform that the operator's settings name: name servers, ingress controllers and a metrics collector. Their pods
//! run no container; they are what a cluster's objects tell of.

use anyhow::Result;
use kube::Client;

use crate::{
    build_layout,
    manifests::{self, Applier},
};

/// Brings them to a control plane that was started here, with its storage and ingress classes.
///
/// # Errors
/// When the API server refuses one of the objects.
pub async fn install(client: &Client) -> Result<()> {
    let objects = manifests::read(&build_layout::workspace().join("tests/platform/programs.yaml"))?;
    Applier::new(client.clone(), "platform").await?.apply_all(&objects).await
}
