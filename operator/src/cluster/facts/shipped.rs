//! Definitions, policies and roles of this version, as the chart brings them.

use anyhow::Context;
use govcloud_core::{api, views::doctor::Shipped};
use include_dir::{Dir, include_dir};
use serde::Deserialize;
use serde_json::Value;

/// Where people find them.
const CHART: &str = "charts/govcloud";
static POLICIES: Dir = include_dir!("$CARGO_MANIFEST_DIR/../charts/govcloud/policies");
static ROLES: Dir = include_dir!("$CARGO_MANIFEST_DIR/../charts/govcloud/roles");

/// All of them.
///
/// # Errors
/// Where one is not YAML.
pub fn objects() -> anyhow::Result<Vec<Shipped>> {
    let mut shipped = Vec::new();
    for definition in api::crds() {
        let path = format!("{CHART}/definitions/{}.yaml", definition.spec.names.plural);
        shipped.push(Shipped { path, object: serde_json::to_value(definition)? });
    }
    for (folder, file) in
        [("policies", &POLICIES), ("roles", &ROLES)].into_iter().flat_map(|(name, folder)| folder.files().map(move |file| (name, file)))
    {
        let path = format!("{CHART}/{folder}/{}", file.path().display());
        for document in serde_yaml::Deserializer::from_str(file.contents_utf8().unwrap_or_default()) {
            let object = Value::deserialize(document).with_context(|| format!("reading {path}"))?;
            if object.is_object() {
                shipped.push(Shipped { path: path.clone(), object });
            }
        }
    }
    Ok(shipped)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use govcloud_core::model::names::POLICIES;

    #[test]
    fn every_policy_is_among_them_with_its_binding() {
        let objects = super::objects().unwrap();
        let names = |kind: &str| -> BTreeSet<&str> {
            objects
                .iter()
                .map(|shipped| &shipped.object)
                .filter(|object| object["kind"] == kind)
                .filter_map(|object| object["metadata"]["name"].as_str())
                .collect()
        };
        for kind in ["ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"] {
            assert!(POLICIES.iter().all(|policy| names(kind).contains(policy)), "{kind}");
        }
        assert!(names("ClusterRole").contains("govcloud:owner") && names("CustomResourceDefinition").len() == 2);
    }
}
