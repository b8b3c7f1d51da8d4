use serde_json::json;

use super::*;

#[test]
fn the_lowest_free_address_is_handed_out_with_the_subnets_prefix() {
    let cluster = Cluster::default()
        .pool(
            "a",
            json!({"subnet": "172.16.0.0/16", "gateway": "172.16.0.3",
            "ips": ["172.16.0.9", "172.16.0.1-172.16.0.5"], "excludeIPs": ["172.16.0.2"]}),
        )
        .reserved(&["172.16.0.4", "10.0.0.1"])
        .records("a", json!({"172.16.0.1": {"pod": "x/y", "podUid": "u"}}));
    let pods = ["p", "q", "r"].map(|name| pod(name).rail(&["a"]));
    assert_eq!(
        all_said(&cluster.plan(&pods)),
        [
            "net1=172.16.0.5/16@a",
            "net1=172.16.0.9/16@a",
            "net1 (spiderpool/gpu1-sriov): PoolExhausted: no free IPv4 address in the pools of the network\n  \
             a: PoolExhausted: all of its 3 addresses are in use",
        ]
    );
}

#[test]
fn the_ends_of_a_family_can_be_handed_out() {
    let cluster = Cluster::default()
        .pool("top", json!({"subnet": "255.255.255.0/24", "ips": ["255.255.255.255"]}))
        .pool("six", json!({"subnet": "ffff::/16", "ips": ["ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"]}));
    let pods = ["p", "q"].map(|name| pod(name).dual_rail(&[], &["six"]));
    assert_eq!(
        all_said(&cluster.plan(&pods)),
        [
            "net1=ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe/16@six",
            "net1=ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/16@six"
        ]
    );
    assert_eq!(cluster.outcome(pod("p").rail(&["top"])), "net1=255.255.255.255/24@top");
}

#[test]
fn a_huge_pool_costs_what_a_small_one_costs() {
    let cluster = Cluster::default()
        .pool("v4", json!({"subnet": "10.0.0.0/8", "ips": ["10.0.0.1-10.255.255.254"]}))
        .pool("v6", json!({"subnet": "fd00::/64", "ips": ["fd00::-fd00::ffff:ffff:ffff:ffff"]}));
    assert_eq!(cluster.outcome(pod("p").dual_rail(&["v4"], &["v6"])), "net1=10.0.0.1/8@v4,fd00::/64@v6");
}

#[test]
fn quarantined_addresses_come_last() {
    let cluster = Cluster::default()
        .pool("a", small(0, 1, 4))
        .quarantined("a", &["172.16.0.1", "172.16.0.3"])
        .quarantined("b", &["172.16.0.2"]);
    let pods = ["p", "q", "r", "s"].map(|name| pod(name).rail(&["a"]));
    assert_eq!(
        all_said(&cluster.plan(&pods)),
        ["net1=172.16.0.2/24@a", "net1=172.16.0.4/24@a", "net1=172.16.0.1/24@a", "net1=172.16.0.3/24@a"]
    );
}

#[test]
fn two_interfaces_on_one_pool_get_two_addresses() {
    let cluster = Cluster::default().pool("a", small(0, 1, 9));
    let plan = cluster.plan(&[pod("p").rail(&["a"]).rail(&["a"])]);
    assert_eq!(all_said(&plan), ["net1=172.16.0.1/24@a net2=172.16.0.2/24@a"]);
    assert_eq!(changes(&plan), ["a 172.16.0.1 team/p uid-p net1", "a 172.16.0.2 team/p uid-p net2"]);
}

#[test]
fn a_pool_with_as_many_records_as_one_object_holds_refuses_and_says_how_to_split() {
    let mut cluster = Cluster::default().pool("a", small(0, 1, 9));
    cluster.cap.records = Some(2);
    let pods = ["p", "q", "r"].map(|name| pod(name).rail(&["a"]));
    assert_eq!(
        all_said(&cluster.plan(&pods))[1..],
        [
            "net1=172.16.0.2/24@a",
            "net1 (spiderpool/gpu1-sriov): PoolFull: the IPv4 pools of the network hold no more records; make further \
             pools of the same subnet with other ips, and name them beside the full one\n  \
             a: PoolFull: one record more would go beyond the 2 that it may hold",
        ]
    );
    // What an Event says of a pod that waits does not change with who else is planned.
    let line = |cluster: &Cluster, intents: &[Intent]| match cluster.plan(intents).outcomes.pop() {
        Some(Outcome::Failed(failure)) => failure.advice(),
        other => panic!("{other:?}"),
    };
    let before = line(&cluster, &pods);
    cluster.commit(&pods[..2]);
    assert_eq!(line(&cluster, &pods[2..]), before);
    // Unusually long names count by their bytes.
    let mut cluster = Cluster::default().pool("a", small(0, 1, 9));
    cluster.cap = Cap { records: None, bytes: 600 };
    let long = |name: &str| pod(&format!("{name}{}", "x".repeat(150))).rail(&["a"]);
    let outcomes = cluster.plan(&[long("p"), long("q")]).outcomes;
    assert!(matches!(outcomes[0], Outcome::Planned(_)), "{outcomes:?}");
    assert!(
        said(&outcomes[1]).ends_with("one record more would go beyond the 600 bytes that one object holds")
    );
}
