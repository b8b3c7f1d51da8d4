//! `railweave controller`: admission in a cluster, and the leader's loops. `args` says what can be set,
//! `process` puts the parts together.

mod allocation;
mod args;
mod process;

pub(super) use args::ControllerArgs;

use super::runtime::runtime;
use super::{Exit, Failure};

impl ControllerArgs {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        runtime()?.block_on(process::run(self))?;
        Ok(Exit::Success)
    }
}
