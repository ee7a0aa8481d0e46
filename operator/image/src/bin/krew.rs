//! `cargo krew`: writes the plugin's archives, their checksums and the manifest for krew to `target/krew`.

use std::{fs, path::Path};

use anyhow::{Context, Result};
use clap::Parser;
use govcloud_image::{
    Plugin,
    program::{PLATFORMS, Tools},
};

/// Writes the plugin's archives for Linux on amd64 and arm64, their checksums and the manifest for krew.
#[derive(Parser)]
struct Arguments {
    /// Address of the folder from which the archives will be fetched
    #[arg(long, value_name = "URL")]
    location: String,
}

fn main() -> Result<()> {
    let Arguments { location } = Arguments::parse();
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).context("this crate is not in the folder of the operator")?;
    let license = fs::read_to_string(workspace.join("LICENSE")).context("reading LICENSE")?;
    let tools = Tools::install(workspace.join("target/image/tools"), workspace.to_owned())?;
    let mut programs = Vec::new();
    for (architecture, target) in PLATFORMS {
        println!("building for {architecture}");
        programs.push(tools.build(architecture, target)?);
    }
    let plugin = Plugin { version: env!("CARGO_PKG_VERSION"), location: location.trim_end_matches('/'), license: &license };
    println!("{}", plugin.write(&workspace.join("target/krew"), &programs)?.display());
    Ok(())
}
