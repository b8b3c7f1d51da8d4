use proptest::prelude::*;
use serde_json::{Value, json};

use crate::api::Kind;
use crate::rules::test_cluster::{Cluster, manifest, with};

fn create(spec: Value) -> (Value, Vec<String>, Vec<String>) {
    let outcome = Cluster::default().create(Kind::IpPool, manifest(Kind::IpPool, spec));
    (outcome.object, outcome.notices, outcome.errors)
}

#[test]
fn the_guides_shared_subnet_is_mended() {
    let spec =
        json!({"gateway": "172.16.11.254", "subnet": "172.16.11.0/16", "ips": ["172.16.11.1-172.16.11.200"]});
    let (object, notices, errors) = create(spec);
    assert_eq!(errors, Vec::<String>::new());
    assert_eq!(notices, ["spec.subnet: \"172.16.11.0/16\" has host bits set, stored as 172.16.0.0/16"]);
    assert_eq!(
        object,
        json!({
            "apiVersion": "spiderpool.spidernet.io/v2beta1",
            "kind": "SpiderIPPool",
            "metadata": {
                "name": "new",
                "finalizers": ["spiderpool.spidernet.io"],
                "labels": {"ipam.spidernet.io/ippool-cidr": "172-16-0-0-16"}
            },
            "spec": {
                "gateway": "172.16.11.254",
                "subnet": "172.16.0.0/16",
                "ips": ["172.16.11.1-172.16.11.200"],
                "ipVersion": 4
            }
        })
    );
}

#[test]
fn the_guides_rails_are_mended() {
    // Subnet, gateway and range of each of the guide's eight rails of node 1, and what becomes of the range.
    let clamped = |first: u8, last: u8| format!("172.16.1.{first}-172.16.1.{last}");
    for rail in 0..8u8 {
        let base = rail * 32;
        let (broadcast, end) = (base + 31, u16::from(base) + 32);
        let written = format!("172.16.1.{}-172.16.1.{end}", base + 2);
        let (object, notices, errors) = create(json!({
            "ipVersion": "ipv4",
            "subnet": format!("172.16.1.{base}/27"),
            "gateway": format!("172.16.1.{}", base + 1),
            "ips": [written],
            "routes": [{"to": "172.16.0.0/16", "via": format!("172.16.1.{}", base + 1)}]
        }));
        assert_eq!(errors, Vec::<String>::new());
        assert_eq!(
            object["spec"],
            json!({
                "ipVersion": 4,
                "subnet": format!("172.16.1.{base}/27"),
                "gateway": format!("172.16.1.{}", base + 1),
                "ips": [clamped(base + 2, base + 30)],
                "routes": [{"dst": "172.16.0.0/16", "gw": format!("172.16.1.{}", base + 1)}]
            })
        );
        let beyond = if end == 256 { "is no address" } else { "lies outside" };
        let last = clamped(base + 2, base + 30);
        assert_eq!(
            notices,
            [
                "spec.ipVersion: \"ipv4\" is a deprecated spelling, stored as the number 4".to_owned(),
                format!(
                    "spec.ips[0]: \"{written}\" overshoots subnet 172.16.1.{base}/27, clamped to {last}; dropped \
                     172.16.1.{broadcast}-172.16.1.{end} (172.16.1.{broadcast} is the broadcast address, \
                     172.16.1.{end} {beyond})"
                ),
                "spec.routes[0].to: deprecated spelling of spec.routes[0].dst".to_owned(),
                "spec.routes[0].via: deprecated spelling of spec.routes[0].gw".to_owned(),
            ]
        );
    }
}

