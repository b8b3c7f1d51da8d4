use std::collections::BTreeSet;
use std::sync::Arc;

use super::index::SubnetIndex;
use super::{IndexedPool, PoolFacts, PoolGroup};
use crate::net::RangeSet;

/// Two live pools that must not exist side by side.
#[derive(Clone, Debug, PartialEq)]
pub struct Overlap {
    /// The one that came first and stays in use.
    pub older: Arc<PoolFacts>,
    /// The one that is not allocated from until the overlap is gone.
    pub younger: Arc<PoolFacts>,
    /// Addresses that both would hand out; empty when only the subnets overlap.
    pub ranges: RangeSet,
}

pub(super) fn find(pools: &SubnetIndex<PoolGroup>) -> Vec<Overlap> {
    let mut overlaps = Vec::new();
    for (subnet, group) in pools.iter() {
        let mut pairs = BTreeSet::new();
        group.spans.collisions(|a, b, _| {
            pairs.insert((a.min(b), a.max(b)));
        });
        overlaps.extend(pairs.iter().filter_map(|&(a, b)| overlap(&group.pools[a], &group.pools[b])));
        for (_, wider) in pools.wider(subnet) {
            let pairs = group.pools.iter().flat_map(|a| wider.pools.iter().map(move |b| (a, b)));
            overlaps.extend(pairs.filter_map(|(a, b)| overlap(a, b)));
        }
    }
    overlaps.sort_by(|a, b| (&a.younger.name, &a.older.name).cmp(&(&b.younger.name, &b.older.name)));
    overlaps
}

fn overlap(a: &IndexedPool, b: &IndexedPool) -> Option<Overlap> {
    let age = |pool: &IndexedPool| (pool.facts.created.clone(), pool.facts.name.clone());
    let (older, younger) = if age(a) < age(b) { (a, b) } else { (b, a) };
    (!older.facts.terminating && !younger.facts.terminating).then(|| Overlap {
        older: older.facts.clone(),
        younger: younger.facts.clone(),
        ranges: older.effective.intersect(&younger.effective),
    })
}
