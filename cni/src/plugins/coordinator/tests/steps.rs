//! Steps, and taking them back.

use std::collections::{BTreeMap, BTreeSet};

use super::super::config::{Policy, Settings};
use super::super::journal::backwards;
use super::super::tables;
use super::world::{World, settings};

/// Everything that can be set, so that every kind of step comes.
fn everything() -> Settings {
    Settings {
        mac_prefix: Some([0x0a, 0x1b]),
        queue_length: Some(77),
        rp_filter: Some(2),
        default_nic: Some("net1".to_owned()),
        veth_address: Some("169.254.100.1".parse().unwrap()),
        policy_routes: vec![Policy {
            to: "10.50.0.0/16".parse().unwrap(),
            via: "172.16.11.254".parse().unwrap(),
            cluster_wide: true,
        }],
        ..settings()
    }
}

fn worlds() -> [World; 2] {
    [World::calico(2, true), World::underlay(2, true)].map(|mut world| {
        for name in ["all", "eth0", "net1", "veth0"] {
            world.pod.sysctls.insert(format!("net/ipv4/conf/{name}/rp_filter"), "1".to_owned());
        }
        world.pod.sysctls.insert("net/ipv6/conf/all/disable_ipv6".to_owned(), "1".to_owned());
        for link in world.pod.links.iter_mut().chain(&mut world.host.links) {
            link.up = link.name == "eth0";
        }
        world
    })
}

/// A failure after any number of steps leaves both namespaces as they were.
#[test]
fn whatever_was_done_is_taken_back() {
    for world in worlds() {
        let steps = world.steps("net1", &everything());
        assert!(steps.len() > 40, "{}", steps.len());
        for done in 0..=steps.len() {
            let mut spoilt = world.clone();
            for (place, change) in &steps[..done] {
                spoilt.carry_out(*place, change.clone());
            }
            let (back, shared) = backwards(steps[..done].to_vec());
            for (place, change) in back {
                spoilt.carry_out(place, change);
            }
            // The rule that all pods rely on goes only with the last of them.
            let added: BTreeSet<u32> = spoilt.host.rules.iter().map(|rule| rule.table).collect();
            assert_eq!(shared, added, "after {done} steps");
            spoilt.host.rules.retain(|rule| !shared.contains(&rule.table));
            assert_eq!(spoilt.sorted(), world.clone().sorted(), "after {done} steps");
        }
    }
}

#[test]
fn nothing_is_to_be_done_the_second_time() {
    for mut world in worlds() {
        world.add("net1", &everything());
        let again: Vec<String> = world
            .steps("net1", &everything())
            .iter()
            .map(|(place, change)| format!("{place:?}: {change}"))
            .collect();
        assert_eq!(again, Vec::<String>::new());
    }
}

/// At no moment is a rule there whose table is not, or a default route gone that no table of ours has.
#[test]
fn traffic_has_a_way_at_any_moment() {
    for world in worlds() {
        let mut now = world.clone();
        for (place, change) in world.steps("net1", &everything()) {
            now.carry_out(place, change);
            for rule in &now.pod.rules {
                assert!(now.pod.routes.iter().any(|route| route.table == rule.table), "{rule:?}");
            }
            let default =
                now.pod.routes.iter().any(|route| route.table == 254 && route.destination.prefix_len() == 0);
            assert!(default, "the main table has a default route");
        }
    }
}

/// What an earlier ADD with other addresses or prefixes left in the interface's own table goes; another's stays.
#[test]
fn what_is_left_over_of_ours_goes() {
    let mut world = World::calico(2, false);
    world.add("net1", &settings());
    world.add("net2", &settings());
    let fewer = Settings { by_node: vec!["10.233.0.0/18".parse().unwrap()], ..settings() };
    world.add("net2", &fewer);
    let routes = world.shown()["pod"]["routes"].clone();
    assert_eq!(
        routes["102"],
        serde_json::json!([
            "10.1.20.4 dev eth0 src 10.233.119.164 ours",
            "10.233.0.0/18 via 10.1.20.4 dev eth0 src 10.233.119.164 ours",
            "172.16.12.0/24 dev net2 src 172.16.12.10 ours",
            "default via 172.16.12.254 dev net2 ours",
        ])
    );
    assert_eq!(routes["101"].as_array().unwrap().len(), 6);

    let old = "172.16.12.10/24".parse().unwrap();
    let address = world.pod.addresses.iter_mut().find(|it| it.address == old).unwrap();
    address.address = "172.16.12.11/24".parse().unwrap();
    world.add("net2", &fewer);
    let rules = world.shown()["pod"]["rules"].to_string();
    assert!(rules.contains("172.16.12.11 lookup 102") && !rules.contains("172.16.12.10"), "{rules}");
}

/// Among some ten thousand names there are two, which is how they are found here.
#[test]
fn two_interfaces_cannot_share_a_table() {
    let mut names: BTreeMap<u32, String> = BTreeMap::new();
    let clash = (0..).map(|number| format!("rail{number}")).find_map(|name| {
        let other = names.insert(tables::of_further(&name), name.clone());
        other.map(|other| (name, other))
    });
    let (name, other) = clash.unwrap();
    let mut world = World::calico(0, false);
    world.link(&name, 1);
    world.end_state(&name, &settings()).unwrap();
    world.link(&other, 2);
    let error = world.end_state(&name, &settings()).unwrap_err();
    let table = tables::of_further(&name);
    assert_eq!(
        error.msg,
        format!(
            "interfaces {name} and {other} of the pod would share routing table {table}; give one of them another name"
        )
    );
}
