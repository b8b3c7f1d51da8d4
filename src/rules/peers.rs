//! Index of the other objects that cross-object rules look at.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::api::{SpiderIPPoolSpec, SpiderSubnetSpec};

/// What the rules know of a stored pool.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PoolFacts {
    /// `metadata.name`
    pub name: String,
    /// `metadata.uid`, empty offline.
    pub uid: String,
    /// `metadata.creationTimestamp`, RFC 3339 in UTC (sorts as text), empty offline.
    pub created: String,
    /// `metadata.labels`
    pub labels: BTreeMap<String, String>,
    /// Name of the controlling `SpiderSubnet`.
    pub controller: Option<String>,
    /// Whether it is being deleted.
    pub terminating: bool,
    /// `spec`
    pub spec: SpiderIPPoolSpec,
}

/// What the rules know of a stored subnet.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SubnetFacts {
    /// `metadata.name`
    pub name: String,
    /// `metadata.uid`, empty offline.
    pub uid: String,
    /// `metadata.creationTimestamp`, as in [`PoolFacts`].
    pub created: String,
    /// Whether it is being deleted.
    pub terminating: bool,
    /// `spec`
    pub spec: SpiderSubnetSpec,
    /// `status.controlledIPPools`
    pub controlled: Option<String>,
}

/// What the rules know of a `NetworkAttachmentDefinition`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NadFacts {
    /// `metadata.namespace`
    pub namespace: String,
    /// `metadata.name`
    pub name: String,
    /// Name of the `SpiderMultusConfig` among its owners.
    pub owner: Option<String>,
}

/// Pools, subnets and network attachment definitions of the cluster, indexed for the rules.
#[derive(Clone, Debug, Default)]
pub struct Peers {}

impl Peers {
    /// Builds the index; objects whose addresses cannot be read are indexed by name only.
    #[must_use]
    pub fn build<'a>(
        _pools: impl Iterator<Item = &'a Arc<PoolFacts>>,
        _subnets: impl Iterator<Item = &'a Arc<SubnetFacts>>,
        _nads: impl Iterator<Item = &'a NadFacts>,
    ) -> Self {
        Self {}
    }
}
