use std::fmt;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{CoordinatorSpec, IntOrString, schema};

/// `SpiderMultusConfig`: one network, rendered into a `NetworkAttachmentDefinition`.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "spiderpool.spidernet.io",
    version = "v2beta1",
    kind = "SpiderMultusConfig",
    plural = "spidermultusconfigs",
    shortname = "smc",
    category = "spiderpool",
    doc = "One network of pods; it is rendered into a NetworkAttachmentDefinition of the same name.",
    namespaced,
    derive = "PartialEq",
    printcolumn = r#"{"name":"TYPE","type":"string","jsonPath":".spec.cniType"}"#,
    printcolumn = r#"{"name":"RESOURCE","type":"string","jsonPath":".spec['sriov','ibsriov','macvlan','ipvlan','vlan']['resourceName','rdmaResourceName']"}"#,
    printcolumn = r#"{"name":"GROUP","type":"string","jsonPath":".metadata.annotations['cni\\.spidernet\\.io/rdma-resource-inject','cni\\.spidernet\\.io/network-resource-inject']"}"#,
    printcolumn = r#"{"name":"AGE","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[schemars(transform = schema::network::spec)]
#[serde(rename_all = "camelCase")]
pub struct SpiderMultusConfigSpec {
    /// Which CNI plugin attaches the network; `custom` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "custom"))]
    pub cni_type: Option<CniType>,
    /// For `cniType: macvlan`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub macvlan: Option<MacvlanConfig>,
    /// For `cniType: ipvlan`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ipvlan: Option<IpvlanConfig>,
    /// For `cniType: vlan`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vlan: Option<VlanConfig>,
    /// For `cniType: sriov`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sriov: Option<SriovConfig>,
    /// For `cniType: ib-sriov`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ibsriov: Option<IbSriovConfig>,
    /// For `cniType: ipoib`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ipoib: Option<IpoibConfig>,
    /// For `cniType: ovs`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ovs: Option<OvsConfig>,
    /// Whether the coordinator plugin is chained; true when absent, never for `custom`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = true))]
    pub enable_coordinator: Option<bool>,
    /// Whether the network has no addresses of ours.
    #[serde(rename = "disableIPAM", skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = false))]
    pub disable_ipam: Option<bool>,
    /// Overrides of the cluster-wide coordinator; what is absent is taken from there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::coordinator::block")]
    pub coordinator: Option<CoordinatorSpec>,
    /// More CNI plugins, each a JSON object as text.
    #[serde(rename = "chainCNIJsonData", skip_serializing_if = "Option::is_none")]
    #[schemars(transform = schema::network::chained)]
    pub chain_cni_json_data: Option<Vec<String>>,
    /// For `cniType: custom`: the whole CNI configuration as JSON text.
    #[serde(rename = "customCNI", skip_serializing_if = "Option::is_none")]
    #[schemars(transform = schema::network::custom_cni)]
    pub custom_cni: Option<String>,
    /// Deprecated: write `ippools` inside the block of the `cniType`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ippools: Option<Pools>,
    /// Deprecated: write `matchMasterSubnet` inside `ippools` in the block of the `cniType`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub match_master_subnet: Option<bool>,
}

/// The CNI plugin behind a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CniType {
    /// macvlan
    Macvlan,
    /// ipvlan
    Ipvlan,
    /// vlan
    Vlan,
    /// sriov: a VF of an Ethernet NIC
    Sriov,
    /// ovs
    Ovs,
    /// ib-sriov: a VF of an `InfiniBand` NIC
    IbSriov,
    /// ipoib
    Ipoib,
    /// custom: configuration written by hand
    Custom,
}

impl CniType {
    /// All types.
    pub const ALL: [Self; 8] = [
        Self::Macvlan,
        Self::Ipvlan,
        Self::Vlan,
        Self::Sriov,
        Self::Ovs,
        Self::IbSriov,
        Self::Ipoib,
        Self::Custom,
    ];

    /// The value in manifests.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Macvlan => "macvlan",
            Self::Ipvlan => "ipvlan",
            Self::Vlan => "vlan",
            Self::Sriov => "sriov",
            Self::Ovs => "ovs",
            Self::IbSriov => "ib-sriov",
            Self::Ipoib => "ipoib",
            Self::Custom => "custom",
        }
    }

    /// Name of the spec field that configures the type, none for `custom`.
    #[must_use]
    pub fn block(self) -> Option<&'static str> {
        match self {
            Self::IbSriov => Some("ibsriov"),
            Self::Custom => None,
            other => Some(other.name()),
        }
    }

    /// Whether networks of the type can be members of a group.
    #[must_use]
    pub fn joins_groups(self) -> bool {
        !matches!(self, Self::Ovs | Self::Custom)
    }
}

impl fmt::Display for CniType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

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

impl SpiderMultusConfigSpec {
    /// The type, `custom` when absent.
    #[must_use]
    pub fn cni_type(&self) -> CniType {
        self.cni_type.unwrap_or(CniType::Custom)
    }

    /// The pools in the block of the network's type.
    #[must_use]
    pub fn pools(&self) -> Option<&Pools> {
        match self.cni_type() {
            CniType::Macvlan => self.macvlan.as_ref()?.ippools.as_ref(),
            CniType::Ipvlan => self.ipvlan.as_ref()?.ippools.as_ref(),
            CniType::Vlan => self.vlan.as_ref()?.ippools.as_ref(),
            CniType::Sriov => self.sriov.as_ref()?.ippools.as_ref(),
            CniType::IbSriov => self.ibsriov.as_ref()?.ippools.as_ref(),
            CniType::Ipoib => self.ipoib.as_ref()?.ippools.as_ref(),
            CniType::Ovs => self.ovs.as_ref()?.ippools.as_ref(),
            CniType::Custom => None,
        }
    }

    /// The device plugin resource a pod needs for the network, if any.
    #[must_use]
    pub fn resource(&self) -> Option<&str> {
        let name = match self.cni_type() {
            CniType::Macvlan => self.macvlan.as_ref()?.rdma_resource_name.as_deref(),
            CniType::Ipvlan => self.ipvlan.as_ref()?.rdma_resource_name.as_deref(),
            CniType::Vlan => self.vlan.as_ref()?.rdma_resource_name.as_deref(),
            CniType::Sriov => self.sriov.as_ref()?.resource_name.as_deref(),
            CniType::IbSriov => self.ibsriov.as_ref()?.resource_name.as_deref(),
            CniType::Ipoib | CniType::Ovs | CniType::Custom => None,
        };
        name.filter(|name| !name.is_empty())
    }

    /// What orders the network inside its group: the bond or first master, or the resource.
    #[must_use]
    pub fn rail_key(&self) -> &str {
        fn base<'a>(master: Option<&'a Vec<String>>, bond: Option<&'a BondConfig>) -> Option<&'a str> {
            let masters = master?;
            let bond = bond.and_then(|bond| bond.name.as_deref()).filter(|_| masters.len() > 1);
            bond.or_else(|| masters.first().map(String::as_str))
        }
        let key = match self.cni_type() {
            CniType::Macvlan => self.macvlan.as_ref().and_then(|c| base(c.master.as_ref(), c.bond.as_ref())),
            CniType::Ipvlan => self.ipvlan.as_ref().and_then(|c| base(c.master.as_ref(), c.bond.as_ref())),
            CniType::Vlan => self.vlan.as_ref().and_then(|c| base(c.master.as_ref(), c.bond.as_ref())),
            CniType::Ipoib => self.ipoib.as_ref().and_then(|c| c.master.as_deref()),
            _ => self.resource(),
        };
        key.unwrap_or_default()
    }
}
