use std::fmt;
use std::iter::successors;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;

use super::address::shorten;
use super::{Address, AddressError, Family, Range};

/// A subnet without host bits. Wider subnets sort before those they contain.
///
/// Parsing masks host bits away; whether a text was canonical shows in comparing it with the printed form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subnet(IpNet);

/// A text that is no subnet.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubnetError {
    /// `172.16.0.0`
    #[error("{0:?} has no prefix length; write it like 172.16.0.0/16 or fd00::/64")]
    NoPrefix(String),
    /// `172.16.0.0/33`
    #[error("prefix length {prefix:?} is not between 0 and {greatest}")]
    Prefix {
        /// As written.
        prefix: String,
        /// The family's greatest.
        greatest: u8,
    },
    /// The part before the slash is no address.
    #[error(transparent)]
    Address(#[from] AddressError),
}

impl Subnet {
    /// Its family.
    #[must_use]
    pub fn family(self) -> Family {
        match self.0 {
            IpNet::V4(_) => Family::V4,
            IpNet::V6(_) => Family::V6,
        }
    }

    /// Length of the prefix in bits.
    #[must_use]
    pub fn prefix(self) -> u8 {
        self.0.prefix_len()
    }

    /// Every address, network and broadcast address included.
    #[must_use]
    pub fn range(self) -> Range {
        let (first, last): (Address, Address) = (self.0.network().into(), self.0.broadcast().into());
        Range { family: self.family(), first: first.value(), last: last.value() }
    }

    /// The addresses that hosts can have: without network and broadcast address where IPv4 has those.
    #[must_use]
    pub fn hosts(self) -> Range {
        let mut range = self.range();
        if self.family() == Family::V4 && self.prefix() < 31 {
            range.first += 1;
            range.last -= 1;
        }
        range
    }

    /// Whether the address lies in it.
    #[must_use]
    pub fn contains(self, address: Address) -> bool {
        self.range().contains(address)
    }

    /// Whether the whole range lies in it.
    #[must_use]
    pub fn covers(self, range: Range) -> bool {
        self.range().intersect(range) == Some(range)
    }

    /// Whether one contains the other.
    #[must_use]
    pub fn overlaps(self, other: Self) -> bool {
        self.range().intersect(other.range()).is_some()
    }

    /// The narrower of two that overlap: what they have in common.
    #[must_use]
    pub fn intersect(self, other: Self) -> Option<Self> {
        self.overlaps(other).then(|| if self.prefix() < other.prefix() { other } else { self })
    }

    /// Every wider subnet that contains it, narrowest first.
    pub fn supernets(self) -> impl Iterator<Item = Self> {
        successors(self.0.supernet(), IpNet::supernet).map(Self)
    }
}

impl FromStr for Subnet {
    type Err = SubnetError;

    fn from_str(text: &str) -> Result<Self, SubnetError> {
        let (address, prefix) = text.split_once('/').ok_or_else(|| match text.parse::<Address>() {
            Ok(_) => SubnetError::NoPrefix(shorten(text)),
            Err(error) => error.into(),
        })?;
        let address: Address = address.parse()?;
        let ip: IpAddr = address.ip();
        let plain = prefix == "0" || !prefix.starts_with(['0', '+']);
        let length = prefix.parse::<u8>().ok().filter(|_| plain);
        let net = length.and_then(|length| IpNet::new(ip, length).ok());
        let wrong = || SubnetError::Prefix { prefix: shorten(prefix), greatest: address.family().bits() };
        net.map(|net| Self(net.trunc())).ok_or_else(wrong)
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn is_masked_and_printed_canonically() {
        for (text, canonical, range, hosts) in [
            ("172.16.11.0/16", "172.16.0.0/16", "172.16.0.0-172.16.255.255", "172.16.0.1-172.16.255.254"),
            ("172.16.1.0/27", "172.16.1.0/27", "172.16.1.0-172.16.1.31", "172.16.1.1-172.16.1.30"),
            ("10.0.0.0/8", "10.0.0.0/8", "10.0.0.0-10.255.255.255", "10.0.0.1-10.255.255.254"),
            ("10.0.0.3/31", "10.0.0.2/31", "10.0.0.2-10.0.0.3", "10.0.0.2-10.0.0.3"),
            ("10.0.0.3/32", "10.0.0.3/32", "10.0.0.3", "10.0.0.3"),
            ("0.0.0.0/0", "0.0.0.0/0", "0.0.0.0-255.255.255.255", "0.0.0.1-255.255.255.254"),
            (
                "FD00:0DB8::1/64",
                "fd00:db8::/64",
                "fd00:db8::-fd00:db8::ffff:ffff:ffff:ffff",
                "fd00:db8::-fd00:db8::ffff:ffff:ffff:ffff",
            ),
            (
                "::/0",
                "::/0",
                "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
            ),
        ] {
            let subnet: Subnet = text.parse().expect(text);
            let got = (subnet.to_string(), subnet.range().to_string(), subnet.hosts().to_string());
            assert_eq!(got, (canonical.to_owned(), range.to_owned(), hosts.to_owned()));
        }
    }

    #[test]
    fn says_what_is_wrong() {
        for (text, message) in [
            ("", "\"\" is no IP address: it is empty"),
            ("172.16.0.0", "\"172.16.0.0\" has no prefix length; write it like 172.16.0.0/16 or fd00::/64"),
            ("172.16.0.0/33", "prefix length \"33\" is not between 0 and 32"),
            ("172.16.0.0/08", "prefix length \"08\" is not between 0 and 32"),
            ("172.16.0.0/+8", "prefix length \"+8\" is not between 0 and 32"),
            ("172.16.0.0/", "prefix length \"\" is not between 0 and 32"),
            ("fd00::/129", "prefix length \"129\" is not between 0 and 128"),
            (
                "::ffff:10.0.0.0/104",
                "\"::ffff:10.0.0.0\" is no IP address: it is an IPv4 address in IPv6 notation; write 10.0.0.0",
            ),
        ] {
            assert_eq!(text.parse::<Subnet>().expect_err(text).to_string(), message);
        }
    }

    #[test]
    fn supernets_go_up_to_everything() {
        let subnet: Subnet = "192.168.128.0/18".parse().unwrap();
        let first: Vec<String> = subnet.supernets().take(2).map(|net| net.to_string()).collect();
        assert_eq!(first, ["192.168.128.0/17", "192.168.0.0/16"]);
        assert_eq!(subnet.supernets().last().map(|net| net.to_string()), Some("0.0.0.0/0".to_owned()));
    }

    proptest! {
        #[test]
        fn containment_is_overlap(a in any::<u32>(), p in 0u8..=32, b in any::<u32>(), q in 0u8..=32) {
            let subnet = |bits: u32, prefix: u8| -> Subnet {
                format!("{}/{prefix}", std::net::Ipv4Addr::from_bits(bits)).parse().unwrap()
            };
            // Half of the pairs share their upper bits, so that both answers are met.
            for (x, y) in [(subnet(a, p), subnet(b, q)), (subnet(a, p), subnet(a ^ (b >> 16), q))] {
                let contained = x == y || x.supernets().any(|net| net == y) || y.supernets().any(|net| net == x);
                prop_assert_eq!(x.overlaps(y), contained);
                prop_assert_eq!(x.intersect(y).map(Subnet::range), x.range().intersect(y.range()));
                prop_assert_eq!(x.to_string().parse(), Ok(x));
            }
        }
    }
}
