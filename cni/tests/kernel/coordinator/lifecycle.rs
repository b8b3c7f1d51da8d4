//! What happens around an ADD: failures, DEL in every situation, CHECK, STATUS, GC.

use serde_json::{Value, json};

use super::lab::{Lab, Place};
use super::state;
use crate::namespace::ip;

fn overlay() -> Lab {
    let lab = Lab::new();
    lab.calico(&[4]);
    lab.rail(1, &[4]);
    lab
}

fn underlay() -> Lab {
    let lab = Lab::new();
    lab.underlay(&[4]);
    lab
}

/// All that can be seen of both.
fn seen(lab: &Lab) -> Value {
    let links = |place: &Place| place.run(|| ip("link show"));
    let sysctls = lab.pod.run(|| {
        ["all", "eth0", "default"]
            .map(|name| std::fs::read_to_string(format!("/proc/sys/net/ipv4/conf/{name}/rp_filter")).unwrap())
    });
    json!([state::of(&lab.pod), state::of(&lab.host), links(&lab.pod), links(&lab.host), sysctls])
}

pub(crate) fn a_network_that_is_off_needs_no_agent() {
    let lab = overlay();
    lab.agent.answer.lock().unwrap().0 = 500;
    let before = seen(&lab);
    for word in ["disable", "disabled"] {
        let printed = lab.add("net1", &json!({ "mode": word })).ok();
        assert_eq!(printed["interfaces"][0]["name"], "net1", "the result of the plugins before");
    }
    lab.agent.answer.lock().unwrap().0 = 200;
    lab.agent.set("mode", "disable".into());
    lab.add("net1", &json!({})).ok();
    assert_eq!(seen(&lab), before);
    assert_eq!(lab.records().len(), 0);
    for command in ["CHECK", "DEL", "STATUS"] {
        lab.call(command, "net1", &json!({ "mode": "disabled" })).ok();
    }
}

pub(crate) fn without_the_agent_it_is_to_be_tried_again() {
    let lab = overlay();
    let before = seen(&lab);
    let nowhere = json!({ "ipamUnixSocketPath": "/run/nowhere.sock" });
    let (code, message) = lab.add("net1", &nowhere).error();
    assert_eq!(code, 11);
    assert!(
        message.starts_with(
            "failed to connect to the node agent on /run/nowhere.sock; is it running on this node?"
        ),
        "{message}"
    );
    assert!(message.contains("the runtime tries again"), "{message}");
    assert_eq!(lab.call("STATUS", "net1", &nowhere).error().0, 50);
    lab.call("STATUS", "net1", &json!({})).ok();

    *lab.agent.answer.lock().unwrap() = (500, json!("there is no SpiderCoordinator default; create it"));
    let (code, message) = lab.add("net1", &json!({})).error();
    assert_eq!(code, 103);
    assert_eq!(
        message,
        "the node agent has no coordinator configuration for this pod: there is no SpiderCoordinator default; create it"
    );
    assert_eq!(seen(&lab), before);
}

pub(crate) fn what_cannot_be_is_refused_before_anything_is_touched() {
    let lab = overlay();
    let before = seen(&lab);
    for (nic, fields, reason) in [
        (
            "net7",
            json!({}),
            "the pod has no interface net7; the plugin that makes it must stand before coordinator",
        ),
        (
            "net1",
            json!({ "mode": "bridge" }),
            "mode is \"bridge\"; write auto, overlay, underlay or disabled",
        ),
        (
            "net1",
            json!({ "mode": "underlay" }),
            "mode is underlay, but the pod has no veth0: its first interface eth0 came",
        ),
        ("eth0", json!({ "mode": "overlay" }), "mode is overlay, but eth0 is the pod's first interface"),
        (
            "net1",
            json!({ "podDefaultCniNic": "bond0" }),
            "the pod has no first interface bond0; write the name",
        ),
        (
            "net1",
            json!({ "vethMTU": 1, "podMACPrefix": "01:00" }),
            "vethMTU is 1; write a number of bytes from 68",
        ),
        (
            "net1",
            json!({ "vethMTU": 1, "podMACPrefix": "01:00" }),
            "; podMACPrefix is \"01:00\"; the lowest bit",
        ),
        ("net1", json!({ "hostRuleTable": 254 }), "hostRuleTable is 254; write a table"),
        ("net1", json!({ "hijackCIDR": ["ten"] }), "hijackCIDR has \"ten\"; write an address or a prefix"),
    ] {
        let (code, message) = lab.add(nic, &fields).error();
        assert_eq!(code, 7, "{message}");
        assert!(message.contains(reason), "{reason}: {message}");
    }
    assert_eq!(seen(&lab), before);
    assert_eq!(lab.records().len(), 0);
}

