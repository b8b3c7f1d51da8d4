//! What goes wrong between ADD and DEL, and after each of it every function is home under its name with its settings.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::agent::Agent;
use crate::guest::run;
use crate::home::{self, Function};
use crate::pod::Pod;
use crate::runtime::{Attachment, chain, collect};

/// Settings that show when they are left behind.
fn marked() -> Value {
    json!({"mac": "02:00:00:aa:00:01", "mtu": 9000, "vlan": 100, "spoofchk": "off", "trust": "on"})
}

fn rail(pod: &Pod, function: &Function) -> Attachment {
    Attachment::new(pod, "net1", chain(function, &marked()))
}

/// Whether the pod has this function, as its configuration says, and nobody else.
fn expect_in(pod: &Pod, function: &Function) {
    assert!(pod.run("ip -details link show net1").contains(&function.pci));
    assert!(pod.run("ip link show net1").contains("02:00:00:aa:00:01"));
    assert_eq!(pod.rdma(), [function.rdma.clone().unwrap()]);
    let now = home::look().into_iter().find(|now| now.pci == function.pci).unwrap();
    assert_eq!(now.settings["vlan_list"], json!([{"vlan": 100}]));
}

pub(crate) fn a_detach_needs_no_agent() {
    let (agent, pod) = (Agent::start(), Pod::of_cluster("pod-1"));
    let mut rail = rail(&pod, home::function(0, 0));
    rail.add().unwrap();
    drop(agent);
    rail.del().unwrap();
}

pub(crate) fn a_detach_needs_no_namespace() {
    let _agent = Agent::start();
    for netns in [true, false] {
        let pod = Pod::of_cluster("pod-1");
        let mut rail = rail(&pod, home::function(0, 0));
        rail.add().unwrap();
        // The kernel brings the link home, as `net1` and with what the pod had set.
        drop(pod);
        let rail = if netns { rail } else { rail.without_netns() };
        rail.del().unwrap();
        home::expect_all();
    }
}

pub(crate) fn a_detach_needs_nothing_but_the_record() {
    let (_agent, pod) = (Agent::start(), Pod::of_cluster("pod-1"));
    let function = home::function(0, 0);
    let mut rail = rail(&pod, function);
    rail.add().unwrap();
    // Nothing of what was asked, and no result.
    Attachment::new(&pod, "net1", chain(function, &json!({}))).without_netns().del().unwrap();
}

/// kubelet starts the new pod before the runtime has ended the old sandbox.
pub(crate) fn an_old_detach_leaves_the_new_pod_alone() {
    let _agent = Agent::start();
    let function = home::function(0, 0);
    let gone = Pod::of_cluster("pod-1");
    let mut old = rail(&gone, function);
    old.add().unwrap();
    drop(gone);
    let pod = Pod::of_cluster("pod-2");
    let mut new = rail(&pod, function);
    new.add().unwrap();
    old.del().unwrap();
    old.clone().without_netns().del().unwrap();
    expect_in(&pod, function);
    new.check().unwrap();
    new.del().unwrap();
}

pub(crate) fn an_old_detach_may_race_a_new_attach() {
    let _agent = Agent::start();
    let function = home::function(0, 0);
    let mut pod = Pod::of_cluster("pod-1");
    let mut old = rail(&pod, function);
    old.add().unwrap();
    for round in 2..12 {
        let next = Pod::of_cluster(&format!("pod-{round}"));
        let mut new = rail(&next, function);
        thread::scope(|scope| {
            scope.spawn(|| old.del().unwrap());
            // A runtime undoes what failed, and kubelet tries again.
            let attached = (0..20).any(|_| {
                let done = new.add().is_ok();
                if !done {
                    new.del().unwrap();
                }
                done
            });
            assert!(attached, "round {round}");
        });
        expect_in(&next, function);
        drop(std::mem::replace(&mut pod, next));
        expect_in(&pod, function);
        old = new;
    }
    old.del().unwrap();
}

/// The runtime dies with its node's power, or somebody is out of patience: any plugin may end at any point.
pub(crate) fn a_hundred_kills_leave_nothing_that_collection_misses() {
    let _agent = Agent::start();
    let whole = {
        let pod = Pod::of_cluster("pod-1");
        let mut rail = rail(&pod, home::function(0, 0));
        let begun = Instant::now();
        rail.add().unwrap();
        let whole = begun.elapsed() / 3;
        rail.del().unwrap();
        whole
    };
    let mut random = Random(5);
    for round in 0..100 {
        let function = home::function(round % home::ports(), 0);
        let pod = Pod::of_cluster(&format!("pod-{}", 1 + round % 200));
        let mut rail = rail(&pod, function);
        let command = if random.below(2) == 0 { "ADD" } else { "DEL" };
        // Which plugin of the list is hit, and when.
        let plugin = random.below(3);
        if command == "DEL" {
            rail.add().unwrap();
        } else {
            (0..plugin).fold(None, |answer, before| Some(rail.add_one(before, answer)));
        }
        let mut victim = rail.start(command, &rail.with_answer(plugin));
        thread::sleep(whole.mul_f64(f64::from(u32::try_from(random.below(1200)).unwrap()) / 1000.0));
        victim.kill().unwrap();
        victim.wait().unwrap();
        // Some pods outlive the collection, as the runtime restarts; most are gone with their namespace.
        if random.below(4) != 0 {
            drop(pod);
        }
        if round % 5 == 4 {
            for port in 0..home::ports() {
                collect(&chain(home::function(port, 0), &json!({})), &[]).unwrap();
            }
            let when = format!("round {round}, {command} of plugin {plugin}");
            home::expect_all_functions(&when);
            home::expect_no_traces(&when);
        }
    }
}

