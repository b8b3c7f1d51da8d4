use super::pod_view::PodView;
use crate::api::keys;
use crate::catalog::{Mode, NamespaceFacts};

/// Where an inject key was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    PodAnnotation,
    PodLabel,
    Namespace,
}

impl Source {
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::PodAnnotation => "the pod's annotation",
            Self::PodLabel => "the pod's label",
            Self::Namespace => "the namespace's key",
        }
    }
}

/// One inject key with its value.
#[derive(Clone, Copy, Debug)]
pub(super) struct OptIn<'a> {
    pub source: Source,
    pub mode: Mode,
    pub value: &'a str,
}

impl OptIn<'_> {
    pub(super) fn opts_out(&self) -> bool {
        keys::OPT_OUT.contains(&self.value.trim())
    }
}

/// The keys that speak for a pod, at most one for each mode: its own if it has any, else its namespace's.
///
/// The pod beats the namespace whichever key it uses; an annotation beats the label of the same key.
pub(super) fn opt_ins<'a>(
    pod: &'a PodView<'_>,
    namespace: Option<&'a NamespaceFacts>,
) -> [Option<OptIn<'a>>; 2] {
    let of_pod = Mode::ALL.map(|mode| {
        let key = mode.key();
        let annotation =
            pod.annotation(key).map(|value| OptIn { source: Source::PodAnnotation, mode, value });
        annotation.or_else(|| pod.label(key).map(|value| OptIn { source: Source::PodLabel, mode, value }))
    });
    if of_pod.iter().any(Option::is_some) {
        return of_pod;
    }
    Mode::ALL.map(|mode| {
        let facts = namespace?;
        let value = match mode {
            Mode::Rdma => facts.rdma.as_deref(),
            Mode::Network => facts.network.as_deref(),
        }?;
        Some(OptIn { source: Source::Namespace, mode, value })
    })
}
