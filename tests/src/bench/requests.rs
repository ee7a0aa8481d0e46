//! Requests of one client from the audit log. Those about leases are kept apart: electing a leader is no work on the cloud.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, bail};
use tokio::time::{Instant, sleep};

use crate::audit::{self, Request};

/// The operator, as the API server knows it.
const OPERATOR: &str = "system:serviceaccount:govcloud-system:govcloud-operator";
/// Without a write for so long, what was set in motion has come to its end.
const QUIET: Duration = Duration::from_secs(5);
const QUIET_WITHIN: Duration = Duration::from_mins(2);

/// Whose requests are counted.
#[derive(Clone, Copy)]
pub enum Client {
    /// The operator's account.
    Operator,
    /// This program.
    Harness,
}

/// An audit log, read from some place on.
pub struct Log {
    path: PathBuf,
    position: u64,
}

/// Requests that were counted.
#[derive(Clone, Default)]
pub struct Requests {
    /// All but those about leases.
    pub work: Vec<Request>,
    /// Number of those about leases.
    pub leases: usize,
}

impl Log {
    /// From here on.
    pub fn from_now(path: &Path) -> Result<Self> {
        Ok(Self { path: path.to_owned(), position: audit::position(path)? })
    }

    /// What a client has asked since.
    pub fn requests(&self, client: Client) -> Result<Requests> {
        let mut all = audit::requests_since(&self.path, self.position)?;
        all.retain(|request| match client {
            Client::Operator => request.user.username == OPERATOR,
            Client::Harness => request.user_agent == crate::access::USER_AGENT,
        });
        let before = all.len();
        all.retain(|request| resource(request) != "leases");
        Ok(Requests { leases: before - all.len(), work: all })
    }

    /// Returns when the operator has written nothing for five seconds.
    pub async fn until_quiet(path: &Path) -> Result<()> {
        let deadline = Instant::now() + QUIET_WITHIN;
        loop {
            let log = Self::from_now(path)?;
            sleep(QUIET).await;
            let requests = log.requests(Client::Operator)?;
            let writes = requests.writes();
            if writes.is_empty() {
                return Ok(());
            }
            if Instant::now() > deadline {
                let uris: Vec<_> = writes.iter().map(|request| format!("{} {}", request.verb, request.uri)).collect();
                bail!("the operator does not come to rest; its last writes are\n{}", uris.join("\n"));
            }
        }
    }
}

impl Requests {
    /// Those that change something.
    pub fn writes(&self) -> Vec<&Request> {
        self.work.iter().filter(|request| request.is_write()).collect()
    }

    /// Writes that set up workload namespaces and hosted systems: in the namespaces, on the systems themselves, and events
    /// about them, which lie in their home namespace. Events about tenants lie in `default`.
    pub fn for_systems(&self) -> usize {
        let of_a_system = |request: &&Request| {
            let object = request.object_ref.clone().unwrap_or_default();
            let namespace = if object.namespace.is_empty() { &object.name } else { &object.namespace };
            match object.resource.as_str() {
                "hostedsystems" => true,
                "events" => namespace != "default",
                _ => namespace.contains(govcloud_core::model::names::SEPARATOR),
            }
        };
        self.writes().into_iter().filter(of_a_system).count()
    }

    /// Number by verb.
    pub fn by_verb(&self) -> BTreeMap<String, usize> {
        audit::by_verb(&self.work)
    }

    /// Number by verb and resource, as `create resourcequotas` or `update resourcequotas/status`.
    pub fn by_verb_and_resource(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for request in &self.work {
            *counts.entry(format!("{} {}", request.verb, resource(request))).or_insert(0) += 1;
        }
        counts
    }

    /// How many were refused, for example because another wrote first.
    pub fn refused(&self) -> usize {
        let code = |request: &Request| request.response_status.as_ref().map_or(0, |status| status.code);
        self.work.iter().filter(|request| code(request) >= 400).count()
    }
}

fn resource(request: &Request) -> String {
    match &request.object_ref {
        Some(object) if object.subresource.is_empty() => object.resource.clone(),
        Some(object) => format!("{}/{}", object.resource, object.subresource),
        None => request.uri.split('?').next().unwrap_or_default().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{ObjectRef, User};

    fn request(verb: &str, resource: &str, namespace: &str, name: &str) -> Request {
        Request {
            stage_timestamp: String::new(),
            stage: "ResponseComplete".into(),
            verb: verb.into(),
            user_agent: String::new(),
            uri: "/".into(),
            user: User::default(),
            impersonated_user: None,
            object_ref: Some(ObjectRef {
                resource: resource.into(),
                subresource: String::new(),
                namespace: namespace.into(),
                name: name.into(),
            }),
            response_status: None,
        }
    }

    #[test]
    fn what_is_written_for_a_system_is_told_from_what_is_for_its_agency() {
        let for_systems = [
            request("create", "namespaces", "", "health--web"),
            request("create", "rolebindings", "health--web", "govcloud-owner"),
            request("update", "hostedsystems", "health", "web"),
            request("create", "events", "health", "web.1"),
        ];
        let for_agencies = [
            request("create", "namespaces", "", "health"),
            request("create", "rolebindings", "health", "govcloud-owner"),
            request("update", "agencytenants", "", "health"),
            request("create", "events", "default", "health.1"),
            request("get", "hostedsystems", "health", "web"),
        ];
        let count = for_systems.len();
        let requests = Requests { work: for_systems.into_iter().chain(for_agencies).collect(), leases: 0 };
        assert_eq!((requests.for_systems(), requests.writes().len()), (count, 8));
        assert_eq!(requests.by_verb_and_resource()["create namespaces"], 2);
    }
}