pub(crate) fn collection_spares_what_is_valid() {
    let (_agent, pods) = (Agent::start(), [Pod::of_cluster("pod-1"), Pod::of_cluster("pod-2")]);
    let functions = [home::function(0, 0), home::function(0, 1)];
    let mut rails = [rail(&pods[0], functions[0]), rail(&pods[1], functions[1])];
    for rail in &mut rails {
        rail.add().unwrap();
    }
    let list = chain(functions[0], &json!({}));
    collect(&list, &[rails[0].valid(), rails[1].valid()]).unwrap();
    expect_in(&pods[0], functions[0]);
    expect_in(&pods[1], functions[1]);
    collect(&list, &[rails[1].valid()]).unwrap();
    expect_in(&pods[1], functions[1]);
    let first = home::look().into_iter().find(|now| now.pci == functions[0].pci).unwrap();
    assert_eq!(&first, functions[0]);
    rails[1].del().unwrap();
}

/// The driver of a port takes its functions away when it is reset, whoever has them.
pub(crate) fn functions_may_vanish_from_their_pods() {
    let (_agent, pod) = (Agent::start(), Pod::of_cluster("pod-1"));
    let last = home::ports() - 1;
    let mut rail = rail(&pod, home::function(last, 0));
    rail.add().unwrap();
    fs::write(format!("/sys/class/net/rail{last}/device/sriov_numvfs"), "0").unwrap();
    let begun = Instant::now();
    rail.del().unwrap();
    rail.clone().without_netns().del().unwrap();
    collect(&chain(home::function(0, 0), &json!({})), &[]).unwrap();
    assert!(
        begun.elapsed() < Duration::from_secs(10),
        "nothing waits for what is gone: {:?}",
        begun.elapsed()
    );
    run(&format!("./start.sh {} rail{last}", home::of_port(last).len()));
}

/// The same, and the port makes its functions anew before anybody detaches the pod: they are another pod's by then.
pub(crate) fn functions_may_come_back_before_their_pod_is_detached() {
    let (_agent, gone) = (Agent::start(), Pod::of_cluster("pod-1"));
    let last = home::ports() - 1;
    let function = home::function(last, 0);
    let mut old = rail(&gone, function);
    old.add().unwrap();
    fs::write(format!("/sys/class/net/rail{last}/device/sriov_numvfs"), "0").unwrap();
    run(&format!("./start.sh {} rail{last}", home::of_port(last).len()));
    drop(gone);
    let pod = Pod::of_cluster("pod-2");
    let mut new = rail(&pod, function);
    new.add().unwrap();
    expect_in(&pod, function);
    old.without_netns().del().unwrap();
    new.check().unwrap();
    new.del().unwrap();
}

/// As `sriov` and `rdma` in Go have left it: their caches, and the devices in the pod.
pub(crate) fn a_pod_of_the_plugins_in_go_is_detached() {
    let (_agent, pod) = (Agent::start(), Pod::of_cluster("pod-1"));
    let function = home::function(0, 1);
    let (link, rdma) = (function.link.as_deref().unwrap(), function.rdma.as_deref().unwrap());
    let rail = rail(&pod, function);
    let (mtu, mac, _) = function.link_state.as_ref().unwrap();
    let mut cache = rail.config(0);
    cache.as_object_mut().unwrap().extend(
        json!({
            "MAC": "02:00:00:aa:00:01", "Master": "rail0", "VFID": function.number,
            "OrigVfState": {
                "HostIFName": link, "SpoofChk": function.settings["spoofchk"], "Trust": function.settings["trust"],
                "AdminMAC": function.settings["address"], "EffectiveMAC": mac, "Vlan": 0, "VlanQoS": 0, "VlanProto": 0,
                "MinTxRate": 0, "MaxTxRate": 0, "LinkState": 0, "MTU": mtu,
            },
        })
        .as_object()
        .unwrap()
        .clone(),
    );
    let container = rail.valid()["containerID"].as_str().unwrap().to_owned();
    let write = |path: String, text: String| {
        fs::create_dir_all(std::path::Path::new(&path).parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write(format!("/var/lib/cni/sriov/{container}-net1"), cache.to_string());
    write(format!("/var/lib/cni/sriov/pci/{}", function.pci), pod.path());
    let moved = json!({
        "version": "1.0", "deviceID": function.pci, "sandboxRdmaDevName": rdma, "containerRdmaDevName": rdma,
    });
    write(format!("/var/lib/cni/rdma/rail0-{container}-net1"), moved.to_string());
    for line in [
        format!(
            "ip link set rail0 vf {} vlan 100 spoofchk off trust on mac 02:00:00:aa:00:01",
            function.number
        ),
        format!("ip link set {link} netns pod-1"),
        format!("rdma dev set {rdma} netns pod-1"),
    ] {
        run(&line);
    }
    for line in ["name net1 mtu 9000", "address 02:00:00:aa:00:01", "up"] {
        let from = if line.starts_with("name") { link } else { "net1" };
        pod.run(&format!("ip link set {from} {line}"));
    }
    expect_in(&pod, function);
    rail.del().unwrap();
    home::expect_all_functions("after the DEL of what plugins in Go have attached");
    assert!(fs::read_dir("/var/lib/cni/sriov").unwrap().all(|entry| entry.unwrap().path().is_dir()));
}

/// `xorshift`, so that a failure comes again.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap()
    }
}
