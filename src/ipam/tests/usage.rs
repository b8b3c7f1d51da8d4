use serde_json::json;

use super::*;

#[test]
fn pools_are_counted_by_how_full_they_are() {
    let mut off = small(5, 1, 9);
    off["disable"] = true.into();
    let records = |net: u8, hosts: u8| {
        let record = |host: u8| (format!("172.16.{net}.{host}"), json!({"pod": "x/y", "podUid": "u"}));
        (1..=hosts).map(record).collect::<serde_json::Map<_, _>>().into()
    };
    let mut cluster = Cluster::default()
        .pool("new", small(1, 1, 20))
        .pool("used", small(2, 1, 20))
        .pool("scarce", small(3, 1, 20))
        .pool("out", small(4, 1, 20))
        .pool("off", off)
        .pool("broken", small(6, 1, 9))
        .records("used", records(2, 17))
        .records("scarce", records(3, 18))
        .records("out", records(4, 20));
    cluster.ledgers.insert("broken", Ledger::parse("broken", Some("{")));
    assert_eq!(
        pool_states(&cluster.pools(), &cluster.ledgers),
        [("free", 2), ("nearly-full", 1), ("full", 1), ("unreadable", 1), ("closed", 1)]
    );
}
