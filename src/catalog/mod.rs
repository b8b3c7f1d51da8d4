//! The view of the cluster that admission decides on: immutable once compiled, swapped as a whole.
//!
//! [`Objects`] collects what a source delivers (a watch or a directory), [`Catalog::compile`] turns it into
//! indexes. Nothing here does I/O; read [`Catalog`] first.

mod assemble;
mod compile;
mod groups;
mod natural;
mod objects;
mod scope;

pub use assemble::{Assembler, ConfigState};
pub use compile::{Catalog, Counts, Identity, Problem};
pub use groups::{Group, Member};
pub use natural::natural_cmp;
pub use objects::{BadObject, ConfigText, NamespaceFacts, Network, ObjectKey, Objects};
pub use scope::{SYSTEM_NAMESPACES, Scope};

pub use crate::rules::{Glob, Mode, split_groups};
