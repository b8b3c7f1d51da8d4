//! Measurements on a real API server, run by `make bench-cluster` with a release build. They print tables; what
//! they assert is only that everything that was measured also worked.

use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::api::{Api, DynamicObject, PostParams};
use railweave::admission::certificates::{issue_leaf, make_authority};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::cluster::{Cluster, Components};
use crate::installation::{CONTROLLER, Installation, NAMESPACE, Options};
use crate::load::burst;
use crate::objects::{annotated_pod, bare_pod, from, opted_in_pod};
use crate::service::host_name;

const PODS: usize = 1_000;
const CLIENTS: usize = 32;
const ROUNDS: usize = 4;

/// One round: pods a second, and CPU for each pod in ms.
#[derive(Clone, Copy)]
struct Round {
    pods_per_second: f64,
    control_plane: f64,
    webhook: f64,
}

/// What a pod costs the API server: without railweave, with it for pods that did not opt in, for those that did,
/// and with a webhook as small as Go allows. Interleaved, the best of some rounds each.
///
/// Two API servers differ by more than what a match condition costs, so pods that did not opt in are compared on one, on
/// which injection is switched off and on.
pub(crate) async fn what_a_pod_costs_the_api_server() {
    let plain = Cluster::start("measure-plain", Components::Api).await;
    plain.kubectl(&["create", "serviceaccount", "default"], "");
    let go = GoWebhook::start(&plain);
    let installation = Installation::start("measure", Options::default()).await.with_rails(8).await;
    let cluster = &installation.cluster;
    cluster.kubectl(&["create", "serviceaccount", "default"], "");
    let pods = [&plain, cluster].map(|cluster| Api::<Pod>::default_namespaced(cluster.client.clone()));
    let railweave = Some(installation.replicas[0].pid());
    settled(&plain).await;
    settled(cluster).await;

    let mut rounds: [Vec<Round>; 5] = Default::default();
    for _ in 0..ROUNDS {
        rounds[0].push(round(&plain, &pods[0], &bare_pod(), None).await);
        switch_injection(&installation, false).await;
        rounds[1].push(round(cluster, &pods[1], &bare_pod(), railweave).await);
        switch_injection(&installation, true).await;
        rounds[2].push(round(cluster, &pods[1], &bare_pod(), railweave).await);
        rounds[3].push(round(cluster, &pods[1], &opted_in_pod(), railweave).await);
        go.register(&plain).await;
        let marked = annotated_pod(&[(GoWebhook::MARK, "yes")]);
        rounds[4].push(round(&plain, &pods[0], &marked, Some(go.child.id())).await);
        GoWebhook::unregister(&plain);
    }
    print_costs(&rounds);
    look_at_plain_pods(&installation).await;
}

fn print_costs(rounds: &[Vec<Round>; 5]) {
    println!("\nwhat a pod costs: {PODS} pods by {CLIENTS} clients, best of {ROUNDS} interleaved rounds");
    println!("| registered | pods | pods/s | API server and etcd, CPU ms a pod | webhook, CPU ms a pod |");
    println!("|---|---|---|---|---|");
    let names = [
        ("nothing", "plain"),
        ("railweave, injection off", "plain"),
        ("railweave", "not opted in"),
        ("railweave", "opted in, 8 rails"),
        ("a minimal Go webhook", "sent to it"),
    ];
    for ((registered, what), rounds) in names.iter().zip(rounds) {
        let least = |of: fn(&Round) -> f64| rounds.iter().map(of).fold(f64::INFINITY, f64::min);
        let fastest = rounds.iter().map(|round| round.pods_per_second).fold(0.0, f64::max);
        println!(
            "| {registered} | {what} | {fastest:.0} | {:.2} | {:.3} |",
            least(|round| round.control_plane),
            least(|round| round.webhook)
        );
    }
    let pairs = rounds[1].iter().zip(&rounds[2]);
    let mut more: Vec<f64> =
        pairs.map(|(off, on)| 100.0 * (on.control_plane / off.control_plane - 1.0)).collect();
    more.sort_by(f64::total_cmp);
    println!("\nnot opted in, more than with injection off, round by round: {more:.0?} %");
}

