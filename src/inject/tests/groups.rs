use serde_json::json;

use super::{Fixture, network, networks_of, sriov};
use crate::api::keys::{NETWORK_INJECT, RDMA_INJECT};
use crate::reason::Reason;

#[test]
fn an_unknown_group_is_refused_with_the_nearest_names() {
    let answer = Fixture::new().annotate(RDMA_INJECT, "rdma-netwrk").decide();
    assert_eq!(answer.reason, Reason::UnknownGroup);
    assert_eq!(
        answer.denial,
        "pod team/rdma-tools-*: the pod's annotation cni.spidernet.io/rdma-resource-inject=\
         \"rdma-netwrk\" asks for group \"rdma-netwrk\", to which no network belongs; nearest groups: rdma-network. \
         See: kubectl get spidermultusconfigs -A"
    );
}

#[test]
fn a_group_under_the_other_key_is_pointed_out() {
    let answer = Fixture::new().annotate(NETWORK_INJECT, "rdma-network").decide();
    assert_eq!(answer.reason, Reason::UnknownGroup);
    assert!(answer.denial.contains("networks carry it under the key cni.spidernet.io/rdma-resource-inject"));
}

#[test]
fn a_key_without_a_value_is_refused() {
    for value in ["", " ", ","] {
        assert_eq!(
            Fixture::new().annotate(RDMA_INJECT, value).decide().reason,
            Reason::EmptyGroup,
            "{value:?}"
        );
    }
}

#[test]
fn rails_are_counted_as_people_count() {
    let mut fixture = Fixture::new().rails();
    for rail in [10, 9, 12, 11] {
        fixture.network(&sriov(rail));
    }
    let rails: Vec<String> = (1..=12).map(|rail| format!("spiderpool/gpu{rail}-sriov")).collect();
    assert_eq!(networks_of(&fixture.decide().pod), rails);
}

#[test]
fn lists_join_groups_and_name_each_network_once() {
    let mut fixture = Fixture::new().annotate(RDMA_INJECT, "rdma-network, storage");
    let both = json!({RDMA_INJECT: "storage,rdma-network"});
    let spec = json!({"cniType": "ib-sriov", "ibsriov": {
        "resourceName": "spidernet.io/storage", "ippools": {"ipv4": ["storage"]}}});
    fixture.network(&network("spiderpool", "storage", both, spec));
    let answer = fixture.decide();
    let networks = networks_of(&answer.pod);
    assert_eq!(networks.len(), 9);
    assert_eq!(networks[8], "spiderpool/storage");
    assert_eq!(answer.pod["metadata"]["annotations"]["railweave.io/injected"], "rdma-network,storage=9");
    assert_eq!(answer.pod["metadata"]["labels"]["railweave.io/rails"], "9");
}

#[test]
fn the_nad_name_is_injected_not_the_networks() {
    let mut fixture = Fixture::new().annotate(RDMA_INJECT, "g");
    let annotations = json!({RDMA_INJECT: "g", "multus.spidernet.io/cr-name": "other-nad"});
    let spec = json!({"cniType": "sriov", "sriov": {"resourceName": "a.b/c", "ippools": {"ipv4": ["p"]}}});
    fixture.network(&network("spiderpool", "net", annotations, spec));
    assert_eq!(networks_of(&fixture.decide().pod), ["spiderpool/other-nad"]);
}

#[test]
fn networks_sharing_a_resource_raise_its_quantity() {
    let mut fixture = Fixture::new().annotate(RDMA_INJECT, "g");
    for name in ["a", "b", "c"] {
        let spec =
            json!({"cniType": "sriov", "sriov": {"resourceName": "a.b/vf", "ippools": {"ipv4": ["p"]}}});
        fixture.network(&network("spiderpool", name, json!({RDMA_INJECT: "g"}), spec));
    }
    let answer = fixture.decide();
    assert_eq!(answer.pod["spec"]["containers"][0]["resources"]["limits"], json!({"a.b/vf": "3"}));
    assert_eq!(answer.pod["spec"]["containers"][0]["resources"]["requests"], json!({"a.b/vf": "3"}));
}

