//! Rails whose pools depend on the node's physical functions, and rails with addresses of both families.

use kube::api::PostParams;
use serde_json::json;

use crate::allocation::{RAILS, bound_pod, create_nodes, delete_pods, endpoints, records, released, served};
use crate::installation::{Installation, NAMESPACE, Options};
use crate::objects::{GROUP, RDMA_KEY};

/// `matchMasterSubnet` on the first rail, both families on the second; the others are as everywhere.
fn manifests() -> String {
    let network = |rail: usize, sriov: serde_json::Value| {
        let mut sriov = sriov;
        sriov["resourceName"] = json!(format!("spidernet.io/gpu{rail}sriov"));
        json!({ "apiVersion": "spiderpool.spidernet.io/v2beta1", "kind": "SpiderMultusConfig",
            "metadata": { "name": format!("gpu{rail}-sriov"), "namespace": NAMESPACE,
                "annotations": { RDMA_KEY: GROUP } },
            "spec": { "cniType": "sriov", "sriov": sriov } })
    };
    let pool = |name: &str, spec: serde_json::Value| {
        json!({ "apiVersion": "spiderpool.spidernet.io/v2beta1", "kind": "SpiderIPPool",
            "metadata": { "name": name }, "spec": spec })
    };
    let port = |node: usize| {
        json!({ "apiVersion": "railweave.io/v1alpha1", "kind": "RailNode",
            "metadata": { "name": format!("node-{node}") },
            "spec": {
                "physicalFunctions": [{ "pciAddress": "0000:86:00.0", "interface": "eth1",
                    "addresses": [format!("172.16.{node}.30/27")] }],
                "resources": [{ "name": "spidernet.io/gpu1sriov", "physicalFunctions": ["0000:86:00.0"] }],
            } })
    };
    let mut objects = vec![
        pool("gpu1-node-0", json!({ "subnet": "172.16.0.0/27", "ips": ["172.16.0.1-172.16.0.9"] })),
        pool("gpu1-node-1", json!({ "subnet": "172.16.1.0/27", "ips": ["172.16.1.1-172.16.1.9"] })),
        pool(
            "four",
            json!({ "subnet": "10.2.0.0/16", "ips": ["10.2.0.1-10.2.0.2"], "gateway": "10.2.255.254" }),
        ),
        pool(
            "six",
            json!({ "subnet": "fd00:2::/64", "ips": ["fd00:2::1-fd00:2::2"], "gateway": "fd00:2::ff" }),
        ),
        network(1, json!({ "matchMasterSubnet": true, "ippools": { "ipv4": ["gpu1-*"] } })),
        network(2, json!({ "ippools": { "ipv4": ["four"], "ipv6": ["six"] } })),
        port(0),
        port(1),
    ];
    for rail in 3..=RAILS {
        let (name, ips) = (format!("rail-{rail}"), format!("10.{rail}.0.1-10.{rail}.0.9"));
        objects.push(pool(&name, json!({ "subnet": format!("10.{rail}.0.0/16"), "ips": [ips] })));
        objects.push(network(rail, json!({ "ippools": { "ipv4": [name] } })));
    }
    let objects: Vec<String> = objects.iter().map(ToString::to_string).collect();
    objects.join("\n---\n")
}

/// Each pod gets the subnet of its node's port on the first rail and both families on the second; the third, for which
/// there is an IPv4 address and no IPv6 one, gets nothing at all.
pub(crate) async fn follow_the_node_s_ports_and_go_together() {
    let installation = Installation::start("families", Options::default()).await;
    create_nodes(&installation, 2);
    installation.cluster.apply(&manifests());
    installation.knows_rails(RAILS).await;
    let pods = installation.pods("default");
    for node in 0..2 {
        pods.create(&PostParams::default(), &bound_pod(&format!("train-{node}"), node)).await.unwrap();
    }
    served(&installation, 2).await;
    let mut told = Vec::new();
    for endpoint in endpoints(&installation).await {
        let current = endpoint.status.unwrap().current;
        let [first, second] = &current.ips[..2] else { panic!("{current:?}") };
        assert_eq!(first.ipv4_pool.as_deref(), Some(&*format!("gpu1-{}", current.node)));
        assert_eq!((first.ipv6.as_deref(), second.ipv4_pool.as_deref()), (None, Some("four")));
        assert_eq!(second.ipv6_pool.as_deref(), Some("six"));
        assert_eq!(second.ipv6_gateway.as_deref(), Some("fd00:2::ff"));
        told.push((first.ipv4.clone().unwrap(), second.ipv4.clone().unwrap(), second.ipv6.clone().unwrap()));
    }
    told.sort();
    let prefixes = |(first, four, six): &(String, String, String)| {
        (first.starts_with("172.16.") && first.ends_with("/27"), four.ends_with("/16"), six.ends_with("/64"))
    };
    assert!(told.iter().map(prefixes).all(|right| right == (true, true, true)), "{told:?}");
    let mut sixes: Vec<String> = told.into_iter().map(|(_, _, six)| six).collect();
    sixes.sort_unstable();
    assert_eq!(sixes, ["fd00:2::1/64", "fd00:2::2/64"]);
    assert_eq!(records(&installation).await.len(), 2 * (RAILS + 1));

    // One more IPv4 address alone serves nobody.
    let wider = json!({ "spec": { "ips": ["10.2.0.1-10.2.0.3"] } }).to_string();
    installation.cluster.kubectl_ok(&["patch", "spiderippool", "four", "--type=merge", "-p", &wider], "");
    pods.create(&PostParams::default(), &bound_pod("late", 0)).await.unwrap();
    installation
        .wait_for("an Event on the pod", || async {
            let events = installation.cluster.get(&["events.events.k8s.io", "-n", "default"]).to_string();
            ["late", "net2", "IPv6", "six"].iter().all(|word| events.contains(word))
        })
        .await;
    assert_eq!(records(&installation).await.len(), 2 * (RAILS + 1));
    delete_pods(&installation).await;
    released(&installation).await;
}