/// Has the leader take the registration of pods and the policies away, or bring them back, and waits until the API server acts
/// accordingly.
async fn switch_injection(installation: &Installation, on: bool) {
    installation.configure(&format!("podResourceInject: {{enabled: {on}}}\n"));
    installation.wait_for("the webhook", || async { installation.leaves_plain("default").await != on }).await;
    if on {
        installation.policies_in_force().await;
    } else {
        let policy = ["get", "validatingadmissionpolicy", CONTROLLER];
        installation
            .wait_for("the policies to go", || async { !installation.cluster.kubectl(&policy, "").ok })
            .await;
    }
    // An API server takes up changed policies once a second, and has work with that.
    sleep(Duration::from_secs(1)).await;
    settled(&installation.cluster).await;
}

/// What the API server itself says of the match conditions that look at a pod which did not opt in. One client, so that no
/// time of waiting for a processor is in it.
async fn look_at_plain_pods(installation: &Installation) {
    let conditions = |kind: &str| {
        let of_kind = format!("kind=\"{kind}\"");
        sum_of_api_server(&installation.cluster, |line| {
            line.starts_with("apiserver_admission_match_condition_evaluation_seconds_sum{")
                && line.contains(&of_kind)
        })
    };
    let taken = || ["webhook", "policy"].map(conditions);
    // Collecting its metrics costs the API server as much as some pods.
    let (before, cpu) = (taken(), control_plane_cpu(&installation.cluster));
    let outcome = burst(&installation.pods("default"), &bare_pod(), PODS, 1).await;
    assert_eq!(outcome.refused, Vec::<String>::new());
    let (cpu, after) = (control_plane_cpu(&installation.cluster) - cpu, taken());
    let count = f64::from(u32::try_from(PODS).unwrap());
    let [webhook, policy] = [0, 1].map(|kind| 1e6 * (after[kind] - before[kind]) / count);
    println!(
        "\na pod that did not opt in, one at a time: {webhook:.0} us for the match condition of the webhook, {policy:.0} us \
         for that of the policy, of {:.0} us CPU of API server and etcd",
        1e3 * cpu / count
    );
}

/// The sum of those of the API server's metrics that a test of their lines selects.
pub(crate) fn sum_of_api_server(cluster: &Cluster, selects: impl Fn(&str) -> bool) -> f64 {
    let metrics = cluster.kubectl_ok(&["get", "--raw", "/metrics"], "").out;
    let value = |line: &str| line.rsplit(' ').next().and_then(|value| value.parse::<f64>().ok());
    metrics.lines().filter(|line| selects(line)).filter_map(value).sum()
}

async fn round(cluster: &Cluster, pods: &Api<Pod>, pod: &Pod, webhook: Option<u32>) -> Round {
    let cpu = || control_plane_cpu(cluster);
    let hook = || webhook.map_or(0.0, cpu_of);
    let (cpu_before, hook_before, begun) = (cpu(), hook(), Instant::now());
    let outcome = burst(pods, pod, PODS, CLIENTS).await;
    let took = begun.elapsed().as_secs_f64();
    assert_eq!(outcome.refused, Vec::<String>::new());
    let count = f64::from(u32::try_from(PODS).unwrap());
    Round {
        pods_per_second: count / took,
        control_plane: (cpu() - cpu_before) / count,
        webhook: (hook() - hook_before) / count,
    }
}

/// CPU time of a process since it began, in ms; the kernel counts in ticks of 10 ms.
pub(crate) fn cpu_of(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("the process runs");
    // The name in parentheses may hold blanks; user and system time are fields 14 and 15.
    let fields = stat.rsplit(')').next().unwrap().split_whitespace();
    fields.skip(11).take(2).map(|field| field.parse::<f64>().unwrap() * 10.0).sum()
}

/// The minimal webhook of `e2e/go-webhook`, as a process.
struct GoWebhook {
    child: Child,
    port: u16,
    ca: String,
}

impl GoWebhook {
    /// Annotation of the pods that are sent to it.
    const MARK: &str = "example.com/measured";

