use std::net::Ipv4Addr;

/// `ARPHRD_ETHER` and `ARPHRD_INFINIBAND`, the only ones that we send by.
const ETHERNET: u16 = 1;
const INFINIBAND: u16 = 32;
const IPV4: u16 = 0x0800;
const REQUEST: u16 = 1;

/// An ARP packet (RFC 826; with addresses of 20 bytes on `InfiniBand`, RFC 4391).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arp {
    /// Whether it asks; otherwise it answers.
    pub request: bool,
    /// Hardware address and address of who sends it.
    pub sender: (Vec<u8>, Ipv4Addr),
    /// Whom it asks for, or whom it answers. The hardware address of a request means nothing.
    pub target: (Vec<u8>, Ipv4Addr),
}

impl Arp {
    /// Asks who has `address`, without saying that we do, so that nobody learns it from us (RFC 5227, 2.1.1).
    #[must_use]
    pub fn probe(own: &[u8], address: Ipv4Addr) -> Self {
        Self::ask(own, Ipv4Addr::UNSPECIFIED, address)
    }

    /// Asks who has `sought`, as the holder of `address`.
    #[must_use]
    pub fn ask(own: &[u8], address: Ipv4Addr, sought: Ipv4Addr) -> Self {
        Self { request: true, sender: (own.to_vec(), address), target: (vec![0; own.len()], sought) }
    }

    /// Tells everybody that we have `address` (RFC 5227, 2.3).
    #[must_use]
    pub fn announcement(own: &[u8], address: Ipv4Addr) -> Self {
        Self::ask(own, address, address)
    }

    /// The bytes after the header of the link.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let length = self.sender.0.len();
        let hardware = if length == 6 { ETHERNET } else { INFINIBAND };
        let operation = if self.request { REQUEST } else { 2 };
        let mut bytes = Vec::with_capacity(16 + 2 * length);
        bytes.extend(hardware.to_be_bytes());
        bytes.extend(IPV4.to_be_bytes());
        // Neither is longer than 20.
        bytes.extend([u8::try_from(length).unwrap_or_default(), 4]);
        bytes.extend(u16::to_be_bytes(operation));
        for (hardware, address) in [&self.sender, &self.target] {
            bytes.extend(hardware);
            bytes.extend(address.octets());
        }
        bytes
    }

    /// From the bytes after the header of the link; none if it is no ARP for IPv4. What pads a frame is passed over.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let u16_at = |at: usize| Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?));
        let length = usize::from(*bytes.get(4)?);
        if u16_at(2)? != IPV4 || *bytes.get(5)? != 4 {
            return None;
        }
        let party = |at: usize| {
            let hardware = bytes.get(at..at + length)?.to_vec();
            let address = <[u8; 4]>::try_from(bytes.get(at + length..at + length + 4)?).ok()?;
            Some((hardware, Ipv4Addr::from(address)))
        };
        Some(Self { request: u16_at(6)? == REQUEST, sender: party(8)?, target: party(8 + length + 4)? })
    }
}
