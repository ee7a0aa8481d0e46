//! Helm, as administrators install the chart with it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use crate::{
    ControlPlane, build_layout,
    go_program::{HELM_3, HELM_4},
};

/// One version of Helm.
pub struct Helm {
    program: PathBuf,
}

impl Helm {
    /// Helm 4, which is built when need be. Blocks.
    ///
    /// # Errors
    /// With the compiler's output when it does not build.
    pub fn four() -> Result<Self> {
        Ok(Self { program: HELM_4.build()? })
    }

    /// Helm 3, which is built when need be. Blocks.
    ///
    /// # Errors
    /// With the compiler's output when it does not build.
    pub fn three() -> Result<Self> {
        Ok(Self { program: HELM_3.build()? })
    }

    /// Where it was built.
    #[must_use]
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Runs a command with the chart as its last argument, as the administrator; gives what it printed.
    ///
    /// # Errors
    /// What it printed, when it fails.
    pub fn chart(&self, plane: &ControlPlane, arguments: &[&str]) -> Result<String> {
        let chart = build_layout::workspace().join("charts/govcloud");
        self.run(plane, &[arguments, &[&chart.to_string_lossy()]].concat())
    }

    /// Runs a command as the administrator; gives what it printed.
    ///
    /// # Errors
    /// What it printed, when it fails.
    pub fn run(&self, plane: &ControlPlane, arguments: &[&str]) -> Result<String> {
        let mut command = Command::new(&self.program);
        command.args(arguments).env("KUBECONFIG", plane.kubeconfig());
        for home in ["HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"] {
            command.env(home, plane.directory().join("helm")); // nothing of the user's plays a part
        }
        let output = command.output()?;
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            bail!("helm {}: {printed}{}", arguments.join(" "), String::from_utf8_lossy(&output.stderr));
        }
        Ok(printed)
    }
}
