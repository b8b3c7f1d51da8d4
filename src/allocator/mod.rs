//! Records and endpoints in the API server: what [`crate::ipam`] plans is written here, and nowhere else.
//!
//! The truth is `status.allocatedIPs` of the pools. [`Books`] mirrors it and writes it, one write for each touched
//! pool however many pods wait, each fenced by the pool's `resourceVersion`; after a write that lost, the pool is read
//! again before anything is planned with it. The numbers beside the records are written with them. [`deliver`] writes
//! the endpoint that tells a pod's node what it got. Everything here can stop between any two writes: what was
//! recorded is found again by the pod's UID.

mod books;
mod counts;
mod edit;
mod endpoints;
mod nodes;
mod pods;
mod reserved;

pub use books::{Books, Written};
pub use edit::Edit;
pub use endpoints::{Delivered, EndpointFacts, amend, deliver};
pub use nodes::NodeState;
pub use pods::PodFacts;
pub use reserved::reserved_addresses;
