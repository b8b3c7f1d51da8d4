//! What happens to a pod: a pure function of the pod and the catalog.
//!
//! [`PodView`] borrows the few fields that matter from the request body, [`decide`] says what happens and
//! why, [`patch`] writes the JSON patch. The webhook server, `inject` and `explain` call exactly these.

mod decide;
mod decision;
mod messages;
mod networks;
mod opt_in;
mod patch;
mod pod_view;
mod quantity;
mod trace;

#[cfg(test)]
mod tests;

pub use decide::{PodRequest, decide};
pub use decision::{Decision, Denial, Outcome, Plan, Skip};
pub use opt_in::namespace_opts_in;
pub use patch::{patch, skipped_patch};
pub use pod_view::{ContainerView, PodView, ResourcesView};
pub use trace::{Silent, Step, Trace};
