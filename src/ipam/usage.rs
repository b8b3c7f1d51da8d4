use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::audit::{self, FindingKind, Observed};
use super::ledger::Ledger;
use super::ledgers::Ledgers;
use super::pools::Pools;
use super::shelf::gaps;
use crate::catalog::natural_cmp;

/// How full a pool is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PoolUsage {
    /// Its name.
    pub pool: String,
    /// Its subnet; empty where the pool cannot be read.
    pub subnet: String,
    /// Addresses that can be handed out at all.
    pub total: u128,
    /// Records, of pods that are there or may come back.
    pub used: usize,
    /// Records that wait until the node of their pod answers.
    pub quarantined: usize,
    /// Addresses without a record.
    pub free: u128,
    /// What keeps anything from being allocated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// What the pods of a node have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeUsage {
    /// Its name; empty for records that name no node and have no pod.
    pub node: String,
    /// Records.
    pub used: usize,
    /// Those of them that wait until the node answers.
    pub quarantined: usize,
    /// Pods that have them.
    pub pods: usize,
    /// Pools that they are from.
    pub pools: usize,
}

/// What is counted of a node.
#[derive(Default)]
struct Tally<'a> {
    used: usize,
    quarantined: usize,
    pods: BTreeSet<&'a str>,
    pools: BTreeSet<&'a str>,
}

/// How full each pool is, in natural order of the names.
#[must_use]
pub fn pool_usage(observed: &Observed<'_>) -> Vec<PoolUsage> {
    let held = audit::held_back(observed);
    let empty = Ledger::default();
    let usage = |name: &str, pool: Result<&super::Pool, &str>| {
        let (ledger, unreadable) = match observed.ledgers.get(name) {
            None => (&empty, None),
            Some(Ok(ledger)) => (ledger, None),
            Some(Err(error)) => (&empty, Some(error.reason.clone())),
        };
        let quarantined = held.get(name).copied().unwrap_or(0);
        let readable = pool.ok();
        PoolUsage {
            pool: name.to_owned(),
            subnet: readable.map(|pool| pool.subnet.to_string()).unwrap_or_default(),
            total: readable.map_or(0, |pool| pool.allocatable.count()),
            used: ledger.len() - quarantined,
            quarantined,
            free: readable.map_or(0, |pool| gaps(pool, ledger).map(crate::net::Range::count).sum()),
            problem: pool.err().map(str::to_owned).or(unreadable).or_else(|| readable?.why_closed()),
        }
    };
    observed.pools.iter().map(|(name, pool)| usage(name, pool)).collect()
}

/// How many pools there are of each state: `free`, `nearly-full` (a tenth of the addresses or less is left), `full`,
/// `unreadable`, `closed`.
#[must_use]
pub fn pool_states(pools: &Pools, ledgers: &Ledgers) -> [(&'static str, usize); 5] {
    let empty = Ledger::default();
    let mut counts = [("free", 0), ("nearly-full", 0), ("full", 0), ("unreadable", 0), ("closed", 0)];
    for (name, pool) in pools.iter() {
        let ledger = ledgers.get(name).map_or(Ok(&empty), |ledger| ledger.as_ref().map_err(|_| ()));
        let state = match (pool, ledger) {
            (Err(_), _) | (_, Err(())) => 3,
            (Ok(pool), _) if pool.why_closed().is_some() => 4,
            (Ok(pool), Ok(ledger)) => {
                let free: u128 = gaps(pool, ledger).map(crate::net::Range::count).sum();
                match free {
                    0 => 2,
                    free if free <= pool.allocatable.count() / 10 => 1,
                    _ => 0,
                }
            }
        };
        counts[state].1 += 1;
    }
    counts
}

/// What the pods of each node have, in natural order of the names.
#[must_use]
pub fn node_usage(observed: &Observed<'_>) -> Vec<NodeUsage> {
    let nodes: BTreeMap<&str, &str> = observed.pods.iter().map(|pod| (&*pod.uid, &*pod.node)).collect();
    let told: BTreeMap<&str, &str> =
        observed.endpoints.iter().map(|endpoint| (&*endpoint.uid, &*endpoint.node)).collect();
    let waiting: BTreeSet<(String, String)> = audit::audit(observed)
        .into_iter()
        .filter(|finding| finding.kind == FindingKind::Quarantined)
        .filter_map(|finding| Some((finding.pool, finding.address?)))
        .collect();
    let mut found: BTreeMap<&str, Tally<'_>> = BTreeMap::new();
    for (pool, ledger) in observed.ledgers.iter() {
        for (address, record) in ledger.iter().flat_map(Ledger::iter) {
            let node = nodes.get(&*record.pod_uid).copied().or(record.node.as_deref());
            let node = node.or_else(|| told.get(&*record.pod_uid).copied()).unwrap_or_default();
            let tally = found.entry(node).or_default();
            tally.used += 1;
            tally.quarantined += usize::from(waiting.contains(&(pool.to_owned(), address.to_string())));
            tally.pods.insert(&record.pod_uid);
            tally.pools.insert(pool);
        }
    }
    let mut usage: Vec<NodeUsage> = found
        .into_iter()
        .map(|(node, tally)| NodeUsage {
            node: node.to_owned(),
            used: tally.used,
            quarantined: tally.quarantined,
            pods: tally.pods.len(),
            pools: tally.pools.len(),
        })
        .collect();
    usage.sort_by(|a, b| natural_cmp(&a.node, &b.node));
    usage
}
