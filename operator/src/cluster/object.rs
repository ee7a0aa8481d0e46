//! An object of any kind as it was sent: its metadata is read at once, the rest only when somebody asks for it. Most events of a watch
//! tell of the operator's own writes, whose answers it has read already.

use std::{borrow::Cow, collections::BTreeMap, fmt, sync::OnceLock};

use govcloud_core::model::names::{FIELD_MANAGER, FINALIZER};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{
    Resource,
    api::ObjectMeta,
    core::{ApiResource, DynamicResourceScope},
};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{DeserializeSeed, IgnoredAny, MapAccess, Visitor},
};
use serde_json::{
    Map, Value,
    value::{RawValue, to_raw_value},
};

use crate::error::Error;

/// The object.
#[derive(Clone, Debug)]
pub struct Object {
    metadata: ObjectMeta,
    text: Box<RawValue>,
    json: OnceLock<Value>,
}

impl Object {
    /// An object in the form that the client sends.
    pub fn new(json: &impl Serialize) -> Result<Self, Error> {
        let text = to_raw_value(json).map_err(|error| Error::Unreachable(error.to_string()))?;
        Self::read(text).map_err(|error| Error::Unreachable(error.to_string()))
    }

    fn read(text: Box<RawValue>) -> serde_json::Result<Self> {
        let Read { metadata } = serde_json::from_str(text.get())?;
        Ok(Self { metadata: metadata.into(), text, json: OnceLock::new() })
    }

    /// Whether the operator wrote its finalizer, be it that others did so, too.
    pub fn holds(&self) -> bool {
        let managed: Result<Managed, _> = serde_json::from_str(self.text.get());
        managed.is_ok_and(|Managed { metadata }| metadata.entries.iter().flatten().any(Manager::holds))
    }

    /// Who wrote which of its fields.
    pub fn managed_fields(&self) -> Value {
        let written: Result<Written, _> = serde_json::from_str(self.text.get());
        written.map_or(Value::Null, |Written { metadata }| metadata.managed_fields)
    }

    /// The whole of it, as the pure part reads it, without `managedFields`, which are half of it.
    pub fn json(&self) -> &Value {
        self.json.get_or_init(|| {
            let mut text = serde_json::Deserializer::from_str(self.text.get());
            Fields { metadata: false }.deserialize(&mut text).unwrap_or_default() // its metadata was read, so it is an object
        })
    }

    /// The same, as a value of its own.
    pub fn into_json(mut self) -> Value {
        self.json();
        self.json.take().unwrap_or_default()
    }
}

impl Serialize for Object {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.text.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::read(Box::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[derive(Deserialize)]
struct Read {
    metadata: Metadata,
}

/// What is read of the metadata of every object.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Metadata {
    name: Option<String>,
    namespace: Option<String>,
    uid: Option<String>,
    resource_version: Option<String>,
    generation: Option<i64>,
    creation_timestamp: Option<Time>,
    deletion_timestamp: Option<Time>,
    labels: Option<BTreeMap<String, String>>,
    annotations: Option<BTreeMap<String, String>>,
    finalizers: Option<Vec<String>>,
}

impl From<Metadata> for ObjectMeta {
    fn from(read: Metadata) -> Self {
        Self {
            name: read.name,
            namespace: read.namespace,
            uid: read.uid,
            resource_version: read.resource_version,
            generation: read.generation,
            creation_timestamp: read.creation_timestamp,
            deletion_timestamp: read.deletion_timestamp,
            labels: read.labels,
            annotations: read.annotations,
            finalizers: read.finalizers,
            ..Self::default()
        }
    }
}

/// An object, as far as it says who wrote which fields.
#[derive(Deserialize)]
struct Managed {
    metadata: ManagedFields,
}

#[derive(Deserialize)]
struct ManagedFields {
    #[serde(default, rename = "managedFields")]
    entries: Option<Vec<Manager>>,
}

#[derive(Deserialize)]
struct Written {
    metadata: WrittenMetadata,
}

#[derive(Deserialize)]
struct WrittenMetadata {
    #[serde(default, rename = "managedFields")]
    managed_fields: Value,
}

/// An entry of `managedFields`, as far as it is read.
#[derive(Deserialize)]
struct Manager {
    #[serde(default)]
    manager: String,
    #[serde(default, rename = "fieldsV1")]
    fields: FieldsV1,
}

#[derive(Default, Deserialize)]
struct FieldsV1 {
    #[serde(default, rename = "f:metadata")]
    metadata: MetadataV1,
}

#[derive(Default, Deserialize)]
struct MetadataV1 {
    #[serde(default, rename = "f:finalizers")]
    finalizers: Map<String, Value>,
}

impl Manager {
    fn holds(&self) -> bool {
        self.manager == FIELD_MANAGER && self.fields.metadata.finalizers.contains_key(&format!("v:\"{FINALIZER}\""))
    }
}

/// Reads the fields of an object, or of its metadata.
struct Fields {
    metadata: bool,
}

impl<'de> DeserializeSeed<'de> for Fields {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Fields {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("an object of Kubernetes")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = fields.next_key::<String>()? {
            match (self.metadata, name.as_str()) {
                (true, "managedFields") => drop(fields.next_value::<IgnoredAny>()?),
                (false, "metadata") => drop(object.insert(name, fields.next_value_seed(Fields { metadata: true })?)),
                _ => drop(object.insert(name, fields.next_value()?)),
            }
        }
        Ok(Value::Object(object))
    }
}

impl Resource for Object {
    type DynamicType = ApiResource;
    type Scope = DynamicResourceScope;

