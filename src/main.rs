//! The `railweave` binary.

use std::process::ExitCode;

use clap::Parser as _;
use railweave::admission::tls;
use railweave::cli::{Cli, Failure};

#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    tls::install_provider();
    let cli = Cli::parse();
    let done = cli.start_logging().and_then(|()| cli.run());
    done.map_or_else(|failure: Failure| failure.report(), ExitCode::from)
}
