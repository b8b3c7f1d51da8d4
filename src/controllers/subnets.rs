//! Subnets and the pools that share their addresses: who has what, in the status; pools without an owner are taken
//! on; with a subnet that is deleted go its pools, each once no pod has an address of it.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::StreamExt;
use kube::api::{DeleteParams, Patch, Preconditions};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};
use tokio::time::sleep;
use tracing::{info, warn};

use super::error::fenced;
use super::supervise::timed;
use super::{ControllerError, Leader, patch_parameters};
use crate::api::{GROUP, Kind, SpiderIPPool, SpiderSubnet, SpiderSubnetStatus, VERSION, keys};
use crate::catalog::Catalog;
use crate::rules::Shares;
use crate::sources::{Backoff, describe};
use crate::telemetry::metrics::Metrics;

/// Changes are looked at together.
const GATHER: Duration = Duration::from_millis(200);
/// Before a deletion that was refused is tried again.
const AGAIN: Duration = Duration::from_secs(10);

/// Follows subnets and pools until an error.
pub(super) async fn run(leader: &Leader) -> Result<(), ControllerError> {
    leader.feed.synced().await;
    let subnets: Api<SpiderSubnet> = Api::all(leader.client.clone());
    let backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(5));
    let mut events = watcher(subnets.clone(), watcher::Config::default()).backoff(backoff).boxed();
    let mut changes = leader.feed.changes.clone();
    let mut known: BTreeMap<String, SpiderSubnet> = BTreeMap::new();
    let (mut listed, mut complete) = (false, true);
    loop {
        tokio::select! {
            Some(event) = events.next() => match event {
                Ok(event) => {
                    listed |= matches!(event, watcher::Event::InitDone);
                    note(&mut known, &leader.metrics, event);
                }
                Err(error) => warn!(controller = "subnets", "watch failed: {}", describe(&error)),
            },
            _ = changes.changed() => {
                sleep(GATHER).await;
                changes.mark_unchanged();
            }
            () = sleep(AGAIN), if !complete => {}
        }
        if listed && !known.is_empty() {
            complete = timed(&leader.metrics, "subnets", reconcile(leader, &subnets, &known)).await?;
        }
    }
}

fn note(known: &mut BTreeMap<String, SpiderSubnet>, metrics: &Metrics, event: watcher::Event<SpiderSubnet>) {
    match event {
        watcher::Event::Init => {
            known.clear();
            // What the list names is shown again.
            metrics.forget_subnets();
        }
        watcher::Event::InitApply(subnet) | watcher::Event::Apply(subnet) => {
            known.insert(subnet.name_any(), subnet);
        }
        watcher::Event::Delete(subnet) => {
            known.remove(&subnet.name_any());
            metrics.forget_subnet(&subnet.name_any());
        }
        watcher::Event::InitDone => {}
    }
}

/// Returns whether nothing is left to try again.
async fn reconcile(
    leader: &Leader,
    subnets: &Api<SpiderSubnet>,
    known: &BTreeMap<String, SpiderSubnet>,
) -> Result<bool, ControllerError> {
    let catalog = leader.feed.catalog.load_full();
    let (mut complete, mut failed) = (true, None);
    for (name, subnet) in known {
        match reconcile_one(leader, &catalog, subnets, name, subnet).await {
            Ok(done) => complete &= done,
            // The subnets after it have their turn first.
            Err(error) => {
                failed.get_or_insert(error);
            }
        }
    }
    failed.map_or(Ok(complete), Err)
}

/// Shows a subnet in numbers.
fn show(metrics: &Metrics, name: &str, shares: &Shares) {
    let pools = i64::try_from(shares.pools.len()).unwrap_or(i64::MAX);
    let available = shares.total.saturating_sub(shares.allocated);
    metrics.set_subnet(name, count(shares.total), count(available), pools);
}

async fn reconcile_one(
    leader: &Leader,
    catalog: &Catalog,
    subnets: &Api<SpiderSubnet>,
    name: &str,
    subnet: &SpiderSubnet,
) -> Result<bool, ControllerError> {
    // What cannot be read keeps what it says.
    let Some(shares) = catalog.peers.shares(name) else { return Ok(true) };
    if leader.numbers {
        show(&leader.metrics, name, &shares);
    }
    let mut complete = true;
    if subnet.metadata.deletion_timestamp.is_some() {
        for pool in &shares.pools {
            complete &= delete(leader, catalog, name, pool).await?;
        }
    } else if catalog.settings.enable_spider_subnet {
        for pool in &shares.orphans {
            complete &= adopt(leader, subnet, pool).await?;
        }
    }
    report(subnets, subnet, &shares).await?;
    Ok(complete)
}

/// Writes the status if it should be another.
async fn report(
    subnets: &Api<SpiderSubnet>,
    subnet: &SpiderSubnet,
    shares: &Shares,
) -> Result<(), ControllerError> {
    let wanted = status(shares);
    let now = subnet.status.clone().unwrap_or_default();
    if wanted == now {
        return Ok(());
    }
    let patch = json!({
        "metadata": { "resourceVersion": subnet.metadata.resource_version },
        // A merge patch removes what is null.
        "status": {
            "controlledIPPools": wanted.controlled_ip_pools,
            "totalIPCount": wanted.total_ip_count,
            "allocatedIPCount": wanted.allocated_ip_count,
        },
    });
    let patched = subnets.patch_status(&subnet.name_any(), &patch_parameters(), &Patch::Merge(&patch)).await;
    fenced("write the status of a subnet", patched).map(drop)
}

