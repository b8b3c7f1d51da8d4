//! Addresses and routes of an interface in a pod, as IPAM answered.

use std::net::IpAddr;

use crate::kernel::{Change, Kernel, Place};
use crate::netlink::{MAIN_TABLE, Route};
use crate::spec::{self, Answer, CniError, Ip};

/// Gives an interface its addresses, and the pod its routes. A route without next hop goes by the gateway of the first
/// address of its family, or is on the link without one.
pub fn set_addresses(
    kernel: &mut dyn Kernel,
    pod: Place,
    link: u32,
    answer: &Answer,
) -> Result<(), CniError> {
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
        ..Route::to(route.dst)
    }
}

/// Compares the addresses of an interface with what ADD answered.
pub fn check_addresses(
    kernel: &mut dyn Kernel,
    pod: Place,
    link: u32,
    name: &str,
    ips: &[Ip],
) -> Result<(), CniError> {
    let present = kernel.addresses(pod)?;
    for ip in ips {
        if !present.iter().any(|found| found.link == link && found.address == ip.address) {
            return Err(CniError::new(
                CniError::CHANGED,
                format!("interface {name} of the pod has lost its address {}", ip.address),
            ));
        }
    }
    Ok(())
}
