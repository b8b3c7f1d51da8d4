use super::codec::{Attributes, Message, text, u16_at, u32_at};
use super::{NetlinkError, Socket};
use crate::sysfs::LinkLayer;

const RTM_GETLINK: u16 = 18;
/// Length of `struct ifinfomsg`.
pub(super) const HEADER: usize = 16;
pub(super) const IFLA_ADDRESS: u16 = 1;
pub(super) const IFLA_IFNAME: u16 = 3;
pub(super) const IFLA_MTU: u16 = 4;
pub(super) const IFLA_ALT_IFNAME: u16 = 53;
const IFNAMSIZ: usize = 16;
const IFLA_EXT_MASK: u16 = 29;
const IFLA_PARENT_DEV_NAME: u16 = 56;
/// A list with counters of every virtual function can outgrow what the kernel can send.
const RTEXT_FILTER_SKIP_STATS: u32 = 8;
pub(super) const IFF_UP: u32 = 1;

/// A network interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its number.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// What it speaks.
    pub layer: LinkLayer,
    /// Turned on; says nothing about a carrier.
    pub up: bool,
    /// Bytes.
    pub mtu: u32,
    /// Hardware address: 6 bytes on Ethernet, 20 on `InfiniBand`.
    pub address: Vec<u8>,
    /// The device on a bus behind it, as `0000:86:00.2`; kernels before 5.14 do not tell.
    pub parent: Option<String>,
}

impl Socket {
    /// All links of the namespace.
    pub fn links(&mut self) -> Result<Vec<Link>, NetlinkError> {
        self.ask(&list_links(), "list links", read)
    }
}

/// One link with what else `filter` (`RTEXT_FILTER_*`) asks for.
pub(super) fn get(link: u32, filter: u32) -> Message {
    Message::act(RTM_GETLINK, 0)
        .raw(&super::change_links::header(link, 0, 0))
        .u32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS | filter)
}

pub(super) fn get_named(name: &str) -> Message {
    // First names are short; another name is found by either attribute if it is short as well.
    let attribute = if name.len() < IFNAMSIZ { IFLA_IFNAME } else { IFLA_ALT_IFNAME };
    Message::act(RTM_GETLINK, 0)
        .raw(&[0; HEADER])
        .u32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS)
        .text(attribute, name)
}

pub(super) fn list_links() -> Message {
    Message::dump(RTM_GETLINK).raw(&[0; HEADER]).u32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS)
}

pub(super) fn read(body: &[u8]) -> Option<Link> {
    let mut link = Link {
        index: u32_at(body, 4)?,
        name: String::new(),
        layer: LinkLayer::of(u16_at(body, 2)?),
        up: u32_at(body, 8)? & IFF_UP != 0,
        mtu: 0,
        address: Vec::new(),
        parent: None,
    };
    for (number, payload) in Attributes::after(HEADER, body) {
        match number {
            IFLA_IFNAME => link.name = text(payload),
            IFLA_MTU => link.mtu = u32_at(payload, 0)?,
            IFLA_ADDRESS => link.address = payload.to_vec(),
            IFLA_PARENT_DEV_NAME => link.parent = Some(text(payload)),
            _ => {}
        }
    }
    Some(link)
}
