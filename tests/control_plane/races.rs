//! What happens between two steps of allocation: pools that change in use, names that come back at once, nodes and API
//! servers that go away, clocks that are wrong.

use std::process::Command;
use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use railweave::api::SpiderEndpoint;
use serde_json::{Value, json};

use crate::allocation::{
    RAILS, assert_served, bound_pod, create_nodes, create_pods, delete_pods, installed, records, released,
    served,
};
use crate::installation::{CONTROLLER, Installation, NAMESPACE, Options};

async fn event_says(installation: &Installation, words: &[&str]) {
    installation
        .wait_for(&format!("an Event with {words:?}"), || async {
            let events = installation.cluster.get(&["events.events.k8s.io", "-n", "default"]);
            let notes = events["items"].as_array().cloned().unwrap_or_default();
            notes.iter().any(|event| words.iter().all(|word| event.to_string().contains(word)))
        })
        .await;
}

fn patch_pool(installation: &Installation, name: &str, spec: &Value) -> bool {
    let patch = json!({ "spec": spec }).to_string();
    installation.cluster.kubectl(&["patch", "spiderippool", name, "--type=merge", "-p", &patch], "").ok
}

/// Addresses in use cannot be taken out of a pool; a disabled pool keeps what it gave and gives no more; a deleted
/// one goes after the last pod.
pub(crate) async fn of_pools_shrunk_disabled_and_deleted_in_use() {
    let installation = installed("pools-in-use", 8, 2).await;
    let pods = installation.pods("default");
    create_pods(&installation, 4, 2).await;
    served(&installation, 4).await;

    let used = records(&installation).await;
    let in_rail_2 = |address: &&String| address.starts_with("10.2.");
    let first = used.keys().find(in_rail_2).unwrap().clone();
    assert!(!patch_pool(&installation, "rail-2", &json!({ "excludeIPs": [first] })), "{first} is in use");
    let free =
        (1..=8).map(|host| format!("10.2.0.{host}")).find(|address| !used.contains_key(address)).unwrap();
    assert!(patch_pool(&installation, "rail-2", &json!({ "excludeIPs": [free] })), "{free} is free");

    // A pod that comes in the same moment counts as one that comes later.
    assert!(patch_pool(&installation, "rail-3", &json!({ "disable": true })));
    pods.create(&PostParams::default(), &bound_pod("waits", 0)).await.unwrap();
    event_says(&installation, &["waits", "net3", "rail-3"]).await;
    assert_eq!(records(&installation).await, used, "what was given stays, and a pod gets all or nothing");
    assert!(patch_pool(&installation, "rail-3", &json!({ "disable": false })));
    served(&installation, 5).await;
    assert_served(&installation, 5).await;

    installation.cluster.kubectl_ok(&["delete", "spiderippool", "rail-4", "--wait=false"], "");
    pods.create(&PostParams::default(), &bound_pod("late", 0)).await.unwrap();
    event_says(&installation, &["late", "net4", "rail-4"]).await;
    assert_eq!(records(&installation).await.len(), 5 * RAILS);
    delete_pods(&installation).await;
    released(&installation).await;
    let pool = ["get", "spiderippool", "rail-4"];
    installation.wait_for("the pool to go", || async { !installation.cluster.kubectl(&pool, "").ok }).await;
}

/// A pod comes right after its pool was given another range: it gets an address of the new one, whichever of the leader's
/// watches tells what first.
pub(crate) async fn of_ranges_that_change_while_pods_are_planned() {
    let installation = installed("moving-ranges", 4, 2).await;
    let pods = installation.pods("default");
    let endpoints = Api::<SpiderEndpoint>::namespaced(installation.cluster.client.clone(), "default");
    for round in 1..=20 {
        let (name, range) = (format!("train-{round}"), format!("10.2.{round}.1-10.2.{round}.4"));
        assert!(patch_pool(&installation, "rail-2", &json!({ "ips": [range] })));
        pods.create(&PostParams::default(), &bound_pod(&name, round % 2)).await.unwrap();
        installation
            .wait_for("the endpoint", || async { endpoints.get_opt(&name).await.unwrap().is_some() })
            .await;
        let told = endpoints.get(&name).await.unwrap().status.unwrap().current.ips;
        assert_eq!(
            told[1].ipv4,
            Some(format!("10.2.{round}.1/16")),
            "{range} was in force before the pod came"
        );
        // A range with addresses in use could not be taken away.
        pods.delete(&name, &DeleteParams::default().grace_period(0)).await.unwrap();
        released(&installation).await;
    }
}

