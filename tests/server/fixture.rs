use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use railweave::admission::certificates::{Authority, issue_leaf, make_authority};
use railweave::admission::tls::{LiveCertificate, install_provider};
use railweave::admission::{ConnectionLimits, Drain, Options, Server, State, router};
use railweave::api::settings::Settings;
use railweave::catalog::{Catalog, Identity, Objects};
use railweave::telemetry::health::Health;
use railweave::telemetry::metrics::Metrics;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::client::{Client, Dial};

pub(crate) const HOUR: Duration = Duration::from_hours(1);

/// A running server with the guide's eight networks.
pub(crate) struct Fixture {
    pub(crate) address: SocketAddr,
    pub(crate) authority: Authority,
    pub(crate) certificate: Arc<LiveCertificate>,
    pub(crate) metrics: Metrics,
    pub(crate) health: Health,
    stop: oneshot::Sender<()>,
    running: JoinHandle<()>,
}

/// What a test may change before the server starts.
pub(crate) struct Setup {
    pub(crate) state: State,
    pub(crate) connections: ConnectionLimits,
    pub(crate) drain: Drain,
    pub(crate) client_ca: Option<String>,
    /// Whether there is a certificate from the start.
    pub(crate) certified: bool,
}

impl Fixture {
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Setup)) -> Self {
        install_provider();
        let metrics = Metrics::new().unwrap();
        let health = Health::default();
        let mut setup = Setup {
            state: State::new(Arc::new(ArcSwap::from_pointee(catalog(&settings()))), metrics.clone()),
            connections: ConnectionLimits::default(),
            drain: Drain { keep_serving: Duration::ZERO, deadline: Duration::from_secs(2) },
            client_ca: None,
            certified: true,
        };
        change(&mut setup);
        let authority = make_authority("test CA", SystemTime::now(), HOUR).unwrap();
        let certificate = Arc::new(LiveCertificate::default());
        if setup.certified {
            serve_leaf_of(&authority, &certificate);
        }
        let server = Server::bind(Options {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            router: router(setup.state),
            certificate: certificate.clone(),
            client_ca: setup.client_ca,
            limits: setup.connections,
            drain: setup.drain,
            health: health.clone(),
            metrics: metrics.clone(),
        })
        .await
        .unwrap();
        let address = server.local_addr();
        let (stop, stopped) = oneshot::channel();
        let running = tokio::spawn(server.run(async {
            let _ = stopped.await;
        }));
        Self { address, authority, certificate, metrics, health, stop, running }
    }

    /// How a client that trusts the server's CA connects.
    pub(crate) fn dial(&self) -> Dial {
        Dial::new(self.address, &self.authority.cert_pem)
    }

    /// A connection over HTTP/1.1.
    pub(crate) async fn client(&self) -> Client {
        self.dial().connect().await.unwrap()
    }

    /// Tells the server to stop; the handle ends when it has.
    pub(crate) fn stop(self) -> JoinHandle<()> {
        self.stop.send(()).unwrap();
        self.running
    }
}

/// Serves with a new certificate for `localhost` from a CA.
pub(crate) fn serve_leaf_of(authority: &Authority, certificate: &LiveCertificate) {
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let leaf = issue_leaf(authority, &names, SystemTime::now(), HOUR).unwrap();
    certificate.set(&leaf.cert_pem, &leaf.key_pem).unwrap();
}

pub(crate) fn settings() -> Settings {
    let mut settings = Settings::default();
    settings.inject.enabled = true;
    settings
}

/// Networks `gpu1-sriov` to `gpu8-sriov` of group `rdma-network`.
pub(crate) fn catalog(settings: &Settings) -> Catalog {
    let mut objects = Objects::default();
    for rail in 1..=8 {
        let network = json!({
            "apiVersion": "spiderpool.spidernet.io/v2beta1", "kind": "SpiderMultusConfig",
            "metadata": {
                "name": format!("gpu{rail}-sriov"), "namespace": "spiderpool",
                "annotations": {"cni.spidernet.io/rdma-resource-inject": "rdma-network"}
            },
            "spec": {"cniType": "sriov", "sriov": {
                "resourceName": format!("spidernet.io/gpu{rail}sriov"),
                "rdmaIsolation": true,
                "ippools": {"ipv4": [format!("gpu{rail}-net1{rail}")]}
            }}
        });
        objects.apply(&network).unwrap();
    }
    Catalog::compile(&objects, settings.clone(), &Identity::default())
}

/// The guide's pod, as a `ReplicaSet` creates it.
pub(crate) fn pod() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "generateName": "rdma-tools-7d9c5b8f6c-",
            "labels": {"app": "rdma-tools"},
            "annotations": {"cni.spidernet.io/rdma-resource-inject": "rdma-network"},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "rdma-tools-7d9c5b8f6c",
                "uid": "e7f4", "controller": true, "blockOwnerDeletion": true}]
        },
        "spec": {"containers": [{"name": "rdma-tools", "image": "docker.io/mellanox/rping-test",
            "command": ["sh", "-c", "sleep infinity"],
            "env": [{"name": "TOKEN", "value": "open-sesame"}],
            "securityContext": {"capabilities": {"add": ["IPC_LOCK"]}}}]}
    })
}

/// A review that creates an object, as the API server sends it.
pub(crate) fn create(uid: &str, object: &Value) -> Value {
    let (group, version) = match object["apiVersion"].as_str().unwrap().split_once('/') {
        Some((group, version)) => (group, version),
        None => ("", "v1"),
    };
    json!({
        "kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1",
        "request": {
            "uid": uid,
            "kind": {"group": group, "version": version, "kind": object["kind"]},
            "resource": {"group": group, "version": version,
                "resource": format!("{}s", object["kind"].as_str().unwrap().to_lowercase())},
            "namespace": object["metadata"]["namespace"].as_str().unwrap_or("team"),
            "operation": "CREATE",
            "userInfo": {"username": "system:serviceaccount:kube-system:replicaset-controller"},
            "object": object, "oldObject": null, "dryRun": false,
            "options": {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1"}
        }
    })
}

pub(crate) const PODS: &str = "/mutate--v1-pod";

/// The object after the patch of a response.
pub(crate) fn patched(object: &Value, response: &Value) -> Value {
    assert_eq!(response["patchType"], "JSONPatch");
    let patch = STANDARD.decode(response["patch"].as_str().unwrap()).unwrap();
    let patch: json_patch::Patch = serde_json::from_slice(&patch).unwrap();
    let mut patched = object.clone();
    json_patch::patch(&mut patched, &patch).unwrap();
    patched
}
