use std::sync::Arc;

use k8s_openapi::api::core::v1::{Pod, PodStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
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
    /// `metadata.creationTimestamp`
    pub created: Option<Time>,
    /// The node it is bound to, empty before that.
    pub node: String,
    /// `metadata.labels`
    pub labels: Labels,
    /// Annotations that addresses depend on.
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
        Self {
            owner: owner(&metadata),
            namespace: metadata.namespace.unwrap_or_default(),
            name: metadata.name.unwrap_or_default(),
            uid: metadata.uid.unwrap_or_default().into(),
            created: metadata.creation_timestamp,
            node: spec.node_name.unwrap_or_default(),
            labels: metadata.labels.unwrap_or_default(),
            annotations: metadata
                .annotations
                .into_iter()
                .flatten()
                .filter(|(key, _)| is_about_addresses(key))
                .collect(),
            deleting: metadata.deletion_timestamp.is_some(),
            finished: Self::has_ended(&status),
        }
    }

    /// Whether a pod's containers have ended for good.
    #[must_use]
    pub fn has_ended(status: &PodStatus) -> bool {
        matches!(status.phase.as_deref(), Some("Succeeded" | "Failed"))
    }

    /// Whether it is bound, and will run.
    #[must_use]
    pub fn needs_addresses(&self) -> bool {
        !self.node.is_empty() && !self.deleting && !self.finished
    }

    /// Whether an endpoint of its name, which says that it is of this pod, leaves it nothing to wait for: it is its own,
    /// or that of a younger pod that runs. While a virtual machine moves there are two pods of one name in the records;
    /// the one that it moves to has the endpoint from then on.
    #[must_use]
    pub fn has_or_lost(&self, endpoint_uid: &str, other: Option<&Self>) -> bool {
        *self.uid == *endpoint_uid
            || other.is_some_and(|other| {
                !other.finished && (&other.created, &other.uid) > (&self.created, &self.uid)
            })
    }

    /// Whether a running virtual machine is moved to it, addresses and all.
    #[must_use]
    pub fn is_migrated_to(&self) -> bool {
        self.annotations.contains_key(keys::MIGRATION)
    }
}

fn is_about_addresses(key: &str) -> bool {
    key.starts_with("ipam.spidernet.io/")
        || [keys::NETWORKS, keys::DEFAULT_NETWORK, keys::MIGRATION].contains(&key)
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
    fn of_two_pods_of_one_machine_the_younger_has_the_endpoint() {
        let pod = |uid: &str, created: &str, phase: &str| {
            facts(
                json!({ "metadata": { "uid": uid, "creationTimestamp": created }, "status": { "phase": phase } }),
            )
        };
        let source = pod("z", "2026-01-01T00:00:00Z", "Running");
        let target = pod("a", "2026-01-01T00:05:00Z", "Pending");
        assert!(source.has_or_lost("z", None));
        assert!(source.has_or_lost("a", Some(&target)), "it does not take the endpoint back");
        assert!(!target.has_or_lost("z", Some(&source)), "it takes it over");
        let failed = pod("a", "2026-01-01T00:05:00Z", "Failed");
        assert!(!source.has_or_lost("a", Some(&failed)), "the migration came to nothing");
        assert!(!source.has_or_lost("gone", None));
    }

    #[test]
    fn annotations_about_addresses_are_kept_and_others_are_not() {
        let annotations = json!({
            "k8s.v1.cni.cncf.io/networks": "a", "ipam.spidernet.io/ippool": "{}", "secret": "s",
            "kubevirt.io/migrationJobName": "kubevirt-migrate-vm",
        });
        let facts = facts(json!({ "metadata": { "annotations": annotations } }));
        assert!(facts.is_migrated_to() && !PodFacts::default().is_migrated_to());
        let kept = facts.annotations;
        let keys: Vec<&str> = kept.keys().map(String::as_str).collect();
        let expected =
            ["ipam.spidernet.io/ippool", "k8s.v1.cni.cncf.io/networks", "kubevirt.io/migrationJobName"];
        assert_eq!(keys, expected);
    }
}
