//! YAML files in, objects on the API server out: what `kubectl apply --server-side -f` does.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use kube::api::{Patch, PatchParams};
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use kube::discovery::{Discovery, Scope};
use kube::{Api, Client, ResourceExt};
use serde::Deserialize;

/// The objects of a file, or of all YAML and JSON files below a folder in order of their paths.
///
/// # Errors
/// Names the file and the document that cannot be read.
pub fn read(path: &Path) -> Result<Vec<DynamicObject>> {
    let mut objects = Vec::new();
    for file in files(path)? {
        let text = fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
        objects.extend(parse(&text).with_context(|| format!("in {}", file.display()))?);
    }
    Ok(objects)
}

/// The objects of one YAML text; empty documents are skipped.
///
/// # Errors
/// Names the document that is no Kubernetes object.
pub fn parse(text: &str) -> Result<Vec<DynamicObject>> {
    let mut objects = Vec::new();
    for (index, document) in serde_yaml::Deserializer::from_str(text).enumerate() {
        let failed = || format!("document {} is not a Kubernetes object", index + 1);
        let value = serde_json::Value::deserialize(document).with_context(failed)?;
        if value.is_null() {
            continue;
        }
        let object: DynamicObject = serde_json::from_value(value).with_context(failed)?;
        if object.types.is_none() || object.metadata.name.is_none() {
            bail!("document {} has no apiVersion, kind or metadata.name", index + 1);
        }
        objects.push(object);
    }
    Ok(objects)
}

fn files(path: &Path) -> Result<Vec<PathBuf>> {
    if path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let failed = || format!("reading {}: give a file, or a folder of YAML files", path.display());
    let mut entries = fs::read_dir(path)
        .with_context(failed)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<std::io::Result<Vec<_>>>()
        .with_context(failed)?;
    entries.sort();
    let mut found = Vec::new();
    for entry in entries {
        let manifest = entry.extension().is_some_and(|extension| ["yaml", "yml", "json"].iter().any(|e| extension == *e));
        if entry.is_dir() {
            found.extend(files(&entry)?);
        } else if manifest {
            found.push(entry);
        }
    }
    Ok(found)
}

/// Applies objects of the kinds that the cluster had when this was made.
pub struct Applier {
    client: Client,
    kinds: Discovery,
    manager: String,
}

impl Applier {
    /// Asks the cluster for its kinds; `manager` is the field manager of what is applied.
    ///
    /// # Errors
    /// When the API server does not answer.
    pub async fn new(client: Client, manager: &str) -> Result<Self> {
        let kinds = Discovery::new(client.clone()).run_aggregated().await.context("asking the cluster for the kinds that it serves")?;
        Ok(Self { client, kinds, manager: manager.to_owned() })
    }

    /// The API for objects of this kind, in the object's namespace or the default one.
    ///
    /// # Errors
    /// When the cluster does not serve the kind.
    pub fn api(&self, object: &DynamicObject) -> Result<Api<DynamicObject>> {
        let types = object.types.clone().unwrap_or_default();
        let kind = GroupVersionKind::try_from(&types).with_context(|| format!("'{}' is no apiVersion", types.api_version))?;
        let Some((resource, capabilities)) = self.kinds.resolve_gvk(&kind) else {
            bail!("the cluster does not serve {} ({}): apply its CRD first", types.kind, types.api_version);
        };
        Ok(match capabilities.scope {
            Scope::Cluster => Api::all_with(self.client.clone(), &resource),
            Scope::Namespaced => {
                let namespace = object.namespace().unwrap_or_else(|| self.client.default_namespace().to_owned());
                Api::namespaced_with(self.client.clone(), &namespace, &resource)
            }
        })
    }

    /// Applies one object and gives it back as the API server holds it.
    ///
    /// # Errors
    /// When the kind is not served, or with what the API server answers.
    pub async fn apply(&self, object: &DynamicObject) -> Result<DynamicObject> {
        apply_to(&self.api(object)?, object, &self.manager).await
    }

    /// Applies objects one after the other.
    ///
    /// # Errors
    /// With the first that is refused.
    pub async fn apply_all(&self, objects: &[DynamicObject]) -> Result<()> {
        for object in objects {
            self.apply(object).await?;
        }
        Ok(())
    }
}

/// The API server's "no", as people read it.
#[derive(Debug)]
pub struct Refused {
    /// HTTP status code.
    pub code: u16,
    /// What it says.
    pub message: String,
}

impl fmt::Display for Refused {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ({})", self.message, self.code)
    }
}

impl std::error::Error for Refused {}

impl Refused {
    /// Whether the same request may succeed a moment later: the API server is busy, another write came
    /// first, or a namespace is just being made.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(self.code, 404 | 409 | 429 | 500..)
    }
}

/// Applies one object of a kind that need not be discovered.
///
/// # Errors
/// With [`Refused`] inside when the API server says no.
pub async fn apply_to(api: &Api<DynamicObject>, object: &DynamicObject, manager: &str) -> Result<DynamicObject> {
    let parameters = PatchParams::apply(manager).force();
    let answer = match api.patch(&object.name_any(), &parameters, &Patch::Apply(object)).await {
        Err(kube::Error::Api(status)) => Err(Refused { code: status.code, message: status.message }.into()),
        answer => answer.map_err(anyhow::Error::from),
    };
    answer.with_context(|| format!("applying {}", describe(object)))
}

/// The API for a given kind in a namespace, or cluster-wide without one.
#[must_use]
pub fn api_for(client: &Client, resource: &ApiResource, namespace: Option<&str>) -> Api<DynamicObject> {
    match namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, resource),
        None => Api::all_with(client.clone(), resource),
    }
}

/// "Kind namespace/name", as people name it.
#[must_use]
pub fn describe(object: &DynamicObject) -> String {
    let kind = object.types.as_ref().map_or("object", |types| types.kind.as_str());
    match object.namespace() {
        Some(namespace) => format!("{kind} {namespace}/{}", object.name_any()),
        None => format!("{kind} {}", object.name_any()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_holds_several_documents_and_empty_ones_are_skipped() {
        let text = "# only a comment\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n---\n---\n\
            apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b, namespace: a}\ndata: {k: v}\n";
        let names: Vec<_> = parse(text).unwrap().iter().map(describe).collect();
        assert_eq!(names, ["Namespace a", "ConfigMap a/b"]);
    }

    #[test]
    fn what_is_no_object_is_refused_with_its_place() {
        for text in ["apiVersion: v1\nkind: Namespace\nmetadata: {}\n", "kind: [", "metadata: {name: a}\n", "just text\n"] {
            let error = format!("{:#}", parse(text).unwrap_err());
            assert!(error.contains("document 1"), "{error}");
        }
    }

    #[test]
    fn folders_are_read_in_order_of_their_paths() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("b")).unwrap();
        for (file, name) in [("c.yaml", "three"), ("a.yml", "one"), ("b/x.yaml", "two"), ("README.md", "none")] {
            let text = format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}}}\n");
            fs::write(folder.path().join(file), text).unwrap();
        }
        let names: Vec<_> = read(folder.path()).unwrap().iter().map(ResourceExt::name_any).collect();
        assert_eq!(names, ["one", "two", "three"]);
    }
}
