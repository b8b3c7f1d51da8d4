//! From a network to what Multus reads: `SpiderMultusConfig` -> CNI configuration list ->
//! `NetworkAttachmentDefinition`.
//!
//! [`definition`] is the whole of it: a function of the canonical object (older spellings are
//! [`crate::rules::normalise`]'s business). A field that nobody set is left out wherever the plugin has a default of
//! its own or asks the cluster-wide coordinator, so that nothing written here hides those. Plugins are named as the
//! guide's users know them: `sriov`, `ib-sriov`, `rdma`, `coordinator`, `spiderpool`, `ifacer`, `tuning`, ...;
//! `docs/networks.md` lists what each type becomes. Read [`Definition`] first, then `list`.

mod coordinator;
mod definition;
mod interface;
mod list;
mod plugin;
#[cfg(test)]
mod tests;

pub use definition::{Definition, definition, name_of_definition};

/// What keeps a network from being rendered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {detail}")]
pub struct RenderError {
    /// Path from the object's root.
    pub field: String,
    /// What is wrong there, for people.
    pub detail: &'static str,
}

impl RenderError {
    fn new(field: impl Into<String>, detail: &'static str) -> Self {
        Self { field: field.into(), detail }
    }
}
