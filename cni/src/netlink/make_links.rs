use std::os::fd::{AsRawFd as _, BorrowedFd};

use super::change_links::header;
use super::codec::{Message, NLM_F_CREATE, NLM_F_EXCL};
use super::links::{HEADER, IFLA_ADDRESS, IFLA_IFNAME, IFLA_INFO_KIND, IFLA_LINKINFO, IFLA_MTU};
use super::{NetlinkError, Socket};

const RTM_NEWLINK: u16 = 16;
const IFLA_NET_NS_FD: u16 = 28;
const IFLA_INFO_DATA: u16 = 2;
const VETH_INFO_PEER: u16 = 1;

/// A pair of links that are wired to each other, off at first.
///
/// Both ends get their hardware addresses when they are made: left to itself, `systemd-udevd` changes the one on the
/// host later (`MACAddressPolicy=persistent`), and what was told of it by then is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VethPair {
    /// Name of the end in the socket's namespace, of less than 16 bytes.
    pub here: String,
    /// Its hardware address.
    pub here_address: [u8; 6],
    /// Name of the other end.
    pub there: String,
    /// Its hardware address.
    pub there_address: [u8; 6],
    /// The longest packet of both, in bytes.
    pub mtu: u32,
}

impl Socket {
    /// Makes a pair whose other end is in another network namespace from the beginning.
    pub fn add_veth(&mut self, pair: &VethPair, there: BorrowedFd<'_>) -> Result<(), NetlinkError> {
        let doing = format_args!("add the veth {} with the other end {}", pair.here, pair.there);
        self.act(add_veth(pair, there.as_raw_fd()), doing)
    }
}

pub(super) fn add_veth(pair: &VethPair, namespace: i32) -> Message {
    let end = |message: Message, name: &str, address: &[u8]| {
        message.text(IFLA_IFNAME, name).bytes(IFLA_ADDRESS, address).u32(IFLA_MTU, pair.mtu)
    };
    let peer = |data: Message| {
        data.nested(VETH_INFO_PEER, |peer| {
            end(peer.raw(&[0; HEADER]), &pair.there, &pair.there_address)
                .u32(IFLA_NET_NS_FD, namespace.cast_unsigned())
        })
    };
    let message = Message::act(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL).raw(&header(0, 0, 0));
    end(message, &pair.here, &pair.here_address)
        .nested(IFLA_LINKINFO, |info| info.text(IFLA_INFO_KIND, "veth").nested(IFLA_INFO_DATA, peer))
}
