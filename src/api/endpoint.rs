use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Route, schema};

/// `SpiderEndpoint` has no spec; all it says stands in its status, which is an ordinary field.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "spiderpool.spidernet.io",
    version = "v2beta1",
    kind = "SpiderEndpoint",
    plural = "spiderendpoints",
    shortname = "se",
    category = "spiderpool",
    doc = "All addresses of one pod. It has no spec.",
    namespaced,
    no_spec,
    status = "SpiderEndpointStatus",
    derive = "PartialEq",
    printcolumn = r#"{"name":"INTERFACE","type":"string","jsonPath":".status.current.ips[0].interface"}"#,
    printcolumn = r#"{"name":"IPV4POOL","type":"string","jsonPath":".status.current.ips[0].ipv4Pool"}"#,
    printcolumn = r#"{"name":"IPV4","type":"string","jsonPath":".status.current.ips[0].ipv4"}"#,
    printcolumn = r#"{"name":"IPV6POOL","type":"string","jsonPath":".status.current.ips[0].ipv6Pool"}"#,
    printcolumn = r#"{"name":"IPV6","type":"string","jsonPath":".status.current.ips[0].ipv6"}"#,
    printcolumn = r#"{"name":"NODE","type":"string","jsonPath":".status.current.node"}"#,
    printcolumn = r#"{"name":"AGE","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
pub struct SpiderEndpointSpec {}

/// All addresses of one pod.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SpiderEndpointStatus {
    /// The addresses.
    pub current: WorkloadAllocation,
    /// Kind of the pod's controller, `None` without one.
    pub owner_controller_type: String,
    /// Name of the pod's controller.
    pub owner_controller_name: String,
}

/// Addresses of one pod on one node.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkloadAllocation {
    /// UID of the pod.
    pub uid: String,
    /// The pod's node.
    pub node: String,
    /// One entry for each interface.
    pub ips: Vec<AllocationDetail>,
}

/// Addresses of one interface.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AllocationDetail {
    /// `net1`, ...
    pub interface: String,
    /// Address with prefix length.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ipv4: Option<String>,
    /// Address with prefix length.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ipv6: Option<String>,
    /// Pool of `ipv4`.
    #[serde(rename = "ipv4Pool", skip_serializing_if = "Option::is_none")]
    pub ipv4_pool: Option<String>,
    /// Pool of `ipv6`.
    #[serde(rename = "ipv6Pool", skip_serializing_if = "Option::is_none")]
    pub ipv6_pool: Option<String>,
    /// VLAN, 0 without.
    #[serde(default)]
    #[schemars(range(min = 0, max = 4094))]
    pub vlan: i64,
    /// Gateway of `ipv4`.
    #[serde(rename = "ipv4Gateway", skip_serializing_if = "Option::is_none")]
    pub ipv4_gateway: Option<String>,
    /// Gateway of `ipv6`.
    #[serde(rename = "ipv6Gateway", skip_serializing_if = "Option::is_none")]
    pub ipv6_gateway: Option<String>,
    /// Whether the default route of this interface is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clean_gateway: Option<bool>,
    /// Extra routes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = schema::without_aliases)]
    pub routes: Option<Vec<Route>>,
    /// MAC address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mac: Option<String>,
}