#[test]
fn a_member_that_cannot_serve_is_named_with_what_it_lacks() {
    let cases = [
        (
            json!({"cniType": "sriov", "sriov": {"ippools": {"ipv4": ["p"]}}}),
            "has no spec.sriov.resourceName",
        ),
        (
            json!({"cniType": "sriov", "sriov": {"resourceName": "a/b"}}),
            "names no pools in spec.sriov.ippools",
        ),
        (
            json!({"cniType": "macvlan", "macvlan": {"master": ["eth0"], "ippools": {"ipv4": ["p"]}}}),
            "has no spec.macvlan.rdmaResourceName",
        ),
        (
            json!({"cniType": "ovs", "ovs": {"bridge": "b"}}),
            "has cniType ovs, which cannot be a member of a group",
        ),
        (json!({}), "has cniType custom, which cannot be a member of a group"),
    ];
    for (spec, lacking) in cases {
        let mut fixture = Fixture::new().annotate(RDMA_INJECT, "g");
        fixture.network(&network("spiderpool", "net", json!({RDMA_INJECT: "g"}), spec));
        let answer = fixture.decide();
        assert_eq!(answer.reason, Reason::InvalidMember);
        assert!(answer.denial.contains(&format!("spiderpool/net {lacking}")), "{}", answer.denial);
        assert!(answer.denial.contains("kubectl -n spiderpool get spidermultusconfig net -o yaml"));
    }
}

#[test]
fn the_general_key_takes_networks_without_a_resource() {
    let mut fixture = Fixture::new().annotate(NETWORK_INJECT, "g");
    let spec = json!({"cniType": "macvlan", "macvlan": {"master": ["eth0"]}});
    fixture.network(&network("spiderpool", "net", json!({NETWORK_INJECT: "g"}), spec));
    let answer = fixture.decide();
    assert_eq!(networks_of(&answer.pod), ["spiderpool/net"]);
    assert_eq!(answer.pod["spec"], fixture.pod["spec"]);
}

/// The order of rails goes by master, bond or resource, and `eth2` stands before `eth10`.
#[test]
fn every_type_that_joins_groups_brings_its_resource_and_has_its_place() {
    let pools = json!({"ipv4": ["p"]});
    let shared = |master: &str, resource: &str| json!({"master": [master], "rdmaResourceName": resource, "ippools": pools, "vlanID": 100});
    let types = [
        ("ipvlan", "ipvlan", shared("eth10", "a.b/ipvlan")),
        ("macvlan", "macvlan", shared("eth2", "a.b/macvlan")),
        ("vlan", "vlan", shared("eth1", "a.b/vlan")),
        ("ipoib", "ipoib", json!({"master": "ib0", "ippools": pools})),
        ("ib-sriov", "ibsriov", json!({"resourceName": "a.b/ib1", "ippools": pools})),
        ("sriov", "sriov", json!({"resourceName": "a.b/gpu1", "ippools": pools})),
    ];
    let mut fixture = Fixture::new().annotate(RDMA_INJECT, "mixed");
    for (cni_type, block, settings) in types {
        let spec = json!({"cniType": cni_type, block: settings});
        fixture.network(&network(
            "spiderpool",
            &format!("of-{cni_type}"),
            json!({RDMA_INJECT: "mixed"}),
            spec,
        ));
    }
    let answer = fixture.decide();
    assert_eq!(
        networks_of(&answer.pod),
        [
            "spiderpool/of-sriov",
            "spiderpool/of-ib-sriov",
            "spiderpool/of-vlan",
            "spiderpool/of-macvlan",
            "spiderpool/of-ipvlan",
            "spiderpool/of-ipoib",
        ]
    );
    let each = json!({
        "a.b/gpu1": "1", "a.b/ib1": "1", "a.b/vlan": "1", "a.b/macvlan": "1", "a.b/ipvlan": "1",
    });
    assert_eq!(answer.pod["spec"]["containers"][0]["resources"], json!({"limits": each, "requests": each}));
    assert_eq!(answer.pod["metadata"]["labels"]["railweave.io/rails"], "6");
}

