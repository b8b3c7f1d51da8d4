//! The IPAM plugin itself against a real agent: what it asks, what it makes of the answers, and an address in conflict.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use kube::api::PostParams;
use railweave_cni::plugins;
use railweave_cni::spec::{Answer, Call, CniError};
use railweave_cni::wire::{AddReply, BatchDeleteArgs};
use serde_json::{Value, json};

use crate::allocation::{RAILS, bound_pod, endpoints, installed, records};
use crate::node_agent::{NodeAgent, add_args, attach};

/// The call of a runtime for `net1` of a pod.
fn call(command: &str, pod: &Pod, socket: &Path, previous: &Value) -> Call {
    let mut config = json!({
        "cniVersion": "1.1.0", "name": "rail-1", "type": "macvlan",
        "ipam": {"type": "spiderpool", "default_ipv4_ippool": ["rail-1"], "ipam_unix_socket_path": socket},
    });
    if !previous.is_null() {
        config["prevResult"] = previous.clone();
    }
    let environment = |name: &str| match name {
        "CNI_COMMAND" => Some(command.to_owned()),
        "CNI_CONTAINERID" => Some("sandbox".to_owned()),
        "CNI_NETNS" => Some("/var/run/netns/none".to_owned()),
        "CNI_IFNAME" => Some("net1".to_owned()),
        "CNI_ARGS" => Some(format!(
            "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME={};K8S_POD_UID={}",
            pod.name_any(),
            pod.uid().unwrap()
        )),
        _ => None,
    };
    Call::parse(environment, config.to_string().as_bytes()).unwrap()
}

fn run(call: &Call) -> Result<Option<Answer>, CniError> {
    plugins::run(plugins::named("spiderpool").unwrap(), call)
}

/// What ADD gives is what CHECK finds and what the leader wrote; a DEL takes nothing from a pod that lives, and needs no
/// agent.
pub(crate) async fn attaches_checks_and_detaches() {
    let installation = installed("agent-plugin", 4, 1).await;
    let mut agent = NodeAgent::start(&installation, "node-0", &[]).await;
    let pod =
        installation.pods("default").create(&PostParams::default(), &bound_pod("train-0", 0)).await.unwrap();
    let (socket, of_plugin) = (agent.socket(), pod.clone());
    let added = tokio::task::spawn_blocking(move || {
        let call = |command, previous: &Value| call(command, &of_plugin, &socket, previous);
        let add = call("ADD", &Value::Null);
        let answer = run(&add).unwrap().unwrap();
        assert_eq!(run(&add).unwrap().unwrap(), answer, "a second ADD gets the same");
        let result: Value = serde_json::from_str(&answer.to_json(add.version)).unwrap();
        run(&call("CHECK", &result)).unwrap();
        let mut other = result.clone();
        other["ips"][0]["address"] = json!("10.1.9.9/16");
        assert_eq!(run(&call("CHECK", &other)).unwrap_err().code, CniError::CHANGED);
        run(&call("STATUS", &Value::Null)).unwrap();
        run(&call("DEL", &result)).unwrap();
        result
    });
    let result = added.await.unwrap();
    let address = result["ips"][0]["address"].as_str().unwrap().strip_suffix("/16").unwrap();
    assert_eq!(result["ips"].as_array().unwrap().len(), 1, "of net1 alone: {result}");
    assert_eq!(result["ips"][0]["gateway"], "10.1.255.254");
    assert_eq!(result["routes"], json!([{"dst": "0.0.0.0/0", "gw": "10.1.255.254"}]));
    let recorded = records(&installation).await;
    assert_eq!(recorded[address], (pod.uid().unwrap(), "rail-1".to_owned()));
    assert_eq!(recorded.len(), RAILS);

    let socket = agent.socket();
    agent.kill();
    let without = tokio::task::spawn_blocking(move || {
        let run =
            |command| run(&call(command, &pod, &socket, &Value::Null)).map(drop).map_err(|error| error.code);
        [run("STATUS"), run("ADD"), run("DEL")]
    });
    assert_eq!(without.await.unwrap(), [Err(CniError::UNAVAILABLE), Err(CniError::TRY_AGAIN), Ok(())]);
}

fn by_interface(reply: &AddReply) -> BTreeMap<String, String> {
    reply.ips.iter().map(|ip| (ip.nic.clone(), ip.address.clone())).collect()
}

/// One rail's address is in use by somebody else while the others are attached already: they keep theirs, and it gets another.
pub(crate) async fn gives_back_the_address_in_conflict_and_no_other() {
    let installation = installed("agent-conflict", 4, 1).await;
    let agent = NodeAgent::start(&installation, "node-0", &[]).await;
    let client = agent.client();
    let pod =
        installation.pods("default").create(&PostParams::default(), &bound_pod("train-0", 0)).await.unwrap();
    let before = by_interface(&attach(&client, &pod).await.unwrap());
    assert_eq!(before.len(), RAILS);
    let in_conflict = before["net2"].strip_suffix("/16").unwrap().to_owned();
    let batch = BatchDeleteArgs {
        pod_namespace: "default".to_owned(),
        pod_name: pod.name_any(),
        pod_uid: pod.uid().unwrap(),
        is_release_conflict_ips: true,
        ips: vec![in_conflict.parse().unwrap()],
        ..BatchDeleteArgs::default()
    };
    let asker = client.clone();
    tokio::task::spawn_blocking(move || asker.delete_batch(&batch).unwrap()).await.unwrap();
    let recorded = records(&installation).await;
    assert_eq!((recorded.len(), recorded.contains_key(&in_conflict)), (RAILS - 1, false), "{recorded:?}");
    let told = endpoints(&installation).await.pop().unwrap().status.unwrap().current.ips;
    let mut interfaces: Vec<String> = told.into_iter().map(|detail| detail.interface).collect();
    interfaces.sort_unstable();
    let others: Vec<&String> = before.keys().filter(|name| *name != "net2").collect();
    assert_eq!(interfaces.iter().collect::<Vec<_>>(), others);

    // The agent's watch tells it of its own write a moment later.
    let begun = Instant::now();
    let after = loop {
        let (asker, second) = (client.clone(), add_args(&pod, 2));
        let reply = tokio::task::spawn_blocking(move || asker.add(&second).unwrap()).await.unwrap();
        let after = by_interface(&reply);
        if after["net2"] != before["net2"] {
            break after;
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "{after:?}");
    };
    for name in others {
        assert_eq!(after[name], before[name], "{name} is up with it");
    }
    assert_eq!(after.len(), RAILS);
    assert_eq!(records(&installation).await.len(), RAILS);
}
