use super::*;
use crate::kernel::recorder::{GUID, hardware};
use crate::kernel::{Change, Kernel as _, Place};
use crate::netlink::{VfLinkState, VfSetting};

#[test]
fn everything_is_as_it_was_after_a_del_and_a_second_one_changes_nothing() {
    for keys in [
        json!({}),
        json!({"rdmaIsolation": true}),
        json!({"runtimeConfig": {"infinibandGUID": GIVEN}}),
        everything(),
    ] {
        let mut node = Recorder::new();
        let before = node.snapshot();
        attach(&mut node, &add_a(&keys)).unwrap();
        detach(&mut node, &del_a()).unwrap();
        assert_eq!(node.snapshot(), before, "{keys}");
        nothing_is_kept(&node);
        let made = node.made.len();
        detach(&mut node, &del_a()).unwrap();
        assert_eq!(node.made.len(), made);
    }
}

#[test]
fn the_guid_is_brought_back_when_the_namespace_is_gone() {
    let mut node = Recorder::new();
    attach(&mut node, &add_a(&everything())).unwrap();
    node.delete_space(POD_A);
    detach(&mut node, &call_as("DEL", "a", "", &json!({}))).unwrap();
    let mut fresh = Recorder::new();
    fresh.delete_space(POD_A);
    assert_eq!(node.snapshot(), fresh.snapshot());
    nothing_is_kept(&node);
}

#[test]
fn a_function_that_had_no_guid_has_none_again() {
    let mut node = Recorder::new();
    node.function_mut(IB_VF).guids = Some((0, 0));
    node.link_of(IB_VF).address = hardware(0);
    attach(&mut node, &add_a(&everything())).unwrap();
    detach(&mut node, &del_a()).unwrap();
    assert_eq!(
        node.function_of(IB_VF).unwrap().guids,
        Some((u64::MAX, u64::MAX)),
        "a port takes ones for none"
    );
    nothing_is_kept(&node);
    let made = node.made.len();
    detach(&mut node, &del_a()).unwrap();
    assert_eq!(node.made.len(), made);
}

#[test]
fn a_function_that_vanished_holds_no_pod() {
    let mut node = Recorder::new();
    attach(&mut node, &add_a(&everything())).unwrap();
    node.remove_function(IB_VF);
    detach(&mut node, &del_a()).unwrap();
    nothing_is_kept(&node);
}

/// As `ib-sriov` in Go leaves it: another GUID, the RDMA device and the interface in the pod.
#[test]
fn pods_of_the_plugin_in_go_are_detached() {
    let mut node = Recorder::new();
    let before = node.snapshot();
    let pod = node.pod(POD_A);
    let function = IB_VF.parse().unwrap();
    let set = |setting| Change::Function { port: crate::kernel::recorder::INFINIBAND, number: 0, setting };
    for change in [
        set(VfSetting::LinkState(VfLinkState::Enable)),
        set(VfSetting::NodeGuid(GIVEN_NUMBER)),
        set(VfSetting::PortGuid(GIVEN_NUMBER)),
        Change::Unbind { function, driver: "mlx5_core".into() },
        Change::Bind { function, driver: "mlx5_core".into() },
        Change::RenameRdma { at: Place::HOST, device: 101, name: "mlx5_4".into() },
        Change::MoveRdma { from: Place::HOST, to: pod, device: 101 },
        Change::Move { from: Place::HOST, to: pod, link: 102, name: "net1".into() },
    ] {
        node.make(change).unwrap();
    }
    let cache = json!({"name": "ib1", "Master": "ibp175s0", "deviceID": IB_VF, "VFID": 0, "HostIFNames": "ibp175s0v0",
        "HostIFGUID": "0c:42:a1:03:00:a1:b2:c4", "ContIFNames": "net1", "link_state": "enable", "rdmaIsolation": true,
        "vfioPciMode": false, "RdmaNetState": {"version": "1.0", "deviceID": IB_VF, "sandboxRdmaDevName": "mlx5_4",
        "containerRdmaDevName": "mlx5_4"}});
    let path = node.root().join("var/lib/cni/ib-sriov/a-net1");
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, cache.to_string()).unwrap();
    detach(&mut node, &del_a()).unwrap();
    assert_eq!(node.link_of(IB_VF).address, hardware(GUID));
    assert_eq!(node.snapshot(), before);
    nothing_is_kept(&node);
}

