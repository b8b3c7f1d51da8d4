//! What the leader keeps in order, one file for each loop.
//!
//! [`leader`] says who that is; [`lead`] runs the loops as long as the lease is held and stops them, wherever
//! they are, when it is lost. A loop that fails is started again with growing waits; none of them is needed
//! for admission to answer. [`certificates::CertificateSecret::follow`] is the one thing here that every
//! replica does.

mod allocation;
pub mod certificates;
mod conditions;
mod configuration;
mod coordinator;
mod defaults;
mod endpoints;
mod error;
mod finalizers;
pub mod leader;
mod namespaces;
mod networks;
mod pools;
mod registration;
mod subnets;
mod supervise;

use kube::Client;
use kube::api::PatchParams;
use kube::runtime::events::{Recorder, Reporter};
use tokio::sync::watch;

use crate::sources::cluster::Feed;
use crate::telemetry::metrics::Metrics;

pub use allocation::{AllocationOptions, Collection};
use certificates::CertificateSecret;
pub use error::ControllerError;
pub use registration::Registrar;
pub use supervise::keep;

/// The name under which fields are owned.
pub const FIELD_MANAGER: &str = "railweave";

/// How objects are patched, other than by server-side apply.
fn patch_parameters() -> PatchParams {
    PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() }
}

/// Writes Events. It counts what it says again, and for that remembers everything that it said in the last minutes.
#[must_use]
pub fn recorder(client: Client) -> Recorder {
    Recorder::new(client, Reporter { controller: FIELD_MANAGER.into(), instance: None })
}

/// What every loop of the leader works with.
#[derive(Clone)]
pub struct Leader {
    /// Talks to the API server.
    pub client: Client,
    /// The namespace of the release.
    pub namespace: String,
    /// The name of the release's objects.
    pub name: String,
    /// Name of the `ConfigMap`.
    pub config_map: String,
    /// How addresses are allocated.
    pub allocation: AllocationOptions,
    /// Whether each pool and each subnet has metrics of its own.
    pub numbers: bool,
    /// The catalog and its changes.
    pub feed: Feed,
    /// Where work is counted.
    pub metrics: Metrics,
    /// Writes Events that may repeat; [`recorder`] makes another one for those that do not.
    pub recorder: Recorder,
}

/// Runs all loops whenever this replica leads; never returns.
///
/// `certificates` is none when somebody else makes them.
pub async fn lead(
    leader: Leader,
    registrar: Registrar,
    certificates: Option<CertificateSecret>,
    mut leading: watch::Receiver<bool>,
) {
    loop {
        if leading.wait_for(|leads| *leads).await.is_err() {
            return;
        }
        leader.metrics.leader.set(1);
        tokio::select! {
            () = work(&leader, &registrar, certificates.as_ref()) => {}
            _ = leading.wait_for(|leads| !*leads) => {}
        }
        leader.metrics.leader.set(0);
        // They are another's to tell now.
        leader.metrics.forget_pools();
        leader.metrics.forget_subnets();
    }
}

/// All loops, side by side.
async fn work(leader: &Leader, registrar: &Registrar, certificates: Option<&CertificateSecret>) {
    let rotation = async {
        if let Some(certificates) = certificates {
            keep("certificates", || certificates.rotate(registrar.published.subscribe())).await;
        }
    };
    tokio::join!(
        rotation,
        keep("registration", || registration::run(leader, registrar)),
        keep("namespaces", || namespaces::run(leader)),
        keep("allocation", || allocation::run(leader)),
        keep("networks", || networks::run(leader)),
        keep("pools", || pools::run(leader)),
        keep("subnets", || subnets::run(leader)),
        keep("endpoints", || endpoints::run(leader)),
        keep("coordinator", || coordinator::run(leader)),
        keep("defaults", || defaults::run(leader)),
        keep("finalizers", || finalizers::run(leader)),
        keep("configuration", || configuration::run(leader)),
    );
}
