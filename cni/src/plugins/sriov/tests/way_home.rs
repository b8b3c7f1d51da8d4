//! What a DEL does, whatever has become of the function meanwhile.

use super::*;
use crate::kernel::recorder::{ETHERNET, OTHER_VF};
use crate::kernel::{Kernel as _, Place};
use crate::netlink::Vlan;

#[test]
fn everything_is_as_it_was_after_a_del_and_a_second_one_changes_nothing() {
    let mut node = Recorder::new();
    let before = node.snapshot();
    attach(&mut node, &add_a(&everything())).unwrap();
    assert_ne!(node.snapshot(), before);
    detach(&mut node, &del_a(&everything())).unwrap();
    assert_eq!(node.snapshot(), before);
    assert_eq!(kept(&node), Vec::<String>::new());
    let made = node.made.len();
    detach(&mut node, &del_a(&everything())).unwrap();
    assert_eq!(node.made.len(), made);
}

#[test]
fn the_interface_is_home_before_its_vlan_goes() {
    let mut node = Recorder::new();
    attach(&mut node, &add_a(&json!({"vlan": 100}))).unwrap();
    let attached = node.made.len();
    detach(&mut node, &del_a(&json!({}))).unwrap();
    let names: Vec<String> = node.made[attached..].iter().map(Recorder::name_of).collect();
    assert_eq!(names, ["Move", "Function", "AddName"]);
}

#[test]
fn the_record_is_enough() {
    let mut node = Recorder::new();
    let before = node.snapshot();
    attach(&mut node, &add_a(&everything())).unwrap();
    let bare = call_as("DEL", "a", "", &json!({"deviceID": ""}));
    detach(&mut node, &bare).unwrap();
    assert_eq!(node.snapshot(), before);
}

#[test]
fn what_the_pod_itself_changed_is_brought_back() {
    let mut node = Recorder::new();
    let before = node.snapshot();
    attach(&mut node, &add_a(&json!({}))).unwrap();
    let link = node.link_of(VF);
    link.name = "rail0".into();
    link.other_names = vec!["eno3np2v0".into(), "mine".into()];
    (link.mtu, link.address, link.queue_length) = (9000, vec![2, 0, 0, 0, 0, 0xff], 77);
    detach(&mut node, &del_a(&json!({}))).unwrap();
    assert_eq!(node.snapshot(), before);
}

#[test]
fn a_namespace_that_is_gone_has_sent_its_interface_home_under_the_pod_s_name() {
    let mut node = Recorder::new();
    attach(&mut node, &add_a(&everything())).unwrap();
    node.delete_space(POD_A);
    assert_eq!(node.link_of(VF).name, "net1");
    detach(&mut node, &del_a(&everything())).unwrap();
    let mut fresh = Recorder::new();
    fresh.delete_space(POD_A);
    assert_eq!(node.snapshot(), fresh.snapshot());
    assert_eq!(kept(&node), Vec::<String>::new());
}

#[test]
fn an_interface_that_was_on_is_turned_on_again() {
    let mut node = Recorder::new();
    node.link_of(VF).up = true;
    let before = node.snapshot();
    attach(&mut node, &add_a(&json!({}))).unwrap();
    detach(&mut node, &del_a(&json!({}))).unwrap();
    assert_eq!(node.snapshot(), before);
}

#[test]
fn a_function_that_vanished_holds_no_pod() {
    let mut node = Recorder::new();
    attach(&mut node, &add_a(&everything())).unwrap();
    node.remove_function(VF);
    detach(&mut node, &del_a(&everything())).unwrap();
    assert_eq!(kept(&node), Vec::<String>::new());
}

#[test]
fn a_record_that_cannot_be_read_holds_no_pod_and_keeps_the_function_from_others() {
    let mut node = Recorder::new();
    attach(&mut node, &add_a(&everything())).unwrap();
    std::fs::write(node.root().join("run/railweave/cni/sriov").join(VF), "{").unwrap();
    detach(&mut node, &del_a(&everything())).unwrap();
    assert_eq!(kept(&node), [format!("run/railweave/cni/sriov/{VF}"), format!("var/lib/cni/sriov/pci/{VF}")]);
    let error = attach(&mut node, &call_as("ADD", "b", POD_B, &json!({}))).unwrap_err();
    assert_eq!(error.code, CniError::IO);
}

/// As drivers say that let no function change what its port decided.
#[test]
fn a_function_that_keeps_the_address_of_its_pod_is_given_to_nobody_until_it_lets_go() {
    let mut node = Recorder::new();
    let before = node.snapshot();
    attach(&mut node, &add_a(&json!({"mac": "02:00:00:00:00:2a"}))).unwrap();
    node.never = [("HardwareAddress", libc::EADDRNOTAVAIL)].into();
    detach(&mut node, &del_a(&json!({}))).unwrap();
    assert_eq!(node.link_of(VF).name, "eno3np2v0");
    let add_b = call_as("ADD", "b", POD_B, &json!({}));
    assert_eq!(attach(&mut node, &add_b).unwrap_err().code, CniError::TRY_AGAIN);
    node.never.clear();
    attach(&mut node, &add_b).unwrap();
    assert_eq!(node.link_of(VF).address, [2, 0, 0, 0, 0, 0x10]);
    detach(&mut node, &call_as("DEL", "b", POD_B, &json!({}))).unwrap();
    assert_eq!(node.snapshot(), before);
}

