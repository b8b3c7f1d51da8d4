//! Two network namespaces in memory, which steps change as the kernel would.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::{Value, json};

use super::super::config::{Mode, Settings};
use super::super::difference::{Change, difference};
use super::super::hands::Place;
use super::super::plan::{self, EndState, Given, Wire};
use super::super::view::{OURS, View};
use crate::netlink::{InterfaceAddress, Link, MAIN_TABLE, Neighbour, Route, Rule};
use crate::spec::{Answer, CniError};
use crate::sysfs::LinkLayer;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct World {
    pub(super) pod: View,
    pub(super) host: View,
    pub(super) node: Vec<IpAddr>,
    underlay: bool,
    /// Name of the host's end of the wire.
    end: &'static str,
}

impl World {
    /// Calico as the tests on the kernel have it, and rails whose default routes are in the main table.
    pub(super) fn calico(rails: u8, ipv6: bool) -> Self {
        let mut world = Self::new(false, "cali0", [0xee; 6]);
        world.link("eth0", 0xe0);
        world.address("eth0", "10.233.119.164/32");
        world.routes(&["169.254.1.1/32 dev eth0", "0.0.0.0/0 via 169.254.1.1 dev eth0"]);
        if ipv6 {
            world.node.push("fd10::4".parse().unwrap());
            world.address("eth0", "fd85::164/128");
            world.routes(&["fd85::164/128 dev eth0", "::/0 via fe80::1:1 dev eth0"]);
        }
        (1..=rails).for_each(|number| world.rail(number, ipv6));
        world
    }

    /// eth0 on the node's network, and its veth, which is there by then.
    pub(super) fn underlay(rails: u8, ipv6: bool) -> Self {
        let mut world = Self::new(true, "veth0123456789a", [0x02, 0xf2, 0xf9, 0xc5, 0x50, 0xc9]);
        world.link("eth0", 0xe0);
        world.link("veth0", 0);
        world.pod.links[1].address = vec![0x06, 0xf2, 0xf9, 0xc5, 0x50, 0xc9];
        world.address("eth0", "172.100.0.210/16");
        world.routes(&["172.100.0.0/16 dev eth0 src 172.100.0.210", "0.0.0.0/0 via 172.100.0.1 dev eth0"]);
        if ipv6 {
            world.node.push("fd10::4".parse().unwrap());
            world.address("eth0", "fd17::210/64");
            world.routes(&["fd17::/64 dev eth0", "::/0 via fd17::1 dev eth0"]);
        }
        (1..=rails).for_each(|number| world.rail(number, ipv6));
        world
    }

    fn new(underlay: bool, end: &'static str, address: [u8; 6]) -> Self {
        let mut world = Self {
            pod: View::default(),
            host: View::default(),
            node: vec!["10.1.20.4".parse().unwrap()],
            underlay,
            end,
        };
        world.host.links.push(Link { address: address.to_vec(), ..link(7, end) });
        world
    }

    pub(super) fn link(&mut self, name: &str, last: u8) {
        let index = u32::try_from(self.pod.links.len()).unwrap() + 2;
        self.pod.links.push(Link { address: vec![2, 0, 0, 0, 0, last], ..link(index, name) });
    }

    pub(super) fn rail(&mut self, number: u8, ipv6: bool) {
        let (name, subnet) = (format!("net{number}"), number + 10);
        self.link(&name, number);
        self.address(&name, &format!("172.16.{subnet}.10/24"));
        self.routes(&[
            &format!("172.16.{subnet}.0/24 dev {name} src 172.16.{subnet}.10"),
            &format!("0.0.0.0/0 via 172.16.{subnet}.254 dev {name}"),
        ]);
        if ipv6 {
            self.address(&name, &format!("fd16:{subnet}::10/64"));
            self.routes(&[
                &format!("fd16:{subnet}::/64 dev {name}"),
                &format!("::/0 via fd16:{subnet}::fe dev {name}"),
            ]);
        }
    }

    fn address(&mut self, name: &str, address: &str) {
        let link = self.pod.link(name).unwrap().index;
        let address = address.parse().unwrap();
        self.pod.addresses.push(InterfaceAddress { link, address, temporary: false });
    }

