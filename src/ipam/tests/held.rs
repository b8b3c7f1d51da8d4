use serde_json::json;

use super::*;
use crate::api::AllocationDetail;

fn cluster() -> Cluster {
    Cluster::default().pool("a", small(1, 1, 9)).pool("b", small(2, 1, 9))
}

fn superseded(plan: &BatchPlan) -> Vec<String> {
    let Outcome::Planned(allocation) = &plan.outcomes[0] else { panic!("{plan:?}") };
    allocation.superseded.iter().map(|held| format!("{} {}", held.pool, held.address)).collect()
}

fn sticky(name: &str, uid: &str) -> Intent {
    let mut intent = pod(name);
    intent.uid = uid.into();
    intent.holder.sticky = true;
    intent
}

#[test]
fn a_pod_gets_the_addresses_that_are_recorded_for_it() {
    let cluster = cluster().records(
        "b",
        json!({"172.16.2.7": {"pod": "team/p", "podUid": "uid-p", "interface": "net1", "node": "n1"}}),
    );
    let plan = cluster.plan(&[pod("p").rail(&["a", "b"]).rail(&["a", "b"])]);
    assert_eq!(all_said(&plan), ["net1=172.16.2.7/24@b net2=172.16.1.1/24@a"]);
    // What is recorded already is not written again.
    assert_eq!(changes(&plan), ["a 172.16.1.1 team/p uid-p net2"]);
}

#[test]
fn the_pods_own_address_stays_even_if_its_pool_is_closed_by_now() {
    let cluster = Cluster::default()
        .pool(
            "a",
            json!({"subnet": "172.16.1.0/24", "ips": ["172.16.1.1"], "disable": true, "nodeName": ["n9"]}),
        )
        .records("a", json!({"172.16.1.1": {"pod": "team/p", "podUid": "uid-p", "interface": "net1"}}));
    assert_eq!(cluster.outcome(pod("p").rail(&["a"])), "net1=172.16.1.1/24@a");
}

#[test]
fn the_pods_own_address_stays_even_if_its_network_names_other_pools_by_now() {
    let six = json!({"subnet": "fd00::/64", "ips": ["fd00::1"]});
    let cluster = cluster()
        .pool("six", six)
        .records("six", json!({"fd00::1": {"pod": "team/p", "podUid": "uid-p", "interface": "net1"}}))
        .records("b", json!({"172.16.2.7": {"pod": "team/p", "podUid": "uid-p", "interface": "net1"}}));
    assert_eq!(cluster.outcome(pod("p").rail(&["a"])), "net1=172.16.2.7/24@b,fd00::1/64@six");
}

#[test]
fn a_record_without_interface_belongs_to_the_first_interface_that_uses_the_pool() {
    let record = json!({"pod": "team/p", "podUid": "uid-p", "note": "kept"});
    let cluster = cluster().records("b", json!({ "172.16.2.7": record }));
    let plan = cluster.plan(&[pod("p").rail(&["a"]).rail(&["b"]).rail(&["b"])]);
    assert_eq!(all_said(&plan), ["net1=172.16.1.1/24@a net2=172.16.2.7/24@b net3=172.16.2.1/24@b"]);
    let rewritten = &plan.changes["b"][1];
    assert_eq!(
        (serde_json::to_value(&rewritten.record).unwrap(), rewritten.inherited),
        (
            json!({"pod": "team/p", "podUid": "uid-p", "interface": "net2", "node": "n1", "note": "kept"}),
            false
        )
    );
}

#[test]
fn who_goes_on_with_a_record_of_the_other_writer_makes_it_its_own() {
    let by_agent =
        json!({"pod": "team/p", "podUid": "uid-p", "interface": "net1", "node": "n1", "by": "agent"});
    let cluster = cluster().records("a", json!({ "172.16.1.7": by_agent }));
    let mut intent = pod("p").rail(&["a"]);
    let plan = cluster.plan(std::slice::from_ref(&intent));
    assert_eq!(all_said(&plan), ["net1=172.16.1.7/24@a"]);
    let [change] = &plan.changes["a"][..] else { panic!("one record is written: {plan:?}") };
    assert_eq!(
        serde_json::to_value(&change.record).unwrap(),
        json!({"pod": "team/p", "podUid": "uid-p", "interface": "net1", "node": "n1"})
    );

    // Once the endpoint tells it, nobody takes it back.
    intent.previous = vec![AllocationDetail {
        interface: "net1".into(),
        ipv4: Some("172.16.1.7/24".into()),
        ..AllocationDetail::default()
    }];
    assert_eq!(cluster.plan(&[intent]).changes, BTreeMap::new());
}

