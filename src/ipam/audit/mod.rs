//! What is wrong with the records of a cluster, and what of that can be mended without asking anybody.
//!
//! [`audit`] compares three things that must agree: the records of the pools, what endpoints and pods say, and which
//! pods and nodes there are. It is given what was read, in that order (endpoints, pools, pods): then a pod that is not
//! there did not have its record before it was created, and an address that no record names was not just released.

mod finding;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

pub use finding::{Finding, FindingKind, Repair};

use super::intent::NodeView;
use super::ledgers::Ledgers;
use super::pools::Pools;
use super::record::Record;
use crate::net::Address;

/// What was read of a cluster.
#[derive(Clone, Copy, Debug)]
pub struct Observed<'a> {
    /// The pools.
    pub pools: &'a Pools,
    /// Their records.
    pub ledgers: &'a Ledgers,
    /// Every pod, whether it was injected or not.
    pub pods: &'a [ObservedPod],
    /// Every endpoint.
    pub endpoints: &'a [ObservedEndpoint],
    /// Every node.
    pub nodes: &'a HashMap<String, ObservedNode>,
    /// `namespace/name` of holders that may come back without a pod: ordinals of a `StatefulSet`, virtual machines.
    pub kept: &'a HashSet<String>,
}

/// What an audit needs of a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObservedPod {
    /// `namespace/name`
    pub key: String,
    /// Whom its records name.
    pub holder: Arc<str>,
    /// `metadata.uid`
    pub uid: Arc<str>,
    /// The node it is bound to, empty before that.
    pub node: String,
    /// Whether its containers have ended for good.
    pub ended: bool,
    /// Interfaces and addresses that Multus reports of it.
    pub reported: Vec<(Arc<str>, Address)>,
}

/// What an audit needs of an endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObservedEndpoint {
    /// `namespace/name`, which is the holder's.
    pub key: Arc<str>,
    /// UID of its pod.
    pub uid: Arc<str>,
    /// Node of its pod.
    pub node: String,
    /// Interface, address and pool.
    pub given: Vec<(Arc<str>, Address, String)>,
}

/// What an audit needs of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObservedNode {
    /// Name and labels.
    pub view: Arc<NodeView>,
    /// Whether its kubelet answers.
    pub ready: bool,
}

/// An address that somebody uses, whatever the records say.
struct Use<'a> {
    holder: &'a Arc<str>,
    pod: &'a ObservedPod,
    interface: &'a Arc<str>,
    address: Address,
    /// Name of the pool that the endpoint names.
    pool: Option<&'a str>,
    /// `endpoint`, `network-status`
    said_by: &'static str,
}

/// Lists everything that does not agree, by pool and address.
#[must_use]
pub fn audit(observed: &Observed<'_>) -> Vec<Finding> {
    let audit = Audit::new(observed);
    let mut findings = Vec::new();
    for (name, _) in observed.pools.iter() {
        match observed.ledgers.get(name) {
            None => {}
            Some(Err(error)) => findings.push(Finding::unreadable(error)),
            Some(Ok(ledger)) => {
                findings
                    .extend(ledger.iter().filter_map(|(address, record)| audit.judge(name, address, record)));
            }
        }
    }
    findings.extend(audit.duplicates());
    findings.extend(audit.unrecorded());
    findings
}

/// The records of pods that are gone while their nodes do not answer, by pool: they wait.
#[must_use]
pub fn held_back(observed: &Observed<'_>) -> BTreeMap<String, usize> {
    let mut held = BTreeMap::new();
    for finding in audit(observed).into_iter().filter(|finding| finding.kind == FindingKind::Quarantined) {
        *held.entry(finding.pool).or_default() += 1;
    }
    held
}

