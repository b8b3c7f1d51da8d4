//! What an ADD does, and what it refuses.

use super::*;
use crate::kernel::recorder::{ETHERNET, OTHER_VF, VFIO_VF};
use crate::kernel::{Change, Kernel as _, Place};
use crate::netlink::{VfLinkState, VfSetting, Vlan, VlanProtocol};

fn message(recorder: &mut Recorder, call: &Call) -> (u32, String) {
    let before = recorder.snapshot();
    let error = attach(recorder, call).unwrap_err();
    assert_eq!(recorder.snapshot(), before, "nothing is changed");
    assert_eq!((records(recorder), kept(recorder)), (vec![], vec![]));
    (error.code, error.msg)
}

#[test]
fn the_function_is_set_moved_and_turned_on_in_this_order() {
    let mut node = Recorder::new();
    let answer = attach(&mut node, &add_a(&everything())).unwrap();
    let pod = node.pod(POD_A);
    let set = |setting| Change::Function { port: ETHERNET, number: 0, setting };
    let sysctl =
        ["ipv4/conf/net1/arp_notify", "ipv6/conf/net1/ndisc_notify", "ipv6/conf/net1/optimistic_dad"];
    let mac = [2, 0, 0, 0, 0, 0x2a];
    assert_eq!(
        node.made,
        [
            set(VfSetting::Vlan(Vlan { id: 100, qos: 3, protocol: VlanProtocol::Dot1ad })),
            set(VfSetting::Mac(mac)),
            set(VfSetting::Rate { min: 100, max: 1000 }),
            set(VfSetting::SpoofCheck(false)),
            set(VfSetting::Trust(true)),
            set(VfSetting::LinkState(VfLinkState::Enable)),
            Change::DropName { at: Place::HOST, link: 10, name: "enp134s0f0np0v0".into() },
            Change::Move { from: Place::HOST, to: pod, link: 10, name: "net1".into() },
            Change::Sysctl { at: pod, values: sysctl.map(|name| (name.to_owned(), "1")).to_vec() },
            Change::HardwareAddress { at: pod, link: 10, address: mac.to_vec() },
            Change::Mtu { at: pod, link: 10, mtu: 4200 },
            Change::Up { at: pod, link: 10, up: true },
        ]
    );
    assert_eq!(
        answer.interfaces,
        [crate::spec::Interface {
            name: "net1".into(),
            mac: "02:00:00:00:00:2a".into(),
            mtu: Some(4200),
            sandbox: POD_A.into(),
            socket_path: String::new(),
            pci_id: VF.into(),
        }]
    );
    assert_eq!((answer.ips, answer.routes), (vec![], vec![]));
}

#[test]
fn what_the_function_has_already_is_not_set_again() {
    let mut node = Recorder::new();
    let keys = json!({"vlan": 0, "min_tx_rate": 0, "max_tx_rate": 0, "spoofchk": "on", "trust": "off",
                      "link_state": "auto", "mtu": 1500, "mac": "02:00:00:00:00:10"});
    node.function_mut(VF).mac = [2, 0, 0, 0, 0, 0x10];
    attach(&mut node, &add_a(&keys)).unwrap();
    let names: Vec<String> = node.made.iter().map(Recorder::name_of).collect();
    assert_eq!(names, ["DropName", "Move", "Sysctl", "Up"]);
}

#[test]
fn without_settings_the_result_tells_what_the_interface_has() {
    let mut node = Recorder::new();
    let answer = attach(&mut node, &add_a(&json!({}))).unwrap();
    assert_eq!(answer.interfaces[0].mac, "02:00:00:00:00:10");
    assert_eq!(answer.interfaces[0].mtu, Some(1500));
    let link = node.link_of(VF);
    assert_eq!((link.name.as_str(), link.up), ("net1", true));
}

