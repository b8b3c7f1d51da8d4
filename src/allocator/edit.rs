use std::sync::Arc;

use crate::ipam::{Ledger, Record, Writer};
use crate::net::Address;

/// A change of one record.
#[derive(Clone, Debug, PartialEq)]
pub enum Edit {
    /// The address belongs to this record's pod.
    Set(Address, Record),
    /// The address is free again, if the pod of this UID still has it.
    Release(Address, Arc<str>),
    /// The same, if the record is still in this writer's charge: the pod lives, and another may have gone on with it.
    GiveUp(Address, Arc<str>, Writer),
}

impl Edit {
    pub(super) fn apply(&self, ledger: &mut Ledger) {
        match self {
            Self::Set(address, record) => {
                ledger.set(*address, record.clone());
            }
            Self::Release(address, _) | Self::GiveUp(address, ..) => {
                if ledger.get(*address).is_some_and(|record| self.frees(record)) {
                    ledger.remove(*address);
                }
            }
        }
    }

    /// Whether it takes this record away.
    pub(super) fn frees(&self, record: &Record) -> bool {
        match self {
            Self::Set(..) => false,
            Self::Release(_, uid) => record.pod_uid == *uid,
            Self::GiveUp(_, uid, writer) => record.pod_uid == *uid && record.writer == *writer,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(uid: &str) -> Record {
        Record::new("team/a".into(), uid.into(), "net1".into())
    }

    #[test]
    fn an_address_is_released_only_for_the_pod_that_was_proven_to_be_gone() {
        let address: Address = "10.0.0.1".parse().unwrap();
        let mut ledger = Ledger::default();
        Edit::Set(address, record("old")).apply(&mut ledger);
        Edit::Release(address, "other".into()).apply(&mut ledger);
        assert_eq!(ledger.get(address), Some(&record("old")));
        Edit::Release(address, "old".into()).apply(&mut ledger);
        assert_eq!(ledger.get(address), None);
    }

    #[test]
    fn a_record_that_the_other_writer_goes_on_with_is_not_given_up() {
        let address: Address = "10.0.0.1".parse().unwrap();
        let mut ledger = Ledger::default();
        Edit::Set(address, record("p").by(Writer::Agent)).apply(&mut ledger);
        Edit::Set(address, record("p").by(Writer::Leader)).apply(&mut ledger);
        Edit::GiveUp(address, "p".into(), Writer::Agent).apply(&mut ledger);
        assert_eq!(ledger.get(address), Some(&record("p")));
        Edit::GiveUp(address, "p".into(), Writer::Leader).apply(&mut ledger);
        assert_eq!(ledger.get(address), None);
    }
}
