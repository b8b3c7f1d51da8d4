use crate::catalog::Member;
use crate::reason::Reason;

/// A decision and what a person should know about it.
#[derive(Clone, Debug)]
pub struct Outcome<'c> {
    /// What happens to the pod.
    pub decision: Decision<'c>,
    /// Admission warnings.
    pub warnings: Vec<String>,
}

/// What happens to a pod.
#[derive(Clone, Debug)]
pub enum Decision<'c> {
    /// It stays as it is.
    Skip(Skip),
    /// It gets networks and resources.
    Inject(Plan<'c>),
    /// It is refused.
    Deny(Denial),
}

/// Why a pod stays as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skip {
    /// The code.
    pub reason: Reason,
}

/// Why a pod is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// The code.
    pub reason: Reason,
    /// Names the pod, the key, the value, what is wrong and the next command to run; without the code.
    pub message: String,
}

/// What a pod gets; [`super::patch`] turns it into the difference to what the pod has.
#[derive(Clone, Debug)]
pub struct Plan<'c> {
    /// Networks of the groups, in the order of rails.
    pub members: Vec<&'c Member>,
    /// Value of the networks annotation: a JSON list.
    pub networks: String,
    /// Number of entries in `networks`.
    pub rails: usize,
    /// Value of [`crate::api::keys::INJECTED`]: the groups joined and the number of networks.
    pub injected: String,
    /// Index of the container that gets the resources.
    pub container: usize,
    /// Resources to raise on that container, with the quantity it has afterwards.
    pub resources: Vec<(&'c str, u64)>,
    /// Annotations to remove.
    pub cleared: Vec<&'static str>,
}

impl Outcome<'_> {
    /// The code of the decision.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match &self.decision {
            Decision::Skip(skip) => skip.reason,
            Decision::Inject(_) => Reason::Injected,
            Decision::Deny(denial) => denial.reason,
        }
    }
}
