//! The `govcloud` program.

use clap::Parser;
use mimalloc::MiMalloc;

/// With the C library's allocator, a third of the operator's processor time went into allocations.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> std::process::ExitCode {
    govcloud::cli::Cli::parse().execute()
}
