//! What each value of an enum means, told by the description of every field that takes one, as Kubernetes tells it of its own enums.
//! Structural schemas have no place for it: the text goes by the title from the type to where the definitions are made.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaProps;
use schemars::Schema;
use serde_json::Value;

/// What Kubernetes writes before them.
const HEADLINE: &str = "Possible enum values:";

/// For `#[schemars(transform = ...)]` of an enum, each of whose variants has a doc comment: notes what they say.
pub(super) fn note(schema: &mut Schema) {
    let variants = schema.get("oneOf").and_then(Value::as_array).into_iter().flatten();
    let line = |variant: &Value| Some(format!("\n - `\"{}\"` {}", variant["const"].as_str()?, one_line(variant["description"].as_str()?)));
    let lines: String = variants.filter_map(line).collect();
    schema.insert("title".to_owned(), Value::String(format!("{HEADLINE}{lines}")));
}

/// Adds what was noted to the description.
pub(super) fn tell(schema: &mut JSONSchemaProps) {
    if let Some(values) = schema.title.take_if(|title| title.starts_with(HEADLINE)) {
        let description = schema.description.take().unwrap_or_default();
        schema.description = Some(format!("{description}\n\n{values}").trim_start().to_owned());
    }
}

/// Lines of a doc comment become one.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
