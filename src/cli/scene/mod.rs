//! Everything that allocation depends on, read once: from a cluster or from files.
//!
//! [`Scene`] is what the leader knows, without its watches; the verbs about addresses ask the leader's own functions
//! with it. [`Place`] are the arguments that say where it comes from.

mod place;
mod read;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use serde_json::Value;

pub(super) use place::Place;

use crate::allocator::{EndpointFacts, PodFacts};
use crate::catalog::Catalog;
use crate::ipam::audit::{Observed, ObservedEndpoint, ObservedNode, ObservedPod};
use crate::ipam::{
    Attachment, Cap, DefaultNetwork, Failure, Families, Holder, Inputs, Intent, Ledgers, NamespaceView,
    NodeFacts, NodeView, Pools, Quarantine, Stickiness, Writer,
};
use crate::net::{Address, RangeSet};

/// A cluster at one moment.
#[derive(Debug)]
pub(super) struct Scene {
    /// Networks, groups, settings.
    pub(super) catalog: Catalog,
    /// The pools.
    pub(super) pools: Pools,
    /// Their records.
    pub(super) ledgers: Ledgers,
    /// The pools as they were read.
    pub(super) pool_objects: Vec<Value>,
    /// Every pod, with what Multus reports of it.
    pub(super) pods: Vec<(PodFacts, ObservedPod)>,
    /// Devices that pods asked for, by node and resource.
    pub(super) devices_in_use: HashMap<(String, String), u64>,
    /// Devices that a node has, by node and resource.
    pub(super) devices: HashMap<(String, String), u64>,
    /// What IPAM told each pod's node, by `namespace/name`.
    pub(super) endpoints: BTreeMap<String, EndpointFacts>,
    /// Every node.
    pub(super) nodes: HashMap<String, ObservedNode>,
    /// What the agents found.
    pub(super) facts: HashMap<String, NodeFacts>,
    /// Every namespace.
    pub(super) namespaces: HashMap<String, Arc<NamespaceView>>,
    /// Holders that may come back without a pod.
    pub(super) kept: HashSet<String>,
    /// What could not be taken into account.
    pub(super) problems: Vec<String>,
    release: String,
    reserved: RangeSet,
    quarantine: Quarantine,
}

impl Scene {
    /// A scene of which only the catalog is known.
    fn bare(catalog: Catalog, release: String, problems: Vec<String>) -> Self {
        Self {
            catalog,
            pools: Pools::default(),
            ledgers: Ledgers::default(),
            pool_objects: Vec::new(),
            pods: Vec::new(),
            devices_in_use: HashMap::new(),
            devices: HashMap::new(),
            endpoints: BTreeMap::new(),
            nodes: HashMap::new(),
            facts: HashMap::new(),
            namespaces: HashMap::new(),
            kept: HashSet::new(),
            problems,
            release,
            reserved: RangeSet::default(),
            quarantine: Quarantine::new(),
        }
    }

    /// What a plan depends on. What the leader has in quarantine is in its memory alone.
    pub(super) fn inputs(&self) -> Inputs<'_> {
        let settings = &self.catalog.settings;
        Inputs {
            pools: &self.pools,
            ledgers: &self.ledgers,
            nodes: &self.facts,
            quarantine: &self.quarantine,
            families: Families { v4: settings.enable_ipv4, v6: settings.enable_ipv6 },
            cap: Cap::default(),
            writer: Writer::Leader,
        }
    }

    /// What the pod needs. A namespace or node that is not known has no labels and annotations.
    pub(super) fn intent(&self, pod: &PodFacts) -> Result<Intent, Failure> {
        let default = DefaultNetwork { namespace: &self.release, network: None };
        let attachments = Attachment::of_pod(&pod.annotations, &pod.namespace, &self.catalog, default)?;
        let stickiness = Stickiness::of(&self.catalog.settings);
        let holder = Holder::of(&pod.namespace, &pod.name, pod.owner.as_ref(), stickiness);
        let bare_namespace =
            || Arc::new(NamespaceView { name: pod.namespace.clone(), ..NamespaceView::default() });
        let bare_node = || Arc::new(NodeView { name: pod.node.clone(), ..NodeView::default() });
        Ok(Intent {
            name: pod.name.clone(),
            uid: pod.uid.clone(),
            labels: pod.labels.clone(),
            annotations: pod.annotations.clone(),
            namespace: self.namespaces.get(&pod.namespace).cloned().unwrap_or_else(bare_namespace),
            node: self.nodes.get(&pod.node).map_or_else(bare_node, |node| node.view.clone()),
            owner: pod.owner.clone(),
            previous: self.endpoints.get(&*holder.key).map(|known| known.details.clone()).unwrap_or_default(),
            holder,
            attachments,
        })
    }

    /// Hands the scene to a question of [`crate::ipam::audit`].
    pub(super) fn observed<T>(&self, ask: impl FnOnce(&Observed<'_>) -> T) -> T {
        let pods: Vec<ObservedPod> = self.pods.iter().map(|(_, observed)| observed.clone()).collect();
        let endpoints: Vec<ObservedEndpoint> =
            self.endpoints.iter().map(|(key, endpoint)| observed_endpoint(key, endpoint)).collect();
        let Self { pools, ledgers, nodes, kept, .. } = self;
        ask(&Observed { pools, ledgers, pods: &pods, endpoints: &endpoints, nodes, kept })
    }
}

fn observed_endpoint(key: &str, endpoint: &EndpointFacts) -> ObservedEndpoint {
    let address = |text: &String| text.split('/').next().and_then(|text| text.parse::<Address>().ok());
    let mut given = Vec::new();
    for detail in &endpoint.details {
        for (text, pool) in [(&detail.ipv4, &detail.ipv4_pool), (&detail.ipv6, &detail.ipv6_pool)] {
            if let Some(address) = text.as_ref().and_then(address) {
                given.push((Arc::from(&*detail.interface), address, pool.clone().unwrap_or_default()));
            }
        }
    }
    ObservedEndpoint { key: key.into(), uid: (*endpoint.uid).into(), node: endpoint.node.clone(), given }
}
