#![expect(clippy::needless_pass_by_value, reason = "`json!` literals read best by value")]

use serde_json::{Value, json};

use super::*;
use crate::api::Kind;
use crate::api::settings::Settings;
use crate::rules::{Context, Peers};

fn coordinator(spec: Value) -> Value {
    json!({
        "apiVersion": "spiderpool.spidernet.io/v2beta1",
        "kind": "SpiderCoordinator",
        "metadata": { "name": "default" },
        "spec": spec
    })
}

/// With the checks of the schema, as the server does it.
fn validate_whole(object: &Value) -> Findings {
    let (settings, peers) = (Settings::default(), Peers::default());
    let context = Context { settings: &settings, peers: &peers };
    crate::rules::validate(Kind::Coordinator, Operation::Create, object, None, &context)
}

fn errors(spec: Value) -> Vec<String> {
    let mut spec = spec;
    spec["podCIDRType"] = spec.get("podCIDRType").cloned().unwrap_or_else(|| json!("auto"));
    validate_whole(&coordinator(spec)).errors.iter().map(ToString::to_string).collect()
}

#[test]
fn a_complete_coordinator_has_no_errors() {
    let spec = json!({
        "mode": "auto", "podCIDRType": "cluster", "hijackCIDR": ["10.96.0.0/12", "fd00::1/128"],
        "policyRoutes": [{ "dst": "192.168.0.0/16", "gw": "172.16.0.1" }, { "dst": "fd01::/64", "gw": "fd00::1" }],
        "podMACPrefix": "0a:1B", "tunePodRoutes": true, "podDefaultRouteNIC": "eth0", "hostRuleTable": 500,
        "podRPFilter": -1, "txQueueLen": 0, "vethLinkAddress": "169.254.100.1", "vethMTU": 1500
    });
    assert_eq!(errors(spec), [""; 0]);
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table, one row for each rule")]
fn each_rule_names_its_field() {
    let not_prefix = "must be an address or a prefix, as 10.0.0.0/8";
    let table = [
        (
            json!({ "podCIDRType": "calicoo" }),
            "spec.podCIDRType: Unsupported value: \"calicoo\": use one of auto, cluster, calico, cilium, none; \
             did you mean \"calico\"?"
                .to_owned(),
        ),
        (
            json!({ "mode": "underlai" }),
            "spec.mode: Unsupported value: \"underlai\": use one of auto, underlay, overlay, disabled; \
             did you mean \"underlay\"?"
                .to_owned(),
        ),
        (
            json!({ "mode": "disable" }),
            "spec.mode: Invalid value: \"disable\": deprecated spelling of disabled; write that".to_owned(),
        ),
        (
            json!({ "hijackCIDR": ["10.0.0.0/8", "10.0.0.0/33"] }),
            format!("spec.hijackCIDR[1]: Invalid value: \"10.0.0.0/33\": {not_prefix}"),
        ),
        (
            json!({ "policyRoutes": [{ "dst": "all", "gw": "10.0.0.1" }] }),
            format!("spec.policyRoutes[0].dst: Invalid value: \"all\": {not_prefix}"),
        ),
        (
            json!({ "policyRoutes": [{ "dst": "10.0.0.0/8", "gw": "10.0.0.1/8" }] }),
            "spec.policyRoutes[0].gw: Invalid value: \"10.0.0.1/8\": must be an address".to_owned(),
        ),
        (
            json!({ "policyRoutes": [{ "dst": "10.0.0.0/8", "gw": "fd00::1" }] }),
            "spec.policyRoutes[0]: Invalid value: \"10.0.0.0/8 via fd00::1\": destination and gateway must be \
             of the same address family"
                .to_owned(),
        ),
        (
            json!({ "policyRoutes": [{ "gw": "10.0.0.1" }] }),
            "spec.policyRoutes[0].dst: Required value: the destination, as 10.0.0.0/8".to_owned(),
        ),
        (
            json!({ "podMACPrefix": "+a:1b" }),
            "spec.podMACPrefix: Invalid value: \"+a:1b\": must be the first two bytes of a MAC address in \
             hexadecimal, as 0a:1b"
                .to_owned(),
        ),
        (
            json!({ "podMACPrefix": "01:00" }),
            "spec.podMACPrefix: Invalid value: \"01:00\": the lowest bit of the first byte must be 0: \
             otherwise it is a multicast address"
                .to_owned(),
        ),
        (
            json!({ "txQueueLen": -1 }),
            "spec.txQueueLen: Invalid value: \"-1\": must not be negative; 0 leaves it as it is".to_owned(),
        ),
        (
            json!({ "podRPFilter": 3 }),
            "spec.podRPFilter: Invalid value: \"3\": must be 0, 1 or 2, or negative to leave it as it is"
                .to_owned(),
        ),
        (
            json!({ "vethLinkAddress": "169.254.100.1/16" }),
            "spec.vethLinkAddress: Invalid value: \"169.254.100.1/16\": must be an address without prefix \
             length, as 169.254.100.1"
                .to_owned(),
        ),
        (
            json!({ "vethMTU": 0 }),
            "spec.vethMTU: Invalid value: \"0\": must be between 1 and 65535".to_owned(),
        ),
        (
            json!({ "hostRuleTable": 254 }),
            "spec.hostRuleTable: Invalid value: \"254\": must be a routing table from 1 to 4294967295, without \
             the kernel's own 253, 254 and 255"
                .to_owned(),
        ),
    ];
    for (spec, expected) in table {
        assert_eq!(errors(spec), [expected]);
    }
}

#[test]
fn every_error_is_reported_at_once() {
    let findings = validate_whole(&coordinator(json!({
        "mode": "x", "hijackCIDR": ["y", "z"], "hostRuleTable": 0, "vethMTU": -1
    })));
    let fields: Vec<&str> = findings.errors.iter().map(|error| error.field.as_str()).collect();
    assert_eq!(
        fields,
        [
            "spec.mode",
            "spec.podCIDRType",
            "spec.hijackCIDR[0]",
            "spec.hijackCIDR[1]",
            "spec.hostRuleTable",
            "spec.vethMTU"
        ]
    );
}

#[test]
fn older_spellings_are_mended_and_bare_addresses_become_prefixes() {
    let mut object = coordinator(json!({
        "mode": "disable", "podCIDRType": "none", "hijackCIDR": ["10.0.0.1", "fd00::1", "10.1.0.0/16"],
        "policyRoutes": [{ "to": "10.2.0.1", "via": "10.0.0.1" }, { "to": "1.0.0.0/8", "dst": "2.0.0.0/8" }]
    }));
    let notices = normalise(&mut object);
    let expected = json!({
        "mode": "disabled", "podCIDRType": "none",
        "hijackCIDR": ["10.0.0.1/32", "fd00::1/128", "10.1.0.0/16"],
        "policyRoutes": [{ "dst": "10.2.0.1/32", "gw": "10.0.0.1" }, { "to": "1.0.0.0/8", "dst": "2.0.0.0/8" }]
    });
    assert_eq!(object["spec"], expected);
    assert_eq!(
        notices,
        [
            Notice::mended("spec.mode", "disable is a deprecated spelling of disabled"),
            Notice::mended("spec.policyRoutes[0].to", "deprecated spelling of spec.policyRoutes[0].dst"),
            Notice::mended("spec.policyRoutes[0].via", "deprecated spelling of spec.policyRoutes[0].gw"),
        ]
    );
    let once = object.clone();
    assert_eq!(normalise(&mut object), []);
    assert_eq!(object, once);
    let findings = validate(Operation::Create, &object);
    assert_eq!(
        findings.errors[0].to_string(),
        "spec.policyRoutes[1].to: Invalid value: \"1.0.0.0/8\": deprecated spelling of \
         spec.policyRoutes[1].dst, which has another value; keep one"
    );
}

#[test]
fn a_leftover_finalizer_no_longer_blocks_deletion() {
    let mut object = coordinator(json!({ "podCIDRType": "auto" }));
    object["metadata"]["finalizers"] = json!(["spiderpool.spidernet.io", "example.com/mine"]);
    let notices = normalise(&mut object);
    assert_eq!(object["metadata"]["finalizers"], json!(["example.com/mine"]));
    assert_eq!(notices.len(), 1);
    object["metadata"]["finalizers"] = json!(["spiderpool.spidernet.io"]);
    normalise(&mut object);
    assert_eq!(object["metadata"].get("finalizers"), None);
    // Whatever it says by now, an object that is being deleted may lose its finalizer.
    object["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    object["spec"]["mode"] = json!("disable");
    assert_eq!(normalise(&mut object), []);
    assert_eq!(validate(Operation::Update, &object), Findings::default());
    assert_eq!(validate(Operation::Delete, &object), Findings::default());
}
