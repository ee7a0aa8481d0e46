//! The `govcloud` program.

use clap::Parser;

fn main() -> std::process::ExitCode {
    govcloud::cli::Cli::parse().execute()
}
