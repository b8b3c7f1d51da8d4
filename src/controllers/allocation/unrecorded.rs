//! Addresses that a running pod was told, and that no pool records for it: somebody wrote over the record.
//!
//! The pod runs with the address, so nobody else may get it. Two looks at everything must agree, because watches are
//! not in step. Then an address that is free is recorded again, and one that is recorded for a pod that turns out to
//! be gone is not freed but handed over. One that another running pod has as well is nothing that can be mended here.

use std::collections::HashMap;
use std::sync::Arc;

use super::Edits;
use super::world::lives;
use crate::allocator::{Edit, EndpointFacts, PodFacts};
use crate::ipam::{Held, Ledgers, Record, told};
use crate::sources::Mirror;

/// What the last look found.
#[derive(Default)]
pub(super) struct Unrecorded {
    /// The record that there should be.
    found: HashMap<Held, Record>,
    /// Records to write.
    due: Vec<(Held, Record)>,
    /// Addresses of two running pods, to be told of.
    shared: Vec<Shared>,
}

/// An address of two running pods.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Shared {
    pub(super) held: Held,
    /// UID of the pod that was told the address.
    pub(super) pod_uid: Arc<str>,
    /// `namespace/name` of the pod that it is recorded for.
    pub(super) other: Arc<str>,
}

impl Unrecorded {
    /// Looks at every endpoint of a pod that runs.
    pub(super) fn look(
        &mut self,
        endpoints: &Mirror<EndpointFacts>,
        pods: &Mirror<PodFacts>,
        ledgers: &Ledgers,
    ) {
        let before = std::mem::take(&mut self.found);
        let runs = |uid: &str| lives(pods, uid);
        for (key, endpoint) in endpoints.iter().filter(|(_, endpoint)| runs(&endpoint.uid)) {
            for (interface, held) in told(&endpoint.details) {
                let Some(Ok(ledger)) = ledgers.get(&held.pool) else { continue };
                let present = ledger.get(held.address);
                if present.is_some_and(|record| *record.pod_uid == endpoint.uid) {
                    continue;
                }
                let record = Record::new(key.into(), endpoint.uid.as_str().into(), interface.into());
                let record = record.on(&endpoint.node);
                if before.get(&held) == Some(&record) {
                    match present {
                        None => self.due.push((held.clone(), record.clone())),
                        Some(present) if runs(&present.pod_uid) => self.shared.push(Shared {
                            held: held.clone(),
                            pod_uid: record.pod_uid.clone(),
                            other: present.pod.clone(),
                        }),
                        // Whether that pod is gone is being asked.
                        Some(_) => {}
                    }
                }
                self.found.insert(held, record);
            }
        }
    }

    /// Whether an address of the pod that is gone has been told to another; then that one's record is due.
    pub(super) fn inherit(&mut self, held: &Held, gone: &str) -> bool {
        let Some(record) = self.found.get(held).filter(|record| *record.pod_uid != *gone) else {
            return false;
        };
        self.due.push((held.clone(), record.clone()));
        true
    }

    /// All of them.
    pub(super) fn addresses(&self) -> impl ExactSizeIterator<Item = &Held> {
        self.found.keys()
    }

    /// The records to write, by pool. What cannot be written is found by the next look.
    pub(super) fn take(&mut self) -> Edits {
        let mut edits = Edits::new();
        for (held, record) in self.due.drain(..) {
            edits.entry(held.pool).or_default().push(Edit::Set(held.address, record));
        }
        edits
    }

    /// Addresses of two running pods, since this was asked the last time.
    pub(super) fn take_shared(&mut self) -> Vec<Shared> {
        std::mem::take(&mut self.shared)
    }
}

#[cfg(test)]
mod tests {
    use kube::runtime::watcher::Event;
    use serde_json::json;

    use super::*;
    use crate::ipam::Ledger;

    /// Pods `a` and `b` run with UIDs `uid-a` and `uid-b`; the endpoint of `a` tells 10.0.0.1 of pool `p`.
    struct Cluster {
        endpoints: Mirror<EndpointFacts>,
        pods: Mirror<PodFacts>,
        ledgers: Ledgers,
        unrecorded: Unrecorded,
    }

