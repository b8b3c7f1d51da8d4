use super::codec::{Attributes, Message, text, u16_at, u32_at};
use super::{NetlinkError, Socket};
use crate::sysfs::LinkLayer;

const RTM_GETLINK: u16 = 18;
/// Length of `struct ifinfomsg`.
pub(super) const HEADER: usize = 16;
pub(super) const IFLA_ADDRESS: u16 = 1;
const IFLA_BROADCAST: u16 = 2;
pub(super) const IFLA_IFNAME: u16 = 3;
pub(super) const IFLA_MTU: u16 = 4;
const IFLA_LINK: u16 = 5;
const IFLA_MASTER: u16 = 10;
pub(super) const IFLA_TXQLEN: u16 = 13;
pub(super) const IFLA_LINKINFO: u16 = 18;
pub(super) const IFLA_INFO_KIND: u16 = 1;
pub(super) const IFLA_PROP_LIST: u16 = 52;
pub(super) const IFLA_ALT_IFNAME: u16 = 53;
const IFNAMSIZ: usize = 16;
const IFLA_EXT_MASK: u16 = 29;
const IFLA_PARENT_DEV_NAME: u16 = 56;
/// A list with counters of every virtual function can outgrow what the kernel can send.
const RTEXT_FILTER_SKIP_STATS: u32 = 8;
pub(super) const IFF_UP: u32 = 1;
const IFF_LOWER_UP: u32 = 0x10000;

/// A network interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its number.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// What it is called besides; `udev` gives such names. No other link may have one of them as its name.
    pub other_names: Vec<String>,
    /// What it speaks.
    pub layer: LinkLayer,
    /// Turned on; says nothing about a carrier.
    pub up: bool,
    /// A wire or fabric is there, so what is sent can arrive (`IFF_LOWER_UP`).
    pub carrier: bool,
    /// Bytes.
    pub mtu: u32,
    /// Hardware address: 6 bytes on Ethernet, 20 on `InfiniBand`.
    pub address: Vec<u8>,
    /// Hardware address of everybody.
    pub broadcast: Vec<u8>,
    /// The device on a bus behind it, as `0000:86:00.2`; kernels before 5.14 do not tell.
    pub parent: Option<String>,
    /// What made it, as `veth` or `macvlan`; none of a physical one.
    pub kind: Option<String>,
    /// Number of the link that it hangs on, in whichever network namespace that is: of a `veth`, its other end.
    pub lower: Option<u32>,
    /// Number of the bridge, bond or VRF that it belongs to.
    pub master: Option<u32>,
    /// Length of its queue, in packets.
    pub queue_length: u32,
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
        other_names: Vec::new(),
        layer: LinkLayer::of(u16_at(body, 2)?),
        up: u32_at(body, 8)? & IFF_UP != 0,
        carrier: u32_at(body, 8)? & IFF_LOWER_UP != 0,
        mtu: 0,
        address: Vec::new(),
        broadcast: Vec::new(),
        parent: None,
        kind: None,
        lower: None,
        master: None,
        queue_length: 0,
    };
    for (number, payload) in Attributes::after(HEADER, body) {
        match number {
            IFLA_IFNAME => link.name = text(payload),
            IFLA_PROP_LIST => {
                let names = Attributes::new(payload).filter(|(number, _)| *number == IFLA_ALT_IFNAME);
                link.other_names = names.map(|(_, name)| text(name)).collect();
            }
            IFLA_MTU => link.mtu = u32_at(payload, 0)?,
            IFLA_ADDRESS => link.address = payload.to_vec(),
            IFLA_BROADCAST => link.broadcast = payload.to_vec(),
            IFLA_LINK => link.lower = u32_at(payload, 0),
            IFLA_MASTER => link.master = u32_at(payload, 0),
            IFLA_TXQLEN => link.queue_length = u32_at(payload, 0)?,
            IFLA_LINKINFO => link.kind = kind(payload),
            IFLA_PARENT_DEV_NAME => link.parent = Some(text(payload)),
            _ => {}
        }
    }
    Some(link)
}

fn kind(info: &[u8]) -> Option<String> {
    Attributes::new(info).find(|(number, _)| *number == IFLA_INFO_KIND).map(|(_, payload)| text(payload))
}
