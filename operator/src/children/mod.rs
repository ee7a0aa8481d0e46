//! The children that a tenant's namespaces consist of: one file a kind, one line in [`TABLE`].
//!
//! Watches, the cache, pruning, the order of writing and the operator's `ClusterRole` derive from the table. Builders are
//! pure and emit the fully defaulted form, so that what they write hashes as what the API server gives back.

mod cluster_role;
mod cluster_role_binding;
mod content;
mod limit_range;
mod namespace;
mod network_policy;
mod resource_quota;
mod role_binding;
mod service_account;

use std::collections::BTreeMap;

use k8s_openapi::jiff::Timestamp;
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::{Value, json};

use crate::{
    api::hosted_system::WithinSystem,
    names::{
        ANNOTATION_DISPLAY_NAME, LABEL_MANAGED_BY, LABEL_SYSTEM, LABEL_TENANT, LABEL_TENANT_UID, NamespaceName, SystemName, TenantName,
        rails,
    },
    plan::{
        desired::{Desired, Entrance, Space},
        owner::Identity,
        snapshot::{ChildKey, Entry, QuotaState},
    },
};

use content::hash;
pub use network_policy::{OPENS_NETWORK, repeatable};
pub use role_binding::{BOUND_BY_MEMBERS, BOUND_TO_ACCOUNTS, PIPELINE_ROLE, cluster_role, member_words};

/// Every kind of child, in no order that matters: `rank` says when it is written.
pub static TABLE: [&Kind; 8] = [
    &namespace::KIND,
    &network_policy::KIND,
    &resource_quota::KIND,
    &limit_range::KIND,
    &service_account::KIND,
    &role_binding::KIND,
    &cluster_role::KIND,
    &cluster_role_binding::KIND,
];

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
    /// How it is written.
    pub write: Write,
    /// Builds its manifests, without the common metadata.
    pub build: Build,
    /// The part of the object that the operator defines, beside its marks.
    pub content: fn(&Value) -> Value,
    /// Figures that the cache keeps.
    pub figures: Option<fn(&Value) -> QuotaState>,
    /// Status that is written at once after a create, and whether the namespace is new: the object is live from then on.
    pub prime: Option<fn(created: &Value, fresh: bool) -> Value>,
    /// What an object of this kind that others wrote opens: members write such objects too, which are watched for that, and go
    /// when what they open may not be open any more. Nothing, where members could not have written it.
    pub opens: Option<fn(&Value) -> Vec<String>>,
    /// What of a change may be written while the namespace is not guarded: that which lets nobody in.
    pub narrow: Option<fn(desired: &Value, live: &Value) -> Value>,
}

/// Scope of a kind, and what its manifests are built from.
#[derive(Clone, Copy, Debug)]
pub enum Build {
    /// In each namespace of a tenant; the namespace itself counts among them.
    Inside(fn(&Space) -> Vec<Value>),
    /// Cluster-scoped, for a tenant itself.
    Entrance(fn(&Entrance) -> Vec<Value>),
}

/// Order of writing within a namespace: each rank is complete before the next begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// The namespace, with its Pod Security labels.
    Namespace,
    /// Isolation, quota, defaults: nobody is inside yet.
    Guard,
    /// The bindings that let people in; only behind a live quota.
    Access,
}

