//! What makes an object right: one file for each kind, each with `normalise` and `validate`.
//!
//! `normalise` moves deprecated and loose spellings to their canonical place and says so; `validate` finds
//! every error at once, with the field's path. Both are functions of plain data: the webhook server, the
//! command line and the leader call the same ones. Read [`normalise`] and [`validate`] first, then
//! [`FieldError`] and [`Notice`]. What needs other objects (overlap, ownership) asks [`Peers`].

mod addresses;
#[cfg(test)]
mod compatibility;
mod coordinator;
mod finding;
mod glob;
mod in_use;
mod ip_pool;
mod lifecycle;
mod listing;
mod membership;
mod metadata;
mod multus_config;
mod ownership;
mod peers;
#[cfg(test)]
mod properties;
mod reserved_ip;
mod selector;
pub mod settings;
mod shape;
mod spelling;
mod subnet;
pub mod suggest;
mod syntax;
#[cfg(test)]
mod test_cluster;
mod wildcard;

use serde_json::Value;

use crate::api::Kind;
use crate::api::settings::Settings;

pub use finding::{FieldError, FieldErrorKind, Findings, Notice, NoticeKind, strict_errors};
pub use glob::Glob;
pub use membership::{MembershipProblem, Mode, membership_problem, split_groups};
pub use peers::{NadFacts, NetworkFacts, Overlap, Peers, PoolFacts, Shares, SubnetFacts};
pub use shape::{prepare, unknown_fields};
pub use wildcard::Wildcard;

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
pub fn normalise(kind: Kind, object: &mut Value, old: Option<&Value>, context: &Context<'_>) -> Vec<Notice> {
    match kind {
        Kind::Coordinator => coordinator::normalise(object),
        Kind::IpPool => ip_pool::normalise(object, old, context),
        Kind::Subnet => subnet::normalise(object, old, context),
        Kind::ReservedIp => reserved_ip::normalise(object),
        Kind::MultusConfig => multus_config::normalise(object, old),
        Kind::Endpoint => Vec::new(),
    }
}

/// Every error of `object`, and advice that does not refuse it.
///
/// `object` is the new object on create and update and the stored one on delete; `old` is the stored
/// object on update. Values of the wrong type are errors of their own, and the rules see the rest.
#[must_use]
pub fn validate(
    kind: Kind,
    operation: Operation,
    object: &Value,
    old: Option<&Value>,
    context: &Context<'_>,
) -> Findings {
    if operation == Operation::Delete {
        return rules(kind, operation, object, old, context);
    }
    let sound = shape::Sound::of(kind, object);
    let mut findings = rules(kind, operation, &sound.object, old, context);
    sound.without_consequences(&mut findings.errors);
    findings.errors.splice(0..0, sound.errors);
    findings
}

fn rules(
    kind: Kind,
    operation: Operation,
    object: &Value,
    old: Option<&Value>,
    context: &Context<'_>,
) -> Findings {
    match kind {
        Kind::Coordinator => coordinator::validate(operation, object),
        Kind::IpPool => ip_pool::LIFECYCLE.validate(operation, object, old, context),
        Kind::Subnet => subnet::LIFECYCLE.validate(operation, object, old, context),
        Kind::ReservedIp => reserved_ip::LIFECYCLE.validate(operation, object, old, context),
        Kind::MultusConfig => multus_config::validate(operation, object, old, context),
        Kind::Endpoint => Findings::default(),
    }
}

/// Whether an object is being deleted: then it may still lose its finalizers, whatever it says.
fn terminating(object: &Value) -> bool {
    object.pointer("/metadata/deletionTimestamp").is_some_and(Value::is_string)
}
