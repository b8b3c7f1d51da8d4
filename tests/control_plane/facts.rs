//! What a node has for rails is published as its `RailNode`, and stays right whoever touches it.

use std::fs::File;
use std::os::fd::AsRawFd as _;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, unshare};
use railweave::agent::facts::{Facts, Network};
use railweave_cni::sysfs::Sysfs;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::cluster::{Cluster, Components};
use crate::installation::{Installation, Options};
use crate::node_agent::NodeAgent;
use crate::sysfs_tree::SysfsTree;

const NODE: &str = "rail-node-1";

/// Why these tests cannot run here, if they cannot.
pub(crate) fn missing() -> Option<&'static str> {
    let allowed = std::thread::spawn(|| unshare(CloneFlags::CLONE_NEWNET).is_ok()).join();
    (!allowed.is_ok_and(|allowed| allowed)).then_some("no network namespace can be made, which needs root")
}

/// A network namespace of its own, with the interfaces of the recorded node.
struct Host {
    namespace: File,
    tree: SysfsTree,
}

impl Host {
    fn start() -> (Self, Network) {
        let made = std::thread::spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET).unwrap();
            (File::open("/proc/thread-self/ns/net").unwrap(), Network::open().unwrap())
        });
        let (namespace, network) = made.join().unwrap();
        let host = Self { namespace, tree: SysfsTree::rails() };
        host.ip("link add eno3np2 type veth peer name wire");
        let link: Value = serde_json::from_str(&host.ip("-json link show eno3np2")).unwrap();
        host.tree
            .write("devices/pci0000:85/0000:86:00.0/net/eno3np2/ifindex", &link[0]["ifindex"].to_string());
        (host, network)
    }

    fn ip(&self, arguments: &str) -> String {
        let namespace = format!("--net=/proc/{}/fd/{}", std::process::id(), self.namespace.as_raw_fd());
        let arguments = arguments.split_whitespace();
        let output = Command::new("nsenter").arg(namespace).arg("ip").args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}

/// Waits until the `RailNode` is as it should be. Returns it, and how long that took.
async fn wait_for(cluster: &Cluster, what: &str, right: impl Fn(&Value) -> bool) -> (Value, Duration) {
    let begun = Instant::now();
    loop {
        let printed = cluster.kubectl(&["get", "railnode", NODE, "-o", "json"], "");
        let object: Value = serde_json::from_str(&printed.out).unwrap_or_default();
        if right(&object) {
            return (object, begun.elapsed());
        }
        assert!(begun.elapsed() < Duration::from_mins(1), "waited 60 s for {what}: {object}");
        sleep(Duration::from_millis(20)).await;
    }
}

fn create_node(cluster: &Cluster) -> Value {
    cluster.kubectl_ok(
        &["create", "-f", "-"],
        &json!({ "apiVersion": "v1", "kind": "Node", "metadata": { "name": NODE } }).to_string(),
    );
    cluster.get(&["node", NODE])["metadata"]["uid"].clone()
}

fn addresses(object: &Value) -> &Value {
    &object["spec"]["physicalFunctions"][0]["addresses"]
}

fn published(address: &str) -> Value {
    json!({
        "interfaces": ["eno3np2", "ibp175s0", "enp216s0"],
        "physicalFunctions": [
            {
                "pciAddress": "0000:86:00.0", "interface": "eno3np2", "addresses": [address],
                "linkType": "ethernet", "mtu": 9000, "numaNode": 1, "rdmaDevice": "mlx5_0", "virtualFunctions": 2,
            },
            {
                "pciAddress": "0000:af:00.0", "interface": "ibp175s0", "addresses": [],
                "linkType": "infiniband", "mtu": 4092, "rdmaDevice": "mlx5_1", "virtualFunctions": 0,
            },
            {
                "pciAddress": "0000:d8:00.0", "interface": "enp216s0", "addresses": [],
                "linkType": "ethernet", "mtu": 1500, "numaNode": 1, "virtualFunctions": 1,
            },
        ],
        "resources": [],
    })
}

