mod stored;

use serde_json::{Value, json};

use crate::api::Kind;
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

/// Every rule about one object on its own, with its number in the reference.
#[test]
#[expect(clippy::too_many_lines, reason = "one table")]
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

#[test]
fn ten_thousand_ranges_are_checked_together() {
    let mut ips: Vec<String> =
        (0..10_000).map(|n| format!("10.{}.{}.1-10.{0}.{1}.9", n / 250, n % 250)).collect();
    let spec = |ips: &[String]| json!({"subnet": "10.0.0.0/8", "ips": ips, "gateway": "10.0.0.10"});
    let cluster = Cluster::default()
        .pool("other", json!({"subnet": "10.0.0.0/8", "ips": ["10.39.249.9-10.39.249.20"]}));
    let (object, notices, errors) = create(spec(&ips));
    assert_eq!((notices, errors), (vec![], vec![]));
    assert_eq!(
        cluster.create(Kind::IpPool, object).errors,
        [
            "spec.ips: Forbidden: 10.39.249.9 already belong to SpiderIPPool other; leave them out, or add them to spec.excludeIPs"
        ]
    );
    ips[9_999] = "10.0.0.5".to_owned();
    assert_eq!(create(spec(&ips)).1, ["spec.ips[9999]: repeats 10.0.0.5 of spec.ips[0]"]);
}
