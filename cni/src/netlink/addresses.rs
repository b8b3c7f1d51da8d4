use std::net::IpAddr;

use ipnet::IpNet;

use super::codec::{Attributes, Message, u32_at};
use super::{NetlinkError, Socket};

const RTM_GETADDR: u16 = 22;
/// Length of `struct ifaddrmsg`.
const HEADER: usize = 8;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_FLAGS: u16 = 8;
const IFA_F_TEMPORARY: u32 = 0x01;

/// An address of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InterfaceAddress {
    /// Number of the interface.
    pub link: u32,
    /// The address itself, with the length of its prefix.
    pub address: IpNet,
    /// An IPv6 address for privacy, replaced every few hours. The kernel marks second IPv4 addresses of a subnet with the
    /// same bit; those are not meant.
    pub temporary: bool,
}

impl Socket {
    /// All addresses of the namespace.
    pub fn addresses(&mut self) -> Result<Vec<InterfaceAddress>, NetlinkError> {
        self.ask(&list_addresses(), "list addresses", read)
    }
}

pub(super) fn list_addresses() -> Message {
    Message::dump(RTM_GETADDR).raw(&[0; HEADER])
}

pub(super) fn read(body: &[u8]) -> Option<InterfaceAddress> {
    let (prefix, link) = (*body.get(1)?, u32_at(body, 4)?);
    let mut flags = u32::from(*body.get(2)?);
    let (mut peer, mut local) = (None, None);
    for (number, payload) in Attributes::after(HEADER, body) {
        match number {
            IFA_ADDRESS => peer = address(payload),
            IFA_LOCAL => local = address(payload),
            IFA_FLAGS => flags = u32_at(payload, 0)?,
            _ => {}
        }
    }
    // On point-to-point links the first is the other end.
    let address = IpNet::new(local.or(peer)?, prefix).ok()?;
    let temporary = flags & IFA_F_TEMPORARY != 0 && matches!(address, IpNet::V6(_));
    Some(InterfaceAddress { link, address, temporary })
}

/// The address in an attribute of 4 or 16 bytes.
pub(super) fn address(payload: &[u8]) -> Option<IpAddr> {
    match payload.len() {
        4 => <[u8; 4]>::try_from(payload).ok().map(IpAddr::from),
        16 => <[u8; 16]>::try_from(payload).ok().map(IpAddr::from),
        _ => None,
    }
}
