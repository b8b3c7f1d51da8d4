//! Index of the other objects that cross-object rules look at.

mod facts;
mod index;
mod overlap;
mod shares;
mod spans;

use std::collections::BTreeMap;
use std::sync::Arc;

use self::index::SubnetIndex;
use self::spans::Spans;
use super::suggest;
use super::wildcard::Wildcard;
use crate::net::{RangeSet, Subnet};

pub use facts::{NadFacts, NetworkFacts, PoolFacts, SubnetFacts};
pub use overlap::Overlap;
pub use shares::Shares;

/// Pools, subnets and network attachment definitions of the cluster, indexed for the rules.
///
/// Pools whose addresses cannot be read are known by name only: nobody allocates from them, so they blame
/// no other object.
#[derive(Clone, Debug, Default)]
pub struct Peers {
    pools: BTreeMap<String, Arc<PoolFacts>>,
    pool_index: SubnetIndex<PoolGroup>,
    subnets: BTreeMap<String, Arc<SubnetFacts>>,
    subnet_index: SubnetIndex<Vec<IndexedSubnet>>,
    /// In the order of namespace and name.
    nads: Vec<Arc<NadFacts>>,
    networks: BTreeMap<String, Vec<Arc<NetworkFacts>>>,
}

/// A pool whose addresses could be read.
#[derive(Clone, Debug)]
pub(super) struct IndexedPool {
    /// What the rules know of it.
    pub(super) facts: Arc<PoolFacts>,
    /// `spec.ips` without `spec.excludeIPs`.
    pub(super) effective: RangeSet,
}

/// The pools of one subnet, and who has which ranges.
#[derive(Clone, Debug, Default)]
struct PoolGroup {
    pools: Vec<IndexedPool>,
    spans: Spans,
}

impl PoolGroup {
    fn names(&self) -> impl Iterator<Item = &str> {
        self.pools.iter().map(|pool| pool.facts.name.as_str())
    }
}

/// A subnet whose addresses could be read.
#[derive(Clone, Debug)]
pub(super) struct IndexedSubnet {
    /// What the rules know of it.
    pub(super) facts: Arc<SubnetFacts>,
    /// `spec.subnet`
    pub(super) subnet: Subnet,
    /// `spec.ips` without `spec.excludeIPs`.
    pub(super) effective: RangeSet,
}

