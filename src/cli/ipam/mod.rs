//! `railweave ipam`: questions about the records of a cluster.

mod audit;
mod mend;

use clap::{Args, Subcommand};

use super::console::Console;
use super::failure::{Exit, Failure};

/// Looks after the records of addresses
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  railweave ipam audit
  railweave ipam audit --fix")]
pub(super) struct Ipam {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Audit(audit::Audit),
}

impl Ipam {
    /// Runs the verb.
    pub(super) fn run(self, console: &mut Console) -> Result<Exit, Failure> {
        let What::Audit(audit) = self.what;
        audit.run(console)
    }
}
