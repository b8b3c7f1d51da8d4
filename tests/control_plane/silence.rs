//! Connections that are open and lead nowhere any more, as behind a load balancer that forgot them.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use kube::Api;
use serde_json::{Value, json};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::allocation::{
    RAILS, assert_served, create_nodes, create_pods, delete_pods, network_of_rail, rails_of_size, released,
    served,
};
use crate::installation::{CONTROLLER, Installation, NAMESPACE, Options};

/// A port in front of another one. What it forwards at a given moment can fall silent: such connections stay open, and
/// nothing passes any more. Later ones work.
struct Detour {
    silenced: watch::Sender<u32>,
    accepts: JoinHandle<()>,
}

impl Detour {
    /// Has a kubeconfig lead to the port instead of the API server.
    async fn of(kubeconfig: &Path) -> Self {
        let read = std::fs::read_to_string(kubeconfig).unwrap();
        let mut config: Value = serde_json::from_str(&read).unwrap();
        let server = &mut config["clusters"][0]["cluster"]["server"];
        let target = server.as_str().unwrap().trim_start_matches("https://").parse().unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        *server = json!(format!("https://{}", listener.local_addr().unwrap()));
        std::fs::write(kubeconfig, config.to_string()).unwrap();
        let silenced = watch::Sender::new(0);
        let accepts = tokio::spawn(accept(listener, target, silenced.clone()));
        Self { silenced, accepts }
    }

    fn silence(&self) {
        self.silenced.send_modify(|times| *times += 1);
    }
}

impl Drop for Detour {
    fn drop(&mut self) {
        self.accepts.abort();
    }
}

async fn accept(listener: TcpListener, target: SocketAddr, silenced: watch::Sender<u32>) {
    while let Ok((mut client, _)) = listener.accept().await {
        let mut silenced = silenced.subscribe();
        tokio::spawn(async move {
            let mut server = TcpStream::connect(target).await?;
            tokio::select! {
                ended = copy_bidirectional(&mut client, &mut server) => ended.map(drop),
                // Both ends stay open, unread.
                _ = silenced.changed() => std::future::pending().await,
            }
        });
    }
}

/// All connections of a leader fall silent, its watches among them: within seconds it knows what happened since and
/// goes on with its work, and it never stops leading.
pub(crate) async fn of_connections_costs_seconds_and_no_leadership() {
    const PODS: usize = 8;
    let flags = ["--api-silence=5"];
    let options = Options { replicas: 0, flags: &flags, ..Options::default() };
    let mut installation = Installation::start("silence", options).await;
    let detour = Detour::of(installation.kubeconfig()).await;
    installation.add_replica().await;
    installation.cluster.apply(&rails_of_size(PODS));
    create_nodes(&installation, 2);
    installation.registered().await;
    installation.knows_rails(RAILS).await;
    create_pods(&installation, PODS, 2).await;
    served(&installation, PODS).await;

    for round in 1..=3 {
        detour.silence();
        delete_pods(&installation).await;
        released(&installation).await;
        // What webhooks decide with comes by watches as well.
        let name = format!("gpu{}-sriov", RAILS + round);
        installation.cluster.apply(&network_of_rail(RAILS + round, "rail-1"));
        installation.knows_rails(RAILS + 1).await;
        installation.cluster.kubectl_ok(&["delete", "spidermultusconfig", "-n", NAMESPACE, &name], "");
        installation.knows_rails(RAILS).await;
        create_pods(&installation, PODS, 2).await;
        served(&installation, PODS).await;
        assert_served(&installation, PODS).await;
        // Two silences within one renewal would be one too many.
        let before = lease(&installation).await.renew_time;
        installation
            .wait_for("a renewal", || async { lease(&installation).await.renew_time != before })
            .await;
    }
    assert_eq!(lease(&installation).await.lease_transitions, Some(0));
}

async fn lease(installation: &Installation) -> LeaseSpec {
    let leases = Api::<Lease>::namespaced(installation.cluster.client.clone(), NAMESPACE);
    leases.get(CONTROLLER).await.unwrap().spec.unwrap()
}
