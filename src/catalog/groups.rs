use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

use super::natural::natural_cmp;
use super::objects::Network;
use super::scope::Scope;
use crate::rules::{Mode, membership_problem, split_groups};

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

    /// Whether pods of the namespace may join it.
    #[must_use]
    pub fn serves(&self, namespace: &str) -> bool {
        self.shared || *self.namespace == *namespace
    }

    /// The order of rails: natural by bond, master or resource, then by namespace and name.
    #[must_use]
    pub fn order(&self, other: &Self) -> Ordering {
        natural_cmp(&self.rail_key, &other.rail_key)
            .then_with(|| natural_cmp(&self.namespace, &other.namespace))
            .then_with(|| natural_cmp(&self.name, &other.name))
    }

    pub(super) fn new(network: &Network, scope: &Scope) -> Self {
        let problem =
            |mode| membership_problem(&network.spec, mode).map(|problem| Arc::from(problem.to_string()));
        Self {
            namespace: network.key.namespace.as_str().into(),
            nad_name: network.nad_name.as_str().into(),
            name: network.key.name.as_str().into(),
            resource: network.spec.resource().map(Arc::from),
            rail_key: network.spec.rail_key().into(),
            shared: scope.shares(&network.key.namespace),
            rdma_problem: problem(Mode::Rdma),
            network_problem: problem(Mode::Network),
        }
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
