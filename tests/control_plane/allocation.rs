//! Every bound pod gets one address on each of its rails, or none at all; nobody gets one twice, and all come back.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, DeleteParams, ListParams, PostParams};
use railweave::api::{SpiderEndpoint, SpiderIPPool};
use serde_json::{Value, json};

use crate::installation::{Installation, Options};
use crate::objects::{GROUP, RDMA_KEY, from, node, opted_in_pod};

pub(crate) const RAILS: usize = 8;

/// Manifests of as many networks, each with a pool of exactly `size` addresses.
pub(crate) fn rails_of_size(size: usize) -> String {
    let mut manifests = String::new();
    for rail in 1..=RAILS {
        write!(
            manifests,
            "\
---
apiVersion: spiderpool.spidernet.io/v2beta1
kind: SpiderIPPool
metadata: {{name: rail-{rail}}}
spec:
  subnet: 10.{rail}.0.0/16
  gateway: 10.{rail}.255.254
  ips: [10.{rail}.0.1-10.{rail}.{}.{}]
{}",
            size / 256,
            size % 256,
            network_of_rail(rail, &format!("rail-{rail}"))
        )
        .expect("a string takes everything");
    }
    manifests
}

/// The network of a rail, with the pools of these names.
pub(crate) fn network_of_rail(rail: usize, pools: &str) -> String {
    format!(
        "\
---
apiVersion: spiderpool.spidernet.io/v2beta1
kind: SpiderMultusConfig
metadata:
  name: gpu{rail}-sriov
  namespace: spiderpool
  annotations: {{{RDMA_KEY}: {GROUP}}}
spec:
  cniType: sriov
  sriov:
    resourceName: spidernet.io/gpu{rail}sriov
    rdmaIsolation: true
    ippools: {{ipv4: [\"{pools}\"]}}
"
    )
}

/// A pod with all rails, bound to a node.
pub(crate) fn bound_pod(name: &str, node: usize) -> Pod {
    let mut pod = opted_in_pod();
    pod.metadata.generate_name = None;
    pod.metadata.name = Some(name.to_owned());
    let spec = pod.spec.as_mut().expect("a pod has a spec");
    spec.node_name = Some(format!("node-{node}"));
    spec.termination_grace_period_seconds = Some(0);
    pod
}

pub(crate) fn create_nodes(installation: &Installation, count: usize) {
    for number in 0..count {
        let (object, status) = node(&format!("node-{number}"), RAILS, 8);
        installation.cluster.apply(&object.to_string());
        let patch =
            ["patch", "node", &format!("node-{number}"), "--subresource=status", "--type=merge", "-p"];
        installation.cluster.kubectl_ok(&[&patch[..], &[&status.to_string()]].concat(), "");
    }
}

/// An installation with networks, pools of exactly `size` addresses and nodes.
pub(crate) async fn installed(test: &str, size: usize, nodes: usize) -> Installation {
    let installation = Installation::start(test, Options::default()).await;
    installation.cluster.apply(&rails_of_size(size));
    create_nodes(&installation, nodes);
    installation.knows_rails(RAILS).await;
    installation
}

/// Creates pods `train-0` to `train-<count - 1>`, spread over the nodes.
pub(crate) async fn create_pods(installation: &Installation, count: usize, nodes: usize) {
    let pods = installation.pods("default");
    let parameters = PostParams::default();
    let create = |number: usize| {
        let (pods, parameters) = (&pods, &parameters);
        async move {
            let pod = bound_pod(&format!("train-{number}"), number % nodes);
            pods.create(parameters, &pod).await.expect("the pod is created");
        }
    };
    futures::stream::iter((0..count).map(create)).buffer_unordered(32).collect::<Vec<()>>().await;
}

pub(crate) async fn delete_pods(installation: &Installation) {
    let now = DeleteParams::default().grace_period(0);
    installation
        .pods("default")
        .delete_collection(&now, &ListParams::default())
        .await
        .expect("pods are deleted");
}

pub(crate) async fn endpoints(installation: &Installation) -> Vec<SpiderEndpoint> {
    let api = Api::<SpiderEndpoint>::all(installation.cluster.client.clone());
    api.list(&ListParams::default()).await.expect("endpoints can be listed").items
}

/// All records: address, with the UID it is recorded for and its pool.
pub(crate) async fn records(installation: &Installation) -> BTreeMap<String, (String, String)> {
    let api = Api::<SpiderIPPool>::all(installation.cluster.client.clone());
    let pools = api.list(&ListParams::default()).await.expect("pools can be listed").items;
    let mut all = BTreeMap::new();
    for pool in pools {
        let status = pool.status.unwrap_or_default();
        let text = status.allocated_ips.unwrap_or_else(|| "{}".to_owned());
        let records: BTreeMap<String, Value> = serde_json::from_str(&text).expect("records are JSON");
        assert_eq!(status.allocated_ip_count.unwrap_or(0), i64::try_from(records.len()).unwrap());
        for (address, record) in records {
            let uid = record["podUid"].as_str().expect("a record names its pod").to_owned();
            let name = pool.metadata.name.clone().expect("a pool has a name");
            assert!(all.insert(address.clone(), (uid, name)).is_none(), "{address} is in two pools");
        }
    }
    all
}

/// Asserts that each pod has an endpoint with one address on each rail, and that records say the same.
pub(crate) async fn assert_served(installation: &Installation, count: usize) {
    let pods = installation.pods("default").list(&ListParams::default()).await.unwrap().items;
    assert_eq!(pods.len(), count);
    let uids: BTreeMap<String, String> = pods
        .into_iter()
        .map(|pod| (pod.metadata.name.unwrap_or_default(), pod.metadata.uid.unwrap_or_default()))
        .collect();
    let endpoints = endpoints(installation).await;
    let mut told = BTreeMap::new();
    for endpoint in endpoints {
        let name = endpoint.metadata.name.unwrap_or_default();
        let current = endpoint.status.expect("it says something").current;
        let Some(uid) = uids.get(&name) else { continue };
        assert_eq!(current.uid, *uid, "{name}");
        let interfaces: Vec<&str> = current.ips.iter().map(|detail| &*detail.interface).collect();
        let expected: Vec<String> = (1..=RAILS).map(|rail| format!("net{rail}")).collect();
        assert_eq!(interfaces, expected, "{name}");
        for (rail, detail) in current.ips.iter().enumerate() {
            let rail = rail + 1;
            let address = detail.ipv4.as_deref().expect("every rail has an address");
            let (address, prefix) = address.split_once('/').expect("with its prefix length");
            assert_eq!((prefix, detail.ipv4_pool.as_deref()), ("16", Some(&*format!("rail-{rail}"))));
            assert_eq!(detail.ipv4_gateway.as_deref(), Some(&*format!("10.{rail}.255.254")));
            told.insert(address.to_owned(), (current.uid.clone(), format!("rail-{rail}")));
        }
    }
    assert_eq!(told.len(), count * RAILS, "addresses in endpoints, each once");
    assert_eq!(records(installation).await, told);
}

/// Waits until every pod has its endpoint; how long that took.
pub(crate) async fn served(installation: &Installation, count: usize) -> Duration {
    let begun = Instant::now();
    let api = Api::<SpiderEndpoint>::namespaced(installation.cluster.client.clone(), "default");
    let pods: BTreeSet<String> = installation
        .pods("default")
        .list_metadata(&ListParams::default())
        .await
        .unwrap()
        .into_iter()
        .map(|pod| pod.metadata.uid.unwrap_or_default())
        .collect();
    installation
        .wait_for("all endpoints", || async {
            let items = api.list(&ListParams::default()).await.unwrap().items;
            let uid = |endpoint: SpiderEndpoint| endpoint.status.map(|status| status.current.uid);
            items.into_iter().filter_map(uid).filter(|uid| pods.contains(uid)).count() == count
        })
        .await;
    begun.elapsed()
}

pub(crate) async fn released(installation: &Installation) -> Duration {
    let begun = Instant::now();
    installation
        .wait_for("all records to be gone", || async { records(installation).await.is_empty() })
        .await;
    begun.elapsed()
}

/// Pools of exactly as many addresses as there are pods, filled, emptied and filled again.
pub(crate) async fn gives_all_rails_to_every_pod() {
    const PODS: usize = 120;
    const NODES: usize = 10;
    let installation = installed("allocation", PODS, NODES).await;
    for round in 0..2 {
        create_pods(&installation, PODS, NODES).await;
        let took = served(&installation, PODS).await;
        assert_served(&installation, PODS).await;
        assert_counted(&installation, PODS, PODS).await;
        delete_pods(&installation).await;
        let back = released(&installation).await;
        eprintln!(
            "allocation, round {round}: served {} ms after the last pod was created, released after {} ms",
            took.as_millis(),
            back.as_millis()
        );
        assert_counted(&installation, PODS, 0).await;
    }
}

/// What `kubectl get sp` shows of every pool.
async fn assert_counted(installation: &Installation, total: usize, allocated: usize) {
    let counts = |pool: &SpiderIPPool| {
        let status = pool.status.clone().unwrap_or_default();
        [status.total_ip_count, status.allocated_ip_count, status.free_ip_count]
            .map(Option::unwrap_or_default)
    };
    let expected = [total, allocated, total - allocated].map(|count| i64::try_from(count).unwrap());
    let pools = Api::<SpiderIPPool>::all(installation.cluster.client.clone());
    for pool in pools.list(&ListParams::default()).await.unwrap() {
        assert_eq!(counts(&pool), expected, "total, allocated and free of {:?}", pool.metadata.name);
    }
}

/// One rail that has nothing left is enough for a pod to get nothing, and an Event says which; what another pod
/// gives back is enough for it to get everything.
pub(crate) async fn gives_all_or_nothing() {
    let installation = installed("all-or-nothing", 2, 1).await;
    let narrow = json!({"spec": {"ips": ["10.3.0.1"]}}).to_string();
    installation.cluster.kubectl_ok(&["patch", "spiderippool", "rail-3", "--type=merge", "-p", &narrow], "");
    installation
        .wait_for("the counts of all pools", || async {
            let pools = installation.cluster.get(&["spiderippools"]);
            pools["items"].as_array().is_some_and(|pools| {
                let total = |pool: &Value| pool["status"]["totalIPCount"].as_i64();
                pools.iter().filter_map(total).sum::<i64>() == 15
            })
        })
        .await;
    create_pods(&installation, 1, 1).await;
    served(&installation, 1).await;
    let pods = installation.pods("default");
    pods.create(&PostParams::default(), &bound_pod("late", 0)).await.unwrap();
    installation
        .wait_for("an Event on the pod", || async {
            let events = installation.cluster.get(&["events.events.k8s.io", "-n", "default"]).to_string();
            events.contains("late") && events.contains("net3") && events.contains("rail-3")
        })
        .await;
    assert_eq!(records(&installation).await.len(), RAILS, "the pod that failed has nothing");
    pods.delete("train-0", &DeleteParams::default().grace_period(0)).await.unwrap();
    served(&installation, 1).await;
    assert_served(&installation, 1).await;
}

/// The pod of a `StatefulSet` comes back with the addresses it had.
pub(crate) async fn keeps_the_addresses_of_stateful_sets() {
    let installation = installed("stateful", 10, 1).await;
    let set: k8s_openapi::api::apps::v1::StatefulSet = from(json!({
        "metadata": {"name": "db"},
        "spec": {
            "replicas": 1, "serviceName": "db", "selector": {"matchLabels": {"app": "db"}},
            "template": {"metadata": {"labels": {"app": "db"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
        }
    }));
    let sets = Api::namespaced(installation.cluster.client.clone(), "default");
    let set = sets.create(&PostParams::default(), &set).await.unwrap();
    let pods = installation.pods("default");
    let create = || async {
        let mut pod = bound_pod("db-0", 0);
        pod.metadata.owner_references = Some(vec![from(json!({
            "apiVersion": "apps/v1", "kind": "StatefulSet", "name": "db", "controller": true,
            "uid": set.metadata.uid
        }))]);
        pods.create(&PostParams::default(), &pod).await.unwrap();
        served(&installation, 1).await;
        records(&installation).await.into_keys().collect::<Vec<_>>()
    };
    let first = create().await;
    // Another pod takes what is free meanwhile.
    pods.delete("db-0", &DeleteParams::default().grace_period(0)).await.unwrap();
    pods.create(&PostParams::default(), &bound_pod("other", 0)).await.unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(records(&installation).await.len(), 2 * RAILS, "the set may bring its pod back");
    pods.delete("other", &DeleteParams::default().grace_period(0)).await.unwrap();
    installation
        .wait_for("the other's release", || async { records(&installation).await.len() == RAILS })
        .await;
    assert_eq!(create().await, first);
    assert_served(&installation, 1).await;

    pods.delete("db-0", &DeleteParams::default().grace_period(0)).await.unwrap();
    sets.delete("db", &DeleteParams::default()).await.unwrap();
    released(&installation).await;
}

/// Leaders that are killed at random moments of a storm of creations and deletions, and one that was stopped past its
/// lease and goes on: no address is given twice, none is lost, and every pod's endpoint says what the pools say.
/// `RAILWEAVE_KILLS` sets the rounds.
pub(crate) async fn survives_leaders_that_are_killed_or_stopped() {
    const PODS: usize = 24;
    const NODES: usize = 4;
    let rounds = std::env::var("RAILWEAVE_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(12);
    let flags = ["--lease-duration=2", "--renew-deadline=1", "--retry-period=1"];
    let options = Options { flags: &flags, ..Options::default() };
    let mut installation = Installation::start("killed-leader", options).await;
    installation.cluster.apply(&rails_of_size(PODS));
    create_nodes(&installation, NODES);
    installation.knows_rails(RAILS).await;
    create_pods(&installation, PODS, NODES).await;
    let now = DeleteParams::default().grace_period(0);
    for round in 0..rounds {
        // Pods of the same names go and come back at once, a few of them twice; nobody waits for anything.
        let pods = installation.pods("default");
        for number in (0..PODS).skip(round % 3).step_by(3) {
            let name = format!("train-{number}");
            pods.delete(&name, &now).await.expect("the pod is there");
            let pod = bound_pod(&name, (number + round) % NODES);
            pods.create(&PostParams::default(), &pod).await.expect("the pod is created");
        }
        // Any moment of what the leader does next.
        let moment = u64::try_from(round * 37 % 400).unwrap_or_default();
        tokio::time::sleep(Duration::from_millis(moment)).await;
        if round % 4 == 3 {
            let stopped = installation.replicas.remove(0);
            stopped.signal("STOP");
            installation.service.remove(stopped.endpoint);
            installation.add_replica().await;
            tokio::time::sleep(Duration::from_secs(4)).await;
            stopped.signal("CONT");
            // It finds out by itself that it does not lead any more, or fails on what the other wrote.
            tokio::time::sleep(Duration::from_millis(500)).await;
        } else {
            let mut killed = installation.replicas.remove(0);
            killed.kill();
            installation.service.remove(killed.endpoint);
            installation.add_replica().await;
        }
    }
    served(&installation, PODS).await;
    // One sweep finds what no event led to.
    installation
        .wait_for("the last release", || async { records(&installation).await.len() == PODS * RAILS })
        .await;
    assert_served(&installation, PODS).await;
    delete_pods(&installation).await;
    released(&installation).await;
}
