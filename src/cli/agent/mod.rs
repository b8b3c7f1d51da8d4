//! `railweave agent`: addresses for the CNI plugins of a node. `args` says what can be set, `process` puts the parts
//! together.

mod args;
mod process;

pub(super) use args::AgentArgs;

use super::runtime::runtime;
use super::{Exit, Failure};

impl AgentArgs {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        runtime()?.block_on(process::run(self))?;
        Ok(Exit::Success)
    }
}
