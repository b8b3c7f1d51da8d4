//! Plugins of a node get the addresses of their pods through the agent's socket: those the leader wrote, and without a
//! leader the same; nobody gets one twice, and all come back.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures::future::join_all;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use kube::api::{DeleteParams, PostParams};
use railweave_cni::wire::{
    BatchDeleteArgs, CoordinatorArgs, CoordinatorConfig, RELEASE_OF_STATEFUL, RELEASE_SWITCHED_OFF, Route,
};
use serde_json::json;

use crate::allocation::{
    RAILS, assert_served, bound_pod, delete_pods, endpoints, installed, records, released,
};
use crate::installation::Installation;
use crate::measure::cpu_of;
use crate::node_agent::{NodeAgent, add_args, attach, attach_at_last, delete_args};
use crate::objects::{NETWORKS_KEY, from, networks_annotation};

/// Pods `train-0`, ... that are injected and not bound yet, so that no leader has looked at them.
async fn waiting_pods(installation: &Installation, count: usize) -> Vec<Pod> {
    let pods = installation.pods("default");
    let mut created = Vec::new();
    for number in 0..count {
        let mut pod = bound_pod(&format!("train-{number}"), 0);
        pod.spec.as_mut().expect("a pod has a spec").node_name = None;
        created.push(pods.create(&PostParams::default(), &pod).await.expect("the pod is created"));
    }
    created
}

/// Does what the scheduler does.
async fn bind(installation: &Installation, pods: &[Pod], nodes: usize) {
    for (number, pod) in pods.iter().enumerate() {
        bind_to(installation, pod, number % nodes).await;
    }
}

pub(crate) async fn bind_to(installation: &Installation, pod: &Pod, node: usize) {
    let (name, node) = (pod.name_any(), format!("node-{node}"));
    let binding = json!({"apiVersion": "v1", "kind": "Binding", "metadata": {"name": name},
        "target": {"apiVersion": "v1", "kind": "Node", "name": node}});
    let answer: kube::Result<serde_json::Value> = installation
        .pods("default")
        .create_subresource("binding", &name, &PostParams::default(), &binding)
        .await;
    answer.expect("the pod is bound");
}

fn stop_leader(installation: &mut Installation) {
    for mut replica in installation.replicas.drain(..) {
        replica.kill();
        installation.service.remove(replica.endpoint);
    }
}

async fn assert_clean_after_gc(installation: &mut Installation) {
    if installation.replicas.is_empty() {
        installation.add_replica().await;
    }
    delete_pods(installation).await;
    released(installation).await;
}

/// With a leader the agent hands out what the endpoint says, to whoever asks again as well, and releases nothing of a
/// pod that lives.
pub(crate) async fn hands_out_what_the_leader_allocated() {
    let mut installation = installed("agent-leader", 10, 1).await;
    let mut agent = NodeAgent::start(&installation, "node-0", &[]).await;
    let client = agent.client();
    let pods = installation.pods("default");
    let pod = pods.create(&PostParams::default(), &bound_pod("train-0", 0)).await.unwrap();
    let reply = attach(&client, &pod).await.unwrap();
    assert_served(&installation, 1).await;
    let told: BTreeSet<String> =
        reply.ips.iter().map(|ip| ip.address.trim_end_matches("/16").to_owned()).collect();
    assert_eq!(told, records(&installation).await.into_keys().collect());
    let default = |rail: usize| Route {
        if_name: format!("net{rail}"),
        dst: "0.0.0.0/0".to_owned(),
        gw: format!("10.{rail}.255.254"),
    };
    assert_eq!(reply.routes, Some((1..=RAILS).map(default).collect()));

    // A new sandbox of the same pod: the old one is torn down first.
    let (asker, living) = (client.clone(), pod.clone());
    tokio::task::spawn_blocking(move || asker.delete(&delete_args(&living, 1)).unwrap()).await.unwrap();
    agent.kill();
    agent.restart().await;
    assert_eq!(attach(&client, &pod).await.unwrap(), reply);
    assert!(agent.metric("railweave_agent_attaches_total{source=\"fallback\"}").await < 1.0);

    let asker = client.clone();
    let endpoint =
        tokio::task::spawn_blocking(move || asker.workload_endpoint("default", "train-0").unwrap())
            .await
            .unwrap();
    assert_eq!((endpoint.pod_uid, endpoint.interfaces.len()), (pod.uid().unwrap(), RAILS));
    let asker = client.clone();
    let unknown =
        tokio::task::spawn_blocking(move || asker.workload_endpoint("default", "other").unwrap_err())
            .await
            .unwrap();
    assert_eq!(unknown.status(), Some(404));

    // The next pod of the name is another pod.
    pods.delete("train-0", &DeleteParams::default().grace_period(0)).await.unwrap();
    let next = pods.create(&PostParams::default(), &bound_pod("train-0", 0)).await.unwrap();
    let asker = client.clone();
    let late = tokio::task::spawn_blocking(move || asker.add(&add_args(&pod, 1)).unwrap_err()).await.unwrap();
    assert!(late.to_string().contains("of an earlier pod of the name"), "{late}");
    attach(&client, &next).await.unwrap();
    agent.terminate().await;
    assert_clean_after_gc(&mut installation).await;
}

