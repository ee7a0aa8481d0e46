//! `cargo image`: writes the operator's container image to `target/image/oci`, and beside it what the program is made of. It needs no
//! container daemon.

use std::{collections::HashMap, path::Path, process::Command};

use anyhow::{Context, Result, bail};
use clap::Parser;
use govcloud_image::{
    Arch, Image,
    program::{PLATFORMS, Tools},
};

/// Largest program, in bytes.
const LARGEST: usize = 25_000_000;

/// Writes the operator's container image, and beside it what the program is made of.
#[derive(Parser)]
struct Arguments {
    /// Build for this platform alone: amd64 or arm64
    #[arg(long, value_name = "PLATFORM", value_parser = platform)]
    platform: Option<Arch>,
}

fn platform(name: &str) -> Result<Arch, String> {
    let known = PLATFORMS.into_iter().map(|(architecture, _)| architecture).find(|architecture| architecture.to_string() == name);
    known.ok_or_else(|| format!("give one of {}", PLATFORMS.map(|(architecture, _)| architecture.to_string()).join(", ")))
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let operator = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the folder of this crate has none above it")?;
    let workspace = operator.parent().context("the operator's folder has none above it")?;
    let folder = workspace.join("target/image");
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).current_dir(workspace).output().context("asking git for the commit")?;
        if !output.status.success() {
            bail!("git {arguments:?}: {}; the image is built from a checkout", String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let changed = git(&["status", "--porcelain", "--untracked-files=no"])?;
    if !changed.is_empty() {
        bail!("the image names the commit that it is built from, and these files differ from it; commit them first:\n{changed}");
    }
    let commit = |format: &str| git(&["show", "--no-patch", &format!("--format={format}")]);
    let (revision, seconds, created) = (commit("%H")?, commit("%ct")?, commit("%cI")?);
    let version = env!("CARGO_PKG_VERSION");
    let labels = [
        ("title", "govcloud"),
        ("description", "Operator that runs one shared cluster as a private cloud for many government agencies"),
        ("version", version),
        ("revision", &revision),
        ("created", &created),
        ("licenses", env!("CARGO_PKG_LICENSE")),
    ];
    let labels: HashMap<_, _> =
        labels.into_iter().map(|(key, value)| (format!("org.opencontainers.image.{key}"), value.to_owned())).collect();

    let tools = Tools::install(folder.join("tools"), workspace.to_owned())?;
    let mut programs = Vec::new();
    for (architecture, target) in PLATFORMS {
        if arguments.platform.as_ref().is_some_and(|only| *only != architecture) {
            continue;
        }
        println!("building for {architecture}");
        let program = tools.build(architecture, target)?;
        println!("{:.1} MB", f64::from(u32::try_from(program.bytes.len())?) / 1e6);
        if program.bytes.len() > LARGEST {
            bail!("the program for {target} has more than {LARGEST} bytes");
        }
        programs.push(program);
    }
    let image = Image { program: "govcloud", arguments: &["run"], tag: version, labels, created: &created };
    let digest = image.write(&folder.join("oci"), &programs)?;
    let bill = tools.bill_of_materials(&folder, &seconds)?;
    if let Some(only) = arguments.platform {
        println!("the image is for {only} alone; build it without --platform before you push it for others");
    }
    println!("{digest}\n{}\n{}", folder.join("oci").display(), bill.display());
    Ok(())
}
