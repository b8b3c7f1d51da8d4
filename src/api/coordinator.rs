use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Route, schema};

/// How interfaces and routes of pods are tuned: the spec of `SpiderCoordinator`, and the `coordinator`
/// block of a network.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "spiderpool.spidernet.io",
    version = "v2beta1",
    kind = "SpiderCoordinator",
    plural = "spidercoordinators",
    shortname = "scc",
    category = "spiderpool",
    doc = "How interfaces and routes of pods are tuned, cluster-wide.",
    status = "SpiderCoordinatorStatus",
    derive = "PartialEq",
    printcolumn = r#"{"name":"MODE","type":"string","jsonPath":".spec.mode"}"#,
    printcolumn = r#"{"name":"PHASE","type":"string","jsonPath":".status.phase"}"#,
    printcolumn = r#"{"name":"AGE","type":"date","jsonPath":".metadata.creationTimestamp"}"#,
    printcolumn = r#"{"name":"REASON","type":"string","priority":10,"jsonPath":".status.reason"}"#
)]
#[schemars(transform = schema::rules(schema::coordinator::CLUSTER_WIDE))]
#[serde(rename_all = "camelCase")]
pub struct CoordinatorSpec {
    /// `auto`, `underlay`, `overlay` or `disabled` (also spelled `disable`).
    #[schemars(extend("enum" = ["auto", "underlay", "overlay", "disabled", "disable"], "default" = "auto"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// Where the pod CIDRs come from: `auto`, `cluster`, `calico`, `cilium` or `none`.
    #[schemars(extend("enum" = ["auto", "cluster", "calico", "cilium", "none"]))]
    #[serde(rename = "podCIDRType", skip_serializing_if = "Option::is_none")]
    pub pod_cidr_type: Option<String>,
    /// More destinations that leave by the default interface.
    #[schemars(transform = schema::coordinator::hijack)]
    #[serde(rename = "hijackCIDR", skip_serializing_if = "Option::is_none")]
    pub hijack_cidr: Option<Vec<String>>,
    /// Routes added to the policy table of the interface.
    #[schemars(transform = schema::addresses::policy_routes)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy_routes: Option<Vec<Route>>,
    /// First two bytes of the interface's MAC address, `0a:1b`.
    #[schemars(transform = schema::coordinator::mac_prefix)]
    #[serde(rename = "podMACPrefix", skip_serializing_if = "Option::is_none")]
    pub pod_mac_prefix: Option<String>,
    /// Whether routes of pods with several interfaces are tuned.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = true))]
    pub tune_pod_routes: Option<bool>,
    /// The interface that carries the pod's default route.
    #[serde(rename = "podDefaultRouteNIC", skip_serializing_if = "Option::is_none")]
    pub pod_default_route_nic: Option<String>,
    /// Routing table on the host.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = 500))]
    pub host_rule_table: Option<i64>,
    /// `rp_filter` of the pod: 0, 1, 2; negative leaves it.
    #[serde(rename = "podRPFilter", skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = 0), transform = schema::coordinator::rp_filter)]
    pub pod_rp_filter: Option<i64>,
    /// Transmit queue length; 0 leaves it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0), extend("default" = 0))]
    pub tx_queue_len: Option<i64>,
    /// Link-local address of the host's end of the veth pair.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = schema::coordinator::link_address)]
    pub veth_link_address: Option<String>,
    /// MTU of the veth pair.
    #[serde(rename = "vethMTU", skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1), extend("default" = 1500))]
    pub veth_mtu: Option<i64>,
}

/// Status of a `SpiderCoordinator`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SpiderCoordinatorStatus {
    /// `Synced` or `NotReady`.
    pub phase: String,
    /// Why it is not ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Pod CIDRs of the cluster.
    #[serde(rename = "overlayPodCIDR", skip_serializing_if = "Option::is_none")]
    pub overlay_pod_cidr: Option<Vec<String>>,
    /// Service CIDRs of the cluster.
    #[serde(rename = "serviceCIDR", skip_serializing_if = "Option::is_none")]
    pub service_cidr: Option<Vec<String>>,
}
