//! Addresses and routes of an interface in a pod, as IPAM answered.

use std::net::IpAddr;

use super::HardwareAddress;
use crate::kernel::{Change, Kernel, Place};
use crate::netlink::{Link, MAIN_TABLE, Route, RouteMetrics};
use crate::spec::{self, Answer, CniError, Ip};

/// Gives an interface its addresses, and the pod its routes. A route without next hop goes by the gateway of the first
/// address of its family, or is on the link without one.
///
/// An interface takes no IPv6 address where IPv6 is off in it, as it is in all where the pod's sandbox began so.
pub fn set_addresses(
    kernel: &mut dyn Kernel,
    pod: Place,
    link: &Link,
    answer: &Answer,
) -> Result<(), CniError> {
    if answer.ips.iter().any(|ip| ip.address.addr().is_ipv6()) {
        let values = vec![(format!("ipv6/conf/{}/disable_ipv6", link.name), "0")];
        // If it is off and stays so, the addresses are refused.
        if let Err(error) = kernel.make(Change::Sysctl { at: pod, values }) {
            log::warn!("{error}");
        }
    }
    let link = link.index;
    for ip in &answer.ips {
        kernel.make(Change::Address { at: pod, link, address: ip.address })?;
    }
    for route in &answer.routes {
        let route = resolved(route, link, &answer.ips);
        kernel.make(Change::Route { at: pod, route }).map_err(|error| {
            CniError::kernel(&error)
                .while_doing(&format!("failed to add route {} to the pod", route.destination))
        })?;
    }
    Ok(())
}

fn resolved(route: &spec::Route, link: u32, ips: &[Ip]) -> Route {
    let of_family = |ip: &&Ip| ip.address.addr().is_ipv4() == route.dst.addr().is_ipv4();
    let gateway = route.gw.or_else(|| ips.iter().find(of_family)?.gateway).filter(|gw| !gw.is_unspecified());
    let reached = |gateway: IpAddr| ips.iter().any(|ip| ip.address.contains(&gateway));
    Route {
        gateway,
        link: Some(link),
        table: route.table.unwrap_or(MAIN_TABLE),
        metric: route.priority,
        // A gateway outside of the subnet, as with prefixes of full length, answers on the link.
        on_link: gateway.is_some_and(|gateway| !reached(gateway)),
        scope: route.scope.and_then(|scope| scope.try_into().ok()),
        metrics: RouteMetrics::of(route.mtu, route.advmss),
        ..Route::to(route.dst)
    }
}

/// Compares hardware address, MTU and state of an interface with what ADD answered.
pub fn check_interface(link: &Link, answer: &Answer) -> Result<(), CniError> {
    let name = &link.name;
    let changed = |what: String| Err(CniError::new(CniError::CHANGED, what));
    let Some(told) = answer.position_in_pod(name).map(|position| &answer.interfaces[position]) else {
        return changed(format!("prevResult has no interface {name}"));
    };
    if !link.up {
        return changed(format!("interface {name} of the pod is off"));
    }
    let address = HardwareAddress(link.address.clone()).to_string();
    if !told.mac.is_empty() && !told.mac.eq_ignore_ascii_case(&address) {
        return changed(format!(
            "interface {name} of the pod has the hardware address {address}, ADD gave it {}",
            told.mac
        ));
    }
    match told.mtu.filter(|mtu| *mtu != link.mtu) {
        Some(mtu) => changed(format!("interface {name} of the pod has the MTU {}, ADD left {mtu}", link.mtu)),
        None => Ok(()),
    }
}

/// Compares addresses and routes of an interface with what ADD answered. A route may be in any table: `coordinator` moves
/// some to the interface's own.
pub fn check_addresses(
    kernel: &mut dyn Kernel,
    pod: Place,
    link: &Link,
    answer: &Answer,
) -> Result<(), CniError> {
    let position = answer.position_in_pod(&link.name);
    let lost = |what: String| {
        Err(CniError::new(
            CniError::CHANGED,
            format!("interface {} of the pod has lost its {what}", link.name),
        ))
    };
    let ips: Vec<Ip> = position.into_iter().flat_map(|position| answer.ips_of(position)).copied().collect();
    let present = kernel.addresses(pod)?;
    let is_there =
        |ip: &&Ip| present.iter().any(|found| (found.link, found.address) == (link.index, ip.address));
    if let Some(ip) = ips.iter().find(|ip| !is_there(ip)) {
        return lost(format!("address {}", ip.address));
    }
    if answer.routes.is_empty() {
        return Ok(());
    }
    let present = kernel.routes(pod)?;
    let way = |route: &Route| (route.destination.trunc(), route.gateway, route.link);
    let mut told = answer.routes.iter().map(|route| resolved(route, link.index, &ips));
    match told.find(|route| !present.iter().any(|found| way(found) == way(route))) {
        Some(route) => lost(format!("route to {}", route.destination)),
        None => Ok(()),
    }
}
