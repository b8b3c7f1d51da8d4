//! What the two network namespaces have, as far as the coordinator looks at it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::netlink::{InterfaceAddress, Link, MAIN_TABLE, Neighbour, Route, Rule};

/// Tags routes and rules of ours (`RTPROT_*`, `include/uapi/linux/rtnetlink.h` leaves the number free), so that they are
/// known again, and nobody else's are replaced.
pub(super) const OURS: u8 = 84;
/// `RTPROT_RA`: the kernel takes it back when the router falls silent.
const BY_ROUTER: u8 = 9;

/// One network namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct View {
    pub(super) links: Vec<Link>,
    pub(super) addresses: Vec<InterfaceAddress>,
    pub(super) routes: Vec<Route>,
    pub(super) rules: Vec<Rule>,
    pub(super) neighbours: Vec<Neighbour>,
    /// By path below `/proc/sys`.
    pub(super) sysctls: BTreeMap<String, String>,
    /// In which families replies to what comes over the veth are marked.
    pub(super) marked: Vec<Family>,
}

/// IP of one version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Family {
    V4,
    V6,
}

impl Family {
    pub(super) const BOTH: [Self; 2] = [Self::V4, Self::V6];

    pub(super) fn of(address: IpAddr) -> Self {
        if address.is_ipv4() { Self::V4 } else { Self::V6 }
    }

    /// `AF_INET`, `AF_INET6`
    pub(super) fn number(self) -> u8 {
        match self {
            Self::V4 => 2,
            Self::V6 => 10,
        }
    }

    /// The destination of a default route.
    pub(super) fn everything(self) -> IpNet {
        match self {
            Self::V4 => IpNet::V4(ipnet::Ipv4Net::default()),
            Self::V6 => IpNet::V6(ipnet::Ipv6Net::default()),
        }
    }

    /// The kernel takes none to mean 1024 in IPv6, and says so afterwards.
    pub(super) fn usual_metric(self) -> Option<u32> {
        match self {
            Self::V4 => None,
            Self::V6 => Some(1024),
        }
    }
}

impl View {
    pub(super) fn link(&self, name: &str) -> Option<&Link> {
        self.links.iter().find(|link| link.name == name)
    }

    /// Addresses of a link that others can reach it by.
    pub(super) fn addresses_of(&self, link: u32) -> impl Iterator<Item = IpNet> {
        let of_link = self.addresses.iter().filter(move |address| address.link == link);
        of_link.filter(|address| !address.temporary).map(|address| address.address).filter(is_global)
    }

    pub(super) fn first_address(&self, link: u32, family: Family) -> Option<IpAddr> {
        let mut addresses = self.addresses_of(link).map(|address| address.addr());
        addresses.find(|address| Family::of(*address) == family)
    }

    /// What other programs, or the kernel, set in the main table for a link.
    pub(super) fn main_routes_of(&self, link: u32) -> impl Iterator<Item = &Route> {
        let of_link = move |route: &&Route| route.link == Some(link) && route.table == MAIN_TABLE;
        self.routes.iter().filter(of_link).filter(|route| is_meant(route))
    }

    /// Default routes of the main table, whoever set them.
    pub(super) fn main_defaults(&self, family: Family) -> impl Iterator<Item = &Route> {
        let everything = family.everything();
        let default = move |route: &&Route| route.table == MAIN_TABLE && route.destination == everything;
        self.routes.iter().filter(default).filter(|route| is_meant(route))
    }
}

/// Each link has its own link-local routes without our help, and what routers announce stays where the kernel put it.
fn is_meant(route: &Route) -> bool {
    let link_local = matches!(route.destination, IpNet::V6(to) if to.addr().is_unicast_link_local());
    !link_local && route.protocol != BY_ROUTER
}

fn is_global(address: &IpNet) -> bool {
    match address {
        IpNet::V4(it) => !it.addr().is_link_local() && !it.addr().is_multicast() && !it.addr().is_loopback(),
        IpNet::V6(it) => {
            !it.addr().is_unicast_link_local() && !it.addr().is_multicast() && !it.addr().is_loopback()
        }
    }
}
