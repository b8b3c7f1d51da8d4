//! Tells the cluster-wide `SpiderCoordinator` which CIDRs pods and Services have, for the routes of pods.
//!
//! What the cluster says is asked for again twice a minute instead of watched: it changes next to never, most of
//! it may be absent, and a kind that is installed later is found without more ado.

mod cidrs;
mod read;

use std::time::Duration;

use futures::StreamExt;
use kube::Api;
use kube::api::Patch;
use kube::runtime::{WatchStreamExt, watcher};
use serde_json::json;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{info, warn};

use super::error::fenced;
use super::supervise::timed;
use super::{ControllerError, Leader, patch_parameters};
use crate::api::{SpiderCoordinator, keys};
use crate::sources::{Backoff, describe};

/// Between two looks at the cluster.
const LOOK: Duration = Duration::from_secs(30);

/// Follows the coordinator and the cluster until an error.
pub(super) async fn run(leader: &Leader) -> Result<(), ControllerError> {
    let coordinators: Api<SpiderCoordinator> = Api::all(leader.client.clone());
    let only = watcher::Config::default().fields(&format!("metadata.name={}", keys::COORDINATOR));
    let backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(5));
    let mut events = watcher(coordinators.clone(), only).backoff(backoff).boxed();
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut known: Option<SpiderCoordinator> = None;
    loop {
        tokio::select! {
            Some(event) = events.next() => match event {
                Ok(watcher::Event::Init | watcher::Event::Delete(_)) => known = None,
                Ok(watcher::Event::InitApply(object) | watcher::Event::Apply(object)) => known = Some(object),
                Ok(watcher::Event::InitDone) => {}
                Err(error) => warn!(controller = "coordinator", "watch failed: {}", describe(&error)),
            },
            _ = looks.tick() => {}
        }
        if let Some(coordinator) = &known {
            timed(&leader.metrics, "coordinator", reconcile(leader, &coordinators, coordinator)).await?;
        }
    }
}

async fn reconcile(
    leader: &Leader,
    coordinators: &Api<SpiderCoordinator>,
    coordinator: &SpiderCoordinator,
) -> Result<(), ControllerError> {
    if coordinator.metadata.deletion_timestamp.is_some() {
        return Ok(());
    }
    let sources = read::sources(&leader.client).await?;
    let before = coordinator.status.clone().unwrap_or_default();
    let status = sources.status(coordinator.spec.pod_cidr_type.as_deref().unwrap_or("auto"), &before);
    if status == before {
        return Ok(());
    }
    let patch = json!({
        "metadata": { "resourceVersion": coordinator.metadata.resource_version },
        // A merge patch removes what is null.
        "status": {
            "phase": status.phase, "reason": status.reason,
            "overlayPodCIDR": status.overlay_pod_cidr, "serviceCIDR": status.service_cidr,
        },
    });
    let patched =
        coordinators.patch_status(keys::COORDINATOR, &patch_parameters(), &Patch::Merge(&patch)).await;
    if fenced("write the status of the coordinator", patched)?.is_some() {
        let (pods, services) = (&status.overlay_pod_cidr, &status.service_cidr);
        match &status.reason {
            None => info!(?pods, ?services, "found the CIDRs of the cluster"),
            Some(reason) => warn!(coordinator = keys::COORDINATOR, "{reason}"),
        }
    }
    Ok(())
}
