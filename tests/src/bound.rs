//! A process that ends with this one, however this one ends: it watches its stdin, whose other end is
//! held here and is closed by the kernel at the latest.

use std::ffi::OsStr;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// Runs "$@" until it ends or stdin is closed, then passes SIGTERM on. For clusters of the user's own,
/// where the Go program with its `with-parent` may not be there.
const SHELL_GUARD: &str = r#"
exec 3<&0
"$@" </dev/null 3<&- & child=$!
(cat <&3 >/dev/null; kill -TERM $child 2>/dev/null) & watcher=$!
exec 3<&-
wait $child; status=$?
kill $watcher 2>/dev/null
exit $status
"#;

/// A command for `program` that ends when stdin is closed.
pub fn with_parent(controlplane: Option<&Path>, program: &Path) -> Command {
    if let Some(controlplane) = controlplane {
        let mut command = Command::new(controlplane);
        command.arg("with-parent").arg(program);
        return command;
    }
    let mut command = Command::new("sh");
    command.args([OsStr::new("-c"), OsStr::new(SHELL_GUARD), OsStr::new("with-parent"), program.as_os_str()]);
    command
}

/// A started process that watches its stdin.
pub struct Bound {
    child: Child,
    stdin: Option<ChildStdin>,
}

impl Bound {
    /// Starts it in a process group of its own: a Ctrl-C is for this program, which stops things in order.
    pub fn start(command: &mut Command) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::piped())
            .process_group(0)
            .spawn()
            .with_context(|| format!("starting {}", command.get_program().display()))?;
        let stdin = child.stdin.take();
        Ok(Self { child, stdin })
    }

    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// How it ended, when it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Asks it to end and waits for that; kills it when it takes longer than `grace`.
    pub fn stop(&mut self, grace: Duration) -> Result<ExitStatus> {
        drop(self.stdin.take());
        let deadline = Instant::now() + grace;
        while Instant::now() < deadline {
            if let Some(status) = self.ended() {
                return Ok(status);
            }
            thread::sleep(Duration::from_millis(10));
        }
        self.kill()
    }

    /// Ends it at once, as a crash would.
    pub fn kill(&mut self) -> Result<ExitStatus> {
        self.child.kill().context("killing a process")?;
        self.child.wait().context("waiting for a process that was killed")
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        // Nobody is left to tell about a failure.
        let _ = self.stop(Duration::from_secs(12));
    }
}