/// What became of the pod of a record.
enum Standing<'a> {
    /// It runs.
    Lives(&'a ObservedPod),
    /// It is gone, and its name can come back.
    MayReturn,
    /// It is gone, and its node, named here, does not answer.
    Waits(&'a str),
    /// It is gone, or has ended and is still there as an object.
    Gone { ended: bool },
}

struct Audit<'a> {
    observed: &'a Observed<'a>,
    /// Pods that are there, by UID.
    pods: HashMap<&'a str, &'a ObservedPod>,
    /// Endpoints by UID of their pods.
    endpoints: HashMap<&'a str, &'a ObservedEndpoint>,
    /// Pools that have a record of an address, with the UID recorded.
    recorded: BTreeMap<Address, Vec<(&'a str, &'a Record)>>,
    uses: Vec<Use<'a>>,
}

impl<'a> Audit<'a> {
    fn new(observed: &'a Observed<'a>) -> Self {
        let pods: HashMap<&str, &ObservedPod> = observed.pods.iter().map(|pod| (&*pod.uid, pod)).collect();
        let mut recorded: BTreeMap<Address, Vec<(&str, &Record)>> = BTreeMap::new();
        for (pool, ledger) in observed.ledgers.iter() {
            for (address, record) in ledger.iter().flat_map(super::Ledger::iter) {
                recorded.entry(address).or_default().push((pool, record));
            }
        }
        for records in recorded.values_mut() {
            records.sort_by_key(|(pool, _)| *pool);
        }
        let endpoints = observed.endpoints.iter().map(|endpoint| (&*endpoint.uid, endpoint)).collect();
        let uses = uses(observed, &pods);
        Self { observed, pods, endpoints, recorded, uses }
    }

    /// What is wrong with one record, if something is.
    fn judge(&self, pool: &str, address: Address, record: &'a Record) -> Option<Finding> {
        match self.standing(record) {
            Standing::Lives(pod) => self.misplaced(pool, address, record, pod),
            Standing::MayReturn => None,
            Standing::Waits(node) => Some(Finding::quarantined(pool, address, record, node)),
            // A pod that runs with the address is to be recorded instead.
            Standing::Gone { .. } if self.is_used_from(pool, address) => None,
            Standing::Gone { ended } => Some(Finding::leaked(pool, address, record, ended)),
        }
    }

    fn standing(&self, record: &'a Record) -> Standing<'a> {
        let pod = self.pods.get(&*record.pod_uid).copied();
        if let Some(pod) = pod.filter(|pod| !pod.ended) {
            return Standing::Lives(pod);
        }
        if self.observed.kept.contains(&*record.pod) {
            return Standing::MayReturn;
        }
        let endpoint = self.endpoints.get(&*record.pod_uid);
        let node = pod.map(|pod| pod.node.as_str());
        let node =
            node.or_else(|| endpoint.map(|endpoint| endpoint.node.as_str())).or(record.node.as_deref());
        match node.filter(|node| self.observed.nodes.get(*node).is_some_and(|node| !node.ready)) {
            Some(node) => Standing::Waits(node),
            None => Standing::Gone { ended: pod.is_some() },
        }
    }

    /// Whether a running pod says that it has the address, of this pool.
    fn is_used_from(&self, pool: &str, address: Address) -> bool {
        let mut uses = self.uses.iter().filter(|used| used.address == address);
        uses.any(|used| self.pool_of(used).is_some_and(|home| home.pool == pool))
    }

    /// A record of a pod that is there: whether pool, record and pod agree on the node.
    fn misplaced(&self, pool: &str, address: Address, record: &Record, pod: &ObservedPod) -> Option<Finding> {
        if let Some(named) = record.node.as_deref().filter(|node| !pod.node.is_empty() && **node != *pod.node)
        {
            return Some(Finding::other_node_recorded(pool, address, record, pod, named));
        }
        let Some(Ok(compiled)) = self.observed.pools.get(pool) else { return None };
        let node = &self.observed.nodes.get(&pod.node)?.view;
        (!compiled.serves_node(node)).then(|| Finding::wrong_pool(pool, address, record, pod))
    }

    /// Addresses that two pools recorded, or that two pods use.
    fn duplicates(&self) -> Vec<Finding> {
        let mut claims: BTreeMap<Address, BTreeSet<String>> = BTreeMap::new();
        for (address, records) in &self.recorded {
            let live = |uid: &str| self.pods.get(uid).is_some_and(|pod| !pod.ended);
            for (pool, record) in
                records.iter().filter(|(_, record)| live(&record.pod_uid) || records.len() > 1)
            {
                claims.entry(*address).or_default().insert(format!("{} (record of pool {pool})", record.pod));
            }
        }
        let recorded_for = |used: &Use<'_>| {
            let records = self.recorded.get(&used.address);
            records.is_some_and(|records| records.iter().any(|(_, record)| record.pod_uid == used.pod.uid))
        };
        for used in self.uses.iter().filter(|used| !recorded_for(used)) {
            let claim = format!("{} ({})", used.pod.key, used.said_by);
            claims.entry(used.address).or_default().insert(claim);
        }
        let twice = claims.into_iter().filter(|(_, claims)| {
            let pods: BTreeSet<&str> = claims.iter().filter_map(|claim| claim.split(" (").next()).collect();
            pods.len() > 1 || claims.iter().filter(|claim| claim.contains("record of")).count() > 1
        });
        twice.map(|(address, claims)| Finding::duplicate(address, &claims)).collect()
    }

