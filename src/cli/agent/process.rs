use std::time::Duration;

use tokio::task::JoinSet;
use tracing::info;

use super::AgentArgs;
use crate::agent::{Agent, Options, SocketServer, router};
use crate::cli::process::{ProcessError, client, serve_admin, stop_signal, stopped};
use crate::ipam::Cap;
use crate::telemetry::health::{CACHES, Health, SOCKET};
use crate::telemetry::metrics::Metrics;

/// Runs until SIGTERM or SIGINT, then ends the requests under way.
pub(super) async fn run(args: AgentArgs) -> Result<(), ProcessError> {
    let admin = args.admin_addresses();
    let AgentArgs {
        kubeconfig,
        node,
        namespace,
        config_map,
        socket,
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
    let stop = stop_signal()?;
    let client = client(kubeconfig).await?;
    let metrics = Metrics::new()?;
    let health = Health::requiring(&[SOCKET, CACHES]);
    let mut tasks = JoinSet::new();
    serve_admin(admin, &health, &metrics, &mut tasks).await?;
    let agent = Agent::start(
        Options {
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
        },
        &mut tasks,
    );
    // A plugin that asks before everything is known would be told what is not so.
    tokio::select! {
        () = agent.synced() => {
            let server = SocketServer::bind(&socket)?;
            health.set(SOCKET, true, socket.display().to_string());
            info!(socket = %socket.display(), "serving");
            let drains = async {
                stopped(stop.clone()).await;
                health.start_draining();
            };
            tokio::join!(server.run(router(agent), stop.clone()), drains);
        }
        () = stopped(stop.clone()) => {}
    }
    tasks.shutdown().await;
    info!("stopped");
    Ok(())
}
