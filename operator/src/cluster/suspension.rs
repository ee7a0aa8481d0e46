//! Network policies that members wrote lose their effect while the network is closed, and have it again afterwards: one PUT each, on
//! condition that the object is still the one that the change was decided upon.

use govcloud_core::{
    children::{TABLE, restored, suspended},
    model::observed::ChildKey,
    plan::diff::Seen,
};
use kube::ResourceExt;
use serde_json::Value;

use super::{
    apply::{ChildWriter, Done},
    connection::post_params,
    object::Object,
    streams::Source,
};
use crate::error::Error;

impl ChildWriter {
    /// What has no room for the annotation is deleted, because a policy that stays in effect would keep the network open.
    pub(super) async fn disable(&self, key: &ChildKey, seen: &Seen) -> Result<Done, Error> {
        let Some(live) = self.as_seen(key, seen).await? else { return Ok(Done::Gone) };
        match self.put(key, &suspended(live.json())).await {
            Err(error) if error.is_too_large() => {
                let held = !live.finalizers().is_empty();
                let done = self.prune(key, &seen.uid, held).await?;
                self.store.going(key, &seen.uid);
                Ok(if matches!(done, Done::Changed) { Done::Deleted } else { done })
            }
            other => other,
        }
    }

    pub(super) async fn restore(&self, key: &ChildKey, seen: &Seen) -> Result<Done, Error> {
        let live = self.as_seen(key, seen).await?;
        let Some(policy) = live.and_then(|live| restored(live.json())) else { return Ok(Done::Gone) };
        self.put(key, &policy).await
    }

    /// The object as it is, none where it is gone.
    async fn as_seen(&self, key: &ChildKey, seen: &Seen) -> Result<Option<Object>, Error> {
        let kind = TABLE[key.kind];
        let get = self.api(kind, &key.namespace);
        let Some(live) = self.connection.request("get", kind.plural, get.get_opt(&key.name)).await? else { return Ok(None) };
        if live.uid().as_deref() != Some(&seen.uid) || kind.hash(live.json()) != seen.hash {
            self.store.take(Source::Children(key.kind), &live);
            return Err(Error::Stale);
        }
        Ok(Some(live))
    }

    async fn put(&self, key: &ChildKey, object: &Value) -> Result<Done, Error> {
        let kind = TABLE[key.kind];
        let api = self.api(kind, &key.namespace);
        let object = Object::new(object)?;
        let answer = self.connection.request("update", kind.plural, api.replace(&key.name, &post_params(), &object)).await?;
        self.store.take(Source::Children(key.kind), &answer);
        Ok(Done::Changed)
    }
}
