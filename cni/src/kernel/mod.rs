//! What the plugins that move devices ask of the kernel, and every change that they have it make.
//!
//! [`Kernel`] has two implementations: [`Machine`], the kernel of this machine, and for tests a recorder, which keeps ports,
//! namespaces and devices in memory, fails where it is told to, and forgets nothing. A [`Change`] is a value, so whatever
//! a plugin does to a node is one list in a test. [`Place`] is a network namespace, held open. Read [`Change`] first.

mod change;
mod error;
mod machine;
#[cfg(test)]
pub(crate) mod recorder;

use std::path::Path;
use std::time::Duration;

pub use change::Change;
pub use error::KernelError;
pub use machine::Machine;

use crate::netlink::{InterfaceAddress, Link, Route, VirtualFunction};
use crate::rdma::{CharDevice, Mode, RdmaDevice};
use crate::sysfs::Sysfs;

/// A network namespace that a [`Kernel`] has opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place(usize);

impl Place {
    /// The namespace of this process.
    pub const HOST: Self = Self(0);
}

/// A kernel.
pub trait Kernel {
    /// Its devices, as the host sees them.
    fn sysfs(&self) -> &Sysfs;
    /// Opens a pod's namespace, and tells its number; none if it is gone.
    fn open(&mut self, netns: &Path) -> Result<Option<(Place, u64)>, KernelError>;
    /// All links of a namespace.
    fn links(&mut self, at: Place) -> Result<Vec<Link>, KernelError>;
    /// The link of this number.
    fn link(&mut self, at: Place, index: u32) -> Result<Option<Link>, KernelError>;
    /// The link that has this name, or has it besides.
    fn link_named(&mut self, at: Place, name: &str) -> Result<Option<Link>, KernelError>;
    /// Addresses of a namespace.
    fn addresses(&mut self, at: Place) -> Result<Vec<InterfaceAddress>, KernelError>;
    /// Routes of a namespace.
    fn routes(&mut self, at: Place) -> Result<Vec<Route>, KernelError>;
    /// What a port on the host says of its virtual functions.
    fn virtual_functions(&mut self, port: u32) -> Result<Vec<VirtualFunction>, KernelError>;
    /// Who sees RDMA devices.
    fn rdma_mode(&mut self) -> Result<Mode, KernelError>;
    /// The RDMA devices of a namespace; none without RDMA.
    fn rdma_devices(&mut self, at: Place) -> Result<Vec<RdmaDevice>, KernelError>;
    /// The character devices of an RDMA device.
    fn char_devices(&mut self, at: Place, device: &RdmaDevice) -> Result<Vec<CharDevice>, KernelError>;
    /// Has something changed.
    fn make(&mut self, change: Change) -> Result<(), KernelError>;
    /// Lets time pass, for drivers and for `udev`.
    fn wait(&mut self, time: Duration);
}
