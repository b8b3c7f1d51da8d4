//! Mirrors the opt-in of namespaces to a label, which `namespaceSelector` can see and annotations cannot be.
//!
//! The webhook on namespaces does so when they are written; what is left to the leader are namespaces that were
//! written before it was registered.

use futures::TryStreamExt;
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::{ObjectMeta, Patch};
use kube::core::PartialObjectMeta;
use kube::runtime::{WatchStreamExt, watcher};
use serde_json::{Value, json};
use tracing::info;

use super::error::fenced;
use super::supervise::timed;
use super::{ControllerError, Leader, patch_parameters};
use crate::api::keys;
use crate::inject::namespace_opts_in;

/// Patches under way at a time.
const CONCURRENCY: usize = 8;

/// Follows all namespaces until an error.
pub(super) async fn run(leader: &Leader) -> Result<(), ControllerError> {
    let namespaces: Api<PartialObjectMeta<Namespace>> = Api::all(leader.client.clone());
    watcher(namespaces.clone(), watcher::Config::default())
        .applied_objects()
        .map_err(|source| ControllerError::watch("namespaces", source))
        .try_for_each_concurrent(CONCURRENCY, |namespace| mirror(leader, &namespaces, namespace.metadata))
        .await
}

async fn mirror(
    leader: &Leader,
    namespaces: &Api<PartialObjectMeta<Namespace>>,
    metadata: ObjectMeta,
) -> Result<(), ControllerError> {
    let (Some(name), Some(patch)) = (&metadata.name, correction(&metadata)) else { return Ok(()) };
    timed(&leader.metrics, "namespaces", async {
        let patched = namespaces.patch_metadata(name, &patch_parameters(), &Patch::Merge(&patch)).await;
        if fenced("label a namespace", patched)?.is_some() {
            info!(namespace = name, opted_in = opted_in(&metadata), "mirrored the namespace's opt-in");
        }
        Ok(())
    })
    .await
}

/// The patch that makes the label right; none when it is, or when the namespace is on its way out.
fn correction(metadata: &ObjectMeta) -> Option<Value> {
    let label = metadata.labels.as_ref().and_then(|labels| labels.get(keys::NAMESPACE_OPT_IN));
    let wanted = opted_in(metadata).then_some("true");
    if metadata.deletion_timestamp.is_some() || label.map(String::as_str) == wanted {
        return None;
    }
    Some(json!({ "metadata": {
        "resourceVersion": metadata.resource_version,
        "labels": { keys::NAMESPACE_OPT_IN: wanted },
    } }))
}

/// The annotation of an inject key beats the label.
fn opted_in(metadata: &ObjectMeta) -> bool {
    namespace_opts_in(|key| {
        let annotation = metadata.annotations.as_ref().and_then(|annotations| annotations.get(key));
        annotation.or_else(|| metadata.labels.as_ref()?.get(key)).map(String::as_str)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(annotations: &[(&str, &str)], labels: &[(&str, &str)]) -> ObjectMeta {
        let map = |pairs: &[(&str, &str)]| {
            Some(pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect())
        };
        ObjectMeta {
            name: Some("team-a".into()),
            resource_version: Some("7".into()),
            annotations: map(annotations),
            labels: map(labels),
            ..ObjectMeta::default()
        }
    }

    #[test]
    fn the_annotation_beats_the_label() {
        let (rails, none) = ((keys::RDMA_INJECT, "rails"), (keys::RDMA_INJECT, "none"));
        assert!(opted_in(&metadata(&[], &[rails])));
        assert!(!opted_in(&metadata(&[none], &[rails])));
        assert!(opted_in(&metadata(&[rails], &[none])));
    }

    #[test]
    fn the_label_is_set_kept_and_removed() {
        let opted_in = &[(keys::RDMA_INJECT, "rails")][..];
        let label = &[(keys::NAMESPACE_OPT_IN, "true")][..];
        assert_eq!(
            correction(&metadata(opted_in, &[])),
            Some(
                json!({ "metadata": { "resourceVersion": "7", "labels": { "railweave.io/inject": "true" } } })
            )
        );
        assert_eq!(correction(&metadata(opted_in, label)), None);
        assert_eq!(
            correction(&metadata(&[], label)),
            Some(
                json!({ "metadata": { "resourceVersion": "7", "labels": { "railweave.io/inject": null } } })
            )
        );
        assert_eq!(correction(&metadata(&[], &[])), None);
    }
}
