//! `govcloud crds` and `govcloud role`: the generated manifests that are checked in.

use std::{fs, path::PathBuf};

use anyhow::Context;
use govcloud_core::{api, children::rbac};

use super::output::say;

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Folder for the custom resource definitions.
    #[arg(long, default_value = "crds")]
    folder: PathBuf,
}

pub(super) fn write(arguments: &Arguments) -> anyhow::Result<()> {
    fs::create_dir_all(&arguments.folder).with_context(|| format!("cannot create {}", arguments.folder.display()))?;
    for (file, text) in crds()? {
        let path = arguments.folder.join(file);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        say(path.display())?;
    }
    Ok(())
}

/// File name and content of each definition.
fn crds() -> anyhow::Result<Vec<(String, String)>> {
    let crds = api::crds().into_iter();
    crds.map(|definition| Ok((format!("{}.yaml", definition.spec.names.plural), serde_yaml::to_string(&definition)?))).collect()
}

pub(super) fn print_role() -> anyhow::Result<()> {
    say(role()?.trim_end())
}

fn role() -> anyhow::Result<String> {
    let everywhere = serde_yaml::to_string(&rbac::cluster_role())?;
    let at_home = serde_yaml::to_string(&rbac::lease_role())?;
    Ok(format!(
        "# Written by `govcloud role`: the table of children and a short fixed list.\n{everywhere}---\n\
        # Bound by a RoleBinding, in the operator's own namespace only: one replica leads, others stand by.\n{at_home}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked_in(path: &str) -> String {
        fs::read_to_string(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(path)).unwrap_or_default()
    }

    #[test]
    fn the_checked_in_definitions_are_current() {
        for (file, text) in crds().unwrap() {
            assert!(checked_in(&format!("crds/{file}")) == text, "crds/{file} is stale: run `cargo run -p govcloud -- crds`");
        }
    }

    #[test]
    fn the_checked_in_role_is_current() {
        let path = "charts/govcloud/roles/operator.yaml";
        assert!(checked_in(path) == role().unwrap(), "{path} is stale: run `cargo run -p govcloud -- role > {path}`");
    }
}
