//! A virtual function on its way into a pod and home: what `sriov` and `ib-sriov` have in common, and `rdma` in part.
//!
//! [`Function`] is one as `/sys` shows it, found by its PCI address. [`Settings`] is what its port decides for it,
//! [`Interface`] its interface before anything was changed. Each of the two can be brought back from whatever became of it:
//! what differs is set, what is gone is left alone, and what cannot be set is told in [`Left`]. The plugins call this with
//! the lock of the function held.

mod addresses;
mod attachment;
mod hardware_address;
mod interface;
mod pod;
mod settings;
#[cfg(test)]
mod tests;

pub use addresses::{check_addresses, check_interface, set_addresses};
pub use attachment::{Before, Node, Site};
pub use hardware_address::{BadHardwareAddress, HardwareAddress};
pub use interface::{Interface, Whereabouts, await_home, take_address};
pub use pod::{pod_of, refuse_taken_name};
pub use settings::Settings;

use crate::kernel::{Kernel, KernelError, Place};
use crate::netlink::{Link, VirtualFunction};
use crate::spec::CniError;
use crate::sysfs::{NetDevice, PciAddress};

/// Drivers that give a function to user space or a virtual machine.
const USER_SPACE: [&str; 3] = ["vfio-pci", "uio_pci_generic", "igb_uio"];

/// A virtual function as it is now.
#[derive(Clone, Debug)]
pub struct Function {
    /// Where it is on the bus.
    pub address: PciAddress,
    /// Its number at its port.
    pub number: u32,
    /// The port's interface, by which it is set; none if the port has none on the host.
    pub port: Option<NetDevice>,
    /// The driver that it is bound to.
    pub driver: Option<String>,
}

impl Function {
    /// Finds one; none if there is no such virtual function, any more.
    pub fn find(kernel: &dyn Kernel, address: PciAddress) -> Result<Option<Self>, KernelError> {
        let sysfs = kernel.sysfs();
        let Some(port) = sysfs.physical_function(address)? else { return Ok(None) };
        // Numbers can have gaps, and lie above how many there are.
        let functions = sysfs.virtual_functions(port)?;
        let Some((number, _)) = functions.into_iter().find(|(_, function)| *function == address) else {
            return Ok(None);
        };
        let (port, driver) = (sysfs.net_device(port)?, sysfs.driver(address)?);
        Ok(Some(Self { address, number, port, driver }))
    }

    /// Whether it is given to user space or a virtual machine, and so has no interface.
    #[must_use]
    pub fn is_of_user_space(&self) -> bool {
        self.driver.as_deref().is_some_and(|driver| USER_SPACE.contains(&driver))
    }

    /// Its interface on the host; none while it is in a pod.
    pub fn link(&self, kernel: &mut dyn Kernel) -> Result<Option<Link>, KernelError> {
        link_at_home(kernel, self.address)
    }

    /// What its port says of it; none where the port cannot say, for the kernel's answer has room for some 220 functions.
    pub fn seen(&self, kernel: &mut dyn Kernel) -> Result<Option<VirtualFunction>, KernelError> {
        let Some(port) = &self.port else { return Ok(None) };
        match kernel.virtual_functions(port.ifindex) {
            Ok(functions) => Ok(functions.into_iter().find(|seen| seen.number == self.number)),
            Err(error) if error.errno() == Some(libc::EMSGSIZE) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// For messages: `0000:86:00.2 (number 0 of port eno3np2)`.
    #[must_use]
    pub fn describe(&self) -> String {
        let port = self.port.as_ref().map_or("without interface", |port| port.name.as_str());
        format!("{} (number {} of port {port})", self.address, self.number)
    }
}

fn link_at_home(kernel: &mut dyn Kernel, address: PciAddress) -> Result<Option<Link>, KernelError> {
    match kernel.sysfs().net_device(address)? {
        Some(device) => kernel.link(Place::HOST, device.ifindex),
        None => Ok(None),
    }
}

/// What could not be brought back, in words.
#[derive(Debug, Default)]
pub struct Left(Vec<String>);

impl Left {
    /// Notes an error, and goes on.
    pub fn note(&mut self, done: Result<(), KernelError>) {
        match done {
            Ok(()) => {}
            // Gone with its device, so there is nothing to bring back.
            Err(error) if error.is_absent() => log::debug!("{error}"),
            Err(error) => self.0.push(CniError::kernel(&error).msg),
        }
    }

    /// Whether everything is as it was.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.0.is_empty()
    }

    /// As an error that says of which device.
    fn error(&self, device: &str) -> CniError {
        let reasons = if self.0.is_empty() {
            "it is in a network namespace that something else holds open, or has no driver".to_owned()
        } else {
            self.0.join("; ")
        };
        CniError::new(
            CniError::TRY_AGAIN,
            format!("failed to bring device {device} back to how it was before the pod: {reasons}"),
        )
    }
}
