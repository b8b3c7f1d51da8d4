//! Bonds and VLANs below pods' interfaces. Skipped where the kernel has no such links.

use std::path::Path;

use libtest_mimic::{Completion, Trial};
use railweave_cni::plugins::ifacer;
use railweave_cni::spec::{Call, CniError};
use serde_json::{Value, json};

use crate::namespace::{self, ip};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        needs("8021q", "host_interfaces::carry_a_vlan", carry_a_vlan),
        needs(
            "8021q",
            "host_interfaces::that_carry_another_vlan_are_left_alone",
            that_carry_another_vlan_are_left_alone,
        ),
        needs("bonding", "host_interfaces::become_a_bond", become_a_bond),
        needs("bonding", "host_interfaces::are_as_before_when_a_bond_fails", are_as_before_when_a_bond_fails),
        needs("bonding", "host_interfaces::are_as_before_when_a_vlan_fails", are_as_before_when_a_vlan_fails),
        needs("bonding", "host_interfaces::are_made_once_by_many_at_once", are_made_once_by_many_at_once),
    ]
}

/// Modules are not loaded by a test: `bonding` makes an interface on the machine itself when it comes.
fn needs(module: &'static str, name: &'static str, test: fn()) -> Trial {
    Trial::ignorable_test(name, move || {
        if !Path::new("/sys/module").join(module).exists() {
            return Ok(Completion::ignored_with(format!("the kernel module {module} is not loaded")));
        }
        match namespace::enter() {
            Ok(()) => {
                test();
                Ok(Completion::Completed)
            }
            Err(reason) => Ok(Completion::ignored_with(reason)),
        }
    })
}

/// `eth0` and `eth1`, both on.
fn nics() {
    for name in ["eth0", "eth1"] {
        ip(&format!("link add {name} type veth peer name {name}-wire"));
        ip(&format!("link set {name}-wire up"));
        ip(&format!("link set {name} up"));
    }
}

fn call(command: &str, config: &Value) -> Call {
    let variable = |name: &str| match name {
        "CNI_COMMAND" => Some(command.to_owned()),
        "CNI_CONTAINERID" => Some("4f3c".to_owned()),
        "CNI_NETNS" => Some("/var/run/netns/none".to_owned()),
        "CNI_IFNAME" => Some("net1".to_owned()),
        _ => None,
    };
    let mut whole = json!({"cniVersion": "1.1.0", "name": "gpu1", "type": "ifacer"});
    whole.as_object_mut().unwrap().extend(config.as_object().unwrap().clone());
    Call::parse(variable, whole.to_string().as_bytes()).unwrap()
}

fn add(config: &Value) -> Result<(), CniError> {
    ifacer::add(&call("ADD", config)).map(|answer| assert_eq!(answer, railweave_cni::spec::Answer::default()))
}

fn check(config: &Value) -> Result<(), CniError> {
    ifacer::check(&call("CHECK", config))
}

fn carry_a_vlan() {
    nics();
    ip("link set eth0 down");
    let config = json!({"interfaces": ["eth0"], "vlanID": 100});
    assert_eq!(check(&config).unwrap_err().msg, "interface eth0.100 is gone");
    for _ in 0..2 {
        add(&config).unwrap();
        let shown = ip("-d link show eth0.100");
        assert!(shown.contains("vlan protocol 802.1Q id 100") && shown.contains("eth0.100@eth0"), "{shown}");
        check(&config).unwrap();
    }
    ip("link set eth0.100 down");
    assert_eq!(check(&config).unwrap_err().msg, "interface eth0.100 is off");
    add(&config).unwrap();
    check(&config).unwrap();
    // Another port may carry the same VLAN.
    add(&json!({"interfaces": ["eth1"], "vlanID": 100})).unwrap();
}