    fn group(kind: &ApiResource) -> Cow<'_, str> {
        kind.group.as_str().into()
    }

    fn version(kind: &ApiResource) -> Cow<'_, str> {
        kind.version.as_str().into()
    }

    fn kind(kind: &ApiResource) -> Cow<'_, str> {
        kind.kind.as_str().into()
    }

    fn plural(kind: &ApiResource) -> Cow<'_, str> {
        kind.plural.as_str().into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

#[cfg(test)]
mod tests {
    use kube::core::{ObjectList, WatchEvent};
    use serde_json::json;

    use super::*;

    #[test]
    fn an_object_is_read_whole_but_for_what_nobody_reads_and_sent_as_it_is() {
        let sent = r#"{"kind":"Pod","metadata":{"name":"a","uid":"u","managedFields":[{"x":{}},{"manager":"a","fieldsV1":{"f:spec":{}}}],"labels":{"l":"1"}},"spec":{"metadata":{"managedFields":[1]}}}"#;
        let object: Object = serde_json::from_str(sent).unwrap();
        assert_eq!((object.meta().name.as_deref(), object.meta().uid.as_deref()), (Some("a"), Some("u")));
        let kept = r#"{"kind":"Pod","metadata":{"labels":{"l":"1"},"name":"a","uid":"u"},"spec":{"metadata":{"managedFields":[1]}}}"#;
        assert_eq!(object.json().to_string(), kept);
        assert_eq!(serde_json::to_string(&object).unwrap(), sent);
        assert!(serde_json::from_str::<Object>("[]").is_err() && serde_json::from_str::<Object>(r#"{"metadata":{"name":1}}"#).is_err());
    }

    #[test]
    fn events_and_lists_hold_objects() {
        let object = r#"{"metadata":{"name":"a","labels":{"l":"1"}},"spec":{"hard":{}}}"#;
        let names = |objects: &[Object]| objects.iter().map(|object| object.json()["metadata"]["name"].clone()).collect::<Vec<_>>();
        let event = format!(r#"{{"type":"MODIFIED","object":{object}}}"#);
        let Ok(WatchEvent::Modified(changed)) = serde_json::from_str(&event) else { panic!("{event} is no event") };
        assert_eq!(names(&[changed]), ["a"]);
        let list = format!(r#"{{"kind":"ResourceQuotaList","apiVersion":"v1","metadata":{{}},"items":[{object},{object}]}}"#);
        assert_eq!(names(&serde_json::from_str::<ObjectList<Object>>(&list).unwrap().items), ["a", "a"]);
    }

    #[test]
    fn the_finalizer_is_the_operators_own_where_it_wrote_it_too() {
        let read = |manager: &str, finalizer: &str| -> bool {
            let fields = json!({ "f:metadata": { "f:finalizers": { ".": {}, format!("v:\"{finalizer}\""): {} } } });
            let managed =
                json!([{ "manager": "kubectl", "operation": "Apply", "fieldsV1": fields }, { "manager": manager, "fieldsV1": fields }]);
            let sent = json!({ "metadata": { "name": "a", "managedFields": managed }, "spec": {} }).to_string();
            serde_json::from_str::<Object>(&sent).unwrap().holds()
        };
        assert!(read("govcloud", "govcloud.io/hold"));
        assert!(!read("argocd", "govcloud.io/hold") && !read("govcloud", "example.com/other"));
        assert!(!serde_json::from_str::<Object>(r#"{"metadata":{"managedFields":null}}"#).unwrap().holds());
    }
}
