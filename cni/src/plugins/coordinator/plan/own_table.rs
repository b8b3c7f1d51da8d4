//! Each interface has a table of its own with all its routes, and a rule that sends what leaves from its addresses there:
//! so a reply leaves by the interface that the request came in by.

use ipnet::IpNet;

use super::super::config::Policy;
use super::super::tables;
use super::super::view::{Family, OURS};
use super::{Given, Side, node};
use crate::netlink::{Link, MAIN_TABLE, Route, RouteMetrics, Rule};
use crate::spec::CniError;

/// The last before the rule of the main table, where the kernel puts the first rule that is added without a number.
const BY_SOURCE: u32 = 32765;

/// Number of an interface's table.
pub(super) fn number(given: &Given<'_>, link: &Link) -> u32 {
    if link.name == given.settings.first {
        tables::of_first(given.wire.underlay)
    } else {
        tables::of_further(&link.name)
    }
}

/// The table of one interface, and the rules that lead to it.
pub(super) fn fill(given: &Given<'_>, link: &Link, side: &mut Side) -> Result<(), CniError> {
    let table = number(given, link);
    refuse_if_taken(given, link, table)?;
    // Of the first interface in an overlay, its own routes lead there already.
    if link.index != given.wire.pod.index {
        side.routes.extend(node::by_node(given, table));
    }
    let mut own: Vec<Route> = given
        .pod
        .main_routes_of(link.index)
        .filter(|route| route.protocol != OURS && route.destination.prefix_len() > 0)
        .copied()
        .collect();
    own.extend(Family::BOTH.into_iter().filter_map(|family| default_of(given, link, family)));
    // A gateway can be set once there is a route to it.
    own.sort_by_key(|route| route.gateway.is_some());
    side.routes.extend(own.into_iter().map(|route| Route { table, protocol: OURS, ..route }));
    side.rules.extend(given.pod.addresses_of(link.index).map(|address| Rule {
        from: IpNet::from(address.addr()),
        to: None,
        mark: None,
        table,
        priority: BY_SOURCE,
        protocol: OURS,
    }));
    Ok(())
}

/// Two names of interfaces can be given the same number, once in 2^28.
fn refuse_if_taken(given: &Given<'_>, link: &Link, table: u32) -> Result<(), CniError> {
    let mut others = given.pod.links.iter().filter(|other| other.index != link.index);
    let Some(other) = others.find(|other| number(given, other) == table) else { return Ok(()) };
    Err(CniError::config(format!(
        "interfaces {} and {} of the pod would share routing table {table}; give one of them another name",
        link.name, other.name
    )))
}

/// The default route of an interface: in the main table, where its plugin puts it; or in its own table, to which it was
/// moved; or promised by the result of the plugins before.
pub(super) fn default_of(given: &Given<'_>, link: &Link, family: Family) -> Option<Route> {
    let (table, everything) = (number(given, link), family.everything());
    let mut in_main = given.pod.main_defaults(family);
    let mut in_own = given.pod.routes.iter().filter(|route| route.table == table);
    in_main
        .find(|route| route.link == Some(link.index))
        .or_else(|| in_own.find(|route| route.destination == everything && route.link == Some(link.index)))
        .copied()
        .or_else(|| promised(given, link, family))
}

fn promised(given: &Given<'_>, link: &Link, family: Family) -> Option<Route> {
    let (previous, everything) = (given.previous, family.everything());
    let route = previous.routes.iter().find(|route| route.dst == everything && link.name == given.nic)?;
    let mut gateways = previous.ips.iter().filter_map(|ip| ip.gateway);
    let gateway = route.gw.or_else(|| gateways.find(|gateway| Family::of(*gateway) == family))?;
    Some(Route {
        gateway: Some(gateway),
        link: Some(link.index),
        metric: route.priority.or_else(|| family.usual_metric()),
        protocol: OURS,
        metrics: RouteMetrics::of(route.mtu, route.advmss),
        ..Route::to(everything)
    })
}

/// Routes by configuration: in the table of the interface; in the main table as well where that is what it sends by.
pub(super) fn policies(given: &Given<'_>, link: &Link, side: &mut Side) -> Result<(), CniError> {
    let own = given.settings.tune.then(|| number(given, link));
    let main = (!given.settings.tune || link.name == given.settings.first).then_some(MAIN_TABLE);
    for policy in &given.settings.policy_routes {
        let in_reach = given.pod.addresses_of(link.index).any(|address| address.contains(&policy.via));
        if !in_reach && !policy.cluster_wide {
            return Err(out_of_reach(given, link, policy));
        }
        side.routes.extend(own.into_iter().chain(main).filter(|_| in_reach).map(|table| Route {
            gateway: Some(policy.via),
            link: Some(link.index),
            table,
            metric: Family::of(policy.via).usual_metric(),
            protocol: OURS,
            ..Route::to(policy.to)
        }));
    }
    Ok(())
}

fn out_of_reach(given: &Given<'_>, link: &Link, policy: &Policy) -> CniError {
    let subnets: Vec<String> =
        given.pod.addresses_of(link.index).map(|address| address.trunc().to_string()).collect();
    let has = if subnets.is_empty() { "no address".to_owned() } else { subnets.join(", ") };
    let Policy { to, via, .. } = policy;
    CniError::config(format!(
        "policyRoutes has {to} via {via}, but {} of the pod has {has}; write a gateway that is in its subnet",
        link.name
    ))
}
