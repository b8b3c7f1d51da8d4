//! The kernel's view of links and addresses, by blocking netlink.
//!
//! [`Socket`] speaks to the network namespace that it was opened in, wherever its thread goes afterwards. Operations are
//! its methods, one file for each object of the kernel; [`Message`] and [`Attributes`] are the bytes. Replies are read
//! attribute by attribute: what a newer kernel adds is passed over, and nothing depends on the size of its structures.
//! [`Monitor`] tells that something changed, not what.

mod addresses;
mod codec;
mod error;
mod links;
mod monitor;
mod socket;
#[cfg(test)]
mod tests;

pub use addresses::InterfaceAddress;
pub use codec::{Attributes, Message};
pub use error::{NetlinkError, Refusal};
pub use links::Link;
pub use monitor::Monitor;
pub use socket::{Protocol, Socket};
