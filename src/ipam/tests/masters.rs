use serde_json::json;

use super::*;

/// The guide's second scheme: a subnet for each node and rail.
fn cluster() -> Cluster {
    let pool = |net: u8| json!({"subnet": format!("172.16.{net}.0/27"), "ips": [format!("172.16.{net}.2")]});
    Cluster::default()
        .pool("rail1-n1", pool(1))
        .pool("rail1-n2", pool(2))
        .pool("rail1-n3", pool(3))
        .node("n1", &[("spidernet.io/gpu1", &[&["fe80::1/64", "172.16.1.1/27"]])])
        .node("n2", &[("spidernet.io/gpu1", &[&["172.16.2.1/27"], &["172.16.2.9/27"]])])
        .node("n3", &[("spidernet.io/gpu1", &[&["172.16.3.1/27"], &["172.16.2.10/27"]])])
}

fn on(node: &str) -> Intent {
    let mut intent = pod("p").rail(&["rail1-*"]).rail_with(|rail| rail.match_master = true);
    intent.node = Arc::new(NodeView { name: node.into(), ..NodeView::default() });
    intent
}

fn deferred(intent: Intent) -> Vec<(String, String)> {
    let plan = cluster().plan(&[intent]);
    assert!(plan.changes.is_empty());
    match &plan.outcomes[0] {
        Outcome::Planned(allocation) => {
            assert_eq!(allocation.details, []);
            let deferred = allocation.deferred.iter();
            deferred.map(|Deferred { interface, why }| (interface.to_string(), why.clone())).collect()
        }
        Outcome::Failed(failure) => panic!("{failure}"),
    }
}

#[test]
fn the_pool_of_the_nodes_own_subnet_is_drawn_from() {
    assert_eq!(cluster().outcome(on("n1")), "net1=172.16.1.2/27@rail1-n1");
}

#[test]
fn several_physical_functions_that_agree_are_as_good_as_one() {
    assert_eq!(cluster().outcome(on("n2")), "net1=172.16.2.2/27@rail1-n2");
}

#[test]
fn what_is_not_known_is_left_to_attach_time() {
    assert_eq!(
        deferred(on("n3")),
        [(
            "net1".into(),
            "spidernet.io/gpu1 is served by 2 physical functions in different subnets, so its pool shows at attach \
             time"
                .into()
        )]
    );
    assert_eq!(
        deferred(on("n4")),
        [("net1".into(), "node n4 has no RailNode yet, so its physical functions are not known".into())]
    );
    assert_eq!(
        deferred(on("n1").rail_with(|rail| rail.resource = Some("other/one".into()))),
        [("net1".into(), "RailNode n1 names no physical function behind other/one".into())]
    );
}

#[test]
fn rails_that_are_known_do_not_wait_for_one_that_is_not() {
    let intent = on("n4").rail(&["rail1-n1"]);
    assert_eq!(cluster().outcome(intent), "net2=172.16.1.2/27@rail1-n1 net1?");
}

#[test]
fn at_attach_time_the_device_decides() {
    let at = |address: &str| {
        let address = address.parse().unwrap();
        on("n3").rail_with(|rail| rail.master = Some(vec![address]))
    };
    assert_eq!(cluster().outcome(at("172.16.3.1")), "net1=172.16.3.2/27@rail1-n3");
    // A record of another rail's subnet is replaced, and said to be of no use.
    let wrong = cluster().records(
        "rail1-n2",
        json!({"172.16.2.2": {"pod": "team/p", "podUid": "uid-p", "interface": "net1"}}),
    );
    let plan = wrong.plan(&[at("172.16.3.1")]);
    assert_eq!(all_said(&plan), ["net1=172.16.3.2/27@rail1-n3"]);
    let Outcome::Planned(allocation) = &plan.outcomes[0] else { panic!() };
    let superseded: Vec<String> =
        allocation.superseded.iter().map(|held| format!("{} {}", held.pool, held.address)).collect();
    assert_eq!(superseded, ["rail1-n2 172.16.2.2"]);
}

#[test]
fn a_node_without_a_pool_says_which_addresses_it_has() {
    let elsewhere = cluster().node("n4", &[("spidernet.io/gpu1", &[&["10.0.0.1/24"]])]);
    let said = elsewhere.outcome(on("n4"));
    assert!(
        said.starts_with(
            "net1 (spiderpool/gpu1-sriov): NoEligiblePool: no IPv4 pool of the network serves this pod on node n4 \
             (addresses of the physical function: 10.0.0.1)\n  rail1-n1: PoolOtherSubnet: subnet 172.16.1.0/27"
        ),
        "{said}"
    );
}
