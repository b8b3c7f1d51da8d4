use proptest::prelude::*;
use serde_json::{Value, json};

use crate::api::Kind;
use crate::rules::PoolFacts;
use crate::rules::test_cluster::{Cluster, manifest, with};

fn create(spec: Value) -> (Value, Vec<String>, Vec<String>) {
    let outcome = Cluster::default().create(Kind::IpPool, manifest(Kind::IpPool, spec));
    (outcome.object, outcome.notices, outcome.errors)
}

/// A pool as stored: it went through the webhooks when it was created.
fn stored(cluster: &Cluster, spec: Value) -> Value {
    let outcome = cluster.create(Kind::IpPool, manifest(Kind::IpPool, spec));
    assert_eq!(outcome.errors, Vec::<String>::new());
    outcome.object
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

/// Every rule about one object on its own, with its number in the reference.
#[test]
fn one_object_is_checked_as_the_reference_says() {
    let net = |more: Value| with(json!({"subnet": "172.16.0.0/16"}), more);
    for (rule, spec, expected) in [
        (
            "P1",
            json!({"subnet": "x"}),
            vec![
                "spec.ipVersion: Required value: cannot be inferred from the addresses; correct them, or write 4 or 6",
                "spec.subnet: Invalid value: \"x\": \"x\" is no IP address: it is neither four octets nor groups of hexadecimal digits",
            ],
        ),
        ("P2", net(json!({"ipVersion": 5})), vec!["spec.ipVersion: Unsupported value: \"5\": use 4 or 6"]),
        (
            "P2",
            net(json!({"ipVersion": "five"})),
            vec!["spec.ipVersion: Unsupported value: \"five\": use 4 or 6"],
        ),
        (
            "P4",
            net(json!({"ipVersion": 6})),
            vec!["spec.subnet: Invalid value: \"172.16.0.0/16\": is IPv4, but spec.ipVersion is 6"],
        ),
        (
            "P4",
            json!({"ipVersion": 4}),
            vec!["spec.subnet: Required value: write the subnet of the addresses, e.g. 172.16.0.0/16"],
        ),
        (
            "P4",
            json!({"ipVersion": 4, "subnet": "172.16.0.0"}),
            vec![
                "spec.subnet: Invalid value: \"172.16.0.0\": \"172.16.0.0\" has no prefix length; write it like 172.16.0.0/16 or fd00::/64",
            ],
        ),
        (
            "P10",
            net(json!({
                "ips": ["172.16.0.1", "172.17.0.1", "172.15.0.0-172.16.0.1", "172.16.1.0/24", "172.16.0.01", "a-b-c", "fd00::1", "::ffff:172.16.0.1", "172.16.9.1-172.16.9.256"],
                "excludeIPs": ["10.0.0.1", "172.16.0.1 "]
            })),
            vec![
                "spec.ips[1]: Invalid value: \"172.17.0.1\": lies outside subnet 172.16.0.0/16 (172.16.0.0-172.16.255.255)",
                "spec.ips[2]: Invalid value: \"172.15.0.0-172.16.0.1\": lies only in part in subnet 172.16.0.0/16 (172.16.0.0-172.16.255.255); the part inside is 172.16.0.0-172.16.0.1",
                "spec.ips[3]: Invalid value: \"172.16.1.0/24\": it is a subnet; write the addresses to hand out, e.g. 172.16.1.1-172.16.1.254",
                "spec.ips[4]: Invalid value: \"172.16.0.01\": \"172.16.0.01\" is no IP address: octet 01 has a leading zero",
                "spec.ips[5]: Invalid value: \"a-b-c\": \"a-b-c\" has more than one hyphen; a range is written first-last",
                "spec.ips[6]: Invalid value: \"fd00::1\": is IPv6, but spec.ipVersion is 4",
                "spec.ips[7]: Invalid value: \"::ffff:172.16.0.1\": \"::ffff:172.16.0.1\" is no IP address: it is an IPv4 address in IPv6 notation; write 172.16.0.1",
                "spec.ips[8]: Invalid value: \"172.16.9.1-172.16.9.256\": \"172.16.9.256\" is no IP address: octet 256 is greater than 255",
                "spec.excludeIPs[0]: Invalid value: \"10.0.0.1\": lies outside subnet 172.16.0.0/16 (172.16.0.0-172.16.255.255)",
                "spec.excludeIPs[1]: Invalid value: \"172.16.0.1 \": \"172.16.0.1 \" is no IP address: it has spaces in it",
            ],
        ),
        ("P13", net(json!({"ips": []})), vec![]),
        ("P13", net(json!({})), vec![]),
        (
            "P14",
            net(json!({"gateway": "172.17.0.1"})),
            vec![
                "spec.gateway: Invalid value: \"172.17.0.1\": lies outside subnet 172.16.0.0/16 (172.16.0.0-172.16.255.255)",
            ],
        ),
        (
            "P14",
            net(json!({"gateway": "fd00::1"})),
            vec!["spec.gateway: Invalid value: \"fd00::1\": is IPv6, but spec.ipVersion is 4"],
        ),
        (
            "P14",
            net(json!({"gateway": ""})),
            vec!["spec.gateway: Invalid value: \"\": \"\" is no IP address: it is empty"],
        ),
        (
            "P15",
            net(
                json!({"gateway": "172.16.0.5", "ips": ["172.16.0.1", "172.16.0.4-172.16.0.9", "172.16.0.5"]}),
            ),
            vec![
                "spec.ips[1]: Invalid value: \"172.16.0.4-172.16.0.9\": contains the gateway 172.16.0.5, which no pod may have; leave it out, or add it to spec.excludeIPs",
            ],
        ),
        (
            "P15",
            json!({"subnet": "fd00::/64", "gateway": "fd00::1", "ips": ["fd00::0001"]}),
            vec![
                "spec.ips[0]: Invalid value: \"fd00::1\": contains the gateway fd00::1, which no pod may have; leave it out, or add it to spec.excludeIPs",
            ],
        ),
        (
            "P16",
            net(
                json!({"gateway": "172.16.0.5", "ips": ["172.16.0.4-172.16.0.9"], "excludeIPs": ["172.16.0.5"]}),
            ),
            vec![],
        ),
        (
            "P17",
            net(
                json!({"routes": [{"dst": "0.0.0.0/0", "gw": "172.16.0.1"}, {"dst": "10.0.0.0/0", "gw": "172.16.0.1"}]}),
            ),
            vec![
                "spec.routes[0].dst: Invalid value: \"0.0.0.0/0\": is the default route; set spec.gateway instead",
                "spec.routes[1].dst: Invalid value: \"10.0.0.0/0\": is the default route; set spec.gateway instead",
            ],
        ),
        (
            "P17",
            json!({"subnet": "fd00::/64", "routes": [{"dst": "::/0", "gw": "fd00::1"}]}),
            vec![
                "spec.routes[0].dst: Invalid value: \"::/0\": is the default route; set spec.gateway instead",
            ],
        ),
        (
            "P18",
            net(
                json!({"routes": [{"dst": "10.0.0.0/8", "gw": "172.16.0.1"}, {"dst": "10.1.0.0/8", "gw": "172.16.0.2"}]}),
            ),
            vec![
                "spec.routes[1].dst: Duplicate value: \"10.0.0.0/8\": spec.routes[0] goes there already; keep one of them",
            ],
        ),
        (
            "P19",
            net(json!({"routes": [
                {"dst": "10.0.0.1/8", "gw": "172.16.0.1"}, {"dst": "10.0.0.1", "gw": "172.16.0.1"},
                {"dst": "fd00::/64", "gw": "172.16.0.1"}, {"gw": "172.16.0.1"}
            ]})),
            vec![
                "spec.routes[1].dst: Invalid value: \"10.0.0.1\": \"10.0.0.1\" has no prefix length; write it like 172.16.0.0/16 or fd00::/64",
                "spec.routes[2].dst: Invalid value: \"fd00::/64\": is IPv6, other than spec.subnet",
                "spec.routes[3].dst: Required value: write the destination, e.g. 172.16.0.0/16",
            ],
        ),
        (
            "P20",
            net(json!({"routes": [
                {"dst": "10.0.0.0/8", "gw": "172.17.0.1"}, {"dst": "11.0.0.0/8", "gw": "fd00::1"}, {"dst": "12.0.0.0/8"}
            ]})),
            vec![
                "spec.routes[0].gw: Invalid value: \"172.17.0.1\": lies outside subnet 172.16.0.0/16 (172.16.0.0-172.16.255.255)",
                "spec.routes[1].gw: Invalid value: \"fd00::1\": is IPv6, but spec.ipVersion is 4",
                "spec.routes[2].gw: Required value: write the address of the next hop",
            ],
        ),
        (
            "aliases that contradict",
            net(
                json!({"routes": [{"dst": "10.0.0.0/8", "to": "11.0.0.0/8", "gw": "172.16.0.1", "via": "172.16.0.1"}]}),
            ),
            vec![
                "spec.routes[0].to: Invalid value: \"11.0.0.0/8\": contradicts spec.routes[0].dst, which is 10.0.0.0/8; keep only dst",
            ],
        ),
        (
            "P22",
            net(json!({
                "podAffinity": {"matchExpressions": [{"key": "a", "operator": "In"}]},
                "nodeAffinity": {"matchLabels": {"a b": "c"}}
            })),
            vec![
                "spec.podAffinity.matchExpressions[0].values: Required value: operator In needs at least one value",
                "spec.nodeAffinity.matchLabels[a b]: Invalid value: \"a b\": is no label key; write [domain/]name, the name of at most 63 letters, digits, '-', '_', '.'",
            ],
        ),
        (
            "P23",
            net(json!({"podAffinity": {}, "nodeAffinity": {}})),
            vec![
                "spec.podAffinity: Invalid value: \"{}\": selects nothing; add matchLabels or matchExpressions, or remove it so that every pod may use the pool",
            ],
        ),
        (
            "wrong types",
            net(json!({"ips": "172.16.0.1", "gateway": 5})),
            vec![
                "spec.ips: Invalid value: \"172.16.0.1\": must be a list, found a string",
                "spec.gateway: Invalid value: \"5\": must be a string, found a number",
            ],
        ),
    ] {
        assert_eq!(create(spec).2, expected, "{rule}");
    }
}

#[test]
fn p3_a_family_that_is_off_takes_no_new_pools_and_keeps_the_old_ones_editable() {
    let spec = json!({"subnet": "172.16.0.0/16", "ips": ["172.16.0.1"]});
    let old = stored(&Cluster::default(), spec.clone());
    let cluster = Cluster::default().set(|settings| settings.enable_ipv4 = false);
    assert_eq!(
        cluster.create(Kind::IpPool, manifest(Kind::IpPool, spec)).errors,
        [
            "spec.ipVersion: Forbidden: IPv4 is turned off; set enableIPv4: true in the configuration to use it"
        ]
    );
    let edited = with(old.clone(), json!({"spec": {"ips": ["172.16.0.2"], "disable": true}}));
    assert_eq!(cluster.update(Kind::IpPool, edited, &old).errors, Vec::<String>::new());
    let cluster = Cluster::default().set(|settings| settings.enable_ipv6 = false);
    assert_eq!(
        cluster.create(Kind::IpPool, manifest(Kind::IpPool, json!({"subnet": "fd00::/64"}))).errors,
        [
            "spec.ipVersion: Forbidden: IPv6 is turned off; set enableIPv6: true in the configuration to use it"
        ]
    );
}

#[test]
fn p1_p5_validation_stands_on_its_own() {
    let object =
        manifest(Kind::IpPool, json!({"subnet": "172.16.11.0/16", "ips": ["172.16.0.9-172.16.0.1"]}));
    assert_eq!(
        Cluster::default().errors(Kind::IpPool, &object, None),
        [
            "spec.ipVersion: Required value: cannot be inferred from the addresses; correct them, or write 4 or 6",
            "spec.subnet: Invalid value: \"172.16.11.0/16\": is not canonical; write 172.16.0.0/16",
            "spec.ips[0]: Invalid value: \"172.16.0.9-172.16.0.1\": it runs backwards; write 172.16.0.1-172.16.0.9",
        ]
    );
}

#[test]
fn p8_p9_p11_pools_share_a_subnet_but_no_address() {
    let cluster = Cluster::default()
        .pool("wide", json!({"subnet": "10.0.0.0/8"}))
        .pool("wide-too", json!({"subnet": "10.0.0.0/8"}))
        .pool("narrow", json!({"subnet": "10.1.2.0/24"}))
        .pool("a", json!({"subnet": "172.16.0.0/16", "ips": ["172.16.0.1-172.16.0.100"], "excludeIPs": ["172.16.0.50"]}))
        .pool("b", json!({"subnet": "172.16.11.0/16", "ips": ["172.16.0.101-172.16.0.200"]}))
        .pool("broken", json!({"subnet": "172.16.0.0/16", "ips": ["172.16.0.1-x"]}))
        .pool("nonsense", json!({"subnet": "172.16.0.0"}));
    let errors = |spec: Value| cluster.create(Kind::IpPool, manifest(Kind::IpPool, spec)).errors;
    assert_eq!(
        errors(json!({"subnet": "10.1.0.0/16"})),
        [
            "spec.subnet: Invalid value: \"10.1.0.0/16\": overlaps subnet 10.0.0.0/8 of SpiderIPPool wide, wide-too in 10.1.0.0-10.1.255.255; use the same subnet with other ips, or one that does not overlap",
            "spec.subnet: Invalid value: \"10.1.0.0/16\": overlaps subnet 10.1.2.0/24 of SpiderIPPool narrow in 10.1.2.0-10.1.2.255; use the same subnet with other ips, or one that does not overlap",
        ]
    );
    // P9: the same subnet, other addresses; an address that another pool excludes is free.
    assert_eq!(
        errors(json!({"subnet": "172.16.0.0/16", "ips": ["172.16.1.1", "172.16.0.50"]})),
        Vec::<String>::new()
    );
    assert_eq!(
        errors(
            json!({"subnet": "172.16.0.0/16", "ips": ["172.16.0.99-172.16.0.102", "172.16.0.200-172.16.0.205"]})
        ),
        [
            "spec.ips: Forbidden: 172.16.0.99-172.16.0.100 already belong to SpiderIPPool a; leave them out, or add them to spec.excludeIPs",
            "spec.ips: Forbidden: 172.16.0.101-172.16.0.102, 172.16.0.200 already belong to SpiderIPPool b; leave them out, or add them to spec.excludeIPs",
        ]
    );
    // A pool is no peer of its own, and growing into another is refused on update too.
    let cluster = Cluster::default()
        .pool("new", json!({"subnet": "172.16.0.0/16", "ips": ["172.16.0.1"]}))
        .pool("other", json!({"subnet": "172.16.0.0/16", "ips": ["172.16.0.5"]}));
    let old = stored(&cluster, json!({"subnet": "172.16.0.0/16", "ips": ["172.16.0.1"]}));
    let grown = with(old.clone(), json!({"spec": {"ips": ["172.16.0.1-172.16.0.9"]}}));
    assert_eq!(
        cluster.update(Kind::IpPool, grown, &old).errors,
        [
            "spec.ips: Forbidden: 172.16.0.5 already belong to SpiderIPPool other; leave them out, or add them to spec.excludeIPs"
        ]
    );
}

#[test]
fn repeated_addresses_are_allowed_and_said() {
    let (_, notices, errors) = create(
        json!({"subnet": "10.0.0.0/24", "ips": ["10.0.0.5-10.0.0.9", "10.0.0.1", "10.0.0.7-10.0.0.12"]}),
    );
    assert_eq!(errors, Vec::<String>::new());
    assert_eq!(notices, ["spec.ips[2]: repeats 10.0.0.7-10.0.0.9 of spec.ips[0]"]);
}

#[test]
fn p21_an_applications_pool_is_selected_by_the_application() {
    let object = |affinity: Value| {
        with(
            manifest(Kind::IpPool, json!({"subnet": "10.0.0.0/24", "podAffinity": affinity})),
            json!({"metadata": {"labels": {"ipam.spidernet.io/owner-application-name": "trainer"}}}),
        )
    };
    let cluster = Cluster::default();
    let allowed = json!({"matchLabels": {"ipam.spidernet.io/app-kind": "Deployment", "ipam.spidernet.io/app-name": "x"}});
    assert_eq!(cluster.create(Kind::IpPool, object(allowed)).errors, Vec::<String>::new());
    let foreign = json!({"matchLabels": {"app": "x", "tier": "y"}, "matchExpressions": [{"key": "z", "operator": "Exists"}]});
    let detail = "the pool belongs to one application; its affinity may only name ipam.spidernet.io/app-api-group, \
                  ipam.spidernet.io/app-api-version, ipam.spidernet.io/app-kind, ipam.spidernet.io/app-namespace, \
                  ipam.spidernet.io/app-name";
    assert_eq!(
        cluster.create(Kind::IpPool, object(foreign)).errors,
        [
            format!("spec.podAffinity.matchLabels[app]: Invalid value: \"app\": {detail}"),
            format!("spec.podAffinity.matchLabels[tier]: Invalid value: \"tier\": {detail}"),
            format!("spec.podAffinity.matchExpressions[0]: Invalid value: \"z\": {detail}"),
        ]
    );
}

#[test]
fn u1_u2_family_and_subnet_never_change() {
    let cluster = Cluster::default();
    let old = stored(&cluster, json!({"subnet": "172.16.11.0/16", "ips": ["172.16.0.1"]}));
    let changed =
        with(old.clone(), json!({"spec": {"ipVersion": 6, "subnet": "fd00::/64", "ips": ["fd00::1"]}}));
    assert_eq!(
        cluster.update(Kind::IpPool, changed, &old).errors,
        [
            "spec.ipVersion: Forbidden: is 4 and cannot become 6; create a new object instead",
            "spec.subnet: Forbidden: is 172.16.0.0/16 and cannot become fd00::/64; create a new object instead",
        ]
    );
    // Applying the same manifest again is no change of the subnet.
    let again = with(old.clone(), json!({"spec": {"subnet": "172.16.11.0/16"}}));
    let outcome = cluster.update(Kind::IpPool, again, &old);
    assert_eq!((outcome.errors, &outcome.object), (vec![], &old));
    assert_eq!(
        outcome.notices,
        ["spec.subnet: \"172.16.11.0/16\" has host bits set, stored as 172.16.0.0/16"]
    );
}

#[test]
fn what_older_versions_stored_stays_editable() {
    let cluster = Cluster::default().pool("other", json!({"subnet": "172.16.0.0/24", "ips": ["172.16.0.1"]}));
    let legacy = json!({
        "metadata": {"name": "new", "finalizers": ["spiderpool.spidernet.io"], "labels": {"ipam.spidernet.io/ippool-cidr": "172-16-11-0-16"}},
        "spec": {"subnet": "172.16.11.0/16", "ips": ["172.16.0.1-172.16.255.255", "10.9.9.9"], "gateway": "172.16.0.1"}
    });
    let outcome =
        cluster.update(Kind::IpPool, with(legacy.clone(), json!({"spec": {"disable": true}})), &legacy);
    assert_eq!((outcome.errors, outcome.notices), (vec![], vec![]));
    assert_eq!(outcome.object["spec"]["subnet"], "172.16.11.0/16");
    assert_eq!(outcome.object["spec"]["ipVersion"], 4);
    assert_eq!(outcome.object["metadata"]["labels"]["ipam.spidernet.io/ippool-cidr"], "172-16-0-0-16");
    // A family that its addresses are not of is no inference.
    let wrong = with(legacy.clone(), json!({"spec": {"ipVersion": 6}}));
    assert_eq!(
        cluster.update(Kind::IpPool, wrong, &legacy).errors[0],
        "spec.subnet: Invalid value: \"172.16.11.0/16\": is IPv4, but spec.ipVersion is 6"
    );
}

#[test]
fn u3_addresses_in_use_stay() {
    let cluster = Cluster::default();
    let records: String = json!({
        "172.16.0.10": {"pod": "ai/trainer-9", "podUid": "u9"},
        "172.16.0.9": {"pod": "ai/trainer-8", "podUid": "u8"},
        "172.16.0.2": {"pod": "ai/trainer-1", "podUid": "u1"},
        "172.16.0.3": {"pod": "ai/trainer-2", "podUid": "u2"},
        "172.16.0.4": {"pod": "ai/trainer-3", "podUid": "u3"},
        "172.16.0.5": {"pod": "ai/trainer-4", "podUid": "u4"},
        "172.16.0.6": {"pod": "ai/trainer-5", "podUid": "u5"},
        "172.16.0.77": {"pod": "ai/stray", "podUid": "u6"}
    })
    .to_string();
    let old = stored(&cluster, json!({"subnet": "172.16.0.0/16", "ips": ["172.16.0.1-172.16.0.20"]}));
    let old = with(old, json!({"status": {"allocatedIPs": records}}));
    let errors = |changes: Value| {
        cluster.update(Kind::IpPool, with(old.clone(), json!({"spec": changes})), &old).errors
    };
    // .77 was not the pool's before either: this update does not take it away.
    assert_eq!(errors(json!({"ips": ["172.16.0.2-172.16.0.10", "172.16.0.40"]})), Vec::<String>::new());
    assert_eq!(
        errors(json!({"ips": [], "gateway": "172.16.0.99"})),
        [
            "spec.ips: Forbidden: takes away addresses in use: 172.16.0.2 (pod ai/trainer-1), 172.16.0.3 (pod ai/trainer-2), \
         172.16.0.4 (pod ai/trainer-3), 172.16.0.5 (pod ai/trainer-4), 172.16.0.6 (pod ai/trainer-5) and 2 more; \
         keep them until those pods are gone"
        ]
    );
    assert_eq!(
        errors(json!({"ips": ["172.16.0.1-172.16.0.9"], "excludeIPs": ["172.16.0.9"]})),
        [
            "spec.ips: Forbidden: takes away addresses in use: 172.16.0.10 (pod ai/trainer-9); keep them until those pods are gone",
            "spec.excludeIPs: Forbidden: takes away addresses in use: 172.16.0.9 (pod ai/trainer-8); keep them until those pods are gone",
        ]
    );
}

#[test]
fn u3_a_status_that_nobody_can_read_is_said_and_does_not_stop_growing() {
    let cluster = Cluster::default();
    let old = stored(&cluster, json!({"subnet": "172.16.0.0/16", "ips": ["172.16.0.1-172.16.0.20"]}));
    for (records, reason) in [
        ("{\"172.16.0.2\":", "EOF while parsing a value at line 1 column 14"),
        (
            "{\"172.16.0.02\": {\"pod\": \"a/b\"}}",
            "\"172.16.0.02\" is no IP address: octet 02 has a leading zero",
        ),
    ] {
        let old = with(old.clone(), json!({"status": {"allocatedIPs": records}}));
        let update = |ips: Value| {
            cluster.update(Kind::IpPool, with(old.clone(), json!({"spec": {"ips": ips}})), &old).errors
        };
        assert_eq!(update(json!(["172.16.0.1-172.16.0.30"])), Vec::<String>::new());
        assert_eq!(
            update(json!([])),
            [format!(
                "status.allocatedIPs: Invalid value: {records:?}: cannot be read ({reason}), so which addresses are in use is \
             not known; repair it with: kubectl edit spiderippool new --subresource=status"
            )]
        );
    }
}

#[test]
fn a_terminating_pool_keeps_its_spec() {
    let cluster = Cluster::default();
    let old = stored(&cluster, json!({"subnet": "172.16.0.0/16", "ips": ["172.16.0.1"]}));
    let old = with(old, json!({"metadata": {"deletionTimestamp": "2025-01-01T00:00:00Z"}}));
    let released = with(old.clone(), json!({"metadata": {"finalizers": null, "labels": {"team": "ai"}}}));
    let outcome = cluster.update(Kind::IpPool, released.clone(), &old);
    assert_eq!((outcome.errors, outcome.notices, outcome.object), (vec![], vec![], released));
    let edited = with(old.clone(), json!({"spec": {"disable": true}}));
    assert_eq!(
        cluster.update(Kind::IpPool, edited, &old).errors,
        [
            "spec: Forbidden: the object is being deleted, so its spec can no longer change; create it anew when it is gone"
        ]
    );
}

#[test]
fn the_finalizer_of_a_live_pool_comes_back() {
    let cluster = Cluster::default();
    let old = stored(&cluster, json!({"subnet": "172.16.0.0/16"}));
    let stripped = with(old.clone(), json!({"metadata": {"finalizers": ["example.com/mine"]}}));
    let outcome = cluster.update(Kind::IpPool, stripped, &old);
    assert_eq!(
        outcome.object["metadata"]["finalizers"],
        json!(["example.com/mine", "spiderpool.spidernet.io"])
    );
}

#[test]
fn deleting_a_pool_in_use_is_refused_where_the_configuration_says_so() {
    let pool = with(
        stored(&Cluster::default(), json!({"subnet": "172.16.0.0/16"})),
        json!({"status": {"allocatedIPCount": 3}}),
    );
    assert_eq!(Cluster::default().delete(Kind::IpPool, &pool), Vec::<String>::new());
    let cluster = Cluster::default().set(|settings| settings.refuse_delete_in_use = true);
    assert_eq!(
        cluster.delete(Kind::IpPool, &pool),
        ["status.allocatedIPCount: Forbidden: 3 addresses are in use; delete the pods that have them first"]
    );
    let empty = with(pool, json!({"status": {"allocatedIPCount": 0}}));
    assert_eq!(cluster.delete(Kind::IpPool, &empty), Vec::<String>::new());
}

#[test]
fn manifests_of_any_shape_get_an_answer() {
    for object in
        [json!(null), json!([]), json!({}), json!({"spec": 5}), json!({"metadata": [], "spec": {"ips": {}}})]
    {
        let outcome = Cluster::default().create(Kind::IpPool, object.clone());
        assert!(!outcome.errors.is_empty(), "{object}");
    }
}

#[test]
fn pools_at_the_ends_of_the_numbers_and_of_any_size() {
    for spec in [
        json!({"subnet": "10.0.0.0/8", "ips": ["10.0.0.1-10.255.255.254"], "gateway": "10.0.0.9", "excludeIPs": ["10.0.0.9"]}),
        json!({"subnet": "0.0.0.0/24", "ips": ["0.0.0.0-0.0.0.5", "0.0.0.7"]}),
        json!({"subnet": "255.255.255.0/24", "ips": ["255.255.255.1", "255.255.255.250-255.255.255.255"]}),
        json!({"subnet": "::/64", "ips": ["::1-::5", "::7"]}),
        json!({"subnet": "fd00::/64", "ips": ["fd00::1-fd00::ffff:ffff:ffff:ffff"], "excludeIPs": ["fd00::7", "fd00::9"]}),
        json!({"subnet": "::/0", "ips": ["::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"]}),
    ] {
        let (object, _, errors) = create(spec.clone());
        assert_eq!(errors, Vec::<String>::new(), "{spec}");
        let label = object["metadata"]["labels"]["ipam.spidernet.io/ippool-cidr"].as_str().unwrap();
        assert!(label.starts_with(|c: char| c.is_ascii_alphanumeric()), "{label}");
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

#[test]
fn a_pool_is_refused_by_name_even_if_a_peer_cannot_be_read() {
    // Its addresses count for nobody, its name for references.
    let cluster = Cluster::default().pool_facts(PoolFacts { name: "broken".into(), ..PoolFacts::default() });
    assert!(cluster.peers().pool("broken").is_some());
    assert_eq!(cluster.peers().overlaps(), []);
}
