use serde_json::{Value, json};

use super::super::skipped_patch;
use super::{Fixture, networks_of};
use crate::api::keys::{MIRROR_POD, NETWORK_INJECT, RDMA_INJECT, SKIPPED};
use crate::reason::Reason;

#[test]
fn the_guides_pod_gets_eight_networks_and_eight_resources() {
    let answer = Fixture::new().rails().decide();
    assert_eq!(answer.reason, Reason::Injected);
    assert_eq!(answer.warnings, Vec::<String>::new());
    assert_eq!(
        answer.pod["metadata"]["annotations"],
        json!({
            "cni.spidernet.io/rdma-resource-inject": "rdma-network",
            "k8s.v1.cni.cncf.io/networks": "[{\"name\":\"gpu1-sriov\",\"namespace\":\"spiderpool\"},\
                {\"name\":\"gpu2-sriov\",\"namespace\":\"spiderpool\"},{\"name\":\"gpu3-sriov\",\"namespace\":\"spiderpool\"},\
                {\"name\":\"gpu4-sriov\",\"namespace\":\"spiderpool\"},{\"name\":\"gpu5-sriov\",\"namespace\":\"spiderpool\"},\
                {\"name\":\"gpu6-sriov\",\"namespace\":\"spiderpool\"},{\"name\":\"gpu7-sriov\",\"namespace\":\"spiderpool\"},\
                {\"name\":\"gpu8-sriov\",\"namespace\":\"spiderpool\"}]",
            "railweave.io/injected": "rdma-network=8"
        })
    );
    assert_eq!(answer.pod["metadata"]["labels"], json!({"railweave.io/rails": "8"}));
    let each = json!({
        "spidernet.io/gpu1sriov": "1", "spidernet.io/gpu2sriov": "1", "spidernet.io/gpu3sriov": "1",
        "spidernet.io/gpu4sriov": "1", "spidernet.io/gpu5sriov": "1", "spidernet.io/gpu6sriov": "1",
        "spidernet.io/gpu7sriov": "1", "spidernet.io/gpu8sriov": "1"
    });
    assert_eq!(answer.pod["spec"]["containers"][0]["resources"], json!({"limits": each, "requests": each}));
}

#[test]
fn a_pod_without_keys_is_left_alone() {
    let answer = Fixture::new().decide();
    assert_eq!((answer.reason, answer.patch), (Reason::NotOptedIn, None));
    assert_eq!(answer.warnings, Vec::<String>::new());
}

#[test]
fn a_label_opts_in_and_the_annotation_beats_it() {
    assert_eq!(Fixture::new().label(RDMA_INJECT, "rdma-network").decide().reason, Reason::Injected);
    let both = Fixture::new().label(RDMA_INJECT, "rdma-network").annotate(RDMA_INJECT, "none");
    assert_eq!(both.decide().reason, Reason::OptedOut);
}

#[test]
fn the_namespace_speaks_only_for_pods_without_any_key() {
    let answer = Fixture::new().namespace(RDMA_INJECT, "rdma-network").decide();
    assert_eq!(networks_of(&answer.pod).len(), 8);
    for value in ["none", "disabled", " none "] {
        let answer =
            Fixture::new().namespace(RDMA_INJECT, "rdma-network").annotate(RDMA_INJECT, value).decide();
        assert_eq!((answer.reason, answer.patch), (Reason::OptedOut, None));
    }
    // The pod's own key wins although it is the other one.
    let answer =
        Fixture::new().namespace(RDMA_INJECT, "rdma-network").annotate(NETWORK_INJECT, "none").decide();
    assert_eq!(answer.reason, Reason::OptedOut);
    let answer = Fixture::new().namespace(RDMA_INJECT, "none").decide();
    assert_eq!(answer.reason, Reason::OptedOut);
}

