use serde::{Deserialize, Serialize};

/// What a pod was given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkloadEndpoint {
    /// Namespace of the pod.
    pub pod_namespace: String,
    /// Name of the pod.
    pub pod_name: String,
    /// UID of the pod.
    #[serde(rename = "podUID")]
    pub pod_uid: String,
    /// The pod's node.
    pub node: String,
    /// One entry for each interface.
    pub interfaces: Vec<WorkloadInterface>,
}

/// What one interface was given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkloadInterface {
    /// `net1`, ...
    pub interface: String,
    /// Address with prefix length, or empty.
    #[serde(default)]
    pub ipv4: String,
    /// Address with prefix length, or empty.
    #[serde(default)]
    pub ipv6: String,
    /// MAC address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mac: Option<String>,
    /// VLAN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vlan: Option<i64>,
    /// Pool of `ipv4`.
    #[serde(rename = "ipv4Pool", default)]
    pub ipv4_pool: String,
    /// Pool of `ipv6`.
    #[serde(rename = "ipv6Pool", default)]
    pub ipv6_pool: String,
    /// Gateway of `ipv4`.
    #[serde(rename = "ipv4Gateway", default)]
    pub ipv4_gateway: String,
    /// Gateway of `ipv6`.
    #[serde(rename = "ipv6Gateway", default)]
    pub ipv6_gateway: String,
    /// Extra routes.
    #[serde(default)]
    pub routes: Vec<WorkloadRoute>,
}

/// An extra route.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkloadRoute {
    /// Destination, as CIDR.
    pub dst: String,
    /// Next hop.
    pub gw: String,
}
