//! What stands in the list of plugins: field by field as each plugin reads it, `type` first.

use serde::Serialize;
use serde_json::value::RawValue;

use super::coordinator::Coordinator;
use super::interface::Ifacer;
use crate::api::OvsTrunk;

/// One element of the list.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Element<'a> {
    /// Rendered from fields of the network.
    Rendered(Plugin<'a>),
    /// Written by the user, and passed on as it was written.
    Chained(&'a RawValue),
}

/// The plugins that are rendered. The field `type` is the variant's name.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub(super) enum Plugin<'a> {
    Ifacer(Ifacer<'a>),
    Macvlan {
        master: String,
        mode: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        mtu: Option<i64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        ipam: Option<Ipam<'a>>,
    },
    /// Without `mode`: the plugin's own default is l2.
    Ipvlan {
        master: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        mtu: Option<i64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        ipam: Option<Ipam<'a>>,
    },
    Vlan {
        master: String,
        #[serde(rename = "vlanMode")]
        vlan_mode: &'a str,
        #[serde(rename = "vlanId", skip_serializing_if = "Option::is_none")]
        vlan_id: Option<i64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        mtu: Option<i64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        ipam: Option<Ipam<'a>>,
    },
    Sriov {
        /// 0 takes away what an administrator set on the VF, so it is not the same as none.
        #[serde(skip_serializing_if = "Option::is_none")]
        vlan: Option<i64>,
        /// Some NICs refuse any rate, 0 included.
        #[serde(skip_serializing_if = "Option::is_none")]
        min_tx_rate: Option<i64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        max_tx_rate: Option<i64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        ipam: Option<Ipam<'a>>,
    },
    IbSriov {
        #[serde(skip_serializing_if = "Option::is_none")]
        pkey: Option<&'a str>,
        link_state: &'a str,
        #[serde(rename = "rdmaIsolation")]
        rdma_isolation: bool,
        #[serde(rename = "ibKubernetesEnabled", skip_serializing_if = "Option::is_none")]
        ib_kubernetes_enabled: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        ipam: Option<Ipam<'a>>,
    },
    Ipoib {
        master: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        ipam: Option<Ipam<'a>>,
    },
    Ovs {
        bridge: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        vlan: Option<i64>,
        #[serde(skip_serializing_if = "<[_]>::is_empty")]
        trunk: &'a [OvsTrunk],
        #[serde(rename = "deviceID", skip_serializing_if = "Option::is_none")]
        device_id: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        ipam: Option<Ipam<'a>>,
    },
    Rdma,
    Coordinator(Coordinator<'a>),
    Tuning {
        mtu: i64,
    },
}

/// The section `ipam` of the main plugin.
#[derive(Debug, Serialize)]
pub(super) struct Ipam<'a> {
    #[serde(rename = "type")]
    pub(super) plugin: &'static str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub(super) default_ipv4_ippool: &'a [String],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub(super) default_ipv6_ippool: &'a [String],
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) match_master_subnet: bool,
}
