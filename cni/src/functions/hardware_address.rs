use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A hardware address: 6 bytes on Ethernet, 20 on `InfiniBand`, 8 for an identifier of `InfiniBand`. Empty is unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HardwareAddress(pub Vec<u8>);

/// A text that is no such address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no hardware address; write it like 02:00:00:00:00:2a")]
pub struct BadHardwareAddress(pub String);

impl HardwareAddress {
    /// The address of an Ethernet interface; none of another length.
    #[must_use]
    pub fn ethernet(&self) -> Option<[u8; 6]> {
        self.0.as_slice().try_into().ok()
    }
}

impl FromStr for HardwareAddress {
    type Err = BadHardwareAddress;

    /// Bytes of two hexadecimal digits with `:` between them.
    fn from_str(text: &str) -> Result<Self, BadHardwareAddress> {
        let byte = |digits: &str| {
            let plain = digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
            plain.then(|| u8::from_str_radix(digits, 16).ok())?
        };
        let bytes: Option<Vec<u8>> = text.split(':').map(byte).collect();
        match bytes {
            Some(bytes) if [6, 8, 20].contains(&bytes.len()) => Ok(Self(bytes)),
            _ => Err(BadHardwareAddress(text.to_owned())),
        }
    }
}

impl fmt::Display for HardwareAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, byte) in self.0.iter().enumerate() {
            let colon = if position > 0 { ":" } else { "" };
            write!(formatter, "{colon}{byte:02x}")?;
        }
        Ok(())
    }
}

impl Serialize for HardwareAddress {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for HardwareAddress {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.is_empty() {
            return Ok(Self::default());
        }
        text.parse().map_err(serde::de::Error::custom)
    }
}
