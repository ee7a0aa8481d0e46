//! An object of any kind, read once: JSON as it was sent, without `managedFields`, which are half of it and which nobody here
//! reads.

use std::{borrow::Cow, fmt};

use kube::{
    Resource,
    api::ObjectMeta,
    core::{ApiResource, DynamicResourceScope},
};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{DeserializeSeed, IgnoredAny, MapAccess, Visitor},
};
use serde_json::{Map, Value};

use crate::error::Error;

/// The object.
#[derive(Clone, Debug)]
pub struct Object {
    metadata: ObjectMeta,
    json: Value,
}

impl Object {
    /// An object in the form that the client sends.
    pub fn new(json: Value) -> Result<Self, Error> {
        let metadata = ObjectMeta::deserialize(&json["metadata"]).map_err(|error| Error::Unreachable(error.to_string()))?;
        Ok(Self { metadata, json })
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
        let json = Fields { metadata: false }.deserialize(deserializer)?;
        Self::new(json).map_err(serde::de::Error::custom)
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
                (false, "metadata") => drop(object.insert(name, fields.next_value_seed(Self { metadata: true })?)),
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
    use super::*;

    #[test]
    fn an_object_is_read_whole_but_for_what_nobody_reads() {
        let sent = r#"{"kind":"Pod","metadata":{"name":"a","uid":"u","managedFields":[{"x":{}}],"labels":{"l":"1"}},"spec":{"metadata":{"managedFields":[1]}}}"#;
        let object: Object = serde_json::from_str(sent).unwrap();
        assert_eq!((object.meta().name.as_deref(), object.meta().uid.as_deref()), (Some("a"), Some("u")));
        let kept = r#"{"kind":"Pod","metadata":{"labels":{"l":"1"},"name":"a","uid":"u"},"spec":{"metadata":{"managedFields":[1]}}}"#;
        assert_eq!(serde_json::to_string(&object).unwrap(), kept);
        assert!(serde_json::from_str::<Object>("[]").is_err() && serde_json::from_str::<Object>(r#"{"metadata":{"name":1}}"#).is_err());
    }
}
