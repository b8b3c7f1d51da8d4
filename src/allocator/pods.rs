use std::sync::Arc;

use k8s_openapi::api::core::v1::Pod;
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
}

impl PodFacts {
    /// Reduces a pod.
    #[must_use]
    pub fn of(pod: Pod) -> Self {
        let Pod { metadata, spec, status } = pod;
        let spec = spec.unwrap_or_default();
        let status = status.unwrap_or_default();
        let phase = status.phase.as_deref().unwrap_or_default();
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
        }
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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn facts(pod: Value) -> PodFacts {
        PodFacts::of(serde_json::from_value(pod).unwrap())
    }

    fn owned(kind: &str, name: &str, labels: &Value) -> Option<Owner> {
        let version = if kind == "Job" { "batch/v1" } else { "apps/v1" };
        let owners = json!([
            { "apiVersion": "v1", "kind": "Other", "name": "o", "uid": "1" },
            { "apiVersion": version, "kind": kind, "name": name, "uid": "2", "controller": true },
        ]);
        facts(json!({ "metadata": { "ownerReferences": owners, "labels": labels } })).owner
    }

    #[test]
    fn the_owner_is_the_controller_at_the_top() {
        let kind_and_name = |owner: Option<Owner>| owner.map(|owner| (owner.kind, owner.name));
        let expected = |kind: &str, name: &str| Some((kind.to_owned(), name.to_owned()));
        let hash = json!({ "pod-template-hash": "6d4cf56db6" });
        assert_eq!(
            kind_and_name(owned("ReplicaSet", "train-6d4cf56db6", &hash)),
            expected("Deployment", "train")
        );
        assert_eq!(kind_and_name(owned("ReplicaSet", "train", &hash)), expected("ReplicaSet", "train"));
        assert_eq!(kind_and_name(owned("StatefulSet", "db", &json!({}))), expected("StatefulSet", "db"));
        assert_eq!(kind_and_name(owned("Job", "j", &json!({}))), expected("Job", "j"));
        assert_eq!(facts(json!({ "metadata": {} })).owner, None);
    }

    #[test]
    fn only_bound_pods_that_will_run_need_addresses() {
        let pod = |deleting: bool, node: &str, phase: &str| {
            let deleted = deleting.then_some("2026-01-01T00:00:00Z");
            facts(json!({
                "metadata": { "name": "a", "namespace": "team", "deletionTimestamp": deleted },
                "spec": { "nodeName": node, "containers": [] },
                "status": { "phase": phase },
            }))
        };
        assert!(pod(false, "n", "Pending").needs_addresses());
        assert!(pod(false, "n", "Running").needs_addresses());
        assert!(!pod(false, "", "Pending").needs_addresses());
        assert!(!pod(true, "n", "Running").needs_addresses());
        for phase in ["Succeeded", "Failed"] {
            assert!(!pod(false, "n", phase).needs_addresses());
        }
    }

    #[test]
    fn annotations_about_addresses_are_kept_and_others_are_not() {
        let annotations = json!({
            "k8s.v1.cni.cncf.io/networks": "a", "ipam.spidernet.io/ippool": "{}", "secret": "s",
        });
        let kept = facts(json!({ "metadata": { "annotations": annotations } })).annotations;
        let keys: Vec<&str> = kept.keys().map(String::as_str).collect();
        assert_eq!(keys, ["ipam.spidernet.io/ippool", "k8s.v1.cni.cncf.io/networks"]);
    }
}
