//! CHECK tells the first thing that is not as ADD left it, and nothing when all is.

use super::*;
use crate::kernel::recorder::VFIO_VF;
use crate::plugins::sriov::check::check;

/// CHECK with the result of the ADD, after something happened to the node.
fn checked(keys: &Value, happens: impl FnOnce(&mut Recorder)) -> Result<(), String> {
    let mut node = Recorder::new();
    let call = add_a(keys);
    let answer = attach(&mut node, &call).unwrap();
    happens(&mut node);
    let mut keys = keys.clone();
    keys["prevResult"] = serde_json::from_str(&answer.to_json(call.version)).unwrap();
    check(&mut node, &call_as("CHECK", "a", POD_A, &keys)).map_err(|error| {
        assert_eq!(error.code, CniError::CHANGED);
        error.msg
    })
}

#[test]
fn nothing_is_told_of_what_add_left() {
    assert_eq!(checked(&everything(), |_| {}), Ok(()));
    assert_eq!(checked(&json!({}), |_| {}), Ok(()));
    assert_eq!(checked(&json!({"deviceID": VFIO_VF, "vlan": 5}), |_| {}), Ok(()));
}

#[test]
fn what_has_changed_is_told() {
    let keys = everything();
    let told = |happens: fn(&mut Recorder)| checked(&keys, happens).unwrap_err();
    let function = "virtual function 0000:86:00.2 (number 0 of port eno3np2)";
    assert_eq!(
        told(|node| node.function_mut(VF).vlan.id = 0),
        format!("vlan of {function} is not what the network says")
    );
    assert_eq!(
        told(|node| node.function_mut(VF).trust = Some(false)),
        format!("trust of {function} is not what the network says")
    );
    assert_eq!(told(|node| node.link_of(VF).up = false), "interface net1 of the pod is off");
    assert_eq!(
        told(|node| node.link_of(VF).name = "rail0".into()),
        "interface net1 of the pod is called rail0 now"
    );
    assert_eq!(
        told(|node| node.link_of(VF).mtu = 1500),
        "interface net1 of the pod has the MTU 1500, ADD left 4200"
    );
    assert_eq!(
        told(|node| node.link_of(VF).address[5] = 0xff),
        "interface net1 of the pod has the hardware address 02:00:00:00:00:ff, ADD gave it 02:00:00:00:00:2a"
    );
    assert_eq!(told(|node| node.remove_link(VF)), format!("{function} is not in the pod any more"));
    assert_eq!(
        told(|node| node.remove_function(VF)),
        "virtual function 0000:86:00.2 is not on this node any more"
    );
    assert_eq!(told(|node| node.delete_space(POD_A)), "the pod's network namespace /run/netns/pod-a is gone");
}

#[test]
fn a_check_without_the_result_of_add_is_refused() {
    let mut node = Recorder::new();
    attach(&mut node, &add_a(&json!({}))).unwrap();
    let error = check(&mut node, &call_as("CHECK", "a", POD_A, &json!({}))).unwrap_err();
    assert_eq!(error.code, CniError::CONFIG);
}

#[test]
fn status_tells_when_nothing_can_be_kept() {
    let node = Recorder::new();
    assert_eq!(is_ready(&state(&node)), Ok(()));
    std::fs::remove_dir_all(node.root().join("run")).unwrap();
    std::fs::write(node.root().join("run"), "").unwrap();
    assert_eq!(is_ready(&state(&node)).unwrap_err().code, CniError::UNAVAILABLE);
}
