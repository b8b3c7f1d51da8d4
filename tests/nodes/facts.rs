//! What the agent publishes of a node is what the kubelet and the kernel have.

use serde_json::{Value, json};

use crate::bed::{Bed, eventually};
use crate::guest::{Guest, PORTS};

pub(crate) fn of_the_kubelet_are_published(bed: &Bed) {
    for guest in &bed.guests {
        let resource = |rail| {
            json!({
                "name": format!("spidernet.io/gpu{rail}sriov"),
                "devices": functions(guest, rail),
                "physicalFunctions": [port(guest, rail)],
            })
        };
        let wanted: Vec<Value> = (1..=PORTS).map(resource).collect();
        let mut published = Value::Null;
        eventually(&format!("the RailNode of {} has {wanted:?}", guest.name), || {
            let printed = bed.kubectl(&["get", "railnode", guest.name, "-o", "json"]).unwrap_or_default();
            published = serde_json::from_str(&printed).unwrap_or_default();
            published["spec"]["resources"] == json!(wanted)
        });
        let ports = published["spec"]["physicalFunctions"].as_array().expect("a list");
        let ports: Vec<Value> =
            ports.iter().map(|port| json!([port["interface"], port["virtualFunctions"]])).collect();
        let both: Vec<Value> =
            (0..PORTS).map(|port| json!([format!("rail{port}"), crate::guest::FUNCTIONS])).collect();
        assert_eq!(ports, both);
    }
}

/// PCI addresses of the functions of a rail's port, in order.
fn functions(guest: &Guest, rail: usize) -> Vec<String> {
    let port = rail - 1;
    let listed = guest.run(&format!(
        "for f in /sys/class/net/rail{port}/device/virtfn*; do basename $(readlink $f); done | sort"
    ));
    listed.lines().map(str::to_owned).collect()
}

/// PCI address of a rail's port.
fn port(guest: &Guest, rail: usize) -> String {
    let port = rail - 1;
    guest.run(&format!("basename $(readlink /sys/class/net/rail{port}/device)")).trim().to_owned()
}