#[test]
fn an_old_del_leaves_what_a_new_pod_has() {
    let mut node = Recorder::new();
    attach(&mut node, &add_a(&everything())).unwrap();
    node.delete_space(POD_A);
    attach(&mut node, &call_as("ADD", "b", POD_B, &json!({"rdmaIsolation": true}))).unwrap();
    assert_eq!(
        node.link_of(IB_VF).address,
        hardware(GUID),
        "what the first pod was given is not the second's"
    );
    let made = node.made.len();
    detach(&mut node, &del_a()).unwrap();
    assert_eq!(node.made.len(), made);
    assert_eq!(records(&node)[0].owner.container, "b");
}

#[test]
fn check_tells_what_has_changed() {
    let told = |happens: fn(&mut Recorder)| {
        let mut node = Recorder::new();
        let answer = attach(&mut node, &add_a(&everything())).unwrap();
        happens(&mut node);
        let mut keys = everything();
        keys["prevResult"] = serde_json::from_str(&answer.to_json(add_a(&json!({})).version)).unwrap();
        checked(&mut node, &call_as("CHECK", "a", POD_A, &keys)).map_err(|error| error.msg)
    };
    assert_eq!(told(|_| {}), Ok(()));
    let function = "virtual function 0000:af:00.2 (number 0 of port ibp175s0)";
    for (happens, expected) in [
        (
            (|node| node.function_mut(IB_VF).link_state = VfLinkState::Disable) as fn(&mut Recorder),
            format!("link_state of {function} is not what the network says"),
        ),
        (|node| node.link_of(IB_VF).up = false, "interface net1 of the pod is off".to_owned()),
        (
            |node| node.link_of(IB_VF).address = hardware(1),
            format!("interface net1 of the pod has not the GUID {GIVEN} any more"),
        ),
        (
            |node| node.link_of(IB_VF).mtu = 1500,
            "interface net1 of the pod has the MTU 1500, ADD left 2044".to_owned(),
        ),
        (
            // That of another rail is not this one's.
            |node| node.spaces[1].rdma[0].seen.index = 77,
            format!("the RDMA device of {function} is not in the pod any more"),
        ),
        (
            |node| node.remove_function(IB_VF),
            "virtual function 0000:af:00.2 is not on this node any more".to_owned(),
        ),
        (|node| node.remove_link(IB_VF), format!("{function} is not in the pod as net1 any more")),
    ] {
        assert_eq!(told(happens), Err(expected));
    }
}

fn checked(node: &mut Recorder, call: &Call) -> Result<(), CniError> {
    let state = state(node);
    check::check(&mut Node { state, kernel: node }, call)
}

#[test]
fn a_result_without_the_interface_is_not_what_add_left() {
    let mut node = Recorder::new();
    attach(&mut node, &add_a(&everything())).unwrap();
    let mut keys = everything();
    keys["prevResult"] = json!({"cniVersion": "1.1.0", "interfaces": [{"name": "eth0", "sandbox": POD_A}]});
    let error = checked(&mut node, &call_as("CHECK", "a", POD_A, &keys)).unwrap_err();
    assert_eq!((error.code, error.msg.as_str()), (CniError::CHANGED, "prevResult has no interface net1"));
}

#[test]
fn neither_a_record_nor_a_cache_that_cannot_be_read_holds_a_pod() {
    let mut node = Recorder::new();
    attach(&mut node, &add_a(&everything())).unwrap();
    std::fs::write(node.root().join("run/railweave/cni/ib-sriov").join(IB_VF), "{").unwrap();
    detach(&mut node, &del_a()).unwrap();
    let mut node = Recorder::new();
    let cache = node.root().join("var/lib/cni/ib-sriov/a-net1");
    std::fs::create_dir_all(cache.parent().unwrap()).unwrap();
    std::fs::write(cache, r#"{"name":"ib1","type":"ib-s"#).unwrap();
    detach(&mut node, &del_a()).unwrap();
    nothing_is_kept(&node);
}
