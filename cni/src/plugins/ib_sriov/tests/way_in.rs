use super::*;
use crate::kernel::recorder::{GUID, IB_PORT, INFINIBAND, VF, hardware};
use crate::kernel::{Change, Place};
use crate::netlink::{VfLinkState, VfSetting};
use crate::rdma::Mode;

fn set(setting: VfSetting) -> Change {
    Change::Function { port: INFINIBAND, number: 0, setting }
}

#[test]
fn without_another_guid_nothing_is_taken_from_its_driver() {
    for keys in [
        json!({"link_state": "enable"}),
        json!({"link_state": "enable", "runtimeConfig": {"infinibandGUID":
        "0c:42:a1:03:00:a1:b2:c4"}}),
    ] {
        let mut node = Recorder::new();
        let answer = attach(&mut node, &add_a(&keys)).unwrap();
        let pod = node.pod(POD_A);
        assert_eq!(node.made[0], set(VfSetting::LinkState(VfLinkState::Enable)));
        let (from, to, name) = (Place::HOST, pod, "net1".to_owned());
        assert_eq!(node.made[1], Change::Move { from, to, link: 20, name });
        assert_eq!(made(&node)[2..], ["Sysctl", "Up"]);
        assert_eq!(
            answer.interfaces,
            [crate::spec::Interface {
                name: "net1".into(),
                mac: "00:00:01:2a:fe:80:00:00:00:00:00:00:0c:42:a1:03:00:a1:b2:c4".into(),
                mtu: Some(2044),
                sandbox: POD_A.into(),
                socket_path: String::new(),
                pci_id: IB_VF.into(),
            }]
        );
        assert_eq!(node.spaces[1].rdma.len(), 0, "its RDMA device stays");
    }
}

#[test]
fn a_new_guid_is_told_and_read_and_the_rdma_device_goes_before_the_interface() {
    let mut node = Recorder::new();
    let answer = attach(&mut node, &add_a(&everything())).unwrap();
    let pod = node.pod(POD_A);
    assert_eq!(
        made(&node),
        ["Function", "Function", "Function", "Unbind", "Bind", "MoveRdma", "Move", "Sysctl", "Up"]
    );
    assert_eq!(
        node.made[..3],
        [
            set(VfSetting::LinkState(VfLinkState::Enable)),
            set(VfSetting::NodeGuid(GIVEN_NUMBER)),
            set(VfSetting::PortGuid(GIVEN_NUMBER)),
        ]
    );
    // Both have other numbers since the driver made them anew, and the interface once more since the device moved.
    assert_eq!(node.made[5], Change::MoveRdma { from: Place::HOST, to: pod, device: 101 });
    let link = node.link_of(IB_VF);
    assert_eq!((link.index, link.name.as_str(), link.up), (102, "net1", true));
    assert_eq!(link.address, hardware(GIVEN_NUMBER));
    assert_eq!(node.spaces[1].rdma.len(), 1);
    assert!(answer.interfaces[0].mac.ends_with(GIVEN));
    let before = &records(&node)[0].before;
    assert_eq!(before.rdma.as_ref().unwrap().name, "mlx5_4");
    assert_eq!(before.identity.unwrap().port.0, GUID);
}

#[test]
fn a_node_without_a_guid_of_its_own_is_given_one() {
    let mut node = Recorder::new();
    node.function_mut(IB_VF).guids = Some((0, GUID));
    let keys = json!({"runtimeConfig": {"infinibandGUID": "0c:42:a1:03:00:a1:b2:c4"}});
    attach(&mut node, &add_a(&keys)).unwrap();
    assert_eq!(node.function_of(IB_VF).unwrap().guids, Some((GUID, GUID)));
}

