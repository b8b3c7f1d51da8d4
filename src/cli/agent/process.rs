use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::info;

use super::AgentArgs;
use crate::agent::{Agent, Options, SocketServer, router};
use crate::cli::process::{ProcessError, serve_admin, stop_signal, stopped, watch_over};
use crate::ipam::Cap;
use crate::telemetry::health::{CACHES, Health, SOCKET};
use crate::telemetry::metrics::Metrics;

/// Runs until SIGTERM or SIGINT, then ends the requests under way.
pub(super) async fn run(args: AgentArgs) -> Result<(), ProcessError> {
    let stop = stop_signal()?;
    let socket = args.socket.clone();
    let health = Health::requiring(&[SOCKET, CACHES]);
    let mut tasks = JoinSet::new();
    let agent = start(args, &health, &mut tasks).await?;
    let serving = async {
        let served = tokio::select! {
            // A plugin that asks before everything is known would be told what is not so.
            () = agent.synced() => serve(agent, &socket, &health, &stop).await,
            () = stopped(stop.subscribe()) => Ok(()),
        };
        // Without a socket there is nothing left to do.
        stop.send_replace(true);
        served
    };
    let (served, ended) = tokio::join!(serving, watch_over(&mut tasks, &stop));
    tasks.shutdown().await;
    info!("stopped");
    served.and(ended)
}

/// Opens health and metrics, and starts the agent's tasks.
async fn start(
    args: AgentArgs,
    health: &Health,
    tasks: &mut JoinSet<()>,
) -> Result<Arc<Agent>, ProcessError> {
    let admin = args.admin_addresses();
    let AgentArgs {
        connection,
        node,
        namespace,
        config_map,
        socket: _,
        cluster_network,
        pool_max_records,
        release_conflicts,
        admin_listen: _,
        health_port: _,
        metrics_port: _,
        patience_ms,
        sysfs,
        pod_resources,
        sysctls,
        logging: _,
    } = args;
    let client = connection.client().await?;
    let metrics = Metrics::for_agent()?;
    serve_admin(admin, health, &metrics, tasks).await?;
    let options = Options {
        client,
        node,
        namespace,
        config_map,
        cluster_network: cluster_network.filter(|network| !network.is_empty()),
        cap: Cap { records: pool_max_records, ..Cap::default() },
        releases_conflicts: release_conflicts,
        patience: Duration::from_millis(patience_ms),
        sysfs,
        kubelet: pod_resources,
        sysctls,
        health: health.clone(),
        metrics,
    };
    Ok(Agent::start(options, tasks))
}

async fn serve(
    agent: Arc<Agent>,
    socket: &Path,
    health: &Health,
    stop: &watch::Sender<bool>,
) -> Result<(), ProcessError> {
    let server = SocketServer::bind(socket)?;
    health.set(SOCKET, true, socket.display().to_string());
    info!(socket = %socket.display(), "serving");
    let drains = async {
        stopped(stop.subscribe()).await;
        health.start_draining();
    };
    tokio::join!(server.run(router(agent), stop.subscribe()), drains);
    Ok(())
}
