//! One file for each behaviour of the plan; here is the cluster that they plan in.

mod affinity;
mod all_or_none;
mod capacity;
mod held;
mod masters;
mod order;
mod picks;
mod properties;
mod records;
mod routes;
mod sizing;
mod sources;
mod trace;
mod turn;
mod usage;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::api::{NodeResource, PhysicalFunction, RailNodeSpec};
use crate::catalog::ObjectKey;
use crate::net::{Address, Range, RangeSet};
use crate::rules::{Peers, PoolFacts};

/// Pools, records and nodes in the making.
#[derive(Clone, Debug)]
pub(super) struct Cluster {
    pub(super) facts: Vec<Arc<PoolFacts>>,
    pub(super) ledgers: Ledgers,
    pub(super) nodes: HashMap<String, NodeFacts>,
    pub(super) quarantine: Quarantine,
    pub(super) reserved: RangeSet,
    pub(super) families: Families,
    pub(super) cap: Cap,
}

impl Default for Cluster {
    fn default() -> Self {
        Self {
            facts: Vec::new(),
            ledgers: Ledgers::default(),
            nodes: HashMap::new(),
            quarantine: Quarantine::new(),
            reserved: RangeSet::default(),
            families: Families { v4: true, v6: true },
            cap: Cap::default(),
        }
    }
}

impl Cluster {
    /// Adds a pool with this `spec`.
    pub(super) fn pool(mut self, name: &str, spec: Value) -> Self {
        let spec = serde_json::from_value(spec).unwrap();
        self.facts.push(Arc::new(PoolFacts { name: name.into(), spec, ..PoolFacts::default() }));
        self
    }

    /// Changes the pool that was added last.
    pub(super) fn with(mut self, change: impl FnOnce(&mut PoolFacts)) -> Self {
        change(Arc::make_mut(self.facts.last_mut().unwrap()));
        self
    }

    /// Sets `status.allocatedIPs` of a pool.
    #[expect(clippy::needless_pass_by_value, reason = "written in place with json!")]
    pub(super) fn records(mut self, pool: &str, records: Value) -> Self {
        self.ledgers.insert(pool, Ledger::parse(pool, Some(&records.to_string())));
        self
    }

    /// Adds a node whose resources stand on physical functions with these addresses.
    pub(super) fn node(mut self, name: &str, resources: &[(&str, &[&[&str]])]) -> Self {
        let mut spec = RailNodeSpec::default();
        for (resource, functions) in resources {
            let mut pci = Vec::new();
            for addresses in *functions {
                pci.push(format!("0000:{:02x}:00.0", spec.physical_functions.len()));
                spec.physical_functions.push(PhysicalFunction {
                    pci_address: pci.last().unwrap().clone(),
                    addresses: addresses.iter().map(|text| (*text).to_owned()).collect(),
                    ..PhysicalFunction::default()
                });
            }
            let name = (*resource).to_owned();
            spec.resources.push(NodeResource { name, physical_functions: pci, ..NodeResource::default() });
        }
        self.nodes.insert(name.to_owned(), NodeFacts::compile(&spec));
        self
    }

    pub(super) fn quarantined(mut self, pool: &str, addresses: &[&str]) -> Self {
        let addresses = addresses.iter().map(|text| text.parse::<Address>().unwrap());
        self.quarantine.entry(pool.to_owned()).or_default().extend(addresses);
        self
    }

    pub(super) fn reserved(mut self, ranges: &[&str]) -> Self {
        self.reserved = ranges.iter().map(|text| text.parse::<Range>().unwrap()).collect();
        self
    }

    pub(super) fn pools(&self) -> Pools {
        let none = [].iter();
        let overlaps = Peers::build(self.facts.iter(), none, [].iter()).overlaps();
        Pools::compile(self.facts.iter(), &overlaps, &self.reserved, "spiderpool")
    }

    pub(super) fn plan(&self, intents: &[Intent]) -> BatchPlan {
        let pools = self.pools();
        let Self { ledgers, nodes, quarantine, families, cap, .. } = self;
        let (families, cap, writer) = (*families, *cap, Writer::Leader);
        let inputs = Inputs { pools: &pools, ledgers, nodes, quarantine, families, cap, writer };
        plan(&inputs, intents)
    }