#[test]
fn spellings_with_one_meaning_are_mended() {
    let v4 =
        |ips: Value, excluded: Value| json!({"subnet": "10.0.0.0/24", "ips": ips, "excludeIPs": excluded});
    for (spec, expected, notices) in [
        // W-43: reversed ranges, in both lists.
        (
            v4(json!(["10.0.0.9-10.0.0.1"]), json!(["10.0.0.3-10.0.0.2"])),
            with(v4(json!(["10.0.0.1-10.0.0.9"]), json!(["10.0.0.2-10.0.0.3"])), json!({"ipVersion": 4})),
            vec![
                "spec.ips[0]: \"10.0.0.9-10.0.0.1\" runs backwards, stored as 10.0.0.1-10.0.0.9",
                "spec.excludeIPs[0]: \"10.0.0.3-10.0.0.2\" runs backwards, stored as 10.0.0.2-10.0.0.3",
            ],
        ),
        // An excluded range keeps the broadcast address, which ips may hold.
        (
            v4(json!(["10.0.0.9-10.0.0.255"]), json!(["10.0.0.200-10.0.1.1"])),
            with(
                v4(json!(["10.0.0.9-10.0.0.255"]), json!(["10.0.0.200-10.0.0.255"])),
                json!({"ipVersion": 4}),
            ),
            vec![
                "spec.excludeIPs[0]: \"10.0.0.200-10.0.1.1\" overshoots subnet 10.0.0.0/24, clamped to \
                 10.0.0.200-10.0.0.255; dropped 10.0.1.0-10.0.1.1 (10.0.1.1 lies outside)",
            ],
        ),
        // Backwards and too far.
        (
            v4(json!(["10.0.1.0-10.0.0.250"]), json!([])),
            with(v4(json!(["10.0.0.250-10.0.0.254"]), json!([])), json!({"ipVersion": 4})),
            vec![
                "spec.ips[0]: \"10.0.1.0-10.0.0.250\" runs backwards, stored as 10.0.0.250-10.0.1.0",
                "spec.ips[0]: \"10.0.0.250-10.0.1.0\" overshoots subnet 10.0.0.0/24, clamped to \
                 10.0.0.250-10.0.0.254; dropped 10.0.0.255-10.0.1.0 (10.0.0.255 is the broadcast address, \
                 10.0.1.0 lies outside)",
            ],
        ),
        // No broadcast address in a /31 and in IPv6; the very end of IPv4.
        (
            json!({"subnet": "255.255.255.254/31", "ips": ["255.255.255.254-255.255.255.256"]}),
            json!({"subnet": "255.255.255.254/31", "ips": ["255.255.255.254-255.255.255.255"], "ipVersion": 4}),
            vec![
                "spec.ips[0]: \"255.255.255.254-255.255.255.256\" overshoots subnet 255.255.255.254/31, clamped to \
                 255.255.255.254-255.255.255.255; dropped 255.255.255.256 (255.255.255.256 is no address)",
            ],
        ),
        (
            json!({"subnet": "fd00::/126", "ips": ["fd00::3-fd00::4"]}),
            json!({"subnet": "fd00::/126", "ips": ["fd00::3"], "ipVersion": 6}),
            vec![
                "spec.ips[0]: \"fd00::3-fd00::4\" overshoots subnet fd00::/126, clamped to fd00::3; dropped \
                 fd00::4 (fd00::4 lies outside)",
            ],
        ),
        (
            json!({"subnet": "FD00:0::/64", "ipVersion": "IPv6"}),
            json!({"subnet": "fd00::/64", "ipVersion": 6}),
            vec![
                "spec.subnet: \"FD00:0::/64\" is not the canonical spelling, stored as fd00::/64",
                "spec.ipVersion: \"IPv6\" is a deprecated spelling, stored as the number 6",
            ],
        ),
        (
            json!({"subnet": "10.0.0.0/24", "ipVersion": "4"}),
            json!({"subnet": "10.0.0.0/24", "ipVersion": 4}),
            vec!["spec.ipVersion: \"4\" is a deprecated spelling, stored as the number 4"],
        ),
        // W-39: nothing else is touched: not the order, not neighbours that could be merged.
        (
            v4(json!(["10.0.0.9", "10.0.0.2-10.0.0.2", "10.0.0.3", "10.0.0.1"]), json!([])),
            with(
                v4(json!(["10.0.0.9", "10.0.0.2-10.0.0.2", "10.0.0.3", "10.0.0.1"]), json!([])),
                json!({"ipVersion": 4}),
            ),
            vec![],
        ),
    ] {
        let (object, said, errors) = create(spec);
        assert_eq!((&object["spec"], errors), (&expected, vec![]));
        assert_eq!(said, notices);
    }
}

fn text() -> impl Strategy<Value = String> {
    let octet = prop_oneof![Just(0u16), Just(1), 250u16..260];
    let address = (octet.clone(), octet).prop_map(|(a, b)| format!("10.0.{a}.{b}"));
    let range = (address.clone(), address.clone()).prop_map(|(a, b)| format!("{a}-{b}"));
    let v6 = any::<u16>().prop_map(|tail| format!("fd00::{tail:x}"));
    prop_oneof![4 => range, 2 => address, 1 => v6, 1 => "[-0-9a-f:./]{0,12}"]
}

proptest! {
    /// `Cluster` itself checks that normalising twice changes nothing and says nothing.
    #[test]
    fn whatever_is_written_normalising_settles_it(
        subnet in prop_oneof![Just("10.0.0.0/16".to_owned()), Just("10.0.255.7/24".to_owned()), text()],
        ips in proptest::collection::vec(text(), 0..6),
        excluded in proptest::collection::vec(text(), 0..3),
        gateway in proptest::option::of(text()),
        version in prop_oneof![Just(json!(4)), Just(json!("ipv6")), Just(json!(null)), Just(json!(4.5)), Just(json!("x"))],
        old in any::<bool>(),
    ) {
        let cluster = Cluster::default().pool("other", json!({"subnet": "10.0.0.0/16", "ips": ["10.0.1.0-10.0.1.255"]}));
        let route = json!({"to": subnet.clone(), "via": gateway.clone(), "gw": "10.0.0.1"});
        let spec = json!({"subnet": subnet, "ips": ips, "excludeIPs": excluded, "gateway": gateway, "ipVersion": version, "routes": [route]});
        let object = manifest(Kind::IpPool, spec);
        let created = cluster.create(Kind::IpPool, object.clone());
        if old {
            cluster.update(Kind::IpPool, object, &created.object);
        }
    }
}
