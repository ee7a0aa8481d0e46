//! Asking whoever is at the terminal.

use std::io::{IsTerminal, Write, stdin, stdout};

use anyhow::bail;

/// Asks whoever is at the terminal; where nobody is, `instead` says how to go on without.
pub fn confirmed(question: &str, instead: &str) -> anyhow::Result<bool> {
    typed(question, "yes", instead)
}

/// The same, to be answered by a certain word.
pub fn typed(question: &str, word: &str, instead: &str) -> anyhow::Result<bool> {
    if !stdin().is_terminal() {
        bail!("the standard input is not a terminal, so nobody can confirm this; review it, then add {instead}");
    }
    write!(stdout(), "{question} Type {word} to confirm: ")?;
    stdout().flush()?;
    let mut answer = String::new();
    stdin().read_line(&mut answer)?;
    Ok(answer.trim() == word)
}
