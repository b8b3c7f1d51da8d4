//! What allocation takes on a real API server, in numbers; run by `make bench-cluster`.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use futures::{StreamExt as _, TryStreamExt as _};
use kube::ResourceExt as _;
use kube::api::{Api, DeleteParams, ListParams, PostParams};
use kube::runtime::{WatchStreamExt as _, watcher};
use railweave::api::SpiderEndpoint;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::allocation::{
    RAILS, bound_pod, create_nodes, delete_pods, endpoints, installed, network_of_rail, records,
};
use crate::installation::{Installation, Options};
use crate::measure::{cpu_of, memory_of, settled, sum_of_api_server};

/// Pods of 8 rails: 100 on one node and on ten, 1,000 on 125, from pools of exactly that size; then 1,000 from a pool
/// for each of 256 nodes and rail. Each is filled, emptied and filled again.
pub(crate) async fn what_addresses_cost() {
    println!(
        "\n| pods | nodes | pools | served after the last binding | bound to endpoint, p50 | p99 | API writes a pod | \
         conflicts | leader: CPU an address | memory | released after |"
    );
    println!("|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|");
    for (pods, nodes) in [(100, 1), (100, 10), (1000, 125)] {
        let installation = installed(&format!("cost-{pods}-{nodes}"), pods, nodes).await;
        settled(&installation.cluster).await;
        for _ in 0..2 {
            fill_and_empty(&installation, pods, nodes, RAILS).await;
        }
    }
    let installation = Installation::start("cost-per-node", Options::default()).await;
    for rail in 1..=RAILS {
        installation.cluster.apply(&pools_for_each_node(rail, 256));
    }
    create_nodes(&installation, 125);
    installation.knows_rails(RAILS).await;
    settled(&installation.cluster).await;
    for _ in 0..2 {
        fill_and_empty(&installation, 1000, 125, 256 * RAILS).await;
    }
}

/// A pool of 29 addresses for each node, and the rail's network on all of them.
fn pools_for_each_node(rail: usize, nodes: usize) -> String {
    let mut manifests = network_of_rail(rail, &format!("gpu{rail}-*"));
    for node in 0..nodes {
        let (third, first) = (node / 8, node % 8 * 32);
        write!(
            manifests,
            "\
---
apiVersion: spiderpool.spidernet.io/v2beta1
kind: SpiderIPPool
metadata: {{name: gpu{rail}-node-{node}}}
spec:
  subnet: 172.{}.{third}.{first}/27
  ips: [172.{}.{third}.{}-172.{}.{third}.{}]
  nodeName: [node-{node}]
",
            16 + rail,
            16 + rail,
            first + 2,
            16 + rail,
            first + 30,
        )
        .expect("a string takes everything");
    }
    manifests
}

/// Prints one row.
async fn fill_and_empty(installation: &Installation, count: usize, nodes: usize, pools: usize) {
    let leader = &installation.replicas[0];
    let conflicts = || leader.metric("railweave_ipam_commits_total{result=\"conflict\"}");
    let (cpu_before, conflicts_before, writes_before) =
        (cpu_of(leader.pid()), conflicts().await, writes(installation));
    let mut arrivals = follow_endpoints(installation);
    let times = bind_all(installation, count, nodes).await;
    let last = times.values().max().copied().expect("there are pods");
    let mut delays = Vec::new();
    let mut end = last;
    while delays.len() < count {
        let arrival = timeout(Duration::from_mins(5), arrivals.recv()).await;
        let (uid, at) = arrival.expect("endpoints come").expect("the watch goes on");
        if let Some(bound) = times.get(&uid) {
            delays.push(at.saturating_duration_since(*bound));
            end = end.max(at);
        }
    }
    let (used, after) = (cpu_of(leader.pid()) - cpu_before, writes(installation));
    assert_eq!(endpoints(installation).await.len(), count);
    assert_eq!(records(installation).await.len(), count * RAILS, "one address for each rail, none twice");
    let begun = Instant::now();
    delete_pods(installation).await;
    let deleted = begun.elapsed();
    installation
        .wait_for("all records to be gone", || async { records(installation).await.is_empty() })
        .await;
    let released = begun.elapsed().saturating_sub(deleted);
    collect_garbage(installation).await;
    delays.sort();
    let each = f64::from(u32::try_from(count).expect("a few"));
    println!(
        "| {count} | {nodes} | {pools} | {} ms | {} ms | {} ms | {:.2} | {} | {:.3} ms | {:.0} MiB | {} ms |",
        (end - last).as_millis(),
        delays[count / 2].as_millis(),
        delays[count * 99 / 100].as_millis(),
        (after - writes_before) / each,
        conflicts().await - conflicts_before,
        used / each / 8.0,
        memory_of(leader.pid(), "VmRSS"),
        released.as_millis(),
    );
}

/// Deletes the endpoints of pods that are gone, as the garbage collector of a cluster does; none runs here.
async fn collect_garbage(installation: &Installation) {
    let api = Api::<SpiderEndpoint>::namespaced(installation.cluster.client.clone(), "default");
    let deleted = api.delete_collection(&DeleteParams::default(), &ListParams::default()).await;
    deleted.expect("endpoints are deleted");
    installation.wait_for("the endpoints to go", || async { endpoints(installation).await.is_empty() }).await;
}

/// Creates the pods, spread over the nodes; when each was bound, by UID.
async fn bind_all(installation: &Installation, count: usize, nodes: usize) -> HashMap<String, Instant> {
    let pods = installation.pods("default");
    let create = |number: usize| {
        let pods = &pods;
        async move {
            let pod = bound_pod(&format!("train-{number}"), number % nodes);
            let pod = pods.create(&PostParams::default(), &pod).await.expect("the pod is created");
            (pod.uid().expect("a stored pod has a UID"), Instant::now())
        }
    };
    futures::stream::iter((0..count).map(create)).buffer_unordered(32).collect().await
}

/// UIDs of pods whose endpoints are written, as a watch tells them.
fn follow_endpoints(installation: &Installation) -> mpsc::UnboundedReceiver<(String, Instant)> {
    let (tell, told) = mpsc::unbounded_channel();
    let api = Api::<SpiderEndpoint>::namespaced(installation.cluster.client.clone(), "default");
    tokio::spawn(async move {
        let mut seen = watcher(api, watcher::Config::default()).applied_objects().boxed();
        while let Ok(Some(endpoint)) = seen.try_next().await {
            let uid = endpoint.status.map(|status| status.current.uid).unwrap_or_default();
            if tell.send((uid, Instant::now())).is_err() {
                return;
            }
        }
    });
    told
}

/// Writes of pools, endpoints and Events that the API server has answered so far.
fn writes(installation: &Installation) -> f64 {
    sum_of_api_server(&installation.cluster, |line| {
        line.starts_with("apiserver_request_total{")
            && ["POST", "PUT", "PATCH"].iter().any(|verb| line.contains(&format!("verb=\"{verb}\"")))
            && ["spiderippools", "spiderendpoints", "events"]
                .iter()
                .any(|kind| line.contains(&format!("resource=\"{kind}\"")))
    })
}
