use std::collections::BTreeSet;

use serde_json::json;

use crate::support::{piped, railweave};

#[test]
fn a_small_cluster_gets_pools_and_networks_that_validate() {
    let run = railweave(&[
        "plan",
        "rails",
        "--nodes",
        "2",
        "--rails",
        "2",
        "--vfs",
        "12",
        "--cidr",
        "172.16.0.0/16",
        "--group",
        "rdma",
    ]);
    assert_eq!(
        (run.code, run.err.as_str()),
        (0, "give each PF the last address of its subnet: 172.16.0.14/28 to eno3np1 of node1, and so on\n")
    );
    let objects = run.objects();
    assert_eq!(objects.len(), 2 + 4);
    assert_eq!(
        objects[1],
        json!({
            "apiVersion": "spiderpool.spidernet.io/v2beta1",
            "kind": "SpiderMultusConfig",
            "metadata": {
                "name": "sriov-eno3np2",
                "namespace": "spiderpool",
                "annotations": {"cni.spidernet.io/rdma-resource-inject": "rdma"},
            },
            "spec": {"cniType": "sriov", "sriov": {
                "resourceName": "spidernet.io/eno3np2",
                "rdmaIsolation": true,
                "ippools": {"ipv4": ["eno3np2-rail2-*"], "matchMasterSubnet": true},
            }},
        })
    );
    let pools: Vec<_> = objects[2..].iter().map(|pool| (&pool["metadata"]["name"], &pool["spec"])).collect();
    assert_eq!(
        pools[2],
        (
            &json!("eno3np1-rail1-node2"),
            &json!({
                "ipVersion": 4,
                "subnet": "172.16.0.32/28",
                "gateway": "172.16.0.33",
                "ips": ["172.16.0.34-172.16.0.45"],
                "routes": [{"dst": "172.16.0.0/16", "gw": "172.16.0.33"}],
            })
        )
    );
    // Only the first rail leads to the other nodes.
    assert_eq!((pools[3].0, &pools[3].1["routes"]), (&json!("eno3np2-rail2-node2"), &json!(null)));

    let checked = piped(&["validate", "-f", "-"], &run.out);
    assert_eq!((checked.code, checked.err.as_str()), (0, ""), "{checked:?}");
}

#[test]
fn the_guides_256_nodes_fill_a_16_and_pools_then_name_their_node() {
    let run = railweave(&[
        "plan",
        "rails",
        "--nodes",
        "256",
        "--rails",
        "8",
        "--vfs",
        "29",
        "--cidr",
        "172.16.0.0/16",
    ]);
    assert_eq!(run.code, 0, "{}", run.err);
    assert!(
        run.err.starts_with("a /27 has no address left for the PF, so each pool names its node"),
        "{}",
        run.err
    );
    let objects = run.objects();
    let subnets: BTreeSet<&str> =
        objects.iter().filter_map(|object| object["spec"]["subnet"].as_str()).collect();
    assert_eq!((objects.len(), subnets.len()), (8 + 2_048, 2_048));
    let last = &objects[8 + 2_047];
    assert_eq!(last["metadata"]["name"], "eno3np8-rail8-node256");
    assert_eq!(last["spec"]["ips"], json!(["172.16.255.226-172.16.255.254"]));
    assert_eq!(last["spec"]["nodeName"], json!(["node256"]));
    assert_eq!(objects[0]["spec"]["sriov"]["ippools"], json!({"ipv4": ["eno3np1-rail1-*"]}));
}

#[test]
fn what_does_not_fit_is_refused_with_what_would() {
    let run = railweave(&[
        "plan",
        "rails",
        "--nodes",
        "256",
        "--rails",
        "8",
        "--vfs",
        "30",
        "--cidr",
        "172.16.0.0/16",
    ]);
    assert_eq!(
        (run.code, run.out.as_str(), run.err.as_str()),
        (
            1,
            "",
            "error: 256 nodes with 8 rails of 30 VFs do not fit into 172.16.0.0/16: each rail takes a /26; what would: a \
             network of /15, or 128 nodes, or 29 VFs\n"
        )
    );
}
