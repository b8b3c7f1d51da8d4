/// `NLM_F_REQUEST`
const REQUEST: u16 = 0x1;
/// `NLM_F_ACK`
const ACK: u16 = 0x4;
/// `NLM_F_DUMP`
const DUMP: u16 = 0x300;
/// What is there is replaced.
pub(super) const NLM_F_REPLACE: u16 = 0x100;
/// What is there is an error (`EEXIST`).
pub(super) const NLM_F_EXCL: u16 = 0x200;
/// What is made comes after what is there.
pub(super) const NLM_F_APPEND: u16 = 0x800;
/// What is not there is made.
pub(super) const NLM_F_CREATE: u16 = 0x400;
/// Length of `struct nlmsghdr`.
pub(super) const HEADER: usize = 16;
/// `NLA_F_NESTED` and `NLA_F_NET_BYTEORDER` are no part of an attribute's number.
const NUMBER: u16 = 0x3fff;

/// A request to the kernel: `struct nlmsghdr`, a header of its family, attributes.
///
/// Numbers are in the machine's order of bytes, as the kernel reads them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    bytes: Vec<u8>,
}

impl Message {
    /// A request that the kernel acknowledges, or answers and acknowledges.
    #[must_use]
    pub fn act(kind: u16, flags: u16) -> Self {
        Self::new(kind, REQUEST | ACK | flags)
    }

    /// A request for a list.
    #[must_use]
    pub fn dump(kind: u16) -> Self {
        Self::new(kind, REQUEST | DUMP)
    }

    /// A request among others that are sent together, which is not acknowledged.
    pub(super) fn part(kind: u16, flags: u16) -> Self {
        Self::new(kind, REQUEST | flags)
    }

    fn new(kind: u16, flags: u16) -> Self {
        let mut bytes = vec![0; HEADER];
        bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
        bytes[6..8].copy_from_slice(&flags.to_ne_bytes());
        Self { bytes }
    }

    /// Adds raw bytes, as the header of the family.
    #[must_use]
    pub fn raw(mut self, bytes: &[u8]) -> Self {
        self.bytes.extend_from_slice(bytes);
        self
    }

    /// Adds an attribute.
    #[must_use]
    pub fn bytes(self, number: u16, payload: &[u8]) -> Self {
        self.nested(number, |message| message.raw(payload))
    }

    /// Adds an attribute of one byte.
    #[must_use]
    pub fn u8(self, number: u16, value: u8) -> Self {
        self.bytes(number, &[value])
    }

    /// Adds an attribute of four bytes.
    #[must_use]
    pub fn u32(self, number: u16, value: u32) -> Self {
        self.bytes(number, &value.to_ne_bytes())
    }

    /// Adds an attribute of four bytes in the order of the network, as netfilter wants them.
    pub(super) fn big_endian(self, number: u16, value: u32) -> Self {
        self.bytes(number, &value.to_be_bytes())
    }

    /// Adds a text with the zero that ends it.
    #[must_use]
    pub fn text(self, number: u16, value: &str) -> Self {
        self.nested(number, |message| message.raw(value.as_bytes()).raw(&[0]))
    }

    /// Adds an attribute that consists of what `inside` adds.
    #[must_use]
    pub fn nested(mut self, number: u16, inside: impl FnOnce(Self) -> Self) -> Self {
        let start = self.bytes.len();
        self = inside(self.raw(&[0; 4]));
        // An attribute is as long as a u16 can say; ours have a few hundred bytes.
        let length = u16::try_from(self.bytes.len() - start).unwrap_or(u16::MAX);
        self.bytes[start..start + 2].copy_from_slice(&length.to_ne_bytes());
        self.bytes[start + 2..start + 4].copy_from_slice(&number.to_ne_bytes());
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
        self
    }

    /// What goes over the socket, under a number that its replies will have.
    #[must_use]
    pub fn finish(mut self, sequence: u32) -> Vec<u8> {
        let length = u32::try_from(self.bytes.len()).unwrap_or(u32::MAX);
        self.bytes[..4].copy_from_slice(&length.to_ne_bytes());
        self.bytes[8..12].copy_from_slice(&sequence.to_ne_bytes());
        self.bytes
    }
}

/// Attributes of a reply: numbers, without flags, and payloads. Ends before what is cut off.
#[derive(Clone, Debug)]
pub struct Attributes<'a>(&'a [u8]);

impl<'a> Attributes<'a> {
    /// The attributes in `bytes`, which may be the payload of another attribute.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The attributes that follow a family's header of this length.
    #[must_use]
    pub fn after(header: usize, body: &'a [u8]) -> Self {
        Self(body.get(header..).unwrap_or_default())
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let length = usize::from(u16_at(self.0, 0)?);
        let number = u16_at(self.0, 2)? & NUMBER;
        let payload = self.0.get(4..length)?;
        self.0 = self.0.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((number, payload))
    }
}

/// Two bytes as a number; none past the end.
pub(super) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 2)?.try_into().ok().map(u16::from_ne_bytes)
}

/// Four bytes as a number; none past the end.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_ne_bytes)
}

/// Eight bytes as a number; none past the end.
pub(crate) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..at + 8)?.try_into().ok().map(u64::from_ne_bytes)
}

/// A text up to the zero that ends it.
pub(crate) fn text(payload: &[u8]) -> String {
    let end = payload.iter().position(|byte| *byte == 0).unwrap_or(payload.len());
    String::from_utf8_lossy(&payload[..end]).into_owned()
}