impl Peers {
    /// Builds the index; objects whose addresses cannot be read are indexed by name only.
    #[must_use]
    pub fn build<'a>(
        pools: impl Iterator<Item = &'a Arc<PoolFacts>>,
        subnets: impl Iterator<Item = &'a Arc<SubnetFacts>>,
        nads: impl Iterator<Item = &'a Arc<NadFacts>>,
    ) -> Self {
        let mut peers = Self::default();
        for facts in pools {
            peers.pools.insert(facts.name.clone(), facts.clone());
            if let Some((subnet, effective)) = facts.addresses() {
                let group = peers.pool_index.entry(subnet);
                group.pools.push(IndexedPool { facts: facts.clone(), effective });
            }
        }
        for (_, group) in peers.pool_index.iter_mut() {
            group.spans = group.pools.iter().map(|pool| &pool.effective).collect();
        }
        for facts in subnets {
            peers.subnets.insert(facts.name.clone(), facts.clone());
            if let Some((subnet, effective)) = facts.addresses() {
                let indexed = IndexedSubnet { facts: facts.clone(), subnet, effective };
                peers.subnet_index.entry(subnet).push(indexed);
            }
        }
        peers.nads = nads.cloned().collect();
        peers.nads.sort_by(|a, b| a.key().cmp(&b.key()));
        peers
    }

    /// Adds the networks, indexed by their resource.
    #[must_use]
    pub fn with_networks(mut self, networks: impl Iterator<Item = Arc<NetworkFacts>>) -> Self {
        for network in networks {
            self.networks.entry(network.resource.clone()).or_default().push(network);
        }
        self
    }

    /// The networks that use a resource.
    pub fn networks_using(&self, resource: &str) -> impl Iterator<Item = &NetworkFacts> {
        self.networks.get(resource).into_iter().flatten().map(Arc::as_ref)
    }

    /// All pools, in the order of their names.
    pub fn pools(&self) -> impl Iterator<Item = &Arc<PoolFacts>> {
        self.pools.values()
    }

    /// The pool of this name.
    #[must_use]
    pub fn pool(&self, name: &str) -> Option<&PoolFacts> {
        self.pools.get(name).map(Arc::as_ref)
    }

    /// The subnet of this name.
    #[must_use]
    pub fn subnet(&self, name: &str) -> Option<&SubnetFacts> {
        self.subnets.get(name).map(Arc::as_ref)
    }

    /// The network attachment definition of this name.
    #[must_use]
    pub fn nad(&self, namespace: &str, name: &str) -> Option<&NadFacts> {
        let found = self.nads.binary_search_by(|nad| nad.key().cmp(&(namespace, name)));
        found.ok().map(|index| &*self.nads[index])
    }

    /// Names of the pools that a reference means: a name, or a pattern with `*`, `?` or `[..]`.
    /// A malformed pattern means none.
    pub fn matching_pools(&self, pattern: &str) -> impl Iterator<Item = &str> {
        let exact = self.pools.get_key_value(pattern).map(|(name, _)| name.as_str());
        let wildcard = Wildcard::parse(pattern).filter(|_| exact.is_none() && Wildcard::is_pattern(pattern));
        let matched = wildcard.into_iter().flat_map(|wildcard| {
            self.pools.keys().map(String::as_str).filter(move |name| wildcard.matches(name))
        });
        exact.into_iter().chain(matched)
    }

    /// Up to three pool names that look like `name`, the most similar first.
    #[must_use]
    pub fn nearest_pools(&self, name: &str) -> Vec<&str> {
        suggest::nearest_few(name, self.pools.keys().map(String::as_str), 3)
    }

    /// Whether pools name this subnet as their controller.
    #[must_use]
    pub fn has_controlled_pools(&self, subnet: &str) -> bool {
        self.pools.values().any(|pool| pool.controller.as_deref() == Some(subnet))
    }

    /// The live subnet that controls pools of exactly this address range; the oldest, should there be two.
    pub(super) fn controlling_subnet(&self, subnet: Subnet) -> Option<&IndexedSubnet> {
        let equal = self.subnet_index.get(subnet).into_iter().flatten();
        let live = equal.filter(|indexed| !indexed.facts.terminating);
        live.min_by_key(|indexed| (&indexed.facts.created, &indexed.facts.name))
    }

    /// The subnet of this name, if its addresses can be read.
    pub(super) fn indexed_subnet(&self, name: &str) -> Option<&IndexedSubnet> {
        let (subnet, _) = self.subnet(name)?.addresses()?;
        self.subnet_index.get(subnet)?.iter().find(|indexed| indexed.facts.name == name)
    }

    /// Subnets that contain `subnet`, equal it or lie in it.
    pub(super) fn subnets_over(&self, subnet: Subnet) -> impl Iterator<Item = &IndexedSubnet> {
        self.subnet_index.overlapping(subnet).flat_map(|(_, indexed)| indexed)
    }

    /// Names of pools whose subnet is another than `subnet`, but overlaps it; by their subnet.
    pub(super) fn pools_over(&self, subnet: Subnet) -> BTreeMap<Subnet, Vec<&str>> {
        let other = self.pool_index.overlapping(subnet).filter(|(theirs, _)| *theirs != subnet);
        other.map(|(theirs, group)| (theirs, group.names().collect())).collect()
    }

    /// Pools of exactly this subnet.
    pub(super) fn pools_of(&self, subnet: Subnet) -> impl Iterator<Item = &IndexedPool> {
        self.pool_index.get(subnet).into_iter().flat_map(|group| &group.pools)
    }

    /// Pools of exactly this subnet that have addresses of `ranges`, by name, with those addresses.
    pub(super) fn holders(&self, subnet: Subnet, ranges: &RangeSet) -> BTreeMap<&str, RangeSet> {
        let Some(group) = self.pool_index.get(subnet) else { return BTreeMap::new() };
        let mut met: BTreeMap<&str, Vec<_>> = BTreeMap::new();
        for &range in ranges.ranges() {
            group.spans.meet(range, |pool, common| {
                met.entry(&group.pools[pool].facts.name).or_default().push(common);
            });
        }
        met.into_iter().map(|(name, common)| (name, common.into_iter().collect())).collect()
    }

    /// Every pair of live pools that would hand out the same address; and each pool whose subnet overlaps
    /// others, with the oldest pool of those. That is what two concurrent creates can leave behind, since
    /// neither was visible to the other's check.
    #[must_use]
    pub fn overlaps(&self) -> Vec<Overlap> {
        overlap::find(&self.pool_index)
    }
}

#[cfg(test)]
mod tests;
