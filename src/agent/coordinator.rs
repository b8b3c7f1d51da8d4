//! The cluster-wide coordinator as the plugin reads it, with the defaults of whatever it leaves unset.

use railweave_cni::wire::{CoordinatorConfig, PolicyRoute};

use crate::api::{CoordinatorSpec, SpiderCoordinator, SpiderCoordinatorStatus, keys};
use crate::ipam::Labels;

/// On a pod: the interface with the default route.
const DEFAULT_ROUTE: &str = "ipam.spidernet.io/default-route-nic";

/// The configuration for a pod with these annotations.
#[must_use]
pub(super) fn config(coordinator: &SpiderCoordinator, annotations: &Labels) -> CoordinatorConfig {
    let CoordinatorSpec {
        mode,
        pod_cidr_type: _,
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
    } = coordinator.spec.clone();
    let SpiderCoordinatorStatus { overlay_pod_cidr, service_cidr, .. } =
        coordinator.status.clone().unwrap_or_default();
    let text = |text: Option<String>| text.filter(|text| !text.is_empty());
    let routes = policy_routes
        .into_iter()
        .flatten()
        .filter_map(|route| Some(PolicyRoute { dst: route.dst.or(route.to)?, gw: route.gw.or(route.via)? }));
    CoordinatorConfig {
        mode: match text(mode).as_deref() {
            // The plugin knows it by this name only.
            Some("disabled") => "disable".to_owned(),
            mode => mode.unwrap_or("auto").to_owned(),
        },
        overlay_pod_cidr: overlay_pod_cidr.unwrap_or_default(),
        service_cidr: service_cidr.unwrap_or_default(),
        tune_pod_routes: tune_pod_routes.unwrap_or(true),
        hijack_cidr: hijack_cidr.unwrap_or_default(),
        policy_routes: routes.collect(),
        pod_mac_prefix: text(pod_mac_prefix),
        pod_default_route_nic: annotations
            .get(DEFAULT_ROUTE)
            .cloned()
            .or_else(|| text(pod_default_route_nic)),
        host_rule_table: Some(host_rule_table.unwrap_or(500)),
        pod_rp_filter: Some(pod_rp_filter.unwrap_or(0)),
        tx_queue_len: Some(tx_queue_len.unwrap_or(0)),
        veth_link_address: text(veth_link_address),
        veth_mtu: Some(veth_mtu.unwrap_or(1500)),
    }
}

/// Why a pod cannot be set up with it yet: nobody has found out the cluster's CIDRs. One that was ready before and
/// is not now still says what it found.
#[must_use]
pub(super) fn not_ready(coordinator: &SpiderCoordinator) -> Option<String> {
    let status = coordinator.status.clone().unwrap_or_default();
    if status.overlay_pod_cidr.is_some() || status.service_cidr.is_some() {
        return None;
    }
    let reason = status.reason.unwrap_or_else(|| "its status says nothing yet".to_owned());
    Some(format!("SpiderCoordinator {} knows no CIDRs of pods and Services: {reason}", keys::COORDINATOR))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json, to_value};

    use super::*;

    fn coordinator(spec: Value, status: Value) -> SpiderCoordinator {
        let mut coordinator =
            SpiderCoordinator::new(keys::COORDINATOR, serde_json::from_value(spec).unwrap());
        coordinator.status = serde_json::from_value(status).unwrap();
        coordinator
    }

    fn told(coordinator: &SpiderCoordinator, annotations: &[(&str, &str)]) -> Value {
        let annotations = annotations.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        to_value(config(coordinator, &annotations.collect())).unwrap()
    }

    #[test]
    fn what_is_left_unset_has_the_defaults_of_the_cluster() {
        let unset = json!({
            "mode": "auto", "overlayPodCIDR": [], "serviceCIDR": [], "tunePodRoutes": true, "hostRuleTable": 500,
            "podRPFilter": 0, "txQueueLen": 0, "vethMTU": 1500,
        });
        assert_eq!(told(&coordinator(json!({}), Value::Null), &[]), unset);
    }

    #[test]
    fn spec_and_status_are_told_together_and_the_pod_has_the_last_word_on_its_default_route() {
        let full = coordinator(
            json!({
                "mode": "disabled", "podCIDRType": "cluster", "hijackCIDR": ["169.254.0.0/16"],
                "policyRoutes": [{ "dst": "10.1.0.0/16", "gw": "10.0.0.1" }, { "to": "10.2.0.0/16", "via": "10.0.0.2" }],
                "podMACPrefix": "0a:1b", "tunePodRoutes": false, "podDefaultRouteNIC": "net1", "hostRuleTable": 501,
                "podRPFilter": -1, "txQueueLen": 1000, "vethLinkAddress": "169.254.100.1", "vethMTU": 9000,
            }),
            json!({ "phase": "Synced", "overlayPodCIDR": ["10.233.64.0/18"], "serviceCIDR": ["10.233.0.0/18"] }),
        );
        let mut expected = json!({
            "mode": "disable", "overlayPodCIDR": ["10.233.64.0/18"], "serviceCIDR": ["10.233.0.0/18"],
            "tunePodRoutes": false, "hijackCIDR": ["169.254.0.0/16"],
            "policyRoutes": [{ "dst": "10.1.0.0/16", "gw": "10.0.0.1" }, { "dst": "10.2.0.0/16", "gw": "10.0.0.2" }],
            "podMACPrefix": "0a:1b", "podDefaultRouteNIC": "net1", "hostRuleTable": 501, "podRPFilter": -1,
            "txQueueLen": 1000, "vethLinkAddress": "169.254.100.1", "vethMTU": 9000,
        });
        assert_eq!(told(&full, &[]), expected);
        expected["podDefaultRouteNIC"] = "net3".into();
        assert_eq!(told(&full, &[("ipam.spidernet.io/default-route-nic", "net3")]), expected);
    }

    #[test]
    fn service_cidrs_that_are_missing_take_nothing_else_along() {
        let half = coordinator(json!({}), json!({ "phase": "Synced", "overlayPodCIDR": ["10.233.64.0/18"] }));
        assert_eq!(config(&half, &Labels::new()).overlay_pod_cidr, ["10.233.64.0/18"]);
        assert_eq!(not_ready(&half), None);
    }

    #[test]
    fn one_that_never_found_anything_out_says_why() {
        let text = |status: Value| not_ready(&coordinator(json!({}), status)).unwrap();
        assert_eq!(
            text(json!({ "phase": "NotReady", "reason": "no kubeadm-config" })),
            "SpiderCoordinator default knows no CIDRs of pods and Services: no kubeadm-config"
        );
        assert!(text(Value::Null).ends_with("its status says nothing yet"));
    }
}
