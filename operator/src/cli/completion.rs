//! `govcloud completion`: what shells need to complete commands and flags, and what `kubectl` needs to complete those of the plugin.

use std::{env, ffi::OsString};

use clap::{Args, Command, ValueEnum};
use clap_complete::{Shell, engine, generate};

use super::output::say;

/// kubectl runs the program of this name on the PATH to complete `kubectl govcloud ...`.
const FOR_KUBECTL: &str =
    "#!/bin/sh\n# Save as kubectl_complete-govcloud, executable, in a folder on the PATH.\nexec kubectl govcloud __complete \"$@\"";
/// What ends an answer to kubectl: `ShellCompDirectiveNoFileComp` of its library, cobra.
const NO_FILES: &str = ":4";

#[derive(Args)]
#[command(after_help = "Examples:\n  \
    source <(govcloud completion bash)\n  \
    govcloud completion kubectl > ~/.local/bin/kubectl_complete-govcloud && chmod +x ~/.local/bin/kubectl_complete-govcloud\n\
    The second one makes kubectl's own completion know the plugin.")]
pub(super) struct Arguments {
    /// Shell, or kubectl.
    #[arg(value_enum)]
    whom: Whom,
}

#[derive(Clone, Copy, ValueEnum)]
enum Whom {
    Bash,
    Zsh,
    Fish,
    #[value(name = "powershell")]
    PowerShell,
    /// A script for kubectl, which completes plugins by a program of its own for each.
    Kubectl,
}

/// The words of a command line so far, the last of them unfinished.
#[derive(Args)]
pub(super) struct Words {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<OsString>,
}

pub(super) fn print(arguments: &Arguments, command: &mut Command) -> anyhow::Result<()> {
    let shell = match arguments.whom {
        Whom::Bash => Shell::Bash,
        Whom::Zsh => Shell::Zsh,
        Whom::Fish => Shell::Fish,
        Whom::PowerShell => Shell::PowerShell,
        Whom::Kubectl => return say(FOR_KUBECTL),
    };
    let mut script = Vec::new();
    generate(shell, command, "govcloud", &mut script);
    say(String::from_utf8_lossy(&script).trim_end())
}

/// Answers kubectl: a candidate a line, with a tab and what it means where that is known, and what the shell is to do besides.
pub(super) fn answer(words: &Words, command: &mut Command) -> anyhow::Result<()> {
    let line: Vec<OsString> = [OsString::from("govcloud")].into_iter().chain(words.words.iter().cloned()).collect();
    let last = line.len() - 1;
    let candidates = engine::complete(command, line, last.max(1), env::current_dir().ok().as_deref())?;
    let lines = candidates.iter().filter(|candidate| !candidate.is_hide_set()).map(|candidate| {
        let help = candidate.get_help().map(ToString::to_string).unwrap_or_default();
        let value = candidate.get_value().to_string_lossy();
        match help.lines().next() {
            Some(help) => format!("{value}\t{help}"),
            None => value.into_owned(),
        }
    });
    say(lines.chain([NO_FILES.to_owned()]).collect::<Vec<_>>().join("\n"))
}
