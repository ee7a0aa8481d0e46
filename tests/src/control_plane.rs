//! A Kubernetes API server to work with: one started here from the Go program, or one that the user has.
//!
//! Starting blocks and needs no runtime, so that a test program can share one control plane in a static.

use std::env;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use kube::Client;
use serde::Deserialize;
use tempfile::TempDir;

use crate::{access, bound::Bound, go_program, progress::Activity};

/// Environment variable with the kubeconfig of a cluster to use instead of starting one.
pub const KUBECONFIG_VARIABLE: &str = "GOVCLOUD_KUBECONFIG";

const RUN_PREFIX: &str = "run-";
const STOP_GRACE: Duration = Duration::from_secs(5);

/// A control plane in use. One that was started here stops when this is dropped, and when this process
/// ends without dropping it.
pub struct ControlPlane {
    // Dropped, and so stopped, before the directory that it writes to.
    local: Option<Local>,
    kubeconfig: PathBuf,
    directory: TempDir,
    // Says to the next start that the directory is in use.
    _in_use: File,
}

struct Local {
    program: PathBuf,
    audit_log: PathBuf,
    process: Bound,
}

/// What the program prints when the control plane can be used.
#[derive(Deserialize)]
struct Ready {
    kubeconfig: PathBuf,
    audit_log: PathBuf,
}

impl ControlPlane {
    /// Starts a control plane of its own; builds its program first when that is not done yet.
    ///
    /// # Errors
    /// When Go is missing, the program does not build or a component does not come up.
    pub fn start() -> Result<Self> {
        let program = go_program::CONTROL_PLANE.build()?;
        let (directory, in_use) = run_directory()?;
        let _activity = Activity::new("starting the control plane");
        let mut command = Command::new(&program);
        command.arg("up").arg("--dir").arg(directory.path()).stdout(Stdio::piped());
        let mut process = Bound::start(&mut command)?;
        match first_line(&mut process) {
            Ok(ready) => Ok(Self {
                local: Some(Local { program, audit_log: ready.audit_log, process }),
                kubeconfig: ready.kubeconfig,
                directory,
                _in_use: in_use,
            }),
            Err(error) => {
                // The logs are what explains it; the next start tidies them away.
                let kept = directory.keep();
                Err(error.context(format!("the control plane did not start; its logs are in {}", kept.join("logs").display())))
            }
        }
    }

    /// Uses a cluster that the user has.
    ///
    /// # Errors
    /// When the kubeconfig cannot be read.
    pub fn existing(kubeconfig: &Path) -> Result<Self> {
        let kubeconfig = fs::canonicalize(kubeconfig)
            .with_context(|| format!("there is no kubeconfig {}: give the path of one", kubeconfig.display()))?;
        let (directory, in_use) = run_directory()?;
        Ok(Self { local: None, kubeconfig, directory, _in_use: in_use })
    }

    /// Uses the cluster that `GOVCLOUD_KUBECONFIG` names; without it, starts one.
    ///
    /// # Errors
    /// As [`ControlPlane::existing`] and [`ControlPlane::start`].
    pub fn from_environment() -> Result<Self> {
        match env::var_os(KUBECONFIG_VARIABLE).filter(|path| !path.is_empty()) {
            Some(path) => Self::existing(Path::new(&path)),
            None => Self::start(),
        }
    }

    /// The administrator's kubeconfig.
    #[must_use]
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// Where this run keeps logs and the operator's kubeconfig; removed when this is dropped.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Whether it was started here, and not given by the user.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.local.is_some()
    }

    /// The program that it runs from, when it was started here.
    pub(crate) fn program(&self) -> Option<&Path> {
        self.local.as_ref().map(|local| local.program.as_path())
    }

    /// The audit log, when it was started here.
    #[must_use]
    pub fn audit_log(&self) -> Option<&Path> {
        self.local.as_ref().map(|local| local.audit_log.as_path())
    }

    /// An administrator's client. It belongs to the runtime that it is made in.
    ///
    /// # Errors
    /// When the kubeconfig cannot be used.
    pub async fn client(&self) -> Result<Client> {
        access::client(&self.kubeconfig, None).await
    }

    /// A client that acts as another user.
    ///
    /// # Errors
    /// When the kubeconfig cannot be used.
    pub async fn client_as(&self, user: &str, groups: &[&str]) -> Result<Client> {
        access::client(&self.kubeconfig, Some((user, groups))).await
    }

    /// `kubectl` as the administrator: the one that was built, or for the user's own cluster theirs.
    #[must_use]
    pub fn kubectl(&self) -> Command {
        let mut command = match self.program() {
            Some(program) => {
                let mut command = Command::new(program);
                command.arg("kubectl").env("KUBECACHEDIR", self.directory.path().join("kubectl"));
                command
            }
            None => Command::new("kubectl"),
        };
        command.env("KUBECONFIG", &self.kubeconfig);
        command
    }

    /// Stops it, but leaves its logs for somebody to read. The next start removes them.
    #[must_use]
    pub fn stop_and_keep_logs(self) -> PathBuf {
        drop(self.local);
        self.directory.keep()
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        // Killing is what `Bound` does next, so there is nothing more to try.
        let _ = self.process.stop(STOP_GRACE);
    }
}

fn first_line(process: &mut Bound) -> Result<Ready> {
    let stdout = process.child().stdout.take().context("the control plane has no output")?;
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line).context("reading what the control plane says")?;
    if line.is_empty() {
        let status = process.stop(STOP_GRACE)?;
        bail!("it ended ({status}) before it was ready");
    }
    serde_json::from_str(&line).with_context(|| format!("the control plane says {line:?}, which is not what is expected"))
}

/// Makes a directory for this run, and removes those of runs that are over. They lie under the target
/// directory, so that the logs of a test run are still there after it.
fn run_directory() -> Result<(TempDir, File)> {
    // Also keeps others from tidying between the two steps of making a directory and marking it.
    let _lock = go_program::lock()?;
    let folder = go_program::folder();
    remove_leftovers(&folder);
    let directory = tempfile::Builder::new()
        .prefix(RUN_PREFIX)
        .tempdir_in(&folder)
        .with_context(|| format!("making a directory in {}", folder.display()))?;
    let path = directory.path().join("in-use");
    let in_use = File::create(&path).with_context(|| format!("creating {}", path.display()))?;
    in_use.lock().with_context(|| format!("locking {}", path.display()))?;
    Ok((directory, in_use))
}

/// A run that is over has let go of its lock, however it ended.
fn remove_leftovers(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let over = || File::open(entry.path().join("in-use")).is_ok_and(|file| file.try_lock().is_ok());
        if entry.file_name().to_string_lossy().starts_with(RUN_PREFIX) && over() {
            // What cannot be removed now is tried again by the next run.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
