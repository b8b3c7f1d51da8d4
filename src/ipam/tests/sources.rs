use serde_json::json;

use super::*;
use crate::api::keys;

fn cluster() -> Cluster {
    Cluster::default()
        .pool("pods", small(1, 1, 9))
        .pool("pods-2", small(2, 1, 9))
        .pool("namespaces", small(3, 1, 9))
        .pool("networks", small(4, 1, 9))
        .pool("six", json!({"subnet": "fd00::/64", "ips": ["fd00::1-fd00::9"]}))
}

fn with_default(cluster: Cluster) -> Cluster {
    let mut spec = small(5, 1, 9);
    spec["default"] = true.into();
    cluster.pool("default", spec)
}

fn in_namespace(mut intent: Intent, key: &str, value: &str) -> Intent {
    Arc::make_mut(&mut intent.namespace).annotations.insert(key.to_owned(), value.to_owned());
    intent
}

#[test]
fn the_first_source_that_names_pools_wins() {
    let cluster = with_default(cluster());
    let plain = pod("p").rail(&[]);
    assert_eq!(cluster.outcome(plain.clone()), "net1=172.16.5.1/24@default");
    let network = pod("p").rail(&["networks"]);
    assert_eq!(cluster.outcome(network.clone()), "net1=172.16.4.1/24@networks");
    let namespace = in_namespace(network, keys::NAMESPACE_POOLS_V4, r#"["namespaces"]"#);
    assert_eq!(cluster.outcome(namespace.clone()), "net1=172.16.3.1/24@namespaces");
    let single = namespace.annotated(keys::POD_POOL, r#"{"ipv4":["pods"]}"#);
    assert_eq!(cluster.outcome(single.clone()), "net1=172.16.1.1/24@pods");
    let each = single.annotated(keys::POD_POOLS, r#"[{"interface":"net1","ipv4":["pods-2"]}]"#);
    assert_eq!(cluster.outcome(each), "net1=172.16.2.1/24@pods-2");
}

#[test]
fn either_family_of_the_namespaces_annotations_suffices_and_blank_ones_are_absent() {
    let cluster = cluster();
    let both = in_namespace(pod("p").rail(&["networks"]), keys::NAMESPACE_POOLS_V6, r#"["six"]"#);
    assert_eq!(cluster.outcome(both), "net1=fd00::1/64@six");
    let empty = in_namespace(pod("p").rail(&["networks"]), keys::NAMESPACE_POOLS_V4, "[]");
    assert_eq!(cluster.outcome(empty), "net1=172.16.4.1/24@networks");
    let blank = pod("p").rail(&["networks"]).annotated(keys::POD_POOLS, " ");
    assert_eq!(cluster.outcome(blank), "net1=172.16.4.1/24@networks");
}

#[test]
fn items_go_by_interface_or_else_one_after_the_other() {
    let two = pod("p").rail(&["networks"]).rail(&["networks"]);
    let named = two.clone().annotated(
        keys::POD_POOLS,
        r#"[{"interface":"net2","ipv4":["pods"]},{"interface":"net1","ipv4":["pods-2"]}]"#,
    );
    assert_eq!(cluster().outcome(named), "net1=172.16.2.1/24@pods-2 net2=172.16.1.1/24@pods");
    let unnamed = two.annotated(keys::POD_POOLS, r#"[{"ipv4":["pods"]},{"ipv4":["pods-2"],"ipv6":["six"]}]"#);
    assert_eq!(
        cluster().outcome(unnamed),
        "net1=172.16.1.1/24@pods net2=172.16.2.1/24@pods-2,fd00::1/64@six"
    );
}

#[test]
fn an_annotation_that_cannot_be_followed_says_why() {
    let refused = |value: &str| {
        cluster().outcome(pod("p").rail(&["networks"]).rail(&[]).annotated(keys::POD_POOLS, value))
    };
    let key = "UnusablePoolNames: annotation ipam.spidernet.io/ippools";
    for (value, expected) in [
        ("[]", format!("{key}: the list is empty")),
        ("[", format!("{key} cannot be read: EOF while parsing a list at line 1 column 1")),
        (r#"[{"ipv4":"pods"}]"#, format!("{key} cannot be read: invalid type: string \"pods\", expected a sequence at line 1 column 15")),
        (
            r#"[{"interface":"net1","ipv4":["pods"]},{"ipv4":["pods"]}]"#,
            format!("{key}: some items name an interface and some do not; name all or none"),
        ),
        (
            r#"[{"interface":"net1","ipv4":["pods"]},{"interface":"net1","ipv4":["pods"]}]"#,
            format!("{key}: names interface net1 twice"),
        ),
        (
            r#"[{"interface":"net9","ipv4":["pods"]}]"#,
            format!("{key}: names interface net9, which has no addresses of ours; those that have: net1, net2"),
        ),
        (
            r#"[{"ipv4":["pods"]},{"ipv4":["pods"]},{"ipv4":["pods"]}]"#,
            format!("{key}: has 3 items, but the pod has 2 interfaces with addresses of ours"),
        ),
        (
            r#"[{"interface":"net1","ipv4":["pods"]}]"#,
            format!("net2 (spiderpool/gpu2-sriov): {key} has no item for it"),
        ),
        (
            r#"[{"ipv4":["pods"]},{}]"#,
            "net2 (spiderpool/gpu2-sriov): UnusablePoolNames: the pod's annotation ipam.spidernet.io/ippools names no pool \
             for it; list pools under ipv4 or ipv6"
                .to_owned(),
        ),
    ] {
        assert_eq!(refused(value), expected, "{value}");
    }
    let subnets = pod("p").rail(&["networks"]).annotated(keys::POD_SUBNET, r#"{"ipv4":["s"]}"#);
    assert_eq!(
        cluster().outcome(subnets),
        "UnusablePoolNames: annotation ipam.spidernet.io/subnet: pools made from subnets are not supported; name pools \
         in ipam.spidernet.io/ippools instead"
    );
}

#[test]
fn default_pools_serve_each_family_that_has_one() {
    let cluster = with_default(cluster());
    assert_eq!(cluster.outcome(pod("p").rail(&[])), "net1=172.16.5.1/24@default");
    let six = json!({"subnet": "fd01::/64", "ips": ["fd01::1"], "default": true});
    assert_eq!(
        cluster.pool("default-6", six).outcome(pod("p").rail(&[])),
        "net1=172.16.5.1/24@default,fd01::1/64@default-6"
    );
    assert_eq!(
        Cluster::default().outcome(pod("p").rail(&[])),
        "net1 (spiderpool/gpu1-sriov): NoPool: names no pools, and no pool is a default of the cluster; name pools in \
         the network's ippools, or set default: true on a pool"
    );
}

#[test]
fn a_family_that_is_turned_off_is_left_out() {
    let mut cluster = cluster();
    cluster.families = Families { v4: true, v6: false };
    assert_eq!(cluster.outcome(pod("p").dual_rail(&["networks"], &["six"])), "net1=172.16.4.1/24@networks");
    assert_eq!(
        cluster.outcome(pod("p").dual_rail(&[], &["six"])),
        "net1 (spiderpool/gpu1-sriov): NoPool: the network names only IPv6 pools, and that family is turned off"
    );
}