    /// Addresses in use that no pool records for a pod that runs.
    fn unrecorded(&self) -> Vec<Finding> {
        let mut seen = HashSet::new();
        let mut findings = Vec::new();
        for used in &self.uses {
            let records = self.recorded.get(&used.address).map(Vec::as_slice).unwrap_or_default();
            let lives = |record: &'a Record| matches!(self.standing(record), Standing::Lives(_));
            if records.iter().any(|(_, record)| lives(record)) || !seen.insert((used.address, &used.pod.uid))
            {
                continue;
            }
            let Some(pool) = self.pool_of(used) else { continue };
            let others =
                self.uses.iter().any(|other| other.address == used.address && other.pod.uid != used.pod.uid);
            let may_run =
                records.iter().any(|(_, record)| !matches!(self.standing(record), Standing::Gone { .. }));
            let record = Record::new(used.holder.clone(), used.pod.uid.clone(), used.interface.clone());
            let record = record.on(&used.pod.node);
            let recorded_for = records.first().map(|(_, record)| &*record.pod);
            findings.push(Finding::unrecorded(
                &pool,
                used.address,
                record,
                used.said_by,
                recorded_for,
                !others && !may_run,
            ));
        }
        findings
    }

    /// The pool that should have the record; none if that cannot be told, or its records cannot be read.
    fn pool_of(&self, used: &Use<'_>) -> Option<finding::Home> {
        let readable = |name: &str| !matches!(self.observed.ledgers.get(name), Some(Err(_)));
        let named = used.pool.filter(|name| self.observed.pools.get(name).is_some());
        let has = |name: &str| match self.observed.pools.get(name) {
            Some(Ok(pool)) => pool.allocatable.contains(used.address),
            _ => false,
        };
        let holds = || self.observed.pools.iter().map(|(name, _)| name).find(|name| has(name));
        let name = named.or_else(holds)?;
        readable(name).then(|| finding::Home { pool: name.to_owned(), allocatable: has(name) })
    }
}

/// What endpoints and network-status say of pods that are there and have not ended.
fn uses<'a>(observed: &'a Observed<'a>, pods: &HashMap<&str, &'a ObservedPod>) -> Vec<Use<'a>> {
    let mut uses = Vec::new();
    for endpoint in observed.endpoints {
        let Some(pod) = pods.get(&*endpoint.uid).filter(|pod| !pod.ended) else { continue };
        for (interface, address, pool) in &endpoint.given {
            let (holder, address, pool) = (&endpoint.key, *address, Some(pool.as_str()));
            uses.push(Use { holder, pod, interface, address, pool, said_by: "endpoint" });
        }
    }
    for pod in observed.pods.iter().filter(|pod| !pod.ended) {
        for (interface, address) in &pod.reported {
            let (holder, address) = (&pod.holder, *address);
            uses.push(Use { holder, pod, interface, address, pool: None, said_by: "network-status" });
        }
    }
    uses
}
