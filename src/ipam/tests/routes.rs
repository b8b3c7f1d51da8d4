use serde_json::json;

use super::*;
use crate::api::keys;

fn cluster() -> Cluster {
    Cluster::default()
        .pool("a", json!({"subnet": "172.16.1.0/24", "ips": ["172.16.1.2-172.16.1.9"], "gateway": "172.16.1.1",
            "routes": [{"to": "172.16.0.0/16", "via": "172.16.1.1"}, {"dst": "10.0.0.0/8", "gw": "172.16.1.254"}]}))
        .pool("b", json!({"subnet": "172.16.2.0/24", "ips": ["172.16.2.2-172.16.2.9"]}))
        .pool("six", json!({"subnet": "fd00::/64", "ips": ["fd00::2"], "gateway": "fd00::1",
            "routes": [{"dst": "fd01::/64", "gw": "fd00::1"}]}))
}

fn allocation(intent: Intent) -> Allocation {
    match cluster().plan(&[intent]).outcomes.remove(0) {
        Outcome::Planned(allocation) => allocation,
        Outcome::Failed(failure) => panic!("{failure}"),
    }
}

#[test]
fn the_endpoint_says_what_the_pools_say() {
    let intent = pod("p").dual_rail(&["a"], &["six"]).rail(&["b"]);
    let allocation = allocation(intent.clone());
    assert_eq!(
        serde_json::to_value(allocation.status(&intent)).unwrap(),
        json!({
            "current": {"uid": "uid-p", "node": "n1", "ips": [
                {"interface": "net1", "ipv4": "172.16.1.2/24", "ipv6": "fd00::2/64", "ipv4Pool": "a",
                 "ipv6Pool": "six", "vlan": 0, "ipv4Gateway": "172.16.1.1", "ipv6Gateway": "fd00::1",
                 "cleanGateway": false, "routes": [
                    {"dst": "172.16.0.0/16", "gw": "172.16.1.1"}, {"dst": "10.0.0.0/8", "gw": "172.16.1.254"},
                    {"dst": "fd01::/64", "gw": "fd00::1"}]},
                {"interface": "net2", "ipv4": "172.16.2.2/24", "ipv4Pool": "b", "vlan": 0}
            ]},
            "ownerControllerType": "Pod", "ownerControllerName": "p"
        })
    );
}

#[test]
fn the_network_or_the_annotation_leaves_the_default_route_out() {
    let network = pod("p").rail(&["a"]).rail_with(|rail| rail.clean_gateway = true);
    assert_eq!(allocation(network.clone()).details[0].clean_gateway, Some(true));
    let annotated = network.annotated(keys::POD_POOLS, r#"[{"interface":"net1","ipv4":["a"]}]"#);
    assert_eq!(allocation(annotated.clone()).details[0].clean_gateway, Some(false));
    let clean =
        annotated.annotated(keys::POD_POOLS, r#"[{"interface":"net1","ipv4":["a"],"cleangateway":true}]"#);
    assert_eq!(allocation(clean).details[0].clean_gateway, Some(true));
}

#[test]
fn a_pods_own_routes_go_to_the_first_interface_that_reaches_the_gateway() {
    let routes = r#"[{"dst":"192.168.0.0/16","gw":"172.16.2.9"},{"dst":"fd02::/16","gw":"fd00::9"},
        {"dst":"10.9.0.0/16","gw":"10.9.9.9"}]"#;
    let allocation =
        allocation(pod("p").rail(&["b"]).dual_rail(&["b"], &["six"]).annotated(keys::POD_ROUTES, routes));
    let routes = |index: usize| serde_json::to_value(&allocation.details[index].routes).unwrap();
    assert_eq!(routes(0), json!([{"dst": "192.168.0.0/16", "gw": "172.16.2.9"}]));
    assert_eq!(
        routes(1),
        json!([{"dst": "fd01::/64", "gw": "fd00::1"}, {"dst": "fd02::/16", "gw": "fd00::9"}])
    );
    assert_eq!(
        allocation.warnings,
        [
            "annotation ipam.spidernet.io/routes: route to 10.9.0.0/16 is left out, because no interface has a subnet with \
          10.9.9.9"
        ]
    );
}

#[test]
fn routes_that_cannot_be_read_fail_the_pod() {
    for (value, expected) in [
        (r#"{"dst":"10.0.0.0/8"}"#, "invalid type: map, expected a sequence at line 1 column 0"),
        (
            r#"[{"dst":"10.0.0.0","gw":"172.16.1.1"}]"#,
            "[0].dst: \"10.0.0.0\" has no prefix length; write it like 172.16.0.0/16 or fd00::/64",
        ),
        (
            r#"[{"dst":"10.0.0.0/8","gw":"gateway"}]"#,
            "[0].gw: \"gateway\" is no IP address: it is neither four octets nor groups of hexadecimal digits",
        ),
        (r#"[{"dst":"10.0.0.0/8","gw":"fd00::1"}]"#, "[0]: dst is IPv4, gw is IPv6"),
    ] {
        let said = cluster().outcome(pod("p").rail(&["a"]).annotated(keys::POD_ROUTES, value));
        assert_eq!(said, format!("UnusableRoutes: annotation ipam.spidernet.io/routes: {expected}"));
    }
}
