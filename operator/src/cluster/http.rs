//! `/livez`, `/readyz` and `/metrics`.

use std::sync::Arc;

use axum::{Router, extract::State, http::StatusCode, routing::get};

use super::{cache::Cache, fence::Fence, metrics::Metrics, status_writer::StatusWriter};

/// What the pages tell of.
#[derive(Clone)]
pub struct Health {
    /// The caches, whose watches must live.
    pub cache: Arc<Cache>,
    /// What keeps this replica from leading or standing by.
    pub fence: Fence,
    /// What the API server last refused.
    pub report: StatusWriter,
    /// The metrics.
    pub metrics: Metrics,
}

/// The pages.
pub fn pages(health: Health) -> Router {
    Router::new().route("/livez", get(|| async { "ok" })).route("/readyz", get(ready)).route("/metrics", get(metrics)).with_state(health)
}

async fn ready(State(health): State<Health>) -> (StatusCode, String) {
    let complaints: Vec<String> =
        health.cache.complaints().into_iter().chain(health.fence.complaint()).chain(health.report.forbidden()).collect();
    if complaints.is_empty() { (StatusCode::OK, "ok".to_owned()) } else { (StatusCode::SERVICE_UNAVAILABLE, complaints.join("\n")) }
}

async fn metrics(State(health): State<Health>) -> Result<([(&'static str, &'static str); 1], String), StatusCode> {
    let text = health.metrics.text(&health.cache).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    Ok(([("content-type", "application/openmetrics-text; version=1.0.0; charset=utf-8")], text))
}