    /// Plans, and takes the records in.
    pub(super) fn commit(&mut self, intents: &[Intent]) -> BatchPlan {
        let plan = self.plan(intents);
        for (pool, changes) in &plan.changes {
            for change in changes {
                self.ledgers.set(pool, change.address, change.record.clone());
            }
        }
        plan
    }

    /// What the one pod gets: `net1=172.16.0.2/24@a net2=..`, or the failure's listing.
    pub(super) fn outcome(&self, intent: Intent) -> String {
        said(&self.plan(&[intent]).outcomes[0])
    }
}

/// `net1=172.16.0.2/24@a,fd00::2/64@b net2=..`, deferred rails as `net3?`; or the failure's listing.
pub(super) fn said(outcome: &Outcome) -> String {
    let allocation = match outcome {
        Outcome::Failed(failure) => return failure.to_string(),
        Outcome::Planned(allocation) => allocation,
    };
    let rails = allocation.details.iter().map(|detail| {
        let v4 = detail.ipv4.iter().zip(&detail.ipv4_pool);
        let v6 = detail.ipv6.iter().zip(&detail.ipv6_pool);
        let addresses: Vec<String> = v4.chain(v6).map(|(ip, pool)| format!("{ip}@{pool}")).collect();
        format!("{}={}", detail.interface, addresses.join(","))
    });
    let deferred = allocation.deferred.iter().map(|deferred| format!("{}?", deferred.interface));
    rails.chain(deferred).collect::<Vec<_>>().join(" ")
}

/// What each pod gets.
pub(super) fn all_said(plan: &BatchPlan) -> Vec<String> {
    plan.outcomes.iter().map(said).collect()
}

/// The records of a plan: `a 172.16.0.2 team/web uid-web net1`.
pub(super) fn changes(plan: &BatchPlan) -> Vec<String> {
    let line = |pool: &str, change: &Change| {
        let Change { address, record, .. } = change;
        let interface = record.interface.as_deref().unwrap_or("-");
        format!("{pool} {address} {} {} {interface}", record.pod, record.pod_uid)
    };
    plan.changes.iter().flat_map(|(pool, changes)| changes.iter().map(|c| line(pool, c))).collect()
}

/// A pod in namespace `team` on node `n1`, with UID `uid-<name>`.
pub(super) fn pod(name: &str) -> Intent {
    Intent {
        name: name.to_owned(),
        uid: format!("uid-{name}").into(),
        namespace: Arc::new(NamespaceView { name: "team".into(), ..NamespaceView::default() }),
        node: Arc::new(NodeView { name: "n1".into(), ..NodeView::default() }),
        holder: Holder { key: format!("team/{name}").into(), sticky: false },
        ..Intent::default()
    }
}

pub(super) fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

impl Intent {
    /// Adds the next interface, with the IPv4 pools of its network.
    pub(super) fn rail(self, ipv4: &[&str]) -> Self {
        self.dual_rail(ipv4, &[])
    }

    pub(super) fn dual_rail(mut self, ipv4: &[&str], ipv6: &[&str]) -> Self {
        let number = self.attachments.len() + 1;
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        self.attachments.push(Attachment {
            interface: format!("net{number}").into(),
            network: ObjectKey { namespace: "spiderpool".into(), name: format!("gpu{number}-sriov") },
            ipv4: names(ipv4),
            ipv6: names(ipv6),
            resource: Some(format!("spidernet.io/gpu{number}")),
            ..Attachment::default()
        });
        self
    }

    /// Changes the interface that was added last.
    pub(super) fn rail_with(mut self, change: impl FnOnce(&mut Attachment)) -> Self {
        change(self.attachments.last_mut().unwrap());
        self
    }

    pub(super) fn annotated(mut self, key: &str, value: &str) -> Self {
        self.annotations.insert(key.to_owned(), value.to_owned());
        self
    }
}

/// A /24 of 172.16: `ips` from `first` to `last`.
pub(super) fn small(net: u8, first: u8, last: u8) -> Value {
    json!({"subnet": format!("172.16.{net}.0/24"), "ips": [format!("172.16.{net}.{first}-172.16.{net}.{last}")]})
}
