use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{IntOrString, schema};

/// Pools of a network, by name; `*`, `?` and `[..]` are wildcards.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Pools {
    /// IPv4 pools, in the order in which they are tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = schema::names)]
    pub ipv4: Option<Vec<String>>,
    /// IPv6 pools, in the order in which they are tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = schema::names)]
    pub ipv6: Option<Vec<String>>,
    /// Whether only pools count whose subnet holds an address of the PF; false when absent (sriov only).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub match_master_subnet: Option<bool>,
}

impl Pools {
    /// Whether no pool is named.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ipv4.as_ref().is_none_or(Vec::is_empty) && self.ipv6.as_ref().is_none_or(Vec::is_empty)
    }

    /// Every pool name or wildcard, IPv4 first.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.ipv4.iter().flatten().chain(self.ipv6.iter().flatten()).map(String::as_str)
    }
}

/// A bond of the masters of a network.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BondConfig {
    /// Name of the bond interface.
    #[schemars(required, length(max = 253))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Bonding mode, 0 to 6.
    #[schemars(required)]
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 6))]
    pub mode: Option<i64>,
    /// `k=v;k=v`
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub options: Option<String>,
}

/// `cniType: macvlan`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = schema::rules(schema::network::MASTERS))]
#[serde(rename_all = "camelCase")]
pub struct MacvlanConfig {
    /// Host interfaces; several need a `bond`.
    #[schemars(required, transform = schema::names)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub master: Option<Vec<String>>,
    /// MTU, 0 leaves it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub mtu: Option<i64>,
    /// VLAN, 0 without.
    #[serde(rename = "vlanID", skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 4094))]
    pub vlan_id: Option<i64>,
    /// How several masters are bonded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bond: Option<BondConfig>,
    /// Shared RDMA device resource.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 317))]
    pub rdma_resource_name: Option<String>,
    /// Pools.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = schema::rules(schema::network::NO_MATCH_MASTER))]
    pub ippools: Option<Pools>,
}

/// `cniType: ipvlan`: the same fields as macvlan.
pub type IpvlanConfig = MacvlanConfig;

/// `cniType: vlan`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = schema::rules(schema::network::MASTERS))]
#[schemars(transform = schema::rules(schema::network::VLAN))]
#[serde(rename_all = "camelCase")]
pub struct VlanConfig {
    /// Host interfaces; several need a `bond`.
    #[schemars(required, transform = schema::names)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub master: Option<Vec<String>>,
    /// MTU, 0 leaves it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub mtu: Option<i64>,
    /// `manual` (the default) or `auto`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = ["manual", "auto"]))]
    pub vlan_mode: Option<String>,
    /// VLAN, 0 when absent; in mode `manual` only.
    #[serde(rename = "vlanID", skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 4094))]
    pub vlan_id: Option<i64>,
    /// How several masters are bonded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bond: Option<BondConfig>,
    /// Shared RDMA device resource.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 317))]
    pub rdma_resource_name: Option<String>,
    /// Pools.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = schema::rules(schema::network::NO_MATCH_MASTER))]
    pub ippools: Option<Pools>,
}

/// `cniType: sriov`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = schema::rules(schema::network::SRIOV))]
#[serde(rename_all = "camelCase")]
pub struct SriovConfig {
    /// Device plugin resource whose VFs the network uses; one for each rail.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 317))]
    pub resource_name: Option<String>,
    /// VLAN, 0 without.
    #[serde(rename = "vlanID", skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 4094))]
    pub vlan_id: Option<i64>,
    /// MTU of the VF, 0 leaves it; at most that of the PF.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub mtu: Option<i64>,
    /// Guaranteed transmit rate.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub min_tx_rate_mbps: Option<i64>,
    /// Greatest transmit rate.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub max_tx_rate_mbps: Option<i64>,
    /// Whether the VF's RDMA device moves into the pod; false when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rdma_isolation: Option<bool>,
    /// Deprecated: write `rdmaIsolation`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_rdma: Option<bool>,
    /// Pools.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ippools: Option<Pools>,
    /// Deprecated: write `matchMasterSubnet` inside `ippools`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub match_master_subnet: Option<bool>,
}

/// `cniType: ib-sriov`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = schema::rules(schema::network::IB_SRIOV))]
#[serde(rename_all = "camelCase")]
pub struct IbSriovConfig {
    /// Device plugin resource whose VFs the network uses; one for each rail.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 317))]
    pub resource_name: Option<String>,
    /// Partition key as text, like `"0x8001"`. Deprecated: a bare number.
    #[schemars(transform = schema::rules(schema::network::PKEY))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pkey: Option<IntOrString>,
    /// `enable` (the default), `auto` or `disable`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = ["auto", "enable", "disable"]))]
    pub link_state: Option<String>,
    /// Whether the VF's RDMA device moves into the pod; true when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rdma_isolation: Option<bool>,
    /// Deprecated: write `rdmaIsolation`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_rdma: Option<bool>,
    /// Whether GUID and partition key are handed to the subnet manager; false when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_ib_kubernetes: Option<bool>,
    /// Deprecated: write `enableIbKubernetes`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ib_kubernetes_enabled: Option<bool>,
    /// Pools.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = schema::rules(schema::network::NO_MATCH_MASTER))]
    pub ippools: Option<Pools>,
    /// Deprecated: `matchMasterSubnet` works for sriov only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub match_master_subnet: Option<bool>,
}

/// `cniType: ipoib`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = schema::rules(schema::network::IPOIB))]
#[serde(rename_all = "camelCase")]
pub struct IpoibConfig {
    /// Host interface.
    #[schemars(length(max = 253))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub master: Option<String>,
    /// Pools.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = schema::rules(schema::network::NO_MATCH_MASTER))]
    pub ippools: Option<Pools>,
}

/// `cniType: ovs`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OvsConfig {
    /// The bridge.
    #[schemars(required, length(max = 253))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bridge: Option<String>,
    /// VLAN, 0 without.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 4094))]
    pub vlan: Option<i64>,
    /// Trunked VLANs.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = schema::network::trunk)]
    pub trunk: Option<Vec<OvsTrunk>>,
    /// PCI address of the VF.
    #[serde(rename = "deviceID", skip_serializing_if = "Option::is_none")]
    pub device_id: Option<String>,
    /// Pools.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = schema::rules(schema::network::NO_MATCH_MASTER))]
    pub ippools: Option<Pools>,
}

/// A range of trunked VLANs, or one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OvsTrunk {
    /// First VLAN of the range.
    #[serde(rename = "minID", skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 4094))]
    pub min_id: Option<i64>,
    /// Last VLAN of the range.
    #[serde(rename = "maxID", skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 4094))]
    pub max_id: Option<i64>,
    /// One VLAN.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 4094))]
    pub id: Option<i64>,
}
