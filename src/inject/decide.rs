use super::decision::{Decision, Outcome, Skip};
use super::pod_view::PodView;
use super::trace::Trace;
use crate::catalog::Catalog;
use crate::reason::Reason;

/// A pod that is about to be created.
#[derive(Clone, Debug)]
pub struct PodRequest<'a> {
    /// Namespace of the request; the pod's own may be absent.
    pub namespace: &'a str,
    /// The pod.
    pub pod: PodView<'a>,
}

/// Says what happens to the pod, and why.
pub fn decide<'c>(_request: &PodRequest<'_>, _catalog: &'c Catalog, _trace: &mut impl Trace) -> Outcome<'c> {
    Outcome { decision: Decision::Skip(Skip { reason: Reason::NotOptedIn }), warnings: Vec::new() }
}
