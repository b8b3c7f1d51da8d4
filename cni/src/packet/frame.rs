use std::net::Ipv6Addr;

use super::{Advertisement, Arp, Solicitation};
use crate::sysfs::LinkLayer;

const ETHERTYPE_ARP: u16 = 0x0806;
const ETHERTYPE_IPV6: u16 = 0x86dd;
/// The receiver that the driver is told (`struct ipoib_pseudo_header`), ethertype, two reserved bytes.
const INFINIBAND_HEADER: usize = 24;
const ETHERNET_HEADER: usize = 14;

/// What is sent and received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packet {
    /// To everybody.
    Arp(Arp),
    /// From another.
    Advertisement(Advertisement),
}

/// What a frame is made from: the interface's kind and addresses.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sender<'a> {
    pub(super) layer: LinkLayer,
    pub(super) own: &'a [u8],
    pub(super) broadcast: &'a [u8],
}

impl Sender<'_> {
    pub(super) fn arp(&self, arp: &Arp) -> Vec<u8> {
        self.frame(self.broadcast, ETHERTYPE_ARP, &arp.to_bytes())
    }

    pub(super) fn solicitation(&self, solicitation: &Solicitation<'_>) -> Vec<u8> {
        self.frame(&self.of_group(solicitation.group()), ETHERTYPE_IPV6, &solicitation.to_bytes())
    }

    pub(super) fn advertisement(&self, advertisement: &Advertisement) -> Vec<u8> {
        self.frame(&self.of_group(Advertisement::GROUP), ETHERTYPE_IPV6, &advertisement.to_bytes())
    }

    fn frame(&self, to: &[u8], ethertype: u16, payload: &[u8]) -> Vec<u8> {
        let ethertype = ethertype.to_be_bytes();
        match self.layer {
            LinkLayer::Infiniband => [to, &ethertype, &[0, 0], payload].concat(),
            _ => [to, self.own, &ethertype, payload].concat(),
        }
    }

    /// The hardware address of a group: RFC 2464, 7, and for `InfiniBand` RFC 4391, 4, with scope and partition of the broadcast
    /// address.
    fn of_group(&self, group: Ipv6Addr) -> Vec<u8> {
        let octets = group.octets();
        match (self.layer, self.broadcast) {
            (LinkLayer::Infiniband, &[_, _, _, _, _, scope, _, _, high, low, ..]) => {
                let head = [0, 0xff, 0xff, 0xff, 0xff, 0x10 | (scope & 0x0f), 0x60, 0x1b, high, low];
                [&head[..], &octets[6..]].concat()
            }
            _ => [&[0x33, 0x33], &octets[12..]].concat(),
        }
    }
}

/// What is in a frame, if it is one of ours to read.
pub(super) fn parse(layer: LinkLayer, frame: &[u8]) -> Option<Packet> {
    let header = if layer == LinkLayer::Infiniband { INFINIBAND_HEADER } else { ETHERNET_HEADER };
    let at = if layer == LinkLayer::Infiniband { header - 4 } else { header - 2 };
    let ethertype = u16::from_be_bytes(frame.get(at..at + 2)?.try_into().ok()?);
    let payload = frame.get(header..)?;
    match ethertype {
        ETHERTYPE_ARP => Arp::parse(payload).map(Packet::Arp),
        ETHERTYPE_IPV6 => {
            let mut advertisement = Advertisement::parse(payload)?;
            // The sender is who has it where it does not say so; InfiniBand does not tell the sender.
            if advertisement.hardware.is_none() && layer != LinkLayer::Infiniband {
                advertisement.hardware = frame.get(6..12).map(<[u8]>::to_vec);
            }
            Some(Packet::Advertisement(advertisement))
        }
        _ => None,
    }
}
