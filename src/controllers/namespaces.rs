//! Mirrors the opt-in of namespaces to a label, which `namespaceSelector` can see and annotations cannot be.

use futures::TryStreamExt;
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::{ObjectMeta, Patch, PatchParams};
use kube::core::PartialObjectMeta;
use kube::runtime::{WatchStreamExt, watcher};
use serde_json::{Value, json};
use tracing::info;

use super::error::fenced;
use super::supervise::timed;
use super::{ControllerError, FIELD_MANAGER, Leader};
use crate::api::keys;

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
        let parameters =
            PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        let patched = namespaces.patch_metadata(name, &parameters, &Patch::Merge(&patch)).await;
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

/// Whether one of the inject keys names a group. The annotation beats the label of the same key.
fn opted_in(metadata: &ObjectMeta) -> bool {
    let value = |key: &str| {
        let annotation = metadata.annotations.as_ref().and_then(|annotations| annotations.get(key));
        annotation.or_else(|| metadata.labels.as_ref()?.get(key))
    };
    [keys::RDMA_INJECT, keys::NETWORK_INJECT].into_iter().filter_map(value).any(|value| {
        let value = value.trim();
        !value.is_empty() && !keys::OPT_OUT.contains(&value)
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
    fn what_counts_as_opted_in() {
        const RDMA: &str = keys::RDMA_INJECT;
        const NETWORK: &str = keys::NETWORK_INJECT;
        type Pairs = &'static [(&'static str, &'static str)];
        let cases: [(Pairs, Pairs, bool); 8] = [
            (&[], &[], false),
            (&[(RDMA, "rails")], &[], true),
            (&[], &[(NETWORK, "rails")], true),
            (&[(RDMA, "none")], &[], false),
            (&[(RDMA, " disabled ")], &[], false),
            (&[(RDMA, "")], &[], false),
            (&[(RDMA, "none")], &[(RDMA, "rails")], false),
            (&[(RDMA, "none"), (NETWORK, "rails")], &[], true),
        ];
        for (annotations, labels, expected) in cases {
            assert_eq!(opted_in(&metadata(annotations, labels)), expected, "{annotations:?} {labels:?}");
        }
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
