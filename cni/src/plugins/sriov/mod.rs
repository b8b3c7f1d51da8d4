//! `sriov`: a virtual function of an Ethernet port becomes an interface of a pod.
//!
//! `config` reads and validates, `add` attaches, `restore` is the way back for everything that goes back: an ADD that
//! fails, DEL, GC, and the next ADD after a crash. Called by `plugins` alone. The order of changes stands in
//! [`add::attach`]; docs/cni.md shows it for people.

mod add;
mod check;
mod config;
mod restore;
#[cfg(test)]
mod tests;

use super::{Plugin, addressed, ipam};
use crate::functions::Node;
use crate::kernel::Machine;
use crate::spec::{Answer, Call, CniError};
use crate::state::State;

pub(super) use add::{no_interface, prepare};
pub(super) use config::link_state;
use restore::Before;

/// `sriov` as a program.
pub const PLUGIN: Plugin = Plugin { name: "sriov", add, del, check, status, gc };

fn add(call: &Call) -> Result<Answer, CniError> {
    let mut kernel = Machine::new()?;
    add::attach(&mut Node { state: State::default(), kernel: &mut kernel }, call)
}

fn del(call: &Call) -> Result<(), CniError> {
    let mut kernel = Machine::new()?;
    addressed::detach::<Before>(&mut Node { state: State::default(), kernel: &mut kernel }, call)
}

fn check(call: &Call) -> Result<(), CniError> {
    check::check(&mut Machine::new()?, call)?;
    ipam::check(call)
}

fn status(call: &Call) -> Result<(), CniError> {
    is_ready(&State::default())?;
    ipam::status(call)
}

fn gc(call: &Call) -> Result<(), CniError> {
    let mut kernel = Machine::new()?;
    addressed::collect::<Before>(&mut Node { state: State::default(), kernel: &mut kernel }, call)
}

fn is_ready(state: &State) -> Result<(), CniError> {
    state.is_writable().map_err(|error| CniError::of(CniError::UNAVAILABLE, &error))
}
