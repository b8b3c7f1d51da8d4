use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// Body of a request for the addresses of a pod (CNI ADD of one interface).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AddArgs {
    /// The sandbox.
    #[serde(rename = "containerID")]
    pub container_id: String,
    /// The interface: `net1`, ...
    pub if_name: String,
    /// Path of the pod's network namespace.
    pub net_namespace: String,
    /// Namespace of the pod.
    pub pod_namespace: String,
    /// Name of the pod.
    pub pod_name: String,
    /// UID of the pod; empty where the runtime does not tell it.
    #[serde(rename = "podUID")]
    pub pod_uid: String,
    /// `default_ipv4_ippool` of the network, names or patterns.
    #[serde(rename = "defaultIPv4IPPool", default, skip_serializing_if = "none_or_empty")]
    pub default_ipv4_pools: Option<Vec<String>>,
    /// `default_ipv6_ippool` of the network, names or patterns.
    #[serde(rename = "defaultIPv6IPPool", default, skip_serializing_if = "none_or_empty")]
    pub default_ipv6_pools: Option<Vec<String>>,
    /// Whether the default route of the interface is left out.
    #[serde(default, skip_serializing_if = "is_false")]
    pub clean_gateway: bool,
    /// Whether only pools count whose subnet holds an address of the device's physical function.
    #[serde(default, skip_serializing_if = "is_false")]
    pub match_master_subnet: bool,
    /// PCI address of the device that the interface is made of. Plugins of Spiderpool do not send it.
    #[serde(rename = "deviceID", default, skip_serializing_if = "Option::is_none")]
    pub device_id: Option<String>,
}

/// The addresses of a pod: of all its interfaces that are known by now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddReply {
    /// One entry for each address.
    pub ips: Vec<IpConfig>,
    /// Routes of all interfaces.
    #[serde(default, skip_serializing_if = "none_or_empty")]
    pub routes: Option<Vec<Route>>,
    /// Name resolution; the agent never sets it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dns: Option<Dns>,
}

/// One address of one interface.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IpConfig {
    /// 4 or 6.
    pub version: u8,
    /// With the prefix length of the pool's subnet.
    pub address: String,
    /// The interface: `net1`, ...
    pub nic: String,
    /// The pool.
    #[serde(rename = "ipPool", default, skip_serializing_if = "String::is_empty")]
    pub pool: String,
    /// Gateway of the pool, if it has one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub gateway: String,
    /// VLAN, 0 without.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub vlan: i64,
    /// MAC address, if the interface must have this one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub mac: String,
    /// Whether the plugin looks for the gateway.
    #[serde(default, skip_serializing_if = "is_false")]
    pub enable_gateway_detection: bool,
    /// Whether the plugin looks for another holder of the address.
    #[serde(rename = "enableIPConflictDetection", default, skip_serializing_if = "is_false")]
    pub enable_ip_conflict_detection: bool,
}

/// One route of one interface.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Route {
    /// The interface.
    pub if_name: String,
    /// Destination, as CIDR.
    pub dst: String,
    /// Next hop.
    pub gw: String,
}

/// Name resolution, as CNI results carry it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dns {
    /// Local domain.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub domain: String,
    /// Servers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nameservers: Vec<String>,
    /// Options of the resolver.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
    /// Search domains.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub search: Vec<String>,
}

/// Body of a release at the end of a sandbox (CNI DEL of one interface).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeleteArgs {
    /// The sandbox.
    #[serde(rename = "containerID")]
    pub container_id: String,
    /// The interface.
    pub if_name: String,
    /// Path of the pod's network namespace; gone in most cases.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub net_namespace: String,
    /// Namespace of the pod.
    pub pod_namespace: String,
    /// Name of the pod.
    pub pod_name: String,
    /// UID of the pod; empty where the runtime does not tell it.
    #[serde(rename = "podUID")]
    pub pod_uid: String,
}

/// Body of a release of addresses of a pod that could not be attached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchDeleteArgs {
    /// The sandbox.
    #[serde(rename = "containerID")]
    pub container_id: String,
    /// Path of the pod's network namespace.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub net_namespace: String,
    /// Namespace of the pod.
    pub pod_namespace: String,
    /// Name of the pod.
    pub pod_name: String,
    /// UID of the pod; empty where the runtime does not tell it.
    #[serde(rename = "podUID")]
    pub pod_uid: String,
    /// Whether an address was found in use by somebody else.
    #[serde(rename = "isReleaseConflictIPs", default, skip_serializing_if = "is_false")]
    pub is_release_conflict_ips: bool,
    /// Which addresses; none means all of the pod, as Spiderpool's plugin asks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ips: Vec<IpAddr>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_false(value: &bool) -> bool {
    !value
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(value: &i64) -> bool {
    *value == 0
}

/// Go writes an empty list it does not have as `null` or not at all.
#[expect(clippy::ref_option, reason = "serde passes references")]
fn none_or_empty<T>(value: &Option<Vec<T>>) -> bool {
    value.as_ref().is_none_or(Vec::is_empty)
}
