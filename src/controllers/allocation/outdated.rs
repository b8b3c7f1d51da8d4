//! Endpoints that no pool knows of are deleted, where `enableCleanOutdatedEndpoint` asks for that.
//!
//! Two looks, an interval apart, must find no record of the name in any pool; then the API server is asked for the
//! pod, and for whoever could bring the name back.

use std::collections::HashSet;

use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, Preconditions};
use kube::{Api, Client, ResourceExt};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::{info, warn};

use super::keeper::Keeper;
use super::options::Collection;
use super::world::World;
use crate::allocator::EndpointFacts;
use crate::api::SpiderEndpoint;
use crate::ipam::Stickiness;
use crate::sources::describe;

/// The look-out for such endpoints.
#[derive(Default)]
pub(super) struct Outdated {
    looked: Option<Instant>,
    /// `namespace/name` and UID of the pod, as the last look found them.
    found: HashSet<(String, String)>,
    deletions: JoinSet<()>,
}

impl Outdated {
    /// Looks once in each interval.
    pub(super) fn look(
        &mut self,
        world: &World,
        collection: &Collection,
        stickiness: Stickiness,
        client: &Client,
    ) {
        while self.deletions.try_join_next().is_some() {}
        let now = Instant::now();
        if self.looked.is_some_and(|looked| looked + collection.interval > now) {
            return;
        }
        self.looked = Some(now);
        let found = without_record(world);
        for (key, uid) in found.intersection(&self.found) {
            if let Some(endpoint) = world.endpoints.get(key).filter(|endpoint| endpoint.uid == *uid) {
                let (client, key, endpoint) = (client.clone(), key.clone(), endpoint.clone());
                self.deletions.spawn(async move {
                    match delete(&client, &key, &endpoint, stickiness).await {
                        Ok(true) => info!(endpoint = key, "deleted an endpoint that no pool knows of"),
                        Ok(false) => {}
                        Err(error) => {
                            warn!(endpoint = key, "failed to delete an endpoint: {}", describe(&error));
                        }
                    }
                });
            }
        }
        self.found = found;
    }
}

/// Endpoints of pods that are not there, whose names no record has. Where records cannot be read, nobody knows.
fn without_record(world: &World) -> HashSet<(String, String)> {
    let ledgers = world.books.ledgers();
    if ledgers.iter().any(|(_, ledger)| ledger.is_err()) {
        return HashSet::new();
    }
    let outdated = world
        .endpoints
        .iter()
        .filter(|(key, endpoint)| ledgers.of_pod(key).is_empty() && world.pods.get(&endpoint.uid).is_none());
    outdated.map(|(key, endpoint)| (key.to_owned(), endpoint.uid.clone())).collect()
}

/// Deletes the endpoint unless somebody still needs it; returns whether it is gone.
async fn delete(
    client: &Client,
    key: &str,
    observed: &EndpointFacts,
    stickiness: Stickiness,
) -> Result<bool, kube::Error> {
    let (namespace, name) = key.split_once('/').unwrap_or_default();
    let pod = Api::<Pod>::namespaced(client.clone(), namespace).get_metadata_opt(name).await?;
    if pod.is_some_and(|pod| pod.metadata.uid.as_deref() == Some(&*observed.uid)) {
        return Ok(false);
    }
    if let Some(keeper) = Keeper::of(observed, namespace, name, stickiness)
        && keeper.keeps(client).await?
    {
        return Ok(false);
    }
    let api: Api<SpiderEndpoint> = Api::namespaced(client.clone(), namespace);
    let Some(endpoint) = api.get_opt(name).await? else { return Ok(true) };
    if EndpointFacts::of(&endpoint) != *observed {
        return Ok(false);
    }
    // A finalizer of Spiderpool's on it is taken off by the loop over deleted endpoints.
    let preconditions = Preconditions { uid: endpoint.uid(), resource_version: endpoint.resource_version() };
    api.delete(name, &DeleteParams::default().preconditions(preconditions)).await?;
    Ok(true)
}
