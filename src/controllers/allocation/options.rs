use std::time::Duration;

use crate::ipam::Cap;

/// What the process is told about allocation; the `ConfigMap` says the rest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllocationOptions {
    /// How many records a pool may hold.
    pub cap: Cap,
    /// When addresses are taken back.
    pub collection: Collection,
    /// `namespace/name` of the cluster's default network (`MULTUS_CLUSTER_NETWORK`).
    pub cluster_network: Option<String>,
}

/// When the leader takes addresses back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collection {
    /// Whether it does at all: `SPIDERPOOL_GC_IP_ENABLED`
    pub enabled: bool,
    /// Whether those of an ended pod, which is still there as an object, go back while its node answers:
    /// `SPIDERPOOL_GC_STATELESS_TERMINATING_POD_ON_READY_NODE_ENABLED`
    pub on_ready_nodes: bool,
    /// Whether those of a pod that is gone or has ended go back although its node does not answer, so that it may
    /// still run there: `SPIDERPOOL_GC_STATELESS_TERMINATING_POD_ON_NOT_READY_NODE_ENABLED`
    pub on_not_ready_nodes: bool,
    /// Waited besides the time between the two looks: `SPIDERPOOL_GC_ADDITIONAL_GRACE_DELAY`
    pub grace: Duration,
    /// Between looks at all records: `SPIDERPOOL_GC_DEFAULT_INTERVAL_DURATION`
    pub interval: Duration,
    /// Pods asked about at a time: `SPIDERPOOL_GC_IP_WORKER_NUM`
    pub questions: usize,
}

impl Default for Collection {
    fn default() -> Self {
        Self {
            enabled: true,
            on_ready_nodes: true,
            on_not_ready_nodes: false,
            grace: Duration::ZERO,
            interval: Duration::from_mins(1),
            questions: 32,
        }
    }
}

/// What is known of a suspect's node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NodeReport {
    /// It is not known, or was deleted: nothing can run there.
    Gone,
    /// Its kubelet answers.
    Ready,
    /// Its kubelet does not answer.
    NotReady,
}

impl Collection {
    /// Whether the addresses of a pod wait for its node. `ended` pods are still there as objects; `kept` addresses
    /// belong to a name that may come back.
    pub(super) fn waits(&self, node: NodeReport, ended: bool, kept: bool) -> bool {
        match node {
            NodeReport::Gone => false,
            NodeReport::Ready => ended && !self.on_ready_nodes,
            NodeReport::NotReady => kept || !self.on_not_ready_nodes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_default_a_node_that_does_not_answer_keeps_the_addresses_of_its_pods() {
        let usual = Collection::default();
        for (ended, kept) in [(false, false), (true, false), (false, true), (true, true)] {
            assert!(!usual.waits(NodeReport::Gone, ended, kept));
            assert!(!usual.waits(NodeReport::Ready, ended, kept));
            assert!(usual.waits(NodeReport::NotReady, ended, kept));
        }
    }

    #[test]
    fn the_switches_of_the_environment_say_otherwise() {
        let bold = Collection { on_not_ready_nodes: true, ..Collection::default() };
        assert!(!bold.waits(NodeReport::NotReady, false, false));
        assert!(
            bold.waits(NodeReport::NotReady, false, true),
            "a name that may come back keeps its addresses"
        );
        let shy = Collection { on_ready_nodes: false, ..Collection::default() };
        assert!(shy.waits(NodeReport::Ready, true, false));
        assert!(!shy.waits(NodeReport::Ready, false, false), "a pod that is gone holds nothing");
    }
}
