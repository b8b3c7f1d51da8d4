use serde_json::json;

use super::{Fixture, networks_of};
use crate::api::keys::{DEFAULT_NETWORK, NETWORKS};
use crate::api::settings::Conflicts;
use crate::reason::Reason;

const POOLS: &str = "ipam.spidernet.io/ippools";

#[test]
fn clearing_removes_networks_and_pools_and_says_so() {
    let answer = Fixture::new()
        .rails()
        .annotate(NETWORKS, "team/own")
        .annotate(POOLS, "[{\"interface\":\"net1\"}]")
        .annotate("ipam.spidernet.io/subnet", "{}")
        .annotate("ipam.spidernet.io/routes", "[]")
        .annotate(DEFAULT_NETWORK, "kube-system/calico")
        .decide();
    let annotations = answer.pod["metadata"]["annotations"].as_object().unwrap();
    let keys: Vec<&str> = annotations.keys().map(String::as_str).collect();
    assert_eq!(networks_of(&answer.pod).len(), 8);
    assert!(!keys.contains(&POOLS) && !keys.contains(&"ipam.spidernet.io/subnet"));
    assert!(keys.contains(&"ipam.spidernet.io/routes") && keys.contains(&DEFAULT_NETWORK));
    assert_eq!(
        answer.warnings,
        [
            "annotation k8s.v1.cni.cncf.io/networks=\"team/own\" was removed: injection of a group replaces it",
            "annotation ipam.spidernet.io/ippools=\"[{\\\"interface\\\":\\\"net1\\\"}]\" was removed: injection of a \
             group replaces it",
            "annotation ipam.spidernet.io/subnet=\"{}\" was removed: injection of a group replaces it",
        ]
    );
}

#[test]
fn clearing_replaces_even_what_cannot_be_read() {
    let answer = Fixture::new().rails().annotate(NETWORKS, "[{").decide();
    assert_eq!((answer.reason, networks_of(&answer.pod).len()), (Reason::Injected, 8));
}

#[test]
fn merging_keeps_the_users_networks_first() {
    let own = r#"[{"name":"own","ips":["10.0.0.1/24"]},{"name":"gpu3-sriov","namespace":"spiderpool"}]"#;
    let answer = Fixture::new()
        .rails()
        .conflicts(Conflicts::Merge)
        .annotate(NETWORKS, own)
        .annotate(POOLS, "[]")
        .decide();
    let networks = networks_of(&answer.pod);
    assert_eq!(networks.len(), 9);
    assert_eq!(networks[..3], ["/own", "spiderpool/gpu3-sriov", "spiderpool/gpu1-sriov"]);
    let text = answer.pod["metadata"]["annotations"][NETWORKS].as_str().unwrap();
    assert!(text.starts_with(r#"[{"name":"own","ips":["10.0.0.1/24"]},"#));
    assert_eq!(answer.pod["metadata"]["annotations"][POOLS], "[]");
    assert_eq!(answer.warnings, Vec::<String>::new());
    assert_eq!(answer.pod["metadata"]["labels"]["railweave.io/rails"], "9");
}

#[test]
fn merging_counts_devices_of_networks_the_user_names() {
    let mut fixture = Fixture::new().rails().conflicts(Conflicts::Merge);
    let spec = json!({"cniType": "sriov", "sriov": {"resourceName": "spidernet.io/gpu1sriov"}});
    fixture.network(&super::network("team", "own", json!({}), spec));
    let fixture = fixture.annotate(NETWORKS, "own");
    let answer = fixture.decide();
    assert_eq!(answer.pod["spec"]["containers"][0]["resources"]["limits"]["spidernet.io/gpu1sriov"], "2");
}

#[test]
fn merging_refuses_what_it_cannot_read() {
    let answer = Fixture::new().rails().conflicts(Conflicts::Merge).annotate(NETWORKS, "a/b/c").decide();
    assert_eq!(answer.reason, Reason::MalformedNetworks);
    assert!(
        answer.denial.contains("k8s.v1.cni.cncf.io/networks=\"a/b/c\" cannot be merged"),
        "{}",
        answer.denial
    );
}

#[test]
fn denying_names_every_annotation_in_the_way() {
    let answer = Fixture::new()
        .rails()
        .conflicts(Conflicts::Deny)
        .annotate(NETWORKS, "own")
        .annotate(POOLS, "[]")
        .decide();
    assert_eq!(answer.reason, Reason::ConflictingNetworks);
    assert!(
        answer.denial.contains(
            "also carries ipam.spidernet.io/ippools=\"[]\", k8s.v1.cni.cncf.io/networks=\"own\", which"
        ),
        "{}",
        answer.denial
    );
}

#[test]
fn our_own_list_is_no_conflict() {
    for conflicts in [Conflicts::Clear, Conflicts::Merge, Conflicts::Deny] {
        let fixture = Fixture::new().rails().conflicts(conflicts);
        let first = fixture.decide();
        let second = fixture.decide_in("team", &first.pod);
        assert_eq!((second.reason, second.patch), (Reason::Injected, None));
        assert_eq!(second.warnings, Vec::<String>::new());
    }
}

#[test]
fn the_short_notation_of_our_own_list_becomes_the_list_without_a_warning() {
    let short: Vec<String> = (1..=8).rev().map(|rail| format!("spiderpool/gpu{rail}-sriov")).collect();
    let answer = Fixture::new().rails().annotate(NETWORKS, &short.join(",")).decide();
    assert_eq!(networks_of(&answer.pod)[0], "spiderpool/gpu1-sriov");
    assert_eq!(answer.warnings, Vec::<String>::new());
}

#[test]
fn what_the_user_asked_of_our_networks_survives_a_merge_and_is_named_when_cleared() {
    let mut own: Vec<serde_json::Value> =
        (1..=8).map(|rail| json!({"name": format!("gpu{rail}-sriov"), "namespace": "spiderpool"})).collect();
    own[3]["mac"] = "02:00:00:00:00:01".into();
    let own = serde_json::Value::from(own).to_string();
    let merged = Fixture::new().rails().conflicts(Conflicts::Merge).annotate(NETWORKS, &own).decide();
    assert_eq!(merged.pod["metadata"]["annotations"][NETWORKS], own);
    let cleared = Fixture::new().rails().annotate(NETWORKS, &own).decide();
    assert_eq!(cleared.warnings.len(), 1);
    assert!(!cleared.pod["metadata"]["annotations"][NETWORKS].as_str().unwrap().contains("mac"));
}
