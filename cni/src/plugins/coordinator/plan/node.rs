//! The way between pod and node.

use std::net::IpAddr;

use ipnet::IpNet;

use super::super::tables;
use super::super::view::{Family, OURS};
use super::{Given, Side, own_table};
use crate::netlink::{Link, MAIN_TABLE, Neighbour, Route, Rule};

/// On the host, before the rules of everybody else; in the pod, before those by source.
const BEFORE_OTHERS: u32 = 1000;
/// What connections that came over the veth are marked with.
pub(in super::super) const MARK: u32 = 1;

/// The node itself, and what is reached by way of it, in one table of the pod.
pub(super) fn by_node(given: &Given<'_>, table: u32) -> Vec<Route> {
    let mut routes = Vec::new();
    for node in given.node {
        routes.push(over_wire(given, IpNet::from(*node), None, table));
        let of_family = given.settings.by_node.iter().filter(|cidr| cidr.addr().is_ipv4() == node.is_ipv4());
        routes.extend(of_family.map(|cidr| over_wire(given, *cidr, Some(*node), table)));
    }
    routes
}

/// A route from the pod to its node, or by way of it.
fn over_wire(given: &Given<'_>, to: IpNet, gateway: Option<IpAddr>, table: u32) -> Route {
    let family = Family::of(to.addr());
    let first = given.pod.link(&given.settings.first);
    // An overlay may take shorter packets than its interface, and says so at its default route alone.
    let default = own_table::default_of(given, &given.wire.pod, family);
    Route {
        gateway,
        link: Some(given.wire.pod.index),
        table,
        source: first.and_then(|first| given.pod.first_address(first.index, family)),
        metric: family.usual_metric(),
        protocol: OURS,
        metrics: default.map(|default| default.metrics).unwrap_or_default(),
        ..Route::to(to)
    }
}

/// In the main table. A route that somebody else has to the same place stays, for the overlay knows its own pods best.
pub(super) fn by_node_in_main(given: &Given<'_>, side: &mut Side) {
    let taken = |route: &Route| {
        let same = |other: &&Route| other.table == MAIN_TABLE && other.destination == route.destination;
        given.pod.routes.iter().filter(same).any(|other| other.protocol != OURS)
    };
    side.routes.extend(by_node(given, MAIN_TABLE).into_iter().filter(|route| !taken(route)));
}

/// The node's address is not one of the link's own network, so nobody would answer for it.
pub(super) fn neighbours(given: &Given<'_>, side: &mut Side) {
    let (pod, host) = (&given.wire.pod, &given.wire.host);
    side.neighbours.extend(given.node.iter().map(|node| neighbour(pod, *node, host)));
}

fn neighbour(link: &Link, address: IpAddr, at: &Link) -> Neighbour {
    Neighbour { link: link.index, address, hardware: at.address.clone(), permanent: true }
}

/// In a pod on the node's network, what comes over the veth from anywhere is answered over the veth.
pub(super) fn reply_path(given: &Given<'_>, side: &mut Side) {
    for node in given.node.iter().filter(|_| given.wire.underlay) {
        let family = Family::of(*node);
        side.routes.push(over_wire(given, IpNet::from(*node), None, tables::NODE));
        side.routes.push(over_wire(given, family.everything(), Some(*node), tables::NODE));
        side.rules.push(Rule { mark: Some(MARK), ..from_all(family, tables::NODE) });
        side.marked.push(family);
    }
}

fn from_all(family: Family, table: u32) -> Rule {
    Rule { from: family.everything(), to: None, mark: None, table, priority: BEFORE_OTHERS, protocol: OURS }
}

/// On the host, addresses of the interface are reached over the wire, from the address that the pod knows the way back to.
pub(super) fn host(given: &Given<'_>, nic: &Link, side: &mut Side) {
    let table = given.settings.host_table;
    for address in given.pod.addresses_of(nic.index).map(|address| address.addr()) {
        let family = Family::of(address);
        let rule = from_all(family, table);
        if !side.rules.contains(&rule) {
            side.rules.push(rule);
        }
        side.routes.push(Route {
            link: Some(given.wire.host.index),
            table,
            source: given.node.iter().copied().find(|node| Family::of(*node) == family),
            metric: family.usual_metric(),
            protocol: OURS,
            ..Route::to(IpNet::from(address))
        });
        side.neighbours.push(neighbour(&given.wire.host, address, &given.wire.pod));
    }
}
