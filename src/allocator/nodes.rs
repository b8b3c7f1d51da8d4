use std::sync::Arc;

use k8s_openapi::api::core::v1::Node;

use crate::ipam::NodeView;

/// What is kept of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeState {
    /// Name and labels.
    pub view: Arc<NodeView>,
    /// Whether its kubelet answers.
    pub ready: bool,
}

impl NodeState {
    /// Reduces a node.
    #[must_use]
    pub fn of(node: Node) -> Self {
        let conditions = node.status.and_then(|status| status.conditions).unwrap_or_default();
        Self {
            ready: conditions.iter().any(|known| known.type_ == "Ready" && known.status == "True"),
            view: Arc::new(NodeView {
                name: node.metadata.name.unwrap_or_default(),
                labels: node.metadata.labels.unwrap_or_default(),
            }),
        }
    }
}
