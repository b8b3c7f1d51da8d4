//! The rails of a pod: what it has, what it reaches, what it does not see.

use std::thread;

use serde_json::{Value, json};

use crate::agent::{self, Agent};
use crate::guest::run;
use crate::home::{self, Function};
use crate::pod::{Pod, Side, ping_pong};
use crate::runtime::{Attachment, alone, chain, status};

/// Attaches one function of every port, all with the same number: `net1` is of port 0.
fn attach_all(pod: &Pod, number: u32) -> Vec<(&'static Function, Attachment)> {
    let rails = (0..home::ports()).map(|port| {
        let function = home::function(port, number);
        let mut rail = Attachment::new(pod, &format!("net{}", port + 1), chain(function, &json!({})));
        rail.add().unwrap();
        (function, rail)
    });
    rails.collect()
}

fn detach_all(rails: &[(&Function, Attachment)]) {
    for (_, rail) in rails {
        rail.del().unwrap();
    }
}

fn link(pod: &Pod, name: &str) -> Value {
    let shown: Value = serde_json::from_str(&pod.run(&format!("ip -json address show {name}"))).unwrap();
    shown[0].clone()
}

pub(crate) fn one_is_as_configured() {
    let (_agent, pod) = (Agent::start(), Pod::of_cluster("pod-1"));
    let function = home::function(0, 0);
    let more = json!({
        "mac": "02:00:00:AA:00:01", "mtu": 9000, "vlan": 100, "vlanQoS": 3, "spoofchk": "off", "trust": "on",
        "max_tx_rate": 100,
    });
    let mut rail = Attachment::new(&pod, "net1", chain(function, &more));
    let answer = rail.add().unwrap();
    assert_eq!(
        answer["interfaces"],
        json!([{"name": "net1", "mac": "02:00:00:aa:00:01", "mtu": 9000, "sandbox": pod.path(), "pciID": function.pci}])
    );
    assert_eq!(
        answer["ips"],
        json!([{"interface": 0, "address": "172.16.11.1/24", "gateway": "172.16.11.254"}])
    );

    let seen = link(&pod, "net1");
    assert_eq!((&seen["address"], &seen["mtu"]), (&json!("02:00:00:aa:00:01"), &json!(9000)));
    assert_eq!(
        (&seen["addr_info"][0]["local"], &seen["addr_info"][0]["prefixlen"]),
        (&json!("172.16.11.1"), &json!(24))
    );
    assert!(seen["flags"].as_array().unwrap().contains(&json!("UP")));
    let settings = &home::look()[0].settings;
    assert_eq!(settings["address"], "02:00:00:aa:00:01");
    assert_eq!(settings["vlan_list"], json!([{"vlan": 100, "qos": 3}]));
    assert_eq!((&settings["spoofchk"], &settings["trust"]), (&json!(false), &json!(true)));
    assert_eq!(settings["rate"]["max_tx"], 100);
    rail.check().unwrap();

    pod.run("ip link set net1 txqueuelen 77");
    rail.del().unwrap();
    assert_eq!(home::look(), home::all());
    rail.del().unwrap();
}

pub(crate) fn eight_answer_each_by_itself() {
    let (_agent, pod) = (Agent::start(), Pod::of_cluster("pod-1"));
    let rails = attach_all(&pod, 0);
    assert!(pod.run("ip route get 192.0.2.1").contains("via 169.254.1.1 dev eth0"));
    for number in 1..=rails.len() {
        let name = format!("net{number}");
        let (address, gateway) = agent::address("pod-1", &name);
        let route = pod.run(&format!("ip route get 192.0.2.1 from {address}"));
        assert!(route.contains(&format!("via {gateway} dev {name}")), "{route}");
        let route = pod.run(&format!("ip route get {gateway}"));
        assert!(route.contains(&format!("dev {name} src {address}")), "{route}");
    }
    for (_, rail) in &rails {
        rail.check().unwrap();
    }
    detach_all(&rails);
    assert_eq!(pod.run("ip -brief link show type device"), "");
}

pub(crate) fn rdma_devices_are_in_their_pod_only() {
    let (_agent, pods) = (Agent::start(), [Pod::of_cluster("pod-1"), Pod::of_cluster("pod-2")]);
    let rails = [attach_all(&pods[0], 0), attach_all(&pods[1], 1)];
    let here = run("rdma dev show");
    for (pod, rails) in pods.iter().zip(&rails) {
        let mut own: Vec<&str> = rails.iter().filter_map(|(function, _)| function.rdma.as_deref()).collect();
        let mut seen = pod.rdma();
        own.sort_unstable();
        seen.sort_unstable();
        assert_eq!(seen, own);
        for name in own {
            assert!(!here.contains(&format!(" {name}: ")), "{name} on the host");
        }
    }
    for rails in &rails {
        detach_all(rails);
    }
}

