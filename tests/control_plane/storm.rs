//! Leader and agents are killed together, at any moment, while pods come and go: nobody gets an address twice, and all
//! come back.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use kube::api::{DeleteParams, PostParams};
use railweave_cni::wire::Client;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::allocation::{
    RAILS, assert_served, bound_pod, create_nodes, delete_pods, rails_of_size, records, released, served,
};
use crate::installation::{Installation, Options};
use crate::node_agent::{NodeAgent, attach, delete_args};

const PODS: usize = 24;
const NODES: usize = 2;

/// UID of the living pod of each name.
type Living = Arc<Mutex<HashMap<String, String>>>;

/// A cluster whose leader and agents can be killed.
struct Storm {
    installation: Installation,
    agents: Vec<NodeAgent>,
    living: Living,
    /// What the kubelets of the nodes are doing.
    kubelets: JoinSet<()>,
}

pub(crate) async fn of_pods_while_leader_and_agents_are_killed() {
    let rounds = std::env::var("RAILWEAVE_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(9);
    let mut storm = Storm::gather().await;
    for number in 0..PODS {
        storm.replace(number, 0).await;
    }
    for round in 0..rounds {
        for number in (0..PODS).skip(round % 3).step_by(3) {
            storm.replace(number, round).await;
        }
        let moment = u64::try_from(round * 37 % 400).unwrap_or_default();
        sleep(Duration::from_millis(moment)).await;
        storm.kill(round).await;
    }
    while let Some(ended) = storm.kubelets.join_next().await {
        ended.expect("every pod that lives is attached in the end");
    }
    let Storm { installation, agents, .. } = storm;
    served(&installation, PODS).await;
    installation
        .wait_for("the last release", || async { records(&installation).await.len() == PODS * RAILS })
        .await;
    assert_served(&installation, PODS).await;
    drop(agents);
    delete_pods(&installation).await;
    released(&installation).await;
}

impl Storm {
    /// Pools of exactly as many addresses as there are pods. Agents do not wait for the leader.
    async fn gather() -> Self {
        let flags = ["--lease-duration=2", "--renew-deadline=1", "--retry-period=1"];
        let options = Options { flags: &flags, ..Options::default() };
        let installation = Installation::start("storm", options).await;
        installation.cluster.apply(&rails_of_size(PODS));
        create_nodes(&installation, NODES);
        installation.knows_rails(RAILS).await;
        let mut agents = Vec::new();
        for node in 0..NODES {
            let node = format!("node-{node}");
            agents.push(NodeAgent::start(&installation, &node, &["--patience-ms=0"]).await);
        }
        Self { installation, agents, living: Living::default(), kubelets: JoinSet::new() }
    }

    /// A pod of the same name comes at once, perhaps on the other node; nobody waits for anything.
    async fn replace(&mut self, number: usize, round: usize) {
        let (name, node) = (format!("train-{number}"), (number + round) % NODES);
        let pods = self.installation.pods("default");
        if self.living.lock().unwrap().contains_key(&name) {
            let now = DeleteParams::default().grace_period(0);
            pods.delete(&name, &now).await.expect("the pod is there");
        }
        let pod = pods.create(&PostParams::default(), &bound_pod(&name, node)).await.expect("it is created");
        self.living.lock().unwrap().insert(name, pod.uid().expect("it was created"));
        self.kubelets.spawn(keep_attached(self.agents[node].client(), pod, self.living.clone()));
    }

    /// Now the leader, now an agent, now all of them.
    async fn kill(&mut self, round: usize) {
        if round % 3 != 1 {
            let mut killed = self.installation.replicas.remove(0);
            killed.kill();
            self.installation.service.remove(killed.endpoint);
        }
        let chosen = |node: &usize| round % 3 == 2 || round % 3 == 1 && *node == round / 3 % NODES;
        for node in (0..NODES).filter(chosen) {
            self.agents[node].kill();
        }
        for node in (0..NODES).filter(chosen) {
            self.agents[node].restart().await;
        }
        if self.installation.replicas.is_empty() {
            self.installation.add_replica().await;
        }
    }
}

/// Attaches the pod, again and again until that succeeds or the pod is replaced; then it is detached.
async fn keep_attached(client: Client, pod: Pod, living: Living) {
    let (name, uid) = (pod.name_any(), pod.uid().expect("it was created"));
    let lives = || living.lock().unwrap().get(&name) == Some(&uid);
    while lives() {
        if attach(&client, &pod).await.is_ok() {
            return;
        }
        sleep(Duration::from_millis(50)).await;
    }
    // What the plugins of a sandbox that never came up ask; the agent may be away.
    for rail in 1..=RAILS {
        let (client, pod) = (client.clone(), pod.clone());
        let asked = tokio::task::spawn_blocking(move || client.delete(&delete_args(&pod, rail)));
        asked.await.expect("the task ends").ok();
    }
}
