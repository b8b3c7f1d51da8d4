use serde::{Deserialize, Serialize};

/// Body of a request for the cluster's coordinator configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CoordinatorArgs {
    /// Namespace of the pod.
    #[serde(default)]
    pub pod_namespace: String,
    /// Name of the pod.
    #[serde(default)]
    pub pod_name: String,
}

/// The cluster-wide configuration of the coordinator, for whatever a network leaves unset.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CoordinatorConfig {
    /// `auto`, `underlay`, `overlay` or `disable`, as the plugin spells it.
    pub mode: String,
    /// Ranges of the overlay's pods; never null.
    #[serde(rename = "overlayPodCIDR")]
    pub overlay_pod_cidr: Vec<String>,
    /// Ranges of Services; never null.
    #[serde(rename = "serviceCIDR")]
    pub service_cidr: Vec<String>,
    /// Whether default routes of further interfaces move into tables of their own.
    pub tune_pod_routes: bool,
    /// Ranges that are reached through the node.
    #[serde(rename = "hijackCIDR", default, skip_serializing_if = "Vec::is_empty")]
    pub hijack_cidr: Vec<String>,
    /// Routes by policy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policy_routes: Vec<PolicyRoute>,
    /// First two bytes of MAC addresses.
    #[serde(rename = "podMACPrefix", default, skip_serializing_if = "Option::is_none")]
    pub pod_mac_prefix: Option<String>,
    /// Interface with the default route.
    #[serde(rename = "podDefaultRouteNIC", default, skip_serializing_if = "Option::is_none")]
    pub pod_default_route_nic: Option<String>,
    /// Table of the host's routes to pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_rule_table: Option<i64>,
    /// `rp_filter` inside the pod: 0, 1 or 2; negative leaves it alone.
    #[serde(rename = "podRPFilter", default, skip_serializing_if = "Option::is_none")]
    pub pod_rp_filter: Option<i64>,
    /// Length of the transmit queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tx_queue_len: Option<i64>,
    /// Link-local address of the veth.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub veth_link_address: Option<String>,
    /// MTU of the veth.
    #[serde(rename = "vethMTU", default, skip_serializing_if = "Option::is_none")]
    pub veth_mtu: Option<i64>,
}

/// A route by policy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyRoute {
    /// Destination, as CIDR.
    pub dst: String,
    /// Next hop.
    pub gw: String,
}
