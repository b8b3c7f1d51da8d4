use std::fmt;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    BondConfig, Condition, CoordinatorSpec, IbSriovConfig, IpoibConfig, IpvlanConfig, MacvlanConfig,
    OvsConfig, Pools, SriovConfig, VlanConfig, schema,
};

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
    status = "SpiderMultusConfigStatus",
    derive = "PartialEq",
    printcolumn = r#"{"name":"TYPE","type":"string","jsonPath":".spec.cniType"}"#,
    printcolumn = r#"{"name":"RESOURCE","type":"string","jsonPath":".spec['sriov','ibsriov','macvlan','ipvlan','vlan']['resourceName','rdmaResourceName']"}"#,
    printcolumn = r#"{"name":"GROUP","type":"string","jsonPath":".metadata.annotations['cni\\.spidernet\\.io/rdma-resource-inject','cni\\.spidernet\\.io/network-resource-inject']"}"#,
    printcolumn = r#"{"name":"RENDERED","type":"string","jsonPath":".status.conditions[?(@.type==\"Rendered\")].status"}"#,
    printcolumn = r#"{"name":"AGE","type":"date","jsonPath":".metadata.creationTimestamp"}"#,
    printcolumn = r#"{"name":"DEFINITION","type":"string","priority":10,"jsonPath":".status.networkAttachmentDefinition"}"#,
    printcolumn = r#"{"name":"REASON","type":"string","priority":10,"jsonPath":".status.conditions[?(@.type==\"Rendered\")].reason"}"#
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
    pub macvlan: Option<Box<MacvlanConfig>>,
    /// For `cniType: ipvlan`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ipvlan: Option<Box<IpvlanConfig>>,
    /// For `cniType: vlan`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vlan: Option<Box<VlanConfig>>,
    /// For `cniType: sriov`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sriov: Option<Box<SriovConfig>>,
    /// For `cniType: ib-sriov`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ibsriov: Option<Box<IbSriovConfig>>,
    /// For `cniType: ipoib`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ipoib: Option<Box<IpoibConfig>>,
    /// For `cniType: ovs`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ovs: Option<Box<OvsConfig>>,
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
    pub coordinator: Option<Box<CoordinatorSpec>>,
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
    pub ippools: Option<Box<Pools>>,
    /// Deprecated: write `matchMasterSubnet` inside `ippools` in the block of the `cniType`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub match_master_subnet: Option<bool>,
}

/// Status of a `SpiderMultusConfig`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SpiderMultusConfigStatus {
    /// Name of the `NetworkAttachmentDefinition` that is this network's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network_attachment_definition: Option<String>,
    /// `Rendered` says whether that is up to date, and if not, why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conditions: Option<Vec<Condition>>,
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
