use serde::{Deserialize, Serialize};

use super::{Cache, Ours};
use crate::state::Owner;

/// `/var/lib/cni/rdma/<network>-<container>-<interface>`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct RdmaCache {
    /// Whether it is ours.
    #[serde(flatten)]
    pub ours: Ours,
    /// `1.0`
    pub version: String,
    /// PCI address, or name of an auxiliary device.
    #[serde(rename = "deviceID")]
    pub device: String,
    /// Name of the RDMA device on the host.
    pub sandbox_rdma_dev_name: String,
    /// Its name in the pod.
    pub container_rdma_dev_name: String,
}

impl Cache for RdmaCache {
    const FOLDER: &'static str = "rdma";

    fn device(&self) -> &str {
        &self.device
    }

    fn network(&self) -> Option<&str> {
        None
    }

    fn is_ours(&self) -> bool {
        self.ours.railweave
    }

    fn file_name(owner: &Owner) -> String {
        format!("{}-{}-{}", owner.network, owner.container, owner.interface)
    }
}
