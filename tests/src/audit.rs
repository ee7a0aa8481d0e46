//! Counts what the API server was asked, and by whom, from its audit log.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Seek, SeekFrom};
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;

/// Verbs that change something.
pub const WRITES: [&str; 6] = ["create", "update", "patch", "delete", "deletecollection", "apply"];

/// One answered request.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    /// When the answer went out, as RFC 3339 in UTC with microseconds: sorts as text.
    pub stage_timestamp: String,
    /// `ResponseStarted` for a watch that has begun, `ResponseComplete` otherwise.
    pub stage: String,
    /// get, list, watch, create, update, patch, delete, ...
    pub verb: String,
    /// What the client calls itself; empty when it says nothing.
    #[serde(default)]
    pub user_agent: String,
    /// Path and query.
    #[serde(rename = "requestURI")]
    pub uri: String,
    /// Who asked.
    pub user: User,
    /// For whom, when it was impersonated.
    pub impersonated_user: Option<User>,
    /// Which object, when it was about one.
    pub object_ref: Option<ObjectRef>,
    /// How it was answered.
    pub response_status: Option<ResponseStatus>,
}

/// A user of the API.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
pub struct User {
    /// Name, for example `system:serviceaccount:govcloud-system:govcloud-operator`.
    #[serde(default)]
    pub username: String,
    /// What else is known of it, such as `authentication.kubernetes.io/credential-id`.
    #[serde(default)]
    pub extra: BTreeMap<String, Vec<String>>,
}

/// The object of a request.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub struct ObjectRef {
    /// Plural name of the resource.
    pub resource: String,
    /// Subresource, or empty.
    pub subresource: String,
    /// Namespace, or empty.
    pub namespace: String,
    /// Name, or empty.
    pub name: String,
}

/// The answer's status.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
pub struct ResponseStatus {
    /// HTTP status code.
    #[serde(default)]
    pub code: u16,
}

impl Request {
    /// Whether it was sent with this credential, as [`crate::Operator::credential`] has it.
    #[must_use]
    pub fn is_by(&self, credential: &str) -> bool {
        let ids = self.user.extra.get("authentication.kubernetes.io/credential-id");
        ids.is_some_and(|ids| ids.iter().any(|id| id == credential))
    }

    /// Whether it changes something: dry runs and reviews of access rights do not.
    #[must_use]
    pub fn is_write(&self) -> bool {
        let review = |object: &ObjectRef| object.resource.ends_with("reviews");
        WRITES.contains(&self.verb.as_str()) && !self.uri.contains("dryRun=") && !self.object_ref.as_ref().is_some_and(review)
    }
}

/// Size of the log now: what is read from here on happened later.
///
/// # Errors
/// When there is no such log.
pub fn position(log: &Path) -> Result<u64> {
    let metadata = fs::metadata(log).with_context(|| format!("looking at the audit log {}", log.display()))?;
    Ok(metadata.len())
}

/// All answered requests after a position; 0 is the beginning. A watch counts once, when it starts.
///
/// # Errors
/// When the log cannot be read.
pub fn requests_since(log: &Path, position: u64) -> Result<Vec<Request>> {
    let failed = || format!("reading the audit log {}", log.display());
    let mut file = File::open(log).with_context(failed)?;
    file.seek(SeekFrom::Start(position)).with_context(failed)?;
    let mut requests = Vec::new();
    for line in BufReader::new(file).lines() {
        let line = line.with_context(failed)?;
        // The last line may be half written, and a position may lie inside one.
        let Ok(request) = serde_json::from_str::<Request>(&line) else { continue };
        let ended_watch = request.verb == "watch" && request.stage == "ResponseComplete";
        if !ended_watch {
            requests.push(request);
        }
    }
    Ok(requests)
}

/// Number of requests for each (user agent, verb).
#[must_use]
pub fn by_user_agent_and_verb(requests: &[Request]) -> BTreeMap<(String, String), usize> {
    count(requests, |request| (request.user_agent.clone(), request.verb.clone()))
}

/// Number of requests for each verb.
#[must_use]
pub fn by_verb(requests: &[Request]) -> BTreeMap<String, usize> {
    count(requests, |request| request.verb.clone())
}

/// Number of requests for each user name, the impersonated one where there is one.
#[must_use]
pub fn by_user(requests: &[Request]) -> BTreeMap<String, usize> {
    count(requests, |request| request.impersonated_user.as_ref().unwrap_or(&request.user).username.clone())
}

fn count<K: Ord>(requests: &[Request], key: impl Fn(&Request) -> K) -> BTreeMap<K, usize> {
    let mut counts = BTreeMap::new();
    for request in requests {
        *counts.entry(key(request)).or_insert(0) += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(agent: &str, verb: &str, uri: &str, stage: &str) -> String {
        format!(
            r#"{{"kind":"Event","stage":"{stage}","verb":"{verb}","userAgent":"{agent}","requestURI":"{uri}","stageTimestamp":"2026-01-01T00:00:00.000000Z","user":{{"username":"u"}},"responseStatus":{{"code":200}}}}"#
        ) + "\n"
    }

    #[test]
    fn requests_are_counted_after_a_position_and_half_a_line_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("audit.log");
        let first = line("old", "create", "/api/v1/namespaces", "ResponseComplete");
        let later = line("new", "patch", "/api/v1/namespaces/a", "ResponseComplete")
            + &line("new", "patch", "/api/v1/namespaces/a?dryRun=All", "ResponseComplete")
            + &line("new", "watch", "/api/v1/pods?watch=1", "ResponseStarted")
            + &line("new", "watch", "/api/v1/pods?watch=1", "ResponseComplete")
            + r#"{"kind":"Event","stage":"Resp"#;
        fs::write(&log, &first).unwrap();
        let position = position(&log).unwrap();
        fs::write(&log, first + &later).unwrap();

        let requests = requests_since(&log, position).unwrap();
        let counts: Vec<_> = by_user_agent_and_verb(&requests).into_iter().collect();
        let key = |verb: &str| ("new".to_owned(), verb.to_owned());
        assert_eq!(counts, [(key("patch"), 2), (key("watch"), 1)]);
        assert_eq!(requests.iter().filter(|request| request.is_write()).count(), 1);
        assert_eq!(by_user(&requests).into_iter().collect::<Vec<_>>(), [("u".to_owned(), 3)]);
    }
}
