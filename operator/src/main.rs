//! The `govcloud` program.

use clap::Parser;

fn main() -> anyhow::Result<()> {
    govcloud::cli::Cli::parse().execute()
}
