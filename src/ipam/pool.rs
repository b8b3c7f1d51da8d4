use std::collections::BTreeMap;
use std::sync::Arc;

use super::selector::Selector;
use crate::api::{Route, SpiderIPPoolSpec, keys};
use crate::net::{Address, Family, Range, RangeSet, Subnet};
use crate::rules::PoolFacts;

/// A pool, compiled once from a `SpiderIPPool` and the reserved addresses.
#[derive(Clone, Debug)]
pub struct Pool {
    /// `metadata.name`
    pub name: Arc<str>,
    /// The subnet; pods get its prefix length.
    pub subnet: Subnet,
    /// How many addresses it has, handed out or not: `ips` without `excludeIPs`.
    pub total: u128,
    /// Those of them that are handed out: without reserved addresses and the gateway.
    pub allocatable: RangeSet,
    /// `gateway`
    pub gateway: Option<Address>,
    /// `routes`, in today's spelling.
    pub routes: Vec<Route>,
    /// `default`
    pub default: bool,
    /// What this was compiled from.
    pub edition: Edition,
    /// Why nothing new is allocated from it, if so.
    pub(super) closed: Option<Closed>,
    /// Who may use it.
    pub(super) affinity: Affinity,
}

/// Which spec of which object of a name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edition {
    /// `metadata.uid`
    pub uid: String,
    /// `metadata.generation`
    pub generation: i64,
}

/// Why a whole pool is out of use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Closed {
    /// It is being deleted.
    Terminating,
    /// `disable: true`
    Disabled,
    /// An older pool, named here, has addresses or a subnet that overlap it.
    Overlaps(String),
}

/// The conditions a pod must fulfil, with `name` lists beating selectors.
#[derive(Clone, Debug, Default)]
pub(super) struct Affinity {
    pub(super) nodes: Option<Vec<String>>,
    pub(super) node: Option<Selector>,
    pub(super) namespaces: Option<Vec<String>>,
    pub(super) namespace: Option<Selector>,
    pub(super) pod: Option<PodAffinity>,
    /// `namespace/name` of networks.
    pub(super) networks: Option<Vec<String>>,
    /// How closely the pool is meant for a pod: greater is tried first.
    pub(super) rank: u8,
}

/// `podAffinity`
#[derive(Clone, Debug)]
pub(super) enum PodAffinity {
    /// Of an ordinary pool: a selector on the pod's labels.
    Labels(Selector),
    /// Of a pool made for one application: the identity of the pod's controller.
    Application(BTreeMap<String, String>),
}

impl Pool {
    /// Compiles a pool; the error says which field cannot be read.
    ///
    /// `network_namespace` completes entries of `multusName` that name no namespace.
    pub fn compile(facts: &PoolFacts, reserved: &RangeSet, network_namespace: &str) -> Result<Self, String> {
        let spec = &facts.spec;
        let (subnet, ranges) =
            facts.addresses().ok_or_else(|| "subnet, ips or excludeIPs cannot be read".to_owned())?;
        let (gateway, total) = (gateway(spec, subnet)?, ranges.count());
        let allocatable = ranges.subtract(reserved);
        let allocatable = match gateway {
            Some(gateway) => allocatable.subtract(&Range::from(gateway).into()),
            None => allocatable,
        };
        Ok(Self {
            name: facts.name.as_str().into(),
            subnet,
            total,
            allocatable,
            gateway,
            routes: spec.routes.iter().flatten().map(canonical).collect(),
            default: spec.default == Some(true),
            edition: Edition { uid: facts.uid.clone(), generation: facts.generation },
            closed: closed(facts),
            affinity: Affinity::compile(facts, network_namespace)?,
        })
    }

    /// The family of its addresses.
    #[must_use]
    pub fn family(&self) -> Family {
        self.subnet.family()
    }

    /// Why nothing new is allocated from it, if so.
    #[must_use]
    pub fn why_closed(&self) -> Option<String> {
        Some(match self.closed.as_ref()? {
            Closed::Terminating => "it is being deleted".to_owned(),
            Closed::Disabled => "it is disabled".to_owned(),
            Closed::Overlaps(older) => format!("it overlaps the older pool {older}"),
        })
    }

    /// An address of it as interfaces carry it: with the subnet's prefix length.
    #[must_use]
    pub fn with_prefix(&self, address: Address) -> String {
        format!("{address}/{}", self.subnet.prefix())
    }
}

fn closed(facts: &PoolFacts) -> Option<Closed> {
    if facts.terminating {
        Some(Closed::Terminating)
    } else {
        (facts.spec.disable == Some(true)).then_some(Closed::Disabled)
    }
}

fn gateway(spec: &SpiderIPPoolSpec, subnet: Subnet) -> Result<Option<Address>, String> {
    let Some(text) = spec.gateway.as_deref().filter(|text| !text.is_empty()) else { return Ok(None) };
    let gateway: Address = text.parse().map_err(|error| format!("gateway: {error}"))?;
    if gateway.family() == subnet.family() {
        Ok(Some(gateway))
    } else {
        Err(format!("gateway {gateway} is {}, subnet {subnet} is {}", gateway.family(), subnet.family()))
    }
}

/// A stored pool may still have the older spelling.
fn canonical(route: &Route) -> Route {
    Route {
        dst: route.dst.clone().or_else(|| route.to.clone()),
        gw: route.gw.clone().or_else(|| route.via.clone()),
        ..Route::default()
    }
}

impl Affinity {
    fn compile(facts: &PoolFacts, network_namespace: &str) -> Result<Self, String> {
        let spec = &facts.spec;
        let names = |names: &Option<Vec<String>>| names.clone().filter(|names| !names.is_empty());
        let selector = |selector: &Option<_>| selector.as_ref().map(Selector::compile).transpose();
        let full =
            |name: String| if name.contains('/') { name } else { format!("{network_namespace}/{name}") };
        let networks = names(&spec.multus_name);
        let mut affinity = Self {
            nodes: names(&spec.node_name),
            node: selector(&spec.node_affinity)?,
            namespaces: names(&spec.namespace_name),
            namespace: selector(&spec.namespace_affinity)?,
            pod: pod_affinity(facts)?,
            networks: networks.map(|names| names.into_iter().map(full).collect()),
            rank: 0,
        };
        let has = [
            affinity.pod.is_some(),
            affinity.nodes.is_some(),
            affinity.node.is_some(),
            affinity.namespaces.is_some(),
            affinity.namespace.is_some(),
            affinity.networks.is_some(),
        ];
        affinity.rank = has.iter().fold(0, |rank, has| rank << 1 | u8::from(*has));
        Ok(affinity)
    }
}

fn pod_affinity(facts: &PoolFacts) -> Result<Option<PodAffinity>, String> {
    let Some(selector) = &facts.spec.pod_affinity else { return Ok(None) };
    if facts.labels.contains_key(keys::OWNER_APPLICATION_NAME) {
        return Ok(Some(PodAffinity::Application(selector.match_labels.clone().unwrap_or_default())));
    }
    Ok(Some(PodAffinity::Labels(Selector::compile(selector)?)))
}
