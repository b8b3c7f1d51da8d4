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
/// The pod beats the namespace whichever key it uses; an annotation beats the label of the same key. A namespace's
/// key without a value names nothing, as [`namespace_opts_in`] has it: its pods did not write it.
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
        };
        let value = value.filter(|value| !value.trim().is_empty())?;
        Some(OptIn { source: Source::Namespace, mode, value })
    })
}

/// Whether one of a namespace's inject keys names a group. `value` gives the annotation of a key, else its label.
pub fn namespace_opts_in<'a>(value: impl Fn(&'static str) -> Option<&'a str>) -> bool {
    Mode::ALL.into_iter().filter_map(|mode| value(mode.key())).any(|value| {
        let value = value.trim();
        !value.is_empty() && !keys::OPT_OUT.contains(&value)
    })
}

#[cfg(test)]
mod namespace_tests {
    use super::*;

    #[test]
    fn a_namespace_opts_in_with_the_name_of_a_group() {
        let cases = [
            ([None, None], false),
            ([Some("rails"), None], true),
            ([None, Some("rails")], true),
            ([Some("none"), None], false),
            ([Some(" disabled "), None], false),
            ([Some(""), None], false),
            ([Some("none"), Some("rails")], true),
        ];
        for ([rdma, network], expected) in cases {
            let value = |key| if key == keys::RDMA_INJECT { rdma } else { network };
            assert_eq!(namespace_opts_in(value), expected, "{rdma:?} {network:?}");
        }
    }
}
