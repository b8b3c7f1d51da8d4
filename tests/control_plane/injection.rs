//! Pods that name a group get its rails from the API server; all others stay as they are.

use kube::api::ListParams;
use serde_json::json;

use crate::cluster::Components;
use crate::installation::{Installation, Options};
use crate::objects::{
    GROUP, NETWORKS_KEY, RDMA_KEY, annotated_pod, assert_injected, bare_pod, from, is_plain, node,
    opted_in_pod,
};

pub(crate) async fn of_pods() {
    let installation = Installation::start("injection-pods", Options::default()).await.with_rails(8).await;

    // By annotation and by label, with nothing else in the pod's metadata, not even a name.
    assert_injected(&installation.try_pod("default", &opted_in_pod()).await.unwrap(), 8, 0);
    let mut labelled = bare_pod();
    labelled.metadata.labels = Some([(RDMA_KEY.to_owned(), GROUP.to_owned())].into());
    assert_injected(&installation.try_pod("default", &labelled).await.unwrap(), 8, 0);

    // Into the container that the pod names.
    let mut two = annotated_pod(&[(RDMA_KEY, GROUP), ("cni.spidernet.io/inject-container", "worker")]);
    let worker = from(json!({"name": "worker", "image": "example.com/train:1"}));
    two.spec.as_mut().unwrap().containers.push(worker);
    assert_injected(&installation.try_pod("default", &two).await.unwrap(), 8, 1);

    // Not at all: no key, opted out, excluded namespace, the host's network.
    for pod in [bare_pod(), annotated_pod(&[(RDMA_KEY, "none")])] {
        assert!(is_plain(&installation.try_pod("default", &pod).await.unwrap()));
    }
    installation.create_namespace("istio-system").await;
    assert!(installation.leaves_plain("istio-system").await);
    let mut host_network = opted_in_pod();
    host_network.spec.as_mut().unwrap().host_network = Some(true);
    assert!(is_plain(&installation.try_pod("default", &host_network).await.unwrap()));

    // An unknown group is refused, with the pod, the key, the value and the group that was meant.
    let refused =
        installation.try_pod("default", &annotated_pod(&[(RDMA_KEY, "rdma-netwrok")])).await.unwrap_err();
    let refused = refused.to_string();
    for part in ["UnknownGroup", "train-", RDMA_KEY, "rdma-netwrok", GROUP] {
        assert!(refused.contains(part), "{part} is not in: {refused}");
    }

    // Networks of the user's own are cleared with a warning that names them.
    let manifest = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "mine", "annotations": {
            RDMA_KEY: GROUP, NETWORKS_KEY: "default/other", "ipam.spidernet.io/ippools": "[]",
        }},
        "spec": {"containers": [{"name": "main", "image": "example.com/train:1"}]},
    });
    let printed = installation.cluster.kubectl_ok(&["create", "--filename=-"], &manifest.to_string());
    assert!(printed.err.contains("Warning:"), "{}", printed.err);
    for key in [NETWORKS_KEY, "ipam.spidernet.io/ippools"] {
        assert!(printed.err.contains(key), "{key} is not in: {}", printed.err);
    }
    let pod = installation.pods("default").get("mine").await.unwrap();
    assert_injected(&pod, 8, 0);
    assert!(!pod.metadata.annotations.unwrap().contains_key("ipam.spidernet.io/ippools"));
}

/// Pods that did not opt in cost nothing: the API server does not ask about them at all.
pub(crate) async fn never_asks_about_plain_pods() {
    let installation = Installation::start("injection-plain", Options::default()).await.with_rails(2).await;
    let replica = &installation.replicas[0];
    let before = replica.reviewed_pods().await;
    for pod in
        [bare_pod(), annotated_pod(&[("example.com/note", "plain")]), annotated_pod(&[(RDMA_KEY, "none")])]
    {
        for _ in 0..10 {
            installation.try_pod("default", &pod).await.unwrap();
        }
    }
    assert!((replica.reviewed_pods().await - before).abs() < 0.5);
    installation.try_pod("default", &opted_in_pod()).await.unwrap();
    assert!((replica.reviewed_pods().await - before - 1.0).abs() < 0.5);
}

pub(crate) async fn dry_run_leaves_no_trace() {
    let installation = Installation::start("injection-dry-run", Options::default()).await.with_rails(2).await;
    let resources = ["pods", "events", "spiderendpoints", "spiderippools"];
    let state = || {
        resources.map(|resource| installation.cluster.get(&[resource, "--all-namespaces"])["items"].clone())
    };
    let before = state();
    for _ in 0..20 {
        assert_injected(&installation.try_pod("default", &opted_in_pod()).await.unwrap(), 2, 0);
    }
    assert_eq!(state(), before);
}

/// The guide's way: a Deployment with the annotation in its template, through the real controller manager and
/// scheduler, onto nodes that offer the resources.
pub(crate) async fn of_a_deployment() {
    let options = Options { components: Components::All, ..Options::default() };
    let installation = Installation::start("injection-deployment", options).await.with_rails(8).await;
    for name in ["worker1", "worker2"] {
        let (object, status) = node(name, 8, 1);
        installation.cluster.kubectl_ok(&["create", "-f", "-"], &object.to_string());
        let patch =
            ["patch", "node", name, "--subresource=status", "--type=merge", "-p", &status.to_string()];
        installation.cluster.kubectl_ok(&patch, "");
        // The API server marks new nodes as not ready, and the controller that would undo it is off.
        let patch = ["patch", "node", name, "--type=merge", "-p", r#"{"spec":{"taints":null}}"#];
        installation.cluster.kubectl_ok(&patch, "");
    }
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "rdma-tools"},
        "spec": {
            "replicas": 3,
            "selector": {"matchLabels": {"app": "rdma-tools"}},
            "template": {
                "metadata": {"labels": {"app": "rdma-tools"}, "annotations": {RDMA_KEY: GROUP}},
                "spec": {"containers": [{"name": "main", "image": "example.com/rdma-tools:1"}]},
            },
        },
    });
    installation.cluster.kubectl_ok(&["create", "-f", "-"], &deployment.to_string());

    // Each node has one VF on each rail: two pods fit, the third waits for exactly these resources.
    let pods = installation.pods("default");
    let of_deployment = ListParams::default().labels("app=rdma-tools");
    let node_of = |pod: &k8s_openapi::api::core::v1::Pod| pod.spec.as_ref().unwrap().node_name.clone();
    installation
        .wait_for("two pods to be bound", || async {
            let list = pods.list(&of_deployment).await.unwrap();
            list.items.len() == 3 && list.iter().filter(|pod| node_of(pod).is_some()).count() == 2
        })
        .await;
    let list = pods.list(&of_deployment).await.unwrap();
    for pod in &list {
        assert_injected(pod, 8, 0);
    }
    let mut nodes: Vec<String> = list.iter().filter_map(node_of).collect();
    nodes.sort();
    assert_eq!(nodes, ["worker1", "worker2"]);
    installation
        .wait_for("the scheduler to say why", || async {
            let list = pods.list(&of_deployment).await.unwrap();
            let conditions = list.iter().filter_map(|pod| pod.status.as_ref()?.conditions.clone()).flatten();
            conditions
                .filter_map(|condition| condition.message)
                .any(|message| message.contains("Insufficient spidernet.io/gpu1sriov"))
        })
        .await;
}
