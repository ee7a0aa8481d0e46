//! Programs that check or make files, as whoever maintains the chart runs them.

use std::{
    fs::File,
    io::{Seek, Write},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use crate::go_program::{CRDIFY, DASHBOARD, GoProgram, HELM_DOCS, KREW, KREW_VALIDATION, KUBECONFORM, OLDEST_KUBERNETES, PROMTOOL};

/// A program that is run and ends.
pub struct Tool(PathBuf);

impl Tool {
    /// Prometheus' own, for alerts and metrics. Built when need be; blocks.
    ///
    /// # Errors
    /// With the compiler's output when it does not build.
    pub fn promtool() -> Result<Self> {
        Self::of(&PROMTOOL)
    }

    /// Checks objects against JSON schemas. Built when need be; blocks.
    ///
    /// # Errors
    /// With the compiler's output when it does not build.
    pub fn kubeconform() -> Result<Self> {
        Self::of(&KUBECONFORM)
    }

    /// Compares two versions of a custom resource definition. Built when need be; blocks.
    ///
    /// # Errors
    /// With the compiler's output when it does not build.
    pub fn crdify() -> Result<Self> {
        Self::of(&CRDIFY)
    }

    /// Judges custom resource definitions as the oldest Kubernetes that is supported does. Built when need be; blocks.
    ///
    /// # Errors
    /// With the compiler's output when it does not build.
    pub fn oldest_kubernetes() -> Result<Self> {
        Self::of(&OLDEST_KUBERNETES)
    }

    /// Makes the README of a chart. Built when need be; blocks.
    ///
    /// # Errors
    /// With the compiler's output when it does not build.
    pub fn helm_docs() -> Result<Self> {
        Self::of(&HELM_DOCS)
    }

    /// Installs plugins of kubectl. Built when need be; blocks.
    ///
    /// # Errors
    /// With the compiler's output when it does not build.
    pub fn krew() -> Result<Self> {
        Self::of(&KREW)
    }

    /// Judges manifests as krew's own index of plugins does. Built when need be; blocks.
    ///
    /// # Errors
    /// With the compiler's output when it does not build.
    pub fn krew_validation() -> Result<Self> {
        Self::of(&KREW_VALIDATION)
    }

    /// Holds a dashboard against Grafana's schema. Built when need be; blocks.
    ///
    /// # Errors
    /// With the compiler's output when it does not build.
    pub fn dashboard() -> Result<Self> {
        Self::of(&DASHBOARD)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    fn of(program: &GoProgram) -> Result<Self> {
        program.build().map(Self)
    }

    /// Runs it in a folder with a text as its standard input; gives what it printed there.
    ///
    /// # Errors
    /// What it printed on both streams, when it fails.
    pub fn run(&self, folder: &Path, arguments: &[&str], input: &str) -> Result<String> {
        let mut stdin: File = tempfile::tempfile()?;
        stdin.write_all(input.as_bytes())?;
        stdin.rewind()?;
        let output = Command::new(&self.0).args(arguments).current_dir(folder).stdin(stdin).output();
        let output = output.with_context(|| format!("running {}", self.0.display()))?;
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            bail!("{} {}: {printed}{}", self.0.display(), arguments.join(" "), String::from_utf8_lossy(&output.stderr));
        }
        Ok(printed)
    }
}
