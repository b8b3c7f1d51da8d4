//! The threads that run a process's tasks.

use std::num::NonZero;
use std::thread::available_parallelism;

use tokio::runtime::{Builder, Runtime};

use super::Failure;

/// tokio's own choice is a thread for each processor, and GPU nodes have hundreds of these. Each thread keeps free memory of
/// its own, and one that wakes up to find that another took the work costs CPU. A replica of a big cluster does less
/// than one processor's work; the others are there for bursts.
const MOST: usize = 4;

/// A runtime for a process or verb that needs the network.
pub(super) fn runtime() -> Result<Runtime, Failure> {
    let threads = available_parallelism().map_or(1, NonZero::get).min(MOST);
    Builder::new_multi_thread().worker_threads(threads).enable_all().build().map_err(Failure::Runtime)
}
