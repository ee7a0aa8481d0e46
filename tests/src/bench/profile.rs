//! Where the API server's time goes while the operator sets everything up: a profile for `go tool pprof`.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use axum::body::to_bytes;
use axum::http::Request;
use kube::client::Body;

use crate::ControlPlane;

/// A profile takes this long, whatever happens meanwhile.
const SECONDS: u32 = 10;
/// Bytes of a profile at most.
const LIMIT: usize = 64 << 20;

/// Writes a profile of the API server's processor time to a file.
///
/// # Errors
/// When the API server does not give one, or the file cannot be written.
pub async fn api_server(plane: &ControlPlane, file: &Path) -> Result<()> {
    let client = plane.client().await?;
    let request = Request::get(format!("/debug/pprof/profile?seconds={SECONDS}")).body(Body::empty())?;
    let answer = client.send(request).await.context("asking the API server for a profile")?;
    ensure!(answer.status().is_success(), "the API server gives no profile: {}", answer.status());
    let profile = to_bytes(axum::body::Body::new(answer.into_body()), LIMIT).await.context("reading the API server's profile")?;
    std::fs::write(file, profile).with_context(|| format!("writing {}", file.display()))
}