#[test]
fn a_function_whose_port_decided_its_address_is_trusted_for_the_moment_of_a_change() {
    let mut node = Recorder::new();
    node.strict = true;
    node.function_mut(VF).mac = [2, 0, 0, 0, 0, 0x10];
    let before = node.snapshot();
    let keys = json!({"mac": "02:00:00:00:00:2a"});
    attach(&mut node, &add_a(&keys)).unwrap();
    assert_eq!(node.link_of(VF).address, [2, 0, 0, 0, 0, 0x2a]);
    assert_eq!(node.function_of(VF).unwrap().trust, Some(false));
    detach(&mut node, &del_a(&keys)).unwrap();
    assert_eq!(node.snapshot(), before);
}

/// A port with so many functions that it cannot say; and a driver that is busy for a moment.
#[test]
fn a_function_that_the_network_trusts_stays_trusted() {
    let mut node = Recorder::new();
    node.mute = true;
    let keys = json!({"mac": "02:00:00:00:00:2a", "trust": "on"});
    let position =
        |node: &Recorder| node.made.iter().position(|it| Recorder::name_of(it) == "HardwareAddress");
    attach(&mut node, &add_a(&keys)).unwrap();
    let step = position(&node).unwrap();
    let mut node = Recorder::new();
    node.mute = true;
    node.refused.insert(step, libc::EPERM);
    attach(&mut node, &add_a(&keys)).unwrap();
    assert_eq!(node.link_of(VF).address, [2, 0, 0, 0, 0, 0x2a]);
    assert_eq!(node.function_of(VF).unwrap().trust, Some(true));
}

#[test]
fn a_function_of_user_space_is_set_and_stays_where_it_is() {
    let mut node = Recorder::new();
    let before = node.snapshot();
    let keys = json!({"deviceID": VFIO_VF, "vlan": 100, "mac": "02:00:00:00:00:2a"});
    let answer = attach(&mut node, &add_a(&keys)).unwrap();
    let names: Vec<String> = node.made.iter().map(Recorder::name_of).collect();
    assert_eq!(names, ["Function", "Function"]);
    let interface = &answer.interfaces[0];
    assert_eq!((interface.mac.as_str(), interface.mtu), ("02:00:00:00:00:2a", Some(9000)));
    assert_eq!((interface.sandbox.as_str(), interface.pci_id.as_str()), (POD_A, VFIO_VF));
    detach(&mut node, &del_a(&keys)).unwrap();
    assert_eq!(node.snapshot(), before);
    assert_eq!(kept(&node), Vec::<String>::new());
}

#[test]
fn the_plugin_in_go_finds_what_it_needs_to_detach() {
    let mut node = Recorder::new();
    attach(&mut node, &add_a(&json!({"vlan": 100}))).unwrap();
    assert_eq!(
        kept(&node),
        [
            "run/railweave/cni/sriov/0000:86:00.2",
            "var/lib/cni/sriov/a-net1",
            "var/lib/cni/sriov/pci/0000:86:00.2"
        ]
    );
    let read =
        |path: &str| std::fs::read_to_string(node.root().join("var/lib/cni/sriov").join(path)).unwrap();
    assert_eq!(read("pci/0000:86:00.2"), POD_A);
    let cache: Value = serde_json::from_str(&read("a-net1")).unwrap();
    assert_eq!(
        cache,
        json!({"cniVersion": "1.1.0", "name": "rail0", "type": "sriov", "deviceID": VF, "vlan": 100, "railweave": true,
               "Master": "eno3np2", "VFID": 0, "MAC": "",
               "OrigVfState": {"HostIFName": "eno3np2v0", "SpoofChk": false, "Trust": false, "AdminMAC": "",
                   "EffectiveMAC": "02:00:00:00:00:10", "Vlan": 0, "VlanQoS": 0, "VlanProto": 33024,
                   "MinTxRate": 0, "MaxTxRate": 0, "LinkState": 0, "MTU": 1500}})
    );
}

