//! A proxy between the operator and the API server that lets every request pass with the caller's own credentials, writes
//! down what is written, and breaks what a test tells it to break.

mod asked;
mod fault;
mod stream;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use anyhow::{Context, Result};
use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use kube::config::{AuthInfo, Config, KubeConfigOptions, Kubeconfig};
use kube::{Client, client};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use asked::Asked;
pub use fault::{Fault, Met};
pub use stream::End;

use fault::Rule;
use stream::Watches;

use crate::ControlPlane;

/// A running proxy. When it is dropped, nothing passes any more.
pub struct Proxy {
    plane: ControlPlane,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

struct Shared {
    upstream: Client,
    book: Mutex<Book>,
    watches: watch::Sender<Watches>,
}

#[derive(Default)]
struct Book {
    rules: Vec<Rule>,
    killed: BTreeSet<String>,
    dead: bool,
    writes: Vec<(Instant, Asked)>,
    lists: BTreeMap<String, Bytes>,
    last_fault: Option<Instant>,
}

/// A request that gets no answer, as long as somebody waits for one.
struct Unanswered<'a>(&'a Shared);

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        self.0.book().last_fault = Some(Instant::now());
    }
}

impl Proxy {
    /// Starts a proxy before a control plane, in the runtime that it is called in.
    ///
    /// # Errors
    /// When the kubeconfig cannot be used or no port is free.
    pub async fn before(plane: &ControlPlane) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("finding a port for the proxy")?;
        let address = listener.local_addr().context("finding a port for the proxy")?;
        let shared =
            Arc::new(Shared { upstream: upstream(plane).await?, book: Mutex::default(), watches: watch::Sender::new(Watches::default()) });
        let router = Router::new().fallback(serve).with_state(shared.clone());
        let server = tokio::spawn(async move {
            // It ends when it is aborted.
            let _ = axum::serve(listener, router).await;
        });
        let kubeconfig = plane.directory().join(format!("proxy-{}.kubeconfig", address.port()));
        let plane = seen_through(plane, &format!("http://{address}"), &kubeconfig)?;
        Ok(Self { plane, shared, server })
    }

    /// The control plane as it is seen through the proxy.
    #[must_use]
    pub fn plane(&self) -> &ControlPlane {
        &self.plane
    }

    /// Lets `skip` of the operator's requests that are meant pass, and deals so with the next `count`.
    pub fn arm(&self, fault: Fault, skip: usize, count: usize, wanted: impl FnMut(&Asked) -> bool + Send + 'static) -> Met {
        let met = watch::Sender::new(0);
        let told = Met(met.subscribe());
        self.shared.book().rules.push(Rule { wanted: Box::new(wanted), skip, left: count, fault, met });
        told
    }

    /// Forgets all faults that are not used up.
    pub fn disarm(&self) {
        self.shared.book().rules.clear();
    }

    /// What was written in a tenant's name, in order, and whatever reached the API server of it.
    #[must_use]
    pub fn writes_of(&self, tenant: &str) -> Vec<Asked> {
        let book = self.shared.book();
        book.writes.iter().filter(|(_, asked)| asked.tenant == tenant).map(|(_, asked)| asked.clone()).collect()
    }

    /// When something was last written in one of these tenants' names.
    #[must_use]
    pub fn last_write(&self, of: impl Fn(&str) -> bool) -> Option<Instant> {
        self.shared.book().writes.iter().rev().find(|(_, asked)| of(&asked.tenant)).map(|(time, _)| *time)
    }

    /// When a fault last hit, or the wait for an answer that does not come was last given up.
    #[must_use]
    pub fn last_fault(&self) -> Option<Instant> {
        self.shared.book().last_fault
    }

    /// The last list of each resource that went through.
    #[must_use]
    pub fn lists(&self) -> BTreeMap<String, Bytes> {
        self.shared.book().lists.clone()
    }

    /// Stalls all watches, those to come too, or lets them flow again.
    pub fn stall_watches(&self, stalled: bool) {
        self.shared.watches.send_modify(|watches| watches.stalled = stalled);
        self.shared.book().last_fault = Some(Instant::now());
    }

    /// Ends all watches that are there.
    pub fn end_watches(&self, how: End) {
        self.shared.watches.send_modify(|watches| watches.ended = (watches.ended.0 + 1, how));
        self.shared.book().last_fault = Some(Instant::now());
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.book().dead = true;
        self.server.abort();
    }
}

