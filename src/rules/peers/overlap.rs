use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::index::SubnetIndex;
use super::spans::Spans;
use super::{IndexedPool, PoolFacts, PoolGroup};
use crate::net::{RangeSet, Subnet};

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
    let all = pools.iter().flat_map(|(subnet, group)| group.pools.iter().map(move |pool| (subnet, pool)));
    let mut live: Vec<(Subnet, &IndexedPool)> = all.filter(|(_, pool)| !pool.facts.terminating).collect();
    // From here on a lower number is an older pool.
    live.sort_by_key(|(_, pool)| (&pool.facts.created, &pool.facts.name));

    let mut pairs = BTreeSet::new();
    let spans: Spans = live.iter().map(|(_, pool)| &pool.effective).collect();
    spans.collisions(|a, b, _| {
        pairs.insert((a.min(b), a.max(b)));
    });
    let foreign = oldest_of_other_subnets(&live);
    pairs.extend(live.iter().enumerate().filter_map(|(younger, (subnet, _))| {
        let older = *foreign.get(subnet)?;
        (older < younger).then_some((older, younger))
    }));
    let overlap = |(older, younger): (usize, usize)| {
        let (older, younger) = (live[older].1, live[younger].1);
        let ranges = older.effective.intersect(&younger.effective);
        Overlap { older: older.facts.clone(), younger: younger.facts.clone(), ranges }
    };
    let mut overlaps: Vec<Overlap> = pairs.into_iter().map(overlap).collect();
    overlaps.sort_by(|a, b| (&a.younger.name, &a.older.name).cmp(&(&b.younger.name, &b.older.name)));
    overlaps
}

/// For each subnet the number of the oldest pool whose subnet is another, but overlaps it.
///
/// One culprit for each pool is enough to say that its subnet is wrong; all of them would be as many as the
/// pools of the one subnet times those of the other.
fn oldest_of_other_subnets(live: &[(Subnet, &IndexedPool)]) -> BTreeMap<Subnet, usize> {
    let mut oldest: BTreeMap<Subnet, usize> = BTreeMap::new();
    for (number, (subnet, _)) in live.iter().enumerate() {
        oldest.entry(*subnet).or_insert(number);
    }
    let mut foreign: BTreeMap<Subnet, usize> = BTreeMap::new();
    for (&subnet, &own) in &oldest {
        for (wider, &other) in subnet.supernets().filter_map(|wider| Some((wider, oldest.get(&wider)?))) {
            for (of, number) in [(subnet, other), (wider, own)] {
                foreign.entry(of).and_modify(|known| *known = number.min(*known)).or_insert(number);
            }
        }
    }
    foreign
}
