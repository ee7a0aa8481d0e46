//! Kubeconform with the schemas of a running API server and with those of the Prometheus operator's definitions. A field that a schema
//! does not name is refused.

use std::{fs, path::Path};

use anyhow::{Context, Result};
use axum::http::Request;
use kube::Client;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{ControlPlane, go_program, tool::Tool};

/// What kubeconform puts the group, version and kind of an object into.
const NAMES: &str = "{{.ResourceKind}}_{{.Group}}_{{.ResourceAPIVersion}}.json";
const PROMETHEUS_OPERATOR: (&str, &str) = ("tests/platform/prometheus-operator", "github.com/prometheus-operator/prometheus-operator");

/// Schemas, and the program that holds files against them.
pub struct Schemas {
    folder: TempDir,
    kubeconform: Tool,
}

impl Schemas {
    /// Takes the schemas of all that the API server serves, the custom resources of its definitions too.
    ///
    /// # Errors
    /// When kubeconform does not build, or the API server does not answer.
    pub async fn take(plane: &ControlPlane) -> Result<Self> {
        let (kubeconform, module) = tokio::task::spawn_blocking(|| {
            let (sources, path) = PROMETHEUS_OPERATOR;
            Ok::<_, anyhow::Error>((Tool::kubeconform()?, go_program::module(sources, path)?))
        })
        .await??;
        let schemas = Self { folder: TempDir::new()?, kubeconform };
        let client = plane.client().await?;
        let served = get(&client, "/openapi/v3").await?;
        for path in served["paths"].as_object().context("the API server serves no schemas")?.keys() {
            schemas.add(path, get(&client, &format!("/openapi/v3/{path}")).await?)?;
        }
        for plural in ["servicemonitors", "prometheusrules"] {
            let file = module.join(format!("example/prometheus-operator-crd/monitoring.coreos.com_{plural}.yaml"));
            schemas.add_definition(serde_yaml::from_str(&fs::read_to_string(file)?)?)?;
        }
        Ok(schemas)
    }

    /// Holds files, or all files in folders, against the schemas.
    ///
    /// # Errors
    /// What is wrong in which object.
    pub fn check(&self, paths: &[&Path]) -> Result<String> {
        let names = self.folder.path().join(NAMES);
        let mut arguments = vec!["-strict", "-summary", "-schema-location", names.to_str().context("the folder's name is not text")?];
        for path in paths {
            arguments.push(path.to_str().context("a file's name is not text")?);
        }
        self.kubeconform.run(self.folder.path(), &arguments, "")
    }

    /// Keeps what one path of the API has, and for each kind where in it its schema is.
    fn add(&self, path: &str, mut document: Value) -> Result<()> {
        let file = path.replace('/', "-");
        let Some(schemas) = document["components"]["schemas"].as_object_mut() else { return Ok(()) };
        for (name, schema) in schemas {
            name_all(schema);
            for kind in schema["x-kubernetes-group-version-kind"].as_array().into_iter().flatten() {
                let [group, version, kind] = ["group", "version", "kind"].map(|key| kind[key].as_str().unwrap_or_default());
                if path == format!("apis/{group}/{version}") || path == format!("api/{version}") {
                    self.write(&name_of(group, version, kind), &json!({"$ref": format!("{file}.json#/components/schemas/{name}")}))?;
                }
            }
        }
        self.write(&file, &document)
    }

    fn add_definition(&self, mut definition: Value) -> Result<()> {
        let [group, kind] = ["/spec/group", "/spec/names/kind"].map(|path| definition.pointer(path).cloned().unwrap_or_default());
        for version in definition["spec"]["versions"].as_array_mut().into_iter().flatten() {
            let schema = &mut version["schema"]["openAPIV3Schema"];
            name_all(schema);
            let [group, version_name, kind] = [&group, &version["name"], &kind].map(|text| text.as_str().unwrap_or_default());
            self.write(&name_of(group, version_name, kind), &version["schema"]["openAPIV3Schema"])?;
        }
        Ok(())
    }

    fn write(&self, name: &str, schema: &Value) -> Result<()> {
        let path = self.folder.path().join(format!("{name}.json"));
        fs::write(&path, schema.to_string()).with_context(|| format!("writing {}", path.display()))
    }
}

/// A kind's name by which kubeconform looks for its schema; the group of the core kinds is their version.
fn name_of(group: &str, version: &str, kind: &str) -> String {
    format!("{}_{}_{version}", kind.to_lowercase(), if group.is_empty() { version } else { group })
}

/// Where a schema names fields, there are no others: what the API server does with `fieldValidation=Strict`.
fn name_all(schema: &mut Value) {
    let Some(keywords) = schema.as_object_mut() else { return };
    let is_open = keywords.get("x-kubernetes-preserve-unknown-fields") == Some(&json!(true));
    if keywords.contains_key("properties") && !keywords.contains_key("additionalProperties") && !is_open {
        keywords.insert("additionalProperties".to_owned(), json!(false));
    }
    for (keyword, value) in keywords {
        match (keyword.as_str(), value) {
            ("properties", Value::Object(fields)) => fields.values_mut().for_each(name_all),
            ("items" | "additionalProperties" | "not", schema) => name_all(schema),
            ("allOf" | "anyOf" | "oneOf", Value::Array(schemas)) => schemas.iter_mut().for_each(name_all),
            _ => {}
        }
    }
}

async fn get(client: &Client, path: &str) -> Result<Value> {
    client.request(Request::get(path).body(Vec::new())?).await.with_context(|| format!("getting {path}"))
}
