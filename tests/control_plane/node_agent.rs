//! One `railweave agent`, as a process beside the control plane, and what a kubelet and its plugins do with it.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use railweave_cni::wire::{AddArgs, AddReply, Client, ClientError, DeleteArgs};
use tokio::time::sleep;

use crate::allocation::RAILS;
use crate::installation::{Installation, NAMESPACE};
use crate::replica::{free_port, program};
use crate::service::http_get;

/// Name of the agent's objects: that of the release with `-agent`.
const AGENT: &str = "spiderpool-agent";

/// A running agent with the rights that the chart gives it. Dropping it kills it.
pub(crate) struct NodeAgent {
    command: Command,
    child: Child,
    admin: u16,
    log: PathBuf,
    folder: tempfile::TempDir,
}

impl NodeAgent {
    /// Starts the agent of a node, and waits until it is ready.
    pub(crate) async fn start(installation: &Installation, node: &str, flags: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder for the socket");
        let admin = free_port();
        let log = installation.cluster.logs().join(format!("agent-{node}.log"));
        let output = File::create(&log).expect("the log folder exists");
        let mut command = Command::new(program());
        command
            .arg("agent")
            .args(["--node", node, "--namespace", NAMESPACE])
            .args(["--admin-listen", &format!("127.0.0.1:{admin}")])
            .arg("--socket")
            .arg(folder.path().join("agent.sock"))
            // The machine's own settings are none of a test's business.
            .arg("--sysctls")
            .arg(folder.path())
            .args(flags)
            .env("KUBECONFIG", installation.cluster.service_account(NAMESPACE, AGENT))
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("a file can be shared"))
            .stderr(output);
        let child = command.spawn().expect("cargo built it");
        let mut agent = Self { command, child, admin, log, folder };
        agent.ready().await;
        agent
    }

    async fn ready(&mut self) {
        let begun = Instant::now();
        loop {
            let answer = http_get(self.admin, "/v1/runtime/readiness").await;
            if matches!(answer, Some((200, _))) {
                return;
            }
            let ended = self.child.try_wait().expect("it is our child");
            let log = || std::fs::read_to_string(&self.log).unwrap_or_default();
            assert!(ended.is_none(), "the agent ended: {ended:?}\n{}", log());
            assert!(begun.elapsed() < Duration::from_mins(1), "not ready: {answer:?}\n{}", log());
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Ends it as a crash would.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("it is our child");
        self.child.wait().expect("it is our child");
    }

    /// Starts it again, on the same socket.
    pub(crate) async fn restart(&mut self) {
        self.child = self.command.spawn().expect("cargo built it");
        self.ready().await;
    }

    /// Asks it to end in order, and waits until it did.
    pub(crate) async fn terminate(&mut self) {
        let signalled = Command::new("kill").arg(self.child.id().to_string()).status();
        assert!(signalled.is_ok_and(|status| status.success()));
        let begun = Instant::now();
        while self.child.try_wait().expect("it is our child").is_none() {
            assert!(begun.elapsed() < Duration::from_secs(20), "the agent does not end");
            sleep(Duration::from_millis(20)).await;
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What a plugin calls.
    pub(crate) fn client(&self) -> Client {
        Client::new(self.socket(), Duration::from_secs(100))
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("agent.sock")
    }

    /// The value of the series that begins so.
    pub(crate) async fn metric(&self, series: &str) -> f64 {
        let (_, exposed) = http_get(self.admin, "/metrics").await.expect("it serves metrics");
        let line = exposed.lines().find(|line| line.starts_with(series));
        line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or(0.0)
    }
}

impl Drop for NodeAgent {
    fn drop(&mut self) {
        // It may have ended already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// What the plugin of a rail asks.
pub(crate) fn add_args(pod: &Pod, rail: usize) -> AddArgs {
    AddArgs {
        container_id: "sandbox".to_owned(),
        if_name: format!("net{rail}"),
        net_namespace: "/var/run/netns/sandbox".to_owned(),
        pod_namespace: pod.namespace().expect("a pod has a namespace"),
        pod_name: pod.name_any(),
        pod_uid: pod.uid().expect("it was created"),
        default_ipv4_pools: Some(vec![format!("rail-{rail}")]),
        ..AddArgs::default()
    }
}

pub(crate) fn delete_args(pod: &Pod, rail: usize) -> DeleteArgs {
    let AddArgs { container_id, if_name, net_namespace, pod_namespace, pod_name, pod_uid, .. } =
        add_args(pod, rail);
    DeleteArgs { container_id, if_name, net_namespace, pod_namespace, pod_name, pod_uid }
}

/// Asks for every rail in turn, as Multus does; the answer to the last.
pub(crate) async fn attach(client: &Client, pod: &Pod) -> Result<AddReply, ClientError> {
    let (client, pod) = (client.clone(), pod.clone());
    let asked = tokio::task::spawn_blocking(move || {
        client.healthy()?;
        let mut last = AddReply::default();
        for rail in 1..=RAILS {
            last = client.add(&add_args(&pod, rail))?;
            let nic = format!("net{rail}");
            assert!(last.ips.iter().any(|ip| ip.nic == nic), "no address for {nic}: {last:?}");
        }
        Ok(last)
    });
    asked.await.expect("the task ends")
}

/// As [`attach`], again and again until it succeeds, as a kubelet does with a shorter pause. Returns how often it failed.
pub(crate) async fn attach_at_last(client: &Client, pod: &Pod) -> usize {
    let begun = Instant::now();
    let mut failed = 0;
    while let Err(error) = attach(client, pod).await {
        assert!(begun.elapsed() < Duration::from_mins(1), "{} gets no addresses: {error}", pod.name_any());
        failed += 1;
        sleep(Duration::from_millis(50)).await;
    }
    failed
}
