//! What is to be done so that a network namespace is as it should be, and how to take it back.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;

use super::plan::{LinkState, Side};
use super::view::{Family, OURS, View};
use crate::netlink::{Neighbour, Route, Rule, VethPair};

/// One step, which the kernel does whole or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Makes a veth from the host into the pod.
    AddVeth(VethPair),
    RemoveVeth(String),
    Up {
        link: u32,
        up: bool,
    },
    Hardware {
        link: u32,
        from: Vec<u8>,
        to: Vec<u8>,
    },
    QueueLength {
        link: u32,
        from: u32,
        to: u32,
    },
    AddAddress(u32, IpNet),
    DeleteAddress(u32, IpNet),
    Sysctl {
        path: String,
        from: String,
        to: String,
    },
    AddRoute(Route),
    DeleteRoute(Route),
    AddRule(Rule),
    DeleteRule(Rule),
    Neighbour {
        link: u32,
        address: IpAddr,
        from: Option<Vec<u8>>,
        to: Option<Vec<u8>>,
    },
    Mark {
        family: Family,
        on: bool,
    },
}

impl Change {
    /// What takes it back.
    pub(super) fn inverse(self) -> Self {
        match self {
            Self::AddVeth(pair) => Self::RemoveVeth(pair.here),
            // Nobody removes one but to take it back.
            Self::RemoveVeth(name) => Self::RemoveVeth(name),
            Self::Up { link, up } => Self::Up { link, up: !up },
            Self::Hardware { link, from, to } => Self::Hardware { link, from: to, to: from },
            Self::QueueLength { link, from, to } => Self::QueueLength { link, from: to, to: from },
            Self::AddAddress(link, address) => Self::DeleteAddress(link, address),
            Self::DeleteAddress(link, address) => Self::AddAddress(link, address),
            Self::Sysctl { path, from, to } => Self::Sysctl { path, from: to, to: from },
            Self::AddRoute(route) => Self::DeleteRoute(route),
            Self::DeleteRoute(route) => Self::AddRoute(route),
            Self::AddRule(rule) => Self::DeleteRule(rule),
            Self::DeleteRule(rule) => Self::AddRule(rule),
            Self::Neighbour { link, address, from, to } => {
                Self::Neighbour { link, address, from: to, to: from }
            }
            Self::Mark { family, on } => Self::Mark { family, on: !on },
        }
    }
}

/// For CHECK: what is missing, or there too much.
impl fmt::Display for Change {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AddVeth(pair) => write!(formatter, "link {} is missing", pair.there),
            Self::RemoveVeth(name) => write!(formatter, "link {name} is left over"),
            Self::Up { link, up } => {
                write!(formatter, "link {link} is {}", if *up { "off" } else { "on" })
            }
            Self::Hardware { link, from, to } => {
                write!(formatter, "link {link} has hardware address {from:02x?} instead of {to:02x?}")
            }
            Self::QueueLength { link, from, to } => {
                write!(formatter, "link {link} has a queue of {from} packets instead of {to}")
            }
            Self::AddAddress(link, address) => write!(formatter, "link {link} lacks address {address}"),
            Self::DeleteAddress(link, address) => {
                write!(formatter, "link {link} has address {address} too much")
            }
            Self::Sysctl { path, from, to } => write!(formatter, "sysctl {path} is {from} instead of {to}"),
            Self::AddRoute(route) => {
                write!(formatter, "the route to {} is missing in table {}", route.destination, route.table)
            }
            Self::DeleteRoute(route) => {
                write!(formatter, "the route to {} is left over in table {}", route.destination, route.table)
            }
            Self::AddRule(rule) => {
                write!(formatter, "the rule from {} to table {} is missing", rule.from, rule.table)
            }
            Self::DeleteRule(rule) => {
                write!(formatter, "the rule from {} to table {} is left over", rule.from, rule.table)
            }
            Self::Neighbour { link, address, .. } => {
                write!(formatter, "the neighbour {address} of link {link} is missing or another")
            }
            Self::Mark { family, .. } => write!(formatter, "replies of {family:?} are not marked"),
        }
    }
}