#[test]
fn ipoib_shares_its_masters_device_and_needs_no_resource() {
    let mut fixture = Fixture::new().annotate(RDMA_INJECT, "g");
    let spec = json!({"cniType": "ipoib", "ipoib": {"master": "ib0", "ippools": {"ipv4": ["p"]}}});
    fixture.network(&network("spiderpool", "net", json!({RDMA_INJECT: "g"}), spec));
    assert_eq!(networks_of(&fixture.decide().pod), ["spiderpool/net"]);
}

#[test]
fn another_tenant_cannot_join_a_group() {
    let mut fixture = Fixture::new().rails();
    let spec =
        json!({"cniType": "sriov", "sriov": {"resourceName": "evil.io/vf", "ippools": {"ipv4": ["p"]}}});
    fixture.network(&network("evil", "gpu9", json!({RDMA_INJECT: "rdma-network"}), spec));
    let answer = fixture.decide();
    assert_eq!((answer.reason, networks_of(&answer.pod).len()), (Reason::Injected, 8));
    // Its own pods may.
    assert_eq!(networks_of(&fixture.decide_in("evil", &fixture.pod).pod).len(), 9);
}

#[test]
fn a_group_that_lives_elsewhere_only_is_refused_with_the_way_out() {
    let mut fixture = Fixture::new().annotate(RDMA_INJECT, "private");
    let spec = json!({"cniType": "sriov", "sriov": {"resourceName": "a.b/vf", "ippools": {"ipv4": ["p"]}}});
    fixture.network(&network("other", "net", json!({RDMA_INJECT: "private"}), spec));
    let answer = fixture.decide();
    assert_eq!(answer.reason, Reason::GroupNotAllowed);
    assert!(answer.denial.contains("whose 1 networks all live in namespaces that do not serve team."));
    assert!(!answer.denial.contains("other"), "another tenant's namespace is told: {}", answer.denial);
    assert!(answer.denial.contains("podResourceInject.networkNamespaces"));
    fixture.settings.inject.network_namespaces = Some(vec!["oth*".into()]);
    assert_eq!(fixture.decide().reason, Reason::Injected);
}

#[test]
fn other_tenants_groups_are_not_suggested() {
    let mut fixture = Fixture::new().annotate(RDMA_INJECT, "secre");
    let spec = json!({"cniType": "sriov", "sriov": {"resourceName": "a.b/vf", "ippools": {"ipv4": ["p"]}}});
    fixture.network(&network("other", "net", json!({RDMA_INJECT: "secret"}), spec));
    let answer = fixture.decide();
    assert!(answer.denial.contains("nearest groups: rdma-network. "), "{}", answer.denial);
}

#[test]
fn a_group_that_spans_namespaces_is_worth_a_warning() {
    let mut fixture = Fixture::new().rails();
    let spec = json!({"cniType": "sriov", "sriov": {"resourceName": "a.b/gpu9", "ippools": {"ipv4": ["p"]}}});
    fixture.network(&network("kube-system", "gpu9", json!({RDMA_INJECT: "rdma-network"}), spec));
    let answer = fixture.decide();
    assert_eq!(
        answer.warnings,
        ["group \"rdma-network\" has networks in several namespaces: kube-system, spiderpool"]
    );
}

#[test]
fn a_resource_that_no_node_offers_is_worth_a_warning() {
    let mut fixture = Fixture::new().rails();
    let allocatable: serde_json::Map<_, _> =
        (1..=7).map(|rail| (format!("spidernet.io/gpu{rail}sriov"), json!("12"))).collect();
    let node = json!({"kind": "Node", "metadata": {"name": "n"}, "status": {"allocatable": allocatable}});
    fixture.objects.apply(&node).unwrap();
    let answer = fixture.decide();
    assert_eq!(answer.reason, Reason::Injected);
    assert_eq!(
        answer.warnings,
        ["no node offers spidernet.io/gpu8sriov at present; the pod stays Pending until one does"]
    );
}
