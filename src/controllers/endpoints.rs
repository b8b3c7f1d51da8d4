//! Lets go of endpoints that are being deleted. Spiderpool puts a finalizer on each, and takes it away only once it
//! has released the addresses; here records say whose an address is, and nothing waits for an endpoint.

use futures::TryStreamExt;
use kube::Api;
use kube::api::{ObjectMeta, Patch};
use kube::core::PartialObjectMeta;
use kube::runtime::{WatchStreamExt, watcher};
use serde_json::{Value, json};

use super::error::fenced;
use super::supervise::timed;
use super::{ControllerError, Leader, patch_parameters};
use crate::api::{SpiderEndpoint, keys};

/// Patches under way at a time.
const CONCURRENCY: usize = 16;

/// Follows endpoints until an error.
pub(super) async fn run(leader: &Leader) -> Result<(), ControllerError> {
    let endpoints: Api<PartialObjectMeta<SpiderEndpoint>> = Api::all(leader.client.clone());
    watcher(endpoints, watcher::Config::default())
        .applied_objects()
        .map_err(|source| ControllerError::watch("endpoints", source))
        .try_for_each_concurrent(CONCURRENCY, |endpoint| release(leader, endpoint.metadata))
        .await
}

async fn release(leader: &Leader, metadata: ObjectMeta) -> Result<(), ControllerError> {
    let (Some(namespace), Some(name), Some(patch)) =
        (&metadata.namespace, &metadata.name, without_finalizer(&metadata))
    else {
        return Ok(());
    };
    let endpoints: Api<SpiderEndpoint> = Api::namespaced(leader.client.clone(), namespace);
    timed(&leader.metrics, "endpoints", async {
        let patched = endpoints.patch_metadata(name, &patch_parameters(), &Patch::Merge(&patch)).await;
        fenced("let go of a deleted endpoint", patched).map(drop)
    })
    .await
}

/// The patch that takes the finalizer away; none if there is nothing to wait for.
fn without_finalizer(metadata: &ObjectMeta) -> Option<Value> {
    let finalizers = metadata.finalizers.as_deref().unwrap_or_default();
    metadata.deletion_timestamp.as_ref()?;
    if !finalizers.iter().any(|name| name == keys::FINALIZER) {
        return None;
    }
    let others: Vec<&String> = finalizers.iter().filter(|name| *name != keys::FINALIZER).collect();
    Some(json!({ "metadata": { "resourceVersion": metadata.resource_version, "finalizers": others } }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_finalizer_of_a_deleted_endpoint_goes() {
        let patch = |metadata: Value| without_finalizer(&serde_json::from_value(metadata).unwrap());
        let deleted = "2026-01-01T00:00:00Z";
        assert_eq!(patch(json!({ "finalizers": [keys::FINALIZER] })), None);
        assert_eq!(patch(json!({ "deletionTimestamp": deleted, "finalizers": ["other"] })), None);
        assert_eq!(
            patch(json!({ "deletionTimestamp": deleted, "resourceVersion": "7",
                "finalizers": ["other", keys::FINALIZER] })),
            Some(json!({ "metadata": { "resourceVersion": "7", "finalizers": ["other"] } }))
        );
    }
}
