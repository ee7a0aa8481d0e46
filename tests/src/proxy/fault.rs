//! What can be done to a request, and to which.

use axum::body::{Body, Bytes};
use axum::http::{StatusCode, header};
use axum::response::Response;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::Asked;

/// What becomes of a request.
#[derive(Clone, Debug)]
pub enum Fault {
    /// It does not reach the API server, and from this moment on nothing of its tenant passes: for the tenant the operator is
    /// as dead as if it had been killed, which the test then does.
    KillBefore,
    /// It is carried out, the answer does not come, and from then on nothing of its tenant passes.
    KillAfter,
    /// The API server answers with this status code, and does nothing.
    Answer(u16),
    /// No answer, and nothing is done.
    Silence,
    /// A list of former times.
    Stale(Bytes),
}

/// A fault for some requests: the first `skip` that are meant pass, the next `left` do not.
pub(super) struct Rule {
    pub wanted: Box<dyn FnMut(&Asked) -> bool + Send>,
    pub skip: usize,
    pub left: usize,
    pub fault: Fault,
    pub met: watch::Sender<usize>,
}

impl Rule {
    /// The fault, if it is this request's turn.
    pub fn judge(&mut self, asked: &Asked) -> Option<Fault> {
        if self.left == 0 || !(self.wanted)(asked) {
            return None;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return None;
        }
        self.left -= 1;
        self.met.send_modify(|times| *times += 1);
        Some(self.fault.clone())
    }
}

/// Tells how often a fault has hit.
pub struct Met(pub(super) watch::Receiver<usize>);

impl Met {
    /// How often it has hit so far.
    #[must_use]
    pub fn times(&self) -> usize {
        *self.0.borrow()
    }

    /// Waits until it has hit so often; for ever, when its proxy is gone.
    pub async fn reaches(&mut self, times: usize) {
        if self.0.wait_for(|hits| *hits >= times).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// A `Status` as the API server sends it.
pub(super) fn status(code: u16, asked: &Asked) -> Value {
    let reason = match code {
        409 if asked.verb == "create" => "AlreadyExists",
        409 => "Conflict",
        410 => "Expired",
        422 => "Invalid",
        429 => "TooManyRequests",
        503 => "ServiceUnavailable",
        504 => "Timeout",
        _ => "InternalError",
    };
    let mut details = json!({ "kind": asked.resource, "name": asked.name });
    if code == 429 {
        details["retryAfterSeconds"] = json!(1);
    }
    json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": format!("{asked}: made to fail by the test"), "reason": reason, "details": details, "code": code,
    })
}

/// The same as a whole answer.
pub(super) fn answer(code: u16, asked: &Asked) -> Response {
    let mut answer = Response::new(Body::from(status(code, asked).to_string()));
    *answer.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    answer.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    if code == 429 {
        answer.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("1"));
    }
    answer
}