/// Without a leader the agent allocates all rails of a pod when the first is asked for, for every pod that waits at the
/// same time; pods that were annotated by hand are served in the same way.
pub(crate) async fn allocates_without_the_leader() {
    const PODS: usize = 20;
    let mut installation = installed("agent-alone", PODS + 1, 2).await;
    let agents = [
        NodeAgent::start(&installation, "node-0", &[]).await,
        NodeAgent::start(&installation, "node-1", &[]).await,
    ];
    let pods = waiting_pods(&installation, PODS).await;
    stop_leader(&mut installation);
    let mut by_hand = bound_pod("by-hand", 0);
    by_hand.metadata.annotations = Some([(NETWORKS_KEY.to_owned(), networks_annotation(RAILS))].into());
    let by_hand = installation.pods("default").create(&PostParams::default(), &by_hand).await.unwrap();
    bind(&installation, &pods, 2).await;
    let clients = [agents[0].client(), agents[1].client()];
    let attaches = pods.iter().enumerate().map(|(number, pod)| attach(&clients[number % 2], pod));
    for answer in join_all(attaches).await {
        answer.unwrap();
    }
    attach(&clients[0], &by_hand).await.unwrap();
    assert_served(&installation, PODS + 1).await;

    // Pools are empty now: the next pod gets nothing, and the reason.
    let mut late = bound_pod("late", 0);
    late.metadata.annotations.clone_from(&by_hand.metadata.annotations);
    let late = installation.pods("default").create(&PostParams::default(), &late).await.unwrap();
    let error = attach(&clients[0], &late).await.unwrap_err().to_string();
    assert!(error.contains("default/late") && error.contains("rail-1"), "{error}");
    assert_eq!(records(&installation).await.len(), (PODS + 1) * RAILS);

    // What a pod gives back at its end is enough for it.
    let now = DeleteParams::default().grace_period(0);
    installation.pods("default").delete("train-0", &now).await.unwrap();
    for rail in 1..=RAILS {
        let (client, ended) = (clients[0].clone(), pods[0].clone());
        tokio::task::spawn_blocking(move || client.delete(&delete_args(&ended, rail)).unwrap())
            .await
            .unwrap();
    }
    installation
        .wait_for("the agent's release", || async { records(&installation).await.len() == PODS * RAILS })
        .await;
    attach(&clients[0], &late).await.unwrap();
    assert_served(&installation, PODS + 1).await;
    drop(agents);
    assert_clean_after_gc(&mut installation).await;
}

