//! Manifests as text: YAML or JSON in, plain values with their source lines out, and back again.
//!
//! Values mean here what they mean to `kubectl`, or an offline answer would differ from the cluster's:
//! plain scalars are resolved as its YAML reader resolves them ([`scalar`]), and a stream is split where it
//! splits it. Pure: text and values only. Read [`documents`] first.

mod document;
mod lines;
mod parse;
mod scalar;
mod write;

pub use document::{Content, Document, documents};
pub use lines::Lines;
pub use parse::{ReadError, parse};
pub use write::{WriteError, write};
