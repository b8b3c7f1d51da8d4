//! What `/sys` says of NICs: ports, virtual functions, their interfaces and RDMA devices, found by PCI address.
//!
//! [`Sysfs`] has a root of its own choice, so tests read recorded trees and the agent reads the host's `/sys` from
//! within a container. Devices come and go while they are read: what is not there, or goes away between two reads, is
//! none, never an error. Nothing here writes.

mod functions;
mod net_device;
mod pci_address;
mod read;
#[cfg(test)]
mod tests;

pub use net_device::{LinkLayer, NetDevice};
pub use pci_address::{BadPciAddress, PciAddress};
pub use read::{Sysfs, SysfsError};
