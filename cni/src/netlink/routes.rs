use std::net::IpAddr;

use ipnet::IpNet;

use super::addresses::{address, family, octets, unless_absent};
use super::codec::{Attributes, Message, NLM_F_APPEND, NLM_F_CREATE, NLM_F_REPLACE, u16_at, u32_at};
use super::{NetlinkError, RouteMetrics, Socket};

const RTM_NEWROUTE: u16 = 24;
const RTM_DELROUTE: u16 = 25;
const RTM_GETROUTE: u16 = 26;
/// Length of `struct rtmsg`.
const HEADER: usize = 12;
const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_PRIORITY: u16 = 6;
const RTA_PREFSRC: u16 = 7;
const RTA_METRICS: u16 = 8;
const RTA_MULTIPATH: u16 = 9;
/// Length of `struct rtnexthop`.
const NEXT_HOP: usize = 8;
const RTA_TABLE: u16 = 15;
const RTN_UNICAST: u8 = 1;
const RT_SCOPE_UNIVERSE: u8 = 0;
const RT_SCOPE_LINK: u8 = 253;
const RTM_F_CLONED: u32 = 0x200;
const RTNH_F_ONLINK: u32 = 4;

/// The table that is asked when no rule says otherwise.
pub const MAIN_TABLE: u32 = 254;

/// A unicast route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// Where to; a prefix of length 0 is the default route.
    pub destination: IpNet,
    /// The next hop, of the same family; none for what is on the link itself.
    pub gateway: Option<IpAddr>,
    /// Number of the interface. The kernel finds it by the gateway if it is none.
    pub link: Option<u32>,
    /// Which table it is in.
    pub table: u32,
    /// The sender's address of what this host itself sends.
    pub source: Option<IpAddr>,
    /// Lower is preferred. Of IPv6 routes, the kernel takes none for 1024.
    pub metric: Option<u32>,
    /// Who made it (`RTPROT_*`): 2 the kernel, 3 at boot, 4 an administrator; others are free to tag routes with.
    pub protocol: u8,
    /// The gateway answers on the link, though no route leads to it.
    pub on_link: bool,
    /// How far the destination is (`RT_SCOPE_*`); none is what fits the gateway. IPv6 knows none.
    pub scope: Option<u8>,
    /// What packets may be like on the way.
    pub metrics: RouteMetrics,
}

impl Route {
    /// A route in the main table, on the link, made by an administrator.
    #[must_use]
    pub fn to(destination: IpNet) -> Self {
        Self {
            destination,
            gateway: None,
            link: None,
            table: MAIN_TABLE,
            source: None,
            metric: None,
            protocol: 4,
            on_link: false,
            scope: None,
            metrics: RouteMetrics::default(),
        }
    }

    fn usual_scope(&self) -> u8 {
        if self.gateway.is_none() && self.destination.addr().is_ipv4() {
            RT_SCOPE_LINK
        } else {
            RT_SCOPE_UNIVERSE
        }
    }
}

impl Socket {
    /// All unicast routes of the namespace, in all tables and of both families. An IPv6 route with several next hops is
    /// as many routes, as it is for the kernel; IPv4 ones with several are left out.
    pub fn routes(&mut self) -> Result<Vec<Route>, NetlinkError> {
        let routes = self.ask(&list_routes(), "list routes", |body| Some(read(body)))?;
        Ok(routes.into_iter().flatten().collect())
    }

    /// The unicast routes of one table, as [`Socket::routes`]. Kernels before 4.20 send all of them to choose from.
    pub fn routes_of_table(&mut self, table: u32) -> Result<Vec<Route>, NetlinkError> {
        let asked = format_args!("list the routes of table {table}");
        let message = list_routes().u32(RTA_TABLE, table);
        let routes = self.ask(&message, asked, |body| Some(read(body)))?;
        Ok(routes.into_iter().flatten().filter(|route| route.table == table).collect())
    }