/// How a kind is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Write {
    /// Created by POST and never adopted; later only our own labels and annotations, by merge patch.
    Namespace,
    /// Wholly ours: created by POST, changed by PUT, so that what a stranger added goes too.
    Guard,
    /// Shared with others, who may add to it: created by POST; later only our own content, labels and annotations, by merge
    /// patch.
    Shared,
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
        self.write == Write::Namespace
    }

    /// Hash of what the operator defines in an object of this kind, live or desired.
    #[must_use]
    pub fn hash(&self, object: &Value) -> u64 {
        hash(&json!([content::marks(object, self.is_namespace()), (self.content)(object)]))
    }

    /// Reduces a live object to what the cache keeps.
    #[must_use]
    pub fn entry(&self, object: &Value) -> Entry {
        let metadata = &object["metadata"];
        Entry {
            uid: text(&metadata["uid"]).into(),
            resource_version: text(&metadata["resourceVersion"]).into(),
            tenant_uid: text(&metadata["labels"][LABEL_TENANT_UID]).into(),
            display_name: text(&metadata["annotations"][ANNOTATION_DISPLAY_NAME]).into(),
            within_system: match text(&metadata["annotations"][rails::WITHIN_SYSTEM]) {
                "Deny" => WithinSystem::Deny,
                _ => WithinSystem::Allow,
            },
            requires_digests: text(&metadata["annotations"][rails::IMAGE_DIGESTS]) != namespace::OPTIONAL,
            api_server: text(&metadata["annotations"][rails::KUBERNETES_API]).into(),
            created: text(&metadata["creationTimestamp"]).parse().map_or(0, Timestamp::as_second),
            held: metadata["finalizers"].as_array().is_some_and(|finalizers| !finalizers.is_empty()),
            deleting: metadata.get("deletionTimestamp").is_some_and(|time| !time.is_null()),
            remaining: self.is_namespace().then(|| namespace::remaining(object)).flatten(),
            hash: self.hash(object),
            opens: self.opens.filter(|_| metadata["labels"][LABEL_TENANT_UID].is_null()).map_or_else(Vec::new, |opens| opens(object)),
            quota: self.figures.map(|figures| Box::new(figures(object))),
        }
    }
}

/// Every child of one namespace.
#[must_use]
pub fn children(space: &Space) -> Vec<Desired> {
    let marks = marks(&space.tenant.name, &space.tenant.identity, space.system.as_ref());
    let build = |(index, kind): (usize, &&'static Kind)| match kind.build {
        Build::Inside(build) => {
            build(space).into_iter().map(|object| desired(index, kind, &space.namespace, &marks, object)).collect::<Vec<_>>()
        }
        Build::Entrance(_) => Vec::new(),
    };
    TABLE.iter().enumerate().flat_map(build).collect()
}

/// What grants a tenant's members access to their own `AgencyTenant`.
#[must_use]
pub fn entrance(entrance: &Entrance) -> Vec<Desired> {
    let marks = marks(entrance.tenant, entrance.identity, None);
    let build = |(index, kind): (usize, &&'static Kind)| match kind.build {
        Build::Entrance(build) => {
            build(entrance).into_iter().map(|object| desired(index, kind, &NamespaceName::cluster(), &marks, object)).collect::<Vec<_>>()
        }
        Build::Inside(_) => Vec::new(),
    };
    TABLE.iter().enumerate().flat_map(build).collect()
}

/// Adds type, place and marks to what a builder made.
fn desired(index: usize, kind: &'static Kind, namespace: &NamespaceName, marks: &BTreeMap<&str, Value>, mut object: Value) -> Desired {
    object["apiVersion"] = if kind.group.is_empty() { json!(kind.version) } else { json!(format!("{}/{}", kind.group, kind.version)) };
    object["kind"] = json!(kind.kind);
    let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    if !kind.is_namespace() && !namespace.is_cluster() {
        object["metadata"]["namespace"] = json!(namespace.as_str());
    }
    for (key, value) in marks {
        object["metadata"]["labels"][*key] = value.clone();
    }
    let purpose = hash(&json!([object["metadata"]["labels"], (kind.content)(&object)]));
    Desired { kind, index, namespace: namespace.clone(), name, hash: kind.hash(&object), purpose, object }
}

/// The labels that every child carries.
fn marks(tenant: &TenantName, identity: &Identity, system: Option<&SystemName>) -> BTreeMap<&'static str, Value> {
    let mut marks = BTreeMap::from([
        (LABEL_MANAGED_BY, json!(crate::names::FIELD_MANAGER)),
        (LABEL_TENANT, json!(tenant.as_str())),
        (LABEL_TENANT_UID, json!(identity.uid)),
    ]);
    if let Some(system) = system {
        marks.insert(LABEL_SYSTEM, json!(system.as_str()));
    }
    marks
}

impl Desired {
    /// Where it is.
    #[must_use]
    pub fn key(&self) -> ChildKey {
        ChildKey { namespace: self.namespace.clone(), kind: self.index, name: self.name.as_str().into() }
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Index of the namespaces' own row in the table.
#[must_use]
pub fn namespace_index() -> usize {
    TABLE.iter().position(|kind| kind.is_namespace()).unwrap_or_default()
}
