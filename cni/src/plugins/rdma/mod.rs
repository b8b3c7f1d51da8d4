//! `rdma`: the RDMA device of a function goes into the pod with it, and is seen there and nowhere else.
//!
//! It stands in a chain after the plugin that moves the interface, and prints that plugin's result as it came. `device` finds
//! what is to be moved, `add` moves it, `restore` is the way back, `nodes` sees to it that the pod has the right files in
//! `/dev/infiniband`: their numbers change with a move. Called by `plugins`; `ib-sriov` uses `nodes` and `device` too.

mod add;
mod check;
mod device;
mod nodes;
mod restore;
#[cfg(test)]
mod tests;

use super::Plugin;
use crate::functions::Node;
use crate::kernel::Machine;
use crate::spec::{Answer, Call, CniError};
use crate::state::State;

pub(super) use add::move_in;
pub(super) use device::{Device, must_be_exclusive, only_one};
pub(super) use nodes::Nodes;
use restore::Before;
pub(super) use restore::RdmaBefore;

/// `rdma` as a program.
pub const PLUGIN: Plugin = Plugin { name: "rdma", add, del, check, status, gc };

fn add(call: &Call) -> Result<Answer, CniError> {
    let mut kernel = Machine::new()?;
    add::attach(&mut Node { state: State::default(), kernel: &mut kernel }, call)
}

fn del(call: &Call) -> Result<(), CniError> {
    let mut kernel = Machine::new()?;
    Node { state: State::default(), kernel: &mut kernel }.detach::<Before>(call)
}

fn check(call: &Call) -> Result<(), CniError> {
    let mut kernel = Machine::new()?;
    check::check(&mut Node { state: State::default(), kernel: &mut kernel }, call)
}

fn status(_call: &Call) -> Result<(), CniError> {
    check::is_ready(&State::default(), &mut Machine::new()?)
}

fn gc(call: &Call) -> Result<(), CniError> {
    let mut kernel = Machine::new()?;
    Node { state: State::default(), kernel: &mut kernel }.collect::<Before>(call)
}
