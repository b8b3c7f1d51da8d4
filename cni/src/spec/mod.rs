//! What a runtime asks of a CNI plugin and what it is answered, by the CNI specification 1.1 and its versions from 0.3.0.
//!
//! [`Call`] is the question: environment and standard input, validated. [`Answer`] is a result in its newest form, read
//! from and written in any version. [`CniError`] is what is printed instead. Nothing here touches the node; everything in
//! `plugins` may call it. Read [`Call`] first.

mod answer;
mod answer_json;
mod args;
mod call;
mod error;
#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;
mod version;

pub use answer::{Answer, Dns, Interface, Ip, Route};
pub use args::Args;
pub use call::{Attachment, Call, Command};
pub use error::CniError;
pub use version::Version;
