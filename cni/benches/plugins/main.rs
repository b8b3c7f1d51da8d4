//! What the plugins cost on this machine, as processes: `make bench-cni`.
//!
//! Figures are medians with the quietest and the slowest tenth; what is compared is run in turns, so that both see the same machine.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a program for people that ends at the first surprise"
)]

mod addresses;
#[path = "../../tests/agent/mod.rs"]
mod agent;
mod coordinator;
#[path = "../../tests/kernel/namespace.rs"]
mod namespace;
#[path = "../../tests/kernel/rail.rs"]
mod rail;
mod start;

use std::path::{Path, PathBuf};
use std::time::Duration;

fn main() {
    let binary = std::env::var_os("RAILWEAVE_CNI").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/cni/railweave-cni"),
        PathBuf::from,
    );
    if !binary.exists() {
        println!("{} is not there; `make cni` builds it", binary.display());
        std::process::exit(1);
    }
    let folder = tempfile::tempdir().unwrap();
    let plugin = folder.path().join("spiderpool");
    std::fs::copy(&binary, &plugin).unwrap();
    println!("{} bytes", std::fs::metadata(&plugin).unwrap().len());
    start::run(&plugin, folder.path());
    addresses::run(&plugin, folder.path());
    coordinator::run(&binary);
}

/// Median, and the tenths at both ends.
struct Spread([Duration; 3]);

impl Spread {
    fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let at = |tenth: usize| times[times.len() * tenth / 10];
        Self([at(5), at(1), at(9)])
    }

    fn median(&self) -> Duration {
        self.0[0]
    }
}

impl std::fmt::Display for Spread {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [median, low, high] = self.0.map(|time| time.as_secs_f64() * 1e3);
        write!(formatter, "{median:.2} ms ({low:.2} to {high:.2})")
    }
}
