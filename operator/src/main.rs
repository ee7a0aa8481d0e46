//! The `govcloud` program.

use clap::Parser;

/// Decoding is mostly allocating; this one is quicker at it than the system's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> anyhow::Result<()> {
    govcloud::cli::Cli::parse().execute()
}
