use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use super::Family;

/// One address as a number of its family. IPv4 sorts before IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    pub(super) family: Family,
    pub(super) value: u128,
}

/// A text that is no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no IP address: {flaw}")]
pub struct AddressError {
    /// The text, shortened when long.
    pub text: String,
    /// What is wrong with it.
    pub flaw: AddressFlaw,
}

/// Why a text is no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressFlaw {
    /// Nothing there.
    #[error("it is empty")]
    Empty,
    /// Spaces, tabs or line ends.
    #[error("it has spaces in it")]
    Spaces,
    /// `10.0.0.1/24`
    #[error("it has a prefix length")]
    Prefix,
    /// `10.0.0.01`: octal to some programs, decimal to others.
    #[error("octet {0} has a leading zero")]
    LeadingZero(String),
    /// `10.0.0.256`
    #[error("octet {0} is greater than 255")]
    Octet(String),
    /// `fe80::1%eth0`
    #[error("it has a zone; an address of a pool belongs to no host interface")]
    Zone,
    /// `::ffff:10.0.0.1`: IPv6 to the eye, IPv4 to Go programs.
    #[error("it is an IPv4 address in IPv6 notation; write {0}")]
    Mapped(Ipv4Addr),
    /// Anything else.
    #[error("it is neither four octets nor groups of hexadecimal digits")]
    Unreadable,
}

impl Address {
    /// The address with this number, if the family has it.
    #[must_use]
    pub fn new(family: Family, value: u128) -> Option<Self> {
        (value <= family.greatest()).then_some(Self { family, value })
    }

    /// Its family.
    #[must_use]
    pub fn family(self) -> Family {
        self.family
    }

    /// The address as a number.
    #[must_use]
    pub fn value(self) -> u128 {
        self.value
    }

    /// The standard library's form.
    #[must_use]
    pub fn ip(self) -> IpAddr {
        match (self.family, u32::try_from(self.value)) {
            (Family::V4, Ok(value)) => Ipv4Addr::from_bits(value).into(),
            _ => Ipv6Addr::from_bits(self.value).into(),
        }
    }
}

impl From<IpAddr> for Address {
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self { family: Family::V4, value: address.to_bits().into() },
            IpAddr::V6(address) => Self { family: Family::V6, value: address.to_bits() },
        }
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let flaw = match text.parse::<IpAddr>() {
            Ok(IpAddr::V6(address)) => match address.to_ipv4_mapped() {
                Some(mapped) => AddressFlaw::Mapped(mapped),
                None => return Ok(IpAddr::V6(address).into()),
            },
            Ok(address) => return Ok(address.into()),
            Err(_) => diagnose(text),
        };
        Err(AddressError { text: shorten(text), flaw })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.ip().fmt(f)
    }
}

fn diagnose(text: &str) -> AddressFlaw {
    if text.is_empty() {
        return AddressFlaw::Empty;
    }
    if text.contains(char::is_whitespace) {
        return AddressFlaw::Spaces;
    }
    if text.contains('/') {
        return AddressFlaw::Prefix;
    }
    if text.contains('%') {
        return AddressFlaw::Zone;
    }
    let octets: Vec<&str> = text.split('.').collect();
    let numbers = octets.iter().all(|octet| (1..=3).contains(&octet.len()) && is_digits(octet));
    if octets.len() != 4 || !numbers {
        return AddressFlaw::Unreadable;
    }
    let leading_zero = octets.iter().find(|octet| octet.len() > 1 && octet.starts_with('0'));
    let too_great = octets.iter().find(|octet| octet.parse::<u8>().is_err());
    match (leading_zero, too_great) {
        (Some(octet), _) => AddressFlaw::LeadingZero((*octet).to_owned()),
        (None, Some(octet)) => AddressFlaw::Octet((*octet).to_owned()),
        (None, None) => AddressFlaw::Unreadable,
    }
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Error texts quote what was written, but not a whole document of it.
pub(super) fn shorten(text: &str) -> String {
    const LONGEST: usize = 60;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_what_go_reads() {
        for (text, family, value, canonical) in [
            ("0.0.0.0", Family::V4, 0, "0.0.0.0"),
            ("255.255.255.255", Family::V4, u128::from(u32::MAX), "255.255.255.255"),
            ("172.16.11.254", Family::V4, 0xac10_0bfe, "172.16.11.254"),
            ("::", Family::V6, 0, "::"),
            ("::1", Family::V6, 1, "::1"),
            ("FD00:0DB8::0001", Family::V6, 0xfd00_0db8_0000_0000_0000_0000_0000_0001, "fd00:db8::1"),
            (
                "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                Family::V6,
                u128::MAX,
                "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
            ),
        ] {
            let address: Address = text.parse().expect(text);
            assert_eq!((address.family(), address.value()), (family, value), "{text}");
            assert_eq!(address.to_string(), canonical);
        }
    }

    #[test]
    fn says_what_is_wrong() {
        for (text, message) in [
            ("", "\"\" is no IP address: it is empty"),
            (" 10.0.0.1", "\" 10.0.0.1\" is no IP address: it has spaces in it"),
            ("10.0.0.1/24", "\"10.0.0.1/24\" is no IP address: it has a prefix length"),
            ("10.0.0.01", "\"10.0.0.01\" is no IP address: octet 01 has a leading zero"),
            ("172.16.1.256", "\"172.16.1.256\" is no IP address: octet 256 is greater than 255"),
            (
                "fe80::1%eth0",
                "\"fe80::1%eth0\" is no IP address: it has a zone; an address of a pool belongs to no host interface",
            ),
            (
                "::ffff:10.0.0.1",
                "\"::ffff:10.0.0.1\" is no IP address: it is an IPv4 address in IPv6 notation; write 10.0.0.1",
            ),
            (
                "gateway",
                "\"gateway\" is no IP address: it is neither four octets nor groups of hexadecimal digits",
            ),
        ] {
            assert_eq!(text.parse::<Address>().expect_err(text).to_string(), message);
        }
        assert!("x".repeat(1 << 20).parse::<Address>().expect_err("long").to_string().len() < 200);
    }

    #[test]
    fn numbers_outside_the_family_are_no_addresses() {
        assert_eq!(Address::new(Family::V4, 1 << 32), None);
        assert_eq!(
            Address::new(Family::V6, 1 << 32).map(|address| address.to_string()),
            Some("::1:0:0".into())
        );
    }

    proptest! {
        #[test]
        fn printing_and_parsing_are_inverse(value in any::<u128>(), v4 in any::<u32>()) {
            for address in [Address::new(Family::V6, value).unwrap(), Address::new(Family::V4, v4.into()).unwrap()] {
                let mapped = address.family() == Family::V6 && value >> 32 == 0xffff;
                prop_assert!(mapped || address.to_string().parse() == Ok(address));
            }
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,40}") {
            let _ = text.parse::<Address>();
        }
    }
}
