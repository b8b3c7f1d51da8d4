use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Serialize;

use super::ObservedPod;
use crate::ipam::{LedgerError, Record};
use crate::net::Address;

/// Something that does not agree.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// What is wrong.
    pub kind: FindingKind,
    /// The object to look at: `SpiderIPPool gpu1`, or `Pod team/a`.
    pub object: String,
    /// Name of the pool, empty where none is to blame.
    #[serde(skip)]
    pub pool: String,
    /// The address; none where a whole pool is meant.
    pub address: Option<String>,
    /// `namespace/name` of the pod, or of its virtual machine.
    pub pod: Option<String>,
    /// Why it is listed.
    pub reason: String,
    /// What to do about it.
    pub next: String,
    /// What mends it, where two reads that agree prove that.
    #[serde(skip)]
    pub repair: Option<Repair>,
}

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FindingKind {
    /// A record of a pod that is gone or has ended.
    Leaked,
    /// A pod has an address that no pool records.
    InUseUnrecorded,
    /// Two pools recorded one address, or two pods have it.
    Duplicate,
    /// A record of a pod that is gone, while its node does not answer.
    Quarantined,
    /// Record, pool and pod do not agree on the node.
    WrongNode,
    /// The records of a pool cannot be read.
    Unreadable,
}

/// A change of one record.
#[derive(Clone, Debug, PartialEq)]
pub enum Repair {
    /// The record goes, if the pod of this UID still has it.
    Release(Address, Arc<str>),
    /// The record is written.
    Record(Address, Record),
}

/// The pool that should have a record.
pub(super) struct Home {
    pub(super) pool: String,
    /// Whether it would hand the address out.
    pub(super) allocatable: bool,
}

impl FindingKind {
    /// As it is printed.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Leaked => "leaked",
            Self::InUseUnrecorded => "in-use-unrecorded",
            Self::Duplicate => "duplicate",
            Self::Quarantined => "quarantined",
            Self::WrongNode => "wrong-node",
            Self::Unreadable => "unreadable",
        }
    }
}

const FIX: &str = "railweave ipam audit --fix";

impl Finding {
    fn of_record(kind: FindingKind, pool: &str, address: Address, record: &Record) -> Self {
        Self {
            kind,
            object: format!("SpiderIPPool {pool}"),
            pool: pool.to_owned(),
            address: Some(address.to_string()),
            pod: Some(record.pod.to_string()).filter(|pod| !pod.is_empty()),
            reason: String::new(),
            next: String::new(),
            repair: None,
        }
    }

    pub(super) fn unreadable(error: &LedgerError) -> Self {
        let LedgerError { pool, reason } = error;
        Self {
            kind: FindingKind::Unreadable,
            object: format!("SpiderIPPool {pool}"),
            pool: pool.clone(),
            address: None,
            pod: None,
            reason: format!(
                "status.allocatedIPs cannot be read: {reason}; nothing is allocated from the pool"
            ),
            next: format!("kubectl edit spiderippool {pool} --subresource=status"),
            repair: None,
        }
    }

    pub(super) fn leaked(pool: &str, address: Address, record: &Record, ended: bool) -> Self {
        let finding = Self::of_record(FindingKind::Leaked, pool, address, record);
        if record.pod_uid.is_empty() {
            return Self {
                reason: "the record names no UID, so no pod can prove that it has the address".to_owned(),
                next: format!(
                    "if nobody has it, remove it: kubectl edit spiderippool {pool} --subresource=status"
                ),
                ..finding
            };
        }
        let what = if ended { "the pod has ended" } else { "no pod has that UID any more" };
        Self {
            reason: format!("{what} (UID {})", record.pod_uid),
            next: format!("the leader releases it within two minutes; if it is still there then: {FIX}"),
            repair: Some(Repair::Release(address, record.pod_uid.clone())),
            ..finding
        }
    }

    pub(super) fn quarantined(pool: &str, address: Address, record: &Record, node: &str) -> Self {
        Self {
            reason: format!(
                "the pod is gone or has ended, but node {node} is not ready: it may run on there"
            ),
            next: format!("the leader releases it once node {node} is ready again, or deleted"),
            ..Self::of_record(FindingKind::Quarantined, pool, address, record)
        }
    }

    pub(super) fn other_node_recorded(
        pool: &str,
        address: Address,
        record: &Record,
        pod: &ObservedPod,
        named: &str,
    ) -> Self {
        Self {
            reason: format!("the record names node {named}, the pod runs on {}", pod.node),
            next: FIX.to_owned(),
            repair: Some(Repair::Record(address, record.clone().on(&pod.node))),
            ..Self::of_record(FindingKind::WrongNode, pool, address, record)
        }
    }

    pub(super) fn wrong_pool(pool: &str, address: Address, record: &Record, pod: &ObservedPod) -> Self {
        Self {
            reason: format!("nodeName or nodeAffinity of the pool leaves out node {} of the pod", pod.node),
            next: format!("delete pod {}, so that the next one gets an address of its node", pod.key),
            ..Self::of_record(FindingKind::WrongNode, pool, address, record)
        }
    }

    pub(super) fn duplicate(address: Address, claims: &BTreeSet<String>) -> Self {
        let claims: Vec<&str> = claims.iter().map(String::as_str).collect();
        Self {
            kind: FindingKind::Duplicate,
            object: "-".to_owned(),
            pool: String::new(),
            address: Some(address.to_string()),
            pod: None,
            reason: format!("claimed by {}", claims.join(" and ")),
            next: "delete the younger pod; where one record is listed as leaked, release that".to_owned(),
            repair: None,
        }
    }

    /// `recorded_for`: a pod that does not run; `alone`: nobody else can be using the address.
    pub(super) fn unrecorded(
        home: &Home,
        address: Address,
        record: Record,
        said_by: &str,
        recorded_for: Option<&str>,
        alone: bool,
    ) -> Self {
        let Home { pool, allocatable } = home;
        let instead = match recorded_for {
            Some(pod) => format!("it is recorded for {pod}, which does not run"),
            None => "no pool records that".to_owned(),
        };
        let reason = format!("the pod's {said_by} says that it has it, and {instead}");
        let finding = Self {
            reason,
            next: format!("delete pod {} before another one gets the address", record.pod),
            ..Self::of_record(FindingKind::InUseUnrecorded, pool, address, &record)
        };
        if *allocatable && alone {
            Self { next: FIX.to_owned(), repair: Some(Repair::Record(address, record)), ..finding }
        } else {
            finding
        }
    }
}