    /// The address that this host would send from to `destination`; none if it knows no way.
    pub fn source_toward(&mut self, destination: IpAddr) -> Result<Option<IpAddr>, NetlinkError> {
        let asked = format_args!("find the route to {destination}");
        match self.ask(&way_to(destination), asked, source) {
            Ok(found) => Ok(found.into_iter().next()),
            Err(error) if error.is_unreachable() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Adds a route. One with the same destination, metric and table is replaced.
    pub fn set_route(&mut self, route: &Route) -> Result<(), NetlinkError> {
        let doing = format_args!("set the route to {} in table {}", route.destination, route.table);
        self.act(set_route(route), doing)
    }

    /// Adds a route after those that there are to the same place: the kernel takes the first IPv4 route, and IPv6 routes by
    /// turns. One that is there already stays as it is.
    ///
    /// So a plugin gives a pod a default route that has one from another plugin.
    pub fn append_route(&mut self, route: &Route) -> Result<(), NetlinkError> {
        let doing = format_args!("add the route to {} to table {}", route.destination, route.table);
        match self.act(append_route(route), doing) {
            Err(error) if error.is_present() => Ok(()),
            added => added,
        }
    }

    /// Deletes a route; true if there was one.
    pub fn delete_route(&mut self, route: &Route) -> Result<bool, NetlinkError> {
        let doing = format_args!("delete the route to {} from table {}", route.destination, route.table);
        unless_absent(self.act(change(RTM_DELROUTE, 0, route), doing))
    }
}

pub(super) fn list_routes() -> Message {
    Message::dump(RTM_GETROUTE).raw(&[0; HEADER])
}

pub(super) fn way_to(destination: IpAddr) -> Message {
    let mut header = [0; HEADER];
    header[0] = family(destination);
    header[1] = IpNet::from(destination).prefix_len();
    Message::act(RTM_GETROUTE, 0).raw(&header).bytes(RTA_DST, &octets(destination))
}

fn source(body: &[u8]) -> Option<IpAddr> {
    Attributes::after(HEADER, body).find(|(number, _)| *number == RTA_PREFSRC).and_then(|(_, it)| address(it))
}

pub(super) fn set_route(route: &Route) -> Message {
    change(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, route)
}

pub(super) fn append_route(route: &Route) -> Message {
    change(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_APPEND, route)
}

fn change(kind: u16, flags: u16, route: &Route) -> Message {
    let Route { destination, gateway, link, table, source, metric, protocol, on_link, scope, metrics } =
        *route;
    let hop_flags = if on_link { RTNH_F_ONLINK } else { 0 };
    let fixed = [
        family(destination.addr()),
        destination.prefix_len(),
        0, // length of a source prefix
        0, // type of service
        0, // the table is in its attribute, which has room for all of them
        protocol,
        scope.unwrap_or_else(|| route.usual_scope()),
        RTN_UNICAST,
    ];
    let mut message = Message::act(kind, flags).raw(&fixed).raw(&hop_flags.to_ne_bytes());
    if destination.prefix_len() > 0 {
        message = message.bytes(RTA_DST, &octets(destination.network()));
    }
    for (attribute, address) in [(RTA_GATEWAY, gateway), (RTA_PREFSRC, source)] {
        if let Some(address) = address {
            message = message.bytes(attribute, &octets(address));
        }
    }
    for (attribute, number) in [(RTA_OIF, link), (RTA_PRIORITY, metric), (RTA_TABLE, Some(table))] {
        if let Some(number) = number {
            message = message.u32(attribute, number);
        }
    }
    metrics.add_to(message, RTA_METRICS)
}

/// The routes in an answer: one for each next hop.
pub(super) fn read(body: &[u8]) -> Vec<Route> {
    let Some(route) = read_route(body) else { return Vec::new() };
    if route.gateway.is_some() || route.link.is_some() {
        return vec![route];
    }
    let several = Attributes::after(HEADER, body).find(|(number, _)| *number == RTA_MULTIPATH);
    let hops =
        several.filter(|_| route.destination.addr().is_ipv6()).map(|(_, hops)| hops).unwrap_or_default();
    // What else is told is told of the first alone (`rt6_fill_node()`).
    let metrics = std::iter::once(route.metrics).chain(std::iter::repeat(RouteMetrics::default()));
    let hops = NextHops(hops).zip(metrics);
    hops.map(|((link, gateway), metrics)| Route { link: Some(link), gateway, metrics, ..route }).collect()
}

fn read_route(body: &[u8]) -> Option<Route> {
    let [family, prefix, _, _, table, protocol, scope, kind] = *body.get(..8)?.first_chunk()?;
    let flags = u32_at(body, 8)?;
    if kind != RTN_UNICAST || flags & RTM_F_CLONED != 0 {
        return None;
    }
    let everything: IpAddr = if family == 2 { [0; 4].into() } else { [0; 16].into() };
    let mut route = Route {
        table: table.into(),
        protocol,
        on_link: flags & RTNH_F_ONLINK != 0,
        ..Route::to(IpNet::new(everything, prefix).ok()?)
    };
    for (number, payload) in Attributes::after(HEADER, body) {
        match number {
            RTA_DST => route.destination = IpNet::new(address(payload)?, prefix).ok()?,
            RTA_GATEWAY => route.gateway = address(payload),
            RTA_OIF => route.link = u32_at(payload, 0),
            RTA_PRIORITY => route.metric = u32_at(payload, 0),
            RTA_PREFSRC => route.source = address(payload),
            RTA_TABLE => route.table = u32_at(payload, 0)?,
            RTA_METRICS => route.metrics = RouteMetrics::read(payload),
            _ => {}
        }
    }
    route.scope = Some(scope).filter(|scope| *scope != route.usual_scope());
    Some(route)
}

/// Links and gateways of a route with several next hops.
struct NextHops<'a>(&'a [u8]);

impl Iterator for NextHops<'_> {
    type Item = (u32, Option<IpAddr>);

    fn next(&mut self) -> Option<Self::Item> {
        let length = usize::from(u16_at(self.0, 0)?);
        let link = u32_at(self.0, 4)?;
        let hop = self.0.get(..length).filter(|hop| hop.len() >= NEXT_HOP)?;
        let gateway = Attributes::after(NEXT_HOP, hop).find(|(number, _)| *number == RTA_GATEWAY);
        self.0 = self.0.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((link, gateway.and_then(|(_, payload)| address(payload))))
    }
}