/// Pods of the same names are deleted by force and created again at once, with nothing to spare.
pub(crate) async fn of_names_that_come_back_at_once() {
    const PODS: usize = 12;
    let installation = installed("same-names", PODS, 3).await;
    create_pods(&installation, PODS, 3).await;
    let pods = installation.pods("default");
    let now = DeleteParams::default().grace_period(0);
    for round in 0..5 {
        for number in 0..PODS {
            let name = format!("train-{number}");
            pods.delete(&name, &now).await.expect("the pod is there");
            let pod = bound_pod(&name, (number + round) % 3);
            pods.create(&PostParams::default(), &pod).await.expect("the pod is created");
        }
    }
    served(&installation, PODS).await;
    installation
        .wait_for("the last release", || async { records(&installation).await.len() == PODS * RAILS })
        .await;
    assert_served(&installation, PODS).await;
}

/// A pod that vanished while its node did not answer may still run there: its addresses stay until the node is gone.
pub(crate) async fn of_a_node_that_does_not_answer() {
    let installation = installed("lost-node", 4, 2).await;
    create_pods(&installation, 2, 2).await;
    served(&installation, 2).await;
    let ready = json!({ "status": { "conditions": [{ "type": "Ready", "status": "Unknown", "reason": "x", "message": "x",
        "lastHeartbeatTime": Timestamp::now().to_string(), "lastTransitionTime": Timestamp::now().to_string() }] } });
    let silent = ["patch", "node", "node-1", "--subresource=status", "--type=strategic", "-p"];
    installation.cluster.kubectl_ok(&[&silent[..], &[&ready.to_string()]].concat(), "");
    tokio::time::sleep(Duration::from_secs(1)).await;
    delete_pods(&installation).await;
    installation
        .wait_for("the release of the other node's pod", || async {
            records(&installation).await.len() == RAILS
        })
        .await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(records(&installation).await.len(), RAILS, "nobody knows whether the pod is gone");
    installation.cluster.kubectl_ok(&["delete", "node", "node-1"], "");
    released(&installation).await;
}

/// The API server is away for half a minute, then does not move for twenty seconds, in the middle of work.
pub(crate) async fn of_an_api_server_that_is_away_or_stalled() {
    const PODS: usize = 16;
    let installation = installed("away", PODS, 4).await;
    create_pods(&installation, PODS / 2, 4).await;
    installation.cluster.restart_api_server(Duration::from_secs(30));
    served(&installation, PODS / 2).await;
    delete_pods(&installation).await;

    let api_server = installation.cluster.pid("kube-apiserver").to_string();
    let signal = |name: &str| {
        assert!(Command::new("kill").args([name, &api_server]).status().is_ok_and(|status| status.success()));
    };
    signal("-STOP");
    tokio::time::sleep(Duration::from_secs(20)).await;
    signal("-CONT");
    installation
        .wait_for("the API server", || async { installation.cluster.kubectl(&["get", "nodes"], "").ok })
        .await;
    released(&installation).await;
    create_pods(&installation, PODS, 4).await;
    served(&installation, PODS).await;
    assert_served(&installation, PODS).await;
}

/// The times in a Lease are of another machine's clock: one that renews is not robbed though its times are long ago,
/// and one that does not is succeeded though its times lie ahead.
pub(crate) async fn of_clocks_that_are_minutes_apart() {
    let flags = ["--lease-duration=3", "--renew-deadline=2", "--retry-period=1"];
    let options = Options { replicas: 0, flags: &flags, ..Options::default() };
    let mut installation = Installation::start("clocks", options).await;
    let leases = Api::<Lease>::namespaced(installation.cluster.client.clone(), NAMESPACE);
    let at = |minutes: i64| {
        let time = Timestamp::now() + SignedDuration::from_mins(minutes);
        let time = format!("{time:.6}");
        json!({ "metadata": { "name": CONTROLLER }, "spec": { "holderIdentity": "other", "leaseDurationSeconds": 3,
            "acquireTime": time, "renewTime": time, "leaseTransitions": 0 } })
    };
    leases.create(&PostParams::default(), &serde_json::from_value(at(-10)).unwrap()).await.unwrap();
    installation.add_replica().await;
    for _ in 0..16 {
        leases.patch(CONTROLLER, &PatchParams::default(), &Patch::Merge(at(-10))).await.unwrap();
        tokio::time::sleep(Duration::from_millis(500)).await;
        let leads = installation.replicas[0].metric("railweave_leader").await;
        assert!(leads < 1.0, "the other one renews, ten minutes behind");
    }
    leases.patch(CONTROLLER, &PatchParams::default(), &Patch::Merge(at(10))).await.unwrap();
    let took = installation
        .wait_for("the replica to lead", || async {
            installation.replicas[0].metric("railweave_leader").await > 0.0
        })
        .await;
    assert!(took < Duration::from_secs(20), "{took:?}");
    installation.cluster.apply(&crate::allocation::rails_of_size(4));
    create_nodes(&installation, 1);
    installation.registered().await;
    installation.knows_rails(RAILS).await;
    create_pods(&installation, 2, 1).await;
    served(&installation, 2).await;
    assert_served(&installation, 2).await;
}