    fn start(cluster: &Cluster) -> Self {
        let folder = cluster.logs();
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/e2e/go-webhook");
        let program = folder.join("go-webhook");
        let built =
            Command::new("go").current_dir(source).args(["build", "-o"]).arg(&program).arg(".").status();
        assert!(built.is_ok_and(|status| status.success()), "go builds e2e/go-webhook");
        let (now, day) = (SystemTime::now(), Duration::from_hours(24));
        let authority = make_authority("measurement", now, day).unwrap();
        let leaf = issue_leaf(&authority, &[host_name()], now, day).unwrap();
        let write = |name: &str, text: &str| -> PathBuf {
            let path = folder.join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let (certificate, key) = (write("go.crt", &leaf.cert_pem), write("go.key", &leaf.key_pem));
        let port = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap().local_addr().unwrap().port();
        let child = Command::new(&program)
            .args(["-listen", &format!("0.0.0.0:{port}"), "-cert"])
            .arg(certificate)
            .arg("-key")
            .arg(key)
            .stdin(Stdio::null())
            .spawn()
            .expect("it was built");
        Self { child, port, ca: authority.cert_pem.clone() }
    }

    async fn register(&self, cluster: &Cluster) {
        let bundle = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &self.ca);
        let configuration = json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
            "metadata": {"name": "go-webhook"},
            "webhooks": [{
                "name": "pods.example.com", "admissionReviewVersions": ["v1"], "sideEffects": "None",
                "clientConfig": {"url": format!("https://{}:{}/mutate", host_name(), self.port), "caBundle": bundle},
                "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}],
                "matchConditions": [{"name": "marked",
                    "expression": format!("object.metadata.?annotations[?'{}'].hasValue()", Self::MARK)}]
            }]
        });
        cluster.apply(&configuration.to_string());
        // The API server takes a moment to see it.
        let pods = Api::<Pod>::default_namespaced(cluster.client.clone());
        let dry_run = PostParams { dry_run: true, ..PostParams::default() };
        let marked = annotated_pod(&[(Self::MARK, "yes")]);
        for _ in 0..200 {
            let pod = pods.create(&dry_run, &marked).await.expect("the webhook answers");
            if pod.metadata.labels.is_some_and(|labels| labels.contains_key("railweave.io/rails")) {
                return;
            }
            sleep(Duration::from_millis(50)).await;
        }
        panic!("the API server does not call the Go webhook");
    }

    fn unregister(cluster: &Cluster) {
        cluster.kubectl_ok(&["delete", "mutatingwebhookconfiguration", "go-webhook"], "");
    }
}

