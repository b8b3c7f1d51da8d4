//! What a leader takes to know a big cluster again: CPU and memory of the process, from its start; run by
//! `make bench-cluster`.

use std::time::{Duration, Instant};

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::ResourceExt as _;
use kube::api::{Api, Patch, PatchParams, PostParams};
use railweave::api::{RailNode, SpiderEndpoint, SpiderIPPool};
use railweave::ipam::{Ledger, Record};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::allocation::{RAILS, bound_pod, rails_of_size};
use crate::installation::{Installation, Options};
use crate::measure::{cpu_of, memory_of};
use crate::objects::{NETWORKS_KEY, from, networks_annotation, node};

const NODES: usize = 5_000;

/// 5,000 nodes that have said what they have, a pod of 8 rails with its endpoint on each, and the 40,000 records of that
/// in 8 pools; then a leader starts.
pub(crate) async fn of_a_leader_of_5000_nodes() {
    let mut installation = Installation::start("resync", Options { replicas: 0, ..Options::default() }).await;
    installation.cluster.apply(&rails_of_size(NODES));
    let begun = Instant::now();
    let created = futures::stream::iter((0..NODES).map(|number| served_pod(&installation, number)));
    let mut uids: Vec<(usize, String)> = created.buffer_unordered(64).collect().await;
    uids.sort_unstable();
    for rail in 1..=RAILS {
        record(&installation, rail, &uids).await;
    }
    println!("\n{NODES} nodes and pods, {} records, created in {:.0?}", NODES * RAILS, begun.elapsed());

    let begun = Instant::now();
    installation.add_replica().await;
    let ready = begun.elapsed();
    let leader = &installation.replicas[0];
    let known = || async {
        let records = leader.metric("railweave_ipam_records{state=\"in-use\"}").await;
        (records - 40_000.0).abs() < 0.5
    };
    let took = ready + installation.wait_for("all records", known).await;
    let used = cpu_of(leader.pid());
    // The other loops of the leader look at everything, too.
    sleep(Duration::from_secs(10)).await;
    println!("| ready | all records known | CPU until then | CPU after 10 s more | memory | at most |");
    println!("|---:|---:|---:|---:|---:|---:|");
    println!(
        "| {ready:.2?} | {took:.2?} | {:.2} s | {:.2} s | {:.0} MiB | {:.0} MiB |",
        used / 1000.0,
        cpu_of(leader.pid()) / 1000.0,
        memory_of(leader.pid(), "VmRSS"),
        memory_of(leader.pid(), "VmHWM"),
    );
    let waiting = leader.metric("railweave_ipam_waiting_pods").await;
    assert_eq!(waiting.to_string(), "0", "every pod has its endpoint");
}

/// A node, what its agent says of it, a pod on it and the pod's endpoint; the pod's UID.
async fn served_pod(installation: &Installation, number: usize) -> (usize, String) {
    let client = &installation.cluster.client;
    let (name, parameters) = (format!("node-{number}"), PostParams::default());
    let (mut object, status) = node(&name, RAILS, 8);
    object["status"] = status["status"].clone();
    let node = Api::<Node>::all(client.clone()).create(&parameters, &from(object)).await;
    node.expect("the node is created");
    let facts = Api::<RailNode>::all(client.clone()).create(&parameters, &from(rail_node(&name))).await;
    facts.expect("the node's facts are created");

    let mut pod = bound_pod(&format!("train-{number}"), number);
    pod.metadata.labels = Some([("railweave.io/rails".to_owned(), RAILS.to_string())].into());
    pod.metadata.annotations = Some([(NETWORKS_KEY.to_owned(), networks_annotation(RAILS))].into());
    let pod = Api::<Pod>::namespaced(client.clone(), "default").create(&parameters, &pod).await;
    let pod = pod.expect("the pod is created");
    let uid = pod.uid().expect("a stored pod has a UID");
    let endpoint: SpiderEndpoint = from(endpoint(number, &uid));
    let endpoints = Api::<SpiderEndpoint>::namespaced(client.clone(), "default");
    endpoints.create(&parameters, &endpoint).await.expect("the endpoint is created");
    (number, uid)
}

fn rail_node(name: &str) -> Value {
    let pci = |rail: usize| format!("0000:{:02x}:00.0", 16 * rail);
    let port = |rail: usize| {
        json!({"pciAddress": pci(rail), "interface": format!("eno{rail}np0"), "linkType": "ethernet", "mtu": 9000,
            "addresses": [format!("10.{rail}.255.1/16")], "rdmaDevice": format!("mlx5_{rail}"), "virtualFunctions": 8})
    };
    let resource = |rail: usize| json!({"name": format!("spidernet.io/gpu{rail}sriov"), "physicalFunctions": [pci(rail)]});
    json!({
        "apiVersion": "railweave.io/v1alpha1", "kind": "RailNode", "metadata": {"name": name},
        "spec": {
            "physicalFunctions": (1..=RAILS).map(port).collect::<Vec<_>>(),
            "resources": (1..=RAILS).map(resource).collect::<Vec<_>>(),
        },
    })
}

/// The address of a pod on a rail, as [`rails_of_size`] has them.
fn address(rail: usize, number: usize) -> String {
    format!("10.{rail}.{}.{}", (number + 1) / 256, (number + 1) % 256)
}

fn endpoint(number: usize, uid: &str) -> Value {
    let detail = |rail: usize| {
        json!({"interface": format!("net{rail}"), "ipv4": format!("{}/16", address(rail, number)),
            "ipv4Pool": format!("rail-{rail}"), "ipv4Gateway": format!("10.{rail}.255.254"), "cleanGateway": false})
    };
    let (name, node) = (format!("train-{number}"), format!("node-{number}"));
    json!({
        "apiVersion": "spiderpool.spidernet.io/v2beta1", "kind": "SpiderEndpoint",
        "metadata": {"name": name, "namespace": "default", "labels": {"railweave.io/node": node},
            "ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": name, "uid": uid}]},
        "spec": {},
        "status": {"ownerControllerType": "Pod", "ownerControllerName": name,
            "current": {"uid": uid, "node": node, "ips": (1..=RAILS).map(detail).collect::<Vec<_>>()}},
    })
}

/// Writes the records of all pods on a rail.
async fn record(installation: &Installation, rail: usize, uids: &[(usize, String)]) {
    let mut ledger = Ledger::default();
    for (number, uid) in uids {
        let pod = format!("default/train-{number}");
        let record = Record::new(pod.into(), uid.as_str().into(), format!("net{rail}").into());
        let record = record.on(&format!("node-{number}"));
        ledger.set(address(rail, *number).parse().expect("an address"), record);
    }
    let text = ledger.write().expect("records can be written");
    let status = json!({"status": {"allocatedIPs": text, "allocatedIPCount": ledger.len()}});
    let pools = Api::<SpiderIPPool>::all(installation.cluster.client.clone());
    let written =
        pools.patch_status(&format!("rail-{rail}"), &PatchParams::default(), &Patch::Merge(status)).await;
    written.expect("the records are written");
}
