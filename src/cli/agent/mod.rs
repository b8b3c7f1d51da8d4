//! `railweave agent`: addresses for the CNI plugins of a node. `args` says what can be set, `process` puts the parts
//! together.

mod args;
mod process;

pub(super) use args::AgentArgs;

use super::{Exit, Failure};

impl AgentArgs {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Failure::Runtime)?;
        runtime.block_on(process::run(self))?;
        Ok(Exit::Success)
    }
}
