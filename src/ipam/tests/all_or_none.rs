use serde_json::json;

use super::*;
use crate::ipam::failure;
use crate::reason::Reason;

#[test]
fn a_pod_that_fails_on_one_rail_leaves_no_trace() {
    let cluster =
        Cluster::default().pool("a", small(1, 1, 1)).pool("b", small(2, 1, 0)).pool("c", small(3, 1, 1));
    let plan = cluster.plan(&[
        pod("p").rail(&["a"]).rail(&["c"]).rail(&["missing"]),
        pod("q").rail(&["a"]).rail(&["c"]),
        pod("r").rail(&["a"]),
    ]);
    assert_eq!(
        all_said(&plan),
        [
            "net3 (spiderpool/gpu3-sriov): NoPool: the network names no IPv4 pool that exists\n  \
             missing: PoolUnknown: there is no such pool",
            "net1=172.16.1.1/24@a net2=172.16.3.1/24@c",
            "net1 (spiderpool/gpu1-sriov): PoolExhausted: no free IPv4 address in the pools of the network\n  \
             a: PoolExhausted: all of its 1 addresses are in use",
        ]
    );
    assert_eq!(changes(&plan), ["a 172.16.1.1 team/q uid-q net1", "c 172.16.3.1 team/q uid-q net2"]);
}

#[test]
fn both_families_or_none() {
    let six = json!({"subnet": "fd00::/64", "ips": ["fd00::1"]});
    let cluster = Cluster::default().pool("four", small(1, 1, 9)).pool("six", six);
    let pods = ["p", "q", "r"].map(|name| match name {
        "r" => pod(name).rail(&["four"]),
        name => pod(name).dual_rail(&["four"], &["six"]),
    });
    let plan = cluster.plan(&pods);
    assert_eq!(
        all_said(&plan),
        [
            "net1=172.16.1.1/24@four,fd00::1/64@six",
            "net1 (spiderpool/gpu1-sriov): PoolExhausted: no free IPv6 address in the pools of the network\n  \
             six: PoolExhausted: all of its 1 addresses are in use",
            "net1=172.16.1.2/24@four",
        ]
    );
}

#[test]
fn pods_that_fit_together_are_served_in_any_order() {
    let cluster =
        Cluster::default().pool("a", small(1, 1, 1)).pool("b", small(2, 1, 1)).pool("c", small(3, 1, 1));
    // p could do with a, but q can have nothing else, and then p must leave b to r.
    let p = pod("p").rail(&["a", "b", "c"]);
    let (q, r) = (pod("q").rail(&["a"]), pod("r").rail(&["b", "a"]));
    let [pa, qa, ra] = [&p, &q, &r];
    for order in [[pa, qa, ra], [pa, ra, qa], [qa, pa, ra], [qa, ra, pa], [ra, pa, qa], [ra, qa, pa]] {
        let plan = cluster.plan(&order.map(Clone::clone));
        let mut said: Vec<String> = changes(&plan);
        said.sort();
        assert_eq!(
            said,
            [
                "a 172.16.1.1 team/q uid-q net1",
                "b 172.16.2.1 team/r uid-r net1",
                "c 172.16.3.1 team/p uid-p net1"
            ]
        );
    }
}

#[test]
fn earlier_pods_come_first_where_not_all_fit() {
    let cluster = Cluster::default().pool("a", small(1, 1, 2));
    let pods = ["p", "q", "r"].map(|name| pod(name).rail(&["a"]));
    let plan = cluster.plan(&pods);
    assert_eq!(changes(&plan), ["a 172.16.1.1 team/p uid-p net1", "a 172.16.1.2 team/q uid-q net1"]);
    assert!(matches!(plan.outcomes[2], Outcome::Failed(_)));
}

#[test]
fn a_pool_whose_records_cannot_be_read_is_left_alone_and_others_serve() {
    let mut cluster = Cluster::default().pool("a", small(1, 1, 9)).pool("b", small(2, 1, 9));
    cluster.ledgers.insert("a", Ledger::parse("a", Some("{\"172.16.1.1\":")));
    assert_eq!(cluster.outcome(pod("p").rail(&["a", "b"])), "net1=172.16.2.1/24@b");
    let said = cluster.outcome(pod("p").rail(&["a"]));
    assert!(
        said.contains("  a: PoolUnreadable: failed to read status.allocatedIPs of pool a: EOF"),
        "{said}"
    );
}

