//! What the processes of a cluster have in common: the admin port, signals, how they end.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::path::PathBuf;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::{error, info, warn};

use crate::admission::ServeError;
use crate::agent::SocketError;
use crate::sources::describe;
use crate::telemetry::admin::AdminServer;
use crate::telemetry::health::Health;
use crate::telemetry::metrics::Metrics;

/// Why a process of the cluster could not be started, or ended before it was told to.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// The kubeconfig cannot be used.
    #[error("failed to read the kubeconfig {path}")]
    Kubeconfig {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<kube::config::KubeconfigError>,
    },
    /// There is neither a kubeconfig nor a service account.
    #[error("failed to find out how to reach the API server; give --kubeconfig")]
    Infer(#[source] Box<kube::config::InferConfigError>),
    /// The client cannot be made.
    #[error("failed to set up the client of the API server")]
    Client(#[source] Box<kube::Error>),
    /// A file cannot be read.
    #[error("failed to read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The times of the election do not fit each other.
    #[error("{0}")]
    Election(String),
    /// The admin port cannot be opened.
    #[error("failed to listen on {address} for health and metrics")]
    Admin {
        /// As asked for.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The webhook port cannot be opened.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// The agent's socket cannot be opened.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// A metric is registered twice.
    #[error("failed to register the metrics")]
    Metrics(#[from] prometheus::Error),
    /// A part of the process is gone; whoever started the process starts a whole one.
    #[error("a task ended that runs as long as the process")]
    Task(#[source] Option<tokio::task::JoinError>),
    /// Signals cannot be received.
    #[error("failed to listen for signals")]
    Signal(#[source] std::io::Error),
}

/// Opens health and metrics.
pub(super) async fn serve_admin(
    addresses: Vec<SocketAddr>,
    health: &Health,
    metrics: &Metrics,
    tasks: &mut JoinSet<()>,
) -> Result<(), ProcessError> {
    for address in addresses {
        let admin = AdminServer::bind(address, health.clone(), metrics.clone())
            .await
            .map_err(|source| ProcessError::Admin { address, source })?;
        tasks.spawn(async move {
            if let Err(error) = admin.run(std::future::pending()).await {
                warn!(%address, "health and metrics ended: {}", describe(&error));
            }
        });
    }
    Ok(())
}

/// IPv6 sockets take IPv4 connections as well, but not every machine has IPv6.
pub(super) fn on_all_addresses(port: u16) -> SocketAddr {
    let has_ipv6 = TcpListener::bind((Ipv6Addr::UNSPECIFIED, 0)).is_ok();
    if has_ipv6 { (Ipv6Addr::UNSPECIFIED, port).into() } else { (Ipv4Addr::UNSPECIFIED, port).into() }
}

/// Turns true with the first SIGTERM or SIGINT.
pub(super) fn stop_signal() -> Result<watch::Sender<bool>, ProcessError> {
    let mut terminate = signal(SignalKind::terminate()).map_err(ProcessError::Signal)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(ProcessError::Signal)?;
    let stop = watch::Sender::new(false);
    let tell = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        info!("told to stop");
        tell.send_replace(true);
    });
    Ok(stop)
}

/// Waits for it.
pub(super) async fn stopped(mut stop: watch::Receiver<bool>) {
    // An error would mean that the signal task is gone, which is as good a reason to stop.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Waits until the process is told to stop. If one of its tasks ends before, the process stops as if it had been told to, so
/// that what is under way is finished, but with an error: a replica that leads without its loops, or decides on a
/// catalog that stands still, is worse than one that starts again.
pub(super) async fn watch_over(
    tasks: &mut JoinSet<()>,
    stop: &watch::Sender<bool>,
) -> Result<(), ProcessError> {
    let ended = tokio::select! {
        biased;
        () = stopped(stop.subscribe()) => return Ok(()),
        ended = tasks.join_next() => ended,
    };
    let error = ProcessError::Task(ended.and_then(Result::err));
    error!("stopping: {}", describe(&error));
    stop.send_replace(true);
    Err(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endless() -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        tasks.spawn(std::future::pending());
        tasks
    }

    #[tokio::test]
    async fn a_task_that_panics_stops_the_process_with_an_error() {
        let (mut tasks, stop) = (endless(), watch::Sender::new(false));
        tasks.spawn(async { panic!("a loop broke") });
        let error = watch_over(&mut tasks, &stop).await.unwrap_err();
        assert!(matches!(&error, ProcessError::Task(Some(cause)) if cause.is_panic()), "{error:?}");
        assert!(*stop.borrow(), "everybody else stops in good order");
    }

    #[tokio::test]
    async fn so_does_one_that_comes_to_an_end() {
        let (mut tasks, stop) = (endless(), watch::Sender::new(false));
        tasks.spawn(async {});
        let error = watch_over(&mut tasks, &stop).await.unwrap_err();
        assert!(matches!(error, ProcessError::Task(None)), "{error:?}");
        assert!(*stop.borrow());
    }

    #[tokio::test]
    async fn tasks_that_end_after_the_signal_are_no_error() {
        let (mut tasks, stop) = (endless(), watch::Sender::new(true));
        tasks.spawn(async {});
        assert!(watch_over(&mut tasks, &stop).await.is_ok());
    }
}
