//! The contract: what people write and read. Schema, CEL rules and field documentation live here and
//! nowhere else; `kubectl explain` shows these texts. Nothing here decides or does anything.

pub mod agency_tenant;
pub mod allowances;
pub mod approval;
pub mod common;
pub mod conditions;
pub mod history;
pub mod hosted_system;
pub mod objects;
mod rules;
pub mod tenant_status;
mod values;

pub use agency_tenant::{AgencyTenant, AgencyTenantSpec};
pub use common::{Condition, DeletionPolicy, Quantity, Resources};
pub use hosted_system::{HostedSystem, HostedSystemSpec, HostedSystemStatus, Stage};
pub use tenant_status::AgencyTenantStatus;

use std::collections::BTreeMap;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSON, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use kube::CustomResourceExt;
use serde_json::json;

/// The definitions of both kinds, ready to be applied.
#[must_use]
pub fn crds() -> Vec<CustomResourceDefinition> {
    let mut crds = vec![AgencyTenant::crd(), HostedSystem::crd()];
    for definition in &mut crds {
        definition.metadata.labels = Some(part_of());
        definition.spec.names.list_kind = Some(format!("{}List", definition.spec.names.kind));
    }
    let versions = crds.iter_mut().flat_map(|definition| &mut definition.spec.versions);
    for schema in versions.filter_map(|version| version.schema.as_mut()?.open_api_v3_schema.as_mut()) {
        unwrap_lines(schema);
        let properties = schema.properties.get_or_insert_default();
        properties.insert("metadata".into(), bounded_name());
        if let Some(status) = properties.get_mut("status") {
            // So that an object that no operator has seen says so.
            status.default = Some(JSON(json!({ "observedGeneration": -1 })));
            status.nullable = None;
        }
    }
    crds
}

/// The label of all that stands in cluster scope because of the product: its own objects and tenants' access to their `AgencyTenant`.
pub const PART_OF: (&str, &str) = ("app.kubernetes.io/part-of", "govcloud");

/// Selects by the label.
#[must_use]
pub fn part_of_selector() -> String {
    format!("{}={}", PART_OF.0, PART_OF.1)
}

/// The label as the only one.
#[must_use]
pub fn part_of() -> BTreeMap<String, String> {
    BTreeMap::from([(PART_OF.0.to_owned(), PART_OF.1.to_owned())])
}

/// Lines of a doc comment become one paragraph; `kubectl explain` wraps by itself. The values of an enum follow in lines of their own.
fn unwrap_lines(schema: &mut JSONSchemaProps) {
    if let Some(text) = &mut schema.description {
        *text = text.split("\n\n").map(|paragraph| paragraph.replace('\n', " ")).collect::<Vec<_>>().join("\n\n");
    }
    values::tell(schema);
    let values = schema.additional_properties.iter_mut().filter_map(|values| match values {
        JSONSchemaPropsOrBool::Schema(schema) => Some(schema.as_mut()),
        JSONSchemaPropsOrBool::Bool(_) => None,
    });
    let items = schema.items.iter_mut().filter_map(|items| match items {
        JSONSchemaPropsOrArray::Schema(schema) => Some(schema.as_mut()),
        JSONSchemaPropsOrArray::Schemas(_) => None,
    });
    let properties = schema.properties.iter_mut().flat_map(BTreeMap::values_mut);
    properties.chain(values).chain(items).for_each(unwrap_lines);
}

/// A bound on the name lets the API server know what the rules over it cost; the rules themselves are narrower.
fn bounded_name() -> JSONSchemaProps {
    let text = |max_length| JSONSchemaProps { type_: Some("string".into()), max_length, ..JSONSchemaProps::default() };
    let properties = [("name".into(), text(Some(63)))].into();
    JSONSchemaProps { type_: Some("object".into()), properties: Some(properties), ..JSONSchemaProps::default() }
}
