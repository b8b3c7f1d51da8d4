use std::sync::Arc;

use serde_json::{Value, json};

use crate::net::{Range, RangeSet};
use crate::rules::test_cluster::Cluster;
use crate::rules::{NadFacts, Overlap, Peers, PoolFacts};

#[expect(clippy::needless_pass_by_value, reason = "written in place with json!")]
fn pool(name: &str, created: &str, subnet: &str, ips: Value) -> PoolFacts {
    PoolFacts {
        name: name.into(),
        created: created.into(),
        spec: serde_json::from_value(json!({"subnet": subnet, "ips": ips})).unwrap(),
        ..PoolFacts::default()
    }
}

fn said(overlaps: &[Overlap]) -> Vec<String> {
    let line = |overlap: &Overlap| {
        format!("{} before {}: {}", overlap.older.name, overlap.younger.name, overlap.ranges)
    };
    overlaps.iter().map(line).collect()
}

#[test]
fn the_younger_of_two_overlapping_pools_is_named() {
    let (first, second, third) = ("2025-01-01T00:00:00Z", "2025-01-01T00:00:01Z", "2025-01-02T00:00:00Z");
    let net = "172.16.0.0/16";
    let cluster = Cluster::default()
        .pool_facts(pool("b-late", second, net, json!(["172.16.0.5-172.16.0.20", "172.16.0.30"])))
        .pool_facts(pool("z-early", first, net, json!(["172.16.0.1-172.16.0.9", "172.16.0.20-172.16.0.30"])))
        .pool_facts(pool("apart", second, net, json!(["172.16.1.1-172.16.1.9"])))
        // Made in the same second: the name decides.
        .pool_facts(pool("same-b", second, net, json!(["172.16.2.1"])))
        .pool_facts(pool("same-a", second, net, json!(["172.16.2.1"])))
        // Another subnet that overlaps is wrong even where no address is handed out twice; the oldest pool
        // of those that overlap is named.
        .pool_facts(pool("narrow", third, "172.16.3.0/24", json!(["172.16.3.1"])))
        .pool_facts(pool("narrower", third, "172.16.0.16/28", json!(["172.16.0.20-172.16.0.22"])))
        .pool_facts(PoolFacts { terminating: true, ..pool("going", first, net, json!(["172.16.1.1"])) })
        .pool_facts(pool("broken", first, net, json!(["172.16.1.1", "?"])));
    assert_eq!(
        said(&cluster.peers().overlaps()),
        [
            "z-early before b-late: 172.16.0.5-172.16.0.9, 172.16.0.20, 172.16.0.30",
            "z-early before narrow: ",
            "b-late before narrower: 172.16.0.20",
            "z-early before narrower: 172.16.0.20-172.16.0.22",
            "same-a before same-b: 172.16.2.1",
        ]
    );
}

#[test]
fn names_are_found_by_pattern_and_by_likeness() {
    let cluster = ["gpu1-net11", "gpu2-net11", "gpu10-net11", "storage"]
        .into_iter()
        .fold(Cluster::default(), |cluster, name| {
            cluster.pool(name, json!({"subnet": "not even an address"}))
        });
    let peers = cluster.peers();
    let matching = |pattern: &str| peers.matching_pools(pattern).collect::<Vec<_>>().join(" ");
    assert_eq!(matching("storage"), "storage");
    assert_eq!(matching("gpu?-net11"), "gpu1-net11 gpu2-net11");
    assert_eq!(matching("gpu*"), "gpu1-net11 gpu10-net11 gpu2-net11");
    assert_eq!(matching("gpu[2-9]-*"), "gpu2-net11");
    assert_eq!((matching("gpu1"), matching("gpu[")), (String::new(), String::new()));
    assert_eq!(peers.nearest_pools("gpu1-net91"), ["gpu1-net11", "gpu10-net11", "gpu2-net11"]);
    assert_eq!(peers.nearest_pools("frontend"), Vec::<&str>::new());
}

#[test]
fn objects_are_found_by_name() {
    let nads = [
        NadFacts { namespace: "a".into(), name: "net".into(), owner: Some("net".into()) },
        NadFacts { namespace: "b".into(), name: "net".into(), owner: None },
    ]
    .map(Arc::new);
    let peers = Peers::build(std::iter::empty(), std::iter::empty(), nads.iter());
    assert_eq!(peers.nad("b", "net"), Some(&*nads[1]));
    assert_eq!((peers.nad("c", "net"), peers.nad("a", "x")), (None, None));
    assert!(peers.pool("x").is_none() && peers.subnet("x").is_none());
}

#[test]
fn what_older_versions_stored_backwards_still_counts() {
    let net = "172.16.0.0/16";
    let cluster = Cluster::default().pool_facts(pool("old", "", net, json!(["172.16.0.9-172.16.0.1"])));
    let asked: RangeSet = "172.16.0.8-172.16.0.20".parse::<Range>().unwrap().into();
    let peers = cluster.peers();
    let holders = peers.holders(net.parse().unwrap(), &asked);
    assert_eq!(holders["old"].to_string(), "172.16.0.8-172.16.0.9");
}
