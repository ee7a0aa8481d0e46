//! A cluster of one node with a container runtime, which a program of the user brings up and takes down.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use crate::ControlPlane;

const ASKED_EVERY: Duration = Duration::from_millis(200);

/// A node that is up.
pub struct Node {
    program: PathBuf,
    plane: ControlPlane,
}

impl Node {
    /// Brings a fresh cluster up.
    ///
    /// # Errors
    /// When the program fails, or prints no path of a kubeconfig.
    pub fn up(program: &Path) -> Result<Self> {
        let printed = finished(Command::new(program).arg("up"), None)?;
        let plane = ControlPlane::existing(Path::new(printed.lines().last().unwrap_or_default().trim()))
            .with_context(|| format!("`{} up` has to print the path of a kubeconfig at its end", program.display()))?;
        Ok(Self { program: program.to_owned(), plane })
    }

    /// The cluster's API server.
    pub fn plane(&self) -> &ControlPlane {
        &self.plane
    }

    /// Runs a command of the container runtime on the node; gives what it printed.
    pub fn ctr(&self, arguments: &[&str], stdin: Option<&[u8]>) -> Result<String> {
        let ctr = ["exec", "--", "ctr", "--namespace", "k8s.io"];
        finished(Command::new(&self.program).args(ctr).args(arguments), stdin)
    }

    /// Runs `kubectl` as the administrator; gives what it printed.
    pub fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        finished(self.plane.kubectl().args(arguments), None)
    }

    /// Applies the objects of a YAML text.
    pub fn apply(&self, objects: &str) -> Result<String> {
        finished(self.plane.kubectl().args(["apply", "-f", "-"]), Some(objects.as_bytes()))
    }

    /// The same as another user.
    pub fn apply_as(&self, user: &str, objects: &str) -> Result<String> {
        finished(self.plane.kubectl().args(["apply", "--as", user, "-f", "-"]), Some(objects.as_bytes()))
    }

    /// What `kubectl` says where it must not succeed.
    pub fn refused(&self, arguments: &[&str], stdin: &str) -> Result<String> {
        let output = run(self.plane.kubectl().args(arguments), Some(stdin.as_bytes()))?;
        if output.status.success() {
            bail!("kubectl {} succeeds, and has to fail: {}", arguments.join(" "), String::from_utf8_lossy(&output.stdout));
        }
        Ok(String::from_utf8_lossy(&output.stderr).trim().to_owned())
    }
}

/// Takes the cluster of a program down.
///
/// # Errors
/// When the program fails.
pub fn down(program: &Path) -> Result<()> {
    finished(Command::new(program).arg("down"), None).map(drop)
}

/// Asks until there is an answer.
///
/// # Errors
/// When there is none in time, or asking fails.
pub fn until<T>(what: &str, within: Duration, mut ask: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let began = Instant::now();
    loop {
        if let Some(answer) = ask()? {
            return Ok(answer);
        }
        if began.elapsed() > within {
            bail!("{what}: not within {} s", within.as_secs());
        }
        thread::sleep(ASKED_EVERY);
    }
}

fn finished(command: &mut Command, stdin: Option<&[u8]>) -> Result<String> {
    let output = run(command, stdin)?;
    let printed = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if !output.status.success() {
        bail!("{command:?} fails: {printed}{}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(printed)
}

fn run(command: &mut Command, stdin: Option<&[u8]>) -> Result<Output> {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.stdin(if stdin.is_some() { Stdio::piped() } else { Stdio::null() });
    let mut child = command.spawn().with_context(|| format!("starting {}", command.get_program().display()))?;
    thread::scope(|scope| {
        if let Some((mut pipe, bytes)) = child.stdin.take().zip(stdin) {
            // A program that does not read to the end says itself why.
            scope.spawn(move || pipe.write_all(bytes));
        }
        child.wait_with_output().with_context(|| format!("running {command:?}"))
    })
}
