//! Interfaces of the host below those of pods: a bond of several, a VLAN on top of one.
//!
//! It stands first in a chain, makes what is missing, and hands on the result it was given. What it makes is shared by all
//! pods of the network and stays: DEL has nothing to do. Everything may be done twice and by several processes at once.
//! Read [`config`] for what is asked, [`host`] for what is done.

mod bond_options;
mod config;
mod host;
#[cfg(test)]
mod tests;

use super::Plugin;
use crate::netlink::{Protocol, Socket};
use crate::spec::{Answer, Call, CniError};
use crate::state::State;
use config::Wanted;

/// `ifacer`
pub const PLUGIN: Plugin = Plugin { name: "ifacer", add, del: nothing, check, status, gc: nothing };

/// Makes the interfaces that are not there.
pub fn add(call: &Call) -> Result<Answer, CniError> {
    let wanted = Wanted::of(call)?;
    let previous = call.previous()?.unwrap_or_default();
    if let Some(name) = wanted.top() {
        let _lock = State::default()
            .lock_device(&format!("ifacer-{}", wanted.base()))
            .map_err(|error| CniError::of(CniError::TRY_AGAIN, &error))?;
        host::make(&mut socket()?, &wanted)?;
        log::info!("{name} is there");
    }
    Ok(previous)
}

/// Whether the interfaces are what the configuration says.
pub fn check(call: &Call) -> Result<(), CniError> {
    host::check(&mut socket()?, &Wanted::of(call)?)
}

/// Whether the host has the interfaces that everything hangs on.
pub fn status(call: &Call) -> Result<(), CniError> {
    let wanted = Wanted::of(call)?;
    host::members(&mut socket()?, &wanted)
        .map(drop)
        .map_err(|error| CniError { code: CniError::UNAVAILABLE, ..error })
}

/// Interfaces of the host are shared by all pods of a network and stay.
pub fn nothing(_: &Call) -> Result<(), CniError> {
    Ok(())
}

fn socket() -> Result<Socket, CniError> {
    Socket::open(Protocol::Route).map_err(|error| CniError::kernel(&error))
}
