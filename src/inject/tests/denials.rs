//! Every denial in full: pod, key and value, what is wrong, the next command.

use serde_json::{Value, json};

use super::{Fixture, network};
use crate::api::keys::{INJECT_CONTAINER, NETWORKS, RDMA_INJECT};
use crate::api::settings::Conflicts;
use crate::reason::Reason;

const KEY: &str = "the pod's annotation cni.spidernet.io/rdma-resource-inject";

/// The guide's pod, as a job's.
fn of_a_job() -> Fixture {
    let mut fixture = Fixture::new();
    fixture.pod["metadata"]["ownerReferences"] = json!([{"kind": "Job", "name": "trainer"}]);
    fixture
}

fn asks(value: &str) -> Fixture {
    of_a_job().annotate(RDMA_INJECT, value)
}

fn with_network(value: &str, namespace: &str, pools: &Value) -> Fixture {
    let mut fixture = asks(value);
    let spec = json!({"cniType": "sriov", "sriov": {"resourceName": "a.b/vf", "ippools": pools}});
    fixture.network(&network(namespace, "net", json!({RDMA_INJECT: value}), spec));
    fixture
}

#[test]
fn each_names_pod_key_value_and_the_next_command() {
    let see = "See: kubectl -n team get Job/trainer -o yaml";
    let rails = format!("rails are asked for by {KEY}=\"rdma-network\". {see}");
    let of_rails = || asks("rdma-network");
    let quantity = json!([{"name": "a", "resources": {"limits": {"spidernet.io/gpu2sriov": "500m"}}}]);
    expect([
        (
            Reason::EmptyGroup,
            asks(" "),
            format!(
                "{KEY}=\" \" names no group. Name the group whose networks the pod should get, or \"none\" for no \
                 injection. Groups: kubectl get spidermultusconfigs -A"
            ),
        ),
        (
            Reason::UnknownGroup,
            asks("rdma-netwrok"),
            format!(
                "{KEY}=\"rdma-netwrok\" asks for group \"rdma-netwrok\", to which no network belongs; nearest groups: \
                 rdma-network. See: kubectl get spidermultusconfigs -A"
            ),
        ),
        (
            Reason::GroupNotAllowed,
            with_network("theirs", "other", &json!({"ipv4": ["p"]})),
            format!(
                "{KEY}=\"theirs\" asks for group \"theirs\", whose 1 networks all live in namespaces that do not serve \
                 team. Who runs the cluster can list those namespaces in podResourceInject.networkNamespaces of the \
                 ConfigMap, or create the networks in the pod's namespace. See: kubectl get spidermultusconfigs -A"
            ),
        ),
        (
            Reason::InvalidMember,
            with_network("poor", "spiderpool", &json!({})),
            format!(
                "{KEY}=\"poor\" asks for group \"poor\", and not all its networks can serve it: spiderpool/net names no \
                 pools in spec.sriov.ippools. See: kubectl -n spiderpool get spidermultusconfig net -o yaml"
            ),
        ),
        (
            Reason::NoContainer,
            of_rails().spec("containers", json!([])),
            format!("spec.containers is empty, so nothing can hold the rails' devices; {rails}"),
        ),
        (
            Reason::UnknownContainer,
            of_rails().annotate(INJECT_CONTAINER, "train"),
            format!(
                "annotation cni.spidernet.io/inject-container=\"train\" names no regular container; the pod has: main; \
                 {rails}"
            ),
        ),
        (
            Reason::InvalidQuantity,
            of_rails().spec("containers", quantity),
            format!(
                "container \"a\" asks for \"500m\" of spidernet.io/gpu2sriov, which is no whole number of devices; write \
                 one, or leave the resource to the injection; {rails}"
            ),
        ),
        (
            Reason::ConflictingNetworks,
            of_rails().conflicts(Conflicts::Deny).annotate(NETWORKS, "own"),
            format!(
                "the pod asks for a group and also carries k8s.v1.cni.cncf.io/networks=\"own\", which \
                 podResourceInject.conflicts=deny refuses; remove one or the other; {rails}"
            ),
        ),
        (
            Reason::MalformedNetworks,
            of_rails().conflicts(Conflicts::Merge).annotate(NETWORKS, "a/b/c"),
            format!(
                "annotation k8s.v1.cni.cncf.io/networks=\"a/b/c\" cannot be merged: \"a/b/c\" is not \
                 [namespace/]name[@interface]; {rails}"
            ),
        ),
    ]);
}

/// Each pod is denied for the reason and with the text.
fn expect<const N: usize>(cases: [(Reason, Fixture, String); N]) {
    for (reason, fixture, expected) in cases {
        let answer = fixture.decide();
        assert_eq!(answer.reason, reason);
        assert_eq!(answer.denial, format!("pod team/rdma-tools-* of Job trainer: {expected}"), "{reason}");
    }
}

#[test]
fn a_pod_without_an_owner_is_in_somebodys_file() {
    let answer = Fixture::new().rails().spec("containers", json!([])).decide();
    assert!(answer.denial.ends_with(". See: railweave explain -f FILE"), "{}", answer.denial);
}
