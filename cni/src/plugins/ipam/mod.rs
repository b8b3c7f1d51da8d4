//! Addresses for an interface: from the node agent, or from another IPAM plugin.
//!
//! [`add`] and its siblings do what the `ipam` part of a configuration says: our own type runs right here, others are
//! run as programs by the rules of the CNI specification. `sriov` and `ib-sriov` call them, and [`announce`] once the interface
//! is up and has its addresses. [`PLUGIN`] is the same for main plugins of others, which run `spiderpool` as a
//! program. Read [`add`] first.

mod agent;
mod announce;
mod config;
mod detect;
mod foreign;
mod spiderpool;
#[cfg(test)]
mod tests;
mod trouble;

pub use announce::announce;

use super::Plugin;
use crate::spec::{Answer, Call, CniError};
use config::Kind;

/// `spiderpool` as a program of its own.
pub const PLUGIN: Plugin = Plugin {
    name: config::OURS,
    add: spiderpool::add_and_announce,
    del: spiderpool::del,
    check: spiderpool::check,
    status: spiderpool::status,
    gc: spiderpool::gc,
};

/// Addresses and routes for the interface; nothing where the configuration has no IPAM.
pub fn add(call: &Call) -> Result<Answer, CniError> {
    match Kind::of(call)? {
        Kind::None => Ok(Answer::default()),
        Kind::Ours => spiderpool::add(call),
        Kind::Foreign(name) => foreign::add(call, &name),
    }
}

/// Gives them back. Ours never fails: what cannot be told to the agent is found by the leader.
pub fn del(call: &Call) -> Result<(), CniError> {
    delegate(call, spiderpool::del)
}

/// Whether the interface still is entitled to the addresses of `prevResult`.
pub fn check(call: &Call) -> Result<(), CniError> {
    delegate(call, spiderpool::check)
}

/// Whether there would be addresses.
pub fn status(call: &Call) -> Result<(), CniError> {
    delegate(call, spiderpool::status)
}

/// Gives back what is of no valid attachment; ours leaves that to the leader, which knows which pods live.
pub fn gc(call: &Call) -> Result<(), CniError> {
    delegate(call, spiderpool::gc)
}

fn delegate(call: &Call, ours: fn(&Call) -> Result<(), CniError>) -> Result<(), CniError> {
    match Kind::of(call)? {
        Kind::None => Ok(()),
        Kind::Ours => ours(call),
        Kind::Foreign(name) => foreign::run(call, &name).map(drop),
    }
}
