use serde::{Deserialize, Serialize};

use crate::functions::{Function, Left, await_home};
use crate::kernel::{Change, Kernel, KernelError};
use crate::netlink::{Link, VfSetting};

use super::guid::Guid;

/// Who a function was before it was given another identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Identity {
    /// Of the device.
    pub(super) node: Guid,
    /// Of its port.
    pub(super) port: Guid,
    /// What it was given; none where that is not known.
    pub(super) given: Option<Guid>,
}

/// Tells the port, and has the driver read it.
pub(super) fn give(kernel: &mut dyn Kernel, function: &Function, guid: Guid) -> Result<(), KernelError> {
    tell(kernel, function, guid, guid)?;
    rebind(kernel, function)
}

fn tell(kernel: &mut dyn Kernel, function: &Function, node: Guid, of_port: Guid) -> Result<(), KernelError> {
    let Some(port) = &function.port else { return Ok(()) };
    // One that is refused does not keep the other from being tried.
    let told = [VfSetting::NodeGuid(node.0), VfSetting::PortGuid(of_port.0)].map(|setting| {
        kernel.make(Change::Function { port: port.ifindex, number: function.number, setting })
    });
    told.into_iter().collect()
}

/// A driver reads the identifier when it takes a function. One of user space does so when the guest starts.
fn rebind(kernel: &mut dyn Kernel, function: &Function) -> Result<(), KernelError> {
    let Some(driver) = function.driver.as_ref().filter(|_| !function.is_of_user_space()) else {
        return Ok(());
    };
    let address = function.address;
    kernel.make(Change::Unbind { function: address, driver: driver.clone() })?;
    kernel.make(Change::Bind { function: address, driver: driver.clone() })
}

impl Identity {
    /// Gives it back, and has the driver read it if it has read another.
    pub(super) fn restore(&self, kernel: &mut dyn Kernel, function: &Function, left: &mut Left) {
        let done = self.try_restore(kernel, function);
        left.note(done);
    }

    fn try_restore(&self, kernel: &mut dyn Kernel, function: &Function) -> Result<(), KernelError> {
        // A port takes ones for "none", and refuses zero.
        let known = |guid: Guid| if guid.0 == 0 { Guid::NONE } else { guid };
        let (node, port) = (known(self.node), known(self.port));
        let seen = function.seen(kernel)?.and_then(|seen| seen.guids);
        let is_told = seen == Some((node.0, port.0)) || seen == Some((self.node.0, self.port.0));
        if !is_told {
            tell(kernel, function, node, port)?;
        }
        let read = function.link(kernel)?.and_then(|link| Guid::of_interface(&link.address));
        let is_read = read.is_none_or(|read| read == self.port || (is_told && Some(read) != self.given));
        if is_read { Ok(()) } else { rebind(kernel, function) }
    }
}

/// The interface that the driver makes, or made anew.
pub(super) fn interface(kernel: &mut dyn Kernel, function: &Function) -> Result<Option<Link>, KernelError> {
    for _ in 0..10 {
        if let Some(link) = await_home(kernel, function.address)? {
            return Ok(Some(link));
        }
    }
    Ok(None)
}
