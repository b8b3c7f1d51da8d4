//! Which pool serves a rail that only shows when it is attached: the one of the port behind the device that was given.

use std::collections::BTreeSet;
use std::process::Command;

use ipnet::Ipv4Net;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use kube::api::{DeleteParams, PostParams};
use railweave_cni::wire::{AddArgs, AddReply, Client, ClientError};
use serde_json::{Value, json};

use crate::allocation::{bound_pod, create_nodes, endpoints, records};
use crate::installation::{Installation, Options};
use crate::node_agent::{NodeAgent, add_args};
use crate::objects::{GROUP, RDMA_KEY};
use crate::sysfs_tree::SysfsTree;

/// Virtual functions of the recorded node, of different ports.
const OF_THE_LOOPBACK: &str = "0000:86:00.2";
const OF_THE_MACHINE: &str = "0000:d8:00.7";

/// An interface of this machine that is not the loopback: its index, and its subnet.
fn interface() -> Option<(u64, Ipv4Net)> {
    let shown =
        Command::new("ip").args(["-json", "-4", "address", "show", "up", "scope", "global"]).output().ok()?;
    let shown: Value = serde_json::from_slice(&shown.stdout).ok()?;
    let of = |link: &Value| {
        let address = &link["addr_info"][0];
        let subnet: Ipv4Net =
            format!("{}/{}", address["local"].as_str()?, address["prefixlen"].as_u64()?).parse().ok()?;
        // A pool of it needs room for an address.
        (subnet.prefix_len() < 31).then(|| Some((link["ifindex"].as_u64()?, subnet.trunc())))?
    };
    shown.as_array()?.iter().find_map(of)
}

/// Why the test cannot run here, if it cannot.
pub(crate) fn missing() -> Option<&'static str> {
    interface().is_none().then_some("no interface besides the loopback has an IPv4 address")
}

/// What the plugin asks for the one rail, made of a device if one is named.
async fn attach(client: &Client, pod: &Pod, device: Option<&str>) -> Result<AddReply, ClientError> {
    let args = AddArgs {
        default_ipv4_pools: Some(vec!["elsewhere".to_owned(), "loopback".to_owned(), "machine".to_owned()]),
        match_master_subnet: true,
        device_id: device.map(str::to_owned),
        ..add_args(pod, 1)
    };
    let client = client.clone();
    tokio::task::spawn_blocking(move || client.add(&args)).await.expect("the task ends")
}

/// Pools of all records.
async fn pools(installation: &Installation) -> Vec<String> {
    records(installation).await.into_values().map(|(_, pool)| pool).collect()
}

/// Nobody knows the port behind a rail before it is attached. Then the device decides; one of another port, in the next
/// sandbox of the pod, gets an address of that port's pool, and the first address goes back.
pub(crate) async fn decides_what_shows_at_attach_time() {
    let (index, subnet) = interface().expect("it is not missing");
    let installation = Installation::start("device", Options::default()).await;
    let pool = |name: &str, subnet: &str, ips: &[&str]| {
        json!({ "apiVersion": "spiderpool.spidernet.io/v2beta1", "kind": "SpiderIPPool",
            "metadata": { "name": name }, "spec": { "subnet": subnet, "ips": ips } })
    };
    let first = subnet.hosts().next().expect("it has room").to_string();
    for pool in [
        pool("elsewhere", "198.51.100.0/24", &["198.51.100.1-198.51.100.9"]),
        pool("loopback", "127.0.0.0/8", &["127.1.0.1-127.1.0.9"]),
        pool("machine", &subnet.to_string(), &[&first]),
    ] {
        installation.cluster.apply(&pool.to_string());
    }
    let network = json!({
        "apiVersion": "spiderpool.spidernet.io/v2beta1", "kind": "SpiderMultusConfig",
        "metadata": { "name": "gpu1-sriov", "namespace": "spiderpool", "annotations": { RDMA_KEY: GROUP } },
        "spec": { "cniType": "sriov", "sriov": { "resourceName": "spidernet.io/gpu1sriov", "ippools": {
            "ipv4": ["elsewhere", "loopback", "machine"], "matchMasterSubnet": true } } },
    });
    installation.cluster.apply(&network.to_string());
    create_nodes(&installation, 1);
    installation.knows_rails(1).await;

    let tree = SysfsTree::rails();
    tree.write("devices/pci0000:85/0000:86:00.0/net/eno3np2/ifindex", "1");
    tree.write("devices/pci0000:d7/0000:d8:00.0/net/enp216s0/ifindex", &index.to_string());
    let agent =
        NodeAgent::start(&installation, "node-0", &["--sysfs", tree.path().to_str().expect("text")]).await;
    let client = agent.client();
    let pods = installation.pods("default");
    let pod = pods.create(&PostParams::default(), &bound_pod("train-0", 0)).await.expect("it is created");

    let refused = attach(&client, &pod, None).await.expect_err("nobody knows the port").to_string();
    assert!(refused.contains("the plugin did not say which device it was given"), "{refused}");
    assert_eq!(pools(&installation).await, Vec::<String>::new());

    let reply = attach(&client, &pod, Some(OF_THE_LOOPBACK)).await.expect("the loopback's pool serves");
    assert_eq!(reply.ips.len(), 1);
    assert!(reply.ips[0].address.starts_with("127.1.0."), "{reply:?}");
    let again = attach(&client, &pod, Some(OF_THE_LOOPBACK)).await.expect("as before");
    assert_eq!(again, reply, "whoever asks again is told the same");
    assert_eq!(pools(&installation).await, ["loopback"]);

    let reply = attach(&client, &pod, Some(OF_THE_MACHINE)).await.expect("the other port's pool serves");
    let told: BTreeSet<&str> = reply.ips.iter().filter_map(|ip| ip.address.split('/').next()).collect();
    assert_eq!(told, BTreeSet::from([first.as_str()]), "{reply:?}");
    installation
        .wait_for("the first address to go back", || async { pools(&installation).await == ["machine"] })
        .await;
    let endpoints = endpoints(&installation).await;
    let status = endpoints[0].status.as_ref().expect("it is written with its status");
    assert_eq!(status.current.uid, pod.uid().expect("it was created"));
    let addresses: Vec<Option<&str>> =
        status.current.ips.iter().map(|detail| detail.ipv4.as_deref()).collect();
    assert_eq!(addresses, [Some(reply.ips[0].address.as_str())]);

    pods.delete("train-0", &DeleteParams::default().grace_period(0)).await.expect("it is deleted");
    installation.wait_for("the records to go", || async { pools(&installation).await.is_empty() }).await;
}