impl Drop for GoWebhook {
    fn drop(&mut self) {
        // It may have ended already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

const GROUPS: usize = 1_000;
const RAILS: usize = 8;
const NAMESPACES: usize = 10_000;

/// A big cluster: how long a replica takes to be ready, how much memory it has, how soon an edit is in force.
pub(crate) async fn a_replica_of_a_big_cluster() {
    let mut installation = Installation::start("scale", Options { replicas: 0, ..Options::default() }).await;
    let client = installation.cluster.client.clone();
    let begun = Instant::now();
    create_all(NAMESPACES, |number| {
        let api = Api::<Namespace>::all(client.clone());
        let namespace = from(json!({"metadata": {"name": format!("team-{number}")}}));
        async move { api.create(&PostParams::default(), &namespace).await.map(drop) }
    })
    .await;
    create_all(GROUPS * RAILS, |number| {
        let (group, rail) = (number / RAILS, number % RAILS + 1);
        let resource = kube::discovery::ApiResource::erase::<railweave::api::SpiderMultusConfig>(&());
        let api = Api::<DynamicObject>::namespaced_with(client.clone(), NAMESPACE, &resource);
        let network = from(network(group, rail));
        async move { api.create(&PostParams::default(), &network).await.map(drop) }
    })
    .await;
    println!(
        "\n{NAMESPACES} namespaces and {GROUPS} groups of {RAILS} networks, created in {:.0?}",
        begun.elapsed()
    );

    let mut starts = Vec::new();
    for _ in 0..2 {
        let (begun, served) = (Instant::now(), control_plane_cpu(&installation.cluster));
        installation.add_replica().await;
        let replica = installation.replicas.last().expect("it was added");
        let used = [cpu_of(replica.pid()), control_plane_cpu(&installation.cluster) - served];
        starts.push((begun.elapsed(), used));
        installation.registered().await;
        // The leader has 8,000 definitions to write; who starts meanwhile competes with that for the API server.
        definitions(&installation, GROUPS * RAILS).await;
    }
    let service_account = ["create", "serviceaccount", "default", "--namespace", "team-9999"];
    installation.cluster.kubectl_ok(&service_account, "");
    let pod = annotated_pod(&[(crate::objects::RDMA_KEY, "group-999")]);
    installation
        .wait_for("injection", || async {
            installation.try_pod("team-9999", &pod).await.is_ok_and(|pod| !crate::objects::is_plain(&pod))
        })
        .await;
    let mut slowest = Duration::ZERO;
    for round in 0..5 {
        let exclude = if round % 2 == 0 { r#"["team-*"]"# } else { "[]" };
        let text = format!("podResourceInject: {{enabled: true, namespacesExclude: {exclude}}}\n");
        let generation =
            |replica: usize| installation.replicas[replica].metric("railweave_config_generation");
        let before = [generation(0).await, generation(1).await];
        installation.configure(&text);
        let in_force = || async { generation(0).await > before[0] && generation(1).await > before[1] };
        slowest = slowest.max(installation.wait_for("the edit", in_force).await);
    }
    println!("slowest of 5 edits in force on both replicas: {slowest:.2?}");
    println!(
        "| replica | from start to ready | its CPU | CPU of API server and etcd | memory now | of that, not mapped files | memory at most |"
    );
    println!("|---|---|---|---|---|---|---|");
    for (replica, (ready, [used, served])) in installation.replicas.iter().zip(starts) {
        let role = if replica.metric("railweave_leader").await > 0.0 { "leader" } else { "not leader" };
        let memory = |key| memory_of(replica.pid(), key);
        let [now, anonymous, most] = ["VmRSS", "RssAnon", "VmHWM"].map(memory);
        println!(
            "| {role} | {ready:.2?} | {used:.0} ms | {served:.0} ms | {now:.1} MiB | {anonymous:.1} MiB | {most:.1} MiB |"
        );
    }
}

/// CPU time of API server and etcd, in milliseconds.
fn control_plane_cpu(cluster: &Cluster) -> f64 {
    ["kube-apiserver", "etcd"].map(|component| cpu_of(cluster.pid(component))).iter().sum()
}

/// Waits until API server and etcd have nothing to do: after new definitions of kinds, the API server works for seconds
/// on what it publishes of them.
pub(crate) async fn settled(cluster: &Cluster) {
    let mut quiet = 0;
    for _ in 0..60 {
        let before = control_plane_cpu(cluster);
        sleep(Duration::from_secs(1)).await;
        quiet = if control_plane_cpu(cluster) - before <= 100.0 { quiet + 1 } else { 0 };
        if quiet == 2 {
            return;
        }
    }
    println!("API server and etcd did not settle within a minute");
}

/// Waits until there are as many definitions for Multus, and their networks say so.
async fn definitions(installation: &Installation, count: usize) {
    let leader = &installation.replicas[0];
    let done = || async { leader.sum_of("railweave_reconciles_total", "controller=\"networks\"").await };
    let begun = Instant::now();
    while done().await < f64::from(u32::try_from(count).expect("a few thousand")) {
        assert!(begun.elapsed() < Duration::from_mins(10), "waited 10 minutes for the definitions");
        sleep(Duration::from_millis(500)).await;
    }
    // The last status, and what the watches say of it.
    sleep(Duration::from_secs(3)).await;
}

/// A line of a process's status, in MiB.
pub(crate) fn memory_of(pid: u32, key: &str) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the process runs");
    let line = status.lines().find(|line| line.starts_with(key)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}

async fn create_all<F: Future<Output = kube::Result<()>>>(count: usize, create: impl Fn(usize) -> F) {
    let mut results = futures::stream::iter((0..count).map(create)).buffer_unordered(64);
    while let Some(result) = results.next().await {
        result.expect("the API server takes it");
    }
}

fn network(group: usize, rail: usize) -> Value {
    json!({
        "apiVersion": "spiderpool.spidernet.io/v2beta1", "kind": "SpiderMultusConfig",
        "metadata": {"name": format!("group-{group}-rail-{rail}"), "namespace": NAMESPACE,
            "annotations": {crate::objects::RDMA_KEY: format!("group-{group}")}},
        "spec": {"cniType": "sriov", "sriov": {"resourceName": format!("spidernet.io/gpu{rail}sriov"),
            "rdmaIsolation": true, "ippools": {"ipv4": [format!("rail-{rail}")]}}}
    })
}
