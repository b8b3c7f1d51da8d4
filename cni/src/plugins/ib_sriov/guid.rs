use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::functions::HardwareAddress;

/// The identifier of an `InfiniBand` device or port, as a number whose highest byte is written first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Guid(pub(super) u64);

impl Guid {
    /// What a function has that was never given one, and what takes one away.
    pub(super) const NONE: Self = Self(u64::MAX);

    /// Whether a device with it can be used: drivers leave zero or ones where nobody decided.
    pub(super) fn is_valid(self) -> bool {
        self.0 != 0 && self != Self::NONE
    }

    /// Of the port, in the hardware address of an interface: its last 8 of 20 bytes.
    pub(super) fn of_interface(address: &[u8]) -> Option<Self> {
        let last = address.get(12..20).filter(|_| address.len() == 20)?;
        last.try_into().ok().map(u64::from_be_bytes).map(Self)
    }
}

impl FromStr for Guid {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no GUID; write 8 bytes like 02:00:00:00:00:00:00:2a");
        let bytes: HardwareAddress = text.parse().map_err(|_| wrong())?;
        let bytes: [u8; 8] = bytes.0.as_slice().try_into().map_err(|_| wrong())?;
        Ok(Self(u64::from_be_bytes(bytes)))
    }
}

impl fmt::Display for Guid {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        HardwareAddress(self.0.to_be_bytes().to_vec()).fmt(formatter)
    }
}

impl Serialize for Guid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Guid {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
