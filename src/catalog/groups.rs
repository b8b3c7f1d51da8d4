use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

use super::natural::natural_cmp;
use super::objects::Network;
use super::scope::Scope;
use crate::rules::{Mode, membership_problem, split_groups};

/// One network as injection sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    network: Arc<Network>,
    /// Whether pods of every namespace may join it.
    pub shared: bool,
    /// What makes it unfit for RDMA groups.
    rdma_problem: Option<Box<str>>,
    /// What makes it unfit for general groups.
    network_problem: Option<Box<str>>,
}

impl Member {
    /// Namespace of the network and of its `NetworkAttachmentDefinition`.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.network.key.namespace
    }

    /// Name of the `NetworkAttachmentDefinition`.
    #[must_use]
    pub fn nad_name(&self) -> &str {
        &self.network.nad_name
    }

    /// Name of the `SpiderMultusConfig`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.network.key.name
    }

    /// Device plugin resource, if the network needs one.
    #[must_use]
    pub fn resource(&self) -> Option<&str> {
        self.network.spec.resource()
    }

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
        self.shared || self.namespace() == namespace
    }

    /// The order of rails: natural by bond, master or resource, then by namespace and name.
    #[must_use]
    pub fn order(&self, other: &Self) -> Ordering {
        natural_cmp(self.network.spec.rail_key(), other.network.spec.rail_key())
            .then_with(|| natural_cmp(self.namespace(), other.namespace()))
            .then_with(|| natural_cmp(self.name(), other.name()))
    }

    pub(super) fn new(network: &Arc<Network>, scope: &Scope) -> Self {
        let problem =
            |mode| membership_problem(&network.spec, mode).map(|problem| problem.to_string().into());
        Self {
            shared: scope.shares(&network.key.namespace),
            rdma_problem: problem(Mode::Rdma),
            network_problem: problem(Mode::Network),
            network: network.clone(),
        }
    }
}

/// All networks that carry one value of one key, in the order of rails.
#[derive(Clone, Debug, PartialEq)]
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
