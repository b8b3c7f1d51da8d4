use std::collections::HashMap;
use std::sync::Arc;

use super::facts::{Master, NodeFacts};
use super::intent::{Attachment, Intent};
use super::pool::Pool;
use crate::net::Address;

/// Which physical functions an interface may come from, as far as its pools depend on it.
#[derive(Clone, Debug)]
pub(super) enum Masters<'a> {
    /// The network does not ask.
    Any,
    /// It is known, or all of them have to agree.
    OneOf(Vec<&'a [Address]>),
    /// Nobody knows before the interface is attached; the text says why.
    Unknown(String),
}

impl<'a> Masters<'a> {
    /// What is known before the interface is attached; at attach time, the device that was given decides.
    pub(super) fn of(
        attachment: &'a Attachment,
        intent: &Intent,
        nodes: &'a HashMap<String, NodeFacts>,
    ) -> Self {
        if !attachment.match_master {
            return Self::Any;
        }
        if let Some(addresses) = &attachment.master {
            return Self::OneOf(vec![addresses]);
        }
        let node = &intent.node.name;
        let Some(resource) = &attachment.resource else {
            return Self::Unknown(
                "the network names no resource, so its physical function shows at attach time".into(),
            );
        };
        let Some(facts) = nodes.get(node) else {
            return Self::Unknown(format!(
                "node {node} has no RailNode yet, so its physical functions are not known"
            ));
        };
        let masters: &[Arc<Master>] = facts.masters(resource);
        if masters.is_empty() {
            return Self::Unknown(format!("RailNode {node} names no physical function behind {resource}"));
        }
        Self::OneOf(masters.iter().map(|master| master.addresses.as_slice()).collect())
    }
}

/// Whether the pool's subnet holds one of the addresses.
pub(super) fn holds(pool: &Pool, addresses: &[Address]) -> bool {
    addresses.iter().any(|address| pool.subnet.contains(*address))
}