/// Leader and agents plan the same pods at the same time: each pod ends with one set of addresses.
pub(crate) async fn races_with_the_leader() {
    const PODS: usize = 40;
    let mut installation = installed("agent-race", PODS, 2).await;
    let hasty = ["--patience-ms=0"];
    let agents = [
        NodeAgent::start(&installation, "node-0", &hasty).await,
        NodeAgent::start(&installation, "node-1", &hasty).await,
    ];
    for round in 0..3 {
        let pods = installation.pods("default");
        let attached = (0..PODS).map(|number| {
            let (pods, client) = (pods.clone(), agents[number % 2].client());
            async move {
                let pod = bound_pod(&format!("train-{number}"), number % 2);
                let pod = pods.create(&PostParams::default(), &pod).await.expect("the pod is created");
                attach_at_last(&client, &pod).await
            }
        });
        let failed: usize = join_all(attached).await.into_iter().sum();
        assert_eq!(failed, 0, "attaches that failed");
        assert_served(&installation, PODS).await;
        let raced = agents[0].metric("railweave_agent_attaches_total{source=\"fallback\"}").await
            + agents[1].metric("railweave_agent_attaches_total{source=\"fallback\"}").await;
        eprintln!("agent-race, round {round}: {raced} attaches so far did not wait for the leader");
        assert!(raced > 0.0);
        delete_pods(&installation).await;
        released(&installation).await;
    }
    drop(agents);
    assert_clean_after_gc(&mut installation).await;
}

