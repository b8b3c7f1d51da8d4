use serde_json::json;

use super::*;

/// The sizing of `docs/ipam.md`: one rail of 5,000 nodes with 12 VFs each, in one /16.
#[test]
fn five_thousand_nodes_with_twelve_vfs_a_rail_fit_fourteen_pools_of_one_subnet() {
    const PODS: u32 = 5_000 * 12;
    const POOLS: u32 = 14;
    let share = PODS.div_ceil(POOLS);
    let mut cluster = Cluster::default();
    for number in 0..POOLS {
        let base = u32::from(std::net::Ipv4Addr::new(172, 16, 0, 2)) + number * share;
        let address = |offset: u32| std::net::Ipv4Addr::from(base + offset);
        let ips = [format!("{}-{}", address(0), address(share - 1))];
        cluster = cluster.pool(
            &format!("gpu1-{number}"),
            json!({"subnet": "172.16.0.0/16", "gateway": "172.16.0.1", "ips": ips}),
        );
    }
    let mut served = 0;
    for batch in 0..PODS / 3_000 {
        let pods: Vec<Intent> =
            (0..3_000).map(|number| longest_named(batch * 3_000 + number).rail(&["gpu1-*"])).collect();
        let plan = cluster.commit(&pods);
        served += plan.outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Planned(_))).count();
    }
    assert_eq!(served, PODS as usize);
    // Each record is of its own pod: no address was written twice.
    let records = |pool: &str| cluster.ledgers.get(pool).unwrap().as_ref().unwrap().clone();
    let sizes: Vec<usize> = (0..POOLS).map(|number| records(&format!("gpu1-{number}")).len()).collect();
    assert_eq!(sizes.iter().sum::<usize>(), PODS as usize);
    for number in 0..POOLS {
        assert!(records(&format!("gpu1-{number}")).bytes() <= cluster.cap.bytes);
    }
}

/// Namespace, name and node as long as DNS labels can be, which no later pod exceeds.
fn longest_named(number: u32) -> Intent {
    let (namespace, name) = ("t".repeat(63), format!("{}-{number:05}", "x".repeat(57)));
    Intent {
        holder: Holder { key: format!("{namespace}/{name}").into(), sticky: false },
        node: Arc::new(NodeView { name: "n".repeat(63), ..NodeView::default() }),
        uid: format!("8f0f2f7e-5b57-4d39-9d1b-0000000{number:05}").into(),
        ..pod(&name)
    }
}
