//! The way to the API server: every request but a watch goes through here, with a time limit, and is counted. A write goes
//! out only while the lease is held.

use std::{future::poll_fn, pin::Pin, task::Poll, time::Duration};

use govcloud_core::model::names::FIELD_MANAGER;
use kube::{
    Api, Client,
    api::{PatchParams, PostParams},
    core::ApiResource,
};

use super::{fence::Fence, metrics::Metrics, object::Object};
use crate::error::Error;

/// Longest wait for one request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);

/// A client that waits no longer than it should.
#[derive(Clone)]
pub struct Connection {
    /// The client itself, for watches and typed calls.
    pub client: Client,
    /// Counts the requests.
    pub metrics: Metrics,
    /// Whether this process may write.
    pub fence: Fence,
}

impl Connection {
    /// Awaits one request; a write is not sent unless this process leads.
    pub async fn request<T>(
        &self,
        verb: &'static str,
        resource: &'static str,
        request: impl Future<Output = kube::Result<T>>,
    ) -> Result<T, Error> {
        let reads = matches!(verb, "get" | "list");
        let answer = limited(REQUEST_TIMEOUT, fenced(|| reads || self.fence.may_write(), Box::pin(request))).await;
        self.metrics.request(verb, resource, answer.as_ref().err());
        answer
    }

    /// Awaits one request that changes nothing but the lease, which whoever does not lead may send too.
    pub async fn unfenced<T>(
        &self,
        verb: &'static str,
        resource: &'static str,
        limit: Duration,
        request: impl Future<Output = kube::Result<T>>,
    ) -> Result<T, Error> {
        let answer = limited(limit, fenced(|| true, Box::pin(request))).await;
        self.metrics.request(verb, resource, answer.as_ref().err());
        answer
    }

    /// Objects of a resource; an empty namespace stands for cluster scope.
    pub fn api(&self, resource: &ApiResource, namespace: &str) -> Api<Object> {
        if namespace.is_empty() {
            Api::all_with(self.client.clone(), resource)
        } else {
            Api::namespaced_with(self.client.clone(), namespace, resource)
        }
    }
}

async fn limited<T>(limit: Duration, request: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    tokio::time::timeout(limit, request).await.unwrap_or(Err(Error::TimedOut(limit)))
}

/// Asks before every step of the request, and not only at its beginning: it may wait long for a connection, and the process
/// may be halted and woken at any point. What has left this machine cannot be called back; against that, writes carry UID
/// and version.
async fn fenced<T>(may_go_on: impl Fn() -> bool, mut request: impl Future<Output = kube::Result<T>> + Unpin) -> Result<T, Error> {
    poll_fn(
        |context| if may_go_on() { Pin::new(&mut request).poll(context).map_err(Error::from) } else { Poll::Ready(Err(Error::NotLeading)) },
    )
    .await
}

/// A create or update in our name.
pub fn post_params() -> PostParams {
    PostParams { field_manager: Some(FIELD_MANAGER.into()), dry_run: false }
}

/// A merge patch in our name.
pub fn patch() -> PatchParams {
    PatchParams { field_manager: Some(FIELD_MANAGER.into()), ..PatchParams::default() }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// A request that takes a second step before it has an answer.
    async fn two_steps(taken: &Cell<u32>) -> kube::Result<()> {
        taken.set(1);
        tokio::task::yield_now().await;
        taken.set(2);
        Ok(())
    }

    #[tokio::test]
    async fn a_request_goes_on_as_long_as_it_may_and_is_not_begun_when_it_may_not() {
        let taken = Cell::new(0);
        fenced(|| true, Box::pin(two_steps(&taken))).await.unwrap();
        assert_eq!(taken.get(), 2);

        taken.set(0);
        let answer = fenced(|| false, Box::pin(two_steps(&taken))).await;
        assert!(matches!(answer, Err(Error::NotLeading)), "{answer:?}");
        assert_eq!(taken.get(), 0, "it was sent");
    }

    #[tokio::test]
    async fn a_request_that_waits_while_the_lease_ends_goes_no_further() {
        let taken = Cell::new(0);
        let answer = fenced(|| taken.get() == 0, Box::pin(two_steps(&taken))).await;
        assert!(matches!(answer, Err(Error::NotLeading)), "{answer:?}");
        assert_eq!(taken.get(), 1);
    }
}