#[test]
fn the_plugin_in_go_finds_what_it_needs_to_detach() {
    let mut node = Recorder::new();
    attach(&mut node, &add_a(&everything())).unwrap();
    let text = std::fs::read_to_string(node.root().join("var/lib/cni/ib-sriov/a-net1")).unwrap();
    let cache: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        cache,
        json!({"cniVersion": "1.1.0", "name": "ib1", "type": "ib-sriov", "deviceID": IB_VF, "pkey": "0x7fff",
               "link_state": "enable", "rdmaIsolation": true, "runtimeConfig": {"infinibandGUID": GIVEN},
               "railweave": true, "Master": "ibp175s0", "VFID": 0, "HostIFNames": "ibp175s0v0",
               "HostIFGUID": "0c:42:a1:03:00:a1:b2:c4", "ContIFNames": "net1", "vfioPciMode": false,
               "RdmaNetState": {"version": "1.0", "deviceID": IB_VF, "sandboxRdmaDevName": "mlx5_4",
                                "containerRdmaDevName": "mlx5_4"}})
    );
}

#[test]
fn a_function_of_user_space_is_told_its_guid_and_stays_where_it_is() {
    let mut node = Recorder::new();
    node.drivers.insert(IB_VF.into(), "vfio-pci".into());
    node.remove_link(IB_VF);
    let before = node.snapshot();
    let keys = json!({"vfioPciMode": true, "runtimeConfig": {"infinibandGUID": GIVEN}});
    attach(&mut node, &add_a(&keys)).unwrap();
    assert_eq!(node.made, [set(VfSetting::NodeGuid(GIVEN_NUMBER)), set(VfSetting::PortGuid(GIVEN_NUMBER))]);
    detach(&mut node, &del_a()).unwrap();
    assert_eq!(node.snapshot(), before);
    nothing_is_kept(&node);
}

#[test]
fn a_port_goes_only_to_a_virtual_machine() {
    let mut node = Recorder::new();
    let keys = json!({"deviceID": IB_PORT});
    let error = attach(&mut node, &add_a(&keys)).unwrap_err();
    assert_eq!(
        error.msg,
        "device 0000:af:00.0 is no virtual function of this node; a port can be given to a pod only when it is bound to \
         vfio-pci"
    );
    node.drivers.insert(IB_PORT.into(), "vfio-pci".into());
    node.remove_link(IB_PORT);
    let answer = attach(&mut node, &add_a(&keys)).unwrap();
    assert_eq!((answer.interfaces[0].pci_id.as_str(), node.made.len()), (IB_PORT, 0));
    detach(&mut node, &call_as("DEL", "a", POD_A, &keys)).unwrap();
    nothing_is_kept(&node);
}

#[test]
fn what_cannot_work_is_refused_before_anything_is_changed() {
    let refused = |keys: &Value, happens: fn(&mut Recorder)| {
        let mut node = Recorder::new();
        happens(&mut node);
        let before = node.snapshot();
        let error = attach(&mut node, &add_a(keys)).unwrap_err();
        assert_eq!((node.made.len(), node.snapshot()), (0, before));
        nothing_is_kept(&node);
        error.msg
    };
    let function = "virtual function 0000:af:00.2 (number 0 of port ibp175s0)";
    let text = refused(&json!({"rdmaIsolation": true}), |node| node.mode = Mode::Shared);
    assert!(text.starts_with("RDMA devices of this node are shared"), "{text}");
    let text = refused(&json!({"vfioPciMode": true}), |_| {});
    assert!(
        text.starts_with(&format!("network \"ib1\" has vfioPciMode, and {function} is bound to mlx5_core")),
        "{text}"
    );
    let keys =
        json!({"ibKubernetesEnabled": true, "args": {"cni": {"mellanox.infiniband.app": "configured"}}});
    let text = refused(&keys, |_| {});
    assert!(text.contains("no GUID came with the interface"), "{text}");
    for guid in [0, u64::MAX] {
        let zero = |node: &mut Recorder| node.link_of(IB_VF).address = hardware(0);
        let ones = |node: &mut Recorder| node.link_of(IB_VF).address = hardware(u64::MAX);
        let text = refused(&json!({}), if guid == 0 { zero } else { ones });
        assert!(text.starts_with(&format!("the GUID of {function} is ")), "{text}");
        assert!(text.contains("which is none, and network \"ib1\" gives it no other"), "{text}");
    }
    let text = refused(&json!({"rdmaIsolation": true}), |node| {
        node.spaces[0].rdma.retain(|device| device.function == VF);
        node.delete_space(POD_B);
    });
    assert!(text.starts_with("device 0000:af:00.2 has no RDMA device on the host"), "{text}");
}
