//! ARP and IPv6 neighbour discovery, sent from and received at one interface of a pod.
//!
//! [`Port`] is that interface; [`Arp`], [`Solicitation`] and [`Advertisement`] are the bytes. Ethernet and `InfiniBand`
//! differ in their addresses (6 and 20 bytes) and in what stands before a packet; both are known here and nowhere else.
//! Called by the IPAM plugin, to look for other holders of an address and to tell everybody who has it now.

mod address;
mod arp;
mod frame;
mod neighbour_discovery;
mod port;
#[cfg(test)]
mod tests;

pub use arp::Arp;
pub use frame::Packet;
pub use neighbour_discovery::{Advertisement, Solicitation};
pub use port::{Port, PortError};

/// A hardware address as people write it.
#[must_use]
pub fn hardware_text(address: &[u8]) -> String {
    address.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":")
}
