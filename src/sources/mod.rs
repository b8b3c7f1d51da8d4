//! Where objects come from: [`cluster`] watches an API server and keeps the [`crate::catalog::Catalog`] up to
//! date, [`Directory`] reads manifests from files, for every verb that works without a cluster. Nothing here
//! decides anything; what an object means is the catalog's business.

mod backoff;
pub mod cluster;
mod describe;
mod directory;
mod manifest;
mod mirror;
mod pages;

pub use backoff::{Backoff, jitter, spread};
pub use describe::describe;
pub use directory::{Directory, DirectoryError, View, assemble};
pub use manifest::{FileProblem, Group, Manifest, default_namespace, is_config, read_manifests};
pub(crate) use mirror::{Mirror, follow};
pub(crate) use pages::{FEW, each};
