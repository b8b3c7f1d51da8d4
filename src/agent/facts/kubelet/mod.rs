//! Which devices stand behind which resource, from the kubelet's pod-resources API (`podresources/v1`).
//!
//! The kubelet tells nobody when they change, so it is asked again and again.

mod grpc;
mod messages;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use super::ports::Resource;
use crate::sources::describe;
use grpc::{GrpcError, call};
use messages::{Allocatable, Allocated, ContainerDevices, Empty};

/// How often it is asked.
pub(super) const EVERY: Duration = Duration::from_secs(5);
const DEADLINE: Duration = Duration::from_secs(5);

/// How the kubelet answered last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Answering,
    /// Its socket is not there: a node without the API, or a kubelet that is just being restarted.
    Absent,
    Failing,
}

/// Asks for ever. Until the first answer nothing is told; without one, what was last told stays.
pub(super) async fn follow(
    socket: PathBuf,
    every: Duration,
    resources: watch::Sender<Option<Arc<[Resource]>>>,
) {
    let mut told = None;
    loop {
        let asked = timeout(DEADLINE, ask(&socket)).await;
        let state = match &asked {
            Ok(Ok(_)) => State::Answering,
            Ok(Err(error)) if error.nobody_there() => State::Absent,
            _ => State::Failing,
        };
        if told.replace(state) != Some(state) {
            let error = asked.as_ref().map_or_else(
                |_| format!("no answer within {DEADLINE:?}"),
                |answer| answer.as_ref().err().map(|error| describe(error)).unwrap_or_default(),
            );
            report(state, &socket, &error);
        }
        let answer = asked.ok().and_then(Result::ok);
        resources.send_if_modified(|known| {
            let news = answer.map(Arc::from).or_else(|| known.is_none().then(Arc::default));
            news.is_some_and(|news| known.replace(Arc::clone(&news)) != Some(news))
        });
        sleep(every).await;
    }
}

fn report(state: State, socket: &Path, error: &str) {
    let socket = socket.display();
    match state {
        State::Answering => info!(%socket, "the kubelet tells which devices are behind which resource"),
        State::Absent => info!(%socket, "no kubelet to ask; resources stay as they were last known: {error}"),
        State::Failing => warn!(%socket, "resources stay as they were last known: {error}"),
    }
}

/// All devices that plugins offer and that are healthy; of a kubelet that does not list them, those that pods have.
async fn ask(socket: &Path) -> Result<Vec<Resource>, GrpcError> {
    match call(socket, "/v1.PodResourcesLister/GetAllocatableResources", &Empty {}).await {
        Ok(Allocatable { devices }) => Ok(resources(devices)),
        // Unknown to it (12), or turned off, which has no code of its own.
        Err(GrpcError::Status { .. }) => {
            let Allocated { pods } = call(socket, "/v1.PodResourcesLister/List", &Empty {}).await?;
            let containers = pods.into_iter().flat_map(|pod| pod.containers);
            Ok(resources(containers.flat_map(|container| container.devices)))
        }
        Err(error) => Err(error),
    }
}

fn resources(devices: impl IntoIterator<Item = ContainerDevices>) -> Vec<Resource> {
    let named = devices
        .into_iter()
        .map(|ContainerDevices { resource, devices }| Resource { name: resource, devices });
    named.collect()
}
