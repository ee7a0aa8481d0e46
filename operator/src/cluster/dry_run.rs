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
    let (after, unjudged) = match sent(&api, name, object, before.as_ref(), manner).await {
        // What is not there yet is younger than all that is, also than what came in the same second.
        Ok(after) if before.is_none() && !hidden => (merged(after.json(), &json!({ "metadata": { "creationTimestamp": LATEST } })), None),
        Ok(after) => (after.json().clone(), None),
        Err(error) if lacks_namespace(&error) => {
            let words = format!("{error}, so the API server checked the schema, but not the policies");
            (in_new_namespace(client, source, object, manner).await?, Some(words))
        }
        Err(error) if may_not(&error) => {
            (by_itself(object, before.as_ref()), Some(format!("the result is computed from the file alone: {error}")))
        }
        Err(error) => return Err(error),
    };
    Ok(Applied { before, hidden, after, unjudged })
}

async fn sent(api: &Api<Object>, name: &str, object: &Value, before: Option<&Value>, manner: &Manner) -> Result<Object, Error> {
    let manager = Some(manner.field_manager.clone());
    let parameters = PatchParams { dry_run: true, field_manager: manager.clone(), ..PatchParams::default() };
    let answer = match before {
        _ if manner.server_side => api.patch(name, &PatchParams { force: true, ..parameters }, &Patch::Apply(object)).await,
        Some(live) => api.patch(name, &parameters, &Patch::Merge(patch(object, live))).await,
        None => api.create(&PostParams { dry_run: true, field_manager: manager }, &Object::new(object)?).await,
    };
    Ok(answer?)
}

/// Whether it is not the object that is refused, but who asks. A policy answers 403 or 422 too, in its own words.
fn may_not(error: &Error) -> bool {
    matches!(error, Error::Refused { code: 403, message, .. } if message.contains("is forbidden: User "))
}

/// Whether the namespace is not there yet.
fn lacks_namespace(error: &Error) -> bool {
    matches!(error, Error::Refused { code: 404, message, .. } if message.starts_with("namespaces "))
}

/// What the API server makes of an object whose namespace is not there yet. Schema and defaults are the same in all namespaces, so it
/// is asked about one that every cluster has; what else it says there says nothing.
async fn in_new_namespace(client: &Client, source: Source, object: &Value, manner: &Manner) -> Result<Value, Error> {
    let mut elsewhere = object.clone();
    elsewhere["metadata"]["namespace"] = json!("default");
    let api = Api::<Object>::namespaced_with(client.clone(), "default", &resource(source));
    let parameters = PostParams { dry_run: true, field_manager: Some(manner.field_manager.clone()) };
    match api.create(&parameters, &Object::new(&elsewhere)?).await.map_err(Error::from) {
        Ok(found) => {
            let there = json!({ "metadata": { "namespace": object["metadata"]["namespace"], "creationTimestamp": LATEST } });
            Ok(merged(found.json(), &there))
        }
        Err(error @ Error::Refused { code: 400 | 422, .. }) => Err(error),
        Err(Error::Refused { .. }) => Ok(by_itself(object, None)),
        Err(error) => Err(error),
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
