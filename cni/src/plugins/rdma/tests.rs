use std::path::PathBuf;

use serde_json::{Value, json};

use super::*;
use crate::functions::Before as _;
use crate::kernel::recorder::{Device as RecordedDevice, OTHER_VF, PORT, Recorder, VF};
use crate::kernel::{Change, Place};
use crate::rdma::{Mode, RdmaDevice};
use crate::spec::fixture;
use crate::state::{Record, State};

const POD_A: &str = "/run/netns/pod-a";
const POD_B: &str = "/run/netns/pod-b";
const UID: &str = "11111111-2222-3333-4444-555555555555";

fn call_as(command: &str, container: &str, pod: &str, keys: &Value) -> Call {
    let config = json!({
        "cniVersion": "1.1.0", "name": "rail0", "type": "rdma", "deviceID": VF,
        "prevResult": {"cniVersion": "1.1.0", "ips": [], "interfaces":
            [{"name": "net1", "mac": "02:00:00:00:00:10", "sandbox": POD_A}]},
    });
    fixture::call(
        (command, container, pod),
        Some(&format!("IgnoreUnknown=true;K8S_POD_UID={UID}")),
        config,
        keys,
    )
}

fn add_a() -> Call {
    call_as("ADD", "a", POD_A, &json!({}))
}

fn del_a() -> Call {
    call_as("DEL", "a", POD_A, &json!({}))
}

fn state(node: &Recorder) -> State {
    State::at(node.root())
}

fn attach(node: &mut Recorder, call: &Call) -> Result<Answer, CniError> {
    let state = state(node);
    add::attach(&mut Node { state, kernel: node }, call)
}

fn detach(node: &mut Recorder, call: &Call) -> Result<(), CniError> {
    let state = state(node);
    Node { state, kernel: node }.detach::<Before>(call)
}

fn collect(node: &mut Recorder, valid: &Value) -> Result<(), CniError> {
    let state = state(node);
    let call = call_as("GC", "", "", &json!({"cni.dev/valid-attachments": valid}));
    Node { state, kernel: node }.collect::<Before>(&call)
}

fn records(node: &Recorder) -> Vec<Record<Before>> {
    state(node).records(Before::PLUGIN).all().unwrap()
}