impl Shared {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is to become of a request. What passes and writes is written down.
    fn judge(&self, asked: &Asked) -> Option<Fault> {
        let mut book = self.book();
        if book.dead || book.killed.contains(&asked.tenant) {
            return Some(Fault::Silence);
        }
        let fault = book.rules.iter_mut().find_map(|rule| rule.judge(asked));
        if fault.is_some() {
            book.last_fault = Some(Instant::now());
        }
        if matches!(fault, Some(Fault::KillBefore)) {
            book.killed.insert(asked.tenant.clone());
        }
        if asked.is_write() && matches!(fault, None | Some(Fault::KillAfter)) {
            book.writes.push((Instant::now(), asked.clone()));
        }
        fault
    }

    async fn operators(&self, asked: Asked, parts: Parts, body: Bytes) -> Response {
        match self.judge(&asked) {
            Some(Fault::KillBefore | Fault::Silence) => {
                let _unanswered = Unanswered(self);
                pending().await
            }
            Some(Fault::Answer(code)) => fault::answer(code, &asked),
            Some(Fault::Stale(list)) => ([(header::CONTENT_TYPE, "application/json")], list).into_response(),
            Some(Fault::KillAfter) => {
                self.forward(parts, body).await;
                self.book().killed.insert(asked.tenant);
                pending().await
            }
            None => {
                let answer = self.forward(parts, body).await;
                self.pass_on(asked, answer).await
            }
        }
    }

    /// The answer on its way back, which a death in the meantime holds up.
    async fn pass_on(&self, asked: Asked, answer: Response) -> Response {
        if asked.verb == "watch" {
            return answer.map(|body| stream::watched(body, self.watches.subscribe(), asked));
        }
        let (parts, body) = answer.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
        let dead = {
            let mut book = self.book();
            if asked.verb == "list" && parts.status.is_success() {
                book.lists.insert(asked.resource.clone(), body.clone());
            }
            book.dead || book.killed.contains(&asked.tenant)
        };
        if dead { pending().await } else { Response::from_parts(parts, Body::from(body)) }
    }

    async fn forward(&self, mut parts: Parts, body: Bytes) -> Response {
        for name in [header::HOST, header::CONTENT_LENGTH, header::CONNECTION, header::TRANSFER_ENCODING] {
            parts.headers.remove(name);
        }
        match self.upstream.send(Request::from_parts(parts, client::Body::from(body))).await {
            Ok(mut answer) => {
                for name in [header::CONNECTION, header::TRANSFER_ENCODING] {
                    answer.headers_mut().remove(name);
                }
                answer.map(Body::new)
            }
            Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
        }
    }
}

async fn serve(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, usize::MAX).await else { return StatusCode::BAD_REQUEST.into_response() };
    match Asked::read(&parts, &body) {
        Some(asked) => shared.operators(asked, parts, body).await,
        None => shared.forward(parts, body).await,
    }
}

/// A client with no credentials of its own: each request brings them along.
async fn upstream(plane: &ControlPlane) -> Result<Client> {
    let failed = || format!("using the kubeconfig {}", plane.kubeconfig().display());
    let content = Kubeconfig::read_from(plane.kubeconfig()).with_context(failed)?;
    let mut config = Config::from_custom_kubeconfig(content, &KubeConfigOptions::default()).await.with_context(failed)?;
    config.auth_info = AuthInfo::default();
    config.proxy_url = None;
    config.default_retry = false;
    Client::try_from(config).with_context(failed)
}

fn seen_through(plane: &ControlPlane, server: &str, path: &std::path::Path) -> Result<ControlPlane> {
    let failed = || format!("reading the kubeconfig {}", plane.kubeconfig().display());
    let text = fs::read_to_string(plane.kubeconfig()).with_context(failed)?;
    let mut config: Value = serde_yaml::from_str(&text).with_context(failed)?;
    config["clusters"][0]["cluster"] = json!({ "server": server });
    fs::write(path, config.to_string()).with_context(|| format!("writing {}", path.display()))?;
    ControlPlane::existing(path)
}
