//! Pods that the plugin in Go attached.

use super::*;
use crate::kernel::{Change, Kernel as _, Place};
use crate::netlink::{VfSetting, Vlan};

/// A node after the plugin in Go gave the function to pod a, with VLAN 100 and another address.
fn attached() -> (Recorder, String) {
    let mut node = Recorder::new();
    node.link_of(VF).other_names.clear();
    let before = node.snapshot();
    let pod = node.pod(POD_A);
    let vlan = VfSetting::Vlan(Vlan { id: 100, ..Vlan::default() });
    let port = crate::kernel::recorder::ETHERNET;
    for change in [
        Change::Function { port, number: 0, setting: vlan },
        Change::Function { port, number: 0, setting: VfSetting::Mac([2, 0, 0, 0, 0, 0x2a]) },
        Change::Move { from: Place::HOST, to: pod, link: 10, name: "net1".into() },
        Change::HardwareAddress { at: pod, link: 10, address: vec![2, 0, 0, 0, 0, 0x2a] },
    ] {
        node.make(change).unwrap();
    }
    write(
        &node,
        "a-net1",
        r#"{"cniVersion":"0.3.1","name":"rail0","type":"sriov","OrigVfState":{"HostIFName":"eno3np2v0","SpoofChk":true,
            "Trust":false,"AdminMAC":"00:00:00:00:00:00","EffectiveMAC":"02:00:00:00:00:10","Vlan":0,"VlanQoS":0,
            "VlanProto":0,"MinTxRate":0,"MaxTxRate":0,"LinkState":0,"MTU":1500},"Master":"eno3np2",
            "MAC":"02:00:00:00:00:2a","vlan":100,"deviceID":"0000:86:00.2","VFID":0}"#,
    );
    write(&node, "pci/0000:86:00.2", POD_A);
    (node, before)
}

fn write(node: &Recorder, path: &str, text: &str) {
    let path = node.root().join("var/lib/cni/sriov").join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

#[test]
fn are_detached_by_their_cache() {
    let (mut node, before) = attached();
    detach(&mut node, &del_a(&json!({}))).unwrap();
    assert_eq!(node.snapshot(), before);
    assert_eq!(kept(&node), Vec::<String>::new());
}

/// A machine that stops while the plugin in Go writes leaves half a cache.
#[test]
fn are_let_go_when_their_cache_is_cut_off() {
    let (mut node, _) = attached();
    write(&node, "a-net1", r#"{"cniVersion":"0.3.1","na"#);
    let made = node.made.len();
    detach(&mut node, &del_a(&json!({}))).unwrap();
    assert_eq!(node.made.len(), made);
    assert_eq!(
        kept(&node),
        ["var/lib/cni/sriov/pci/0000:86:00.2"],
        "the function is the pod's until it is gone"
    );
    node.delete_space(POD_A);
    attach(&mut node, &call_as("ADD", "b", POD_B, &json!({}))).unwrap();
}

#[test]
fn are_let_go_when_the_record_of_their_function_cannot_be_read() {
    let (mut node, _) = attached();
    let folder = node.root().join("run/railweave/cni/sriov");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(VF), "{").unwrap();
    let made = node.made.len();
    detach(&mut node, &del_a(&json!({}))).unwrap();
    assert_eq!(node.made.len(), made, "what has a record was attached by us after that");
}

#[test]
fn are_detached_when_their_namespace_is_gone() {
    let (mut node, _) = attached();
    node.delete_space(POD_A);
    detach(&mut node, &del_a(&json!({}))).unwrap();
    assert_eq!(node.link_of(VF).name, "eno3np2v0");
    assert_eq!(node.link_of(VF).address, [2, 0, 0, 0, 0, 0x10]);
    assert_eq!(node.function_of(VF).unwrap().vlan, Vlan::default());
    assert_eq!(kept(&node), Vec::<String>::new());
}

#[test]
fn are_detached_by_gc() {
    let (mut node, before) = attached();
    let attached = node.snapshot();
    collect(&mut node, &["a"]).unwrap();
    assert_eq!(node.snapshot(), attached);
    collect(&mut node, &[]).unwrap();
    assert_eq!(node.snapshot(), before);
    assert_eq!(kept(&node), Vec::<String>::new());
}

#[test]
fn hold_their_function_while_they_live() {
    let (mut node, _) = attached();
    let add_b = call_as("ADD", "b", POD_B, &json!({}));
    let error = attach(&mut node, &add_b).unwrap_err();
    assert_eq!(error.code, CniError::TRY_AGAIN);
    assert!(
        error.msg.starts_with(
            "device 0000:86:00.2 is still attached as the pod with network namespace /run/netns/pod-a; "
        ),
        "{error}"
    );
    node.delete_space(POD_A);
    attach(&mut node, &add_b).unwrap();
    assert_eq!(node.function_of(VF).unwrap().vlan, Vlan::default(), "what it left is brought back first");
    assert_eq!(records(&node)[0].before.interface.as_ref().unwrap().name, "eno3np2v0");
    let made = node.made.len();
    detach(&mut node, &del_a(&json!({}))).unwrap();
    assert_eq!(node.made.len(), made, "the function is another's");
}

#[test]
fn are_not_detached_from_what_the_plugin_in_go_gave_to_another() {
    let (mut node, _) = attached();
    write(&node, "pci/0000:86:00.2", POD_B);
    let made = node.made.len();
    detach(&mut node, &del_a(&json!({}))).unwrap();
    assert_eq!(node.made.len(), made);
    assert_eq!(kept(&node), ["var/lib/cni/sriov/pci/0000:86:00.2"]);
}

#[test]
fn a_cache_of_ours_without_a_record_is_from_before_a_restart_of_the_node() {
    let mut node = Recorder::new();
    attach(&mut node, &add_a(&json!({"vlan": 100}))).unwrap();
    std::fs::remove_dir_all(node.root().join("run")).unwrap();
    let made = node.made.len();
    detach(&mut node, &del_a(&json!({}))).unwrap();
    assert_eq!(node.made.len(), made);
    assert!(!node.root().join("var/lib/cni/sriov/a-net1").exists());
}
