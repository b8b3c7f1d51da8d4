//! What the network writes, what the cluster says, and what comes of both.

use serde_json::{Value, json};

use super::super::config::{Mode, Policy, Settings, Written};
use super::world::settings;
use crate::spec::CniError;
use crate::wire::CoordinatorConfig;

fn cluster(fields: &Value) -> CoordinatorConfig {
    let mut config =
        json!({ "mode": "auto", "overlayPodCIDR": [], "serviceCIDR": [], "tunePodRoutes": true });
    for (key, value) in fields.as_object().unwrap() {
        config[key] = value.clone();
    }
    serde_json::from_value(config).unwrap()
}

#[expect(clippy::needless_pass_by_value, reason = "calls read like what is written")]
fn read(network: Value, of_cluster: Value) -> Result<Settings, CniError> {
    let written: Written = serde_json::from_value(network).unwrap();
    written.over(&cluster(&of_cluster), "rails")
}

fn unset() -> Settings {
    Settings { by_node: Vec::new(), rp_filter: None, ..settings() }
}

#[test]
fn nothing_set_anywhere_has_the_defaults() {
    assert_eq!(read(json!({}), json!({})).unwrap(), unset());
}

#[test]
fn the_network_beats_the_cluster_field_by_field() {
    let of_cluster = json!({
        "mode": "underlay", "overlayPodCIDR": ["10.1.0.0/16"], "serviceCIDR": ["10.2.0.0/16"], "hijackCIDR": ["10.3.0.0/16"],
        "tunePodRoutes": false, "policyRoutes": [{ "dst": "10.4.0.0/16", "gw": "10.4.0.1" }], "podMACPrefix": "0a:1b",
        "podDefaultRouteNIC": "net1", "hostRuleTable": 501, "podRPFilter": 1, "txQueueLen": 10,
        "vethLinkAddress": "169.254.1.1", "vethMTU": 9000,
    });
    let net = |text: &str| text.parse().unwrap();
    let theirs = Settings {
        mode: Mode::Underlay,
        by_node: vec![net("10.1.0.0/16"), net("10.2.0.0/16"), net("10.3.0.0/16")],
        policy_routes: vec![Policy {
            to: net("10.4.0.0/16"),
            via: "10.4.0.1".parse().unwrap(),
            cluster_wide: true,
        }],
        tune: false,
        default_nic: Some("net1".to_owned()),
        mac_prefix: Some([0x0a, 0x1b]),
        host_table: 501,
        rp_filter: Some(1),
        queue_length: Some(10),
        veth_address: Some("169.254.1.1".parse().unwrap()),
        veth_mtu: 9000,
        ..unset()
    };
    assert_eq!(read(json!({}), of_cluster.clone()).unwrap(), theirs);
    // Empty is what older versions stored where nothing was written.
    let empty = json!({
        "mode": "", "overlayPodCIDR": [], "serviceCIDR": [], "hijackCIDR": [], "policyRoutes": [], "podMACPrefix": "",
        "podDefaultRouteNic": "", "vethLinkAddress": "", "podDefaultCniNic": "",
    });
    assert_eq!(read(empty, of_cluster.clone()).unwrap(), theirs);

    let own = json!({
        "mode": "overlay", "podDefaultCniNic": "eth1", "overlayPodCIDR": ["10.5.0.0/16"], "serviceCIDR": ["10.6.0.0/16"],
        "hijackCIDR": ["10.7.0.1", "10.5.0.0/16"], "policyRoutes": [{ "dst": "fd00::9/64", "gw": "fd00::1" }],
        "tunePodRoutes": true, "podDefaultRouteNic": "eth1", "podMACPrefix": "0C:0D", "hostRuleTable": 777,
        "podRPFilter": -1, "txQueueLen": 0, "vethLinkAddress": "fe80::1", "vethMTU": 1400,
    });
    assert_eq!(
        read(own, of_cluster).unwrap(),
        Settings {
            mode: Mode::Overlay,
            first: "eth1".to_owned(),
            by_node: vec![net("10.5.0.0/16"), net("10.6.0.0/16"), net("10.7.0.1/32")],
            policy_routes: vec![Policy {
                to: net("fd00::/64"),
                via: "fd00::1".parse().unwrap(),
                cluster_wide: false
            }],
            tune: true,
            default_nic: Some("eth1".to_owned()),
            mac_prefix: Some([0x0c, 0x0d]),
            host_table: 777,
            rp_filter: None,
            queue_length: None,
            veth_address: Some("fe80::1".parse().unwrap()),
            veth_mtu: 1400,
        }
    );
}