#[test]
fn the_endpoint_tells_whose_a_record_without_interface_is() {
    let cluster = cluster().records("b", json!({"172.16.2.7": {"pod": "team/p", "podUid": "uid-p"}}));
    let mut intent = pod("p").rail(&["b"]).rail(&["b"]);
    intent.previous = vec![AllocationDetail {
        interface: "net2".into(),
        ipv4: Some("172.16.2.7/24".into()),
        ..AllocationDetail::default()
    }];
    assert_eq!(cluster.outcome(intent), "net1=172.16.2.1/24@b net2=172.16.2.7/24@b");
}

#[test]
fn the_next_pod_of_a_stateful_set_takes_over_the_addresses() {
    let mut cluster = cluster();
    let first = cluster.commit(&[sticky("web-0", "uid-1").rail(&["a"]).rail(&["b"]), pod("x").rail(&["a"])]);
    assert_eq!(all_said(&first)[0], "net1=172.16.1.1/24@a net2=172.16.2.1/24@b");
    let plan = cluster.plan(&[sticky("web-0", "uid-2").rail(&["a"]).rail(&["b"])]);
    assert_eq!(all_said(&plan)[0], all_said(&first)[0]);
    assert_eq!(changes(&plan), ["a 172.16.1.1 team/web-0 uid-2 net1", "b 172.16.2.1 team/web-0 uid-2 net2"]);
    assert!(superseded(&plan).is_empty());
    // A pod that only has the same name does not.
    assert_eq!(
        cluster.outcome(Intent { uid: "uid-2".into(), ..pod("web-0").rail(&["a"]) }),
        "net1=172.16.1.3/24@a"
    );
}

#[test]
fn an_address_is_not_taken_over_where_the_pod_may_not_have_it_any_more() {
    let pool = json!({"subnet": "172.16.3.0/24", "ips": ["172.16.3.1-172.16.3.9"], "nodeName": ["n1"]});
    let mut cluster = cluster().pool("c", pool);
    cluster.commit(&[sticky("web-0", "uid-1").rail(&["c", "a"])]);
    let mut moved = sticky("web-0", "uid-2").rail(&["c", "a"]);
    moved.node = Arc::new(NodeView { name: "n2".into(), ..NodeView::default() });
    let plan = cluster.plan(&[moved]);
    assert_eq!(all_said(&plan), ["net1=172.16.1.1/24@a"]);
    assert_eq!(superseded(&plan), ["c 172.16.3.1"]);
    // Nor where the user named other pools, or reserved the address since.
    let renamed = cluster.plan(&[sticky("web-0", "uid-2").rail(&["b"])]);
    assert_eq!(
        (all_said(&renamed), superseded(&renamed)),
        (vec!["net1=172.16.2.1/24@b".into()], vec!["c 172.16.3.1".into()])
    );
    let reserved = cluster.clone().reserved(&["172.16.3.1"]).plan(&[sticky("web-0", "uid-2").rail(&["c"])]);
    assert_eq!(all_said(&reserved), ["net1=172.16.3.2/24@c"]);
}

#[test]
fn two_pods_of_one_name_in_a_batch_do_not_share_an_address() {
    let mut cluster = cluster();
    cluster.commit(&[sticky("web-0", "uid-1").rail(&["a"])]);
    let plan = cluster.plan(&[sticky("web-0", "uid-2").rail(&["a"]), sticky("web-0", "uid-1").rail(&["a"])]);
    assert_eq!(all_said(&plan), ["net1=172.16.1.1/24@a", "net1=172.16.1.2/24@a"]);
}

#[test]
fn who_keeps_addresses_is_known_from_the_controller() {
    let owner = |api_version: &str, kind: &str, name: &str| Owner {
        api_version: api_version.into(),
        kind: kind.into(),
        name: name.into(),
    };
    let both = Stickiness { stateful_sets: true, virtual_machines: true };
    let none = Stickiness { stateful_sets: false, virtual_machines: false };
    let set = owner("apps/v1", "StatefulSet", "web");
    let machine = owner("kubevirt.io/v1", "VirtualMachineInstance", "vm");
    for (pod, owner, stickiness, key, sticky) in [
        ("web-0", Some(&set), both, "team/web-0", true),
        ("web-12", Some(&set), both, "team/web-12", true),
        ("web-0", Some(&set), none, "team/web-0", false),
        ("web-x", Some(&set), both, "team/web-x", false),
        ("web-", Some(&set), both, "team/web-", false),
        ("other-0", Some(&set), both, "team/other-0", false),
        ("web-0", Some(&owner("example.com/v1", "StatefulSet", "web")), both, "team/web-0", false),
        ("virt-launcher-vm-x", Some(&machine), both, "team/vm", true),
        ("virt-launcher-vm-x", Some(&machine), none, "team/virt-launcher-vm-x", false),
        ("web-0", None, both, "team/web-0", false),
    ] {
        let holder = Holder::of("team", pod, owner, stickiness);
        assert_eq!((&*holder.key, holder.sticky), (key, sticky), "{pod} {owner:?}");
    }
}
