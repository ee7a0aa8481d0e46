//! What the API server would make of an object of the two kinds if it were applied: a dry run, in which schema, defaults and policies
//! judge, and nothing is written.

use govcloud_core::views::three_way::{merged, patch};
use kube::{
    Api, Client,
    api::{Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};

use super::{object::Object, streams::Source, watch::resource};
use crate::error::Error;

/// A new object of which nobody knows when it will be created goes after all others.
const LATEST: &str = "9999-01-01T00:00:00Z";

/// An object as it is and as it would be.
#[derive(Debug)]
pub struct Applied {
    /// As it is, if it is.
    pub before: Option<Value>,
    /// Whether it may not be read, so that nobody knows whether it is.
    pub hidden: bool,
    /// As it would be.
    pub after: Value,
    /// Why the API server did not judge it itself, if so.
    pub unjudged: Option<String>,
}

/// How the object would be applied.
#[derive(Clone, Debug)]
pub struct Manner {
    /// Whether the API server merges it, as with `kubectl apply --server-side --force-conflicts`, or `kubectl apply` does.
    pub server_side: bool,
    /// In whose name.
    pub field_manager: String,
}

/// Applies an object for show.
///
/// # Errors
/// What the API server says of the object, or that it does not answer.
pub async fn apply(client: &Client, kind: &str, object: &Value, manner: &Manner) -> Result<Applied, Error> {
    let [name, namespace] = ["name", "namespace"].map(|field| object["metadata"][field].as_str().unwrap_or_default());
    let source = if kind == "AgencyTenant" { Source::Tenants } else { Source::Systems };
    let api = match source {
        Source::Tenants => Api::<Object>::all_with(client.clone(), &resource(source)),
        _ => Api::namespaced_with(client.clone(), namespace, &resource(source)),
    };
    let (before, hidden) = match api.get_opt(name).await.map_err(Error::from) {
        Ok(found) => (found.map(|found| found.json().clone()), false),
        Err(Error::Refused { code: 403, .. }) => (None, true),
        Err(error) => return Err(error),
    };
    match sent(&api, name, object, before.as_ref(), manner).await {
        Ok(after) => Ok(Applied { before, hidden, after: after.json().clone(), unjudged: None }),
        Err(error) if is_no_verdict(&error) => {
            let after = by_itself(object, before.as_ref());
            Ok(Applied { before, hidden, after, unjudged: Some(error.to_string()) })
        }
        Err(error) => Err(error),
    }
}

async fn sent(api: &Api<Object>, name: &str, object: &Value, before: Option<&Value>, manner: &Manner) -> Result<Object, Error> {
    let manager = Some(manner.field_manager.clone());
    let parameters = PatchParams { dry_run: true, field_manager: manager.clone(), ..PatchParams::default() };
    let answer = match before {
        _ if manner.server_side => api.patch(name, &PatchParams { force: true, ..parameters }, &Patch::Apply(object)).await,
        Some(live) => api.patch(name, &parameters, &Patch::Merge(patch(object, live))).await,
        None => api.create(&PostParams { dry_run: true, field_manager: manager }, &Object::new(object.clone())?).await,
    };
    Ok(answer?)
}

/// Whether it is not the object that is refused, but who asks, or that its namespace is not there yet.
fn is_no_verdict(error: &Error) -> bool {
    match error {
        Error::Refused { code: 403, message, .. } => message.contains(" cannot "),
        Error::Refused { code: 404, .. } => true,
        _ => false,
    }
}

/// As well as can be said without the API server: what the object leaves out is read with its default.
fn by_itself(object: &Value, before: Option<&Value>) -> Value {
    let Some(before) = before else {
        return merged(object, &json!({ "metadata": { "creationTimestamp": LATEST, "generation": 1 } }));
    };
    let mut after = merged(before, &patch(object, before));
    if after["spec"] != before["spec"] {
        after["metadata"]["generation"] = json!(before["metadata"]["generation"].as_i64().unwrap_or_default() + 1);
    }
    after
}
