use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How far the watches are, for readiness and its explanation.
#[derive(Debug, Default)]
pub struct Progress {
    kinds: Mutex<BTreeMap<&'static str, State>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct State {
    /// The first list was complete, or the kind does not exist and need not.
    listed: bool,
    /// Why the last request failed; cleared by the next that works.
    trouble: Option<String>,
}

impl Progress {
    /// Whether every kind has been listed once.
    #[must_use]
    pub fn synced(&self) -> bool {
        self.lock().values().all(|state| state.listed)
    }

    /// Kinds whose watch does not work now, and why; what they delivered before stays in the catalog.
    #[must_use]
    pub fn troubles(&self) -> Vec<(&'static str, String)> {
        let kinds = self.lock();
        let troubled = kinds.iter().filter(|(_, state)| state.listed);
        troubled.filter_map(|(kind, state)| Some((*kind, state.trouble.clone()?))).collect()
    }

    /// What keeps the catalog from being complete, in one sentence; none when it is.
    #[must_use]
    pub fn missing(&self) -> Option<String> {
        let reason = |state: &State| state.trouble.clone().unwrap_or_else(|| "not listed yet".to_owned());
        let kinds = self.lock();
        let missing = kinds.iter().filter(|(_, state)| !state.listed);
        let missing: Vec<String> =
            missing.map(|(kind, state)| format!("{kind}: {}", reason(state))).collect();
        (!missing.is_empty()).then(|| missing.join("; "))
    }

    pub(super) fn expect(&self, kind: &'static str) {
        self.lock().insert(kind, State { listed: false, trouble: None });
    }

    pub(super) fn listed(&self, kind: &'static str) {
        self.lock().insert(kind, State { listed: true, trouble: None });
    }

    /// Notes that there is nothing to list, and that this is no obstacle.
    pub(super) fn absent(&self, kind: &'static str) {
        if let Some(state) = self.lock().get_mut(kind) {
            state.listed = true;
        }
    }

    /// Notes a failed request; returns whether that is news.
    pub(super) fn failed(&self, kind: &'static str, why: &str) -> bool {
        let mut kinds = self.lock();
        let state = kinds.entry(kind).or_insert(State { listed: false, trouble: None });
        let news = state.trouble.as_deref() != Some(why);
        state.trouble = Some(why.to_owned());
        news
    }

    /// Notes that the watch works again.
    pub(super) fn works(&self, kind: &'static str) {
        if let Some(state) = self.lock().get_mut(kind) {
            state.trouble = None;
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<&'static str, State>> {
        self.kinds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_kinds_must_be_listed_once_and_trouble_after_that_keeps_it_so() {
        let progress = Progress::default();
        progress.expect("Namespace");
        progress.expect("SpiderIPPool");
        assert_eq!(
            progress.missing().as_deref(),
            Some("Namespace: not listed yet; SpiderIPPool: not listed yet")
        );
        progress.listed("Namespace");
        assert!(progress.failed("SpiderIPPool", "the CRD is not installed"));
        assert!(!progress.failed("SpiderIPPool", "the CRD is not installed"));
        assert_eq!(progress.missing().as_deref(), Some("SpiderIPPool: the CRD is not installed"));
        assert!(!progress.synced());
        progress.listed("SpiderIPPool");
        assert!(progress.synced());
        progress.failed("SpiderIPPool", "connection refused");
        assert!(progress.synced());
        assert_eq!(progress.missing(), None);
        assert_eq!(progress.troubles(), [("SpiderIPPool", "connection refused".to_owned())]);
        progress.works("SpiderIPPool");
        assert_eq!(progress.troubles(), []);
    }

    #[test]
    fn a_kind_that_may_be_absent_does_not_hold_the_others_up() {
        let progress = Progress::default();
        progress.expect("NetworkAttachmentDefinition");
        progress.failed("NetworkAttachmentDefinition", "the CRD is not installed");
        assert!(!progress.synced());
        progress.absent("NetworkAttachmentDefinition");
        assert!(progress.synced());
    }
}