/// An agent that is killed at random moments of a storm: the same pods end with the same guarantees.
pub(crate) async fn survives_being_killed() {
    const PODS: usize = 40;
    let rounds = std::env::var("RAILWEAVE_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(6);
    let mut installation = installed("agent-killed", PODS, 1).await;
    let mut agent = NodeAgent::start(&installation, "node-0", &[]).await;
    let client = agent.client();
    let pods = waiting_pods(&installation, PODS).await;
    stop_leader(&mut installation);
    bind(&installation, &pods, 1).await;
    let storm = join_all(pods.iter().map(|pod| attach_at_last(&client, pod)));
    let kills = async {
        for round in 0..rounds {
            let moment = u64::try_from(round * 53 % 300).unwrap_or_default();
            tokio::time::sleep(Duration::from_millis(100 + moment)).await;
            agent.kill();
            agent.restart().await;
        }
    };
    let (failed, ()) = tokio::join!(storm, kills);
    eprintln!("agent-killed: {} attaches failed and were tried again", failed.iter().sum::<usize>());
    assert_served(&installation, PODS).await;
    assert_clean_after_gc(&mut installation).await;
}

/// A sandbox that could not be set up gives its addresses back, unless the pod keeps them by its name or that is
/// switched off; the coordinator's configuration is told.
pub(crate) async fn gives_back_what_could_not_be_attached() {
    let installation = installed("agent-batch", 4, 1).await;
    installation.cluster.apply(
        "
apiVersion: spiderpool.spidernet.io/v2beta1
kind: SpiderCoordinator
metadata: {name: default}
spec: {podCIDRType: none, mode: disabled, hijackCIDR: [169.254.0.0/16]}
",
    );
    let agent = NodeAgent::start(&installation, "node-0", &["--release-conflicts=false"]).await;
    let client = agent.client();
    let pods = installation.pods("default");
    let pod = pods.create(&PostParams::default(), &bound_pod("train-0", 0)).await.unwrap();
    let mut ordinal = bound_pod("db-0", 0);
    ordinal.metadata.owner_references =
        Some(vec![from(json!({"apiVersion": "apps/v1", "kind": "StatefulSet",
        "name": "db", "controller": true, "uid": "6a5e5c53-0c11-4a8f-8a3f-000000000000"}))]);
    let ordinal = pods.create(&PostParams::default(), &ordinal).await.unwrap();
    attach(&client, &pod).await.unwrap();
    attach(&client, &ordinal).await.unwrap();
    let batch = |pod: &Pod, conflict: bool| BatchDeleteArgs {
        pod_namespace: "default".to_owned(),
        pod_name: pod.name_any(),
        pod_uid: pod.uid().unwrap(),
        is_release_conflict_ips: conflict,
        ..BatchDeleteArgs::default()
    };
    let (off, stateful, plain) = (batch(&pod, true), batch(&ordinal, false), batch(&pod, false));
    let asker = client.clone();
    tokio::task::spawn_blocking(move || {
        assert_eq!(asker.delete_batch(&off).unwrap_err().status(), Some(RELEASE_SWITCHED_OFF));
        assert_eq!(asker.delete_batch(&stateful).unwrap_err().status(), Some(RELEASE_OF_STATEFUL));
        asker.delete_batch(&plain).unwrap();
        let config = asker.coordinator_config(&CoordinatorArgs::default()).unwrap();
        let expected = CoordinatorConfig {
            mode: "disable".to_owned(),
            tune_pod_routes: true,
            hijack_cidr: vec!["169.254.0.0/16".to_owned()],
            host_rule_table: Some(500),
            pod_rp_filter: Some(0),
            tx_queue_len: Some(0),
            veth_mtu: Some(1500),
            ..CoordinatorConfig::default()
        };
        let told = CoordinatorConfig { overlay_pod_cidr: vec![], service_cidr: vec![], ..config };
        assert_eq!(told, expected);
    })
    .await
    .unwrap();
    let uids: BTreeSet<String> = records(&installation).await.into_values().map(|(uid, _)| uid).collect();
    assert_eq!(uids, BTreeSet::from([ordinal.uid().unwrap()]));
    // The next sandbox of the pod gets addresses again, on all rails.
    attach(&client, &pod).await.unwrap();
    assert_eq!(records(&installation).await.len(), 2 * RAILS);
    assert_eq!(endpoints(&installation).await.len(), 2);
}

/// What the fallback costs: pods of 8 rails through the socket alone.
pub(crate) async fn cost_of_attaching_without_the_leader() {
    println!(
        "| pods | nodes | all attached | slowest pod | agents' CPU a pod | commits a pod | conflicts a pod |"
    );
    println!("|---:|---:|---:|---:|---:|---:|---:|");
    for (count, nodes) in [(100, 1), (100, 10)] {
        let mut installation = installed(&format!("agent-cost-{nodes}"), count, nodes).await;
        let mut agents = Vec::new();
        for node in 0..nodes {
            agents.push(NodeAgent::start(&installation, &format!("node-{node}"), &[]).await);
        }
        let pods = waiting_pods(&installation, count).await;
        stop_leader(&mut installation);
        bind(&installation, &pods, nodes).await;
        let cpu = || agents.iter().map(|agent| cpu_of(agent.pid())).sum::<f64>();
        let (before, begun) = (cpu(), Instant::now());
        let clients: Vec<_> = agents.iter().map(NodeAgent::client).collect();
        let times = join_all(pods.iter().enumerate().map(|(number, pod)| {
            let client = &clients[number % nodes];
            async move {
                attach(client, pod).await.expect("no attach fails");
                begun.elapsed()
            }
        }))
        .await;
        let (took, used) = (begun.elapsed(), cpu() - before);
        assert_served(&installation, count).await;
        let (mut commits, mut conflicts) = (0.0, 0.0);
        for agent in &agents {
            commits += agent.metric("railweave_ipam_commits_total{result=\"written\"}").await;
            conflicts += agent.metric("railweave_ipam_commits_total{result=\"conflict\"}").await;
        }
        let each = f64::from(u32::try_from(count).unwrap());
        println!(
            "| {count} | {nodes} | {:.1} s | {:.1} s | {:.2} ms | {:.2} | {:.2} |",
            took.as_secs_f64(),
            times.iter().max().unwrap().as_secs_f64(),
            used / each,
            commits / each,
            conflicts / each,
        );
    }
}
