//! What a request asks for, read from method, path and query as the API server reads them.

use std::fmt;

use axum::body::Bytes;
use axum::http::header::{CONTENT_TYPE, USER_AGENT};
use axum::http::{Method, request::Parts};
use serde_json::Value;

use crate::audit::WRITES;

/// One request of the operator.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// get, list, watch, create, update, patch, apply, delete or deletecollection.
    pub verb: &'static str,
    /// Plural name of the resource; empty for what is no resource, such as `/version`.
    pub resource: String,
    /// Subresource, or empty.
    pub subresource: String,
    /// Namespace, or empty.
    pub namespace: String,
    /// Name, or empty; of an event the name of what it tells of.
    pub name: String,
    /// Tenant whose object or namespace it is, or empty.
    pub tenant: String,
}

impl Asked {
    /// Reads a request; none for those that are not the operator's.
    #[must_use]
    pub fn read(parts: &Parts, body: &Bytes) -> Option<Self> {
        let agent = parts.headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
        if !agent.starts_with("govcloud/") {
            return None;
        }
        let mut asked = Self::place(parts.uri.path());
        let query = parts.uri.query().unwrap_or_default();
        let applies = parts.headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/apply-patch"));
        asked.verb = verb(&parts.method, !asked.name.is_empty(), query.contains("watch=true") || query.contains("watch=1"), applies);
        if asked.verb == "create" {
            let object: Value = serde_json::from_slice(body).unwrap_or_default();
            let named = if asked.resource == "events" { &object["regarding"] } else { &object["metadata"] };
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            asked.name = text(&named["name"]);
            if asked.resource == "events" && text(&named["kind"]) == "AgencyTenant" {
                asked.namespace = String::new(); // its event lies in a namespace that is not the tenant's
            }
        }
        asked.tenant = asked.tenant_in_name();
        Some(asked)
    }

    /// `/api/v1` or `/apis/GROUP/VERSION`, then `[namespaces/NAMESPACE/]RESOURCE[/NAME[/SUBRESOURCE]]`.
    fn place(path: &str) -> Self {
        let words: Vec<&str> = path.split('/').filter(|word| !word.is_empty()).collect();
        let rest = match words.as_slice() {
            ["api", _, rest @ ..] | ["apis", _, _, rest @ ..] => rest,
            _ => &[],
        };
        let of = |namespace: &str, resource: &str, rest: &[&str]| Self {
            resource: resource.to_owned(),
            namespace: namespace.to_owned(),
            name: rest.first().copied().unwrap_or_default().to_owned(),
            subresource: rest.get(1).copied().unwrap_or_default().to_owned(),
            ..Self::default()
        };
        match rest {
            ["namespaces", name, "status" | "finalize"] => of("", "namespaces", &[name, rest[2]]),
            ["namespaces", namespace, resource, rest @ ..] => of(namespace, resource, rest),
            [resource, rest @ ..] => of("", resource, rest),
            [] => Self::default(),
        }
    }

    fn tenant_in_name(&self) -> String {
        let own = matches!(self.resource.as_str(), "namespaces" | "agencytenants" | "events");
        let text = if self.namespace.is_empty() && own { &self.name } else { &self.namespace };
        text.split("--").next().unwrap_or_default().to_owned()
    }

    /// Whether it changes something.
    #[must_use]
    pub fn is_write(&self) -> bool {
        WRITES.contains(&self.verb) && !self.resource.ends_with("reviews")
    }
}

/// "verb resource/subresource namespace/name".
impl fmt::Display for Asked {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let join = |one: &str, other: &str| [one, other].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/");
        write!(formatter, "{} {} {}", self.verb, join(&self.resource, &self.subresource), join(&self.namespace, &self.name))
    }
}

fn verb(method: &Method, named: bool, watch: bool, applies: bool) -> &'static str {
    match (method.as_str(), named) {
        ("POST", _) => "create",
        ("PUT", _) => "update",
        ("PATCH", _) if applies => "apply",
        ("PATCH", _) => "patch",
        ("DELETE", true) => "delete",
        ("DELETE", false) => "deletecollection",
        _ if watch => "watch",
        (_, true) => "get",
        (_, false) => "list",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::Request;

    fn line(method: &str, uri: &str, body: &str) -> String {
        let request = Request::builder().method(method).uri(uri).header(USER_AGENT, "govcloud/1").body(()).unwrap();
        let asked = Asked::read(&request.into_parts().0, &Bytes::copy_from_slice(body.as_bytes())).unwrap();
        format!("{asked} of {}", asked.tenant)
    }

    #[test]
    fn a_request_is_read_as_the_api_server_reads_it() {
        let named = r#"{"metadata":{"name":"n"},"regarding":{"kind":"AgencyTenant","name":"health"}}"#;
        let cases = [
            ("GET", "/api/v1/namespaces?limit=500", "list namespaces  of "),
            ("GET", "/api/v1/namespaces?watch=true", "watch namespaces  of "),
            ("POST", "/api/v1/namespaces?fieldManager=x", "create namespaces n of n"),
            ("PATCH", "/api/v1/namespaces/health--web", "patch namespaces health--web of health"),
            ("PUT", "/api/v1/namespaces/a--b/resourcequotas/q/status", "update resourcequotas/status a--b/q of a"),
            ("POST", "/apis/networking.k8s.io/v1/namespaces/a--b/networkpolicies", "create networkpolicies a--b/n of a"),
            ("DELETE", "/api/v1/namespaces/a--b/pods", "deletecollection pods a--b of a"),
            ("PUT", "/apis/govcloud.io/v1alpha1/agencytenants/a/status", "update agencytenants/status a of a"),
            ("POST", "/apis/events.k8s.io/v1/namespaces/default/events", "create events health of health"),
            ("GET", "/version", "list   of "),
        ];
        for (method, uri, expected) in cases {
            assert_eq!(line(method, uri, named), expected, "{method} {uri}");
        }
    }
}
