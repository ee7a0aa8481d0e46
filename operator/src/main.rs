//! The `govcloud` program.

use mimalloc::MiMalloc;

/// With the C library's allocator, a third of the operator's processor time went into allocations.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> std::process::ExitCode {
    match govcloud::cli::Cli::of_command_line() {
        Ok(cli) => cli.execute(),
        Err(error) => error.exit(),
    }
}