#[test]
fn what_cannot_work_is_refused_before_anything_is_changed() {
    let mut node = Recorder::new();
    let (code, text) = message(&mut node, &add_a(&json!({"mtu": 9001})));
    assert_eq!(code, CniError::CONFIG);
    assert_eq!(
        text,
        "network \"rail0\": mtu 9001 is above the MTU 9000 of port eno3np2; raise that first (`ip link set eno3np2 mtu 9001`, \
         or mtu in the node policy of the operator), or set a lower mtu"
    );
    let (_, text) = message(&mut node, &add_a(&json!({"deviceID": PORT})));
    assert_eq!(text, "device 0000:86:00.0 is no virtual function; it is bound to mlx5_core");
    let (_, text) = message(&mut node, &add_a(&json!({"deviceID": "0000:99:00.2"})));
    assert!(text.starts_with("device 0000:99:00.2 is not on this node; "), "{text}");
    let (code, text) = message(&mut node, &call_as("ADD", "a", "/run/netns/none", &json!({})));
    assert_eq!(code, CniError::ENVIRONMENT);
    assert_eq!(text, "there is no network namespace at /run/netns/none, the CNI_NETNS of this ADD");

    node.drivers.remove(VF);
    node.remove_link(VF);
    let (code, text) = message(&mut node, &add_a(&json!({})));
    assert_eq!(code, CniError::TRY_AGAIN);
    assert_eq!(
        text,
        "virtual function 0000:86:00.2 (number 0 of port eno3np2) has no interface on the host: it is bound to no driver"
    );
}

#[test]
fn a_name_that_the_pod_has_already_is_refused() {
    let mut node = Recorder::new();
    let pod = node.pod(POD_A);
    attach(&mut node, &call_as("ADD", "a", POD_A, &json!({"deviceID": OTHER_VF}))).unwrap();
    let made = node.made.len();
    let error = attach(&mut node, &add_a(&json!({}))).unwrap_err();
    assert_eq!(error.code, CniError::ENVIRONMENT);
    assert_eq!(error.msg, "the pod has an interface net1 already, so CNI_IFNAME must be another name");
    assert_eq!((node.made.len(), node.links(pod).unwrap().len()), (made, 1));
}

#[test]
fn a_function_of_another_pod_is_refused_until_that_is_gone() {
    let mut node = Recorder::new();
    attach(&mut node, &add_a(&json!({"vlan": 100}))).unwrap();
    let before = node.snapshot();
    let add_b = call_as("ADD", "b", POD_B, &json!({}));
    let error = attach(&mut node, &add_b).unwrap_err();
    assert_eq!(error.code, CniError::TRY_AGAIN);
    assert!(
        error
            .msg
            .starts_with("device 0000:86:00.2 is still attached as net1 of container a; it is free when"),
        "{error}"
    );
    assert_eq!(node.snapshot(), before);

    node.delete_space(POD_A);
    attach(&mut node, &add_b).unwrap();
    assert_eq!(
        node.function_of(VF).unwrap().vlan,
        Vlan::default(),
        "what the first pod had is not the second's"
    );
    detach(&mut node, &call_as("DEL", "b", POD_B, &json!({}))).unwrap();
    let mut fresh = Recorder::new();
    fresh.delete_space(POD_A);
    assert_eq!(node.snapshot(), fresh.snapshot());
}

#[test]
fn a_path_that_has_become_another_namespace_is_not_the_first_pod() {
    let mut node = Recorder::new();
    attach(&mut node, &add_a(&json!({}))).unwrap();
    node.delete_space(POD_A);
    node.add_space(POD_A, 77);
    attach(&mut node, &call_as("ADD", "b", POD_B, &json!({}))).unwrap();
    assert_eq!(records(&node)[0].owner.container, "b");
}

#[test]
fn a_setting_that_the_driver_does_not_know_is_told_with_its_key() {
    let mut node = Recorder::new();
    let before = node.snapshot();
    node.refused.insert(1, libc::EOPNOTSUPP);
    let error = attach(&mut node, &add_a(&json!({"vlan": 100, "trust": "on"}))).unwrap_err();
    assert_eq!(error.code, CniError::KERNEL);
    assert!(
        error.msg.starts_with(
            "failed to set trust (Trust(true)) of virtual function 0000:86:00.2 (number 0 of port eno3np2); the driver does \
             not know how, take it out of the network: "
        ),
        "{error}"
    );
    assert_eq!(node.snapshot(), before, "the VLAN is taken back");
    assert_eq!(kept(&node), Vec::<String>::new());
}
