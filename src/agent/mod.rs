//! `railweave agent`: what a node's CNI plugins ask for the addresses of pods, over a unix socket.
//!
//! The leader allocates ([`crate::controllers`]); the agent hands out what the endpoints of its node say. It watches
//! the pods and endpoints of its own node, its `RailNode`, the `SpiderCoordinator` and the configuration, and nothing
//! else: a handful of watches of a few objects, whatever the size of the cluster. Where no endpoint comes, because
//! the leader is away or because the pod was annotated by hand, `fallback` reads the rest of the world, makes the same plan
//! and the same fenced writes. `routes` is the REST API, `attach` and `detach` what is behind it; [`facts`] publishes
//! what the node has for rails. Read [`Agent`] first.

mod answer;
mod attach;
mod coordinator;
mod detach;
mod device;
pub mod facts;
mod fallback;
mod routes;
mod server;
mod sysctls;
mod view;
mod watches;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kube::Client;
use railweave_cni::sysfs::Sysfs;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tracing::warn;

use self::attach::Patience;
use self::detach::{Quarantined, Release};
use self::facts::{Facts, Network};
use self::view::View;
use crate::allocator::PodFacts;
use crate::ipam::{Cap, Holder, Quarantine, Stickiness};
use crate::sources::describe;
use crate::telemetry::health::Health;
use crate::telemetry::metrics::Metrics;

pub use routes::router;
pub use server::{SocketError, SocketServer};

/// The name under which the agent writes.
pub const FIELD_MANAGER: &str = "railweave-agent";

/// Who an agent is, and what it may.
#[derive(Clone)]
pub struct Options {
    /// Talks to the API server.
    pub client: Client,
    /// Its node.
    pub node: String,
    /// The namespace of the release.
    pub namespace: String,
    /// Name of the `ConfigMap`.
    pub config_map: String,
    /// `namespace/name` of the cluster's default network (`MULTUS_CLUSTER_NETWORK`).
    pub cluster_network: Option<String>,
    /// How many records a pool may hold.
    pub cap: Cap,
    /// Whether a plugin may give back addresses that somebody else was found to use.
    pub releases_conflicts: bool,
    /// How long the leader has to write the endpoint of a pod that is being attached.
    pub patience: Duration,
    /// Where the kernel's `/sys` is.
    pub sysfs: PathBuf,
    /// Where the kubelet tells of devices.
    pub kubelet: PathBuf,
    /// Where the kernel's `/proc/sys` is.
    pub sysctls: PathBuf,
    /// Where readiness shows.
    pub health: Health,
    /// Where work is counted.
    pub metrics: Metrics,
}

/// The agent of one node. Its parts share it.
pub struct Agent {
    options: Options,
    view: View,
    patience: Patience,
    fallback: mpsc::Sender<fallback::Request>,
    releases: mpsc::Sender<Release>,
    quarantined: Mutex<Quarantined>,
}

/// Requests on their way to a task.
const QUEUE: usize = 1024;

impl Agent {
    /// Starts the agent's tasks in `tasks`; they run until those are aborted.
    #[must_use]
    pub fn start(options: Options, tasks: &mut JoinSet<()>) -> Arc<Self> {
        let (fallback, requests) = mpsc::channel(QUEUE);
        let (releases, due) = mpsc::channel(QUEUE);
        let agent = Arc::new(Self {
            view: View::default(),
            patience: Patience::new(options.patience),
            options,
            fallback,
            releases,
            quarantined: Mutex::default(),
        });
        tasks.spawn(watches::run(agent.clone()));
        tasks.spawn(fallback::run(agent.clone(), requests));
        tasks.spawn(detach::run(agent.clone(), due));
        tasks.spawn(sysctls::run(agent.clone()));
        publish_facts(&agent.options, tasks);
        agent
    }

    /// Waits until everything is known that the cluster had when the watches started.
    pub async fn synced(&self) {
        let mut changes = self.view.changes();
        while !self.view.read(|seen| seen.missing().is_empty()) {
            // The sender lives as long as the agent.
            let _ = changes.changed().await;
        }
    }

    /// Whose addresses a pod has.
    fn holder(&self, pod: &PodFacts) -> Holder {
        let stickiness = Stickiness::of(&self.view.settings());
        Holder::of(&pod.namespace, &pod.name, pod.owner.as_ref(), stickiness)
    }

    /// Addresses that plugins gave back because somebody else uses them.
    fn quarantine(&self) -> Quarantine {
        self.quarantined.lock().unwrap_or_else(PoisonError::into_inner).now()
    }
}

fn publish_facts(options: &Options, tasks: &mut JoinSet<()>) {
    let network = match Network::open() {
        Ok(network) => network,
        Err(error) => {
            warn!("the facts of this node are not published: {}", describe(&error));
            return;
        }
    };
    let facts = Facts {
        client: options.client.clone(),
        node: options.node.clone(),
        sysfs: Sysfs::at(&options.sysfs),
        kubelet: options.kubelet.clone(),
        network,
    };
    tasks.spawn(facts.publish());
}
