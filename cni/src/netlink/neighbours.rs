use std::net::IpAddr;

use super::addresses::{address, family, octets, unless_absent};
use super::codec::{Attributes, Message, NLM_F_CREATE, NLM_F_REPLACE, u16_at, u32_at};
use super::{NetlinkError, Socket};

const RTM_NEWNEIGH: u16 = 28;
const RTM_DELNEIGH: u16 = 29;
const RTM_GETNEIGH: u16 = 30;
/// Length of `struct ndmsg`.
const HEADER: usize = 12;
const NDA_DST: u16 = 1;
const NDA_LLADDR: u16 = 2;
const NDA_IFINDEX: u16 = 8;
const NUD_PERMANENT: u16 = 0x80;

/// Who has an address on a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// Number of the interface.
    pub link: u32,
    /// The address.
    pub address: IpAddr,
    /// Its hardware address; empty while it is asked for.
    pub hardware: Vec<u8>,
    /// Set by hand, and never asked for.
    pub permanent: bool,
}

impl Socket {
    /// All neighbours that the namespace knows.
    pub fn neighbours(&mut self) -> Result<Vec<Neighbour>, NetlinkError> {
        self.ask(&list_neighbours(), "list neighbours", read)
    }

    /// The neighbours on one link. Kernels before 4.20 send all of them to choose from.
    pub fn neighbours_of(&mut self, link: u32) -> Result<Vec<Neighbour>, NetlinkError> {
        let message = list_neighbours().u32(NDA_IFINDEX, link);
        let found = self.ask(&message, format_args!("list neighbours of link {link}"), read)?;
        Ok(found.into_iter().filter(|neighbour| neighbour.link == link).collect())
    }

    /// Sets a neighbour for ever. What was known of the address is replaced.
    pub fn set_neighbour(&mut self, link: u32, address: IpAddr, hardware: &[u8]) -> Result<(), NetlinkError> {
        let doing = format_args!("set the neighbour {address} of link {link}");
        self.act(set_neighbour(link, address, hardware), doing)
    }

    /// Forgets a neighbour; true if there was one.
    pub fn delete_neighbour(&mut self, link: u32, address: IpAddr) -> Result<bool, NetlinkError> {
        let doing = format_args!("delete the neighbour {address} of link {link}");
        unless_absent(self.act(change(RTM_DELNEIGH, 0, link, address), doing))
    }
}

pub(super) fn list_neighbours() -> Message {
    Message::dump(RTM_GETNEIGH).raw(&[0; HEADER])
}

pub(super) fn set_neighbour(link: u32, address: IpAddr, hardware: &[u8]) -> Message {
    change(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, link, address).bytes(NDA_LLADDR, hardware)
}

fn change(kind: u16, flags: u16, link: u32, address: IpAddr) -> Message {
    // Family, padding; number; state, flags, type.
    let header =
        [&[family(address), 0, 0, 0][..], &link.to_ne_bytes(), &NUD_PERMANENT.to_ne_bytes(), &[0, 0]]
            .concat();
    Message::act(kind, flags).raw(&header).bytes(NDA_DST, &octets(address))
}

pub(super) fn read(body: &[u8]) -> Option<Neighbour> {
    let (link, state) = (u32_at(body, 4)?, u16_at(body, 8)?);
    let (mut at, mut hardware) = (None, Vec::new());
    for (number, payload) in Attributes::after(HEADER, body) {
        match number {
            NDA_DST => at = address(payload),
            NDA_LLADDR => hardware = payload.to_vec(),
            _ => {}
        }
    }
    Some(Neighbour { link, address: at?, hardware, permanent: state & NUD_PERMANENT != 0 })
}
