use std::net::Ipv6Addr;

/// Length of an IPv6 header.
const HEADER: usize = 40;
const ICMPV6: u8 = 58;
const SOLICITATION: u8 = 135;
const ADVERTISEMENT: u8 = 136;
const SOURCE_LINK_ADDRESS: u8 = 1;
const TARGET_LINK_ADDRESS: u8 = 2;
/// The advertised address replaces what others have in their caches.
const OVERRIDE: u8 = 0x20;
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

/// Asks who has an address (RFC 4861, 4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Solicitation<'a> {
    /// Who asks; unspecified in a probe for duplicates (RFC 4862, 5.4.2).
    pub source: Ipv6Addr,
    /// Who is asked for.
    pub target: Ipv6Addr,
    /// Our hardware address; a probe does not tell it.
    pub own: &'a [u8],
}

impl Solicitation<'_> {
    /// Who is asked: the solicited-node group of the target (RFC 4291, 2.7.1).
    #[must_use]
    pub fn group(&self) -> Ipv6Addr {
        let [.., a, b, c] = self.target.octets();
        Ipv6Addr::from([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, a, b, c])
    }

    /// The IPv6 packet.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut message = vec![SOLICITATION, 0, 0, 0, 0, 0, 0, 0];
        message.extend(self.target.octets());
        if !self.source.is_unspecified() {
            message.extend(link_address(SOURCE_LINK_ADDRESS, self.own));
        }
        packet(self.source, self.group(), message)
    }
}

/// Says who has an address (RFC 4861, 4.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advertisement {
    /// The address.
    pub target: Ipv6Addr,
    /// Who has it, if it says so.
    pub hardware: Option<Vec<u8>>,
}

impl Advertisement {
    /// Who is told: everybody.
    pub const GROUP: Ipv6Addr = ALL_NODES;

    /// The IPv6 packet, unsolicited: those who know another hardware address for the target forget it.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut message = vec![ADVERTISEMENT, 0, 0, 0, OVERRIDE, 0, 0, 0];
        message.extend(self.target.octets());
        if let Some(hardware) = &self.hardware {
            message.extend(link_address(TARGET_LINK_ADDRESS, hardware));
        }
        packet(self.target, Self::GROUP, message)
    }

    /// From an IPv6 packet; none if it is anything else, or came by a router (RFC 4861, 7.1.2).
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let header = bytes.get(..HEADER)?;
        if header[0] >> 4 != 6 || header[6] != ICMPV6 || header[7] != 255 {
            return None;
        }
        let length = usize::from(u16::from_be_bytes([header[4], header[5]]));
        let message = bytes.get(HEADER..HEADER + length)?;
        if *message.first()? != ADVERTISEMENT {
            return None;
        }
        let target = <[u8; 16]>::try_from(message.get(8..24)?).ok()?;
        Some(Self { target: target.into(), hardware: hardware(&message[24..]) })
    }
}

/// The option with the target's hardware address.
fn hardware(mut options: &[u8]) -> Option<Vec<u8>> {
    loop {
        let length = usize::from(*options.get(1)?) * 8;
        let (option, rest) = options.split_at_checked(length)?;
        match *option.first()? {
            // 20 bytes of address make 24 with the two that pad them (RFC 4391, 9.3).
            TARGET_LINK_ADDRESS if length == 24 => return Some(option[4..].to_vec()),
            TARGET_LINK_ADDRESS => return Some(option.get(2..8)?.to_vec()),
            _ => options = rest,
        }
    }
}

fn link_address(kind: u8, address: &[u8]) -> Vec<u8> {
    let padding = if address.len() == 20 { &[0, 0][..] } else { &[] };
    let length = (2 + padding.len() + address.len()).div_ceil(8);
    // 1 or 3.
    let head = [kind, u8::try_from(length).unwrap_or_default()];
    [&head[..], padding, address].concat()
}

fn packet(source: Ipv6Addr, destination: Ipv6Addr, mut message: Vec<u8>) -> Vec<u8> {
    // At most 48.
    let length = u16::try_from(message.len()).unwrap_or_default();
    let addresses = [source.octets(), destination.octets()].concat();
    let checksum = checksum(&[&addresses, &[0, 0], &length.to_be_bytes(), &[0, 0, 0, ICMPV6], &message]);
    message[2..4].copy_from_slice(&checksum.to_be_bytes());
    let mut bytes = vec![0x60, 0, 0, 0];
    bytes.extend(length.to_be_bytes());
    // Only what was never forwarded still has 255 hops left.
    bytes.extend([ICMPV6, 255]);
    bytes.extend(addresses);
    bytes.extend(message);
    bytes
}

/// Of the Internet (RFC 1071), over parts of even length.
fn checksum(parts: &[&[u8]]) -> u16 {
    let pairs = parts.iter().flat_map(|part| part.chunks_exact(2));
    let mut sum: u32 = pairs.map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or_default()
}
