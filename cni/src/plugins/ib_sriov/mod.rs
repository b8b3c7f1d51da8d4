//! `ib-sriov`: a virtual function of an InfiniBand port becomes an interface of a pod, with its RDMA device.
//!
//! As `sriov`, with two things of its own. A function has an identifier (GUID) that its port decides and its driver reads when it
//! takes the function, so a new one means to take it from the driver and give it back (`identity`). And the kernel makes the
//! interface anew when the RDMA device moves, on the host, so that moves first and one plugin does both. `config` reads,
//! `add` attaches, `restore` is the way back. Called by `plugins` alone. Read [`add::attach`] first.

mod add;
mod check;
mod config;
mod guid;
mod identity;
mod restore;
#[cfg(test)]
mod tests;

use super::{Plugin, addressed, ipam};
use crate::functions::Node;
use crate::kernel::Machine;
use crate::spec::{Answer, Call, CniError};
use crate::state::State;

use restore::Before;

/// `ib-sriov` as a program.
pub const PLUGIN: Plugin = Plugin { name: "ib-sriov", add, del, check, status, gc };

fn add(call: &Call) -> Result<Answer, CniError> {
    let mut kernel = Machine::new()?;
    add::attach(&mut Node { state: State::default(), kernel: &mut kernel }, call)
}

fn del(call: &Call) -> Result<(), CniError> {
    let mut kernel = Machine::new()?;
    addressed::detach::<Before>(&mut Node { state: State::default(), kernel: &mut kernel }, call)
}

fn check(call: &Call) -> Result<(), CniError> {
    let mut kernel = Machine::new()?;
    check::check(&mut Node { state: State::default(), kernel: &mut kernel }, call)?;
    ipam::check(call)
}

fn status(call: &Call) -> Result<(), CniError> {
    check::is_ready(&State::default(), &mut Machine::new()?, call)?;
    ipam::status(call)
}

fn gc(call: &Call) -> Result<(), CniError> {
    let mut kernel = Machine::new()?;
    addressed::collect::<Before>(&mut Node { state: State::default(), kernel: &mut kernel }, call)
}