#[test]
fn a_missing_pool_is_a_reason_for_that_pool_only() {
    let cluster = Cluster::default().pool("gpu1-net11", small(1, 1, 9));
    assert_eq!(
        cluster.outcome(pod("p").rail(&["gpu1-net91", "gpu1-net11"])),
        "net1=172.16.1.1/24@gpu1-net11"
    );
    assert_eq!(
        cluster.outcome(pod("p").rail(&["gpu1-net91", "eno*"])),
        "net1 (spiderpool/gpu1-sriov): NoPool: the network names no IPv4 pool that exists\n  \
         gpu1-net91: PoolUnknown: there is no such pool; did you mean gpu1-net11?\n  \
         eno*: PoolUnknown: no pool matches"
    );
}

#[test]
fn an_events_line_is_short_and_rails_of_one_reason_stand_together() {
    let mut cluster = Cluster::default();
    let mut intent = pod("p");
    for rail in 1..=8 {
        for node in 0..=255 {
            let spec = json!({"subnet": format!("10.{rail}.{node}.0/24"), "ips": [], "nodeName": ["n2"]});
            cluster = cluster.pool(&format!("rail{rail}-node{node}"), spec);
        }
        intent = intent.rail(&[&format!("rail{rail}-*")]);
    }
    let Outcome::Failed(failure) = &cluster.plan(&[intent]).outcomes[0] else { panic!() };
    assert_eq!(failure.reason().code(), "NoEligiblePool");
    assert_eq!(failure.rails.iter().map(|rail| rail.pools.len()).sum::<usize>(), 2_048);
    assert_eq!(failure.to_string().lines().count(), 8 + 2_048);
    let line = failure.line();
    assert!(line.len() <= 1_000, "{}", line.len());
    assert!(
        line.starts_with(
            "net1 (spiderpool/gpu1-sriov): no IPv4 pool of the network serves this pod: rail1-node0 and 255 more: \
             nodeName is n2, not node n1 | net2"
        ),
        "{line}"
    );
    let few = Cluster::default();
    let Outcome::Failed(failure) = &few.plan(&[pod("p").rail(&["a"]).rail(&["a"])]).outcomes[0] else {
        panic!()
    };
    assert_eq!(
        failure.line(),
        "net1, net2: the network names no IPv4 pool that exists: a: there is no such pool"
    );
    assert_eq!(
        failure.advice(),
        "net1, net2: the network names no IPv4 pool that exists: a: there is no such pool. Next: name pools in the \
         network's ippools, or set default: true on a pool"
    );
}

#[test]
fn an_event_says_what_to_do_about_what_kept_the_first_rail() {
    let small_pool = |spec: &str| {
        let mut pool = small(0, 1, 1);
        let (field, value) = spec.split_once('=').unwrap();
        pool[field] = serde_json::from_str(value).unwrap();
        Cluster::default().pool("a", pool)
    };
    for (spec, next) in [
        (r#"nodeName=["n2"]"#, "name a pool of this node, or let the pool serve it"),
        ("disable=true", "set disable: false on the pool"),
        (r#"excludeIPs=["172.16.0.1"]"#, "add ranges to ips, or name a further pool"),
    ] {
        let Outcome::Failed(failure) = &small_pool(spec).plan(&[pod("p").rail(&["a"])]).outcomes[0] else {
            panic!("{spec}")
        };
        assert!(failure.advice().ends_with(&format!(". Next: {next}")), "{}", failure.advice());
    }
    // However long the line is, what to do is there.
    let mut intent = pod("p");
    let mut cluster = Cluster::default();
    for rail in 1..=8 {
        let name = format!("rail-{rail}-{}", "x".repeat(200));
        cluster = cluster
            .pool(&name, json!({"subnet": format!("10.{rail}.0.0/24"), "ips": [], "nodeName": ["n2"]}));
        intent = intent.rail(&[&name]);
    }
    let Outcome::Failed(failure) = &cluster.plan(&[intent]).outcomes[0] else { panic!() };
    let advice = failure.advice();
    assert!(advice.len() <= 1_000, "{}", advice.len());
    assert!(advice.ends_with(" .... Next: name a pool of this node, or let the pool serve it"), "{advice}");
}

/// What `docs/troubleshooting.md` says to do is never nothing.
#[test]
fn every_reason_of_a_pool_has_a_next_step_in_words_and_in_the_documentation() {
    let page = include_str!("../../../docs/troubleshooting.md");
    for reason in Reason::ALL.into_iter().filter(|reason| reason.code().starts_with("Pool")) {
        // The words of a full pool's failure say it.
        assert!(failure::next_step(reason).is_some() || reason == Reason::PoolFull, "{reason}");
        let row = page.lines().find(|line| line.starts_with(&format!("| `{reason}` |"))).unwrap();
        assert!(!row.ends_with("| - |"), "{row}");
    }
}
