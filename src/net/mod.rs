//! Addresses as numbers: families, ranges and interval sets over `u128`.
//!
//! Nothing here ever walks address by address: `10.0.0.0/8` and a /64 cost what a /24 costs. A text is parsed
//! once, at the edge, with the strictness of Go's `net.ParseIP` (what other components of a cluster can read);
//! after that a wrong value cannot exist. [`crate::rules`] and address allocation call this folder; it calls
//! nothing of ours. Read [`RangeSet`] first; a [`Range`] is one interval of it, a [`Subnet`] a range with a
//! prefix length.

mod address;
mod family;
mod intervals;
mod range;
mod range_set;
mod subnet;

pub use address::{Address, AddressError, AddressFlaw};
pub use family::Family;
pub use intervals::Intervals;
pub use range::{Range, RangeError};
pub use range_set::RangeSet;
pub use subnet::{Subnet, SubnetError};