    /// Routes of others in the pod's main table.
    fn routes(&mut self, lines: &[&str]) {
        for line in lines {
            let words: Vec<&str> = line.split(' ').collect();
            let after = |word: &str| words.iter().position(|it| *it == word).map(|at| words[at + 1]);
            let to: IpNet = words[0].parse().unwrap();
            self.pod.routes.push(Route {
                gateway: after("via").map(|it| it.parse().unwrap()),
                link: after("dev").map(|name| self.pod.link(name).unwrap().index),
                source: after("src").map(|it| it.parse().unwrap()),
                // The kernel's own, of what is on the link, and those of others.
                metric: to.addr().is_ipv6().then_some(if after("via").is_none() { 256 } else { 1024 }),
                ..Route::to(to)
            });
        }
    }

    fn wire(&self) -> Wire {
        let inside = if self.underlay { "veth0" } else { "eth0" };
        Wire {
            underlay: self.underlay,
            pod: self.pod.link(inside).unwrap().clone(),
            host: self.host.link(self.end).unwrap().clone(),
        }
    }

    pub(super) fn end_state(&self, nic: &str, settings: &Settings) -> Result<EndState, CniError> {
        let (wire, previous) = (self.wire(), Answer::default());
        plan::routes(&Given {
            settings,
            nic,
            previous: &previous,
            pod: &self.pod,
            wire: &wire,
            node: &self.node,
        })
    }

    /// All steps of an ADD.
    pub(super) fn steps(&self, nic: &str, settings: &Settings) -> Vec<(Place, Change)> {
        let wire = self.wire();
        let ends = wire.underlay.then_some((&wire.pod, &wire.host));
        let links = plan::links(settings, nic, &self.pod, ends);
        let end = self.end_state(nic, settings).unwrap();
        let steps =
            |place, view: &View, wanted| difference(view, wanted).into_iter().map(move |it| (place, it));
        steps(Place::Pod, &self.pod, &links.pod)
            .chain(steps(Place::Host, &self.host, &links.host))
            .chain(steps(Place::Pod, &self.pod, &end.pod))
            .chain(steps(Place::Host, &self.host, &end.host))
            .collect()
    }

    pub(super) fn add(&mut self, nic: &str, settings: &Settings) {
        for (place, change) in self.steps(nic, settings) {
            self.carry_out(place, change);
        }
    }

    pub(super) fn carry_out(&mut self, place: Place, change: Change) {
        let view = if place == Place::Pod { &mut self.pod } else { &mut self.host };
        let link = |view: &mut View, index: u32, how: &dyn Fn(&mut Link)| {
            view.links.iter_mut().filter(|link| link.index == index).for_each(how);
        };
        match change {
            Change::AddVeth(_) | Change::RemoveVeth(_) => panic!("the veth is there"),
            Change::Up { link: index, up } => link(view, index, &|link| link.up = up),
            Change::Hardware { link: index, to, .. } => {
                link(view, index, &|link| link.address.clone_from(&to));
            }
            Change::QueueLength { link: index, to, .. } => link(view, index, &|link| link.queue_length = to),
            Change::AddAddress(link, address) => {
                view.addresses.push(InterfaceAddress { link, address, temporary: false });
            }
            Change::DeleteAddress(link, address) => {
                view.addresses.retain(|it| (it.link, it.address) != (link, address));
            }
            Change::Sysctl { path, to, .. } => drop(view.sysctls.insert(path, to)),
            Change::AddRoute(route) => {
                assert!(!view.routes.contains(&route), "{route:?}");
                view.routes.push(route);
            }
            Change::DeleteRoute(route) => view.routes.retain(|it| *it != route),
            Change::AddRule(rule) => view.rules.push(rule),
            Change::DeleteRule(rule) => view.rules.retain(|it| *it != rule),
            Change::Neighbour { link, address, to, .. } => {
                view.neighbours.retain(|it| (it.link, it.address) != (link, address));
                view.neighbours.extend(to.map(|hardware| Neighbour {
                    link,
                    address,
                    hardware,
                    permanent: true,
                }));
            }
            Change::Mark { family, on } => {
                view.marked.retain(|it| *it != family);
                view.marked.extend(on.then_some(family));
            }
        }
    }

