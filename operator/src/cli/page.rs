//! What `plan` prints, and what it amounts to.

use std::process::ExitCode;

use super::output::say;

/// Lines, and whether they tell of a difference or a refusal.
#[derive(Default)]
pub(super) struct Page {
    pub(super) lines: Vec<String>,
    pub(super) differs: bool,
    pub(super) refused: bool,
}

impl Page {
    /// A headline with what belongs to it, where there is anything.
    pub(super) fn section(&mut self, headline: &str, lines: Vec<String>) {
        if !lines.is_empty() {
            self.lines.push(format!("  {headline}:"));
            self.lines.extend(lines.into_iter().map(|line| format!("    {line}")));
        }
    }

    /// Prints it. The exit code is that of `kubectl diff`.
    pub(super) fn print(&self) -> anyhow::Result<ExitCode> {
        if !self.lines.is_empty() {
            say(self.lines.join("\n"))?;
        }
        Ok(ExitCode::from(match (self.refused, self.differs) {
            (true, _) => 2,
            (false, true) => 1,
            (false, false) => 0,
        }))
    }
}
