//! What `/readyz` answers: named conditions that any part of the process sets.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use arc_swap::ArcSwap;

/// The server listens and TLS is set up.
pub const TLS: &str = "tls";
/// A certificate is loaded and valid now.
pub const CERTIFICATE: &str = "certificate";
/// The first complete view of the cluster (or directory) has been compiled.
pub const CATALOG: &str = "catalog";
/// The configuration that is at hand is the one in force. Shown, but never in the way of readiness.
pub const CONFIGURATION: &str = "configuration";
/// The agent's socket is open.
pub const SOCKET: &str = "socket";
/// The agent knows the pods and endpoints of its node.
pub const CACHES: &str = "caches";
/// False from the moment the process was told to stop.
pub const NOT_DRAINING: &str = "not-draining";

/// The conditions of one process; cloning shares them.
#[derive(Clone, Debug, Default)]
pub struct Health(Arc<ArcSwap<BTreeMap<&'static str, Condition>>>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Condition {
    holds: bool,
    required: bool,
    detail: String,
}

impl Health {
    /// Starts with the given conditions required and not yet true, so that nobody is ready by omission.
    #[must_use]
    pub fn requiring(names: &[&'static str]) -> Self {
        let health = Self::default();
        for name in names {
            health.set(name, false, "not yet");
        }
        health
    }

    /// Sets a condition that readiness depends on. `detail` is shown to people.
    pub fn set(&self, name: &'static str, holds: bool, detail: impl Into<String>) {
        self.put(name, &Condition { holds, required: true, detail: detail.into() });
    }

    /// Sets a condition that is shown but does not keep the process from being ready.
    pub fn note(&self, name: &'static str, holds: bool, detail: impl Into<String>) {
        self.put(name, &Condition { holds, required: false, detail: detail.into() });
    }

    /// Says that the process is on its way out; there is no way back.
    pub fn start_draining(&self) {
        self.set(NOT_DRAINING, false, "told to stop; requests are still answered");
    }

    /// Whether the process is on its way out.
    #[must_use]
    pub fn draining(&self) -> bool {
        self.0.load().get(NOT_DRAINING).is_some_and(|condition| !condition.holds)
    }

    /// Whether every required condition holds.
    #[must_use]
    pub fn ready(&self) -> bool {
        self.0.load().values().all(|condition| condition.holds || !condition.required)
    }

    /// One line for each condition, in the manner of the API server's own `/readyz?verbose`.
    #[must_use]
    pub fn report(&self) -> String {
        let mut text = String::new();
        for (name, condition) in self.0.load().iter() {
            let (mark, word) = match (condition.holds, condition.required) {
                (true, _) => ('+', "ok"),
                (false, true) => ('-', "failed"),
                (false, false) => ('!', "warning"),
            };
            // Writing into a String cannot fail.
            let _ = write!(text, "[{mark}]{name} {word}");
            if !condition.detail.is_empty() {
                let _ = write!(text, ": {}", condition.detail);
            }
            text.push('\n');
        }
        text.push_str(if self.ready() { "readyz check passed\n" } else { "readyz check failed\n" });
        text
    }

    fn put(&self, name: &'static str, condition: &Condition) {
        self.0.rcu(|conditions| {
            let mut conditions = BTreeMap::clone(conditions);
            conditions.insert(name, condition.clone());
            conditions
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_when_every_required_condition_holds() {
        let health = Health::requiring(&[TLS, CATALOG]);
        assert!(!health.ready());
        health.set(TLS, true, "listening");
        assert!(!health.ready());
        health.set(CATALOG, true, "");
        assert!(health.ready());
        health.note(CONFIGURATION, false, "conf.yml: 1 error; the last good one is in force");
        assert!(health.ready(), "a refused configuration does not stop the server");
        health.start_draining();
        assert!(health.draining());
        assert!(!health.ready());
    }

    #[test]
    fn the_report_names_each_condition() {
        let health = Health::requiring(&[CATALOG]);
        health.set(TLS, true, "listening on 127.0.0.1:5722");
        health.note(CONFIGURATION, false, "refused");
        assert_eq!(
            health.report(),
            "[-]catalog failed: not yet\n\
             [!]configuration warning: refused\n\
             [+]tls ok: listening on 127.0.0.1:5722\n\
             readyz check failed\n"
        );
    }
}
