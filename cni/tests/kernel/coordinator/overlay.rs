//! Rails beside an overlay: eth0 is Calico's.

use serde_json::{Value, json};

use super::lab::{Lab, comes_back, is_lost};
use super::state;
use crate::namespace::ip;

/// Nothing but what the cluster says.
fn plain() -> Value {
    json!({})
}

/// Calico and rails of these families, none attached yet.
fn node(rails: u8, families: &[u8]) -> Lab {
    let lab = Lab::new();
    lab.calico(families);
    (1..=rails).for_each(|number| lab.rail(number, families));
    lab
}

/// The guide's promise: a reply leaves by the interface that the request came in by, and what is Kubernetes' by eth0.
pub(crate) fn one_rail() {
    let lab = node(1, &[4]);
    lab.add("net1", &plain()).ok();
    state::is(&lab, "overlay-1");

    comes_back(&lab.fabric, &lab.pod, "172.16.11.10", "10.99.0.1");
    comes_back(&lab.host, &lab.pod, "172.16.11.10", "10.1.20.4");
    comes_back(&lab.host, &lab.pod, "10.233.119.164", "10.1.20.4");
    comes_back(&lab.pod, &lab.host, "10.1.20.4", "10.233.119.164");
    lab.host.ip("address add 10.233.0.1/32 dev lo");
    comes_back(&lab.pod, &lab.host, "10.233.0.1", "10.233.119.164");
    let asked = lab.agent.asked.lock().unwrap().clone();
    assert_eq!(asked, [json!({ "podNamespace": "ai", "podName": "job-0" })]);
}

pub(crate) fn two_rails_of_two_families() {
    let lab = node(2, &[4, 6]);
    for nic in ["net1", "net2"] {
        lab.add(nic, &plain()).ok();
    }
    state::is(&lab, "overlay-2-dual");
    // Without its rule, replies leave by eth0.
    lab.pod.ip("rule del from 172.16.11.10");
    is_lost(&lab.fabric, &lab.pod, "172.16.11.10");
    lab.add("net1", &plain()).ok();
    for (address, seen) in [
        ("172.16.11.10", "10.99.0.1"),
        ("172.16.12.10", "10.99.0.1"),
        ("fd16:11::10", "fd99::1"),
        ("fd16:12::10", "fd99::1"),
    ] {
        comes_back(&lab.fabric, &lab.pod, address, seen);
    }
    for address in ["172.16.12.10", "10.233.119.164"] {
        comes_back(&lab.host, &lab.pod, address, "10.1.20.4");
    }
    for address in ["fd16:12::10", "fd85::164"] {
        comes_back(&lab.host, &lab.pod, address, "fd10::4");
    }
    comes_back(&lab.pod, &lab.host, "fd10::4", "fd85::164");
    lab.host.ip("address add fd86::1/128 dev lo nodad");
    comes_back(&lab.pod, &lab.host, "fd86::1", "fd85::164");
}

pub(crate) fn one_rail_of_ipv6() {
    let lab = node(1, &[6]);
    lab.add("net1", &plain()).ok();
    state::is(&lab, "overlay-1-ipv6");
    comes_back(&lab.fabric, &lab.pod, "fd16:11::10", "fd99::1");
    comes_back(&lab.host, &lab.pod, "fd16:11::10", "fd10::4");
}

/// A rail of both families in a cluster of one: what goes by way of the node cannot in the other, and the log says so.
pub(crate) fn a_node_without_a_family_of_the_rail() {
    let lab = node(0, &[4]);
    lab.rail(1, &[4, 6]);
    lab.host.ip("-6 address flush dev uplink");
    lab.add("net1", &plain()).ok();
    comes_back(&lab.fabric, &lab.pod, "fd16:11::10", "fd99::1");
    comes_back(&lab.host, &lab.pod, "172.16.11.10", "10.1.20.4");
    let log = std::fs::read_to_string("/var/log/spidernet/coordinator.log").unwrap();
    let told: Vec<&str> = log.lines().filter(|line| line.contains("the node has no address")).collect();
    assert_eq!(told.len(), 1, "{log}");
    assert!(told[0].contains("fd16:11::10"), "{log}");
}

