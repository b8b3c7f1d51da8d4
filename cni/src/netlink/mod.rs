//! Links, addresses, routes, rules and neighbours of the kernel, by blocking netlink.
//!
//! [`Socket`] speaks to the network namespace that it was opened in, wherever its thread goes afterwards. Operations are
//! its methods, one file for each object of the kernel; [`Message`] and [`Attributes`] are the bytes. Replies are read
//! attribute by attribute: what a newer kernel adds is passed over, and nothing depends on the size of its structures.
//! [`Namespace`] is where to open one. [`Monitor`] tells that something changed, not what.

mod addresses;
mod change_links;
mod codec;
mod connection_marks;
mod error;
mod links;
mod make_links;
mod monitor;
mod namespace;
mod neighbours;
mod route_metrics;
mod routes;
mod rules;
mod socket;
mod stacked_links;
#[cfg(test)]
mod tests;
mod virtual_functions;

pub use addresses::InterfaceAddress;
pub use codec::{Attributes, Message};
pub(crate) use codec::{text, u32_at, u64_at};
pub use error::{NetlinkError, Refusal};
pub use links::Link;
pub use make_links::VethPair;
pub use monitor::Monitor;
pub use namespace::{Namespace, NamespaceError};
pub use neighbours::Neighbour;
pub use route_metrics::RouteMetrics;
pub use routes::{MAIN_TABLE, Route};
pub use rules::Rule;
pub use socket::{Protocol, Socket};
pub use stacked_links::{BondSetting, BondValue, Stacked};
pub use virtual_functions::{VfLinkState, VfSetting, VirtualFunction, Vlan, VlanProtocol};
