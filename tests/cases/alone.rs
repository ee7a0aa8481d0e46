//! Cases that stop, kill, starve or blind the operator. They have a control plane of their own, which they share one after the
//! other: what one of them breaks, or asks for the silence of, is no other's.

mod api_server;
mod attacks;
mod gate;
mod kinds;
mod outage;
mod permissions;
pub mod process;
mod quiet;
mod replicas;
mod restart;
mod telemetry;
mod unguarded;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::OnceLock,
    time::{Duration, Instant},
};

use acceptance::{
    ControlPlane, Operator,
    audit::{self, Request},
};
use tokio::{
    sync::{Mutex, MutexGuard},
    task::spawn_blocking,
    time::sleep,
};

use crate::cluster::Person;

/// The operator, as the API server knows it.
const ACCOUNT: &str = "system:serviceaccount:govcloud-system:govcloud-operator";
/// Longest wait for what has no object to watch.
const PATIENCE: Duration = Duration::from_secs(40);

/// The control plane, for one case at a time. No operator runs on it until the case starts one.
pub struct Alone {
    pub plane: &'static ControlPlane,
    pub program: &'static Path,
    _turn: MutexGuard<'static, ()>,
}

impl Alone {
    /// Waits for its turn; puts back what a case that failed has taken away.
    pub async fn turn() -> Self {
        static TURN: Mutex<()> = Mutex::const_new(());
        static STARTED: OnceLock<(ControlPlane, PathBuf)> = OnceLock::new();
        let turn = TURN.lock().await;
        // Never the user's cluster: it would be broken too.
        let start = || (ControlPlane::start().unwrap_or_else(|error| panic!("{error:#}")), Operator::build().unwrap());
        let (plane, program) = spawn_blocking(move || STARTED.get_or_init(start)).await.expect("a control plane and an operator");
        Operator::install(plane).await.unwrap_or_else(|error| panic!("{error:#}"));
        Operator::clear_lease(plane).await.unwrap_or_else(|error| panic!("{error:#}"));
        Self { plane, program, _turn: turn }
    }

    /// The administrator.
    pub async fn admin(&self) -> Person {
        Person { client: self.plane.client().await.unwrap() }
    }

    /// Starts an operator and waits until it is ready.
    pub async fn start(&self) -> Operator {
        start_on(self.plane, self.program).await
    }

    /// Starts one after another was killed, whose lease nobody holds any more.
    async fn start_after_kill(&self) -> Operator {
        Operator::clear_lease(self.plane).await.unwrap();
        self.start().await
    }

    /// Where the audit log ends now.
    fn position(&self) -> u64 {
        audit::position(self.plane.audit_log().unwrap()).unwrap()
    }

    /// What operators asked the API server since then, but for the lease that one of them holds.
    fn requests_since(&self, position: u64) -> Vec<Request> {
        let mut requests = audit::requests_since(self.plane.audit_log().unwrap(), position).unwrap();
        let about_lease = |request: &Request| request.object_ref.as_ref().is_some_and(|object| object.resource == "leases");
        requests.retain(|request| request.user.username == ACCOUNT && !about_lease(request));
        requests
    }

    /// What operators wrote since then, a line each.
    fn writes_since(&self, position: u64) -> Vec<String> {
        self.requests_since(position).iter().filter(|request| request.is_write()).map(line).collect()
    }

    /// Waits until nothing has been written for five seconds.
    async fn settled(&self) {
        let begin = Instant::now();
        loop {
            let position = self.position();
            sleep(Duration::from_secs(5)).await;
            let writes = self.writes_since(position);
            if writes.is_empty() {
                return;
            }
            assert!(begin.elapsed() < PATIENCE, "the operator does not come to rest: {writes:#?}");
        }
    }
}

async fn start_on(plane: &ControlPlane, program: &Path) -> Operator {
    Operator::start_program(plane, program).await.unwrap_or_else(|error| panic!("{error:#}"))
}

/// A request as "verb resource/subresource namespace/name".
fn line(request: &Request) -> String {
    let object = request.object_ref.clone().unwrap_or_default();
    let join = |one: &str, other: &str| [one, other].iter().filter(|part| !part.is_empty()).copied().collect::<Vec<_>>().join("/");
    format!("{} {} {}", request.verb, join(&object.resource, &object.subresource), join(&object.namespace, &object.name))
}

/// Waits until `/readyz` answers with this code; returns what it says.
async fn until_readyz(operator: &Operator, code: u16, within: Duration) -> String {
    let begin = Instant::now();
    loop {
        let (found, body) = operator.get("/readyz").await.unwrap();
        if found == code {
            return body;
        }
        assert!(begin.elapsed() < within, "/readyz is {found} and not {code} after {} s: {body}", within.as_secs());
        sleep(Duration::from_millis(50)).await;
    }
}

fn lines_of_log(operator: &Operator) -> usize {
    fs::read_to_string(operator.log()).unwrap().lines().count()
}
