//! Which pod gets which address: pure functions over pools, records, node facts and pods.
//!
//! [`plan`] is the whole of it: all rails of a pod or none, for a batch of pods at once. The leader's allocator, the
//! agent's fallback and `explain` call the same function. Read [`Intent`] and [`BatchPlan`] first, then
//! [`Pools`] (what may be handed out, and to whom) and [`Ledger`] (what has been handed out). Who may draw from which
//! pool is decided in `candidates`, `filter` and `match_master`; how demands share pools in `assign`; which address in
//! `shelf`; whose records are written first, where there is more than one round can write, in `turn`. Nothing here knows a clock: what is quarantined, or observed at attach time, is given.

mod assign;
mod attachments;
pub mod audit;
mod batch;
mod candidates;
mod capacity;
mod facts;
mod failure;
mod filter;
mod held;
mod intent;
mod layout;
mod ledger;
mod ledgers;
mod match_master;
mod plan;
mod pool;
mod pools;
mod record;
mod refused;
mod routes;
mod selector;
mod shelf;
#[cfg(test)]
mod tests;
mod trace;
mod turn;
mod usage;

pub use attachments::DefaultNetwork;
pub use candidates::Families;
pub use capacity::{End, NodeCapacity, Room, capacity};
pub use facts::{Master, NodeFacts};
pub use failure::{Failure, PoolRefusal, RailFailure};
pub use held::{tells, told};
pub use intent::{Attachment, Holder, Intent, NamespaceView, NodeView, Owner, Stickiness};
pub use layout::{Layout, Misfit, RailSubnet, Wanted};
pub use ledger::{Ledger, LedgerError};
pub use ledgers::{Held, Ledgers};
pub use plan::{Allocation, BatchPlan, Change, Deferred, Inputs, Outcome, Quarantine, plan};
pub use pool::{Edition, Pool};
pub use pools::Pools;
pub use record::{Record, Writer};
pub use selector::Labels;
pub use shelf::Cap;
pub use trace::{FamilyTrace, PoolTrace, RailTrace, trace};
pub use turn::Limits;
pub use usage::{NodeUsage, PoolUsage, node_usage, pool_states, pool_usage};