fn status(shares: &Shares) -> SpiderSubnetStatus {
    SpiderSubnetStatus {
        controlled_ip_pools: shares.controlled.clone(),
        total_ip_count: Some(count(shares.total)),
        allocated_ip_count: Some(count(shares.allocated)),
    }
}

/// A /64 has more addresses than a number of a status or a metric can say.
fn count(addresses: u128) -> i64 {
    i64::try_from(addresses).unwrap_or(i64::MAX)
}

/// Takes a pool on that was there before its subnet.
async fn adopt(leader: &Leader, subnet: &SpiderSubnet, name: &str) -> Result<bool, ControllerError> {
    let pools: Api<SpiderIPPool> = Api::all(leader.client.clone());
    let read = pools.get_opt(name).await;
    let Some(pool) = read.map_err(|source| ControllerError::request("read a pool", source))? else {
        return Ok(true);
    };
    let Some(patch) = adoption(&pool, subnet) else { return Ok(true) };
    match pools.patch(name, &patch_parameters(), &Patch::Merge(&patch)).await {
        Ok(_) => info!(pool = name, subnet = subnet.name_any(), "took a pool on"),
        Err(error) => {
            warn!(pool = name, subnet = subnet.name_any(), "cannot take a pool on: {}", describe(&error));
            return Ok(false);
        }
    }
    Ok(true)
}

/// The patch that gives a pool to a subnet; none if somebody has it.
fn adoption(pool: &SpiderIPPool, subnet: &SpiderSubnet) -> Option<Value> {
    let owners = pool.owner_references();
    if owners.iter().any(|owner| owner.controller == Some(true)) || pool.metadata.deletion_timestamp.is_some()
    {
        return None;
    }
    let mut owners = json!(owners);
    owners.as_array_mut()?.push(json!({
        "apiVersion": format!("{GROUP}/{VERSION}"), "kind": Kind::Subnet.name(),
        "name": subnet.name_any(), "uid": subnet.metadata.uid,
        "controller": true, "blockOwnerDeletion": true,
    }));
    Some(json!({ "metadata": {
        "resourceVersion": pool.metadata.resource_version,
        "labels": { keys::OWNER_SUBNET: subnet.name_any() },
        "ownerReferences": owners,
    } }))
}

/// Deletes a pool of a subnet that is being deleted; its finalizer keeps it as long as pods have addresses of it.
async fn delete(
    leader: &Leader,
    catalog: &Catalog,
    subnet: &str,
    name: &str,
) -> Result<bool, ControllerError> {
    let Some(pool) = catalog.peers.pool(name) else { return Ok(true) };
    let pools: Api<SpiderIPPool> = Api::all(leader.client.clone());
    let same = Preconditions { uid: Some(pool.uid.clone()), ..Preconditions::default() };
    match pools.delete(name, &DeleteParams { preconditions: Some(same), ..DeleteParams::default() }).await {
        Ok(_) => info!(pool = name, subnet, "deleted a pool with its subnet"),
        Err(kube::Error::Api(status)) if status.code == 404 || status.code == 409 => {}
        // Admission may protect a pool that is in use.
        Err(error @ kube::Error::Api(_)) => {
            warn!(pool = name, subnet, "cannot delete a pool with its subnet: {}", describe(&error));
            return Ok(false);
        }
        Err(source) => return Err(ControllerError::request("delete a pool", source)),
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subnet() -> SpiderSubnet {
        let text = json!({ "apiVersion": "spiderpool.spidernet.io/v2beta1", "kind": "SpiderSubnet",
            "metadata": { "name": "s", "uid": "subnet-uid" }, "spec": { "subnet": "10.0.0.0/24" } });
        serde_json::from_value(text).unwrap()
    }

    fn pool(metadata: &Value) -> SpiderIPPool {
        let text = json!({ "apiVersion": "spiderpool.spidernet.io/v2beta1", "kind": "SpiderIPPool",
            "metadata": metadata, "spec": { "subnet": "10.0.0.0/24" } });
        serde_json::from_value(text).unwrap()
    }

    #[test]
    fn an_orphan_gets_owner_and_label_and_keeps_its_other_owners() {
        let other = json!({ "apiVersion": "v1", "kind": "ConfigMap", "name": "c", "uid": "u" });
        let ours = json!({ "apiVersion": "spiderpool.spidernet.io/v2beta1", "kind": "SpiderSubnet", "name": "s",
            "uid": "subnet-uid", "controller": true, "blockOwnerDeletion": true });
        let orphan = pool(&json!({ "name": "p", "resourceVersion": "7", "ownerReferences": [other] }));
        assert_eq!(
            adoption(&orphan, &subnet()),
            Some(json!({ "metadata": { "resourceVersion": "7",
                "labels": { "ipam.spidernet.io/owner-spider-subnet": "s" }, "ownerReferences": [other, ours] } }))
        );
        let controlled = pool(&json!({ "name": "p", "ownerReferences": [ours] }));
        assert_eq!(adoption(&controlled, &subnet()), None);
        let leaving = pool(&json!({ "name": "p", "deletionTimestamp": "2026-01-01T00:00:00Z" }));
        assert_eq!(adoption(&leaving, &subnet()), None);
    }

    #[test]
    fn counts_larger_than_the_field_are_its_largest_value() {
        let shares = Shares { total: u128::MAX, allocated: 7, ..Shares::default() };
        let status = status(&shares);
        assert_eq!((status.total_ip_count, status.allocated_ip_count), (Some(i64::MAX), Some(7)));
        assert_eq!(status.controlled_ip_pools, None);
    }
}