/// As Cilium says which packets its overlay takes: at the default route alone. Everything that leaves by eth0 keeps to it.
pub(crate) fn an_overlay_of_shorter_packets() {
    let lab = node(0, &[4, 6]);
    lab.pod.ip("route replace default via 169.254.1.1 dev eth0 mtu 1450
         -6 route replace default via fe80::1:1 dev eth0 mtu 1450");
    lab.rail(1, &[4, 6]);
    for _ in 0..2 {
        lab.add("net1", &plain()).ok();
        lab.call("CHECK", "net1", &plain()).ok();
        state::is(&lab, "overlay-1-dual-mtu");
    }
    // What gives up the default route and gets it back, too.
    lab.agent.set("podDefaultRouteNIC", "net1".into());
    lab.add("net1", &plain()).ok();
    lab.call("DEL", "net1", &plain()).ok();
    let main = &state::of(&lab.pod)["routes"]["main"];
    for line in
        ["default via 169.254.1.1 dev eth0 mtu 1450 ours", "default6 via fe80::1:1 dev eth0 mtu 1450 ours"]
    {
        assert!(main.as_array().unwrap().contains(&line.into()), "{main}");
    }
}

/// Rails of IPv4 beside an overlay of IPv6 alone: the node's IPv4 address is reached all the same.
pub(crate) fn a_rail_of_a_family_that_the_overlay_lacks() {
    let lab = Lab::new();
    lab.calico(&[6]);
    lab.rail(1, &[4]);
    lab.host.ip("route add 172.16.11.0/24 dev uplink");
    lab.add("net1", &plain()).ok();
    comes_back(&lab.fabric, &lab.pod, "172.16.11.10", "10.99.0.1");
    comes_back(&lab.host, &lab.pod, "172.16.11.10", "10.1.20.4");
}

/// Whatever the order, and however often: the end is the same.
pub(crate) fn eight_rails_in_any_order_and_twice() {
    let lab = node(8, &[4]);
    for number in 1..=8 {
        lab.add(&format!("net{number}"), &plain()).ok();
    }
    state::is(&lab, "overlay-8");
    for number in 1..=8_u8 {
        comes_back(&lab.fabric, &lab.pod, &format!("172.16.{}.10", number + 10), "10.99.0.1");
    }
    for number in (1..=8).rev() {
        lab.add(&format!("net{number}"), &plain()).ok();
        lab.call("CHECK", &format!("net{number}"), &plain()).ok();
    }
    state::is(&lab, "overlay-8");
}

pub(crate) fn eight_rails_of_ipv6_and_of_both() {
    for (families, file) in [(&[6][..], "overlay-8-ipv6"), (&[4, 6], "overlay-8-dual")] {
        let lab = node(8, families);
        for number in [3, 1, 8, 2, 5, 4, 7, 6] {
            lab.add(&format!("net{number}"), &plain()).ok();
        }
        for number in 1..=8_u8 {
            lab.call("CHECK", &format!("net{number}"), &plain()).ok();
            comes_back(&lab.fabric, &lab.pod, &format!("fd16:{}::10", number + 10), "fd99::1");
        }
        state::is(&lab, file);
    }
}

/// Nothing of one is in the way of another.
pub(crate) fn eight_rails_at_once() {
    let lab = node(8, &[4]);
    let all: Vec<_> = (1..=8).map(|number| lab.start("ADD", &format!("net{number}"))).collect();
    for mut process in all {
        assert!(process.wait().unwrap().success());
    }
    state::is(&lab, "overlay-8");
    for number in 1..=8 {
        lab.call("CHECK", &format!("net{number}"), &plain()).ok();
    }
}

pub(crate) fn eight_rails_backwards() {
    let lab = node(8, &[4]);
    for number in (1..=8).rev() {
        lab.add(&format!("net{number}"), &plain()).ok();
    }
    state::is(&lab, "overlay-8");
}

/// Named before it is there, and whichever comes first.
pub(crate) fn a_rail_with_the_default_route() {
    for order in [["net1", "net2"], ["net2", "net1"]] {
        let lab = node(2, &[4]);
        lab.agent.set("podDefaultRouteNIC", "net2".into());
        for nic in order {
            lab.add(nic, &plain()).ok();
        }
        state::is(&lab, "overlay-2-default-net2");
        // Where nobody chose, it leaves by net2 now; the node, Services and replies of eth0 have their own ways.
        comes_back(&lab.pod, &lab.fabric, "10.99.0.1", "172.16.12.10");
        comes_back(&lab.pod, &lab.host, "10.1.20.4", "10.233.119.164");
        comes_back(&lab.host, &lab.pod, "10.233.119.164", "10.1.20.4");
        comes_back(&lab.fabric, &lab.pod, "172.16.11.10", "10.99.0.1");

        lab.call("DEL", "net2", &plain()).ok();
        let main = &state::of(&lab.pod)["routes"]["main"];
        assert!(main.as_array().unwrap().contains(&"default via 169.254.1.1 dev eth0 ours".into()), "{main}");
    }
}

pub(crate) fn routes_that_are_not_to_be_tuned() {
    let lab = node(1, &[4]);
    let fields =
        json!({ "tunePodRoutes": false, "policyRoutes": [{ "dst": "10.50.0.0/16", "gw": "172.16.11.254" }] });
    lab.add("net1", &fields).ok();
    state::is(&lab, "overlay-1-untuned");
}

/// Every field of the network, each against another value of the cluster's.
pub(crate) fn every_setting() {
    let lab = node(1, &[4, 6]);
    for (field, value) in [
        ("podRPFilter", json!(0)),
        ("txQueueLen", json!(100)),
        ("podMACPrefix", json!("0c:0c")),
        ("hostRuleTable", json!(501)),
        ("policyRoutes", json!([{ "dst": "10.60.0.0/16", "gw": "172.16.11.1" }])),
    ] {
        lab.agent.set(field, value);
    }
    lab.pod.set_sysctl("net/ipv4/conf/net1/rp_filter", "1");
    lab.pod.set_sysctl("net/ipv6/conf/all/disable_ipv6", "0");
    let fields = json!({
        "mode": "overlay", "podRPFilter": 2, "txQueueLen": 2000, "podMACPrefix": "0a:1b", "hostRuleTable": 777,
        "hijackCIDR": ["10.70.0.1"], "serviceCIDR": ["10.96.0.0/12"], "overlayPodCIDR": ["10.244.0.0/16"],
        "policyRoutes": [{ "dst": "10.50.0.7", "gw": "172.16.11.254" }],
        "detectGateway": true, "detectIPConflict": true, "detectOptions": { "retries": 3, "interval": "10ms" },
        "hostRPFilter": 0, "multusNicPrefix": "net",
    });
    // Somebody on the rail remembers the hardware address of before.
    lab.fabric.ip("neighbour replace 172.16.11.10 dev wire1 lladdr 02:00:00:00:00:01 nud stale");
    let mut with_addresses = fields.clone();
    with_addresses["prevResult"] = json!({
        "cniVersion": "1.1.0", "interfaces": [{ "name": "net1", "mac": "02:00:00:00:00:01", "sandbox": lab.pod.path() }],
        "ips": [{ "address": "172.16.11.10/24", "interface": 0 }],
    });
    let printed = lab.add("net1", &with_addresses).ok();
    let known = lab.fabric.run(|| ip("neighbour show 172.16.11.10"));
    assert!(known.contains("lladdr 0a:1b:ac:10:0b:0a"), "{known}");
    state::is(&lab, "overlay-1-every-setting");
    for name in ["all", "net1", "eth0"] {
        assert_eq!(lab.pod.sysctl(&format!("net/ipv4/conf/{name}/rp_filter")), "2", "{name}");
    }
    assert_eq!(printed["interfaces"][0]["mac"], "0a:1b:ac:10:0b:0a");
    let link = lab.pod.run(|| ip("link show net1"));
    assert!(link.contains("0a:1b:ac:10:0b:0a") && link.contains("qlen 2000"), "{link}");
    lab.call("CHECK", "net1", &fields).ok();
}

/// A cluster's policy routes are for those networks whose subnet has the gateway.
pub(crate) fn policy_routes_of_the_cluster() {
    let lab = node(2, &[4]);
    lab.agent.set("policyRoutes", json!([{ "dst": "10.50.0.0/16", "gw": "172.16.12.253" }]));
    for nic in ["net1", "net2"] {
        lab.add(nic, &plain()).ok();
    }
    let routes = state::of(&lab.pod)["routes"].clone();
    let line = Value::from("10.50.0.0/16 via 172.16.12.253 dev net2 ours");
    assert!(routes["102"].as_array().unwrap().contains(&line), "{routes}");
    assert!(!routes["101"].to_string().contains("10.50.0.0"), "{routes}");
}

/// `cni0` of a bridge plugin has the addresses, not its port.
pub(crate) fn an_overlay_of_bridges() {
    let lab = Lab::new();
    lab.host.ip("link add cni0 address 02:00:00:00:00:c0 type bridge
         address add 10.244.1.1/24 dev cni0
         link set cni0 up
         link add port type veth peer name eth0 address 02:00:00:00:00:e0
         link set port master cni0
         link set port up");
    lab.host.ip(&format!("link set eth0 netns {}", lab.pod.path()));
    lab.pod.ip("address add 10.244.1.5/24 dev eth0
         link set eth0 up
         route add 10.244.0.0/16 via 10.244.1.1 dev eth0
         route add default via 10.244.1.1 dev eth0");
    lab.rail(1, &[4]);
    lab.agent.set("overlayPodCIDR", json!(["10.244.0.0/16"]));
    lab.add("net1", &plain()).ok();
    state::is(&lab, "overlay-1-bridge");
    comes_back(&lab.fabric, &lab.pod, "172.16.11.10", "10.99.0.1");
    comes_back(&lab.host, &lab.pod, "172.16.11.10", "10.244.1.1");
    comes_back(&lab.pod, &lab.host, "10.244.1.1", "10.244.1.5");
}
