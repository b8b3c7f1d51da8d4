//! What is nobody's doing at the moment: pods that go before their addresses are written, names of a `StatefulSet` that
//! come back elsewhere at once, a leader that wakes up after its lease, records that somebody wrote over.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use railweave::api::{SpiderEndpoint, SpiderIPPool};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::agent::bind_to;
use crate::allocation::{
    RAILS, assert_served, bound_pod, create_nodes, create_pods, delete_pods, endpoints, installed,
    rails_of_size, records, released, served,
};
use crate::installation::{Installation, Options};
use crate::objects::from;

/// A sweep finds within this what no event led to.
const SWEEP: &str = "--gc-interval=2";

async fn installed_with(test: &str, size: usize, nodes: usize, flags: &[&str]) -> Installation {
    let installation = Installation::start(test, Options { flags, ..Options::default() }).await;
    installation.cluster.apply(&rails_of_size(size));
    create_nodes(&installation, nodes);
    installation.knows_rails(RAILS).await;
    installation
}

/// Pods are bound and deleted again at once, a little later each time, with pools that have nothing to spare: neither
/// records nor endpoints stay of any of them, and the next pods get everything.
pub(crate) async fn of_pods_that_go_before_their_addresses_are_written() {
    const PODS: usize = 40;
    let installation = installed("gone-early", PODS, 2).await;
    let pods = installation.pods("default");
    let now = DeleteParams::default().grace_period(0);
    for number in 0..PODS {
        let mut pod = bound_pod(&format!("train-{number}"), 0);
        pod.spec.as_mut().unwrap().node_name = None;
        let pod = pods.create(&PostParams::default(), &pod).await.unwrap();
        bind_to(&installation, &pod, number % 2).await;
        sleep(Duration::from_millis(u64::try_from(number).unwrap())).await;
        pods.delete(&format!("train-{number}"), &now).await.unwrap();
    }
    released(&installation).await;
    // What a leader had planned when the pod went comes late, and goes as well.
    sleep(Duration::from_secs(2)).await;
    released(&installation).await;
    create_pods(&installation, PODS, 2).await;
    served(&installation, PODS).await;
    assert_served(&installation, PODS).await;
}

