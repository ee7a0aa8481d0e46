//! `cargo bench-cloud`: what the operator costs, beside a bare client that makes the same writes.

use std::{path::PathBuf, process::ExitCode};

use acceptance::bench::{self, Size};
use clap::Parser;

/// Sets agencies and their systems up on a real control plane, first with a bare client and then with the operator, and
/// measures both; then the operator's memory, its silence, a restart and the repair of drift. Takes about four minutes.
/// The last line is the result as JSON.
#[derive(Parser)]
#[command(name = "bench-cloud")]
struct Arguments {
    /// Number of agencies, 1 to 5000
    #[arg(long, value_name = "T", default_value_t = 25, value_parser = clap::value_parser!(u32).range(1..=5000))]
    tenants: u32,
    /// Number of hosted systems of each agency, 1 to 100
    #[arg(long, value_name = "S", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    systems: u32,
    /// Write a profile of the API server's processor time during the first 10 seconds of the operator's setup to this file, for
    /// `go tool pprof`
    #[arg(long, value_name = "FILE")]
    profile: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let Arguments { tenants, systems, profile } = Arguments::parse();
    match bench::run(Size { tenants, systems }, profile.as_deref()).await {
        Ok(result) => {
            println!("{}\n{}", result.table(), result.json());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
