//! Generated manifests, rendered as text: what `railweave manifests` prints and the repository commits.
//!
//! Each renderer is a pure function without arguments or of plain options, and gives the same bytes every
//! time, so that a test can compare what is committed with what would be generated. Read [`crds`] first.

mod crds;
mod rbac;

pub use crds::{Manifest, RenderError, crd, crds};
pub use rbac::{RbacOptions, rbac};
