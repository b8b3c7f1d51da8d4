//! Pods whose first interface is on the node's own network.

use serde_json::{Value, json};

use super::lab::{Lab, Place, comes_back, is_lost};
use super::state;
use crate::namespace::ip;

fn node(rails: u8, families: &[u8]) -> Lab {
    let lab = Lab::new();
    lab.underlay(families);
    (1..=rails).for_each(|number| lab.rail(number, families));
    lab
}

/// A client behind the node, as of a `NodePort` whose traffic policy keeps the client's address.
fn client(lab: &Lab) -> Place {
    let client = Place::new();
    lab.host.ip("link add toclient type veth peer name eth0");
    lab.host.ip(&format!("link set eth0 netns {}", client.path()));
    lab.host.ip("link set toclient up
         address add 10.5.0.1/24 dev toclient
         address add fd05::1/64 dev toclient nodad");
    client.ip("address add 10.5.0.2/24 dev eth0
         address add fd05::2/64 dev eth0 nodad
         link set eth0 up
         route add default via 10.5.0.1
         -6 route add default via fd05::1");
    client
}

pub(crate) fn the_node_and_the_pod_reach_each_other() {
    let lab = node(0, &[4]);
    let client = client(&lab);
    is_lost(&lab.pod, &lab.host, "10.1.20.4");
    let fields = json!({ "vethLinkAddress": "169.254.100.1", "vethMTU": 4200 });
    lab.add("eth0", &fields).ok();
    lab.call("CHECK", "eth0", &fields).ok();
    state::is(&lab, "underlay-1");
    let veth = lab.pod.run(|| ip("address show dev veth0"));
    assert!(veth.contains("169.254.100.1/32") && veth.contains("mtu 4200") && veth.contains(",UP"), "{veth}");

    comes_back(&lab.pod, &lab.host, "10.1.20.4", "172.100.0.210");
    comes_back(&lab.host, &lab.pod, "172.100.0.210", "10.1.20.4");
    comes_back(&lab.fabric, &lab.pod, "172.100.0.210", "10.99.0.1");
    comes_back(&client, &lab.pod, "172.100.0.210", "10.5.0.2");
    lab.host.ip("address add 10.233.0.1/32 dev lo");
    comes_back(&lab.pod, &lab.host, "10.233.0.1", "172.100.0.210");
}

pub(crate) fn rails_beside_it_of_two_families() {
    let lab = node(2, &[4, 6]);
    let client = client(&lab);
    for nic in ["eth0", "net2", "net1", "eth0", "net1"] {
        lab.add(nic, &json!({})).ok();
    }
    for nic in ["eth0", "net1", "net2"] {
        lab.call("CHECK", nic, &json!({})).ok();
    }
    state::is(&lab, "underlay-3-dual");
    for (address, node, outside, by_node) in [
        ("172.16.11.10", "10.1.20.4", "10.99.0.1", "10.5.0.2"),
        ("172.16.12.10", "10.1.20.4", "10.99.0.1", "10.5.0.2"),
        ("172.100.0.210", "10.1.20.4", "10.99.0.1", "10.5.0.2"),
        ("fd16:12::10", "fd10::4", "fd99::1", "fd05::2"),
        ("fd17::210", "fd10::4", "fd99::1", "fd05::2"),
    ] {
        comes_back(&lab.host, &lab.pod, address, node);
        comes_back(&lab.fabric, &lab.pod, address, outside);
        comes_back(&client, &lab.pod, address, by_node);
    }
    comes_back(&lab.pod, &lab.host, "fd10::4", "fd17::210");
}

pub(crate) fn one_rail_beside_it() {
    let lab = node(1, &[4]);
    for nic in ["eth0", "net1"] {
        lab.add(nic, &json!({})).ok();
    }
    state::is(&lab, "underlay-2");
    for address in ["172.100.0.210", "172.16.11.10"] {
        comes_back(&lab.fabric, &lab.pod, address, "10.99.0.1");
        comes_back(&lab.host, &lab.pod, address, "10.1.20.4");
    }
}

pub(crate) fn eight_rails_beside_it_of_two_families() {
    let lab = node(8, &[4, 6]);
    lab.add("eth0", &json!({})).ok();
    for number in [3, 1, 8, 2, 5, 4, 7, 6] {
        lab.add(&format!("net{number}"), &json!({})).ok();
    }
    for number in 1..=8_u8 {
        lab.call("CHECK", &format!("net{number}"), &json!({})).ok();
        comes_back(&lab.fabric, &lab.pod, &format!("172.16.{}.10", number + 10), "10.99.0.1");
        comes_back(&lab.fabric, &lab.pod, &format!("fd16:{}::10", number + 10), "fd99::1");
    }
    state::is(&lab, "underlay-9-dual");
}

pub(crate) fn of_ipv6_alone() {
    let lab = node(0, &[6]);
    lab.add("eth0", &json!({})).ok();
    state::is(&lab, "underlay-1-ipv6");
    comes_back(&lab.host, &lab.pod, "fd17::210", "fd10::4");
    comes_back(&lab.pod, &lab.host, "fd10::4", "fd17::210");
}

pub(crate) fn a_rail_has_the_default_route() {
    let lab = node(1, &[4]);
    lab.agent.set("podDefaultRouteNIC", "net1".into());
    for nic in ["eth0", "net1"] {
        lab.add(nic, &json!({})).ok();
    }
    comes_back(&lab.pod, &lab.fabric, "10.99.0.1", "172.16.11.10");
    comes_back(&lab.fabric, &lab.pod, "172.100.0.210", "10.99.0.1");
    comes_back(&lab.host, &lab.pod, "172.100.0.210", "10.1.20.4");
}

/// Two pods of one node at once, each with its own veth; when the one goes, the other stays as it is.
pub(crate) fn two_pods_at_once() {
    let mut lab = node(1, &[4]);
    let first_id = lab.container_id.clone();
    let first = lab.another("fedcba98765432100000");
    lab.fabric.ip("link add lan2 type veth peer name eth0");
    lab.fabric.ip(&format!("link set eth0 netns {}", lab.pod.path()));
    lab.fabric.ip("link set lan2 up");
    lab.pod.ip("link set eth0 up
         address add 172.100.0.211/16 dev eth0");
    let second = &lab.pod;
    let lab_ref = &lab;
    std::thread::scope(|scope| {
        let host = &lab.host;
        scope.spawn(move || host.run(|| lab_ref.add("eth0", &json!({})).ok()));
        scope.spawn(|| {
            host.run(|| {
                for nic in ["eth0", "net1"] {
                    lab_ref.call_of(&first_id, "ADD", nic, &first.path(), &json!({})).ok();
                }
            });
        });
    });
    comes_back(&lab.host, second, "172.100.0.211", "10.1.20.4");
    comes_back(&lab.host, &first, "172.100.0.210", "10.1.20.4");
    comes_back(&lab.host, &first, "172.16.11.10", "10.1.20.4");
    for nic in ["net1", "eth0"] {
        lab.call_of(&first_id, "DEL", nic, &first.path(), &json!({})).ok();
    }
    comes_back(&lab.host, second, "172.100.0.211", "10.1.20.4");
    assert_eq!(
        state::of(&lab.host)["routes"]["500"],
        json!(["172.100.0.211 dev vethfedcba98765 src 10.1.20.4 ours"])
    );
    lab.call("DEL", "eth0", &json!({})).ok();
    assert_eq!(state::of(&lab.host)["rules"], Value::Array(Vec::new()));
}
