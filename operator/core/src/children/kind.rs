//! A row of the table of children: what the operator must know of a kind.

use k8s_openapi::jiff::Timestamp;
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::Value;

use super::content::{Content, Hasher};
use crate::model::{
    names::{ANNOTATION_DISPLAY_NAME, ANNOTATION_EPOCH, LABEL_RETAINED_SINCE, LABEL_TENANT_UID, is_ours},
    namespace::{ChildInput, TenantAccess},
    observed::Entry,
};

/// One row of the table.
#[derive(Debug)]
pub struct Kind {
    /// API group, empty for the core group.
    pub group: &'static str,
    /// API version.
    pub version: &'static str,
    /// Kind. Example: `NetworkPolicy`.
    pub kind: &'static str,
    /// Resource. Example: `networkpolicies`.
    pub plural: &'static str,
    /// When it is written.
    pub rank: Rank,
    /// Whether it must be as planned before pods are ended or the namespace is removed.
    pub isolates: bool,
    /// How it is written.
    pub write: WriteMode,
    /// Builds its manifests, without the common metadata.
    pub build: Build,
    /// The part of the object that the operator defines, beside its marks.
    pub content: Content,
    /// What the store keeps of an object of this kind beside what it keeps of each.
    pub observe: Option<fn(&Value, &mut Entry)>,
    /// Status that is written at once after a create, and whether the namespace is new: the object is live from then on.
    pub initial_status: Option<fn(created: &Value, fresh: bool) -> Value>,
    /// What an object of this kind that others wrote opens: members write such objects too, which are watched for that, and go
    /// when what they open may not be open any more. Nothing, where members could not have written it.
    pub exposes: Option<fn(&Value) -> Vec<String>>,
    /// What of a change may be written while the namespace is not guarded: that which lets nobody in.
    pub without_new_subjects: Option<fn(desired: &Value, live: &Value) -> Value>,
}

/// Scope of a kind, and what its manifests are built from.
#[derive(Clone, Copy, Debug)]
pub enum Build {
    /// In each namespace of a tenant; the namespace itself counts among them.
    Inside(fn(&ChildInput) -> Vec<Value>),
    /// Cluster-scoped, for a tenant itself.
    TenantAccess(fn(&TenantAccess) -> Vec<Value>),
}

/// Order of writing within a namespace: each rank is complete before the next begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// The namespace, with its Pod Security labels.
    Namespace,
    /// Isolation, quota, defaults: nobody is inside yet.
    Isolation,
    /// The bindings that let people in; only behind a live quota.
    Access,
}

/// How a kind is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteMode {
    /// Created by POST and never adopted; later only our own labels and annotations, by merge patch.
    MetadataOnly,
    /// Wholly ours: created by POST, changed by PUT, so that what a stranger added goes too.
    Replace,
    /// Shared with others, who may add to it: created by POST; later only our own content, labels and annotations, by merge
    /// patch.
    Patch,
}

impl Kind {
    /// The resource in the form that a dynamic client takes.
    #[must_use]
    pub fn resource(&self) -> ApiResource {
        ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(self.group, self.version, self.kind), self.plural)
    }

    /// Whether its objects are namespaces themselves.
    #[must_use]
    pub fn is_namespace(&self) -> bool {
        self.write == WriteMode::MetadataOnly
    }

    /// Hash of what the operator defines in an object of this kind, live or desired.
    #[must_use]
    pub fn hash(&self, object: &Value) -> u64 {
        self.hash_with(object, is_ours)
    }

    /// Hash of what an object of this kind is for: the same without the ledger's entry, which changes where nothing else does.
    #[must_use]
    pub fn purpose(&self, object: &Value) -> u64 {
        self.hash_with(object, |mark| is_ours(mark) && ![ANNOTATION_EPOCH, LABEL_RETAINED_SINCE].contains(&mark))
    }

    fn hash_with(&self, object: &Value, counts: impl Fn(&str) -> bool) -> u64 {
        let mut hasher = Hasher::default();
        hasher.marks(object, self.is_namespace(), counts);
        hasher.content(object, self.content);
        hasher.finish()
    }

    /// Reduces a live object to what the store keeps.
    #[must_use]
    pub fn entry(&self, object: &Value) -> Entry {
        let metadata = &object["metadata"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let mut entry = Entry {
            uid: text(&metadata["uid"]).into(),
            resource_version: text(&metadata["resourceVersion"]).into(),
            tenant_uid: text(&metadata["labels"][LABEL_TENANT_UID]).into(),
            display_name: text(&metadata["annotations"][ANNOTATION_DISPLAY_NAME]).into(),
            created: text(&metadata["creationTimestamp"]).parse().map_or(0, Timestamp::as_second),
            held: metadata["finalizers"].as_array().is_some_and(|finalizers| !finalizers.is_empty()),
            deleting: metadata.get("deletionTimestamp").is_some_and(|time| !time.is_null()),
            hash: self.hash(object),
            exposes: self
                .exposes
                .filter(|_| metadata["labels"][LABEL_TENANT_UID].is_null())
                .map_or_else(Vec::new, |exposes| exposes(object)),
            ..Entry::default()
        };
        if let Some(observe) = self.observe {
            observe(object, &mut entry);
        }
        entry
    }
}