#[test]
fn a_namespaces_key_without_a_value_stands_in_nobodys_way() {
    let both = |rdma: &str, network: &str| {
        let mut fixture = Fixture::new();
        let annotations = json!({RDMA_INJECT: rdma, NETWORK_INJECT: network});
        fixture
            .network(&json!({"kind": "Namespace", "metadata": {"name": "team", "annotations": annotations}}));
        fixture
    };
    let answer = both("rdma-network", " ").decide();
    assert_eq!((answer.reason, networks_of(&answer.pod).len()), (Reason::Injected, 8));
    assert_eq!(both("", "").decide().reason, Reason::NotOptedIn, "as the API server, which does not send it");
    assert_eq!(Fixture::new().annotate(RDMA_INJECT, "").decide().reason, Reason::EmptyGroup, "the pod's own");
}

#[test]
fn opting_out_of_one_key_leaves_the_other() {
    let answer = Fixture::new().rails().annotate(NETWORK_INJECT, "none").decide();
    assert_eq!(answer.reason, Reason::Injected);
}

#[test]
fn each_exemption_has_its_code_and_a_warning() {
    let windows = |fixture: Fixture| fixture.spec("os", json!({"name": "windows"}));
    let selected = |fixture: Fixture| fixture.spec("nodeSelector", json!({"kubernetes.io/os": "windows"}));
    let cases: [(Fixture, &str, Reason); 6] = [
        (Fixture::new().rails().spec("hostNetwork", json!(true)), "team", Reason::HostNetwork),
        (windows(Fixture::new().rails()), "team", Reason::WindowsPod),
        (selected(Fixture::new().rails()), "team", Reason::WindowsPod),
        (Fixture::new().rails().annotate(MIRROR_POD, "x"), "team", Reason::MirrorPod),
        (Fixture::new().rails(), "kube-system", Reason::NamespaceExcluded),
        (Fixture::new().rails(), "spiderpool", Reason::ReleaseNamespace),
    ];
    for (fixture, namespace, reason) in cases {
        let answer = fixture.decide_in(namespace, &fixture.pod);
        assert_eq!((answer.reason, answer.patch), (reason, None));
        let start =
            format!("{reason}: pod {namespace}/rdma-tools-* gets no rails although it asks for them: ");
        assert!(answer.warnings[0].starts_with(&start), "{}", answer.warnings[0]);
    }
}

#[test]
fn switched_off_means_off_and_says_so() {
    let mut fixture = Fixture::new().rails();
    fixture.settings.inject.enabled = false;
    let answer = fixture.decide();
    assert_eq!(answer.reason, Reason::InjectionDisabled);
    assert!(answer.warnings[0].contains("podResourceInject.enabled is false"), "{}", answer.warnings[0]);
}

#[test]
fn a_pod_of_an_opted_in_namespace_that_is_exempt_is_left_in_peace() {
    let answer =
        Fixture::new().namespace(RDMA_INJECT, "rdma-network").spec("hostNetwork", json!(true)).decide();
    assert_eq!((answer.reason, answer.warnings.len()), (Reason::HostNetwork, 0));
}

#[test]
fn the_reason_is_noted_where_the_api_server_may_not_know_it() {
    let note = |reason: Reason, pod: &Value| {
        let body = pod.to_string();
        let patch = skipped_patch(reason, &serde_json::from_str(&body).unwrap())?;
        let mut after = pod.clone();
        json_patch::patch(&mut after, &serde_json::from_slice::<json_patch::Patch>(&patch).unwrap()).unwrap();
        Some(after["metadata"]["annotations"].clone())
    };
    let pod = Fixture::new().rails().pod;
    for reason in [
        Reason::InjectionDisabled,
        Reason::NamespaceExcluded,
        Reason::NamespaceNotIncluded,
        Reason::ReleaseNamespace,
    ] {
        let expected = json!({ RDMA_INJECT: "rdma-network", SKIPPED: reason.code() });
        assert_eq!(note(reason, &pod), Some(expected.clone()));
        let mut noted = pod.clone();
        noted["metadata"]["annotations"] = expected;
        assert_eq!(note(reason, &noted), None, "it is there already");
    }
    for reason in [Reason::NotOptedIn, Reason::OptedOut, Reason::HostNetwork, Reason::WindowsPod] {
        assert_eq!(note(reason, &pod), None, "{reason}");
    }
}