/// Pods of a `StatefulSet` are deleted by force and come back at once on the other node, again and again: each name
/// keeps its addresses, and the endpoint is that of the last pod.
pub(crate) async fn of_names_of_a_stateful_set_that_come_back_elsewhere() {
    const PODS: usize = 6;
    let installation = installed("same-ordinals", PODS, 2).await;
    let set: k8s_openapi::api::apps::v1::StatefulSet = from(json!({
        "metadata": {"name": "db"},
        "spec": { "replicas": PODS, "serviceName": "db", "selector": {"matchLabels": {"app": "db"}},
            "template": {"metadata": {"labels": {"app": "db"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}} }
    }));
    let sets = Api::namespaced(installation.cluster.client.clone(), "default");
    let set = sets.create(&PostParams::default(), &set).await.unwrap();
    let pods = installation.pods("default");
    let create = |ordinal: usize, round: usize| {
        let mut pod = bound_pod(&format!("db-{ordinal}"), (ordinal + round) % 2);
        pod.metadata.owner_references =
            Some(vec![from(json!({ "apiVersion": "apps/v1", "kind": "StatefulSet",
            "name": "db", "controller": true, "uid": set.metadata.uid }))]);
        let pods = pods.clone();
        async move { pods.create(&PostParams::default(), &pod).await.unwrap() }
    };
    for ordinal in 0..PODS {
        create(ordinal, 0).await;
    }
    served(&installation, PODS).await;
    let first = by_name(&installation).await;
    let now = DeleteParams::default().grace_period(0);
    for round in 1..6 {
        for ordinal in 0..PODS {
            pods.delete(&format!("db-{ordinal}"), &now).await.unwrap();
            create(ordinal, round).await;
        }
        sleep(Duration::from_millis(u64::try_from(round * 90).unwrap())).await;
    }
    served(&installation, PODS).await;
    installation
        .wait_for("records of the last pods", || async { records(&installation).await.len() == PODS * RAILS })
        .await;
    assert_served(&installation, PODS).await;
    assert_eq!(by_name(&installation).await, first);
}

/// The addresses that endpoints tell, by name.
async fn by_name(installation: &Installation) -> BTreeMap<String, Vec<Option<String>>> {
    let told = |endpoint: SpiderEndpoint| {
        let ips = endpoint.status.unwrap().current.ips;
        (endpoint.metadata.name.unwrap(), ips.into_iter().map(|detail| detail.ipv4).collect())
    };
    endpoints(installation).await.into_iter().map(told).collect()
}

/// A leader is stopped past its lease in the middle of work and goes on while another leads: right after that, and a
/// while later, every pod has its addresses and nobody has one of another's.
pub(crate) async fn of_two_leaders_for_a_moment() {
    const PODS: usize = 24;
    let flags = ["--lease-duration=2", "--renew-deadline=1", "--retry-period=1"];
    let mut installation = installed_with("two-leaders", PODS, 4, &flags).await;
    create_pods(&installation, PODS, 4).await;
    let now = DeleteParams::default().grace_period(0);
    for round in 0..4 {
        let pods = installation.pods("default");
        for number in 0..PODS {
            let name = format!("train-{number}");
            pods.delete(&name, &now).await.expect("the pod is there");
            pods.create(&PostParams::default(), &bound_pod(&name, (number + round) % 4)).await.unwrap();
        }
        sleep(Duration::from_millis(u64::try_from(round * 60).unwrap())).await;
        let stopped = installation.replicas.remove(0);
        stopped.signal("STOP");
        installation.service.remove(stopped.endpoint);
        installation.add_replica().await;
        // The next one does its work, on pods of the same names.
        let again = (0..PODS).step_by(3).map(|number| {
            let (pods, now, name) = (&pods, &now, format!("train-{number}"));
            async move {
                pods.delete(&name, now).await.expect("the pod is there");
                create_patiently(pods, &bound_pod(&name, number % 4)).await;
            }
        });
        futures::future::join_all(again).await;
        served(&installation, PODS).await;
        installation
            .wait_for("the last release", || async { records(&installation).await.len() == PODS * RAILS })
            .await;
        assert_served(&installation, PODS).await;
        stopped.signal("CONT");
        for _ in 0..10 {
            sleep(Duration::from_millis(100)).await;
            assert_served(&installation, PODS).await;
        }
    }
    delete_pods(&installation).await;
    released(&installation).await;
}

/// Creates the pod, however many of the API server's connections still lead to a replica that is stopped: each costs one
/// request, after the time that a webhook has.
async fn create_patiently(pods: &Api<Pod>, pod: &Pod) {
    for _ in 0..25 {
        match pods.create(&PostParams::default(), pod).await {
            Ok(_) => return,
            Err(error) => assert!(error.to_string().contains("context deadline exceeded"), "{error}"),
        }
    }
    panic!("the API server has no more than 25 idle connections for a webhook");
}

/// Takes records out of a pool, or writes others, as a person with an old backup would.
async fn overwrite(installation: &Installation, pool: &str, change: impl Fn(&mut BTreeMap<String, Value>)) {
    let pools = Api::<SpiderIPPool>::all(installation.cluster.client.clone());
    let stored = pools.get(pool).await.unwrap().status.unwrap_or_default();
    let mut records = serde_json::from_str(stored.allocated_ips.as_deref().unwrap_or("{}")).unwrap();
    change(&mut records);
    let (count, text) = (records.len(), serde_json::to_string(&records).unwrap());
    let patch = json!({ "status": { "allocatedIPs": text, "allocatedIPCount": count } });
    pools.patch_status(pool, &PatchParams::default(), &Patch::Merge(&patch)).await.unwrap();
}

/// Records of running pods are lost, or are those of a pod that is gone: the leader records what endpoints tell, and
/// frees nothing that a pod runs with.
pub(crate) async fn of_records_that_somebody_wrote_over() {
    let installation = installed_with("lost-records", 20, 1, &[SWEEP]).await;
    create_pods(&installation, 2, 1).await;
    served(&installation, 2).await;
    let before = records(&installation).await;
    assert_eq!(before.len(), 2 * RAILS);
    overwrite(&installation, "rail-2", BTreeMap::clear).await;
    overwrite(&installation, "rail-3", |records| {
        for record in records.values_mut() {
            record["pod"] = json!("default/gone");
            record["podUid"] = json!("00000000-0000-0000-0000-000000000000");
        }
    })
    .await;
    installation.wait_for("the records", || async { records(&installation).await == before }).await;
    assert_served(&installation, 2).await;
    // Who comes now gets others.
    create_more(&installation).await;
    delete_pods(&installation).await;
    released(&installation).await;
}

async fn create_more(installation: &Installation) {
    let pods: Api<Pod> = installation.pods("default");
    pods.create(&PostParams::default(), &bound_pod("late", 0)).await.unwrap();
    served(installation, 3).await;
    assert_served(installation, 3).await;
}

/// Endpoints that no pool knows of go where the configuration asks for that, and only those.
pub(crate) async fn of_endpoints_that_no_pool_knows_of() {
    let installation = installed_with("outdated", 20, 1, &[SWEEP]).await;
    create_pods(&installation, 1, 1).await;
    served(&installation, 1).await;
    let outdated = json!({ "apiVersion": "spiderpool.spidernet.io/v2beta1", "kind": "SpiderEndpoint",
        "metadata": { "name": "db-0", "namespace": "default" },
        "status": { "current": { "uid": "gone", "node": "node-0", "ips": [] },
            "ownerControllerType": "StatefulSet", "ownerControllerName": "db" } });
    installation.cluster.apply(&outdated.to_string());
    let names = || async {
        let found = endpoints(&installation).await;
        found.into_iter().filter_map(|endpoint| endpoint.metadata.name).collect::<Vec<_>>()
    };
    sleep(Duration::from_secs(6)).await;
    assert_eq!(names().await, ["db-0", "train-0"], "nobody asked for it");
    let configuration =
        json!({ "enableCleanOutdatedEndpoint": true, "podResourceInject": { "enabled": true } }).to_string();
    installation.configure(&configuration);
    installation.wait_for("the outdated endpoint to go", || async { names().await == ["train-0"] }).await;
    assert_served(&installation, 1).await;
}
