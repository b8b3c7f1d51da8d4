//! Configuration: what the network says, what the cluster says where the network is silent, as values that cannot be
//! wrong.

use std::net::IpAddr;
use std::path::PathBuf;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::spec::{Call, CniError};
use crate::wire::{self, CoordinatorConfig, PolicyRoute};

/// Tables of the kernel itself: unspecified, and default, main, local (`include/uapi/linux/rtnetlink.h`).
const KERNEL_TABLES: [u32; 4] = [0, 253, 254, 255];

/// The coordinator's part of a network's configuration; `None` and empty both leave it to the cluster. Fields of older
/// versions that mean nothing any more (`detectGateway`, `detectIPConflict`, `detectOptions`, `hostRPFilter`,
/// `multusNicPrefix`) are passed over: IPAM detects.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Written {
    mode: Option<String>,
    #[serde(alias = "podDefaultCniNIC")]
    pod_default_cni_nic: Option<String>,
    #[serde(rename = "overlayPodCIDR")]
    overlay_pod_cidr: Option<Vec<String>>,
    #[serde(rename = "serviceCIDR")]
    service_cidr: Option<Vec<String>>,
    #[serde(rename = "hijackCIDR")]
    hijack_cidr: Option<Vec<String>>,
    policy_routes: Option<Vec<PolicyRoute>>,
    tune_pod_routes: Option<bool>,
    #[serde(alias = "podDefaultRouteNIC")]
    pod_default_route_nic: Option<String>,
    #[serde(rename = "podMACPrefix")]
    pod_mac_prefix: Option<String>,
    host_rule_table: Option<i64>,
    #[serde(rename = "podRPFilter")]
    pod_rp_filter: Option<i64>,
    tx_queue_len: Option<i64>,
    veth_link_address: Option<String>,
    #[serde(rename = "vethMTU")]
    veth_mtu: Option<i64>,
    #[serde(alias = "ipam_unix_socket_path")]
    ipam_unix_socket_path: Option<PathBuf>,
}

/// How a pod is connected to its node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Mode {
    /// Underlay for the first interface and for all others of such a pod, overlay for the others of any other.
    Auto,
    /// The first interface is of a CNI plugin that connects pod and node, as Calico; the way to the node is there.
    Overlay,
    /// The first interface is on the node's own network; a veth is the way to the node.
    Underlay,
    /// Nothing is done.
    Off,
}

/// A configuration that is in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Settings {
    pub(super) mode: Mode,
    /// Name of the pod's first interface.
    pub(super) first: String,
    /// What is reached by way of the node: pods of the overlay, Services, and others.
    pub(super) by_node: Vec<IpNet>,
    pub(super) policy_routes: Vec<Policy>,
    /// Whether each interface gets a table of its own, and one of them the default route.
    pub(super) tune: bool,
    /// Who has the default route of the main table; the first interface where it is none.
    pub(super) default_nic: Option<String>,
    pub(super) mac_prefix: Option<[u8; 2]>,
    pub(super) host_table: u32,
    /// None leaves it as it is.
    pub(super) rp_filter: Option<u8>,
    /// None leaves it as it is.
    pub(super) queue_length: Option<u32>,
    pub(super) veth_address: Option<IpAddr>,
    pub(super) veth_mtu: u32,
}

/// A route of an interface's own table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Policy {
    pub(super) to: IpNet,
    pub(super) via: IpAddr,
    /// Written for every network alike, so it is meant for those only whose subnet has the gateway.
    pub(super) cluster_wide: bool,
}

impl Written {
    pub(super) fn of(call: &Call) -> Result<Self, CniError> {
        call.config()
    }

    /// The network alone says that nothing is to be done.
    pub(super) fn is_off(&self) -> bool {
        matches!(self.mode.as_deref(), Some("disable" | "disabled"))
    }

    /// Where the node agent listens.
    pub(super) fn socket(&self) -> PathBuf {
        let given = self.ipam_unix_socket_path.clone().filter(|path| !path.as_os_str().is_empty());
        given.unwrap_or_else(|| wire::DEFAULT_SOCKET.into())
    }

    /// Name of the pod's first interface.
    pub(super) fn first(&self) -> String {
        text(self.pod_default_cni_nic.as_ref()).unwrap_or("eth0").to_owned()
    }

    /// Everything that is wrong is told at once.
    pub(super) fn over(&self, cluster: &CoordinatorConfig, network: &str) -> Result<Settings, CniError> {
        let mut errors = Vec::new();
        let settings = self.read(cluster, &mut errors);
        if errors.is_empty() {
            return Ok(settings);
        }
        let errors = errors.join("; ");
        Err(CniError::config(format!(
            "the coordinator of network {network:?} is configured wrongly: {errors}"
        )))
    }