/// Each fails at another place: links are changed by then; routes of the pod; everything but the host.
pub(crate) fn a_failure_leaves_no_trace() {
    let lab = overlay();
    let before = seen(&lab);
    let changes = json!({ "txQueueLen": 77, "podMACPrefix": "0a:1b", "podRPFilter": 2 });
    let with = |more: Value| {
        let mut fields = changes.clone();
        more.as_object().unwrap().iter().for_each(|(key, value)| fields[key] = value.clone());
        fields
    };
    let route = |dst: &str, gw: &str| json!({ "policyRoutes": [{ "dst": dst, "gw": gw }] });
    let (code, message) = lab.add("net1", &with(route("10.50.0.0/16", "192.0.2.1"))).error();
    assert_eq!(code, 7);
    assert_eq!(
        message,
        "policyRoutes has 10.50.0.0/16 via 192.0.2.1, but net1 of the pod has 172.16.11.0/24; \
         write a gateway that is in its subnet"
    );
    assert_eq!(seen(&lab), before);

    // The node has the address of the pod, which so becomes its own gateway.
    let lab = overlay();
    lab.host.ip("address add fd85::164/128 dev cali0 nodad");
    lab.pod.set_sysctl("net/ipv6/conf/eth0/accept_dad", "1");
    lab.pod.ip("address add fd85::164/128 dev eth0
         address add fd16:11::10/64 dev net1 nodad");
    let before = seen(&lab);
    let (code, message) = lab.add("net1", &changes).error();
    assert_eq!(code, 100);
    assert!(message.starts_with("failed to add the route to fd85::/64 to table 254: Gateway"), "{message}");
    assert_eq!(seen(&lab), before);
    assert_eq!(lab.records().len(), 0);

    let lab = Lab::new();
    lab.underlay(&[4, 6]);
    lab.host.set_sysctl("net/ipv6/conf/default/disable_ipv6", "1");
    lab.host.set_sysctl("net/ipv6/conf/uplink/disable_ipv6", "0");
    let before = seen(&lab);
    let (code, message) = lab.add("eth0", &changes).error();
    assert_eq!(code, 100, "{message}");
    assert!(message.contains("fd17::210"), "the host takes no IPv6 route over the veth: {message}");
    assert_eq!(seen(&lab), before, "the veth is gone again");
    assert_eq!(lab.records().len(), 0);
}

/// A rail whose address nobody has a gateway for cannot have the pod's default route.
pub(crate) fn a_default_route_needs_a_gateway() {
    let lab = overlay();
    lab.pod.ip("route del default via 172.16.11.254 dev net1");
    lab.agent.set("podDefaultRouteNIC", "net1".into());
    let before = seen(&lab);
    let (code, message) = lab.add("net1", &json!({})).error();
    assert_eq!(code, 7);
    assert!(
        message.starts_with("interface net1 is to have the pod's default route (podDefaultRouteNIC"),
        "{message}"
    );
    assert_eq!(seen(&lab), before);
}

/// The result of the plugins before may promise a route that they left to the coordinator.
pub(crate) fn a_default_route_that_was_only_promised() {
    let lab = overlay();
    lab.pod.ip("route del default via 172.16.11.254 dev net1");
    let promised = json!({
        "cniVersion": "1.1.0", "interfaces": [{ "name": "net1", "sandbox": lab.pod.path() }],
        "ips": [{ "address": "172.16.11.10/24", "gateway": "172.16.11.254", "interface": 0 }],
        "routes": [{ "dst": "0.0.0.0/0" }],
    });
    lab.add("net1", &json!({ "prevResult": promised })).ok();
    state::is(&lab, "overlay-1");
}

/// An interface without addresses is turned on, and that is all there is to do for it.
pub(crate) fn an_interface_without_addresses() {
    let lab = overlay();
    lab.pod.ip("address flush dev net1");
    lab.pod.ip("link set net1 down");
    lab.add("net1", &json!({})).ok();
    assert!(lab.pod.run(|| ip("link show net1")).contains(",UP"));
    assert_eq!(state::of(&lab.host)["rules"], json!([]));
    lab.call("DEL", "net1", &json!({})).ok();
}

pub(crate) fn nothing_stays_on_the_node() {
    for gone in [false, true] {
        let mut lab = underlay();
        lab.rail(1, &[4]);
        let before = state::of(&lab.host);
        for nic in ["eth0", "net1"] {
            lab.add(nic, &json!({})).ok();
        }
        assert_eq!(lab.records().len(), 2);
        let path = if gone { String::new() } else { lab.pod.path() };
        if gone {
            drop(lab.another("0123456789abcdef0123"));
        }
        for nic in ["net1", "eth0", "eth0"] {
            // Without the agent, without a result, and again.
            let fields = json!({ "ipamUnixSocketPath": "/run/nowhere.sock", "prevResult": null });
            lab.call_with("DEL", nic, &path, &fields).ok();
        }
        assert_eq!(state::of(&lab.host), before, "gone: {gone}");
        assert!(!lab.host.run(|| ip("link show")).contains("veth0123"));
        assert_eq!(lab.records().len(), 0);
    }
}

/// What stays of a rail that a living pod loses: nothing, and the others work on.
pub(crate) fn a_rail_leaves_a_pod_that_lives_on() {
    let lab = overlay();
    lab.rail(2, &[4]);
    lab.add("net1", &json!({})).ok();
    let with_one = state::of(&lab.host);
    lab.add("net2", &json!({})).ok();
    lab.call("DEL", "net2", &json!({})).ok();
    let pod = state::of(&lab.pod);
    assert!(pod["routes"].get("102").is_none(), "{pod}");
    assert!(!pod["rules"].to_string().contains("102"), "{pod}");
    assert_eq!(state::of(&lab.host), with_one);
    lab.call("CHECK", "net1", &json!({})).ok();
}

/// As after a disk that was full.
pub(crate) fn a_record_that_cannot_be_read_keeps_no_pod() {
    let lab = underlay();
    lab.add("eth0", &json!({})).ok();
    let record = lab.records().pop().unwrap();
    lab.host.run(|| std::fs::write(record, "{").unwrap());
    lab.call("DEL", "eth0", &json!({})).ok();
    assert!(!lab.host.run(|| ip("link show")).contains("veth0123"));
    assert_eq!(lab.records().len(), 0);
}

/// The veth of a pod that the plugin in Go attached: it has no record.
pub(crate) fn a_pod_of_the_plugin_in_go_is_detached() {
    let lab = underlay();
    lab.host.ip("link add veth0123456789a type veth peer name other");
    lab.call("DEL", "net1", &json!({})).ok();
    assert!(lab.host.run(|| ip("link show")).contains("veth0123456789a"), "that is of eth0");
    lab.call("DEL", "eth0", &json!({})).ok();
    assert!(!lab.host.run(|| ip("link show")).contains("veth0123456789a"));
}

pub(crate) fn a_check_finds_what_was_changed() {
    let lab = overlay();
    lab.add("net1", &json!({ "podRPFilter": 0 })).ok();
    lab.agent.answer.lock().unwrap().0 = 500;
    let check = || lab.call("CHECK", "net1", &json!({}));
    check().ok();
    for (place, spoil, mend, reason) in [
        (
            &lab.pod,
            "rule del from 172.16.11.10",
            "rule add from 172.16.11.10 lookup 101 pref 32765 proto 84",
            "pod: the rule from 172.16.11.10/32 to table 101 is missing",
        ),
        (
            &lab.pod,
            "route del 10.233.0.0/18",
            "route add 10.233.0.0/18 via 10.1.20.4 src 10.233.119.164 proto 84",
            "pod: the route to 10.233.0.0/18 is missing in table 254",
        ),
        (&lab.pod, "link set net1 down", "link set net1 up", "is off"),
        (
            &lab.host,
            "rule del pref 1000",
            "rule add pref 1000 lookup 500 proto 84",
            "node: the rule from 0.0.0.0/0 to table 500 is missing",
        ),
        (
            &lab.host,
            "neighbour del 172.16.11.10 dev cali0",
            "neighbour add 172.16.11.10 dev cali0 lladdr 02:00:00:00:00:e0 nud permanent",
            "node: the neighbour 172.16.11.10 of link",
        ),
    ] {
        place.ip(spoil);
        let (code, message) = check().error();
        assert_eq!(code, 104);
        assert!(message.starts_with("net1 is not as it was attached: "), "{message}");
        assert!(message.contains(reason), "{reason}: {message}");
        place.ip(mend);
        if spoil.contains("down") {
            lab.agent.answer.lock().unwrap().0 = 200;
            lab.pod.ip("route prepend default via 172.16.11.254 dev net1");
            lab.add("net1", &json!({})).ok();
            lab.agent.answer.lock().unwrap().0 = 500;
        }
        check().ok();
    }
}

pub(crate) fn garbage_of_this_network_is_removed() {
    let mut lab = underlay();
    lab.rail(1, &[4]);
    for nic in ["eth0", "net1"] {
        lab.add(nic, &json!({})).ok();
    }
    let before = state::of(&lab.host);
    let id = lab.container_id.clone();
    let valid = |list: Value| json!({ "cni.dev/valid-attachments": list });
    let gc = |lab: &Lab, nic: &str, list: Value| lab.call("GC", nic, &valid(list)).ok();
    gc(&lab, "eth0", json!([{ "containerID": id, "ifname": "eth0" }]));
    // Another network's GC does not know of this one's attachments.
    gc(&lab, "net9", json!([]));
    assert_eq!(state::of(&lab.host), before);
    drop(lab.another("0123456789abcdef0123"));
    gc(&lab, "net1", json!([]));
    gc(&lab, "eth0", json!([{ "containerID": "somebody", "ifname": "eth0" }]));
    assert_eq!(state::of(&lab.host)["rules"], json!([]));
    assert!(!lab.host.run(|| ip("link show")).contains("veth0123"));
    assert_eq!(lab.records().len(), 0);
}

/// A path below `/proc` comes to mean another namespace when the number of its process is used again.
pub(crate) fn a_path_that_means_another_namespace_by_now() {
    let mut lab = overlay();
    let before = state::of(&lab.host);
    lab.add("net1", &json!({})).ok();
    let own = "/proc/thread-self/ns/net";
    for command in ["ADD", "CHECK"] {
        let (code, message) = lab.call_with(command, "net1", own, &json!({})).error();
        assert_eq!(code, 4);
        assert_eq!(message, format!("CNI_NETNS {own} is the network namespace of the host, which is no pod"));
    }
    lab.call_with("DEL", "net1", own, &json!({})).ok();
    assert_eq!(state::of(&lab.host), before);
    assert_eq!(lab.records().len(), 0);

    lab.add("net1", &json!({})).ok();
    let pod = lab.another("0123456789abcdef0123");
    lab.pod.ip("link add net1 type veth peer name wire1
         link set net1 up
         address add 172.16.11.9/24 dev net1
         route add 10.7.0.0/16 dev net1 table 101 proto 84
         rule add from 172.16.11.9 lookup 101 pref 32765 proto 84");
    let of_another = state::of(&lab.pod);
    lab.call("DEL", "net1", &json!({})).ok();
    assert_eq!(state::of(&lab.pod), of_another);
    assert_eq!(state::of(&lab.host), before);
    drop(pod);
}

/// Whatever an ADD of a rail had done in the pod when it was killed, another one makes the whole of it.
pub(crate) fn a_rail_killed_at_any_moment() {
    let lab = overlay();
    for round in 0..30 {
        let mut process = lab.start("ADD", "net1");
        std::thread::sleep(std::time::Duration::from_micros(round * 700));
        // It may have ended by itself.
        process.kill().ok();
        process.wait().unwrap();
        if round % 2 == 0 {
            lab.call("DEL", "net1", &json!({ "prevResult": null })).ok();
            assert_eq!(state::of(&lab.host)["rules"], json!([]), "after {round} times 0.7 ms");
            let pod = state::of(&lab.pod);
            assert!(pod["routes"].get("101").is_none() && !pod["rules"].to_string().contains("101"), "{pod}");
            lab.pod.ip("link delete net1");
            lab.rail(1, &[4]);
        }
        lab.add("net1", &json!({})).ok();
        lab.call("CHECK", "net1", &json!({})).ok();
        state::is(&lab, "overlay-1");
        lab.call("DEL", "net1", &json!({})).ok();
        lab.pod.ip("link delete net1");
        lab.rail(1, &[4]);
    }
}

/// A runtime that loses patience: whatever was done by then, a DEL finds it, and another ADD works.
pub(crate) fn killed_at_any_moment() {
    let lab = underlay();
    let before = state::of(&lab.host);
    for round in 0..40 {
        let mut process = lab.start("ADD", "eth0");
        std::thread::sleep(std::time::Duration::from_micros(round * 500));
        // It may have ended by itself.
        process.kill().ok();
        process.wait().unwrap();
        lab.call("DEL", "eth0", &json!({ "prevResult": null })).ok();
        assert_eq!(state::of(&lab.host), before, "after {round} half milliseconds");
        assert!(!lab.host.run(|| ip("link show")).contains("veth0123"));
        assert_eq!(lab.records().len(), 0);
    }
    lab.add("eth0", &json!({})).ok();
    lab.call("CHECK", "eth0", &json!({})).ok();
}