/// Steps from what there is to what should be, in an order in which each is possible, and traffic always has a way:
/// tables are filled before rules lead to them, and rules lead to them before the main table loses anything.
pub(super) fn difference(view: &View, wanted: &Side) -> Vec<Change> {
    let mut changes = Vec::new();
    wanted.links.iter().for_each(|state| of_link(view, state, &mut changes));
    for (path, value) in &wanted.sysctls {
        let from = view.sysctls.get(path).cloned().unwrap_or_default();
        if from != *value {
            changes.push(Change::Sysctl { path: path.clone(), from, to: value.clone() });
        }
    }
    for (number, neighbour) in wanted.neighbours.iter().enumerate() {
        let at = |other: &&Neighbour| (other.link, other.address) == (neighbour.link, neighbour.address);
        let repeated = wanted.neighbours[..number].contains(neighbour);
        let known = view.neighbours.iter().find(at);
        if !repeated && known.is_none_or(|known| known != neighbour) {
            let from = known.filter(|known| known.permanent).map(|known| known.hardware.clone());
            let to = Some(neighbour.hardware.clone());
            changes.push(Change::Neighbour { link: neighbour.link, address: neighbour.address, from, to });
        }
    }
    of_routes(view, wanted, &mut changes);
    let missing = |rule: &&Rule| !view.rules.iter().any(|other| same_rule(other, rule));
    let mut rules: Vec<&Rule> = wanted.rules.iter().filter(missing).collect();
    rules.dedup();
    changes.extend(rules.into_iter().map(|rule| Change::AddRule(*rule)));
    let marks = wanted.marked.iter().filter(|family| !view.marked.contains(family));
    changes.extend(marks.map(|family| Change::Mark { family: *family, on: true }));
    changes.extend(wanted.moved.iter().map(|route| Change::DeleteRoute(*route)));
    left_over(view, wanted, &mut changes);
    changes
}

fn of_link(view: &View, state: &LinkState, changes: &mut Vec<Change>) {
    let LinkState { link: index, hardware, queue_length, address } = state;
    let Some(link) = view.links.iter().find(|link| link.index == *index) else { return };
    if let Some(to) = hardware
        && *to != link.address
    {
        changes.push(Change::Hardware { link: *index, from: link.address.clone(), to: to.clone() });
    }
    if let Some(to) = queue_length
        && *to != link.queue_length
    {
        changes.push(Change::QueueLength { link: *index, from: link.queue_length, to: *to });
    }
    if let Some(address) = address
        && !view.addresses.iter().any(|other| other.link == *index && other.address == *address)
    {
        changes.push(Change::AddAddress(*index, *address));
    }
    if !link.up {
        changes.push(Change::Up { link: *index, up: true });
    }
}

/// What is in the way of a route of ours is deleted first, and routes are only ever added beside others: so nothing is
/// replaced that could not be restored.
fn of_routes(view: &View, wanted: &Side, changes: &mut Vec<Change>) {
    let mut added: Vec<&Route> = Vec::new();
    for route in &wanted.routes {
        if view.routes.iter().any(|other| same_route(other, route)) || added.contains(&route) {
            continue;
        }
        let in_the_way = |other: &&Route| {
            (other.table, other.destination, other.metric) == (route.table, route.destination, route.metric)
        };
        let in_the_way = view.routes.iter().filter(in_the_way).filter(|other| !wanted.moved.contains(other));
        changes.extend(in_the_way.map(|other| Change::DeleteRoute(*other)));
        changes.push(Change::AddRoute(*route));
        added.push(route);
    }
}

/// What is ours in the interface's own table, or leads to it, and should not.
fn left_over(view: &View, wanted: &Side, changes: &mut Vec<Change>) {
    let Some(table) = wanted.whole_table else { return };
    let rules = view.rules.iter().filter(|rule| rule.table == table && rule.protocol == OURS);
    let rules = rules.filter(|rule| !wanted.rules.iter().any(|other| same_rule(other, rule)));
    changes.extend(rules.map(|rule| Change::DeleteRule(*rule)));
    let routes = view.routes.iter().filter(|route| route.table == table && route.protocol == OURS);
    let routes = routes.filter(|route| !wanted.routes.iter().any(|other| same_route(other, route)));
    for route in routes.map(|route| Change::DeleteRoute(*route)) {
        if !changes.contains(&route) {
            changes.push(route);
        }
    }
}

/// Whoever set it.
fn same_route(one: &Route, other: &Route) -> bool {
    Route { protocol: OURS, ..*one } == Route { protocol: OURS, ..*other }
}

/// Whoever added it; kernels before 4.17 do not keep that.
fn same_rule(one: &Rule, other: &Rule) -> bool {
    Rule { protocol: OURS, ..*one } == Rule { protocol: OURS, ..*other }
}
