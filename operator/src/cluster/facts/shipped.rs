//! Definitions, policies and roles of this version, as the chart brings them.

use anyhow::Context;
use govcloud_core::api;
use include_dir::{Dir, include_dir};
use serde::Deserialize;
use serde_json::Value;

static POLICIES: Dir = include_dir!("$CARGO_MANIFEST_DIR/../charts/govcloud/policies");
static ROLES: Dir = include_dir!("$CARGO_MANIFEST_DIR/../charts/govcloud/roles");

/// All of them.
pub(super) fn objects() -> anyhow::Result<Vec<Value>> {
    let mut objects = api::crds().iter().map(serde_json::to_value).collect::<Result<Vec<_>, _>>()?;
    for file in POLICIES.files().chain(ROLES.files()) {
        let text = file.contents_utf8().unwrap_or_default();
        for document in serde_yaml::Deserializer::from_str(text) {
            let object = Value::deserialize(document).with_context(|| format!("reading {}", file.path().display()))?;
            if object.is_object() {
                objects.push(object);
            }
        }
    }
    Ok(objects)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use govcloud_core::model::names::POLICIES;

    #[test]
    fn every_policy_is_among_them_with_its_binding() {
        let objects = super::objects().unwrap();
        let names = |kind: &str| -> BTreeSet<&str> {
            objects.iter().filter(|object| object["kind"] == kind).filter_map(|object| object["metadata"]["name"].as_str()).collect()
        };
        for kind in ["ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"] {
            assert!(POLICIES.iter().all(|policy| names(kind).contains(policy)), "{kind}");
        }
        assert!(names("ClusterRole").contains("govcloud:owner") && names("CustomResourceDefinition").len() == 2);
    }
}
