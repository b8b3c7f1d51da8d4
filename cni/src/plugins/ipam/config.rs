use std::path::PathBuf;

use serde::Deserialize;

use crate::spec::{Call, CniError};
use crate::wire::DEFAULT_SOCKET;

/// Our type of IPAM.
pub(super) const OURS: &str = "spiderpool";

/// Who gives addresses.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nobody.
    None,
    /// The node agent.
    Ours,
    /// Another plugin, by the name of its program.
    Foreign(String),
}

impl Kind {
    pub(super) fn of(call: &Call) -> Result<Self, CniError> {
        #[derive(Deserialize)]
        struct Config {
            #[serde(default)]
            ipam: Option<Ipam>,
        }
        #[derive(Deserialize)]
        struct Ipam {
            #[serde(rename = "type", default)]
            kind: String,
        }
        let kind = call.config::<Config>()?.ipam.map(|ipam| ipam.kind).unwrap_or_default();
        match kind.as_str() {
            "" => Ok(Self::None),
            OURS => Ok(Self::Ours),
            _ if kind.contains('/') => Err(CniError::config(format!(
                "ipam.type of network {:?} is {kind:?}; write the name of a plugin, without a folder",
                call.network()
            ))),
            _ => Ok(Self::Foreign(kind)),
        }
    }
}

/// What our IPAM reads of a configuration.
#[derive(Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Config {
    #[serde(default)]
    pub(super) ipam: Ipam,
    /// PCI address of the device that the interface is made of; Multus adds it.
    #[serde(rename = "deviceID", default)]
    pub(super) device_id: Option<String>,
}

/// Its `ipam` part; the keys of the log are read with the log.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Ipam {
    /// Names or patterns of pools.
    pub(super) default_ipv4_ippool: Option<Vec<String>>,
    pub(super) default_ipv6_ippool: Option<Vec<String>>,
    /// No default route by this interface.
    pub(super) clean_gateway: bool,
    /// Only pools with the subnet of the device's port.
    pub(super) match_master_subnet: bool,
    #[serde(rename = "ipam_unix_socket_path")]
    pub(super) socket: PathBuf,
}

impl Default for Ipam {
    fn default() -> Self {
        Self {
            default_ipv4_ippool: None,
            default_ipv6_ippool: None,
            clean_gateway: false,
            match_master_subnet: false,
            socket: PathBuf::from(DEFAULT_SOCKET),
        }
    }
}
