use serde::{Deserialize, Serialize};

use super::{Cache, Ours};

/// `/var/lib/cni/sriov/<container>-<interface>`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SriovCache {
    /// Whether it is ours.
    #[serde(flatten)]
    pub ours: Ours,
    /// Name of the network.
    #[serde(rename = "name")]
    pub network: String,
    /// PCI address.
    #[serde(rename = "deviceID")]
    pub device: String,
    /// Name of the port's interface.
    #[serde(rename = "Master")]
    pub port: String,
    /// Number of the function at its port.
    #[serde(rename = "VFID")]
    pub number: u32,
    /// How it was.
    #[serde(rename = "OrigVfState")]
    pub original: OriginalState,
    /// The hardware address that was asked for.
    #[serde(rename = "MAC")]
    pub mac: String,
    /// From the configuration, as what follows: what was set, and so has to be set back.
    #[serde(skip_serializing)]
    pub vlan: Option<u32>,
    /// `on` or `off`
    #[serde(skip_serializing)]
    pub spoofchk: String,
    /// `on` or `off`
    #[serde(skip_serializing)]
    pub trust: String,
    /// Mbit/s
    #[serde(skip_serializing)]
    pub min_tx_rate: Option<u32>,
    /// Mbit/s
    #[serde(skip_serializing)]
    pub max_tx_rate: Option<u32>,
    /// `auto`, `enable`, `disable`
    #[serde(skip_serializing)]
    pub link_state: String,
}

/// A virtual function before it was changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct OriginalState {
    /// Name of its interface.
    #[serde(rename = "HostIFName")]
    pub name: String,
    /// Spoof check.
    pub spoof_chk: bool,
    /// Trust.
    pub trust: bool,
    /// The address that the port gave it.
    #[serde(rename = "AdminMAC")]
    pub admin_mac: String,
    /// The address that it used.
    #[serde(rename = "EffectiveMAC")]
    pub effective_mac: String,
    /// VLAN.
    pub vlan: u32,
    /// Priority.
    #[serde(rename = "VlanQoS")]
    pub vlan_qos: u32,
    /// 33024 is 802.1q, 34984 802.1ad; 0 where it was not read.
    pub vlan_proto: u32,
    /// Mbit/s
    pub min_tx_rate: u32,
    /// Mbit/s
    pub max_tx_rate: u32,
    /// 0 auto, 1 enable, 2 disable
    pub link_state: u32,
    /// Bytes; 0 is unknown.
    #[serde(rename = "MTU")]
    pub mtu: u32,
}

impl Cache for SriovCache {
    const FOLDER: &'static str = "sriov";

    fn device(&self) -> &str {
        &self.device
    }

    fn network(&self) -> Option<&str> {
        Some(&self.network)
    }

    fn is_ours(&self) -> bool {
        self.ours.railweave
    }
}