pub(crate) async fn are_published_and_stay_right() {
    let cluster = Cluster::start("facts", Components::All).await;
    let definition = include_str!("../../manifests/crds/railweave.io_railnodes.yaml");
    cluster.kubectl_ok(&["apply", "--server-side", "-f", "-"], definition);
    cluster.kubectl_ok(&["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"], "");
    let node_uid = create_node(&cluster);
    let (host, network) = Host::start();
    host.ip("address add 172.16.1.1/27 dev eno3np2");
    let facts = Facts {
        client: cluster.client.clone(),
        node: NODE.to_owned(),
        sysfs: Sysfs::at(host.tree.path()),
        kubelet: host.tree.path().join("no-kubelet.sock"),
        network,
    };
    let publishing = tokio::spawn(facts.publish());

    let (first, _) = wait_for(&cluster, "the RailNode", Value::is_object).await;
    assert_eq!(first["spec"], published("172.16.1.1/27"));
    let owner = json!([{ "apiVersion": "v1", "kind": "Node", "name": NODE, "uid": node_uid }]);
    assert_eq!(first["metadata"]["ownerReferences"], owner);

    // A change of links that changes no fact, and more than one look at the node.
    host.ip("link set wire mtu 1400");
    sleep(Duration::from_secs(7)).await;
    let same = cluster.get(&["railnode", NODE]);
    assert_eq!(
        same["metadata"]["resourceVersion"], first["metadata"]["resourceVersion"],
        "nothing was written"
    );

    host.ip("address replace 172.16.9.2/27 dev eno3np2");
    host.ip("address delete 172.16.1.1/27 dev eno3np2");
    let (_, after) =
        wait_for(&cluster, "the new address", |object| *addresses(object) == json!(["172.16.9.2/27"])).await;
    assert!(after < Duration::from_secs(1), "{after:?}");

    is_mended(&cluster, &owner).await;
    follows_virtual_functions(&cluster, &host).await;
    survives_a_restart_of_the_api_server(&cluster, &host).await;
    follows_its_node(&cluster, &node_uid).await;
    publishing.abort();
}

async fn is_mended(cluster: &Cluster, owner: &Value) {
    let right = published("172.16.9.2/27");
    for edit in [
        r#"{"spec":{"interfaces":["eno1"],"resources":[{"name":"a.io/b","devices":["x"]}]}}"#,
        r#"{"spec":{"physicalFunctions":null}}"#,
        r#"{"metadata":{"ownerReferences":null}}"#,
    ] {
        cluster.kubectl_ok(&["patch", "railnode", NODE, "--type=merge", "-p", edit], "");
        let is_right =
            |object: &Value| object["spec"] == right && object["metadata"]["ownerReferences"] == *owner;
        wait_for(cluster, edit, is_right).await;
    }
    cluster.kubectl_ok(&["label", "railnode", NODE, "team=a"], "");
    cluster.kubectl_ok(&["delete", "railnode", NODE], "");
    wait_for(cluster, "the deleted RailNode", |object| object["spec"] == right).await;
}

/// Nobody tells of these; they are looked at every few seconds.
async fn follows_virtual_functions(cluster: &Cluster, host: &Host) {
    host.tree.write("devices/pci0000:ae/0000:af:00.0/sriov_numvfs", "16");
    let count = |object: &Value| object["spec"]["physicalFunctions"][1]["virtualFunctions"] == 16;
    wait_for(cluster, "the virtual functions", count).await;
}

async fn survives_a_restart_of_the_api_server(cluster: &Cluster, host: &Host) {
    cluster.restart_api_server(Duration::from_millis(500));
    host.ip("address replace 172.16.9.3/27 dev eno3np2");
    let both = json!(["172.16.9.2/27", "172.16.9.3/27"]);
    wait_for(cluster, "an address after the restart", |object| *addresses(object) == both).await;
}

/// It goes with the node, and comes back with one of the same name.
async fn follows_its_node(cluster: &Cluster, old: &Value) {
    cluster.kubectl_ok(&["delete", "node", NODE], "");
    wait_for(cluster, "the garbage collector", Value::is_null).await;
    let new = create_node(cluster);
    assert_ne!(new, *old);
    let owned = |object: &Value| object["metadata"]["ownerReferences"][0]["uid"] == new;
    wait_for(cluster, "the RailNode of the new node", owned).await;
}

/// The agent does all that with the rights that the chart gives it.
pub(crate) async fn are_published_by_the_agent_of_a_node() {
    let installation = Installation::start("facts-agent", Options::default()).await;
    create_node(&installation.cluster);
    let tree = SysfsTree::rails();
    // Number 1 is the loopback, which has an address everywhere.
    tree.write("devices/pci0000:85/0000:86:00.0/net/eno3np2/ifindex", "1");
    let sysfs = tree.path().to_str().unwrap();
    let _agent = NodeAgent::start(&installation, NODE, &["--sysfs", sysfs]).await;
    let has_address = |object: &Value| addresses(object)[0] == "127.0.0.1/8";
    let (object, _) = wait_for(&installation.cluster, "the agent's RailNode", has_address).await;
    assert_eq!(object["spec"]["interfaces"], json!(["eno3np2", "ibp175s0", "enp216s0"]));
    installation.cluster.kubectl_ok(&["delete", "railnode", NODE], "");
    wait_for(&installation.cluster, "the deleted RailNode", has_address).await;
}
