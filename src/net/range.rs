use std::fmt;
use std::str::FromStr;

use super::address::shorten;
use super::{Address, AddressError, Family, Subnet};

/// Addresses of one family from `first` to `last`, both included. Printed as `a` or `a-b`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Range {
    pub(super) family: Family,
    pub(super) first: u128,
    pub(super) last: u128,
}

/// A text that is no range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RangeError {
    /// A bound is no address.
    #[error(transparent)]
    Bound(#[from] AddressError),
    /// `a-b-c`
    #[error("{0:?} has more than one hyphen; a range is written first-last")]
    Hyphens(String),
    /// The bounds are of different families.
    #[error("{first} is {}, {last} is {}", first.family(), last.family())]
    Families {
        /// As written before the hyphen.
        first: Address,
        /// As written behind it.
        last: Address,
    },
    /// `b-a`; carries `a-b`.
    #[error("it runs backwards; write {0}")]
    Reversed(Range),
    /// `10.0.0.0/24`; carries the addresses that hosts can have.
    #[error("it is a subnet; write the addresses to hand out, e.g. {0}")]
    Subnet(Range),
}

impl Range {
    /// The addresses between two of the same family; none if they are reversed or of different families.
    #[must_use]
    pub fn new(first: Address, last: Address) -> Option<Self> {
        (first.family() == last.family() && first <= last).then(|| Self {
            family: first.family(),
            first: first.value(),
            last: last.value(),
        })
    }

    /// Its family.
    #[must_use]
    pub fn family(self) -> Family {
        self.family
    }

    /// The lowest address.
    #[must_use]
    pub fn first(self) -> Address {
        Address { family: self.family, value: self.first }
    }

    /// The highest address.
    #[must_use]
    pub fn last(self) -> Address {
        Address { family: self.family, value: self.last }
    }

    /// How many addresses; `u128::MAX` also stands for all of IPv6, which is one more.
    #[must_use]
    pub fn count(self) -> u128 {
        (self.last - self.first).saturating_add(1)
    }

    /// Whether the address is one of them.
    #[must_use]
    pub fn contains(self, address: Address) -> bool {
        self.family == address.family() && (self.first..=self.last).contains(&address.value())
    }

    /// The addresses that both have.
    #[must_use]
    pub fn intersect(self, other: Self) -> Option<Self> {
        let (first, last) = (self.first.max(other.first), self.last.min(other.last));
        (self.family == other.family && first <= last).then_some(Self { family: self.family, first, last })
    }

    /// Whether every address of this range lies below every address of the other.
    pub(super) fn precedes(self, other: Self) -> bool {
        (self.family, self.last) < (other.family, other.first)
    }
}

impl From<Address> for Range {
    fn from(address: Address) -> Self {
        Self { family: address.family(), first: address.value(), last: address.value() }
    }
}

impl FromStr for Range {
    type Err = RangeError;

    fn from_str(text: &str) -> Result<Self, RangeError> {
        let Some((first, last)) = text.split_once('-') else {
            return text.parse::<Address>().map(Self::from).map_err(|error| match text.parse::<Subnet>() {
                Ok(subnet) => RangeError::Subnet(subnet.hosts()),
                Err(_) => error.into(),
            });
        };
        if last.contains('-') {
            return Err(RangeError::Hyphens(shorten(text)));
        }
        let (first, last) = (first.parse::<Address>()?, last.parse::<Address>()?);
        if first.family() != last.family() {
            return Err(RangeError::Families { first, last });
        }
        match (Self::new(first, last), Self::new(last, first)) {
            (Some(range), _) => Ok(range),
            (None, Some(range)) => Err(RangeError::Reversed(range)),
            (None, None) => Err(RangeError::Families { first, last }),
        }
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            self.first().fmt(f)
        } else {
            write!(f, "{}-{}", self.first(), self.last())
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_one_address_and_two() {
        for (text, canonical, count) in [
            ("10.0.0.1", "10.0.0.1", 1),
            ("10.0.0.1-10.0.0.1", "10.0.0.1", 1),
            ("10.0.0.1-10.0.0.9", "10.0.0.1-10.0.0.9", 9),
            ("0.0.0.0-0.0.0.5", "0.0.0.0-0.0.0.5", 6),
            ("255.255.255.0-255.255.255.255", "255.255.255.0-255.255.255.255", 256),
            ("10.0.0.0-10.255.255.255", "10.0.0.0-10.255.255.255", 1 << 24),
            ("::1-::5", "::1-::5", 5),
            ("fd00::-fd00::ffff:ffff:ffff:FFFF", "fd00::-fd00::ffff:ffff:ffff:ffff", 1 << 64),
            (
                "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                u128::MAX,
            ),
        ] {
            let range: Range = text.parse().expect(text);
            assert_eq!((range.to_string().as_str(), range.count()), (canonical, count));
        }
    }

    #[test]
    fn says_what_is_wrong() {
        for (text, message) in [
            ("10.0.0.1-", "\"\" is no IP address: it is empty"),
            ("10.0.0.1 - 10.0.0.2", "\"10.0.0.1 \" is no IP address: it has spaces in it"),
            (
                "10.0.0.1-10.0.0.2-10.0.0.3",
                "\"10.0.0.1-10.0.0.2-10.0.0.3\" has more than one hyphen; a range is written first-last",
            ),
            ("10.0.0.1-::1", "10.0.0.1 is IPv4, ::1 is IPv6"),
            ("10.0.0.9-10.0.0.1", "it runs backwards; write 10.0.0.1-10.0.0.9"),
            ("10.0.0.0/24", "it is a subnet; write the addresses to hand out, e.g. 10.0.0.1-10.0.0.254"),
            ("172.16.1.2-172.16.1.256", "\"172.16.1.256\" is no IP address: octet 256 is greater than 255"),
        ] {
            assert_eq!(text.parse::<Range>().expect_err(text).to_string(), message);
        }
    }

    proptest! {
        #[test]
        fn printing_and_parsing_are_inverse(a in any::<u32>(), b in any::<u32>()) {
            let address = |value: u32| Address::new(Family::V4, value.into()).unwrap();
            let range = Range::new(address(a.min(b)), address(a.max(b))).unwrap();
            prop_assert_eq!(range.to_string().parse(), Ok(range));
            if a != b {
                let reversed = format!("{}-{}", range.last(), range.first());
                prop_assert_eq!(reversed.parse::<Range>(), Err(RangeError::Reversed(range)));
            }
        }

        #[test]
        fn no_text_panics(text in "[-0-9a-f:./ ]{0,40}") {
            let _ = text.parse::<Range>();
        }
    }
}