fn write(node: &Recorder, path: &str, text: &str) {
    let path = node.root().join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// The RDMA devices of a namespace.
fn names(node: &Recorder, space: usize) -> Vec<&str> {
    node.spaces[space].rdma.iter().map(|device| device.seen.name.as_str()).collect()
}

fn nothing_is_kept(node: &Recorder) {
    assert_eq!(records(node), []);
    let caches = std::fs::read_dir(node.root().join("var/lib/cni/rdma"));
    assert_eq!(caches.map(Iterator::count).unwrap_or_default(), 0);
}

#[test]
fn the_device_goes_into_the_pod_and_the_result_stays_as_it_came() {
    let mut node = Recorder::new();
    let before = node.snapshot();
    let call = add_a();
    let answer = attach(&mut node, &call).unwrap();
    assert_eq!(answer, call.previous().unwrap().unwrap());
    let to = node.pod(POD_A);
    assert_eq!(node.made, [Change::MoveRdma { from: Place::HOST, to, device: 4 }]);
    assert_eq!((names(&node, 0), names(&node, 1)), (vec!["mlx5_3", "mlx5_4"], vec!["mlx5_2"]));
    let cache: Value =
        serde_json::from_slice(&std::fs::read(node.root().join("var/lib/cni/rdma/rail0-a-net1")).unwrap())
            .unwrap();
    assert_eq!(
        cache,
        json!({"version": "1.0", "deviceID": VF, "sandboxRdmaDevName": "mlx5_2", "containerRdmaDevName": "mlx5_2",
               "railweave": true})
    );
    detach(&mut node, &del_a()).unwrap();
    assert_eq!(node.snapshot(), before);
    nothing_is_kept(&node);
    let made = node.made.len();
    detach(&mut node, &del_a()).unwrap();
    assert_eq!(node.made.len(), made);
}

#[test]
fn a_name_that_the_pod_changed_is_brought_back() {
    let mut node = Recorder::new();
    let before = node.snapshot();
    attach(&mut node, &add_a()).unwrap();
    node.spaces[1].rdma[0].seen.name = "rail_0".into();
    detach(&mut node, &del_a()).unwrap();
    assert_eq!(node.snapshot(), before);
}

#[test]
fn a_namespace_that_is_gone_has_sent_the_device_home() {
    let mut node = Recorder::new();
    attach(&mut node, &add_a()).unwrap();
    node.spaces[1].rdma[0].seen.name = "rail_0".into();
    node.delete_space(POD_A);
    detach(&mut node, &del_a()).unwrap();
    assert!(names(&node, 0).contains(&"mlx5_2"), "{:?}", names(&node, 0));
    nothing_is_kept(&node);
}

#[test]
fn a_function_that_vanished_holds_no_pod() {
    let mut node = Recorder::new();
    attach(&mut node, &add_a()).unwrap();
    node.remove_function(VF);
    detach(&mut node, &del_a()).unwrap();
    nothing_is_kept(&node);
}

#[test]
fn neither_a_record_nor_a_cache_that_cannot_be_read_holds_a_pod() {
    let mut node = Recorder::new();
    attach(&mut node, &add_a()).unwrap();
    write(&node, &format!("run/railweave/cni/rdma/{VF}"), "{");
    detach(&mut node, &del_a()).unwrap();
    let (mut node, _) = attached_from_go();
    write(&node, "var/lib/cni/rdma/rail0-a-net1", r#"{"version":"1.0","dev"#);
    detach(&mut node, &del_a()).unwrap();
    nothing_is_kept(&node);
}

#[test]
fn what_cannot_work_is_refused_before_anything_is_changed() {
    let refused = |keys: &Value, happens: fn(&mut Recorder)| {
        let mut node = Recorder::new();
        happens(&mut node);
        let error = attach(&mut node, &call_as("ADD", "a", POD_A, keys)).unwrap_err();
        assert_eq!(node.made, []);
        nothing_is_kept(&node);
        (error.code, error.msg)
    };
    let (code, text) = refused(&json!({"prevResult": null}), |_| {});
    assert_eq!(code, CniError::CONFIG);
    assert!(text.contains("has no prevResult, which ADD needs"), "{text}");

    let (_, text) = refused(&json!({}), |node| node.mode = Mode::Shared);
    for part in ["netns_mode=0", "rdma system set netns exclusive", "EBUSY"] {
        assert!(text.contains(part), "{text}");
    }
    let (code, text) = refused(&json!({}), |node| node.spaces[0].rdma.clear());
    // Nothing tells the folder of it.
    assert_eq!((code, text.as_str()), (CniError::KERNEL, "RDMA device mlx5_2 of 0000:86:00.2 went away"));
    let (code, text) = refused(&json!({"deviceID": PORT}), |_| {});
    assert_eq!(code, CniError::TRY_AGAIN);
    assert!(text.starts_with("device 0000:86:00.0 has no RDMA device on the host: "), "{text}");
    let (_, text) = refused(&json!({}), |node| {
        let seen = RdmaDevice { index: 9, name: "mlx5_9".into(), ..RdmaDevice::default() };
        node.add_rdma(RecordedDevice { seen, function: VF.into(), verbs: 9 });
    });
    assert_eq!(text, "device 0000:86:00.2 has 2 RDMA devices (mlx5_2, mlx5_9), and only one can be moved");
    let (_, text) = refused(&json!({"deviceID": "../etc"}), |_| {});
    assert_eq!(
        text,
        "network \"rail0\": deviceID is \"../etc\"; write a PCI address as 0000:86:00.2, or an auxiliary device as \
         mlx5_core.sf.4"
    );
}

#[test]
fn without_a_device_in_the_configuration_the_result_before_tells_which_is_meant() {
    let attached = |interfaces: &Value, happens: fn(&mut Recorder)| {
        let mut node = Recorder::new();
        happens(&mut node);
        let previous = json!({"cniVersion": "1.1.0", "ips": [], "interfaces": interfaces});
        let keys = json!({"deviceID": "", "prevResult": previous});
        attach(&mut node, &call_as("ADD", "a", POD_A, &keys)).map(|_| records(&node)[0].device.clone())
    };
    let interface =
        |mac: &str, pci: &str| json!({"name": "net1", "mac": mac, "sandbox": POD_A, "pciID": pci});
    assert_eq!(attached(&json!([interface("", OTHER_VF)]), |_| {}), Ok(OTHER_VF.to_owned()));
    let by_mac = json!([interface("02:00:00:00:00:2a", "")]);
    assert_eq!(
        attached(&by_mac, |node| node.function_mut(OTHER_VF).mac = [2, 0, 0, 0, 0, 0x2a]),
        Ok(OTHER_VF.to_owned())
    );
    let error = attached(&by_mac, |_| {}).unwrap_err();
    assert_eq!(
        error.msg,
        "deviceID is not set, and 0 virtual functions of this node have the hardware address 02:00:00:00:00:2a of \
         prevResult's interface; set deviceID"
    );
    let error = attached(&json!([interface("", ""), interface("", "")]), |_| {}).unwrap_err();
    assert!(error.msg.contains("prevResult has 2 interfaces"), "{error}");
}

#[test]
fn an_auxiliary_device_is_moved_by_its_name() {
    let mut node = Recorder::new();
    let seen = RdmaDevice { index: 9, name: "mlx5_9".into(), ..RdmaDevice::default() };
    node.add_rdma(RecordedDevice { seen, function: "mlx5_core.sf.4".into(), verbs: 9 });
    let keys = json!({"deviceID": "mlx5_core.sf.4"});
    attach(&mut node, &call_as("ADD", "a", POD_A, &keys)).unwrap();
    assert_eq!(names(&node, 1), ["mlx5_9"]);
    detach(&mut node, &call_as("DEL", "a", POD_A, &keys)).unwrap();
    assert!(names(&node, 0).contains(&"mlx5_9"));
    nothing_is_kept(&node);
}

const SPECIFICATION: &str = "var/run/cdi/railweave.io-rdma_0000:86:00.2.json";

fn specification(node: &Recorder) -> Value {
    serde_json::from_slice(&std::fs::read(node.root().join(SPECIFICATION)).unwrap()).unwrap()
}

fn of_verbs(number: u32) -> Value {
    json!({"cdiVersion": "0.5.0", "kind": "railweave.io/rdma", "devices": [{"name": VF, "containerEdits": {"deviceNodes": [
        {"path": format!("/dev/infiniband/uverbs{number}"), "type": "c", "major": 231, "minor": 192 + number},
        {"path": "/dev/infiniband/rdma_cm"},
    ]}}]})
}

#[test]
fn a_device_that_is_handed_out_by_cdi_is_found_under_its_number_of_the_moment() {
    let mut node = Recorder::new();
    write(&node, SPECIFICATION, "{}");
    write(&node, "dev/infiniband/rdma_cm", "");
    // A number below its own is free, so the move changes it.
    node.other_verbs = [0].into();
    attach(&mut node, &add_a()).unwrap();
    assert_eq!(specification(&node), of_verbs(1));
    node.other_verbs = [0, 1].into();
    detach(&mut node, &del_a()).unwrap();
    assert_eq!(specification(&node), of_verbs(2), "the device plugin goes on from here");
}

#[test]
fn without_a_specification_none_is_made() {
    let mut node = Recorder::new();
    attach(&mut node, &add_a()).unwrap();
    assert!(!node.root().join("var/run/cdi").exists());
}

/// What the kubelet notes when it gave a pod this file: a message with a device, which has a path in the container, one on
/// the host, and rights.
fn given(node: &Recorder, pod: &str, file: &str) {
    let path = format!("/dev/infiniband/{file}");
    let field =
        |number: u8, text: &[u8]| [&[number << 3 | 2, u8::try_from(text.len()).unwrap()], text].concat();
    let device = [field(1, path.as_bytes()), field(2, path.as_bytes()), field(3, b"rw")].concat();
    let checkpoint = json!({"Data": {"PodDeviceEntries": [
        {"PodUID": pod, "ContainerName": "c", "ResourceName": "spidernet.io/rail0", "DeviceIDs": {"0": [VF]},
         "AllocResp": base64(&field(3, &device))},
        {"PodUID": pod, "ContainerName": "c", "ResourceName": "cpu", "DeviceIDs": {}, "AllocResp": null},
    ], "RegisteredDevices": {}}, "Checksum": 1});
    write(node, "var/lib/kubelet/device-plugins/kubelet_internal_checkpoint", &checkpoint.to_string());
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let number =
            three.iter().fold(0, |number, byte| number << 8 | usize::from(*byte)) << (8 * (3 - three.len()));
        for digit in 0..4 {
            let shown = digit <= three.len();
            text.push(if shown { DIGITS[number >> (18 - 6 * digit) & 63] as char } else { '=' });
        }
    }
    text
}

#[test]
fn a_pod_that_was_given_the_file_of_another_number_is_refused() {
    let mut node = Recorder::new();
    node.other_verbs = [0].into();
    let before = node.snapshot();
    given(&node, UID, "uverbs2");
    let error = attach(&mut node, &add_a()).unwrap_err();
    assert_eq!(error.code, CniError::TRY_AGAIN);
    assert!(
        error.msg.starts_with(
            "RDMA device mlx5_2 of 0000:86:00.2 has become /dev/infiniband/uverbs1 by its move into the pod, and the kubelet \
             gave the pod uverbs2: delete the pod"
        ),
        "{error}"
    );
    assert_eq!(node.snapshot(), before);
    nothing_is_kept(&node);
    attach(&mut node, &add_a())
        .expect_err("nor is it right the second time, though the number does not change any more");

    given(&node, UID, "uverbs1");
    attach(&mut node, &add_a()).unwrap();
    assert_eq!(names(&node, 1), ["mlx5_2"]);
}

#[test]
fn a_pod_of_which_nothing_is_known_gets_its_device() {
    for checkpoint in ["{", "{}"] {
        let mut node = Recorder::new();
        node.other_verbs = [0].into();
        write(&node, "var/lib/kubelet/device-plugins/kubelet_internal_checkpoint", checkpoint);
        attach(&mut node, &add_a()).unwrap();
    }
    let mut node = Recorder::new();
    node.other_verbs = [0].into();
    given(&node, "another pod", "uverbs2");
    attach(&mut node, &add_a()).unwrap();
}

#[test]
fn failures_and_kills_at_every_step_leave_no_trace() {
    let steps = 2;
    for step in 0..steps {
        let mut node = Recorder::new();
        let before = node.snapshot();
        node.refused.insert(step, libc::EBUSY);
        let attached = attach(&mut node, &add_a());
        assert_eq!(attached.is_err(), step == 0);
        if attached.is_ok() {
            let error = detach(&mut node, &del_a()).unwrap_err();
            assert_eq!(error.code, CniError::TRY_AGAIN, "the pod holds it");
            detach(&mut node, &del_a()).unwrap();
        }
        assert_eq!(node.snapshot(), before);
        nothing_is_kept(&node);
    }
    for next in ["DEL", "GC", "ADD"] {
        for step in 0..=steps {
            let mut node = Recorder::new();
            let before = node.snapshot();
            node.killed_at = Some(step);
            if attach(&mut node, &add_a()).is_ok() {
                detach(&mut node, &del_a()).ok();
            }
            node.killed_at = None;
            match next {
                "DEL" => detach(&mut node, &del_a()).unwrap(),
                "GC" => collect(&mut node, &json!([])).unwrap(),
                _ => {
                    attach(&mut node, &call_as("ADD", "b", POD_B, &json!({}))).unwrap();
                    detach(&mut node, &del_a()).unwrap();
                    assert_eq!(names(&node, 2), ["mlx5_2"], "the old DEL leaves it");
                    detach(&mut node, &call_as("DEL", "b", POD_B, &json!({}))).unwrap();
                }
            }
            assert_eq!(node.snapshot(), before, "{next} after a kill at step {step}");
            nothing_is_kept(&node);
        }
    }
}

#[test]
fn a_device_of_a_pod_that_lives_is_not_taken() {
    let mut node = Recorder::new();
    attach(&mut node, &add_a()).unwrap();
    let error = attach(&mut node, &call_as("ADD", "b", POD_B, &json!({}))).unwrap_err();
    assert_eq!(error.code, CniError::TRY_AGAIN);
    assert!(error.msg.contains("is still attached as net1 of container a"), "{error}");
}

/// As `rdma` in Go leaves it.
fn attached_from_go() -> (Recorder, String) {
    let mut node = Recorder::new();
    let before = node.snapshot();
    let to = node.pod(POD_A);
    crate::kernel::Kernel::make(&mut node, Change::MoveRdma { from: Place::HOST, to, device: 4 }).unwrap();
    write(
        &node,
        "var/lib/cni/rdma/rail0-a-net1",
        &json!({"version": "1.0", "deviceID": VF, "sandboxRdmaDevName": "mlx5_2", "containerRdmaDevName": "mlx5_2"}).to_string(),
    );
    (node, before)
}

#[test]
fn pods_of_the_plugin_in_go_are_detached() {
    let (mut node, before) = attached_from_go();
    detach(&mut node, &del_a()).unwrap();
    assert_eq!(node.snapshot(), before);
    nothing_is_kept(&node);

    let (mut node, _) = attached_from_go();
    node.delete_space(POD_A);
    detach(&mut node, &del_a()).unwrap();
    nothing_is_kept(&node);
}

#[test]
fn pods_of_the_plugin_in_go_are_checked() {
    let (mut node, _) = attached_from_go();
    checked(&mut node).unwrap();
    node.spaces[1].rdma.clear();
    assert_eq!(checked(&mut node).unwrap_err().code, CniError::CHANGED);
}

#[test]
fn caches_of_networks_with_longer_names_are_not_taken_for_this_one_s() {
    let mut node = Recorder::new();
    let container = "0123456789abcdef".repeat(4);
    let path: PathBuf = format!("var/lib/cni/rdma/rail0-east-{container}-net1").into();
    write(&node, path.to_str().unwrap(), &json!({"version": "1.0", "deviceID": VF}).to_string());
    collect(&mut node, &json!([])).unwrap();
    assert!(node.root().join(path).exists());
}

fn checked(node: &mut Recorder) -> Result<(), CniError> {
    let state = state(node);
    check::check(&mut Node { state, kernel: node }, &call_as("CHECK", "a", POD_A, &json!({})))
}

#[test]
fn check_and_status_tell_what_is_missing() {
    let mut node = Recorder::new();
    attach(&mut node, &add_a()).unwrap();
    checked(&mut node).unwrap();
    node.spaces[1].rdma.clear();
    let error = checked(&mut node).unwrap_err();
    assert_eq!(error.code, CniError::CHANGED);
    assert_eq!(error.msg, "RDMA device mlx5_2 of 0000:86:00.2 is not in the pod any more");
    let state = state(&node);
    check::is_ready(&state, &mut node).unwrap();
    node.mode = Mode::Shared;
    assert_eq!(check::is_ready(&state, &mut node).unwrap_err().code, CniError::UNAVAILABLE);
}
