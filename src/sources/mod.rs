//! Where objects come from: [`cluster`] watches an API server and keeps the [`crate::catalog::Catalog`] up to
//! date. Nothing here decides anything; what an object means is the catalog's business.

mod backoff;
pub mod cluster;

pub use backoff::{Backoff, jitter};
