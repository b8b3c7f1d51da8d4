use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::batch::Batch;
use super::candidates::Families;
use super::facts::NodeFacts;
use super::failure::Failure;
use super::intent::Intent;
use super::ledgers::{Held, Ledgers};
use super::pools::Pools;
use super::record::{Record, Writer};
use super::shelf::Cap;
use crate::api::{AllocationDetail, SpiderEndpointStatus, WorkloadAllocation};
use crate::net::Address;

/// Addresses that were just released, by pool: handed out again only when the pool has no other.
pub type Quarantine = HashMap<String, BTreeSet<Address>>;

/// Everything that a plan depends on besides the pods.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// The pools.
    pub pools: &'a Pools,
    /// Who has which address.
    pub ledgers: &'a Ledgers,
    /// What the agents found, by node.
    pub nodes: &'a HashMap<String, NodeFacts>,
    /// Addresses that were just released.
    pub quarantine: &'a Quarantine,
    /// Families in use.
    pub families: Families,
    /// How many records a pool may hold.
    pub cap: Cap,
    /// Who asks, and writes what is planned.
    pub writer: Writer,
}

/// What to write for a batch of pods.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BatchPlan {
    /// Records to write, by pool.
    pub changes: BTreeMap<Arc<str>, Vec<Change>>,
    /// What each pod gets, in the order of the intents.
    pub outcomes: Vec<Outcome>,
}

/// One record to write.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The address.
    pub address: Address,
    /// The record, which replaces the address's present one if there is any.
    pub record: Record,
    /// Which intent it is for.
    pub intent: usize,
    /// Whether the address has a record of an earlier pod, to whose successors it belongs.
    pub inherited: bool,
}

/// What one pod gets.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Addresses on all rails that can be planned now.
    Planned(Allocation),
    /// Nothing.
    Failed(Failure),
}

/// The addresses of one pod.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Allocation {
    /// What the endpoint says: one entry for each interface.
    pub details: Vec<AllocationDetail>,
    /// Interfaces that are planned at attach time.
    pub deferred: Vec<Deferred>,
    /// Records of the pod, or of earlier ones of its name, that it has no use for; releasing them needs proof that
    /// nobody else has.
    pub superseded: Vec<Held>,
    /// What could not be done as the pod asks.
    pub warnings: Vec<String>,
}

/// An interface whose pool depends on the device it is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deferred {
    /// The interface.
    pub interface: Arc<str>,
    /// Why it is not planned now.
    pub why: String,
}

/// Plans addresses for all interfaces of all pods.
///
/// A pod gets addresses on all its rails and in all its families, or none; a pod that gets none leaves no trace in
/// the plan. Earlier intents come first; pods whose demands can all be met together are all served, in whatever order
/// they stand. The same input gives the same plan.
#[must_use]
pub fn plan(inputs: &Inputs<'_>, intents: &[Intent]) -> BatchPlan {
    Batch::new(*inputs, intents).plan()
}

impl Allocation {
    /// `status` of the endpoint.
    #[must_use]
    pub fn status(&self, intent: &Intent) -> SpiderEndpointStatus {
        let owner = intent.owner.as_ref();
        SpiderEndpointStatus {
            current: WorkloadAllocation {
                uid: intent.uid.to_string(),
                node: intent.node.name.clone(),
                ips: self.details.clone(),
            },
            owner_controller_type: owner.map_or_else(|| "Pod".to_owned(), |owner| owner.kind.clone()),
            owner_controller_name: owner.map_or_else(|| intent.name.clone(), |owner| owner.name.clone()),
        }
    }
}
