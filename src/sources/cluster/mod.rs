//! A cluster as the source of objects: watches in, one compiled [`Catalog`] out.
//!
//! Each kind has its own watch task; all of them feed one task that owns the [`Assembler`], gathers changes
//! for a moment and swaps the catalog. Only what admission needs is kept: a watch hands its object on and
//! forgets it. Read [`ClusterSource`] first, then [`Progress`], which says what is still missing.

mod collect;
mod object;
mod progress;
mod specs;
mod watches;

use std::sync::Arc;

use arc_swap::ArcSwap;
use kube::Client;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::api::settings::Settings;
use crate::catalog::{Assembler, Catalog, Identity};
use crate::telemetry::metrics::Metrics;

pub use progress::Progress;
pub(crate) use watches::is_absent;

/// What is watched, and for whom.
#[derive(Clone)]
pub struct ClusterSource {
    /// Talks to the API server.
    pub client: Client,
    /// Who this railweave is.
    pub identity: Identity,
    /// Name of the `ConfigMap` in the release namespace.
    pub config_map: String,
    /// Whether nodes are watched for the resources they offer.
    pub watch_nodes: bool,
    /// Where events and restarts of watches are counted.
    pub metrics: Metrics,
}

/// The reading end of a source.
#[derive(Clone, Debug)]
pub struct Feed {
    /// The catalog in force; empty and without injection until [`Progress::synced`].
    pub catalog: Arc<ArcSwap<Catalog>>,
    /// Counts catalogs: changes with each one that is put in force.
    pub changes: watch::Receiver<u64>,
    /// What the watches have delivered.
    pub progress: Arc<Progress>,
}

/// One thing that a watch has to say.
enum Delivery {
    /// A list starts: from here to `Listed`, every object of the kind is named.
    Listing(&'static str),
    /// An object as it is now.
    Object(&'static str, Box<serde_json::Value>),
    /// An object that is gone.
    Gone(&'static str, crate::catalog::ObjectKey),
    /// The list is complete.
    Listed(&'static str),
    /// The cluster does not know the kind, and need not.
    Absent(&'static str),
}

/// Deliveries on their way; a full channel slows the watches down, not the server. Each is a tree of values, many times as
/// large as what is kept of it.
const DELIVERIES: usize = 64;

impl ClusterSource {
    /// Starts the watches in `tasks`; they run until those are aborted.
    #[must_use]
    pub fn start(self, tasks: &mut JoinSet<()>) -> Feed {
        let defaults = Settings::default();
        let mut assembler = Assembler::new(self.identity.clone(), defaults);
        let catalog = Arc::new(ArcSwap::from_pointee(assembler.assemble()));
        let (deliver, deliveries) = mpsc::channel(DELIVERIES);
        let (announce, changes) = watch::channel(0);
        let progress = Arc::new(Progress::default());
        for watched in watches::all(&self) {
            progress.expect(watched.kind);
            tasks.spawn(watches::run(watched, deliver.clone(), progress.clone(), self.metrics.clone()));
        }
        let collector = collect::Collector::new(assembler, catalog.clone(), announce, progress.clone());
        tasks.spawn(collector.run(deliveries));
        Feed { catalog, changes, progress }
    }
}

impl Feed {
    /// Waits until the catalog holds everything the cluster had when the watches started.
    pub async fn synced(&self) {
        let mut changes = self.changes.clone();
        // The sender lives as long as the collector; without one there is nothing left to wait for.
        let _ = changes.wait_for(|count| *count > 0).await;
    }
}
