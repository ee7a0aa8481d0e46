//! What was read of the cluster.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use k8s_openapi::{api::rbac::v1::PolicyRule, jiff::Timestamp};
use serde_json::Value;

use super::{
    finding::{Problem, unknown},
    miscount::Miscount,
};
use crate::model::settings::Settings;

/// What was read, or why it could not be.
pub type Read<T> = Result<T, String>;

/// Lists of objects, by the plural of their kind.
pub type Objects = BTreeMap<&'static str, Read<Vec<Value>>>;

/// What was read.
pub struct Facts {
    /// Version of this program.
    pub version: &'static str,
    /// The cluster's version, or what is wrong with it.
    pub kubernetes: Result<String, String>,
    /// The API server's clock, and by how many seconds it is ahead of this machine's.
    pub clock: (Timestamp, i64),
    /// Definitions, policies, their bindings and roles, as this version brings them.
    pub shipped: Vec<Shipped>,
    /// Objects by the plural of their kind.
    pub objects: Objects,
    /// Pods by namespace: of the operator's, and of those that its settings name.
    pub pods: BTreeMap<String, Read<Vec<Value>>>,
    /// By policy, whether it refuses what it must, or why that is open.
    pub proofs: BTreeMap<&'static str, Read<Result<(), String>>>,
    /// What the operator's account may not do of what its roles say, a rule of one verb and resource each.
    pub denied: Read<Vec<PolicyRule>>,
    /// Whether the lease was renewed while it was looked at, whatever the time in it.
    pub is_renewed: bool,
    /// The operator's settings, as the replica that leads has written them to its lease.
    pub settings: Read<Settings>,
    /// Tenants and systems, as they are printed, whose latest change no replica has taken up, though it was waited for.
    pub lagging: Read<Vec<String>>,
    /// The operator's account, namespace and name: that of its Deployment or, without one, of the binding of its role.
    pub account: Option<(String, String)>,
    /// Quotas that count otherwise than the pods of their namespaces add up to, though it was waited for.
    pub miscounts: Read<Vec<Miscount>>,
    /// Addresses of all pods that have one of their own.
    pub pod_addresses: Read<BTreeSet<IpAddr>>,
}

/// An object as this version brings it.
pub struct Shipped {
    /// The file that holds it.
    pub path: String,
    /// The object.
    pub object: Value,
}

impl Facts {
    /// The objects of a kind.
    pub(super) fn all(&self, plural: &str) -> Result<&[Value], Problem> {
        match self.objects.get(plural) {
            Some(read) => Ok(read.as_ref().map_err(unknown)?),
            None => Err(unknown(format!("{plural} were not read"))),
        }
    }

    /// The settings, where a replica has written any.
    pub(super) fn settings(&self) -> Result<&Settings, Problem> {
        let cure = "see Leader: the replica that leads writes the operator's settings to its lease";
        self.settings.as_ref().map_err(|why| Problem { cure: cure.to_owned(), ..unknown(why) })
    }

    /// The pods of a namespace that have these labels; none at all where nobody asked for them.
    pub(super) fn pods(&self, namespace: &str, labels: &BTreeMap<String, String>) -> Result<Vec<&Value>, Problem> {
        let Some(pods) = self.pods.get(namespace) else { return Ok(Vec::new()) };
        let has_all = |pod: &&Value| labels.iter().all(|(key, value)| pod["metadata"]["labels"][key] == *value);
        Ok(pods.as_ref().map_err(unknown)?.iter().filter(has_all).collect())
    }
}

/// The object of a name.
pub(super) fn named<'a>(objects: &'a [Value], name: &str) -> Option<&'a Value> {
    objects.iter().find(|object| object["metadata"]["name"] == name)
}

/// A field of an object's metadata.
pub(super) fn meta<'a>(object: &'a Value, field: &str) -> &'a str {
    object["metadata"][field].as_str().unwrap_or_default()
}

/// Kind, namespace and name of an object.
pub(super) fn place(kind: &str, object: &Value) -> String {
    format!("{kind} {}/{}", meta(object, "namespace"), meta(object, "name"))
}

/// Whether a condition of an object is true.
pub(super) fn holds(object: &Value, condition: &str) -> bool {
    let conditions = object["status"]["conditions"].as_array().into_iter().flatten();
    conditions.into_iter().any(|found| found["type"] == condition && found["status"] == "True")
}
