mod check;
mod config;
mod crashes;
mod from_go;
mod way_home;
mod way_in;

use serde_json::{Value, json};

use super::restore::Before;
use super::*;
use crate::kernel::recorder::{PORT, Recorder, VF};
use crate::spec::fixture;
use crate::state::{Record, State};

/// The call that a runtime makes, with these keys beside those that every configuration has.
fn call_as(command: &str, container: &str, pod: &str, keys: &Value) -> Call {
    let config = json!({"cniVersion": "1.1.0", "name": "rail0", "type": "sriov", "deviceID": VF});
    fixture::call((command, container, pod), Some("IgnoreUnknown=true;K8S_POD_NAME=job-0"), config, keys)
}

const POD_A: &str = "/run/netns/pod-a";
const POD_B: &str = "/run/netns/pod-b";

fn add_a(keys: &Value) -> Call {
    call_as("ADD", "a", POD_A, keys)
}

fn del_a(keys: &Value) -> Call {
    call_as("DEL", "a", POD_A, keys)
}

/// Every setting at once.
fn everything() -> Value {
    json!({"vlan": 100, "vlanQoS": 3, "vlanProto": "802.1ad", "mac": "02:00:00:00:00:2A", "mtu": 4200, "spoofchk": "off",
           "trust": "on", "link_state": "enable", "min_tx_rate": 100, "max_tx_rate": 1000})
}

fn state(recorder: &Recorder) -> State {
    State::at(recorder.root())
}

fn attach(recorder: &mut Recorder, call: &Call) -> Result<Answer, CniError> {
    let state = state(recorder);
    add::attach(&mut Node { state, kernel: recorder }, call)
}

fn detach(recorder: &mut Recorder, call: &Call) -> Result<(), CniError> {
    let state = state(recorder);
    addressed::detach::<Before>(&mut Node { state, kernel: recorder }, call)
}

fn collect(recorder: &mut Recorder, valid: &[&str]) -> Result<(), CniError> {
    let valid: Vec<Value> =
        valid.iter().map(|container| json!({"containerID": container, "ifname": "net1"})).collect();
    let call = call_as("GC", "", "", &json!({"cni.dev/valid-attachments": valid}));
    let state = state(recorder);
    addressed::collect::<Before>(&mut Node { state, kernel: recorder }, &call)
}

fn records(recorder: &Recorder) -> Vec<Record<Before>> {
    state(recorder).records(<Before as crate::functions::Before>::PLUGIN).all().unwrap()
}

/// Files that are kept besides locks.
fn kept(recorder: &Recorder) -> Vec<String> {
    let folders = ["run/railweave/cni/sriov", "var/lib/cni/sriov", "var/lib/cni/sriov/pci"];
    let mut found = Vec::new();
    for folder in folders {
        let Ok(entries) = std::fs::read_dir(recorder.root().join(folder)) else { continue };
        for entry in entries.map(Result::unwrap).filter(|entry| !entry.file_type().unwrap().is_dir()) {
            found.push(format!("{folder}/{}", entry.file_name().to_string_lossy()));
        }
    }
    found.sort();
    found
}
