use serde_json::{Value, json};

use crate::api::Kind;
use crate::rules::test_cluster::{Cluster, manifest, with};

#[test]
fn reserved_ranges_are_mended_and_their_family_inferred() {
    for (spec, expected, notices) in [
        (json!({"ips": ["10.0.0.1"]}), json!({"ips": ["10.0.0.1"], "ipVersion": 4}), vec![]),
        (json!({"ips": ["::1-::5"]}), json!({"ips": ["::1-::5"], "ipVersion": 6}), vec![]),
        (
            json!({"ips": ["10.0.0.9-10.0.0.1", "10.0.0.9"], "ipVersion": "v4"}),
            json!({"ips": ["10.0.0.1-10.0.0.9", "10.0.0.9"], "ipVersion": 4}),
            vec![
                "spec.ipVersion: \"v4\" is a deprecated spelling, stored as the number 4",
                "spec.ips[0]: \"10.0.0.9-10.0.0.1\" runs backwards, stored as 10.0.0.1-10.0.0.9",
            ],
        ),
        // An explicit family needs no ranges.
        (json!({"ips": [], "ipVersion": 6}), json!({"ips": [], "ipVersion": 6}), vec![]),
        (
            json!({"ips": ["0.0.0.0-0.0.0.5", "255.255.255.255"]}),
            json!({"ips": ["0.0.0.0-0.0.0.5", "255.255.255.255"], "ipVersion": 4}),
            vec![],
        ),
    ] {
        let outcome = Cluster::default().create(Kind::ReservedIp, manifest(Kind::ReservedIp, spec));
        assert_eq!(
            (outcome.errors, outcome.notices),
            (vec![], notices.into_iter().map(String::from).collect())
        );
        assert_eq!(outcome.object, manifest(Kind::ReservedIp, expected));
    }
}

#[test]
fn reserved_ranges_are_checked_as_the_reference_says() {
    const NO_FAMILY: &str = "spec.ipVersion: Required value: cannot be inferred from the addresses; correct them, or write 4 or 6";
    for (rule, spec, expected) in [
        ("R1", json!({}), vec![NO_FAMILY]),
        ("R1", json!({"ips": []}), vec![NO_FAMILY]),
        (
            "R1",
            json!({"ips": ["x"]}),
            vec![
                NO_FAMILY,
                "spec.ips[0]: Invalid value: \"x\": \"x\" is no IP address: it is neither four octets nor groups of hexadecimal digits",
            ],
        ),
        (
            "R2",
            json!({"ipVersion": 7, "ips": ["10.0.0.1"]}),
            vec!["spec.ipVersion: Unsupported value: \"7\": use 4 or 6"],
        ),
        (
            "R2",
            json!({"ips": ["fd00::1"]}),
            vec![
                "spec.ipVersion: Forbidden: IPv6 is turned off; set enableIPv6: true in the configuration to use it",
            ],
        ),
        (
            "R3",
            json!({"ips": ["10.0.0.1", "fd00::1", "10.0.0.0/24", "10.0.0.1-10.0.0.256"]}),
            vec![
                "spec.ips[1]: Invalid value: \"fd00::1\": is IPv6, but spec.ipVersion is 4",
                "spec.ips[2]: Invalid value: \"10.0.0.0/24\": it is a subnet; write the addresses to hand out, e.g. 10.0.0.1-10.0.0.254",
                "spec.ips[3]: Invalid value: \"10.0.0.1-10.0.0.256\": \"10.0.0.256\" is no IP address: octet 256 is greater than 255",
            ],
        ),
    ] {
        let cluster = Cluster::default().set(|settings| settings.enable_ipv6 = false);
        assert_eq!(
            cluster.create(Kind::ReservedIp, manifest(Kind::ReservedIp, spec)).errors,
            expected,
            "{rule}"
        );
    }
}

#[test]
fn r4_r5_stored_ranges_keep_their_family_and_terminating_ones_their_spec() {
    let cluster = Cluster::default();
    let old =
        cluster.create(Kind::ReservedIp, manifest(Kind::ReservedIp, json!({"ips": ["10.0.0.1"]}))).object;
    let update = |old: &Value, changes: Value| {
        cluster.update(Kind::ReservedIp, with(old.clone(), changes), old).errors
    };
    assert_eq!(update(&old, json!({"spec": {"ips": ["10.0.0.2", "10.0.0.5"]}})), Vec::<String>::new());
    assert_eq!(
        update(&old, json!({"spec": {"ips": ["fd00::1"], "ipVersion": 6}})),
        ["spec.ipVersion: Forbidden: is 4 and cannot become 6; create a new object instead"]
    );
    let off = Cluster::default().set(|settings| settings.enable_ipv4 = false);
    let edited = with(old.clone(), json!({"spec": {"ips": ["10.0.0.7"]}}));
    assert_eq!(off.update(Kind::ReservedIp, edited, &old).errors, Vec::<String>::new());
    let going = with(old, json!({"metadata": {"deletionTimestamp": "2025-01-01T00:00:00Z"}}));
    assert_eq!(update(&going, json!({"metadata": {"labels": {"a": "b"}}})), Vec::<String>::new());
    assert_eq!(
        update(&going, json!({"spec": {"ips": []}})),
        [
            "spec: Forbidden: the object is being deleted, so its spec can no longer change; create it anew when it is gone"
        ]
    );
    assert_eq!(cluster.delete(Kind::ReservedIp, &going), Vec::<String>::new());
}
