//! Asking whoever is at the terminal.

use std::io::{IsTerminal, Write, stdin, stdout};

use anyhow::bail;

/// Asks whoever is at the terminal; where nobody is, `instead` says how to go on without.
pub fn confirmed(question: &str, instead: &str) -> anyhow::Result<bool> {
    if !stdin().is_terminal() {
        bail!("the standard input is not a terminal, so nobody can confirm this; review it, then add {instead}");
    }
    print!("{question} Type yes to confirm: ");
    stdout().flush()?;
    let mut answer = String::new();
    stdin().read_line(&mut answer)?;
    Ok(answer.trim() == "yes")
}
