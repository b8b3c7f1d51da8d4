//! Lets go of custom resources that are being deleted, once nothing depends on them. Only their metadata is watched: the records
//! of a pool can be a megabyte with each change, and are read here only of pools that are being deleted.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::stream::{BoxStream, select_all};
use futures::{StreamExt, TryStreamExt};
use kube::api::{DynamicObject, ObjectMeta, Patch};
use kube::core::PartialObjectMeta;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};
use tracing::info;

use super::error::fenced;
use super::supervise::timed;
use super::{ControllerError, Leader, patch_parameters};
use crate::api::{Kind, keys};
use crate::catalog::Catalog;
use crate::sources::Backoff;

/// The kinds that carry the finalizer.
const KINDS: [Kind; 3] = [Kind::IpPool, Kind::Subnet, Kind::Coordinator];

/// Follows objects that are being deleted until an error.
pub(super) async fn run(leader: &Leader) -> Result<(), ControllerError> {
    leader.feed.synced().await;
    let mut changes = leader.feed.changes.clone();
    let mut events = select_all(KINDS.map(|kind| events(leader, kind)));
    let mut waiting: BTreeSet<(Kind, String)> = BTreeSet::new();
    loop {
        let due: Vec<(Kind, String)> = tokio::select! {
            Some(event) = events.next() => {
                let (kind, metadata) = event.map_err(|source| ControllerError::watch("custom resources", source))?;
                let key = (kind, metadata.name.clone().unwrap_or_default());
                if !is_held(&metadata) {
                    waiting.remove(&key);
                    continue;
                }
                waiting.insert(key.clone());
                vec![key]
            }
            // A subnet waits for its pools, which the catalog knows.
            _ = changes.changed(), if !waiting.is_empty() => waiting.iter().cloned().collect(),
        };
        for key in due {
            if timed(&leader.metrics, "finalizers", reconcile(leader, key.0, &key.1)).await? {
                waiting.remove(&key);
            }
        }
    }
}

/// Lets go of an object if nothing depends on it. Returns whether nothing is left to wait for.
async fn reconcile(leader: &Leader, kind: Kind, name: &str) -> Result<bool, ControllerError> {
    let read = api(leader, kind).get_opt(name).await;
    let read = read.map_err(|source| ControllerError::request("read a deleted object", source))?;
    let Some(object) = read.filter(|object| is_held(&object.metadata)) else { return Ok(true) };
    let free = is_free(kind, &object, &leader.feed.catalog.load());
    if free {
        release(leader, kind, &object).await?;
    }
    Ok(free)
}

type Seen = Result<(Kind, ObjectMeta), watcher::Error>;

fn events(leader: &Leader, kind: Kind) -> BoxStream<'static, Seen> {
    let backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(5));
    let metadata: Api<PartialObjectMeta<DynamicObject>> =
        Api::all_with(leader.client.clone(), &kind.resource());
    watcher(metadata, watcher::Config::default())
        .backoff(backoff)
        .touched_objects()
        .map_ok(move |object| (kind, object.metadata))
        .boxed()
}

fn api(leader: &Leader, kind: Kind) -> Api<DynamicObject> {
    Api::all_with(leader.client.clone(), &kind.resource())
}

/// Whether the object is gone but for our finalizer. (A deleted object is seen once more, without it.)
fn is_held(metadata: &ObjectMeta) -> bool {
    let mut finalizers = metadata.finalizers.iter().flatten();
    metadata.deletion_timestamp.is_some() && finalizers.any(|name| name == keys::FINALIZER)
}

/// Whether nothing depends on the object any more.
fn is_free(kind: Kind, object: &DynamicObject, catalog: &Catalog) -> bool {
    let status = &object.data["status"];
    match kind {
        Kind::IpPool => has_no_entries(&status["allocatedIPs"]),
        Kind::Subnet => {
            has_no_entries(&status["controlledIPPools"])
                && !catalog.peers.has_controlled_pools(&object.name_any())
        }
        // Nothing waits for the deletion of the others.
        _ => true,
    }
}

/// Records are a JSON object as text. What cannot be read may hold records.
fn has_no_entries(records: &Value) -> bool {
    match records {
        Value::Null => true,
        Value::String(text) if text.trim().is_empty() => true,
        Value::String(text) => serde_json::from_str(text).is_ok_and(|records: Value| match records {
            Value::Null => true,
            Value::Object(entries) => entries.is_empty(),
            _ => false,
        }),
        _ => false,
    }
}

async fn release(leader: &Leader, kind: Kind, object: &DynamicObject) -> Result<(), ControllerError> {
    let name = object.name_any();
    let others: Vec<&String> = object.finalizers().iter().filter(|name| *name != keys::FINALIZER).collect();
    let patch = json!({ "metadata": {
        "resourceVersion": object.metadata.resource_version,
        "finalizers": others,
    } });
    let patched = api(leader, kind).patch_metadata(&name, &patch_parameters(), &Patch::Merge(&patch)).await;
    if fenced("remove a finalizer", patched)?.is_some() {
        info!(%kind, name, "let go of a deleted object");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::settings::Settings;
    use crate::catalog::{Identity, Objects};

    fn object(deleted: bool, status: &Value) -> DynamicObject {
        let mut object =
            json!({ "metadata": { "name": "a", "finalizers": [keys::FINALIZER] }, "status": status });
        if deleted {
            object["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        }
        serde_json::from_value(object).unwrap()
    }

    fn catalog(objects: &[Value]) -> Catalog {
        let mut known = Objects::default();
        for object in objects {
            known.apply(object).unwrap();
        }
        Catalog::compile(&known, Settings::default(), &Identity::default())
    }

    #[test]
    fn only_deleted_objects_are_waited_for() {
        assert!(is_held(&object(true, &json!({})).metadata));
        assert!(!is_held(&object(false, &json!({})).metadata));
    }

    #[test]
    fn a_pool_is_free_without_records() {
        let record = json!({ "allocatedIPs": r#"{"10.0.0.1":{"pod":"a/b"}}"# });
        let cases = [
            (json!(null), true),
            (json!({ "allocatedIPs": "" }), true),
            (json!({ "allocatedIPs": "{}" }), true),
            (record, false),
            (json!({ "allocatedIPs": "not readable" }), false),
        ];
        for (status, free) in cases {
            assert_eq!(is_free(Kind::IpPool, &object(true, &status), &catalog(&[])), free, "{status}");
        }
    }

    #[test]
    fn a_subnet_waits_for_its_pools() {
        let pool = json!({
            "kind": "SpiderIPPool",
            "metadata": { "name": "p", "ownerReferences": [
                { "kind": "SpiderSubnet", "name": "a", "controller": true },
            ] },
            "spec": { "subnet": "10.0.0.0/24" },
        });
        let subnet = object(true, &json!({}));
        assert!(!is_free(Kind::Subnet, &subnet, &catalog(&[pool])));
        assert!(is_free(Kind::Subnet, &subnet, &catalog(&[])));
        let controlling = object(true, &json!({ "controlledIPPools": r#"{"p":{"ips":[]}}"# }));
        assert!(!is_free(Kind::Subnet, &controlling, &catalog(&[])));
    }
}
