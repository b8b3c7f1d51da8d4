use serde::{Deserialize, Serialize};

use super::{Cache, Ours, RdmaCache};

/// `/var/lib/cni/ib-sriov/<container>-<interface>`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct IbSriovCache {
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
    /// Name of the function's interface.
    #[serde(rename = "HostIFNames")]
    pub name: String,
    /// The identifier it had, where another was set.
    #[serde(rename = "HostIFGUID")]
    pub guid: String,
    /// `CNI_IFNAME`
    #[serde(rename = "ContIFNames")]
    pub interface: String,
    /// The RDMA device, where it was moved.
    #[serde(rename = "RdmaNetState")]
    pub rdma: RdmaCache,
    /// From the configuration, as what follows: what was done.
    #[serde(skip_serializing)]
    pub link_state: String,
    /// Whether the RDMA device went into the pod.
    #[serde(rename = "rdmaIsolation", skip_serializing)]
    pub isolated: bool,
    /// Whether the function has no interface.
    #[serde(rename = "vfioPciMode")]
    pub vfio: bool,
}

impl Cache for IbSriovCache {
    const FOLDER: &'static str = "ib-sriov";

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
