//! The way to the API server: every request but a watch goes through here, with a time limit, and is counted.

use std::{sync::Arc, time::Duration};

use kube::{
    Api, Client,
    api::{DynamicObject, PatchParams, PostParams},
    core::ApiResource,
};
use serde_json::Value;

use super::{cache::Cache, metrics::Metrics};
use crate::{error::Error, names::FIELD_MANAGER};

/// Longest wait for one request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);
/// Time between two probes, and the longest wait for one.
const PROBE: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(3));

/// A client that waits no longer than it should.
#[derive(Clone)]
pub struct Connection {
    /// The client itself, for watches and typed calls.
    pub client: Client,
    /// Counts the requests.
    pub metrics: Metrics,
}

impl Connection {
    /// Awaits one request.
    pub async fn request<T>(
        &self,
        verb: &'static str,
        resource: &'static str,
        request: impl Future<Output = kube::Result<T>>,
    ) -> Result<T, Error> {
        let answer = tokio::time::timeout(REQUEST_TIMEOUT, request).await;
        let answer = answer.map_err(|_| Error::TimedOut(REQUEST_TIMEOUT)).and_then(|answer| answer.map_err(Error::from));
        self.metrics.request(verb, resource, answer.as_ref().err());
        answer
    }

    /// Objects of a resource; an empty namespace stands for cluster scope.
    pub fn api(&self, resource: &ApiResource, namespace: &str) -> Api<DynamicObject> {
        if namespace.is_empty() {
            Api::all_with(self.client.clone(), resource)
        } else {
            Api::namespaced_with(self.client.clone(), namespace, resource)
        }
    }
}

/// Asks the API server every now and then whether it is there.
pub async fn probe(connection: Connection, cache: Arc<Cache>) {
    loop {
        let answer = tokio::time::timeout(PROBE.1, connection.client.apiserver_version()).await;
        cache.answered(match answer {
            Ok(Ok(_)) => None,
            Ok(Err(error)) => Some(Error::from(error).to_string()),
            Err(_) => Some(Error::TimedOut(PROBE.1).to_string()),
        });
        tokio::time::sleep(PROBE.0).await;
    }
}

/// A create or update in our name.
pub fn post() -> PostParams {
    PostParams { field_manager: Some(FIELD_MANAGER.into()), dry_run: false }
}

/// A merge patch in our name.
pub fn patch() -> PatchParams {
    PatchParams { field_manager: Some(FIELD_MANAGER.into()), ..PatchParams::default() }
}

/// An object in the form that the client sends.
pub fn dynamic(object: Value) -> Result<DynamicObject, Error> {
    serde_json::from_value(object).map_err(|error| Error::Unreachable(error.to_string()))
}
