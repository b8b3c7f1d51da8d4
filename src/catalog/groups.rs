use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

use super::natural::natural_cmp;
use super::objects::Network;
use super::scope::Scope;
use crate::api::keys;

/// Which of the two inject keys speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Mode {
    /// [`keys::RDMA_INJECT`]: every member needs a resource and pools.
    Rdma,
    /// [`keys::NETWORK_INJECT`]: a member with a resource needs pools.
    Network,
}

impl Mode {
    /// Both, in the order in which they are looked at.
    pub const ALL: [Self; 2] = [Self::Rdma, Self::Network];

    /// The annotation or label key.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Rdma => keys::RDMA_INJECT,
            Self::Network => keys::NETWORK_INJECT,
        }
    }
}

/// One network as injection sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Namespace of the network and of its `NetworkAttachmentDefinition`.
    pub namespace: Arc<str>,
    /// Name of the `NetworkAttachmentDefinition`.
    pub nad_name: Arc<str>,
    /// Name of the `SpiderMultusConfig`.
    pub name: Arc<str>,
    /// Device plugin resource, if the network needs one.
    pub resource: Option<Arc<str>>,
    /// What orders it: bond, master or resource.
    pub rail_key: Arc<str>,
    /// Whether pods of every namespace may join it.
    pub shared: bool,
    /// What makes it unfit for RDMA groups.
    pub rdma_problem: Option<Arc<str>>,
    /// What makes it unfit for general groups.
    pub network_problem: Option<Arc<str>>,
}

impl Member {
    /// What makes the network unfit for groups of the mode.
    #[must_use]
    pub fn problem(&self, mode: Mode) -> Option<&str> {
        match mode {
            Mode::Rdma => self.rdma_problem.as_deref(),
            Mode::Network => self.network_problem.as_deref(),
        }
    }

    /// The order of rails: natural by bond, master or resource, then by namespace and name.
    #[must_use]
    pub fn order(&self, other: &Self) -> Ordering {
        natural_cmp(&self.rail_key, &other.rail_key)
            .then_with(|| natural_cmp(&self.namespace, &other.namespace))
            .then_with(|| natural_cmp(&self.name, &other.name))
    }

    pub(super) fn new(network: &Network, scope: &Scope) -> Self {
        let problem = |mode| member_problem(network, mode).map(Arc::from);
        Self {
            namespace: network.key.namespace.as_str().into(),
            nad_name: network.nad_name.as_str().into(),
            name: network.key.name.as_str().into(),
            resource: network.spec.resource().map(Arc::from),
            rail_key: network.spec.rail_key().into(),
            shared: scope.networks.iter().any(|glob| glob.matches(&network.key.namespace)),
            rdma_problem: problem(Mode::Rdma),
            network_problem: problem(Mode::Network),
        }
    }
}

/// What a network lacks to be a member of a group, in words that end a sentence about it.
fn member_problem(network: &Network, mode: Mode) -> Option<String> {
    let spec = &network.spec;
    let kind = spec.cni_type();
    if !kind.joins_groups() {
        return Some(format!("has cniType {kind}, which cannot be a member of a group"));
    }
    let block = kind.block().unwrap_or_default();
    let pools_missing = spec.pools().is_none_or(crate::api::Pools::is_empty);
    match (mode, spec.resource()) {
        // ipoib shares the device of its master, so it has no resource of its own to ask for.
        (Mode::Rdma, None) if kind != crate::api::CniType::Ipoib => {
            let field = if block.ends_with("sriov") { "resourceName" } else { "rdmaResourceName" };
            Some(format!("has no spec.{block}.{field}"))
        }
        (Mode::Rdma, _) | (Mode::Network, Some(_)) if pools_missing => {
            Some(format!("names no pools in spec.{block}.ippools"))
        }
        _ => None,
    }
}

/// All networks that carry one value of one key, in the order of rails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its name.
    pub name: Arc<str>,
    /// The members.
    pub members: Vec<Arc<Member>>,
}

/// Builds the index of groups; a network whose value is a list belongs to each of its groups.
pub(super) fn index<'a>(
    networks: impl Iterator<Item = &'a Arc<Network>>,
    scope: &Scope,
) -> HashMap<Mode, HashMap<String, Group>> {
    let mut groups: HashMap<Mode, HashMap<String, Group>> = HashMap::new();
    for network in networks {
        let member = Arc::new(Member::new(network, scope));
        for (mode, value) in [(Mode::Rdma, &network.rdma_groups), (Mode::Network, &network.network_groups)] {
            for name in value.iter().flat_map(|value| split_groups(value)) {
                let empty = || Group { name: name.into(), members: Vec::new() };
                let group = groups.entry(mode).or_default().entry(name.to_owned()).or_insert_with(empty);
                if !group.members.iter().any(|known| Arc::ptr_eq(known, &member)) {
                    group.members.push(member.clone());
                }
            }
        }
    }
    for group in groups.values_mut().flat_map(HashMap::values_mut) {
        group.members.sort_by(|a, b| a.order(b));
    }
    groups
}

/// The names in a value: separated by commas, blanks around them ignored, empty ones left out.
pub fn split_groups(value: &str) -> impl Iterator<Item = &str> {
    value.split(',').map(str::trim).filter(|name| !name.is_empty())
}
