use serde::Serialize;

use crate::api::{CoordinatorSpec, Route};

/// The plugin `coordinator`, as its configuration spells the fields. What the network does not set, the plugin takes
/// from the cluster-wide `SpiderCoordinator`.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Coordinator<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<&'a str>,
    #[serde(rename = "podCIDRType", skip_serializing_if = "Option::is_none")]
    pod_cidr_type: Option<&'a str>,
    #[serde(rename = "hijackCIDR", skip_serializing_if = "<[_]>::is_empty")]
    hijack_cidr: &'a [String],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    policy_routes: &'a [Route],
    #[serde(rename = "podMACPrefix", skip_serializing_if = "Option::is_none")]
    pod_mac_prefix: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tune_pod_routes: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pod_default_route_nic: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    host_rule_table: Option<i64>,
    #[serde(rename = "podRPFilter", skip_serializing_if = "Option::is_none")]
    pod_rp_filter: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tx_queue_len: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    veth_link_address: Option<&'a str>,
    #[serde(rename = "vethMTU", skip_serializing_if = "Option::is_none")]
    veth_mtu: Option<i64>,
}

impl<'a> Coordinator<'a> {
    pub(super) fn of(spec: Option<&'a CoordinatorSpec>) -> Self {
        let Some(spec) = spec else { return Self::default() };
        let CoordinatorSpec {
            mode,
            pod_cidr_type,
            hijack_cidr,
            policy_routes,
            pod_mac_prefix,
            tune_pod_routes,
            pod_default_route_nic,
            host_rule_table,
            pod_rp_filter,
            tx_queue_len,
            veth_link_address,
            veth_mtu,
        } = spec;
        Self {
            mode: text(mode.as_ref()).map(plugin_mode),
            pod_cidr_type: text(pod_cidr_type.as_ref()),
            hijack_cidr: hijack_cidr.as_deref().unwrap_or_default(),
            policy_routes: policy_routes.as_deref().unwrap_or_default(),
            pod_mac_prefix: text(pod_mac_prefix.as_ref()),
            tune_pod_routes: *tune_pod_routes,
            pod_default_route_nic: text(pod_default_route_nic.as_ref()),
            host_rule_table: *host_rule_table,
            pod_rp_filter: *pod_rp_filter,
            tx_queue_len: *tx_queue_len,
            veth_link_address: text(veth_link_address.as_ref()),
            veth_mtu: *veth_mtu,
        }
    }
}

/// The API says `disabled`; existing plugins know only `disable`, and fail on any other word.
fn plugin_mode(mode: &str) -> &str {
    if mode == "disabled" { "disable" } else { mode }
}

/// Empty text is what older versions stored where nothing was written.
fn text(value: Option<&String>) -> Option<&str> {
    value.map(String::as_str).filter(|text| !text.is_empty())
}
