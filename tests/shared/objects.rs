//! Objects that tests create: the guide's rails, in any number, and pods that ask for them.

use std::fmt::Write as _;

use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};

pub(crate) const RDMA_KEY: &str = "cni.spidernet.io/rdma-resource-inject";
pub(crate) const NETWORKS_KEY: &str = "k8s.v1.cni.cncf.io/networks";
pub(crate) const GROUP: &str = "rdma-network";

/// Manifests of `rails` networks with a pool each, as the guide names them: `gpu1-sriov` in `spiderpool` with
/// resource `spidernet.io/gpu1sriov`, and so on.
pub(crate) fn rails(rails: usize) -> String {
    rails_of_group(rails, GROUP)
}

/// As [`rails`], in a group of another name.
pub(crate) fn rails_of_group(rails: usize, group: &str) -> String {
    let mut manifests = String::new();
    for rail in 1..=rails {
        write!(
            manifests,
            "\
---
apiVersion: spiderpool.spidernet.io/v2beta1
kind: SpiderIPPool
metadata: {{name: gpu{rail}-net1{rail}}}
spec:
  subnet: 172.16.1{rail}.0/24
  gateway: 172.16.1{rail}.254
  ips: [172.16.1{rail}.1-172.16.1{rail}.200]
---
apiVersion: spiderpool.spidernet.io/v2beta1
kind: SpiderMultusConfig
metadata:
  name: gpu{rail}-sriov
  namespace: spiderpool
  annotations: {{{RDMA_KEY}: {group}}}
spec:
  cniType: sriov
  sriov:
    resourceName: spidernet.io/gpu{rail}sriov
    rdmaIsolation: true
    ippools: {{ipv4: [gpu{rail}-net1{rail}]}}
"
        )
        .expect("a string takes everything");
    }
    manifests
}

/// The annotation that a pod of the guide has after injection.
pub(crate) fn networks_annotation(rails: usize) -> String {
    let networks: Vec<Value> = (1..=rails)
        .map(|rail| json!({"name": format!("gpu{rail}-sriov"), "namespace": "spiderpool"}))
        .collect();
    Value::Array(networks).to_string()
}

/// A pod without a name, labels or annotations of its own: nothing but a generateName and one container.
pub(crate) fn bare_pod() -> Pod {
    from(json!({
        "metadata": {"generateName": "train-"},
        "spec": {
            "restartPolicy": "Never",
            "containers": [{"name": "main", "image": "example.com/train:1", "command": ["train"]}],
        },
    }))
}

/// As [`bare_pod`], with annotations.
pub(crate) fn annotated_pod(annotations: &[(&str, &str)]) -> Pod {
    let mut pod = bare_pod();
    let annotations = annotations.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    pod.metadata.annotations = Some(annotations.collect());
    pod
}

/// A pod that names the guide's group.
pub(crate) fn opted_in_pod() -> Pod {
    annotated_pod(&[(RDMA_KEY, GROUP)])
}

/// A Node that is ready and offers `each` of every rail's resource.
pub(crate) fn node(name: &str, rails: usize, each: usize) -> (Value, Value) {
    let mut offers = json!({"cpu": "64", "memory": "256Gi", "pods": "110"});
    for rail in 1..=rails {
        offers[format!("spidernet.io/gpu{rail}sriov")] = each.to_string().into();
    }
    let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}});
    let status = json!({"status": {
        "capacity": offers,
        "allocatable": offers,
        "conditions": [{"type": "Ready", "status": "True", "reason": "Simulated", "message": "no kubelet"}],
    }});
    (node, status)
}

/// A typed object from what a manifest would say.
pub(crate) fn from<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).expect("the manifest in the test is right")
}

/// Asserts that a pod has all rails: the networks annotation, the label, and one of each resource on its
/// container `container`.
#[track_caller]
pub(crate) fn assert_injected(pod: &Pod, rails: usize, container: usize) {
    let annotations = pod.metadata.annotations.clone().unwrap_or_default();
    assert_eq!(annotations.get(NETWORKS_KEY), Some(&networks_annotation(rails)), "{annotations:?}");
    assert_eq!(annotations.get("railweave.io/injected"), Some(&format!("{GROUP}={rails}")));
    let labels = pod.metadata.labels.clone().unwrap_or_default();
    assert_eq!(labels.get("railweave.io/rails"), Some(&rails.to_string()));
    let containers = &pod.spec.as_ref().expect("a pod has a spec").containers;
    let resources = containers[container].resources.clone().unwrap_or_default();
    let (limits, requests) = (resources.limits.unwrap_or_default(), resources.requests.unwrap_or_default());
    for rail in 1..=rails {
        let name = format!("spidernet.io/gpu{rail}sriov");
        assert_eq!(limits.get(&name).map(|quantity| quantity.0.as_str()), Some("1"), "limit of {name}");
        assert_eq!(requests.get(&name).map(|quantity| quantity.0.as_str()), Some("1"), "request of {name}");
    }
    for (other, container_of) in containers.iter().enumerate().filter(|(index, _)| *index != container) {
        let limits = container_of.resources.clone().unwrap_or_default().limits.unwrap_or_default();
        assert!(limits.keys().all(|key| !key.starts_with("spidernet.io/")), "container {other}: {limits:?}");
    }
}

/// Whether nothing of ours is on a pod.
pub(crate) fn is_plain(pod: &Pod) -> bool {
    let labels = pod.metadata.labels.clone().unwrap_or_default();
    let annotations = pod.metadata.annotations.clone().unwrap_or_default();
    !labels.contains_key("railweave.io/rails") && !annotations.contains_key(NETWORKS_KEY)
}