fn that_carry_another_vlan_are_left_alone() {
    nics();
    ip("link add link eth0 name eth0.100 type vlan id 7");
    ip("link add link eth1 name storage type vlan id 100");
    let error = add(&json!({"interfaces": ["eth0"], "vlanID": 100})).unwrap_err();
    assert_eq!(error.msg, "interface eth0.100 of this node does not carry VLAN 100; delete or rename it");
    let error = add(&json!({"interfaces": ["eth1"], "vlanID": 100})).unwrap_err();
    assert_eq!(
        error.msg,
        "VLAN 100 has an interface of another name below eth1.100 on this node; delete that, or use it as the master"
    );
    let error = add(&json!({"interfaces": ["eth7"], "vlanID": 100})).unwrap_err();
    assert_eq!(error.msg, "interface eth7 is not on this node; correct the network's master, or the node");
    assert_eq!(ifacer::status(&call("STATUS", &json!({"interfaces": ["eth7"]}))).unwrap_err().code, 50);
    ifacer::status(&call("STATUS", &json!({"interfaces": ["eth0"]}))).unwrap();
}

fn become_a_bond() {
    nics();
    let config = json!({"interfaces": ["eth0", "eth1"], "vlanID": 100,
                        "bond": {"name": "rails0", "mode": 1, "options": "miimon=100;primary=eth1"}});
    for _ in 0..2 {
        add(&config).unwrap();
        let shown = ip("-d link show rails0");
        for part in ["bond mode active-backup", "miimon 100", "primary eth1", ",UP"] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
        for member in ["eth0", "eth1"] {
            let shown = ip(&format!("link show {member}"));
            assert!(shown.contains("master rails0") && shown.contains(",UP"), "{shown}");
        }
        assert!(ip("link show rails0.100").contains("rails0.100@rails0"));
        check(&config).unwrap();
    }
    ip("link set eth0 nomaster");
    assert_eq!(check(&config).unwrap_err().msg, "interface eth0 is no member of bond rails0 any more");
    let other = json!({"interfaces": ["eth0", "eth1"], "bond": {"name": "rails0", "mode": 4}});
    assert_eq!(
        add(&other).unwrap_err().msg,
        "bond rails0 of this node has mode 1, the network wants 4; a bond has one mode for all networks"
    );
}

/// Nothing is left of a bond that could not be filled.
fn are_as_before_when_a_bond_fails() {
    nics();
    ip("link add other type bond");
    ip("link set eth1 down");
    ip("link set eth1 master other");
    let before = ip("-o link show");
    let config = json!({"interfaces": ["eth0", "eth1"], "bond": {"name": "rails0", "mode": 1}});
    let error = add(&config).unwrap_err();
    assert_eq!(
        error.msg,
        "interface eth1 belongs to another bond or bridge of this node, and cannot be a member of rails0"
    );
    assert_eq!(states(&ip("-o link show")), states(&before));
    // Nor of one that was there: eth0 was a member for a moment.
    ip("link add rails0 type bond mode active-backup");
    let before = ip("-o link show");
    add(&config).unwrap_err();
    assert_eq!(states(&ip("-o link show")), states(&before));
}

/// Names and flags, in which members and what is on show.
fn states(text: &str) -> Vec<String> {
    let words = |line: &str| line.split_whitespace().skip(1).take(2).collect::<Vec<_>>().join(" ");
    text.lines().map(words).collect()
}

/// A new bond is of no use to anybody without its VLAN.
fn are_as_before_when_a_vlan_fails() {
    nics();
    ip("link set eth1 down");
    ip("link add rails0.100 type dummy");
    let before = ip("-o link show");
    let config =
        json!({"interfaces": ["eth0", "eth1"], "vlanID": 100, "bond": {"name": "rails0", "mode": 1}});
    let error = add(&config).unwrap_err();
    assert_eq!(error.msg, "interface rails0.100 of this node does not carry VLAN 100; delete or rename it");
    assert_eq!(states(&ip("-o link show")), states(&before));
}

/// As the pods of a Deployment that all start at once.
fn are_made_once_by_many_at_once() {
    nics();
    let here = railweave_cni::netlink::Namespace::of_this_thread().unwrap();
    let config = json!({"interfaces": ["eth0", "eth1"], "vlanID": 7, "bond": {"name": "rails1", "mode": 1}});
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| here.run(|| add(&config).unwrap()).unwrap());
        }
    });
    check(&config).unwrap();
}