    impl Cluster {
        fn recording(records: &serde_json::Value) -> Self {
            let (mut endpoints, mut pods) = (Mirror::default(), Mirror::default());
            for name in ["a", "b"] {
                let uid = format!("uid-{name}");
                let pod = PodFacts { uid: uid.as_str().into(), node: "n".into(), ..PodFacts::default() };
                pods.note(Event::Apply((uid, pod)));
            }
            let details = json!([{ "interface": "net1", "ipv4": "10.0.0.1/24", "ipv4Pool": "p" }]);
            let endpoint = EndpointFacts {
                uid: "uid-a".into(),
                node: "n".into(),
                details: serde_json::from_value(details).unwrap(),
                ..EndpointFacts::default()
            };
            endpoints.note(Event::Apply(("team/a".to_owned(), endpoint)));
            let mut ledgers = Ledgers::default();
            ledgers.insert("p", Ledger::parse("p", Some(&records.to_string())));
            Self { endpoints, pods, ledgers, unrecorded: Unrecorded::default() }
        }

        fn look(&mut self) {
            self.unrecorded.look(&self.endpoints, &self.pods, &self.ledgers);
        }

        fn due(&mut self) -> Vec<Edit> {
            self.unrecorded.take().into_values().flatten().collect()
        }
    }

    fn lost() -> Edit {
        let record = Record::new("team/a".into(), "uid-a".into(), "net1".into()).on("n");
        Edit::Set("10.0.0.1".parse().unwrap(), record)
    }

    #[test]
    fn what_two_looks_miss_is_recorded_again() {
        let mut cluster = Cluster::recording(&json!({}));
        cluster.look();
        assert_eq!(cluster.due(), []);
        assert_eq!(cluster.unrecorded.addresses().len(), 1, "avoided from the first look on");
        cluster.look();
        assert_eq!(cluster.due(), [lost()]);

        let mut cluster = Cluster::recording(&json!({ "10.0.0.1": { "pod": "team/a", "podUid": "uid-a" } }));
        cluster.look();
        cluster.look();
        assert_eq!((cluster.due(), cluster.unrecorded.addresses().len()), (Vec::new(), 0));
    }

    #[test]
    fn what_is_recorded_for_a_pod_that_is_gone_is_handed_over_and_not_freed() {
        let mut cluster = Cluster::recording(&json!({ "10.0.0.1": { "pod": "team/x", "podUid": "gone" } }));
        cluster.look();
        cluster.look();
        assert_eq!(cluster.due(), [], "nobody has proven yet that it is gone");
        let held = |address: &str| Held { pool: "p".into(), address: address.parse().unwrap() };
        assert!(!cluster.unrecorded.inherit(&held("10.0.0.2"), "gone"));
        assert!(!cluster.unrecorded.inherit(&held("10.0.0.1"), "uid-a"), "by now the pod is gone itself");
        assert!(cluster.unrecorded.inherit(&held("10.0.0.1"), "gone"));
        assert_eq!(cluster.due(), [lost()]);
    }

    #[test]
    fn an_address_of_two_running_pods_is_told_of_and_left_alone() {
        let mut cluster = Cluster::recording(&json!({ "10.0.0.1": { "pod": "team/b", "podUid": "uid-b" } }));
        cluster.look();
        assert_eq!(cluster.unrecorded.take_shared(), []);
        cluster.look();
        assert_eq!(cluster.due(), []);
        let held = Held { pool: "p".into(), address: "10.0.0.1".parse().unwrap() };
        let shared = Shared { held, pod_uid: "uid-a".into(), other: "team/b".into() };
        assert_eq!(cluster.unrecorded.take_shared(), [shared]);
    }

    #[test]
    fn a_pod_that_has_ended_has_no_claim() {
        let mut cluster = Cluster::recording(&json!({}));
        let ended = PodFacts { finished: true, ..PodFacts::default() };
        cluster.pods.note(Event::Apply(("uid-a".to_owned(), ended)));
        cluster.look();
        cluster.look();
        assert_eq!(cluster.due(), []);
    }
}