    fn read(&self, cluster: &CoordinatorConfig, errors: &mut Vec<String>) -> Settings {
        let mode = text(self.mode.as_ref()).or_else(|| text(Some(&cluster.mode))).unwrap_or("auto");
        let mut by_node = Vec::new();
        for (field, own, others) in [
            ("overlayPodCIDR", &self.overlay_pod_cidr, &cluster.overlay_pod_cidr),
            ("serviceCIDR", &self.service_cidr, &cluster.service_cidr),
            ("hijackCIDR", &self.hijack_cidr, &cluster.hijack_cidr),
        ] {
            for cidr in own.as_ref().filter(|own| !own.is_empty()).unwrap_or(others) {
                let Some(prefix) = prefix(cidr, field, errors) else { continue };
                if !by_node.contains(&prefix) {
                    by_node.push(prefix);
                }
            }
        }
        let default_nic = text(self.pod_default_route_nic.as_ref())
            .or_else(|| text(cluster.pod_default_route_nic.as_ref()));
        let mac_prefix = text(self.pod_mac_prefix.as_ref()).or_else(|| text(cluster.pod_mac_prefix.as_ref()));
        let address =
            text(self.veth_link_address.as_ref()).or_else(|| text(cluster.veth_link_address.as_ref()));
        let mut number = |field, own: Option<i64>, cluster: Option<i64>, fits: fn(i64) -> bool, how: &str| {
            let value = own.or(cluster)?;
            if fits(value) {
                return Some(value);
            }
            errors.push(format!("{field} is {value}; {how}"));
            None
        };
        let host_table = number(
            "hostRuleTable",
            self.host_rule_table,
            cluster.host_rule_table,
            |table| u32::try_from(table).is_ok_and(|table| !KERNEL_TABLES.contains(&table)),
            "write a table from 1 to 4294967295 other than 253, 254 and 255, which are the kernel's",
        );
        let rp_filter = number(
            "podRPFilter",
            self.pod_rp_filter,
            cluster.pod_rp_filter,
            |value| value <= 2,
            "write 0, 1 or 2, or -1 to leave it as it is",
        );
        let queue_length = number(
            "txQueueLen",
            self.tx_queue_len,
            cluster.tx_queue_len,
            |length| u32::try_from(length).is_ok(),
            "write a number of packets, or 0 to leave it as it is",
        );
        let veth_mtu = number(
            "vethMTU",
            self.veth_mtu,
            cluster.veth_mtu,
            |mtu| (68..=65_535).contains(&mtu),
            "write a number of bytes from 68 to 65535",
        );
        let count = |value: Option<i64>| value.and_then(|value| u32::try_from(value).ok());
        Settings {
            mode: mode_of(mode, errors),
            first: self.first(),
            by_node,
            policy_routes: self.policies(cluster, errors),
            tune: self.tune_pod_routes.unwrap_or(cluster.tune_pod_routes),
            default_nic: default_nic.map(str::to_owned),
            mac_prefix: mac_prefix.and_then(|text| mac_prefix_of(text, errors)),
            host_table: count(host_table).unwrap_or(500),
            rp_filter: rp_filter.and_then(|value| u8::try_from(value).ok()),
            queue_length: count(queue_length).filter(|length| *length > 0),
            veth_address: address.and_then(|text| address_of(text, "vethLinkAddress", errors)),
            veth_mtu: count(veth_mtu).unwrap_or(1500),
        }
    }

    fn policies(&self, cluster: &CoordinatorConfig, errors: &mut Vec<String>) -> Vec<Policy> {
        let own = self.policy_routes.as_ref().filter(|own| !own.is_empty());
        let mut policies = Vec::new();
        for PolicyRoute { dst, gw } in own.unwrap_or(&cluster.policy_routes) {
            let to = prefix(dst, "policyRoutes[].dst", errors);
            let (Some(to), Some(via)) = (to, address_of(gw, "policyRoutes[].gw", errors)) else { continue };
            if to.addr().is_ipv4() == via.is_ipv4() {
                policies.push(Policy { to, via, cluster_wide: own.is_none() });
            } else {
                errors.push(format!(
                    "policyRoutes has {dst} via {gw}; both must be of the same address family"
                ));
            }
        }
        policies
    }
}

/// Empty text is what older versions stored where nothing was written.
fn text(value: Option<&String>) -> Option<&str> {
    value.map(String::as_str).filter(|text| !text.is_empty())
}

fn mode_of(text: &str, errors: &mut Vec<String>) -> Mode {
    match text {
        "auto" => Mode::Auto,
        "overlay" => Mode::Overlay,
        "underlay" => Mode::Underlay,
        "disable" | "disabled" => Mode::Off,
        _ => {
            errors.push(format!("mode is {text:?}; write auto, overlay, underlay or disabled"));
            Mode::Off
        }
    }
}

/// A bare address means that one host; bits behind the prefix do not count.
fn prefix(text: &str, field: &str, errors: &mut Vec<String>) -> Option<IpNet> {
    let prefix = text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
    if prefix.is_none() {
        errors.push(format!("{field} has {text:?}; write an address or a prefix, as 10.0.0.0/8"));
    }
    prefix.map(|prefix| prefix.trunc())
}

fn address_of(text: &str, field: &str, errors: &mut Vec<String>) -> Option<IpAddr> {
    let address = text.parse().ok();
    if address.is_none() {
        errors.push(format!("{field} is {text:?}; write an address without prefix length"));
    }
    address
}

fn mac_prefix_of(text: &str, errors: &mut Vec<String>) -> Option<[u8; 2]> {
    let byte = |text: &str| {
        let digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        digits.then(|| u8::from_str_radix(text, 16).ok()).flatten()
    };
    match text.split_once(':').map(|(first, second)| (byte(first), byte(second))) {
        Some((Some(first), Some(second))) if first & 1 == 0 => Some([first, second]),
        Some((Some(_), Some(_))) => {
            errors.push(format!(
                "podMACPrefix is {text:?}; the lowest bit of its first byte must be 0, for otherwise it is a multicast address"
            ));
            None
        }
        _ => {
            errors.push(format!(
                "podMACPrefix is {text:?}; write the first two bytes of a MAC address, as 0a:1b"
            ));
            None
        }
    }
}
