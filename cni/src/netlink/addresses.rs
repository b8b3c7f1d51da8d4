use std::net::IpAddr;

use ipnet::IpNet;

use super::codec::{Attributes, Message, NLM_F_CREATE, NLM_F_EXCL, u32_at};
use super::{NetlinkError, Socket};

const RTM_NEWADDR: u16 = 20;
const RTM_DELADDR: u16 = 21;
const RTM_GETADDR: u16 = 22;
/// Length of `struct ifaddrmsg`.
const HEADER: usize = 8;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_FLAGS: u16 = 8;
const IFA_F_TEMPORARY: u32 = 0x01;
const IFA_F_DADFAILED: u32 = 0x08;
const IFA_F_TENTATIVE: u32 = 0x40;
const RT_SCOPE_UNIVERSE: u8 = 0;

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

    /// Whether the kernel still looks for duplicates of a global IPv6 address of this link. Until it has finished, nothing may
    /// be sent from the address, and no route may name it as its source.
    pub fn is_settling(&mut self, link: u32) -> Result<bool, NetlinkError> {
        let meant = |body: &[u8]| u32_at(body, 4) == Some(link) && body.get(3) == Some(&RT_SCOPE_UNIVERSE);
        let settling = |body: &[u8]| meant(body).then(|| is_tentative(body));
        Ok(self.ask(&list_addresses(), "list addresses", settling)?.contains(&true))
    }

    /// Gives an interface an address. One that it has already stays as it is.
    pub fn add_address(&mut self, link: u32, address: IpNet) -> Result<(), NetlinkError> {
        let doing = format_args!("add address {address} to link {link}");
        match self.act(added(link, address), doing) {
            Err(error) if error.is_present() => Ok(()),
            added => added,
        }
    }

    /// Takes an address from an interface; true if it had it.
    pub fn delete_address(&mut self, link: u32, address: IpNet) -> Result<bool, NetlinkError> {
        let doing = format_args!("delete address {address} from link {link}");
        match self.act(change(RTM_DELADDR, 0, link, address), doing) {
            Err(error) if error.errno() == Some(libc::EADDRNOTAVAIL) => Ok(false),
            deleted => unless_absent(deleted),
        }
    }
}

pub(super) fn list_addresses() -> Message {
    Message::dump(RTM_GETADDR).raw(&[0; HEADER])
}

pub(super) fn added(link: u32, address: IpNet) -> Message {
    change(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, link, address)
}

fn change(kind: u16, flags: u16, link: u32, address: IpNet) -> Message {
    let local = octets(address.addr());
    let header = [&[family(address.addr()), address.prefix_len(), 0, 0][..], &link.to_ne_bytes()].concat();
    Message::act(kind, flags).raw(&header).bytes(IFA_LOCAL, &local).bytes(IFA_ADDRESS, &local)
}

pub(super) fn is_tentative(body: &[u8]) -> bool {
    let wide = Attributes::after(HEADER, body).find(|(number, _)| *number == IFA_FLAGS);
    let flags = wide.and_then(|(_, flags)| u32_at(flags, 0));
    let flags = flags.or_else(|| body.get(2).map(|flags| u32::from(*flags))).unwrap_or_default();
    flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED) == IFA_F_TENTATIVE
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

/// `AF_INET`, `AF_INET6`
pub(super) fn family(address: IpAddr) -> u8 {
    if address.is_ipv4() { 2 } else { 10 }
}

/// 4 or 16 bytes.
pub(super) fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

/// Whether something was there to be deleted.
pub(super) fn unless_absent(deleted: Result<(), NetlinkError>) -> Result<bool, NetlinkError> {
    match deleted {
        Ok(()) => Ok(true),
        Err(error) if error.is_absent() => Ok(false),
        Err(error) => Err(error),
    }
}

/// The address in an attribute of 4 or 16 bytes.
pub(super) fn address(payload: &[u8]) -> Option<IpAddr> {
    match payload.len() {
        4 => <[u8; 4]>::try_from(payload).ok().map(IpAddr::from),
        16 => <[u8; 16]>::try_from(payload).ok().map(IpAddr::from),
        _ => None,
    }
}
