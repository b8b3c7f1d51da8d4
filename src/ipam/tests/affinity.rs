use serde_json::json;

use super::*;
use crate::api::keys;

/// What the only pool says to a pod in namespace `team` (label `env=dev`) on node `n1` (label `zone=a`).
fn verdict(conditions: Value) -> String {
    verdict_with(conditions, |_| {})
}

#[expect(clippy::needless_pass_by_value, reason = "written in place with json!")]
fn verdict_with(conditions: Value, change: impl FnOnce(&mut PoolFacts)) -> String {
    let mut spec = small(0, 1, 9);
    spec.as_object_mut().unwrap().extend(conditions.as_object().unwrap().clone());
    let cluster = Cluster::default().pool("a", spec).with(change);
    let mut intent = pod("p").rail(&["a"]);
    intent.labels = labels(&[("app", "web")]);
    intent.namespace = Arc::new(NamespaceView {
        name: "team".into(),
        labels: labels(&[("env", "dev")]).into(),
        ..Default::default()
    });
    intent.node = Arc::new(NodeView { name: "n1".into(), labels: labels(&[("zone", "a")]) });
    intent.owner =
        Some(Owner { api_version: "apps/v1".into(), kind: "Deployment".into(), name: "web".into() });
    let said = cluster.outcome(intent);
    said.rsplit_once("  a: ").map_or_else(|| said.clone(), |(_, verdict)| verdict.to_owned())
}

const SERVED: &str = "net1=172.16.0.1/24@a";

#[test]
fn each_condition_refuses_for_its_own_reason() {
    let labels = |key: &str, value: &str| json!({"matchLabels": {key: value}});
    for (conditions, expected) in [
        (json!({}), SERVED),
        (json!({"disable": true}), "PoolDisabled: it is disabled; set disable: false to use it"),
        (json!({"nodeName": ["n1", "n2"]}), SERVED),
        (json!({"nodeName": ["n2"]}), "PoolOtherNode: nodeName is n2, not node n1"),
        (json!({"nodeAffinity": labels("zone", "a")}), SERVED),
        (
            json!({"nodeAffinity": labels("zone", "b")}),
            "PoolOtherNode: its nodeAffinity does not select node n1",
        ),
        // The list of names beats the selector, and an empty list is none.
        (json!({"nodeName": ["n1"], "nodeAffinity": labels("zone", "b")}), SERVED),
        (json!({"nodeName": [], "nodeAffinity": labels("zone", "a")}), SERVED),
        (json!({"namespaceName": ["team"], "namespaceAffinity": labels("env", "prod")}), SERVED),
        (
            json!({"namespaceName": ["b", "c", "d", "e", "f"]}),
            "PoolOtherNamespace: namespaceName is b, c, d and 2 more, not namespace team",
        ),
        (json!({"namespaceAffinity": labels("env", "dev")}), SERVED),
        (
            json!({"namespaceAffinity": labels("env", "prod")}),
            "PoolOtherNamespace: its namespaceAffinity does not select namespace team",
        ),
        (json!({"podAffinity": labels("app", "web")}), SERVED),
        (
            json!({"podAffinity": labels("app", "db")}),
            "PoolOtherPod: its podAffinity does not select the pod",
        ),
        (json!({"multusName": ["gpu1-sriov"]}), SERVED),
        (json!({"multusName": ["other/net", "spiderpool/gpu1-sriov"]}), SERVED),
        (
            json!({"multusName": ["team/gpu1-sriov"]}),
            "PoolOtherNetwork: multusName is team/gpu1-sriov, not spiderpool/gpu1-sriov",
        ),
    ] {
        assert_eq!(verdict(conditions.clone()), expected, "{conditions}");
    }
}

#[test]
fn what_cannot_be_used_says_why() {
    let terminating = verdict_with(json!({}), |facts| facts.terminating = true);
    assert_eq!(terminating, "PoolTerminating: it is being deleted");
    assert_eq!(
        verdict(json!({"ips": ["172.16.0.1-"]})),
        "PoolUnreadable: subnet, ips or excludeIPs cannot be read"
    );
    assert_eq!(
        verdict(json!({"gateway": "fd00::1"})),
        "PoolUnreadable: gateway fd00::1 is IPv6, subnet 172.16.0.0/24 is IPv4"
    );
    assert_eq!(verdict(json!({"subnet": "fd00::/64", "ips": ["fd00::1"]})), "PoolOtherFamily: it is IPv6");
}

#[test]
fn the_younger_of_two_overlapping_pools_is_not_drawn_from() {
    let cluster = Cluster::default()
        .pool("old", small(0, 5, 9))
        .with(|facts| facts.created = "2026-01-01T00:00:00Z".into())
        .pool("young", small(0, 1, 5))
        .with(|facts| facts.created = "2026-01-02T00:00:00Z".into());
    assert_eq!(cluster.outcome(pod("p").rail(&["young", "old"])), "net1=172.16.0.5/24@old");
    assert_eq!(
        cluster.outcome(pod("p").rail(&["young"])),
        "net1 (spiderpool/gpu1-sriov): NoEligiblePool: no IPv4 pool of the network serves this pod\n  \
         young: PoolOverlaps: it overlaps the older pool old"
    );
}

#[test]
fn a_pool_made_for_an_application_serves_only_that_application() {
    let application = |name: &str| {
        json!({"podAffinity": {"matchLabels": {
            "ipam.spidernet.io/app-api-group": "apps", "ipam.spidernet.io/app-api-version": "v1",
            "ipam.spidernet.io/app-kind": "Deployment", "ipam.spidernet.io/app-namespace": "team",
            "ipam.spidernet.io/app-name": name}}})
    };
    let auto = |facts: &mut PoolFacts| {
        facts.labels.insert(keys::OWNER_APPLICATION_NAME.to_owned(), "web".to_owned());
    };
    assert_eq!(verdict_with(application("web"), auto), SERVED);
    assert_eq!(
        verdict_with(application("db"), auto),
        "PoolOtherPod: its podAffinity does not select the pod"
    );
}

#[test]
fn a_network_that_fits_does_not_excuse_from_the_subnet() {
    let cluster = Cluster::default()
        .pool("a", json!({"subnet": "172.16.0.0/24", "ips": ["172.16.0.1"], "multusName": ["gpu1-sriov"]}))
        .node("n1", &[("spidernet.io/gpu1", &[&["172.16.9.1/24"]])]);
    assert_eq!(
        cluster.outcome(pod("p").rail(&["a"]).rail_with(|rail| rail.match_master = true)),
        "net1 (spiderpool/gpu1-sriov): NoEligiblePool: no IPv4 pool of the network serves this pod on node n1 \
         (addresses of the physical function: 172.16.9.1)\n  \
         a: PoolOtherSubnet: subnet 172.16.0.0/24 holds no address of the interface's physical function"
    );
}
