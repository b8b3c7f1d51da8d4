use std::collections::BTreeMap;

use crate::api::{SpiderIPPoolSpec, SpiderSubnetSpec};
use crate::net::{Range, RangeError, RangeSet, Subnet};
use crate::rules::Mode;
use crate::rules::addresses::Written;

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
    /// `metadata.generation`, which counts the changes of the spec; 0 offline.
    pub generation: i64,
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

/// What the rules know of a stored network that uses a device plugin's resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkFacts {
    /// `metadata.namespace`
    pub namespace: String,
    /// `metadata.name`
    pub name: String,
    /// The resource.
    pub resource: String,
    /// The groups it is a member of.
    pub groups: Vec<(Mode, String)>,
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

impl NadFacts {
    pub(super) fn key(&self) -> (&str, &str) {
        (&self.namespace, &self.name)
    }
}

impl PoolFacts {
    /// Subnet, and `ips` without `excludeIPs`; none if any of it cannot be read.
    #[must_use]
    pub fn addresses(&self) -> Option<(Subnet, RangeSet)> {
        addresses((&self.spec).into())
    }
}

impl SubnetFacts {
    /// Subnet, and `ips` without `excludeIPs`; none if any of it cannot be read.
    #[must_use]
    pub fn addresses(&self) -> Option<(Subnet, RangeSet)> {
        addresses((&self.spec).into())
    }
}

fn addresses(written: Written<'_>) -> Option<(Subnet, RangeSet)> {
    let subnet = written.subnet?.parse().ok()?;
    Some((subnet, ranges(written.ips)?.subtract(&ranges(written.excluded)?)))
}

/// Stored objects may hold ranges that run backwards (older versions let them pass and counted them).
fn ranges(texts: &[String]) -> Option<RangeSet> {
    let read = |text: &String| match text.parse::<Range>() {
        Ok(range) | Err(RangeError::Reversed(range)) => Some(range),
        Err(_) => None,
    };
    texts.iter().map(read).collect()
}
