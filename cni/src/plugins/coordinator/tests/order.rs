//! The end is the same whatever the order of interfaces, and it is the one that the kernel gets.

use serde_json::Value;

use super::super::config::Settings;
use super::world::{World, settings};

/// Pod, and what is ours of the node, as in the file.
#[track_caller]
fn is(world: &World, file: &str) {
    let path = format!("{}/tests/coordinator/{file}.json", env!("CARGO_MANIFEST_DIR"));
    let expected: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let found = world.shown();
    assert_eq!(found["pod"], expected["pod"], "{file}");
    for what in ["rules", "neighbours"] {
        assert_eq!(found["node"][what], expected["node"][what], "{file}");
    }
    assert_eq!(found["node"]["routes"]["500"], expected["node"]["routes"]["500"], "{file}");
}

fn add_all(mut world: World, order: &[&str], settings: &Settings) -> World {
    for nic in order {
        world.add(nic, settings);
    }
    world
}

/// Every order of these.
fn orders<'a>(names: &[&'a str]) -> Vec<Vec<&'a str>> {
    let mut orders = vec![Vec::new()];
    for name in names {
        orders = orders
            .into_iter()
            .flat_map(|order: Vec<&str>| {
                (0..=order.len()).map(move |at| {
                    let mut order = order.clone();
                    order.insert(at, name);
                    order
                })
            })
            .collect();
    }
    orders
}

#[test]
fn rails_beside_calico() {
    is(&add_all(World::calico(1, false), &["net1"], &settings()), "overlay-1");
    for order in orders(&["net1", "net2"]) {
        is(&add_all(World::calico(2, true), &order, &settings()), "overlay-2-dual");
    }
}

#[test]
fn eight_rails_in_many_orders() {
    let names = ["net1", "net2", "net3", "net4", "net5", "net6", "net7", "net8"];
    let world = World::calico(8, false);
    for step in [1, 3, 5, 7] {
        let order: Vec<&str> = (0..8).map(|number| names[number * step % 8]).collect();
        is(&add_all(world.clone(), &order, &settings()), "overlay-8");
        let twice = [order.clone(), names.to_vec(), order].concat();
        is(&add_all(world.clone(), &twice, &settings()), "overlay-8");
    }
}

#[test]
fn the_interface_with_the_default_route_may_come_at_any_time() {
    let settings = Settings { default_nic: Some("net2".to_owned()), ..settings() };
    for order in orders(&["net1", "net2"]) {
        is(&add_all(World::calico(2, false), &order, &settings), "overlay-2-default-net2");
        let twice = [order.clone(), order].concat();
        is(&add_all(World::calico(2, false), &twice, &settings), "overlay-2-default-net2");
    }
}

#[test]
fn pods_on_the_nodes_network() {
    is(&add_all(World::underlay(0, false), &["eth0"], &settings()), "underlay-1");
    for order in orders(&["eth0", "net1", "net2"]) {
        is(&add_all(World::underlay(2, true), &order, &settings()), "underlay-3-dual");
    }
}

/// Multus may attach a rail to a pod that runs: its plugin puts another default route into the main table then.
#[test]
fn a_rail_that_comes_later_changes_nothing_of_the_others() {
    let mut world = add_all(World::calico(1, true), &["net1"], &settings());
    world.rail(2, true);
    is(&add_all(world, &["net2"], &settings()), "overlay-2-dual");
}

/// Nobody names it, and the first interface has none: whoever had it first keeps it.
#[test]
fn a_default_route_of_rails_alone_stays() {
    let mut world = World::calico(2, false);
    let eth0 = world.pod.link("eth0").unwrap().index;
    world.pod.routes.retain(|route| route.destination.prefix_len() > 0 || route.link != Some(eth0));
    let world = add_all(world, &["net1", "net2", "net1", "net2"], &settings());
    let main = world.shown()["pod"]["routes"]["main"].clone();
    let defaults: Vec<&str> = main
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .filter(|line| line.starts_with("default"))
        .collect();
    assert_eq!(
        defaults,
        ["default via 172.16.12.254 dev net2"],
        "one, and each NIC has its own in its table"
    );
}
