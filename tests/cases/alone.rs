//! Cases that stop, kill, starve or blind the operator. Each has a control plane to itself while it lasts: what one of them breaks,
//! or asks for the silence of, is no other's. The next one takes it over.

mod api_server;
mod attacks;
mod default_class;
mod gate;
mod kinds;
mod outage;
mod permissions;
pub mod process;
mod quiet;
mod replicas;
mod requested_by;
mod restart;
mod telemetry;
mod unguarded;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Mutex, OnceLock},
    time::{Duration, Instant},
};

use acceptance::{
    ControlPlane, Operator,
    audit::{self, Request},
};
use tokio::{task::spawn_blocking, time::sleep};

use crate::{cluster::Person, times};

/// The operator, as the API server knows it.
const ACCOUNT: &str = "system:serviceaccount:govcloud-system:govcloud-operator";
/// Longest wait for what has no object to watch.
const PATIENCE: Duration = Duration::from_secs(40);

/// Control planes that no case has now.
static FREE: Mutex<Vec<&'static ControlPlane>> = Mutex::new(Vec::new());

/// A control plane that no other case has meanwhile. No operator runs on it until the case starts one.
pub struct Alone {
    pub plane: &'static ControlPlane,
    pub program: &'static Path,
}

impl Drop for Alone {
    fn drop(&mut self) {
        FREE.lock().unwrap().push(self.plane);
    }
}

impl Alone {
    /// Takes a control plane that an earlier case had, and puts back what that one took away if it failed; starts one where none is free.
    pub async fn turn() -> Self {
        static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
        times::take();
        let free = FREE.lock().unwrap().pop();
        let take = move || {
            // Never the user's cluster: it would be broken too.
            let start = || Box::leak(Box::new(ControlPlane::start().unwrap_or_else(|error| panic!("{error:#}"))));
            (free.unwrap_or_else(|| start()), PROGRAM.get_or_init(|| Operator::build().unwrap()).as_path())
        };
        let (plane, program) = spawn_blocking(take).await.expect("a control plane and an operator");
        let alone = Self { plane, program };
        Operator::install(plane).await.unwrap_or_else(|error| panic!("{error:#}"));
        Operator::clear_lease(plane).await.unwrap_or_else(|error| panic!("{error:#}"));
        alone
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
pub fn line(request: &Request) -> String {
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
