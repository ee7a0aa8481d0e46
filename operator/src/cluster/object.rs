//! An object of any kind, read once: JSON as it was sent, without `managedFields`, which are half of it and of which only one thing is
//! read: whether the operator's finalizer is the operator's own.

use std::{borrow::Cow, fmt};

use kube::{
    Resource,
    api::ObjectMeta,
    core::{ApiResource, DynamicResourceScope},
};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{DeserializeSeed, MapAccess, Visitor},
};
use serde_json::{Map, Value};

use crate::{
    error::Error,
    names::{FIELD_MANAGER, FINALIZER},
};

/// The object.
#[derive(Clone, Debug)]
pub struct Object {
    metadata: ObjectMeta,
    json: Value,
    holds: bool,
}

impl Object {
    /// An object in the form that the client sends.
    pub fn new(json: Value) -> Result<Self, Error> {
        let metadata = ObjectMeta::deserialize(&json["metadata"]).map_err(|error| Error::Unreachable(error.to_string()))?;
        Ok(Self { metadata, json, holds: false })
    }

    /// Whether the operator wrote its finalizer, be it that others did so, too.
    pub fn holds(&self) -> bool {
        self.holds
    }

    /// The whole of it, as the pure part reads it.
    pub fn json(&self) -> &Value {
        &self.json
    }
}

impl Serialize for Object {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.json.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut holds = false;
        let json = Fields { metadata: false, holds: &mut holds }.deserialize(deserializer)?;
        Ok(Self { holds, ..Self::new(json).map_err(serde::de::Error::custom)? })
    }
}

/// Reads the fields of an object, or of its metadata.
struct Fields<'a> {
    metadata: bool,
    holds: &'a mut bool,
}

/// An entry of `managedFields`, as far as it is read.
#[derive(Deserialize)]
struct Managed {
    #[serde(default)]
    manager: String,
    #[serde(default, rename = "fieldsV1")]
    fields: ManagedFields,
}

#[derive(Default, Deserialize)]
struct ManagedFields {
    #[serde(default, rename = "f:metadata")]
    metadata: ManagedMetadata,
}

#[derive(Default, Deserialize)]
struct ManagedMetadata {
    #[serde(default, rename = "f:finalizers")]
    finalizers: Map<String, Value>,
}

impl Managed {
    fn holds(&self) -> bool {
        self.manager == FIELD_MANAGER && self.fields.metadata.finalizers.contains_key(&format!("v:\"{FINALIZER}\""))
    }
}

impl<'de> DeserializeSeed<'de> for Fields<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Fields<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("an object of Kubernetes")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = fields.next_key::<String>()? {
            match (self.metadata, name.as_str()) {
                (true, "managedFields") => {
                    let managed: Option<Vec<Managed>> = fields.next_value()?;
                    *self.holds = managed.iter().flatten().any(Managed::holds);
                }
                (false, "metadata") => {
                    let metadata = Fields { metadata: true, holds: &mut *self.holds };
                    drop(object.insert(name, fields.next_value_seed(metadata)?));
                }
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
    use serde_json::json;

    use super::*;

    #[test]
    fn an_object_is_read_whole_but_for_what_nobody_reads() {
        let sent = r#"{"kind":"Pod","metadata":{"name":"a","uid":"u","managedFields":[{"x":{}},{"manager":"a","fieldsV1":{"f:spec":{}}}],"labels":{"l":"1"}},"spec":{"metadata":{"managedFields":[1]}}}"#;
        let object: Object = serde_json::from_str(sent).unwrap();
        assert_eq!((object.meta().name.as_deref(), object.meta().uid.as_deref()), (Some("a"), Some("u")));
        let kept = r#"{"kind":"Pod","metadata":{"labels":{"l":"1"},"name":"a","uid":"u"},"spec":{"metadata":{"managedFields":[1]}}}"#;
        assert_eq!(serde_json::to_string(&object).unwrap(), kept);
        assert!(serde_json::from_str::<Object>("[]").is_err() && serde_json::from_str::<Object>(r#"{"metadata":{"name":1}}"#).is_err());
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
