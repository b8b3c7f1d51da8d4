use serde_json::json;

use super::*;

fn room(node: &str, devices: Option<usize>) -> Room {
    let view = NodeView { name: node.into(), ..NodeView::default() };
    Room { node: Arc::new(view), devices: devices.map(|count| (count, "spidernet.io/gpu1".to_owned())) }
}

/// `n1=3 (devices: spidernet.io/gpu1)`
fn said(cluster: &Cluster, pod: &Intent, rooms: &[Room], most: usize) -> Vec<String> {
    let pools = cluster.pools();
    let Cluster { ledgers, nodes, quarantine, families, cap, .. } = cluster;
    let (families, cap, writer) = (*families, *cap, Writer::Leader);
    let inputs = Inputs { pools: &pools, ledgers, nodes, quarantine, families, cap, writer };
    let found = capacity(&inputs, pod, rooms, most);
    found
        .into_iter()
        .map(|found| {
            let end = match found.end {
                End::Addresses(failure) => failure.line(),
                End::Devices(resource) => format!("devices: {resource}"),
                End::Asked => "asked".to_owned(),
            };
            format!("{}={} ({end})", found.node, found.pods)
        })
        .collect()
}

#[test]
fn the_smallest_pool_ends_it_and_later_nodes_get_what_is_left() {
    let cluster = Cluster::default()
        .pool("a", small(1, 1, 200))
        .pool("b", small(2, 1, 150))
        .records("b", json!({"172.16.2.7": {"pod": "x/y", "podUid": "u"}}));
    let pod = pod("p").rail(&["a"]).rail(&["b"]);
    let exhausted = "net2 (spiderpool/gpu2-sriov): no free IPv4 address in the pools of the network: b: all of its 150 \
                     addresses are in use";
    assert_eq!(
        said(&cluster, &pod, &[room("n1", Some(12)), room("n2", None), room("n3", None)], 1_000),
        [
            "n1=12 (devices: spidernet.io/gpu1)".to_owned(),
            format!("n2=137 ({exhausted})"),
            format!("n3=0 ({exhausted})"),
        ]
    );
}

#[test]
fn pools_of_a_node_count_for_that_node_and_what_was_asked_for_is_enough() {
    let of = |net: u8, node: &str| {
        let mut spec = small(net, 1, 5);
        spec["nodeName"] = json!([node]);
        spec
    };
    let cluster = Cluster::default().pool("rail-1", of(1, "n1")).pool("rail-2", of(2, "n2"));
    let pod = pod("p").rail(&["rail-*"]);
    let found = said(&cluster, &pod, &[room("n1", None), room("n2", None)], 1_000);
    assert!(found[0].starts_with("n1=5 (net1") && found[1].starts_with("n2=5 (net1"), "{found:?}");
    let rooms = [room("n1", None), room("n2", None)];
    assert_eq!(said(&cluster, &pod, &rooms, 7)[1], "n2=2 (asked)");
}
