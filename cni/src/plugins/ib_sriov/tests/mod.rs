mod config;
mod crashes;
mod way_home;
mod way_in;

use serde_json::{Value, json};

use super::*;
use crate::kernel::recorder::{IB_VF, Recorder};
use crate::spec::fixture;
use crate::state::{Record, State};

const POD_A: &str = "/run/netns/pod-a";
const POD_B: &str = "/run/netns/pod-b";
/// What a pod is given.
const GIVEN: &str = "02:00:00:00:00:00:00:2a";
const GIVEN_NUMBER: u64 = 0x0200_0000_0000_002a;

fn call_as(command: &str, container: &str, pod: &str, keys: &Value) -> Call {
    let config = json!({"cniVersion": "1.1.0", "name": "ib1", "type": "ib-sriov", "deviceID": IB_VF,
                            "pkey": "0x7fff"});
    fixture::call((command, container, pod), None, config, keys)
}

/// Link state, another identifier, the RDMA device in the pod.
fn everything() -> Value {
    json!({"link_state": "enable", "rdmaIsolation": true, "runtimeConfig": {"infinibandGUID": GIVEN}})
}

fn add_a(keys: &Value) -> Call {
    call_as("ADD", "a", POD_A, keys)
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
    addressed::detach::<Before>(&mut Node { state, kernel: node }, call)
}

fn records(node: &Recorder) -> Vec<Record<Before>> {
    state(node).records(<Before as crate::functions::Before>::PLUGIN).all().unwrap()
}

fn nothing_is_kept(node: &Recorder) {
    assert_eq!(records(node), []);
    let caches = std::fs::read_dir(node.root().join("var/lib/cni/ib-sriov"));
    assert_eq!(caches.map(Iterator::count).unwrap_or_default(), 0);
}

fn made(node: &Recorder) -> Vec<String> {
    node.made.iter().map(Recorder::name_of).collect()
}
