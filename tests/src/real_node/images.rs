//! Images that the node has without a registry: the operator's, as `cargo image` wrote it, and one for each program of the tests.

use std::{collections::HashMap, env, fs, path::Path};

use anyhow::{Context, Result, bail, ensure};
use govcloud_image::{Arch, Image, Program};
use serde_json::Value;

use super::node::Node;
use crate::{
    build_layout,
    go_program::{self, GoProgram, POD, TRAEFIK},
};

/// Where the chart looks for the operator's image.
pub const OPERATOR: &str = "registry.example.gov.cn/govcloud/govcloud";
/// Tag of a second name of the operator's image.
pub const NEXT: &str = "next";

/// The images of the tests' own pods, by digest.
pub struct Images {
    /// Server and client; under the registry of the agency of `examples/quickstart`.
    pub pod: String,
    /// Controller of an ingress class.
    pub traefik: String,
}

/// Fails before a node is started, when there is no image to try.
pub fn operator_is_built() -> Result<()> {
    ensure!(layout().join("index.json").is_file(), "there is no image in {}: `cargo image` writes it", layout().display());
    Ok(())
}

fn layout() -> std::path::PathBuf {
    build_layout::workspace().join("target/image/oci")
}

/// Imports the operator's image under the name that the chart has, with two tags. Gives its digest and what its labels say.
pub fn import_operator(node: &Node) -> Result<(String, Value)> {
    let digest = import(node, &layout(), OPERATOR)?;
    let version = env!("CARGO_PKG_VERSION");
    node.ctr(&["images", "tag", &format!("{OPERATOR}:{version}"), &format!("{OPERATOR}:{NEXT}")], None)?;
    let hash = digest.strip_prefix("sha256:").context("the digest is no sha256")?;
    let index = json(&layout().join("blobs/sha256").join(hash))?;
    Ok((digest, index["annotations"].clone()))
}

/// Builds the tests' own images and imports them.
pub fn import_others(node: &Node) -> Result<Images> {
    Ok(Images {
        pod: import_program(node, &POD, "pod", "registry.example.gov.cn/health/pod")?,
        traefik: import_program(node, &TRAEFIK, "traefik", "registry.example.gov.cn/platform/traefik")?,
    })
}

fn import_program(node: &Node, program: &GoProgram, name: &str, repository: &str) -> Result<String> {
    let bytes = fs::read(program.build()?).with_context(|| format!("reading the program {name}"))?;
    let folder = tempfile::tempdir_in(go_program::folder()).context("making a folder for an image")?;
    let image = Image { program: name, arguments: &[], tag: "1", labels: HashMap::new(), created: "1970-01-01T00:00:00Z" };
    image.write(folder.path(), &[Program { architecture: architecture()?, bytes }])?;
    let digest = import(node, folder.path(), repository)?;
    let name = format!("{repository}@{digest}");
    node.ctr(&["images", "tag", &format!("{repository}:1"), &name], None)?;
    Ok(name)
}

/// Of the node, which runs on this machine.
fn architecture() -> Result<Arch> {
    Ok(match env::consts::ARCH {
        "x86_64" => Arch::Amd64,
        "aarch64" => Arch::ARM64,
        other => bail!("no image is made for {other}"),
    })
}

/// Imports an OCI image layout; gives its digest.
fn import(node: &Node, folder: &Path, repository: &str) -> Result<String> {
    let mut archive = tar::Builder::new(Vec::new());
    archive.append_dir_all("", folder).with_context(|| format!("packing {}", folder.display()))?;
    node.ctr(&["images", "import", "--base-name", repository, "-"], Some(&archive.into_inner()?))?;
    let digest = json(&folder.join("index.json"))?["manifests"][0]["digest"].as_str().map(str::to_owned);
    digest.with_context(|| format!("the index of {} names no digest", folder.display()))
}

fn json(file: &Path) -> Result<Value> {
    let text = fs::read(file).with_context(|| format!("reading {}", file.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("reading {}", file.display()))
}
