//! railweave on a control plane: installed with Helm as the guide says, except that its replicas are processes
//! of this machine, with the rights that the chart gives them.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, PostParams};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::cluster::{Cluster, Components};
use crate::objects::{is_plain, opted_in_pod};
use crate::replica::Replica;
use crate::service::Service;

pub(crate) const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/charts/railweave");
/// Namespace of the release, and of the guide's networks.
pub(crate) const NAMESPACE: &str = "spiderpool";
/// Name of the controller's objects: that of the release with `-controller`.
pub(crate) const CONTROLLER: &str = "spiderpool-controller";

/// How railweave is installed.
pub(crate) struct Options<'a> {
    pub(crate) components: Components,
    pub(crate) replicas: usize,
    /// `--set` of Helm, besides switching injection on.
    pub(crate) values: &'a [&'a str],
    /// Further arguments of `railweave controller`.
    pub(crate) flags: &'a [&'a str],
}

impl Default for Options<'_> {
    fn default() -> Self {
        Self { components: Components::Api, replicas: 1, values: &[], flags: &[] }
    }
}

/// A control plane with railweave. Replicas end before the control plane does.
pub(crate) struct Installation {
    pub(crate) replicas: Vec<Replica>,
    pub(crate) service: Service,
    pub(crate) cluster: Cluster,
    kubeconfig: PathBuf,
    flags: Vec<String>,
    started: usize,
}

impl Installation {
    /// Installs the chart, starts the replicas, and waits until all are ready and registered.
    pub(crate) async fn start(test: &str, options: Options<'_>) -> Self {
        let cluster = Cluster::start(test, options.components).await;
        Self::on(cluster, options).await
    }

    /// As [`Self::start`], on a control plane that is there already; a release of the name is upgraded.
    pub(crate) async fn on(cluster: Cluster, options: Options<'_>) -> Self {
        let mut arguments =
            vec!["upgrade", "--install", "spiderpool", CHART, "--namespace", NAMESPACE, "--create-namespace"];
        let enabled = ["spiderpoolController.podResourceInject.enabled=true"];
        for value in enabled.iter().chain(options.values) {
            arguments.extend(["--set", value]);
        }
        cluster.helm_ok(&arguments);
        let kubeconfig = cluster.service_account(NAMESPACE, CONTROLLER);
        let service = Service::listen().await;
        let flags = options.flags.iter().map(|flag| (*flag).to_owned()).collect();
        let mut installation = Self { replicas: Vec::new(), service, cluster, kubeconfig, flags, started: 0 };
        for _ in 0..options.replicas {
            installation.add_replica().await;
        }
        if options.replicas > 0 {
            installation.registered().await;
        }
        installation
    }

    /// What replicas reach the API server with; those that start later read what it says then.
    pub(crate) fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// Starts one more replica and waits until it is ready.
    pub(crate) async fn add_replica(&mut self) {
        self.started += 1;
        let flags: Vec<&str> = self.flags.iter().map(String::as_str).collect();
        let name = format!("{CONTROLLER}-{}", self.started);
        let mut replica =
            Replica::start(&name, &self.kubeconfig, &self.cluster.logs(), &self.service.url(), &flags);
        replica.ready().await;
        self.service.add(replica.endpoint).await;
        self.replicas.push(replica);
    }

    /// Applies the guide's networks and waits until pods get them.
    pub(crate) async fn with_rails(self, rails: usize) -> Self {
        self.cluster.apply(&crate::objects::rails(rails));
        self.knows_rails(rails).await;
        self
    }

    /// Waits until pods get as many networks.
    pub(crate) async fn knows_rails(&self, rails: usize) {
        self.wait_for("the rails", || async {
            self.try_pod("default", &opted_in_pod()).await.is_ok_and(|pod| {
                let labels = pod.metadata.labels.unwrap_or_default();
                labels.get("railweave.io/rails") == Some(&rails.to_string())
            })
        })
        .await;
    }

    /// Replaces the text of the configuration, in YAML or JSON.
    pub(crate) fn configure(&self, configuration: &str) {
        let patch = json!({"data": {"conf.yml": configuration}}).to_string();
        let edit = ["patch", "configmap", "spiderpool-config", "-n", NAMESPACE, "--type=merge", "-p", &patch];
        self.cluster.kubectl_ok(&edit, "");
    }

    /// Waits until both webhook configurations carry a CA for every entry.
    pub(crate) async fn registered(&self) {
        for kind in ["mutatingwebhookconfiguration", "validatingwebhookconfiguration"] {
            self.wait_for(kind, || async {
                let entries = self.entries(kind);
                !entries.is_empty()
                    && entries.iter().all(|entry| entry["clientConfig"]["caBundle"].is_string())
            })
            .await;
        }
    }

    /// Waits until the policies on the final pod are in force, a few seconds after the webhooks changed.
    pub(crate) async fn policies_in_force(&self) {
        let parameter = format!("{CONTROLLER}-final-state");
        let parameter = ["get", "mutatingwebhookconfiguration", &parameter, "-o", "json"];
        self.wait_for("the policies", || async {
            let printed = self.cluster.kubectl(&parameter, "");
            let parameter: Value = serde_json::from_str(&printed.out).unwrap_or_default();
            let included = &parameter["metadata"]["annotations"]["railweave.io/included-namespaces"];
            // Until then it is suspended.
            included.as_str().is_some_and(|included| included != "^$")
        })
        .await;
        // The API server needs a moment to see it.
        sleep(Duration::from_millis(500)).await;
    }

    fn entries(&self, kind: &str) -> Vec<Value> {
        let printed = self.cluster.kubectl(&["get", "-o", "json", kind, CONTROLLER], "");
        let object: Value = serde_json::from_str(&printed.out).unwrap_or_default();
        object["webhooks"].as_array().cloned().unwrap_or_default()
    }

    /// Pods of a namespace.
    pub(crate) fn pods(&self, namespace: &str) -> Api<Pod> {
        Api::namespaced(self.cluster.client.clone(), namespace)
    }

    /// What the API server makes of a pod, without storing it.
    pub(crate) async fn try_pod(&self, namespace: &str, pod: &Pod) -> kube::Result<Pod> {
        let dry_run = PostParams { dry_run: true, ..PostParams::default() };
        self.pods(namespace).create(&dry_run, pod).await
    }

    /// Creates a namespace, and waits until it takes pods.
    pub(crate) async fn create_namespace(&self, name: &str) {
        self.cluster.kubectl_ok(&["create", "namespace", name], "");
        let found = ["get", "serviceaccount", "default", "--namespace", name];
        if !self.cluster.kubectl(&found, "").ok {
            // Without a controller manager nobody else makes it; with one, either may be first.
            self.cluster.kubectl(&["create", "serviceaccount", "default", "--namespace", name], "");
        }
        self.wait_for("the service account", || async { self.cluster.kubectl(&found, "").ok }).await;
    }

    /// Whether an opted-in pod would be left as it is.
    pub(crate) async fn leaves_plain(&self, namespace: &str) -> bool {
        self.try_pod(namespace, &opted_in_pod()).await.is_ok_and(|pod| is_plain(&pod))
    }

    /// Waits for something, asking every 50 ms, 60 s at most. Returns how long it took.
    pub(crate) async fn wait_for<F: Future<Output = bool>>(
        &self,
        what: &str,
        holds: impl Fn() -> F,
    ) -> Duration {
        let begun = Instant::now();
        while !holds().await {
            assert!(begun.elapsed() < Duration::from_mins(1), "waited 60 s for {what}");
            sleep(Duration::from_millis(50)).await;
        }
        begun.elapsed()
    }
}
