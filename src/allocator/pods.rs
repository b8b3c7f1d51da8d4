use std::sync::Arc;

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;
use kube::api::ObjectMeta;

use crate::api::keys;
use crate::ipam::{Labels, Owner};

/// What is kept of a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodFacts {
    /// `metadata.namespace`
    pub namespace: String,
    /// `metadata.name`
    pub name: String,
    /// `metadata.uid`
    pub uid: Arc<str>,
    /// The node it is bound to, empty before that.
    pub node: String,
    /// `metadata.labels`
    pub labels: Labels,
    /// Annotations about networks and addresses.
    pub annotations: Labels,
    /// The controller at the top of its owners.
    pub owner: Option<Owner>,
    /// Whether it is being deleted.
    pub deleting: bool,
    /// Whether its containers have ended for good.
    pub finished: bool,
    /// When it was bound, to the second.
    pub bound: Option<Timestamp>,
}

impl PodFacts {
    /// Reduces a pod.
    #[must_use]
    pub fn of(pod: Pod) -> Self {
        let Pod { metadata, spec, status } = pod;
        let spec = spec.unwrap_or_default();
        let status = status.unwrap_or_default();
        let phase = status.phase.as_deref().unwrap_or_default();
        let scheduled = status.conditions.into_iter().flatten().find(|known| known.type_ == "PodScheduled");
        Self {
            owner: owner(&metadata),
            namespace: metadata.namespace.unwrap_or_default(),
            name: metadata.name.unwrap_or_default(),
            uid: metadata.uid.unwrap_or_default().into(),
            node: spec.node_name.unwrap_or_default(),
            labels: metadata.labels.unwrap_or_default(),
            annotations: metadata
                .annotations
                .into_iter()
                .flatten()
                .filter(|(key, _)| is_about_addresses(key))
                .collect(),
            deleting: metadata.deletion_timestamp.is_some(),
            finished: matches!(phase, "Succeeded" | "Failed"),
            bound: scheduled.and_then(|condition| condition.last_transition_time).map(|time| time.0),
        }
    }

    /// `namespace/name`
    #[must_use]
    pub fn key(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    /// Whether it is bound, and will run.
    #[must_use]
    pub fn needs_addresses(&self) -> bool {
        !self.node.is_empty() && !self.deleting && !self.finished
    }
}

fn is_about_addresses(key: &str) -> bool {
    key.starts_with("ipam.spidernet.io/") || key == keys::NETWORKS || key == keys::DEFAULT_NETWORK
}

/// The controller at the top: the `Deployment`, not the `ReplicaSet`. That is read from the names, which the two
/// controllers make of each other's, so that no pod costs a request.
fn owner(metadata: &ObjectMeta) -> Option<Owner> {
    let owner = metadata.owner_references.as_ref()?.iter().find(|owner| owner.controller == Some(true))?;
    let hash = metadata.labels.as_ref().and_then(|labels| labels.get("pod-template-hash"));
    let deployment = hash
        .filter(|_| owner.kind == "ReplicaSet" && owner.api_version == "apps/v1")
        .and_then(|hash| owner.name.strip_suffix(hash.as_str())?.strip_suffix('-'));
    Some(match deployment {
        Some(name) => Owner {
            api_version: owner.api_version.clone(),
            kind: "Deployment".to_owned(),
            name: name.to_owned(),
        },
        None => Owner {
            api_version: owner.api_version.clone(),
            kind: owner.kind.clone(),
            name: owner.name.clone(),
        },
    })
}