#[test]
fn off_has_two_spellings() {
    for word in ["disable", "disabled"] {
        assert!(serde_json::from_value::<Written>(json!({ "mode": word })).unwrap().is_off());
        assert_eq!(read(json!({}), json!({ "mode": word })).unwrap().mode, Mode::Off);
    }
    // What the network says beats a cluster that is off.
    assert_eq!(read(json!({ "mode": "overlay" }), json!({ "mode": "disable" })).unwrap().mode, Mode::Overlay);
}

#[test]
fn fields_of_older_versions_are_passed_over() {
    let older = json!({
        "detectGateway": true, "detectIPConflict": false, "hostRPFilter": 0, "multusNicPrefix": "net",
        "detectOptions": { "retries": 3, "interval": "10ms", "timeout": "100ms" }, "podCIDRType": "cluster",
        "logOptions": { "logLevel": "debug" },
    });
    assert_eq!(read(older, json!({})).unwrap(), unset());
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    for (field, value, reason) in [
        ("mode", json!("tunnel"), "mode is \"tunnel\"; write auto, overlay, underlay or disabled"),
        (
            "hijackCIDR",
            json!(["10.0.0.0/33"]),
            "hijackCIDR has \"10.0.0.0/33\"; write an address or a prefix, as 10.0.0.0/8",
        ),
        (
            "serviceCIDR",
            json!(["services"]),
            "serviceCIDR has \"services\"; write an address or a prefix, as 10.0.0.0/8",
        ),
        (
            "policyRoutes",
            json!([{ "dst": "10.0.0.0/8", "gw": "fd00::1" }]),
            "policyRoutes has 10.0.0.0/8 via fd00::1; both must be of the same address family",
        ),
        (
            "policyRoutes",
            json!([{ "dst": "10.0.0.0/8", "gw": "10.0.0.1/8" }]),
            "policyRoutes[].gw is \"10.0.0.1/8\"; write an address without prefix length",
        ),
        (
            "podMACPrefix",
            json!("0a1b"),
            "podMACPrefix is \"0a1b\"; write the first two bytes of a MAC address, as 0a:1b",
        ),
        (
            "podMACPrefix",
            json!("+a:1b"),
            "podMACPrefix is \"+a:1b\"; write the first two bytes of a MAC address, as 0a:1b",
        ),
        (
            "podMACPrefix",
            json!("0b:1b"),
            "podMACPrefix is \"0b:1b\"; the lowest bit of its first byte must be 0, for otherwise it is a multicast address",
        ),
        (
            "hostRuleTable",
            json!(255),
            "hostRuleTable is 255; write a table from 1 to 4294967295 other than 253, 254 and 255, which are the kernel's",
        ),
        (
            "hostRuleTable",
            json!(0),
            "hostRuleTable is 0; write a table from 1 to 4294967295 other than 253, 254 and 255, which are the kernel's",
        ),
        ("podRPFilter", json!(3), "podRPFilter is 3; write 0, 1 or 2, or -1 to leave it as it is"),
        ("txQueueLen", json!(-1), "txQueueLen is -1; write a number of packets, or 0 to leave it as it is"),
        ("vethMTU", json!(67), "vethMTU is 67; write a number of bytes from 68 to 65535"),
        (
            "vethLinkAddress",
            json!("169.254.1.1/32"),
            "vethLinkAddress is \"169.254.1.1/32\"; write an address without prefix length",
        ),
    ] {
        let error = read(json!({ field: value }), json!({})).unwrap_err();
        assert_eq!(error.code, CniError::CONFIG);
        assert_eq!(
            error.msg,
            format!("the coordinator of network \"rails\" is configured wrongly: {reason}")
        );
    }
    let error = read(json!({ "mode": "tunnel" }), json!({ "vethMTU": 1, "txQueueLen": -5 })).unwrap_err();
    assert_eq!(error.msg.matches("; write ").count(), 3, "{error}");
}

#[test]
fn the_socket_is_the_agents_unless_it_is_written() {
    let socket = |fields: Value| serde_json::from_value::<Written>(fields).unwrap().socket();
    assert_eq!(socket(json!({})).to_str(), Some("/var/run/spidernet/spiderpool.sock"));
    assert_eq!(socket(json!({ "ipamUnixSocketPath": "/run/a.sock" })).to_str(), Some("/run/a.sock"));
    assert_eq!(socket(json!({ "ipam_unix_socket_path": "/run/a.sock" })).to_str(), Some("/run/a.sock"));
}
