use std::fmt;
use std::str::FromStr;

/// Where a function sits on the PCI bus: `0000:86:00.2`. In order of the bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PciAddress {
    domain: u32,
    bus: u8,
    device: u8,
    function: u8,
}

/// A text that is no PCI address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no PCI address; write it like 0000:86:00.2")]
pub struct BadPciAddress(pub String);

impl FromStr for PciAddress {
    type Err = BadPciAddress;

    /// Domain of 4 to 8 digits, bus, device and function, all hexadecimal, in either case.
    fn from_str(text: &str) -> Result<Self, BadPciAddress> {
        parse(text).ok_or_else(|| BadPciAddress(text.to_owned()))
    }
}

fn parse(text: &str) -> Option<PciAddress> {
    let (domain, rest) = text.split_once(':')?;
    let (bus, rest) = rest.split_once(':')?;
    let (device, function) = rest.split_once('.')?;
    let address = PciAddress {
        domain: hexadecimal(domain, 4..=8)?,
        bus: u8::try_from(hexadecimal(bus, 2..=2)?).ok()?,
        device: u8::try_from(hexadecimal(device, 2..=2)?).ok()?,
        function: u8::try_from(hexadecimal(function, 1..=1)?).ok()?,
    };
    (address.device < 32 && address.function < 8).then_some(address)
}

fn hexadecimal(digits: &str, length: std::ops::RangeInclusive<usize>) -> Option<u32> {
    // `from_str_radix` would also take a sign.
    let plain = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    (plain && length.contains(&digits.len())).then(|| u32::from_str_radix(digits, 16).ok())?
}

impl fmt::Display for PciAddress {
    /// As the kernel writes it, in lower case.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { domain, bus, device, function } = self;
        write!(formatter, "{domain:04x}:{bus:02x}:{device:02x}.{function}")
    }
}