    /// Without an order that nobody asked for.
    pub(super) fn sorted(mut self) -> Self {
        for view in [&mut self.pod, &mut self.host] {
            view.routes.sort_by_key(|route| format!("{route:?}"));
            view.rules.sort_by_key(|rule| format!("{rule:?}"));
            view.neighbours.sort_by_key(|neighbour| format!("{neighbour:?}"));
            view.marked.sort_unstable();
        }
        self
    }

    /// As `tests/kernel/coordinator/state.rs` shows the kernel's.
    pub(super) fn shown(&self) -> Value {
        json!({ "pod": shown(&self.pod), "node": shown(&self.host) })
    }
}

fn link(index: u32, name: &str) -> Link {
    Link {
        index,
        name: name.to_owned(),
        layer: LinkLayer::Ethernet,
        up: true,
        mtu: 1500,
        address: Vec::new(),
        parent: None,
        kind: Some("veth".to_owned()),
        lower: None,
        master: None,
        queue_length: 1000,
        carrier: true,
        broadcast: Vec::new(),
        other_names: Vec::new(),
    }
}

fn shown(view: &View) -> Value {
    let mut routes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for route in &view.routes {
        let table = if route.table == MAIN_TABLE { "main".to_owned() } else { route.table.to_string() };
        routes.entry(table).or_default().push(shown_route(view, route));
    }
    let mut rules: Vec<String> = view.rules.iter().map(shown_rule).collect();
    let neighbour = |it: &Neighbour| {
        let at: Vec<String> = it.hardware.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{} dev {} lladdr {}", it.address, name(view, it.link), at.join(":"))
    };
    let mut neighbours: Vec<String> = view.neighbours.iter().map(neighbour).collect();
    for lines in routes.values_mut() {
        lines.sort();
    }
    rules.sort();
    neighbours.sort();
    json!({ "rules": rules, "routes": routes, "neighbours": neighbours })
}

fn name(view: &View, index: u32) -> &str {
    &view.links.iter().find(|link| link.index == index).unwrap().name
}

fn without_full_length(prefix: IpNet) -> String {
    if prefix.prefix_len() == prefix.max_prefix_len() {
        prefix.addr().to_string()
    } else {
        prefix.to_string()
    }
}

fn shown_route(view: &View, route: &Route) -> String {
    let mut line = match route.destination {
        IpNet::V4(to) if to.prefix_len() == 0 => "default".to_owned(),
        IpNet::V6(to) if to.prefix_len() == 0 => "default6".to_owned(),
        to => without_full_length(to),
    };
    if let Some(gateway) = route.gateway {
        line = format!("{line} via {gateway}");
    }
    line = format!("{line} dev {}", name(view, route.link.unwrap()));
    if let Some(source) = route.source {
        line = format!("{line} src {source}");
    }
    if let Some(metric) = route.metric.filter(|metric| route.destination.addr().is_ipv4() || *metric != 1024)
    {
        line = format!("{line} metric {metric}");
    }
    if route.protocol == OURS { format!("{line} ours") } else { line }
}

fn shown_rule(rule: &Rule) -> String {
    let Rule { from, mark, table, priority, protocol, .. } = rule;
    let mark = mark.map(|mark| format!(" fwmark {mark:#x}")).unwrap_or_default();
    let (version, from) = if from.prefix_len() == 0 {
        (if from.addr().is_ipv4() { "-4 " } else { "-6 " }, "all".to_owned())
    } else {
        ("", without_full_length(*from))
    };
    format!("{version}{priority}: from {from}{mark} lookup {table} proto {protocol}")
}

/// The cluster of the tests on the kernel.
pub(super) fn settings() -> Settings {
    Settings {
        mode: Mode::Auto,
        first: "eth0".to_owned(),
        by_node: ["10.233.64.0/18", "fd85::/64", "10.233.0.0/18", "fd86::/108", "169.254.0.0/16"]
            .map(|prefix| prefix.parse().unwrap())
            .to_vec(),
        policy_routes: Vec::new(),
        tune: true,
        default_nic: None,
        mac_prefix: None,
        host_table: 500,
        rp_filter: Some(0),
        queue_length: None,
        veth_address: None,
        veth_mtu: 1500,
    }
}
