use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `RailNode`: what the agent of one node found there. It has the node's name and is owned by the `Node`.
///
/// Observed facts stand in `spec`, as in `CSINode`: the agent is their only writer, and one write publishes them.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "railweave.io",
    version = "v1alpha1",
    kind = "RailNode",
    plural = "railnodes",
    shortname = "rn",
    category = "railweave",
    doc = "The RDMA rails of one node, as its agent found them. Written by the agent only, when something changed.",
    derive = "PartialEq",
    printcolumn = r#"{"name":"INTERFACES","type":"string","jsonPath":".spec.interfaces"}"#,
    printcolumn = r#"{"name":"AGE","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct RailNodeSpec {
    /// Names of the ports' interfaces: what `kubectl get` shows, whose columns cannot gather them from the list below.
    #[serde(default)]
    #[schemars(length(max = 256), inner(length(max = 15)))]
    pub interfaces: Vec<String>,
    /// Ports of NICs that have virtual functions or an RDMA device, by PCI address.
    #[serde(default)]
    #[schemars(length(max = 256))]
    pub physical_functions: Vec<PhysicalFunction>,
    /// Resources of device plugins whose devices belong to these ports, by name.
    #[serde(default)]
    #[schemars(length(max = 256))]
    pub resources: Vec<NodeResource>,
}

impl RailNodeSpec {
    /// What an agent found.
    #[must_use]
    pub fn new(physical_functions: Vec<PhysicalFunction>, resources: Vec<NodeResource>) -> Self {
        let names = physical_functions.iter().map(|function| function.interface.clone());
        Self { interfaces: names.filter(|name| !name.is_empty()).collect(), physical_functions, resources }
    }
}

/// One port of a NIC.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PhysicalFunction {
    /// `0000:86:00.0`
    #[schemars(regex(pattern = r"^[0-9a-f]{4,8}:[0-9a-f]{2}:[01][0-9a-f]\.[0-7]$"))]
    pub pci_address: String,
    /// Name of its network interface on the host, empty without one.
    #[serde(default)]
    #[schemars(length(max = 15))]
    pub interface: String,
    /// Addresses of the interface, each with its prefix length: `172.16.1.1/27`.
    #[serde(default)]
    #[schemars(length(max = 256), inner(length(max = 49)))]
    pub addresses: Vec<String>,
    /// `ethernet` or `infiniband`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link_type: Option<LinkType>,
    /// Bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub mtu: Option<i64>,
    /// NUMA node of the slot; absent on machines without.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub numa_node: Option<i64>,
    /// `mlx5_0`
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub rdma_device: Option<String>,
    /// How many virtual functions are turned on.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub virtual_functions: i64,
}

/// The link layer of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LinkType {
    /// Ethernet: `RoCE`
    Ethernet,
    /// `InfiniBand`
    Infiniband,
}

/// One resource of a device plugin, as the kubelet reports it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeResource {
    /// `spidernet.io/gpu1sriov`
    #[schemars(length(min = 1, max = 317))]
    pub name: String,
    /// Devices behind it as the kubelet names them; PCI addresses for virtual functions.
    #[serde(default)]
    #[schemars(length(max = 4096), inner(length(max = 253)))]
    pub devices: Vec<String>,
    /// PCI addresses of the ports that those devices belong to.
    #[serde(default)]
    #[schemars(length(max = 256), inner(length(max = 16)))]
    pub physical_functions: Vec<String>,
}
