use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::assemble::ConfigState;
use super::groups::{self, Group};
use super::objects::{NamespaceFacts, Network, ObjectKey, Objects};
use super::scope::Scope;
use crate::api::settings::Settings;
use crate::rules::{Mode, Notice, Peers};

/// Who this railweave is, as far as decisions depend on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The namespace it is installed in.
    pub release_namespace: String,
}

impl Default for Identity {
    fn default() -> Self {
        Self { release_namespace: "spiderpool".to_owned() }
    }
}

/// Something that keeps an object or the configuration from being in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// `SpiderIPPool a`, `ConfigMap`, ...
    pub object: String,
    /// Why, for people.
    pub message: String,
}

/// The compiled view; every decision is a function of a request and one of these.
#[derive(Clone, Debug)]
pub struct Catalog {
    /// The configuration in force.
    pub settings: Settings,
    /// Namespaces that are injected, and whose networks may be joined.
    pub scope: Scope,
    /// Index for rules across objects.
    pub peers: Peers,
    /// Opt-in of namespaces that have any.
    pub namespaces: HashMap<String, NamespaceFacts>,
    /// Resources that nodes offer; none when no node data is at hand.
    pub offered: Option<BTreeSet<String>>,
    /// What could not be taken into account.
    pub problems: Vec<Problem>,
    /// Whether the `ConfigMap` is in force.
    pub config: ConfigState,
    /// Advice about the configuration.
    pub config_notices: Vec<Notice>,
    groups: HashMap<Mode, HashMap<String, Group>>,
    /// In the order of their definitions.
    networks: Vec<Arc<Network>>,
    counts: Counts,
}

/// Sizes for the metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Networks.
    pub networks: usize,
    /// Groups.
    pub groups: usize,
    /// Namespaces.
    pub namespaces: usize,
    /// Pools.
    pub pools: usize,
    /// Subnets.
    pub subnets: usize,
}

impl Catalog {
    /// Compiles what a source delivered under the given configuration.
    #[must_use]
    pub fn compile(objects: &Objects, settings: Settings, identity: &Identity) -> Self {
        let scope = Scope::compile(&settings, &identity.release_namespace);
        let groups = groups::index(objects.networks.values(), &scope);
        let mut networks: Vec<Arc<Network>> = objects.networks.values().cloned().collect();
        // Of several that claim one definition, the last by name is found.
        networks.reverse();
        networks.sort_by(|a, b| nad_of(a).cmp(&nad_of(b)));
        networks.dedup_by(|a, b| nad_of(a) == nad_of(b));
        let problems = objects.bad.iter().map(|((kind, key), message)| Problem {
            object: format!("{kind} {key}"),
            message: message.clone(),
        });
        let counts = Counts {
            networks: objects.networks.len(),
            groups: groups.values().map(HashMap::len).sum(),
            namespaces: objects.namespace_names.len(),
            pools: objects.pools.len(),
            subnets: objects.subnets.len(),
        };
        Self {
            peers: Peers::build(objects.pools.values(), objects.subnets.values(), objects.nads.values())
                .with_networks(objects.networks.values().filter_map(|network| network.facts.clone())),
            namespaces: objects
                .namespaces
                .iter()
                .map(|(name, facts)| (name.clone(), facts.clone()))
                .collect(),
            offered: (!objects.nodes.is_empty()).then(|| objects.nodes.values().flatten().cloned().collect()),
            problems: problems.collect(),
            config: ConfigState::default(),
            config_notices: Vec::new(),
            networks,
            settings,
            scope,
            groups,
            counts,
        }
    }

    /// The group with a name under a key.
    #[must_use]
    pub fn group(&self, mode: Mode, name: &str) -> Option<&Group> {
        self.groups.get(&mode)?.get(name)
    }

    /// All groups, in no order.
    pub fn groups(&self) -> impl Iterator<Item = (Mode, &str, &Group)> {
        self.groups
            .iter()
            .flat_map(|(mode, groups)| groups.iter().map(|(name, group)| (*mode, name.as_str(), group)))
    }

    /// The network behind a `NetworkAttachmentDefinition`, if it is one of ours.
    #[must_use]
    pub fn network_of_nad(&self, nad: &ObjectKey) -> Option<&Network> {
        self.find(&nad.namespace, &nad.name)
    }

    fn find(&self, namespace: &str, nad_name: &str) -> Option<&Network> {
        let found = self.networks.binary_search_by(|network| nad_of(network).cmp(&(namespace, nad_name)));
        found.ok().map(|index| &*self.networks[index])
    }

    /// The resource of the network behind a `NetworkAttachmentDefinition`, if the network is known and has one.
    #[must_use]
    pub fn resource_of_nad(&self, namespace: &str, name: &str) -> Option<&str> {
        self.find(namespace, name)?.spec.resource()
    }

    /// Sizes for the metrics.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }
}

/// Namespace and name of the network's `NetworkAttachmentDefinition`.
fn nad_of(network: &Network) -> (&str, &str) {
    (&network.key.namespace, &network.nad_name)
}
