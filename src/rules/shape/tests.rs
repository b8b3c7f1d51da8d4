use serde_json::{Value, json};

use super::*;
use crate::api::{Kind, SpiderMultusConfigSpec};

fn unknown(kind: Kind, object: &Value) -> Vec<String> {
    unknown_fields(kind, object).iter().map(ToString::to_string).collect()
}

fn mistyped(kind: Kind, object: &Value) -> Vec<String> {
    Sound::of(kind, object).errors.iter().map(ToString::to_string).collect()
}

#[test]
fn fields_that_nobody_knows_are_found_wherever_they_stand() {
    let object = json!({
        "apiVersion": "spiderpool.spidernet.io/v2beta1", "kind": "SpiderMultusConfig", "sepc": {},
        "metadata": { "name": "a", "anotations": { "any": "key" }, "labels": { "any": "key" } },
        "spec": {
            "cniType": "sriov", "rdmaIsolation": true, "nonsense": 1,
            "sriov": { "resourcename": "a.io/b", "ippools": { "ipv4s": [] }, "enableRdma": true },
            "ovs": { "trunk": [{ "id": 1 }, { "minId": 1 }] }
        }
    });
    let gone = "there is no such field, and the API server drops it";
    assert_eq!(
        unknown(Kind::MultusConfig, &object),
        [
            format!("sepc: {gone}; did you mean \"spec\"?"),
            format!("metadata.anotations: {gone}; did you mean \"annotations\"?"),
            format!(
                "spec.rdmaIsolation: {gone}; its place is spec.ibsriov.rdmaIsolation or \
                 spec.sriov.rdmaIsolation"
            ),
            format!("spec.nonsense: {gone}"),
            format!("spec.sriov.resourcename: {gone}; did you mean \"resourceName\"?"),
            format!("spec.sriov.ippools.ipv4s: {gone}; did you mean \"ipv4\"?"),
            format!("spec.ovs.trunk[1].minId: {gone}; did you mean \"minID\"?"),
        ]
    );
}

#[test]
fn every_kind_has_a_schema() {
    for kind in Kind::ALL {
        assert!(schema::of(kind).properties.iter().flatten().any(|(name, _)| name == "metadata"), "{kind}");
        let found = unknown(kind, &json!({ "kind": kind.name(), "metadata": {}, "whatever": 1 }));
        assert_eq!(found, ["whatever: there is no such field, and the API server drops it"], "{kind}");
    }
}

#[test]
fn values_of_the_wrong_type_are_named_and_put_aside() {
    let object = json!({
        "metadata": { "name": 1, "labels": { "a": true } },
        "spec": {
            "subnet": 10, "ips": ["a", 2, null], "ipVersion": 4.5, "gateway": null, "default": "yes",
            "routes": [{ "dst": ["x"] }, "y"], "podAffinity": { "matchLabels": { "app": 1 } }
        }
    });
    assert_eq!(
        mistyped(Kind::IpPool, &object),
        [
            "metadata.name: Invalid value: \"1\": must be a string, found a number",
            "metadata.labels[a]: Invalid value: \"true\": must be a string, found a boolean",
            "spec.subnet: Invalid value: \"10\": must be a string, found a number",
            "spec.ips[1]: Invalid value: \"2\": must be a string, found a number",
            "spec.ips[2]: Invalid value: \"null\": must be a string, found null",
            "spec.ipVersion: Invalid value: \"4.5\": must be an integer or a string, found a fraction",
            "spec.default: Invalid value: \"yes\": must be true or false, found a string",
            "spec.routes[0].dst: Invalid value: \"[\\\"x\\\"]\": must be a string, found a list",
            "spec.routes[1]: Invalid value: \"y\": must be an object, found a string",
            "spec.podAffinity.matchLabels[app]: Invalid value: \"1\": must be a string, found a number",
        ]
    );
    let sound = Sound::of(Kind::IpPool, &object).object;
    assert_eq!(sound["spec"]["ips"], json!(["a", "", ""]));
    assert_eq!(sound["spec"].get("subnet"), None);
    assert_eq!(sound["spec"]["routes"], json!([{}, {}]));
}

#[test]
fn what_is_no_object_at_all_is_one_error() {
    for object in [json!(null), json!([]), json!("x")] {
        assert_eq!(mistyped(Kind::IpPool, &object).len(), 1);
        assert_eq!(unknown(Kind::IpPool, &object), [""; 0]);
    }
}

#[test]
fn numbers_beyond_the_range_are_no_integers() {
    let object = json!({ "spec": { "cniType": "sriov", "sriov": { "mtu": u64::MAX } } });
    assert_eq!(mistyped(Kind::MultusConfig, &object).len(), 1);
    assert!(spec::<SpiderMultusConfigSpec>(&Sound::of(Kind::MultusConfig, &object).object).is_ok());
    let error = spec::<SpiderMultusConfigSpec>(&object).unwrap_err();
    assert_eq!(error.field, "spec.sriov.mtu");
    assert_eq!(error.value.as_deref(), Some("18446744073709551615"));
}