pub(crate) fn two_pods_talk_over_every_rail() {
    let (_agent, pods) = (Agent::start(), [Pod::of_cluster("pod-1"), Pod::of_cluster("pod-2")]);
    let rails = [attach_all(&pods[0], 0), attach_all(&pods[1], 1)];
    thread::scope(|scope| {
        for number in 0..rails[0].len() {
            let (rails, pods) = (&rails, &pods);
            scope.spawn(move || {
                let name = format!("net{}", number + 1);
                let (server, _) = agent::address("pod-1", &name);
                let (client, _) = agent::address("pod-2", &name);
                pods[1].run(&format!("ping -c 1 -w 20 -I {name} {server}"));
                let rdma = |pod: usize| rails[pod][number].0.rdma.as_deref().unwrap();
                ping_pong(
                    &Side { pod: &pods[0], rdma: rdma(0), address: &server },
                    &Side { pod: &pods[1], rdma: rdma(1), address: &client },
                    18515 + u16::try_from(number).unwrap(),
                );
            });
        }
    });
    for rails in &rails {
        detach_all(rails);
    }
}

pub(crate) fn vlans_keep_pods_apart() {
    let (_agent, pods) = (Agent::start(), [Pod::new("pod-1"), Pod::new("pod-2")]);
    let attach = |pod: usize, vlan: u32| {
        let function = home::function(0, u32::try_from(pod).unwrap());
        let mut rail = Attachment::new(&pods[pod], "net1", alone(function, &json!({"vlan": vlan})));
        rail.add().unwrap();
        pods[pod].run(&format!("ip address add 10.56.0.{}/24 dev net1", pod + 1));
        rail
    };
    let first = attach(0, 100);
    for (vlan, reached) in [(0, false), (200, false), (100, true)] {
        let second = attach(1, vlan);
        let wait = if reached { 20 } else { 2 };
        let asked = pods[1].output(&format!("ping -c 1 -w {wait} 10.56.0.1"));
        assert_eq!(
            asked.status.success(),
            reached,
            "from VLAN {vlan}: {}",
            String::from_utf8_lossy(&asked.stdout)
        );
        second.del().unwrap();
    }
    first.del().unwrap();
}

pub(crate) fn status_tells_what_would_fail() {
    let list = chain(home::function(0, 0), &json!({}));
    let agent = Agent::start();
    status(&list).unwrap();
    drop(agent);
    let error = status(&list).unwrap_err();
    assert_eq!(error["code"], 50, "{error}");
}

pub(crate) fn check_tells_what_has_changed() {
    let (_agent, pod) = (Agent::start(), Pod::of_cluster("pod-1"));
    let function = home::function(0, 0);
    let mut rail = Attachment::new(&pod, "net1", chain(function, &json!({"vlan": 100})));
    rail.add().unwrap();
    rail.check().unwrap();
    let port = format!("ip link set rail0 vf {} vlan", function.number);
    let route = "default via 172.16.11.254 dev net1 table 101 proto 84";
    pod.run(&format!("ip route delete {route}"));
    let error = rail.check().unwrap_err();
    assert_eq!(error["msg"], "interface net1 of the pod has lost its route to 0.0.0.0/0");
    pod.run(&format!("ip route add {route}"));
    rail.check().unwrap();
    let changes = [
        ("ip link set net1 down", "ip link set net1 up"),
        ("ip address delete 172.16.11.1/24 dev net1", "ip address add 172.16.11.1/24 dev net1"),
    ];
    for (change, back) in changes {
        pod.run(change);
        assert!(rail.check().is_err(), "{change}");
        pod.run(back);
    }
    run(&format!("{port} 200"));
    assert!(rail.check().is_err(), "{port} 200");
    run(&format!("{port} 100"));
    rail.del().unwrap();
}

pub(crate) fn what_the_port_refuses_leaves_no_trace() {
    let pod = Pod::new("pod-1");
    for (field, value) in
        [("link_state", json!("enable")), ("vlanProto", json!("802.1ad")), ("min_tx_rate", json!(10))]
    {
        let more =
            json!({"mac": "02:00:00:aa:00:01", "vlan": 100, "spoofchk": "off", "trust": "on", field: value});
        let error = Attachment::new(&pod, "net1", alone(home::function(0, 0), &more)).add().unwrap_err();
        assert_eq!(error["code"], 100, "{error}");
        assert_eq!(home::look(), home::all(), "after {field} was refused: {error}");
    }
}
