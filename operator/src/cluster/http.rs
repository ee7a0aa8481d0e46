//! `/livez`, `/readyz` and `/metrics`.

use std::sync::Arc;

use axum::{Router, extract::State, http::StatusCode, routing::get};

use super::{fence::Fence, health::Health, metrics::Metrics, status_writer::StatusWriter, store::Store};

/// What the pages tell of.
#[derive(Clone)]
pub struct Pages {
    /// The objects.
    pub store: Arc<Store>,
    /// How the operator is doing.
    pub health: Arc<Health>,
    /// What keeps this replica from leading or standing by.
    pub fence: Fence,
    /// What the API server last refused.
    pub status_writer: StatusWriter,
    /// The metrics.
    pub metrics: Metrics,
}

/// The pages.
pub fn pages(pages: Pages) -> Router {
    Router::new().route("/livez", get(|| async { "ok" })).route("/readyz", get(ready)).route("/metrics", get(metrics)).with_state(pages)
}

async fn ready(State(pages): State<Pages>) -> (StatusCode, String) {
    let complaints: Vec<String> =
        pages.health.complaints().into_iter().chain(pages.fence.complaint()).chain(pages.status_writer.forbidden()).collect();
    if complaints.is_empty() { (StatusCode::OK, "ok".to_owned()) } else { (StatusCode::SERVICE_UNAVAILABLE, complaints.join("\n")) }
}

async fn metrics(State(pages): State<Pages>) -> Result<([(&'static str, &'static str); 1], String), StatusCode> {
    let (synced, guarded) = (pages.health.synced(), pages.health.guard_rails().is_none());
    let text = pages.metrics.text(&pages.store, &synced, guarded).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    Ok(([("content-type", "application/openmetrics-text; version=1.0.0; charset=utf-8")], text))
}