#[test]
fn a_port_that_vanished_holds_no_pod() {
    let mut node = Recorder::new();
    attach(&mut node, &add_a(&everything())).unwrap();
    for function in [VF, OTHER_VF, crate::kernel::recorder::VFIO_VF] {
        node.remove_function(function);
    }
    node.ports.remove(&ETHERNET);
    node.drivers.remove(PORT);
    node.remove_link(PORT);
    detach(&mut node, &del_a(&everything())).unwrap();
    assert_eq!(kept(&node), Vec::<String>::new());
}

#[test]
fn a_name_that_is_taken_meanwhile_is_left_to_its_owner() {
    let mut node = Recorder::new();
    attach(&mut node, &add_a(&json!({"vlan": 100}))).unwrap();
    node.link_of(OTHER_VF).name = "eno3np2v0".into();
    detach(&mut node, &del_a(&json!({}))).unwrap();
    let link = node.link_of(VF);
    assert_eq!(link.name, "vf0");
    assert_eq!(node.function_of(VF).unwrap().vlan, Vlan::default());
    assert_eq!(kept(&node), Vec::<String>::new());
}

#[test]
fn names_that_are_taken_on_both_ways_do_not_hold_the_function() {
    let mut node = Recorder::new();
    attach(&mut node, &add_a(&json!({}))).unwrap();
    node.link_of(OTHER_VF).name = "eno3np2v0".into();
    node.link_of(PORT).other_names = vec!["net1".into(), "enp134s0f0np0v0".into()];
    detach(&mut node, &del_a(&json!({}))).unwrap();
    let home = node.links(Place::HOST).unwrap();
    assert!(home.iter().any(|link| link.name == "vf0" && link.parent.as_deref() == Some(VF)));
}

#[test]
fn udev_may_give_the_interface_its_other_name_before_we_do() {
    let mut node = Recorder::new();
    let before = node.snapshot();
    attach(&mut node, &add_a(&json!({}))).unwrap();
    node.delete_space(POD_A);
    node.link_of(VF).other_names = vec!["enp134s0f0np0v0".into(), "eno3np2v0".into()];
    detach(&mut node, &del_a(&json!({}))).unwrap();
    let mut fresh = Recorder::new();
    fresh.delete_space(POD_A);
    assert_eq!(node.snapshot(), fresh.snapshot(), "{before}");
}

#[test]
fn an_old_del_leaves_what_a_new_pod_has() {
    let mut node = Recorder::new();
    attach(&mut node, &add_a(&everything())).unwrap();
    node.delete_space(POD_A);
    attach(&mut node, &call_as("ADD", "b", POD_B, &json!({"vlan": 7}))).unwrap();
    let (before, made) = (node.snapshot(), node.made.len());
    detach(&mut node, &del_a(&everything())).unwrap();
    assert_eq!((node.snapshot(), node.made.len()), (before, made));
    assert_eq!(records(&node)[0].owner.container, "b");
}

#[test]
fn a_function_in_a_namespace_out_of_reach_does_not_hold_the_pod_and_is_not_given_to_another() {
    let mut node = Recorder::new();
    attach(&mut node, &add_a(&json!({"vlan": 100}))).unwrap();
    // Something holds the namespace open; its path is gone.
    node.hide_space(POD_A);
    detach(&mut node, &del_a(&json!({}))).unwrap();
    assert_eq!(records(&node).len(), 1, "it waits for who needs it");
    let add_b = call_as("ADD", "b", POD_B, &json!({}));
    let error = attach(&mut node, &add_b).unwrap_err();
    assert_eq!(error.code, CniError::TRY_AGAIN);
    assert_eq!(
        error.msg,
        "failed to bring device 0000:86:00.2 back to how it was before the pod: it is in a network namespace that \
         something else holds open, or has no driver"
    );
    node.delete_space("hidden");
    attach(&mut node, &add_b).unwrap();
    assert_eq!(node.function_of(VF).unwrap().vlan, Vlan::default());
}

#[test]
fn gc_detaches_what_is_of_no_valid_attachment_of_its_network() {
    let mut node = Recorder::new();
    let before = node.snapshot();
    attach(&mut node, &add_a(&everything())).unwrap();
    let attached = node.snapshot();
    collect(&mut node, &["a"]).unwrap();
    assert_eq!(node.snapshot(), attached);
    let elsewhere = call_as("GC", "", "", &json!({"name": "rail1", "cni.dev/valid-attachments": []}));
    let state = state(&node);
    addressed::collect::<Before>(&mut Node { state, kernel: &mut node }, &elsewhere).unwrap();
    assert_eq!(node.snapshot(), attached, "it is of another network");
    collect(&mut node, &["b"]).unwrap();
    assert_eq!(node.snapshot(), before);
    assert_eq!(kept(&node), Vec::<String>::new());
}

#[test]
fn a_driver_that_cannot_go_without_an_address_keeps_the_last_one() {
    let mut node = Recorder::new();
    let keys = json!({"mac": "02:00:00:00:00:2a"});
    attach(&mut node, &add_a(&keys)).unwrap();
    let (attached, zero) = (node.made.len(), 1);
    node.refused.insert(attached + zero, libc::EINVAL);
    detach(&mut node, &del_a(&keys)).unwrap();
    assert_eq!(Recorder::name_of(&node.made[attached + zero]), "Function");
    assert_eq!(node.function_of(VF).unwrap().mac, [2, 0, 0, 0, 0, 0x2a]);
    assert_eq!(kept(&node), Vec::<String>::new());
}
